from datetime import timedelta

import pytest

from brands.models import Brand
from channel import acts, recalls, taking_back
from channel.acts import BadPaper, GoodsMoved, Item, NotProposed, receive
from channel.models import Custody, Document
from channel.queries import custody_at
from labels.models import Block
from tests.channel.goods import NOW, Goods, ago, items, make_goods, paper, range_text, reasons, send
from tests.makers import serial_of


@pytest.fixture
def goods(brand: Brand) -> Goods:
    return make_goods(3)


def state_of(label: int) -> tuple[int | None, str] | None:
    held = custody_at(label, NOW)
    return held and (held.partner_id, held.state)


def test_a_whole_shipment_is_received_at_once(goods: Goods) -> None:
    sent = send(goods, goods.a, 0, 1, at=ago(days=2))

    answer = receive(paper(issuer=goods.a), [], receiver=goods.a, shipment=sent.document)

    assert (answer.status, answer.document.labels) == ("ACCEPTED", 8)
    assert state_of(goods.labels(1)[3]) == (goods.a.pk, "held")
    held = custody_at(goods.labels(1)[3], NOW)
    assert held is not None
    assert held.shipment_id == sent.document.pk


def test_short_over_and_damaged_lines(goods: Goods) -> None:
    sent = send(goods, goods.a, 0, 1, at=ago(days=2))
    first = goods.labels(0)
    lines = [
        Item(range_text(first[:2]), "full"),
        Item(serial_of(first[2]), "damaged"),
        Item(serial_of(first[3]), "short"),
        Item(goods.cases[1], "short"),
        Item(goods.cases[2], "over"),
    ]

    answer = receive(paper(issuer=goods.a), lines, receiver=goods.a, shipment=sent.document)

    assert reasons(answer) == ["ACCEPTED"] * 5
    a = goods.a.pk
    found = [state_of(label) for label in [*first[1:], goods.labels(1)[0], goods.labels(2)[0]]]
    assert found == [(a, "held"), (a, "damaged"), (None, "missing"), (None, "missing"), (a, "held")]


def test_what_was_not_sent_here_is_not_received(goods: Goods) -> None:
    send(goods, goods.b, 0, at=ago(days=2))

    answer = receive(
        paper(issuer=goods.a),
        [Item(goods.cases[0], "full"), Item(goods.cases[0], "over"), Item(goods.cases[1], "full")],
        receiver=goods.a,
    )

    assert reasons(answer) == ["held_by_other", "held_by_other", "not_shipped"]
    with pytest.raises(BadPaper):
        receive(paper(issuer=goods.a), [Item(goods.cases[0], "wet")], receiver=goods.a)


def test_what_is_missing_can_be_sent_again(goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(days=3))
    receive(paper(ago(days=2), goods.a), items(goods.cases[0], condition="short"), receiver=goods.a)

    assert reasons(send(goods, goods.b, 0, at=ago(days=1))) == ["ACCEPTED"]


def test_what_nobody_confirms_is_taken_in(goods: Goods) -> None:
    send(goods, goods.a, 0, 1, at=ago(days=8))
    send(goods, goods.a, 2, at=ago(days=2))
    receive(paper(ago(days=7), goods.a), items(goods.cases[0]), receiver=goods.a)

    [answer] = acts.receive_what_nobody_did(at=NOW, days=7)

    assert [line.item for line in answer.lines] == [goods.cases[1]]
    assert state_of(goods.labels(1)[0]) == (goods.a.pk, "held")
    assert state_of(goods.labels(2)[0]) == (goods.a.pk, "in_transit")
    assert acts.receive_what_nobody_did(at=NOW, days=7) == []


# --- transfers ----------------------------------------------------------------------------------------------------------


def test_a_transfer_moves_goods_when_all_have_agreed(goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(days=3))
    proposal = acts.propose_transfer(
        paper(ago(days=1), goods.a), items(goods.cases[0]), source=goods.a, destination=goods.b
    )
    label = goods.labels(0)[0]

    acts.agree(proposal.document, side="destination", at=NOW)
    assert state_of(label) == (goods.a.pk, "in_transit")
    done = acts.agree(proposal.document, side="brand", at=NOW)

    assert (done.state, state_of(label)) == ("done", (goods.b.pk, "held"))
    held = custody_at(label, NOW)
    assert held is not None
    assert held.since == ago(days=1)
    with pytest.raises(NotProposed):
        acts.agree(proposal.document, side="brand", at=NOW)


