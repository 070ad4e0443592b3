"""What a distributor must never get: another partner's name, volume or score, a consumer's data, a cell under five devices.

Every page of the portal and of the console, every file and every operation of the API is asked with a distributor's
session and key, in both languages, in a world full of what must not be found. Each kind of leak is then planted, and found.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from django.test import Client

from analytics.models import FitRun, ShipmentScore
from brands.models import Brand
from channel.acts import ship
from channel.models import Partner
from common.clock import now
from ledger.queries import balance
from ledger.services import open_account
from portal import cells, points, report, stock, told
from redemption.rules import Door
from redemption.services import redeem
from redemption.wallet import entries
from tests.channel.goods import items, make_region, range_text
from tests.flows.two_brands import routes
from tests.makers import labels_of, make_active_batch, make_attempt, make_campaign, secret_of
from tests.portal.world import MARK_NAME, MARK_NAME_ZH, World, make_world, monday_before, paper_at, scan

PHONE = "+8613812345678"
VOLUME, SCORE, DEVICE, LAT = 1_733, 0.873123, 770_011_000, 23.123457
DELIVERY_NOTE = "RIVAL-NOTE-7731"


@pytest.fixture
def world(brand: Brand) -> World:
    found = make_world(now())
    plant(found)
    return found


def plant(world: World) -> None:
    """Put into the world what nobody but the brand may see."""
    at = world.at
    batch = make_active_batch(1_800, at=at - timedelta(days=60))
    range_of = range_text(labels_of(batch)[:VOLUME])
    paper = paper_at(at - timedelta(days=3), at)
    sent = ship(
        type(paper)(DELIVERY_NOTE, None, paper.happened_at, at), items(range_of), source=None, destination=world.south
    )
    assert sent.document.labels == VOLUME
    run = FitRun.objects.create(
        began_at=at, ended_at=at, scans_from=at, scans_until=at, eta=1, parameters={}, counts={}, data_hash=b"x",
        code_version="1", seconds=1, alert_from=1,
    )  # fmt: skip
    for shipment, holder in ((world.shipments["rival"], world.south), (world.shipments["arrived"], world.north)):
        ShipmentScore.objects.create(
            shipment_id=shipment.pk, run=run, distributor_id=holder.pk, probability=SCORE, scans=1, log_factors=b"",
            scored_at=at,
        )  # fmt: skip
    day = monday_before(at) + timedelta(hours=1, minutes=41, seconds=37)
    rival = [number for case in range(10, 14) for number in world.goods.labels(case)]
    own = world.north.territories.get().region
    for n in range(5):  # three devices in one quarter and two in another: the sum may be told, neither of them
        code, name = ("CN-440601", "Panyu Quiet Quarter") if n % 2 else ("CN-440600", "Foshan Quiet Quarter")
        if n < 2:
            make_region(code, parent=own, kind="county", name=name)
        scan(rival[n], DEVICE + n, day, world.shipments["rival"], world.south, city=name, region=code)
    make_campaign(product=world.goods.batch.product, at=at - timedelta(days=30))
    redeem(
        make_attempt(
            secret_of(world.goods.labels(0)[0]),
            phone=PHONE,
            retailer=world.shop.number,
            door=Door.WEB,
            at=moment_of(at),
        )
    )
    earned = world.shop.account  # becomes the distributor's, so that there is a consumer behind its statement
    assert balance(earned.pk) > 0
    Partner.objects.filter(pk=world.shop.pk).update(account=open_account(party="retailer"))
    Partner.objects.filter(pk=world.north.pk).update(account=earned)


def moment_of(at: Any) -> Any:
    return monday_before(at) + timedelta(hours=2, minutes=43, seconds=29)


def markers(world: World) -> list[str]:
    """Return what must not be found, as pages, files and JSON would write it."""
    zone = ZoneInfo("Asia/Shanghai")
    moments = [moment_of(world.at), monday_before(world.at) + timedelta(hours=1, minutes=41, seconds=37)]
    times = [
        text
        for one in moments
        for local in (one, one.astimezone(zone))
        for text in (
            f"{local:%Y-%m-%dT%H:%M}",
            f"{local:%Y-%m-%d %H:%M}",
            f"{local:%H:%M:%S}",
            f"{local.day} {local:%b %Y, %H:%M}",
        )
    ]
    south, stall = world.south, world.stall
    names = [
        MARK_NAME,
        MARK_NAME_ZH,
        "Rival Stall",
        "对手十七号",
        south.number,
        stall.number,
        south.public_id,
        stall.public_id,
    ]
    names += [
        south.account.public_id,
        world.shipments["rival"].public_id,
        world.shipments["rival"].number + "<",
        DELIVERY_NOTE,
    ]
    volumes = [f"{VOLUME}", f"{VOLUME:,}"]
    scores = [f"{SCORE:.3f}", f"{SCORE:.2f}", f"{100 * SCORE:.1f}", f"{SCORE}"]
    consumers = ["13812345678", "138****5678", str(DEVICE)[:7], "23.1234", "Quiet Quarter", *times]
    return [*names, *volumes, *scores, *consumers, world.case(7)]


Ask = Callable[[], Iterator[tuple[str, str]]]


def answers(world: World, client: Client, *, briefly: bool = False) -> Iterator[tuple[str, str]]:
    """Yield (what was asked, answer) of everything that a distributor can reach; ``briefly``: of the portal in English."""
    for language in ("en",) if briefly else ("en", "zh-CN"):
        asked = {"Accept-Language": language}
        for route, pattern in routes():
            if not route.startswith("portal/" if briefly else ("portal/", "console/")) or route == "portal/sign-out":
                continue
            for path in paths_of(world, route, pattern.pattern.converters):
                yield path, client.get(path, headers=asked).content.decode()
    yield from sent(world, client)
    yield from called(world)


def paths_of(world: World, route: str, converters: dict[str, Any]) -> list[str]:
    """Return the addresses of a route: with its own documents, with the rival's, as a page and as a file."""
    if not converters:
        queries = ["", "?format=csv", "?format=csv&what=coverage"] if route.startswith("portal/") else [""]
        return [f"/{route}{query}" for query in queries]
    if not route.startswith("portal/"):
        return []
    mine = [world.shipments["arrived"].public_id, world.shipments["coming"].public_id]
    ids = [*mine, world.shipments["rival"].public_id]
    paths = ["/" + re.sub(r"<\w+:\w+>", one, route) for one in ids]
    return [path + query for path in paths for query in ("", "?format=csv")]


