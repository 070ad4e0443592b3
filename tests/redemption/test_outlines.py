"""A fix lies where the operator's polygons say; without them in the nearest city, and near a border in its neighbour too."""

import json
from collections.abc import Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from brands.models import Brand
from channel.models import Region
from common import polygons
from redemption import places
from redemption.models import Scan, ScanPlace
from redemption.rules import Place
from redemption.services import verify
from tests.common.test_polygons import feature, square, write
from tests.conftest import NOW
from tests.makers import labels_of, make_active_batch, make_campaign, make_check, serial_of
from tests.redemption.goods import distributor, give, make_land, make_region

CITY = (23.1, 113.3)  # CN-GD-01; the next, CN-GD-02, is a degree north and east of it


@pytest.fixture
def land(brand: Brand) -> Iterator[dict[str, Region]]:
    made = make_land()
    make_region("CN-GD-01-A", made["CN-GD-01"], "county", name_zh="甲县")
    places.forget()
    yield made
    places.forget()


@pytest.fixture
def outlines(land: dict[str, Region], tmp_path: Path, settings: Any) -> Iterator[Path]:
    """The second city reaches down to where the first is nearer; a county lies in the first."""
    path = write(
        tmp_path / "regions.geojson",
        feature("CN-GD-01", square(112.8, 22.6, 113.4, 23.2)),
        feature("CN-GD-02", square(113.4, 23.2, 115, 25)),
        feature("CN-GD-01-A", square(113.0, 22.8, 113.1, 22.9)),
        feature("CN-SC", square(103, 29, 106, 32)),
    )
    settings.REGION_POLYGONS_FILE = str(path)
    polygons.forget()
    places.forget()
    yield path
    polygons.forget()


def told(lat: float, lon: float, accuracy_m: float = 20.0) -> tuple[str, tuple[str, ...]]:
    found = places.of_fix(Place(lat, lon, accuracy_m))
    assert found is not None
    return found.region.code, found.beside


def test_polygons_win_over_the_nearest_city(land: dict[str, Region], outlines: Path) -> None:
    assert told(23.3, 113.5) == ("CN-GD-02", ())
    assert told(23.15, 113.35) == ("CN-GD-01", ())
    polygons.forget()
    outlines.unlink()
    assert told(23.3, 113.5)[0] == "CN-GD-01", "without them the nearest counts"


def test_where_no_polygon_lies_the_nearest_city_counts(outlines: Path) -> None:
    assert told(23.0, 113.5) == ("CN-GD-01", ())


def test_a_province_by_polygon_holds_the_nearest_of_its_own_cities(outlines: Path) -> None:
    assert told(30.9, 104.3)[0] == "CN-SC-01"
    assert told(31.5, 105.0)[0] == "CN-SC-02"


def test_a_coarse_fix_tells_the_province_all_the_same(outlines: Path) -> None:
    assert told(23.3, 113.5, 25_000.0) == ("CN-GD", ())


def test_a_county_is_told_only_where_counties_are_given_away(land: dict[str, Region], outlines: Path) -> None:
    assert told(22.85, 113.05) == ("CN-GD-01", ())
    give(distributor("South"), Region.objects.get(code="CN-GD-01-A"), NOW - timedelta(days=9))
    places.forget()

    assert told(22.85, 113.05) == ("CN-GD-01-A", ())
    found = places.of_fix(Place(22.85, 113.05))
    assert found is not None
    assert found.region.name_zh == land["CN-GD-01"].name_zh, "a consumer reads the city"


# The middle between the two cities is half a degree on; 15 km from the border are 0.09 degrees each way.
@pytest.mark.parametrize(("step", "beside"), [(0.0, ()), (0.38, ()), (0.44, ("CN-GD-02",)), (0.499, ("CN-GD-02",))])
def test_without_polygons_a_fix_near_a_border_may_be_of_either_side(
    land: dict[str, Region], step: float, beside: tuple[str, ...]
) -> None:
    assert told(CITY[0] + step, CITY[1] + step) == ("CN-GD-01", beside)


def test_what_is_beside_is_kept_with_the_scan(land: dict[str, Region]) -> None:
    make_campaign()
    [label_no] = labels_of(make_active_batch(1))

    for step in (0.0, 0.49):
        verify(make_check(serial=serial_of(label_no), at=NOW, place=Place(CITY[0] + step, CITY[1] + step, 20.0)))

    rows = ScanPlace.objects.filter(source="gps").order_by("scan_id")
    assert list(rows.values_list("region", "beside")) == [("CN-GD-01", None), ("CN-GD-01", ["CN-GD-02"])]
    assert Scan.objects.count() == 2


def test_a_bad_file_harms_no_scan(land: dict[str, Region], outlines: Path) -> None:
    outlines.write_text('{"type": "FeatureCollection", "features": [7]}')
    make_campaign()
    [label_no] = labels_of(make_active_batch(1))

    verify(make_check(serial=serial_of(label_no), at=NOW, place=Place(*CITY, 20.0)))

    assert ScanPlace.objects.get().region == "CN-GD-01"
    assert "feature 1" in polygons.loaded().error


def test_the_command_says_what_fits_and_what_is_wrong(outlines: Path) -> None:
    out = StringIO()
    write(outlines, feature("CN-GD-02", square(113.4, 23.2, 115, 25)), feature("CN-XX", square(112, 22, 113, 23)))

    call_command("check_polygons", brand=connection.schema_name, stdout=out)

    found = json.loads(out.getvalue())
    assert found["brands"][connection.schema_name] == {
        "known": 1, "unknown": ["CN-XX"], "regions without a polygon": Region.objects.count() - 1,
    }  # fmt: skip
    outlines.write_text("[]")
    with pytest.raises(CommandError, match="not a FeatureCollection"):
        call_command("check_polygons")
