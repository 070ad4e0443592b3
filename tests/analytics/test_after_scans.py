"""What follows from a scan: hours counted anew, plain copies noted at once, shipments judged again, and no redemption harmed."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from analytics import rollups, tasks
from analytics.models import CodeFinding, Inspector, RegionDay, ScanHour, Touched, TouchedShipment
from analytics.queries import tracked_products
from brands.models import Brand
from channel.models import Partner, Region
from labels.services import block
from redemption.models import Scan, ScanPlace
from redemption.routes import reattribute
from redemption.services import redeem, verify
from tests.conftest import NOW
from tests.makers import (
    labels_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_check,
    secret_of,
    secrets_of,
    serial_of,
)
from tests.redemption.goods import distributor, document, give, hold, make_land

DAY, HOUR = timedelta(days=1), timedelta(hours=1)
SHIPPED = NOW - 40 * DAY
SINCE, UNTIL = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)


@pytest.fixture
def land(brand: Brand) -> dict[str, Region]:
    return make_land()


@pytest.fixture
def sellers(land: dict[str, Region]) -> tuple[Partner, Partner]:
    """South sells in Guangdong; West in Sichuan, and from ten days ago in Guangdong's second city."""
    south, west = distributor("South"), distributor("West")
    give(south, land["CN-GD"], SHIPPED - 100 * DAY)
    give(west, land["CN-SC"], SHIPPED - 100 * DAY)
    give(west, land["CN-GD-02"], NOW - 10 * DAY)
    return south, west


@pytest.fixture
def goods(sellers: tuple[Partner, Partner]) -> list[int]:
    """Ten labels that South has; three more that nobody shipped."""
    make_campaign()
    numbers = labels_of(make_active_batch(13))
    paper = document("shipment", "S1", source=None, to=sellers[0], at=SHIPPED)
    hold(numbers[0], numbers[10], partner=sellers[0], paper=paper, since=SHIPPED, market=("CN-GD",))
    return numbers


def see(label_no: int, region: str, at: datetime, source: str = "gps") -> int:
    verify(make_check(serial=serial_of(label_no), at=at))
    scan_id = int(Scan.objects.order_by("-id").values_list("pk", flat=True)[0])
    if region:
        ScanPlace.objects.create(scan_id=scan_id, source=source, region=region, at=at)
    return scan_id


def count(grain: str = "hour") -> None:
    rollups.refresh(grain)


@pytest.mark.parametrize(
    ("hours", "runs"),
    [([], []), ([3], [(3, 4)]), ([1, 2, 3], [(1, 4)]), ([1, 3, 4, 9], [(1, 2), (3, 5), (9, 10)])],
)
def test_hours_that_follow_each_other_are_counted_at_once(hours: list[int], runs: list[tuple[int, int]]) -> None:
    found = rollups._runs([NOW + hour * HOUR for hour in hours], HOUR)

    assert list(found) == [(NOW + since * HOUR, NOW + until * HOUR) for since, until in runs]


def test_rollups_say_what_the_scans_say(goods: list[int], sellers: tuple[Partner, Partner]) -> None:
    south, west = sellers
    ids = [
        see(goods[0], "CN-GD-01", NOW),
        see(goods[1], "CN-SC-01", NOW),
        see(goods[2], "CN-GD-02", NOW - 20 * DAY),
        see(goods[2], "CN-GD-02", NOW),
        see(goods[3], "", NOW - DAY),
        see(goods[11], "CN-SC-02", NOW, "ip"),
    ]
    rollups.touch_scans(ids)

    count()
    count("day")

    told = {(row.month.month, row.distributor_id, row.owner_id): (row.scans, row.placed) for row in
            rollups.report(since=SINCE, until=UNTIL)}  # fmt: skip
    assert told == {
        (11, south.pk, south.pk): (2, 2),  # one in the second city, while it was still South's
        (11, south.pk, west.pk): (2, 2),
        (11, south.pk, 0): (1, 0),
    }
    assert rollups.report(since=SINCE, until=UNTIL) == rollups.report_from_scans(since=SINCE, until=UNTIL)
    assert sum(ScanHour.objects.values_list("scans", flat=True)) == len(ids)
    assert sum(ScanHour.objects.values_list("first_scans", flat=True)) == len(ids) - 1
    assert {
        (row.region, row.distributor_id, row.source): row.scans for row in RegionDay.objects.filter(day=NOW.date())
    } == {
        ("CN-GD-01", south.pk, "gps"): 1,
        ("CN-SC-01", south.pk, "gps"): 1,
        ("CN-GD-02", south.pk, "gps"): 1,
        ("CN-SC-02", 0, "ip"): 1,
    }
    assert not Touched.objects.exists()