def test_a_transfer_is_refused_or_overtaken(goods: Goods) -> None:
    send(goods, goods.a, 0, 1, at=ago(days=3))
    one, two = (
        acts.propose_transfer(
            paper(ago(days=1), goods.a), items(goods.cases[case]), source=goods.a, destination=goods.b
        )
        for case in (0, 1)
    )
    acts.refuse(one.document, at=NOW)
    acts.give_back(paper(ago(hours=2), goods.a), items(goods.cases[1]), source=goods.a)
    acts.agree(two.document, side="destination", at=NOW)

    with pytest.raises(GoodsMoved):
        acts.agree(two.document, side="brand", at=NOW)
    with pytest.raises(NotProposed):
        acts.agree(one.document, side="brand", at=NOW)
    assert state_of(goods.labels(0)[0]) == (goods.a.pk, "in_transit")


# --- taking back --------------------------------------------------------------------------------------------------------


def test_a_cancelled_shipment_never_was(goods: Goods) -> None:
    sent = send(goods, goods.a, 0, 1, at=ago(days=2))

    answer = taking_back.cancel(paper(), sent.document)

    assert reasons(answer) == ["ACCEPTED", "ACCEPTED"]
    assert Custody.objects.count() == 0
    assert Document.objects.get(pk=sent.document.pk).state == "cancelled"
    assert reasons(send(goods, goods.b, 0, at=ago(days=2))) == ["ACCEPTED"]
    with pytest.raises(taking_back.NotToCancel):
        taking_back.cancel(paper(), sent.document)


def test_some_lines_are_cancelled_and_what_went_on_is_not(goods: Goods) -> None:
    sent = send(goods, goods.a, 0, 1, at=ago(days=2))
    receive(paper(ago(days=1), goods.a), items(goods.cases[1]), receiver=goods.a)

    with pytest.raises(taking_back.NotToCancel):
        taking_back.cancel(paper(), sent.document)
    answer = taking_back.cancel(paper(), sent.document, items(*goods.cases))

    assert reasons(answer) == ["ACCEPTED", "moved_later", "not_moved"]
    assert Document.objects.get(pk=sent.document.pk).state == "done"
    assert state_of(goods.labels(0)[0]) is None
    assert state_of(goods.labels(1)[0]) == (goods.a.pk, "held")


@pytest.mark.parametrize(
    ("days", "by", "site", "reason"),
    [(11, "ada", "dock", "typo"), (1, "sam", "dock", "typo"), (1, "ada", "gate", "typo"), (1, "ada", "dock", " ")],
)
def test_undo_has_its_conditions(goods: Goods, days: int, by: str, site: str, reason: str) -> None:
    page = paper(ago(hours=1), site="dock")
    sent = acts.ship(page, items(goods.cases[0]), source=None, destination=goods.a)

    with pytest.raises(taking_back.NotToUndo):
        taking_back.undo(sent.document, at=NOW + timedelta(days=days), by=by, site=site, reason=reason)

    assert taking_back.undo(sent.document, at=NOW + timedelta(days=10), by="ada", site="dock", reason="typo").status
    assert Custody.objects.count() == 0


# --- recall, theft, destruction -----------------------------------------------------------------------------------------


def test_a_recall_follows_what_was_packed_elsewhere_since(goods: Goods) -> None:
    from channel.packing import Filling, pack, unpack

    unpack(paper(ago(days=5)), goods.cases[0])
    moved = goods.labels(0)[0]
    pack(paper(ago(days=4)), [Filling(goods.cases[1], "case", serial_of(moved))])
    send(goods, goods.a, 1, at=ago(days=3))

    answer = recalls.recall(paper(), items(goods.cases[0]))

    blocked = Block.objects.filter(reason="recalled", lifted_at=None)
    assert blocked.filter(label_range__contains=moved).exists()
    assert not blocked.filter(label_range__contains=goods.labels(1)[0]).exists()
    taking_back.undo(answer.document, at=NOW, by="ada", site="", reason="wrong case")
    assert not blocked.exists()


def test_stolen_and_destroyed_are_for_good(goods: Goods) -> None:
    stolen = acts.steal(paper(ago(days=1)), items(goods.cases[0]))
    send(goods, goods.a, 1, at=ago(days=3))
    acts.give_back(paper(ago(days=2), goods.a), items(goods.cases[1]), source=goods.a)
    acts.inspect(paper(ago(days=1)), items(goods.cases[1]), holder=None, resale=False)

    found = Block.objects.filter(lifted_at=None).order_by("reason").values_list("reason", "label_range")
    assert [(reason, part.lower) for reason, part in found] == [
        ("destroyed", goods.labels(1)[0]),
        ("stolen", goods.labels(0)[0]),
    ]
    with pytest.raises(taking_back.NotToCancel):
        taking_back.cancel(paper(), stolen.document)
