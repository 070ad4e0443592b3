"""A partner's report: its own goods by week, and its area."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.test import Client

from brands.models import Brand
from channel.models import Region, Territory
from common.clock import now
from portal import report
from tests.channel.goods import make_region
from tests.portal.world import World, make_world, monday_before, scan

ZONE = "Asia/Shanghai"


@pytest.fixture
def world(brand: Brand) -> World:
    return make_world(now())


def test_own_goods_are_told_in_steps_of_five_and_few_devices_not_at_all(world: World) -> None:
    day = monday_before(world.at) - timedelta(weeks=2)
    for n in range(4):  # eight packs by four devices
        for label in world.goods.labels(2 - n // 2)[2 * (n % 2) : 2 * (n % 2) + 2]:
            scan(label, 9_500 + n, day, world.shipments["arrived"], world.goods.a, city="Guangzhou")

    weeks = {week.starts_on: week.packs for week in report.own_weeks(world.north, at=world.at, zone=ZONE)}

    assert len(weeks) == report.WEEKS
    assert weeks[monday_before(world.at).date()] == 10  # of eleven, by six devices
    assert weeks[day.date()] is None
    assert all(packs is None for start, packs in weeks.items() if start != monday_before(world.at).date())

    scan(world.goods.labels(0)[3], 9_600, day, world.shipments["arrived"], world.goods.a, city="Guangzhou")
    weeks = {week.starts_on: week.packs for week in report.own_weeks(world.north, at=world.at, zone=ZONE)}
    assert weeks[day.date()] == 5


def place(code: str, lat: float, lon: float) -> None:
    Region.objects.filter(code=code).update(lat=lat, lon=lon)


def test_the_area_is_ones_own_and_bubbles_are_what_the_table_tells(world: World, browse: Callable[..., Client]) -> None:
    province = Region.objects.get(code="CN-GD")
    place("CN-440100", 23.1, 113.3)
    place("CN-440300", 22.5, 114.1)
    make_region("CN-440700", province, "city", "Jiangmen")
    place("CN-440700", 22.6, 113.1)
    Territory.objects.filter(partner=world.north).update(region=province)  # Shenzhen within it is the rival's
    weeks = report.surfaced(world.north, at=world.at, zone=ZONE)

    drawing = report.drawing(world.north, weeks, at=world.at)

    assert drawing
    told = sum(cell.packs for week in weeks for cell in week.cells)
    assert told == 7
    assert {dot.place.name: dot.place.packs for dot in drawing.dots} == {"Guangzhou": told, "Jiangmen": 0}
    shown = browse(world.ning).get("/portal/report").content.decode()
    assert '<circle class="seen"' in shown
    assert "Jiangmen" in shown


def test_a_place_without_a_citys_name_is_called_by_its_region(world: World) -> None:
    from redemption.models import ScanPlace

    ScanPlace.objects.update(city="", city_zh="")

    cells = [cell for week in report.surfaced(world.north, at=world.at, zone=ZONE) for cell in week.cells]

    assert {cell.place for cell in cells} == {"Guangzhou"}