def test_a_report_has_a_row_for_each_month_and_keeps_to_its_hours(
    goods: list[int], sellers: tuple[Partner, Partner]
) -> None:
    since, until = NOW.replace(month=10, day=14, hour=5, minute=0), NOW.replace(day=3, hour=7, minute=0)
    borders = [since - HOUR, since, NOW.replace(day=1, hour=0) - HOUR, NOW.replace(day=1, hour=0), until - HOUR, until]
    rollups.touch_scans([see(goods[n], "CN-GD-01", at) for n, at in enumerate(borders)])
    count()

    found = rollups.report(since=since, until=until)

    assert [(row.month, row.scans) for row in found] == [
        (since.replace(day=1, hour=0), 2),
        (until.replace(day=1, hour=0), 2),
    ]
    assert found == rollups.report_from_scans(since=since, until=until)


def test_a_late_document_moves_what_was_counted(goods: list[int], sellers: tuple[Partner, Partner]) -> None:
    _south, west = sellers
    seen = see(goods[11], "CN-SC-01", NOW)
    rollups.touch_scans([seen])
    count()
    assert rollups.report(since=SINCE, until=UNTIL) == []
    paper = document("shipment", "S2", source=None, to=west, at=NOW - DAY)
    hold(goods[10], goods[12], partner=west, paper=paper, since=NOW - DAY)

    tasks.note(reattribute(paper.pk, at=NOW))
    count()

    [row] = rollups.report(since=SINCE, until=UNTIL)
    assert (row.distributor_id, row.owner_id, row.scans) == (west.pk, west.pk, 1)
    assert ScanHour.objects.count() == 1
    assert list(TouchedShipment.objects.values_list("shipment_id", flat=True)) == [paper.pk]
    assert tasks.rescore_some() == 1
    assert not TouchedShipment.objects.exists()


def test_a_touch_while_counting_is_not_lost(goods: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    first, second = see(goods[0], "CN-GD-01", NOW), see(goods[1], "CN-GD-01", NOW)
    rollups.touch_scans([first])
    counted = rollups.count

    def and_meanwhile(grain: str, starts: Any) -> None:
        counted(grain, starts)
        monkeypatch.setattr(rollups, "count", counted)
        rollups.touch_scans([second])

    monkeypatch.setattr(rollups, "count", and_meanwhile)

    assert rollups.refresh("hour", limit=1) == 1
    assert Touched.objects.filter(grain="hour").count() == 1
    rollups.refresh("hour")
    assert sum(ScanHour.objects.values_list("scans", flat=True)) == 2


def kinds() -> dict[int, str]:
    return dict(CodeFinding.objects.filter(run=None).values_list("label_no", "kind"))


def test_plain_copies_are_noted_at_the_first_scan(goods: list[int]) -> None:
    honest = see(goods[0], "", NOW)
    missed = see(goods[11], "", NOW)
    early = see(goods[1], "", SHIPPED - DAY)
    block(label_range=(goods[2], goods[2] + 1), reason="destroyed", at=NOW - DAY, asked_by="maker")
    void = see(goods[2], "", NOW)

    tasks.note([honest, missed, early, void])
    tasks.note([honest, missed, early, void])

    assert kinds() == {goods[11]: "never_shipped", goods[1]: "early", goods[2]: "void"}
    assert CodeFinding.objects.count() == 3


def test_who_scans_for_the_brand_meets_no_copies(goods: list[int]) -> None:
    redeem(make_attempt(secret_of(goods[11])))
    scan = Scan.objects.order_by("-id")[0]
    Inspector.objects.create(asker=scan.asker, added_at=NOW, added_by="maker")

    tasks.note([scan.pk])

    assert kinds() == {}


def test_without_papers_no_label_is_missed(brand: Brand) -> None:
    make_campaign()
    batch = make_active_batch(1)
    redeem(make_attempt(secrets_of(batch)[0]))

    tasks.note(list(Scan.objects.values_list("pk", flat=True)))

    assert tracked_products() == []
    assert kinds() == {}


def test_a_broker_that_is_away_harms_no_redemption(
    brand: Brand, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SCAN_HANDLER = "analytics.tasks.after_scans"
    sent = []

    def refuse(*_args: Any, **_options: Any) -> None:
        sent.append(1)
        raise ConnectionError

    monkeypatch.setattr(tasks.look_at, "apply_async", refuse)
    monkeypatch.setattr(tasks, "_quiet_until", 0.0)
    make_campaign()
    batch = make_active_batch(2)

    receipts = [redeem(make_attempt(code)) for code in secrets_of(batch)]

    assert [receipt.points for receipt in receipts] == [100, 100]
    assert len(sent) == 1, "after a refusal the broker is left alone for a while"


def test_by_night_everything_is_looked_at_once_more(goods: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "now", lambda: NOW + timedelta(minutes=1))
    see(goods[0], "CN-GD-01", NOW)
    see(goods[11], "CN-GD-01", NOW)

    tasks.nightly()
    tasks.nightly()

    assert kinds() == {goods[11]: "never_shipped"}
    assert Touched.objects.filter(grain="hour").count() == 1
