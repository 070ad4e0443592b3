from dataclasses import replace
from datetime import timedelta

import pytest

from brands.models import Brand
from channel import acts
from channel.acts import BadPaper, Item, NumberUsed, PartnerNotActive, ship
from channel.models import Custody, Movement, Partner, UnitParent
from channel.packing import Filling, pack
from channel.queries import custodies_at, custody_at, touched
from tests.channel.goods import NOW, Goods, ago, items, make_custody_anew, make_goods, new_sscc, paper, reasons, send
from tests.makers import serial_of


@pytest.fixture
def goods(brand: Brand) -> Goods:
    return make_goods()


def test_a_case_takes_its_labels_along(goods: Goods) -> None:
    answer = send(goods, goods.a, 0, at=ago(days=2))

    assert (answer.status, answer.document.labels, reasons(answer)) == ("ACCEPTED", 4, ["ACCEPTED"])
    first = goods.labels(0)[0]
    found = custody_at(first, NOW)
    assert found is not None
    assert (found.partner_id, found.state, found.shipment_id) == (goods.a.pk, "in_transit", answer.document.pk)
    assert custody_at(first, ago(days=3)) is None
    assert custody_at(goods.labels(1)[0], NOW) is None


def test_two_shipments_of_one_case_within_a_minute(goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(seconds=50))

    second = send(goods, goods.b, 0, at=ago(seconds=10))

    assert (second.status, reasons(second)) == ("REJECTED", ["held_by_other"])
    assert second.lines[0].held_by == goods.a.pk
    held = custody_at(goods.labels(0)[0], NOW)
    assert held is not None
    assert held.partner_id == goods.a.pk


def test_return_and_shipment_to_another_within_a_minute(goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(seconds=50))
    acts.give_back(paper(ago(seconds=40), goods.a), items(goods.cases[0]), source=goods.a)
    early = send(goods, goods.b, 0, at=ago(seconds=30))
    acts.inspect(paper(ago(seconds=20)), items(goods.cases[0]), holder=None, resale=True)

    assert reasons(early) == ["not_inspected"]
    assert reasons(send(goods, goods.b, 0, at=ago(seconds=10))) == ["ACCEPTED"]
    label = goods.labels(0)[0]
    moments = [ago(seconds=s) for s in (60, 45, 35, 15, 5)]
    found = [held and (held.partner_id, held.state) for held in custodies_at([label] * 5, moments)]
    a, b = goods.a.pk, goods.b.pk
    assert found == [None, (a, "in_transit"), (None, "returned"), (None, "released"), (b, "in_transit")]


def test_a_late_document_counts_from_its_own_moment(goods: Goods) -> None:
    answer = send(goods, goods.a, 0, at=ago(days=5))

    [mark] = touched(answer.document.pk)
    assert (mark.first, mark.end, mark.since) == (goods.labels(0)[0], goods.labels(0)[-1] + 1, ago(days=5))
    held = custody_at(goods.labels(0)[0], ago(days=4))
    assert held is not None
    assert held.shipped_at == ago(days=5)


def test_a_late_document_that_contradicts_a_later_one_is_refused(goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(days=2))

    assert reasons(send(goods, goods.b, 0, at=ago(days=5))) == ["moved_later"]
    assert reasons(send(goods, goods.b, 1, at=ago(days=5))) == ["ACCEPTED"]


def test_a_return_that_contradicts_a_later_shipment_is_refused(goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(days=5))
    send(goods, goods.shop, 0, at=ago(days=1), source=goods.a)

    back = acts.give_back(paper(ago(days=3), goods.a), items(goods.cases[0]), source=goods.a)

    assert reasons(back) == ["moved_later"]


