"""The map of diversion, routes, calibration and coverage as pages and as files; what lies under the map."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from django.http import QueryDict
from django.test import Client
from django.utils.translation import override

from analytics.models import Tempering
from brands.models import Brand
from common import ip_places
from console.diversion import base_map, map_data, periods
from staff.models import User
from tests.console.trade import Trade, give_verdicts, make_trade

PAGES = ("map", "routes", "calibration", "coverage")
GOOD = {"type": "Polygon", "coordinates": [[[104.0, 30.0], [105.0, 30.0], [105.0, 31.0], [104.0, 30.0]]]}


@pytest.fixture
def trade(brand: Brand) -> Trade:
    return make_trade(datetime.now(UTC))


@pytest.fixture
def based(settings: Any, tmp_path: Path) -> Iterator[Callable[[Any], None]]:
    """Return a function that puts an operator's base map in place."""

    def supply(content: Any) -> None:
        path = tmp_path / "base.geojson"
        path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
        settings.MAP_BASE, settings.MAP_ATTRIBUTION = str(path), "审图号：GS(2026)0001号"
        base_map.forget()

    yield supply
    base_map.forget()


def read(answer: Any) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.content.decode("utf-8-sig"))))


def test_the_table_the_file_and_the_map_have_the_same_figures(trade: Trade, browse: Callable[..., Client]) -> None:
    west = trade.partners[0]
    client = browse("investigator")
    asked = f"/console/diversion/map?distributor={west.public_id}&weeks=13"

    page = client.get(asked)
    rows = read(client.get(f"{asked}&format=csv"))

    found: map_data.Picture = page.context["found"]
    drawn = json.loads(re.search(r'id="map-data"[^>]*>(.*?)</script>', page.content.decode(), re.DOTALL)[1])  # type: ignore[index]
    away = {code: 0 for code, *_rest in drawn["regions"]}
    for _week, region, _source, own, count in drawn["seen"]:
        away[drawn["regions"][region][0]] += 0 if own else count
    told = {row["Region code"]: int(row["Outside"]) for row in rows[:-1]}
    assert told == {row.code: row.away for row in found.rows}
    assert {code: n for code, n in told.items() if n} == {code: n for code, n in away.items() if n}
    assert sum(told.values()) == found.total.away > 20
    assert rows[0]["Region code"] in {"CN-440100", "CN-440300"}
    assert found.rows[0].striking
    assert "GeoNames" in rows[-1]["From week"]
    assert sum(one.away for one in found.weeks) == found.total.away
    assert drawn["outlines"] == ""
    assert {drawn["regions"][place][0] for place in drawn["territory"]} == {"CN-510100", "CN-510700", "CN-500100"}
    assert {"CN-SC", "CN-CQ", "CN-510100"} <= set(drawn["given"])
    assert f"{found.total.away:,}" in page.content.decode()
    one = max(found.weeks, key=lambda bar: bar.away)
    narrowed = client.get(f"{asked}&week={one.monday}").context["found"]
    assert 0 < narrowed.total.away == one.away < found.total.away


def test_who_may_look(trade: Trade, browse: Callable[..., Client]) -> None:
    for page in PAGES:
        for role in ("owner", "analyst", "investigator", "legal", "auditor"):
            assert browse(role).get(f"/console/diversion/{page}").status_code == 200, (page, role)
        for role in ("marketer", "support", "warehouse"):
            assert browse(role).get(f"/console/diversion/{page}").status_code == 403, (page, role)


def test_pages_without_anything(brand: Brand, browse: Callable[..., Client]) -> None:
    client = browse("analyst")
    for page in PAGES:
        assert client.get(f"/console/diversion/{page}").status_code == 200
        assert client.get(f"/console/diversion/{page}?format=csv&weeks=x&week=%00&distributor=par_x").status_code == 200


def test_routes_lead_to_their_findings(trade: Trade, browse: Callable[..., Client]) -> None:
    west, south, _east = trade.partners
    client = browse("analyst")

    page = client.get("/console/diversion/routes").content.decode()
    [first, *_rest] = read(client.get("/console/diversion/routes?format=csv"))

    assert f"distributor={west.public_id}&amp;dest={south.public_id}" in page
    assert (first["From"], first["To the market of"]) == (west.name, south.name)
    assert float(first["Expected cases"]) > 10
    assert (first["Labels seen"], first["Labels shipped"]) == ("156", "1440")


def test_calibration_says_it_in_words(brand: Brand, browse: Callable[..., Client]) -> None:
    at = datetime.now(UTC)
    give_verdicts(at, [(0.95, "rejected", 1)] * 6 + [(0.85, "confirmed", 1)] * 5)
    Tempering.objects.create(eta=0.65, verdicts=51, set_at=at - timedelta(days=1))
    client = browse("auditor")

    page = client.get("/console/diversion/calibration").content.decode()

    assert "fewer than told" in page
    assert "as told" in page
    assert "11 of 50 verdicts: 39 more" in page
    assert "η = 0.65" in page
    rows = read(client.get("/console/diversion/calibration?format=csv"))
    assert [(row["Verdicts"], row["confirmed"], row["Confirmed share"]) for row in rows] == [
        ("5", "5", "1.000"),
        ("6", "0", "0.000"),
    ]


