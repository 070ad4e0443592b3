"""Rolls: cut at generation, handed over, received with counts that add up, and only then put on sale."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.db import IntegrityError, transaction

from brands.models import Brand
from labels import queries, rolls, services
from labels.models import Batch, Block, HandoverHold, Product, Roll, Slot
from labels.queries import Status, serials_of
from labels.services import activate, activate_ranges
from tests.labels.conftest import MakeBatch, day

STRIPS = 12


@pytest.fixture
def batch(make_batch: MakeBatch) -> Batch:
    """250 labels in rolls of 100: labels 1 to 250, and 144 labels for set-up strips behind them."""
    return make_batch(count=250, roll_labels=100)


def roll(batch: Batch, number: int = 1) -> Roll:
    return batch.rolls.get(number=number)


def hand_over(of: Roll, at: datetime, set_up: int = STRIPS) -> Roll:
    with transaction.atomic():
        return rolls.hand_over(of.pk, set_up=set_up, at=at)


def received(of: Roll, at: datetime, **values: Any) -> Roll:
    values.setdefault("good", of.count)
    return rolls.receive(hand_over(of, at).pk, at=at, asked_by="wei", **values)


@pytest.fixture
def demanding(brand: Brand) -> Any:
    """The brand lets received rolls only go on sale."""
    brand.activation_requires = Brand.ActivationRequires.RECEIVED
    yield brand
    brand.activation_requires = Brand.ActivationRequires.GENERATED


# --- cutting -------------------------------------------------------------------------------------------------------


def test_generation_cuts_the_batch_into_rolls_and_voids_its_strips(batch: Batch, at: datetime) -> None:
    cut = [(one.number, one.first, one.last, one.state) for one in batch.rolls.order_by("number")]
    assert cut == [(1, 1, 100, "ready"), (2, 101, 200, "ready"), (3, 201, 250, "ready")]

    first, end = batch.goods
    assert (end - first, batch.count) == (250, 250)
    assert (batch.canary_range.lower, batch.canary_range.upper) == (end, end + 3 * 4 * STRIPS)
    states = queries.states([end - 1, end, end + 143], at)
    assert [states[no].status for no in (end - 1, end, end + 143)] == [Status.NOT_ACTIVE, Status.VOID, Status.VOID]


def test_a_batch_that_no_press_prints_has_no_rolls(make_batch: MakeBatch) -> None:
    batch = make_batch(count=100)

    assert (batch.rolls.count(), batch.canary_range, batch.label_range.upper - batch.label_range.lower) == (
        0,
        None,
        100,
    )


def test_strips_never_go_on_sale(batch: Batch, product: Product, at: datetime) -> None:
    first, end = batch.goods

    with pytest.raises(services.RangeOutsideBatch, match="set-up strips"):
        activate(label_range=(first, end + 1), product=product, at=at)

    activate(label_range=(first, end), product=product, at=at)


@pytest.mark.parametrize("size", [0, -1, 100_001])
def test_a_roll_of_no_size_is_refused(make_batch: MakeBatch, size: int) -> None:
    with pytest.raises(services.BadRoll):
        make_batch(count=250, roll_labels=size)

    assert make_batch(count=250, roll_labels=100_000).rolls.count() == 1


# --- handing over --------------------------------------------------------------------------------------------------


def test_the_first_handover_moves_the_batch_and_starts_its_180_days(
    demanding: Brand, make_batch: MakeBatch, at: datetime
) -> None:
    batch = make_batch(count=250, roll_labels=100)
    assert batch.activate_by is None
    later = at + timedelta(days=3)

    done = hand_over(roll(batch), later)
    hand_over(roll(batch, 2), later + timedelta(days=9))

    batch.refresh_from_db()
    assert (done.state, done.set_up, done.lines) == ("handed_over", 12, 112)
    assert (batch.state, batch.activate_by) == ("handed_over", day("2027-05-24"))


def test_nothing_is_handed_over_while_a_hold_is_open(batch: Batch, at: datetime) -> None:
    with transaction.atomic():
        rolls.open_hold(batch, "prize plan", at=at)
        rolls.open_hold(batch, "prize plan", at=at)
    with pytest.raises(rolls.OnHold, match="prize plan"):
        hand_over(roll(batch), at)

    with transaction.atomic():
        rolls.lift_hold(batch, "prize plan", at=at)
    hand_over(roll(batch), at)

    assert HandoverHold.objects.count() == 1
    with pytest.raises(rolls.RollNotReady), transaction.atomic():
        rolls.open_hold(batch, "too late", at=at)


def test_a_batch_on_sale_stays_so_when_a_roll_is_handed_over(batch: Batch, product: Product, at: datetime) -> None:
    activate(label_range=(1, 101), product=product, at=at)

    received(roll(batch, 2), at)

    batch.refresh_from_db()
    assert batch.state == Batch.State.ACTIVE


# --- receiving -----------------------------------------------------------------------------------------------------


def test_what_comes_back_adds_up_and_what_does_not_come_is_void(batch: Batch, at: datetime) -> None:
    got = received(
        roll(batch),
        at,
        good=93,
        spoiled=[(7, 8), (9, 9)],
        missing=[(100, 103)],
        document="DN 7",
        samples=serials_of([50]),
    )

    assert (got.state, got.good, got.spoiled, got.unaccounted, got.sampled) == ("received", 93, 3, 4, 1)
    assert got.good + got.spoiled + got.unaccounted + got.set_up == got.lines
    assert (got.received_by, got.document, got.batch.state) == ("wei", "DN 7", "received")
    # line 7 of the file is the first label: six set-up strips come before it
    voided = Block.objects.exclude(reason="canary").order_by("label_range")
    assert [(row.reason, row.first, row.last) for row in voided] == [("spoiled", 1, 3), ("unaccounted", 94, 97)]
    assert queries.states([1], at)[1].status is Status.VOID


@pytest.mark.parametrize("good", [99, 98, 96, 0])
def test_counts_that_do_not_add_up_are_refused(batch: Batch, at: datetime, good: int) -> None:
    with pytest.raises(rolls.CountsDoNotAgree) as refused:
        received(roll(batch), at, good=good, spoiled=[(7, 9)])
    assert refused.value.extra == {"good": 97}
    assert Block.objects.exclude(reason="canary").count() == 0

    rolls.receive(roll(batch).pk, good=97, spoiled=[(7, 9)], at=at)


@pytest.mark.parametrize("lines", [[(6, 7)], [(106, 107)], [(9, 8)], [(0, 0)], [(7, 9), (9, 12)]])
def test_lines_that_are_no_labels_or_named_twice_are_refused(batch: Batch, at: datetime, lines: rolls.Lines) -> None:
    with pytest.raises(rolls.BadLines):
        received(roll(batch), at, good=97, spoiled=lines)

    received(roll(batch), at, good=98, spoiled=[(7, 7), (106, 106)])


def test_a_line_cannot_be_both_spoiled_and_missing(batch: Batch, at: datetime) -> None:
    with pytest.raises(rolls.BadLines):
        received(roll(batch), at, good=98, spoiled=[(20, 20)], missing=[(20, 20)])


def test_a_sample_from_another_roll_or_a_spoiled_label_is_refused(batch: Batch, at: datetime) -> None:
    of_other, of_spoiled, of_good = serials_of([101, 1, 2])
    for samples in ([of_other], [of_spoiled], [of_good, of_good], ["5JQ2D4Y8562N"]):
        with pytest.raises(rolls.NotOfThisRoll):
            received(roll(batch), at, good=99, spoiled=[(7, 7)], samples=samples)

    received(roll(batch), at, good=99, spoiled=[(7, 7)], samples=[of_good])


def test_a_roll_is_received_once_and_only_after_its_handover(batch: Batch, at: datetime) -> None:
    with pytest.raises(rolls.RollNotReady):
        rolls.receive(roll(batch).pk, good=100, at=at)
    received(roll(batch), at)

    with pytest.raises(rolls.RollNotReady):
        rolls.receive(roll(batch).pk, good=100, at=at)
    with pytest.raises(rolls.RollNotReady):
        hand_over(roll(batch), at)


# --- on sale -------------------------------------------------------------------------------------------------------


def test_only_received_rolls_go_on_sale(
    demanding: Brand, make_batch: MakeBatch, product: Product, at: datetime
) -> None:
    batch = make_batch(count=250, roll_labels=100)
    received(roll(batch), at)
    hand_over(roll(batch, 2), at)
    for label_range in ((50, 102), (101, 102)):
        with pytest.raises(services.NotReady) as refused:
            activate(label_range=label_range, product=product, at=at)
        assert refused.value.extra == {"state": "not_received"}

    activate(label_range=(1, 101), product=product, at=at)
    rolls.receive(roll(batch, 2).pk, good=100, at=at)
    activate(label_range=(101, 201), product=product, at=at)


def test_neighbouring_ranges_become_one_and_all_or_none_go(batch: Batch, product: Product, at: datetime) -> None:
    made = activate_ranges(label_ranges=[(41, 61), (1, 21), (21, 41)], product=product, at=at, lot="L1")
    assert [(one.first, one.last) for one in made] == [(1, 60)]

    with pytest.raises(services.AlreadyActive):
        activate_ranges(label_ranges=[(100, 120), (60, 70)], product=product, at=at)
    assert queries.active_labels([batch.pk]) == {batch.pk: 60}


# --- the database's own word ---------------------------------------------------------------------------------------


OUT = {"state": "handed_over", "lines": 100, "handed_over_at": "now"}


@pytest.mark.parametrize(
    ("model", "values", "constraint"),
    [
        (Roll, {"label_range": "[50,150)"}, "rolls_never_share_a_label"),
        (Roll, OUT | {"lines": 99}, "lines_are_labels_and_set_up_strips"),
        (Roll, OUT | {"state": "received", "good": 99, "spoiled": 0, "unaccounted": 0, "received_at": "now"},
         "what_is_received_adds_up_to_the_lines"),
        (Roll, OUT | {"state": "received"}, "what_is_received_adds_up_to_the_lines"),
        (Roll, OUT | {"handed_over_at": None}, "a_roll_handed_over_says_when"),
        (Roll, OUT | {"good": 99}, "only_a_roll_received_has_counts"),
        (Roll, {"number": 0}, "a_roll_number_counts_from_1"),
        (Batch, {"state": "draft"}, "batch_is_a_draft_until_generated"),
        (Batch, {"generated_at": None}, "batch_is_a_draft_until_generated"),
        (Batch, {"gtin_printed": "950110153000"}, "batch_gtin_has_14_digits"),
        (Product, {"gtin": "09501101530004"}, "product_gtin_has_its_check_digit"),
        (Product, {"gtin": "0950110153000X"}, "product_gtin_has_14_digits"),
        (Slot, {"number": 10}, "slot_number_fits_its_symbols"),
        (Slot, {"state": "lost"}, "slot_state_is_known"),
        (Brand, {"labels_max_odds": 2e-4}, "guess_odds_stay_below_the_law"),
        (Brand, {"activation_limit": 0}, "activation_limit_is_above_zero"),
        (Brand, {"activation_requires": "nothing"}, "activation_requires_something_known"),
        (Batch, {"canary_range": "[252,395)"}, "batch_count_is_its_range"),
        (Batch, {"canary_range": "[250,394)"}, "set_up_strips_are_the_end_of_the_batch"),
        (Batch, {"canary_range": "[252,396)"}, "set_up_strips_are_the_end_of_the_batch"),
        (Batch, {"canary_range": "[200,344)"}, "set_up_strips_are_the_end_of_the_batch"),
        (Batch, {"roll_labels": None}, "set_up_strips_are_the_end_of_the_batch"),
    ],
)  # fmt: skip
def test_the_database_refuses_what_cannot_be(
    brand: Brand, batch: Batch, model: Any, values: dict[str, Any], constraint: str, at: datetime
) -> None:
    values = {name: at if value == "now" else value for name, value in values.items()}
    rows = {Roll: roll(batch, 2), Batch: batch, Product: batch.product, Slot: batch.secret_slot, Brand: brand}
    one = rows[model]

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():
        model.objects.filter(pk=one.pk).update(**values)