def sent(world: World, client: Client) -> Iterator[tuple[str, str]]:
    """Yield the answers to what a device sends of the rival's goods (but for the echo of what it sent itself)."""
    theirs = world.case(9)
    for path, act in (("/portal/scan", "ship"), ("/portal/scan", "receive"), ("/portal/documents", "return")):
        to = world.shop.number if act == "ship" else ""
        body = json.dumps({"act": act, "to": to, "lines": [{"text": theirs}]})
        headers = {"Accept": "application/json", "Idempotency-Key": f"privacy-test-{act}"}
        yield (
            f"{act} {path}",
            client.post(path, body, content_type="application/json", headers=headers).content.decode(),
        )
    body = json.dumps({"act": "ship", "to": world.south.number.lower(), "lines": []})
    answer = client.post("/portal/scan", body, content_type="application/json", headers={"Accept": "application/json"})
    yield "to the rival", answer.content.decode()


def called(world: World) -> Iterator[tuple[str, str]]:
    """Yield the answers of every operation of both APIs to the distributor's key."""
    from config.api import api, partners

    headers = {"Authorization": f"Bearer {world.token}", "Idempotency-Key": "privacy-test-by-key"}
    client = Client(HTTP_HOST="brand.localhost", headers=headers)
    for described in (api.get_openapi_schema(), partners.get_openapi_schema()):
        for path, operations in described["paths"].items():
            for method in operations:
                for one in ("arrived", "rival"):
                    url = re.sub(r"\{\w+\}", world.shipments[one].public_id, path)
                    body = json.dumps({"act": "return", "lines": [{"text": world.case(9)}]})
                    answer = (
                        client.get(url) if method == "get" else client.post(url, body, content_type="application/json")
                    )
                    assert answer.status_code < 500, url
                    yield f"{method} {url}", answer.content.decode()


def found_in(told_all: Iterable[tuple[str, str]], wanted: list[str]) -> dict[str, str]:
    """Return what was found that must not be, each with where first."""
    found: dict[str, str] = {}
    for asked, body in told_all:
        for marker in wanted:
            if marker in body and marker not in asked:
                found.setdefault(marker, asked)
    return found


def names_the_holder(*args: Any, **kwargs: Any) -> str:
    return f"Held by {MARK_NAME}"


def with_times(*args: Any, **kwargs: Any) -> Any:
    found, older = entries(*args, **kwargs)
    return [replace(entry, title=f"{entry.title} {entry.at:%H:%M:%S}") for entry in found], older


LEAKS: dict[str, tuple[Any, str, Any, str]] = {
    "the other side has a name": (stock, "counterparty", lambda _partner, _other: MARK_NAME, MARK_NAME),
    "an answer names the holder": (told, "words", names_the_holder, MARK_NAME),
    "small cells are shown": (report, "suppress", partial(cells.suppress, least=1), "Quiet Quarter"),
    "points tell the time": (points, "entries", with_times, ":43:29"),
    "documents are everybody's": (stock, "documents", None, DELIVERY_NOTE),
}


def test_nothing_of_others_is_ever_told(
    world: World, browse: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, wanted = browse(world.ning), markers(world)
    everything = list(answers(world, client))
    seen = dict(everything)
    assert len(seen) > 60
    assert "Guangzhou" in seen["/portal/report"]
    assert "北江茶叶" in seen["/portal/stock"] or "雾岭乌龙" in seen["/portal/stock"]
    assert '"packs": 7' in seen["get /api/v1/partner/report"]
    assert world.shop.number in seen["/portal/ship"]

    assert found_in(everything, wanted) == {}

    everybody = stock.Document.objects.select_related("source", "destination", "issuer", "refers").all
    for leak, (module, name, instead, marker) in LEAKS.items():
        with monkeypatch.context() as patch:
            patch.setattr(module, name, instead or (lambda _partner: everybody()))
            leaked = found_in(answers(world, client, briefly=True), wanted)
        assert any(marker in one for one in leaked), leak