def test_the_age_of_the_address_file_is_told(
    brand: Brand, browse: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    class Locator:
        version = "City-Lite"
        built_at = datetime.now(UTC) - timedelta(days=100)

        def locate(self, _ip: str) -> None:
            return None

    client = browse("analyst")
    path = "/console/diversion/coverage"
    monkeypatch.setattr(ip_places, "loaded", lambda: ip_places.Loaded(Locator(), "places.mmdb", 1.0))
    old = client.get(path).content.decode()
    monkeypatch.setattr(Locator, "built_at", datetime.now(UTC) - timedelta(days=3))
    good = client.get(path).content.decode()
    monkeypatch.setattr(ip_places, "loaded", lambda: ip_places.Loaded(None, "places.mmdb", 1.0, "InvalidDatabaseError"))
    broken = client.get(path).content.decode()
    monkeypatch.setattr(ip_places, "loaded", lambda: ip_places.Loaded(None, "", 0.0))
    absent = client.get(path).content.decode()

    assert "is 100 days old" in old
    assert "City-Lite" in good
    assert "days old" not in good
    assert "cannot be read (InvalidDatabaseError)" in broken
    assert "IP_PLACES_FILE" in absent


def test_what_lies_under_the_map(settings: Any, based: Callable[[Any], None], browse: Callable[..., Client]) -> None:
    url = "/console/diversion/map/base.json"
    client = browse("analyst")
    assert base_map.base_for(["CN-440100"]).outlines == base_map.base_for(["FR", "TW"]).outlines == ""
    assert base_map.base_for(["FR-75"]).outlines.endswith("build/world.json")
    assert client.get(url).status_code == 404

    based({"type": "FeatureCollection", "features": [{"properties": {"code": "CN-SC", "secret": 1}, "geometry": GOOD}]})
    under = base_map.base_for(["CN-440100"])
    served = client.get(url)

    assert under.outlines == url
    assert under.attribution.startswith("审图号：GS(2026)0001号")
    assert "GeoNames" in under.attribution
    assert served.json()["features"][0]["properties"] == {"name": "CN-SC", "code": "CN-SC"}
    assert "审图号：GS(2026)0001号" in client.get("/console/diversion/map").content.decode()
    assert "审图号" in client.get("/console/diversion/map?format=csv").content.decode()
    settings.MAP_BASE = "none"
    assert base_map.base_for(["FR-75"]).outlines == ""


@pytest.mark.parametrize(
    "content",
    ["{", "[]", '{"features": []}', '{"features": [{"geometry": {"type": "Point", "coordinates": [1, 2]}}]}', "[1"],
)
def test_a_bad_base_map_is_not_used(based: Callable[[Any], None], browse: Callable[..., Client], content: str) -> None:
    based(content)
    client = browse("analyst")

    page = client.get("/console/diversion/map")

    assert base_map.base_for(["FR-75"]).outlines == ""
    assert "The base map is not used" in page.content.decode()
    assert client.get("/console/diversion/map/base.json").status_code == 404


def test_what_is_wrong_with_a_base_map_is_told_in_each_readers_language(based: Callable[[Any], None]) -> None:
    based({"features": []})

    with override("zh-hans"):
        chinese = base_map.base_for(["FR-75"]).trouble
    assert base_map.base_for(["FR-75"]).trouble == "the file has no outlines"
    assert chinese == "文件中没有任何轮廓"


def test_a_missing_base_map_is_told(settings: Any, brand: Brand) -> None:
    settings.MAP_BASE = "/nowhere/at/all.geojson"

    assert base_map.base_for(["FR"])[0::2] == ("", "FileNotFoundError")


def test_a_regional_manager_sees_the_own_regions_alone(trade: Trade, browse: Callable[..., Client]) -> None:
    west, south, east = trade.partners
    client = browse("regional")
    map_, coverage = "/console/diversion/map", "/console/diversion/coverage"
    assert client.get(map_).context["found"].rows == []
    assert client.get(coverage).context["lines"] == []
    User.objects.filter(role="regional").update(regions="CN-ZJ")

    found = client.get(map_).context["found"]

    assert {one.distributor_id for one in found.sightings} == {east.pk}
    assert client.get(f"{map_}?distributor={west.public_id}").context["asked"].partner is None
    assert [line.name for line in client.get(coverage).context["lines"]] == [east.name]
    assert client.get("/console/diversion/routes").context["ways"] == []
    User.objects.filter(role="regional").update(regions="CN-GD")
    assert client.get("/console/diversion/routes").context["ways"][0].origin == west.name  # it surfaced in Guangdong
    assert {one.distributor_id for one in client.get(map_).context["found"].sightings} == {south.pk}


def test_a_route_opens_the_findings_behind_it(trade: Trade, browse: Callable[..., Client]) -> None:
    client = browse("analyst")
    [way, *_rest] = client.get("/console/diversion/routes").context["ways"]

    behind = [row.finding for row in client.get(way.href).context["rows"]]

    south, east = trade.partners[1:]
    assert behind
    assert client.get(way.href.replace(south.public_id, east.public_id)).context["rows"] == []
    assert {(one.distributor_id, one.dest_id) for one in behind} == {(trade.partners[0].pk, trade.partners[1].pk)}
    assert all(
        one.dest_id is None
        for one in [row.finding for row in client.get("/console/diversion?dest=none&watched=1").context["rows"]]
    )


def test_weeks_are_whole_and_the_last_one_runs() -> None:
    today = datetime(2026, 11, 25, tzinfo=UTC).date()
    asked = periods.asked_for(QueryDict("weeks=4&week=2026-11-16"), User(role="analyst"), today=today)

    assert [one.day for one in asked.weeks] == [2, 9, 16, 23]
    assert asked.week == asked.weeks[2]
    assert (asked.until - asked.since).days == 28