def test_the_same_again_gets_the_same_answer(goods: Goods) -> None:
    page = paper(ago(hours=1))
    lines = items(goods.cases[0], "nonsense")
    first = ship(page, lines, source=None, destination=goods.a)

    again = ship(page, lines, source=None, destination=goods.a)

    assert again.lines == first.lines
    assert (again.document, again.payload_hash) == (first.document, first.payload_hash)
    assert first.status == "PARTIALLY_ACCEPTED"
    assert Movement.objects.count() == 1
    later = replace(page, at=NOW + timedelta(hours=1))
    assert ship(later, lines, source=None, destination=goods.a).lines == first.lines
    with pytest.raises(NumberUsed):
        ship(page, lines[:1], source=None, destination=goods.a)
    with pytest.raises(NumberUsed):
        ship(page, lines, source=None, destination=goods.b)


def test_lines_are_answered_one_by_one(goods: Goods) -> None:
    label = goods.labels(1)[1]
    texts = [
        goods.cases[0],
        f"HTTPS://BRAND.EXAMPLE/00/{goods.cases[0]}",
        f"(00){goods.cases[0]}",
        serial_of(label),
        "123456789012345678",
        new_sscc(),
        f"{serial_of(label + 1)}..{serial_of(label)}",
    ]

    answer = ship(paper(), items(*texts), source=None, destination=goods.a)

    expected = ["ACCEPTED", "DUPLICATE", "DUPLICATE", "ACCEPTED", "not_a_code", "unknown", "bad_range"]
    assert reasons(answer) == expected
    assert (answer.document.accepted, answer.document.duplicate, answer.document.rejected) == (2, 2, 3)


def test_a_case_leaves_its_pallet(goods: Goods) -> None:
    pallet = new_sscc()
    fillings = [Filling(pallet, "pallet", case) for case in goods.cases]
    pack(paper(ago(days=9)), fillings)
    send(goods, goods.a, 0, at=ago(days=1))

    rest = ship(paper(), items(pallet), source=None, destination=goods.b)

    assert (rest.status, rest.document.labels) == ("ACCEPTED", 4)
    assert UnitParent.objects.filter(closed_at=None).count() == 1
    held = custody_at(goods.labels(1)[0], NOW)
    assert held is not None
    assert held.partner_id == goods.b.pk


def test_what_is_blocked_or_unknown_to_the_sender_does_not_go(goods: Goods) -> None:
    acts.steal(paper(ago(days=1)), items(goods.cases[0]))

    assert reasons(send(goods, goods.a, 0)) == ["blocked"]
    assert reasons(send(goods, goods.b, 1, source=goods.a)) == ["held_by_other"]


def test_goods_go_to_active_partners_only(goods: Goods) -> None:
    Partner.objects.filter(pk=goods.a.pk).update(state="paused")
    goods.a.refresh_from_db()

    with pytest.raises(PartnerNotActive):
        send(goods, goods.a, 0)


def test_a_look_writes_nothing(goods: Goods) -> None:
    send(goods, goods.a, 0)

    found = acts.look([Item(case) for case in goods.cases], act="ship", partner=goods.a, other=goods.shop, at=NOW)

    assert [line.reason or line.outcome for line in found] == ["ACCEPTED", "held_by_other"]
    assert Movement.objects.count() == 1


def test_custody_made_anew_is_what_it_was(goods: Goods) -> None:
    send(goods, goods.a, 0, 1, at=ago(days=3))
    acts.give_back(paper(ago(days=2), goods.a), items(serial_of(goods.labels(0)[1])), source=goods.a)
    before = set(Custody.objects.values_list("label_range", "during", "partner", "state", "shipment"))
    assert len(before) > 2

    make_custody_anew()

    assert set(Custody.objects.values_list("label_range", "during", "partner", "state", "shipment")) == before


def test_a_fast_clock_does_no_harm_but_the_future_is_refused(goods: Goods) -> None:
    page = paper(NOW + timedelta(minutes=3))
    first = ship(page, items(goods.cases[0]), source=None, destination=goods.a)

    again = ship(replace(page, at=NOW + timedelta(hours=1)), items(goods.cases[0]), source=None, destination=goods.a)

    assert first.document.happened_at == NOW
    assert again.document == first.document
    with pytest.raises(BadPaper):
        send(goods, goods.a, 1, at=NOW + timedelta(minutes=6))
