"""Whose goods a label was is judged by the papers as of each scan, and anew when a paper comes late."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from brands.models import Brand
from channel.models import Custody, Document
from redemption.models import Scan, ScanRoute
from redemption.routes import derive_routes, reattribute, sweep_documents
from redemption.rules import Outcome
from redemption.services import redeem, verify
from tests.conftest import NOW
from tests.makers import labels_of, make_active_batch, make_attempt, make_campaign, make_check, secrets_of, serial_of
from tests.redemption.goods import distributor, document, hold, pack

DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
SHIPPED = NOW - 10 * DAY


def scan(label_no: int, at: datetime) -> int:
    verify(make_check(serial=serial_of(label_no), at=at))
    return int(Scan.objects.order_by("-id").values_list("pk", flat=True)[0])


def routed(scan_id: int) -> tuple[Any, ...] | None:
    row = ScanRoute.objects.filter(pk=scan_id).first()
    return None if row is None else (row.shipment_id, row.distributor_id, tuple(row.market))


@pytest.fixture
def case(brand: Brand) -> tuple[int, int]:
    """A case of five labels: its range."""
    make_campaign()
    numbers = labels_of(make_active_batch(5))
    pack(numbers[0], numbers[-1] + 1, SHIPPED - DAY)
    return numbers[0], numbers[-1] + 1


def test_a_redemption_and_a_check_keep_whose_goods_they_saw(brand: Brand) -> None:
    make_campaign()
    batch = make_active_batch(3)
    first, second, third = labels_of(batch)
    unit = pack(first, third + 1, SHIPPED - DAY)
    south = distributor("South")
    paper = document("shipment", "S1", source=None, to=south, at=SHIPPED)
    hold(first, third, partner=south, paper=paper, since=SHIPPED, market=("CN-GD", "CN-HI"))

    receipt = redeem(make_attempt(secrets_of(batch)[0]))
    seen = scan(second, NOW)
    unshipped = scan(third, NOW)
    early = scan(second, SHIPPED - MINUTE)

    assert receipt.outcome is Outcome.REDEEMED
    assert routed(seen) == (paper.pk, south.pk, ("CN-GD", "CN-HI"))
    assert ScanRoute.objects.get(label_no=first).unit_id == unit.pk
    assert (routed(unshipped), routed(early)) == (None, None)
    assert ScanRoute.objects.count() == 2


def test_two_shipments_of_one_case_within_a_minute(case: tuple[int, int]) -> None:
    south, west = distributor("South"), distributor("West")
    wrong = document("shipment", "S1", source=None, to=south, at=SHIPPED)
    right = document("shipment", "S2", source=None, to=west, at=SHIPPED + MINUTE / 2)
    hold(*case, partner=south, paper=wrong, since=SHIPPED, until=SHIPPED + MINUTE / 2, market=("CN-GD",))
    hold(*case, partner=west, paper=right, since=SHIPPED + MINUTE / 2, market=("CN-SC",))

    between = scan(case[0], SHIPPED + MINUTE / 4)
    at_once = scan(case[0] + 1, SHIPPED + MINUTE / 2)
    after = scan(case[0] + 1, NOW)

    assert routed(between) == (wrong.pk, south.pk, ("CN-GD",))
    assert routed(at_once) == routed(after) == (right.pk, west.pk, ("CN-SC",))


def test_a_return_and_reshipment_to_another_region(case: tuple[int, int]) -> None:
    south, west = distributor("South"), distributor("West")
    out = document("shipment", "S1", source=None, to=south, at=SHIPPED)
    back = document("return", "R1", source=south, to=None, at=SHIPPED + 3 * DAY)
    again = document("shipment", "S2", source=None, to=west, at=SHIPPED + 5 * DAY)
    hold(*case, partner=south, paper=out, since=SHIPPED, until=SHIPPED + 3 * DAY, market=("CN-GD",))
    hold(*case, partner=None, paper=back, since=SHIPPED + 3 * DAY, until=SHIPPED + 5 * DAY, state="returned")
    hold(*case, partner=west, paper=again, since=SHIPPED + 5 * DAY, market=("CN-SC",))

    seen = [scan(case[0], SHIPPED + days * DAY) for days in (1, 4, 6)]

    assert [routed(one) for one in seen] == [
        (out.pk, south.pk, ("CN-GD",)),
        None,
        (again.pk, west.pk, ("CN-SC",)),
    ]


def test_a_territory_change_counts_from_the_next_shipment(case: tuple[int, int]) -> None:
    south = distributor("South")
    first = document("shipment", "S1", source=None, to=south, at=SHIPPED)
    second = document("shipment", "S2", source=None, to=south, at=SHIPPED + 5 * DAY)
    middle = case[0] + 2
    hold(case[0], middle, partner=south, paper=first, since=SHIPPED, market=("CN-GD",))
    hold(middle, case[1], partner=south, paper=second, since=SHIPPED + 5 * DAY, market=("CN-SC",))

    old, new = scan(case[0], NOW), scan(middle, NOW)

    assert routed(old) == (first.pk, south.pk, ("CN-GD",))
    assert routed(new) == (second.pk, south.pk, ("CN-SC",))


def ship_late(case: tuple[int, int], *, since: datetime) -> Document:
    """Write down a second shipment of the case after it was scanned."""
    west = distributor("West")
    late = document("shipment", "S2", source=None, to=west, at=since)
    stood = Custody.objects.get(during__upper_inf=True)
    stood.during = DateTimeTZRange(stood.during.lower, since)
    stood.save()
    hold(*case, partner=west, paper=late, since=since, market=("CN-SC",))
    return late


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch, settings: Any) -> list[int]:
    """The scans that the floor above was told of."""
    heard: list[int] = []
    monkeypatch.setattr("tests.redemption.test_routes.hear", heard.extend)
    settings.SCAN_HANDLER = "tests.redemption.test_routes.hear"
    return heard


def hear(scan_ids: list[int]) -> None:
    raise AssertionError("replaced by the fixture")


def test_a_late_document_moves_only_the_scans_after_it(case: tuple[int, int], told: list[int]) -> None:
    south = distributor("South")
    paper = document("shipment", "S1", source=None, to=south, at=SHIPPED)
    hold(*case, partner=south, paper=paper, since=SHIPPED, market=("CN-GD",))
    before, after = scan(case[0], SHIPPED + DAY), scan(case[0] + 1, SHIPPED + 5 * DAY)
    assert told == [before, after]
    told.clear()
    late = ship_late(case, since=SHIPPED + 3 * DAY)

    changed = sweep_documents(at=NOW)

    assert changed == 1
    assert told == [after]
    assert routed(before) == (paper.pk, south.pk, ("CN-GD",))
    assert routed(after) == (late.pk, Custody.objects.get(shipment=late).partner_id, ("CN-SC",))
    assert sweep_documents(at=NOW) == 0
    assert not Document.objects.filter(swept_at=None).exists()
    assert reattribute(late.pk, at=NOW) == []


def test_a_document_that_comes_after_the_first_scan(case: tuple[int, int], told: list[int]) -> None:
    seen = scan(case[0], NOW)
    assert routed(seen) is None
    south = distributor("South")
    paper = document("shipment", "S1", source=None, to=south, at=SHIPPED)
    custody = hold(*case, partner=south, paper=paper, since=SHIPPED)

    assert reattribute(paper.pk, at=NOW) == [seen]
    assert routed(seen) == (paper.pk, south.pk, ())

    custody.delete()
    with transaction.atomic():
        assert derive_routes([(seen, case[0], NOW)], as_of=NOW) == [seen]
    assert routed(seen) is None
