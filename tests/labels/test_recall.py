"""Recalls: of a lot, a product or a range; over every activation, also one made at a later time."""

from datetime import datetime

import pytest
from django.db import IntegrityError, transaction

from labels import queries, services
from labels.models import Activation, Block, Product, Recall
from labels.queries import Status
from labels.recalls import NothingToRecall, RecallOfWhat, Scope, lift_recall, recall
from labels.services import activate, cancel_activation
from tests.labels.conftest import MakeBatch


@pytest.fixture
def on_sale(make_batch: MakeBatch, product: Product, other_product: Product, at: datetime) -> None:
    """Lot A: 1–50 and 201–300; lot B: 51–100; another product, lot A: 301–400; nothing: 101–200."""
    make_batch(count=100)
    make_batch(count=100)
    make_batch(count=100)
    make_batch(count=100, of=other_product)
    activate(label_range=(1, 51), product=product, at=at, lot="A")
    activate(label_range=(51, 101), product=product, at=at, lot="B")
    cancel_activation(activate(label_range=(101, 201), product=product, at=at, lot="A"), at=at)
    activate(label_range=(201, 301), product=product, at=at, lot="A")
    activate(label_range=(301, 401), product=other_product, at=at, lot="A")


def recalled() -> list[tuple[int, int]]:
    rows = Block.objects.filter(reason="recalled", lifted_at=None).order_by("label_range")
    return [(row.label_range.lower, row.label_range.upper) for row in rows]


def test_a_lot_is_recalled_wherever_it_was_bound(on_sale: None, product: Product, at: datetime) -> None:
    scope = Scope(product=product, lot="A")
    assert scope.parts() == [(1, 51), (201, 301)]

    row = recall(scope, at=at, note="glass", asked_by="lin")

    assert (recalled(), row.labels, row.opened_by) == ([(1, 51), (201, 301)], 150, "lin")
    states = queries.states([1, 51, 101, 300, 301], at)
    found = [states[no].status for no in (1, 51, 101, 300, 301)]
    assert found == [Status.RECALLED, Status.ACTIVE, Status.NOT_ACTIVE, Status.RECALLED, Status.ACTIVE]


def test_a_product_is_recalled_with_all_its_lots(on_sale: None, product: Product, at: datetime) -> None:
    recall(Scope(product=product), at=at)

    assert recalled() == [(1, 51), (51, 101), (201, 301)]


def test_a_range_is_recalled_as_far_as_it_is_on_sale(on_sale: None, at: datetime) -> None:
    row = recall(Scope(label_range=(40, 61)), at=at)

    assert (recalled(), row.labels) == ([(40, 51), (51, 61)], 21)


def test_goods_under_recall_do_not_go_on_sale(
    on_sale: None, product: Product, other_product: Product, at: datetime
) -> None:
    of_lot = recall(Scope(product=product, lot="A"), at=at)
    with pytest.raises(services.UnderRecall):
        activate(label_range=(101, 151), product=product, at=at, lot="A")
    activate(label_range=(101, 151), product=product, at=at, lot="C")

    lift_recall(of_lot, at=at)
    activate(label_range=(151, 201), product=product, at=at, lot="A")

    recall(Scope(product=product), at=at)
    cancel_activation(Activation.objects.get(product=other_product), at=at)
    activate(label_range=(301, 401), product=other_product, at=at, lot="A")


def test_lifting_ends_all_of_its_blocks_and_no_other(on_sale: None, product: Product, at: datetime) -> None:
    services.block(label_range=(1, 11), reason="recalled", at=at)
    row = recall(Scope(product=product, lot="A"), at=at)

    lifted = lift_recall(row, at=at, asked_by="lin")

    assert (recalled(), lifted.lifted_by) == ([(1, 11)], "lin")
    assert lift_recall(row, at=at, asked_by="other").lifted_by == "lin"


def test_what_meets_nothing_or_names_nothing_is_refused(on_sale: None, product: Product, at: datetime) -> None:
    for scope in (Scope(product=product, lot="Z"), Scope(label_range=(110, 120))):
        with pytest.raises(NothingToRecall):
            recall(scope, at=at)
    for scope in (Scope(), Scope(lot="A"), Scope(product=product, label_range=(1, 5))):
        with pytest.raises(RecallOfWhat):
            recall(scope, at=at)
    with pytest.raises(services.RangeOutsideBatch):
        recall(Scope(label_range=(90, 110)), at=at)

    assert Recall.objects.count() == 0


def test_a_block_of_a_recall_says_so(on_sale: None, product: Product, at: datetime) -> None:
    row = recall(Scope(product=product), at=at)

    with pytest.raises(IntegrityError, match="a_block_of_a_recall_says_recalled"), transaction.atomic():
        row.blocks.update(reason="lost")
