"""Activation and blocks by range."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from labels import services
from labels.models import Activation, Batch, Block, Product
from labels.queries import RangeFacts, range_facts
from labels.services import activate, block, cancel_activation, lift
from staff.models import Audit
from tests.labels.conftest import MakeBatch, day


def test_the_first_activation_makes_the_batch_active(make_batch: MakeBatch, product: Product, at: datetime) -> None:
    batch = make_batch(count=100)

    activation = activate(
        label_range=(1, 51), product=product, at=at, lot="L1", expires_on=day("2027-01-01"), asked_by="lin"
    )

    assert (activation.label_range.lower, activation.label_range.upper, activation.batch_id) == (1, 51, batch.pk)
    batch.refresh_from_db()
    assert batch.state == "active"
    activate(label_range=(51, 101), product=product, at=at, lot="L2")
    assert Activation.objects.count() == 2


@pytest.mark.parametrize("label_range", [(50, 60), (1, 51), (30, 80), (50, 51)])
def test_no_label_is_activated_twice(
    make_batch: MakeBatch, product: Product, at: datetime, label_range: tuple[int, int]
) -> None:
    make_batch(count=100)
    first = activate(label_range=(40, 61), product=product, at=at)

    with pytest.raises(services.AlreadyActive):
        activate(label_range=label_range, product=product, at=at)

    cancel_activation(first, at=at, asked_by="lin")
    activate(label_range=label_range, product=product, at=at)


@pytest.mark.parametrize("label_range", [(0, 5), (1, 102), (102, 103), (5, 5), (6, 5), (-3, 2), (1, 10**15), (90, 110)])
@pytest.mark.parametrize("act", ["activate", "block"])
def test_a_range_lies_inside_one_batch(
    make_batch: MakeBatch, product: Product, at: datetime, label_range: tuple[int, int], act: str
) -> None:
    make_batch(count=100)
    make_batch(count=1, test_series=True)

    acts: dict[str, Callable[[], object]] = {
        "activate": lambda: activate(label_range=label_range, product=product, at=at),
        "block": lambda: block(label_range=label_range, reason="lost", at=at),
    }

    with pytest.raises(services.RangeOutsideBatch):
        acts[act]()


def test_two_batches_are_two_ranges(make_batch: MakeBatch, product: Product, at: datetime) -> None:
    make_batch(count=100)
    make_batch(count=100)

    with pytest.raises(services.RangeOutsideBatch):
        activate(label_range=(90, 110), product=product, at=at)

    activate(label_range=(90, 101), product=product, at=at)
    activate(label_range=(101, 110), product=product, at=at)


def test_a_product_of_another_gtin_is_refused(make_batch: MakeBatch, other_product: Product, at: datetime) -> None:
    make_batch(count=100)

    with pytest.raises(services.WrongGtin):
        activate(label_range=(1, 101), product=other_product, at=at)


@pytest.mark.parametrize("state", ["draft", "closed", "void"])
def test_a_batch_not_ready_is_refused(make_batch: MakeBatch, product: Product, at: datetime, state: str) -> None:
    batch = make_batch(count=100)
    Batch.objects.update(state=state, generated_at=None if state == "draft" else at)
    with pytest.raises(services.NotReady) as refused:
        activate(label_range=(1, 101), product=product, at=at)
    assert refused.value.extra == {"state": state}

    Batch.objects.filter(pk=batch.pk).update(state="generated", generated_at=at)
    activate(label_range=(1, 101), product=product, at=at)


def test_lapsed_labels_are_not_activated(make_batch: MakeBatch, product: Product, at: datetime) -> None:
    make_batch(count=100)
    last_day = at + timedelta(days=180)
    activate(label_range=(1, 50), product=product, at=last_day)

    with pytest.raises(services.NotReady, match="lapsed"):
        activate(label_range=(50, 101), product=product, at=last_day + timedelta(days=1))


def test_cancelling_twice_keeps_the_first_time(make_batch: MakeBatch, product: Product, at: datetime) -> None:
    make_batch(count=100)
    activation = activate(label_range=(1, 50), product=product, at=at)
    cancel_activation(activation, at=at, asked_by="lin")

    again = cancel_activation(activation, at=at + timedelta(days=1), asked_by="wu")

    assert (again.cancelled_at, again.cancelled_by) == (at, "lin")


def test_blocks_overlap_and_the_reversible_ones_are_lifted(make_batch: MakeBatch, at: datetime) -> None:
    make_batch(count=100)
    lost = block(label_range=(1, 51), reason="lost", at=at, note="cartons 3 and 4", asked_by="lin")
    block(label_range=(20, 101), reason="withdrawn", at=at)

    lifted = lift(lost, at=at, asked_by="wu")

    assert (lifted.lifted_at, lifted.lifted_by, lifted.note) == (at, "wu", "cartons 3 and 4")
    assert lift(lost, at=at + timedelta(days=1)).lifted_at == at


@pytest.mark.parametrize("reason", Block.Reason.values)
def test_final_blocks_stay(make_batch: MakeBatch, at: datetime, reason: str) -> None:
    make_batch(count=100)
    opened = block(label_range=(1, 51), reason=reason, at=at)

    if reason in Block.FINAL:
        with pytest.raises(services.BlockIsFinal):
            lift(opened, at=at)
        with pytest.raises(IntegrityError, match="a_final_block_is_never_lifted"), transaction.atomic():
            Block.objects.update(lifted_at=at)
    else:
        assert lift(opened, at=at).lifted_at == at


def test_an_unknown_reason_is_refused(make_batch: MakeBatch, at: datetime) -> None:
    make_batch(count=100)

    with pytest.raises(services.NoSuchReason):
        block(label_range=(1, 51), reason="because", at=at)


def test_a_recall_spares_nobody(make_batch: MakeBatch, at: datetime) -> None:
    make_batch(count=100)

    assert block(label_range=(1, 51), reason="recalled", at=at, spares_redeemed=True).spares_redeemed is False

    with pytest.raises(IntegrityError, match="a_recall_spares_no_label"), transaction.atomic():
        Block.objects.update(spares_redeemed=True)


def test_counts_before_the_act(make_batch: MakeBatch, product: Product, at: datetime) -> None:
    make_batch(count=100)
    activate(label_range=(1, 61), product=product, at=at)
    cancel_activation(activate(label_range=(61, 71), product=product, at=at), at=at)
    block(label_range=(1, 11), reason="spoiled", at=at)
    block(label_range=(6, 16), reason="sample", at=at)
    block(label_range=(11, 21), reason="lost", at=at)
    lift(block(label_range=(1, 101), reason="lost", at=at), at=at)
    block(label_range=(91, 101), reason="recalled", at=at)

    assert range_facts(1, 201) == RangeFacts(labels=200, issued=100, active=60, void=15, blocked=10, recalled=10)
    assert range_facts(10, 12) == RangeFacts(labels=2, issued=2, active=2, void=2, blocked=1, recalled=0)


def test_every_change_is_in_the_audit_trail(make_batch: MakeBatch, product: Product, at: datetime) -> None:
    batch = make_batch(count=100)
    activate(label_range=(1, 61), product=product, at=at)
    block(label_range=(1, 11), reason="spoiled", at=at)

    acts = list(Audit.objects.filter(table_name__startswith="labels_").values_list("table_name", "act"))

    for wanted in ("labels_product", "labels_batch", "labels_activation", "labels_block", "labels_slot"):
        assert (wanted, "insert") in acts
    states = Audit.objects.filter(table_name="labels_batch", row_id=str(batch.pk)).order_by("id")
    assert [row.after["state"] for row in states] == ["draft", "generated", "active"]
