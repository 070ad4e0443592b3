"""Signs that codes are harvested: a case of which too much was redeemed, and neighbours taken by one person."""

from math import comb

import pytest
from django.db import transaction

from analytics.farms import RARE, SEQUENCE, chance_of, note_farms
from analytics.models import FarmFinding, FitRun, Inspector
from brands.models import Brand
from channel.models import Unit
from redemption.models import Redemption, Scan
from redemption.routes import derive_routes
from redemption.rules import Act, Door, Outcome
from tests.channel.goods import Goods, make_goods, send
from tests.conftest import NOW
from tests.console.found import DAY, make_run


def test_the_chance_is_the_tail_of_the_binomial() -> None:
    exact = sum(comb(24, k) * 0.2**k * 0.8 ** (24 - k) for k in range(14, 25))

    assert chance_of(14, 24) == pytest.approx(exact, rel=1e-9)
    assert chance_of(0, 24) == 1.0
    assert chance_of(14, 24) < RARE < chance_of(12, 24)
    assert chance_of(40, 24) == 0.0


def redeem(goods: Goods, labels: list[int], *, askers: list[int], hours: float = 1.0) -> None:
    """Redeem labels one after the other, without points."""
    for place, (label_no, asker) in enumerate(zip(labels, askers, strict=True)):
        at = NOW - 2 * DAY + place * hours * DAY / 24
        scan = Scan.objects.create(
            at=at, label_no=label_no, asker=asker, act=Act.REDEEM, door=Door.WEB, outcome=Outcome.REDEEMED,
            product_id=goods.batch.product_id,
        )  # fmt: skip
        Redemption.objects.create(
            label_no=label_no, scan_id=scan.pk, at=at, asker=asker, account_id=goods.a.account_id, points=0,
            product_id=goods.batch.product_id,
        )  # fmt: skip
        with transaction.atomic():
            derive_routes([(scan.pk, label_no, at)], as_of=at)


@pytest.fixture
def goods(brand: Brand) -> Goods:
    found = make_goods(6, at=NOW - 20 * DAY)
    send(found, found.a, 0, 1, 2, 3, 4, 5, at=NOW - 15 * DAY)
    return found


def signs(run: FitRun) -> list[FarmFinding]:
    note_farms(run, since=NOW - 365 * DAY, until=NOW)
    return list(FarmFinding.objects.filter(run=run).order_by("pk"))


def test_neighbours_taken_by_one_person_are_a_sign(goods: Goods) -> None:
    numbers = [label for case in range(2) for label in goods.labels(case)]
    redeem(goods, numbers[: SEQUENCE - 1], askers=[11] * (SEQUENCE - 1))
    assert [one.kind for one in signs(make_run()) if one.kind == "sequence"] == []

    redeem(goods, numbers[SEQUENCE - 1 :], askers=[11])

    [sign] = [one for one in signs(make_run()) if one.kind == "sequence"]
    assert (sign.asker, sign.first_label, sign.last_label, sign.redeemed) == (11, numbers[0], numbers[-1], 8)


def test_neighbours_taken_by_many_or_slowly_or_for_the_brand_are_none(goods: Goods) -> None:
    numbers = [label for case in range(6) for label in goods.labels(case)]
    redeem(goods, numbers[:8], askers=list(range(21, 29)))
    redeem(goods, numbers[8:16], askers=[12] * 8, hours=-48.0)
    Inspector.objects.create(asker=13, added_at=NOW, added_by="ada")
    redeem(goods, numbers[16:24], askers=[13] * 8)

    assert [one for one in signs(make_run()) if one.kind == "sequence"] == []


def test_a_case_of_which_too_much_was_redeemed_is_a_sign(goods: Goods, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("analytics.farms.RARE", 0.01)  # four of four by chance: 0.0016
    redeem(goods, goods.labels(0)[:3], askers=[31, 32, 33])
    redeem(goods, goods.labels(1), askers=[41, 42, 43, 44])

    [sign] = [one for one in signs(make_run()) if one.kind == "full_case"]

    assert sign.unit_id == Unit.objects.get(sscc=goods.cases[1]).pk
    assert (sign.redeemed, sign.labels) == (4, 4)
    assert sign.chance == pytest.approx(0.2**4)
    assert (sign.first_label, sign.last_label) == (goods.labels(1)[0], goods.labels(1)[-1])
