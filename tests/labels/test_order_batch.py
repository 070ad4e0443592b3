"""Ordering: once per key, in a slot with room, within the odds."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from itertools import pairwise

import pytest
from django.db import IntegrityError, connection, transaction

from brands.models import Brand, SlotLease
from common.models import Job
from labels import services
from labels.models import Batch, LabelCounter, Product, Slot
from labels.queries import live_labels
from labels.services import activate, block, order_batch
from tests.labels.conftest import MakeBatch, bounds, day


def order(product: Product, at: datetime, key: str = "k1", count: int = 1000, **fields: object) -> Batch:
    return order_batch(order_key=key, product=product, count=count, at=at, **fields)  # type: ignore[arg-type]


def test_an_order_takes_numbers_slots_and_leaves_a_job(product: Product, at: datetime) -> None:
    batch = order(product, at, asked_by="lin")

    assert bounds(batch) == (1, 1001)
    assert (batch.number, batch.state, batch.gtin_printed) == ("2611-A", "draft", product.gtin)
    assert str(batch.secret_slot) == "N16/1"
    assert (batch.serial_slot.form, batch.serial_slot.purpose) == ("B12", "serial")
    assert batch.job is not None
    assert (batch.job.state, batch.job.total, batch.job.asked_by) == ("waiting", 1000, "lin")
    assert LabelCounter.objects.get().next == 1001


def test_the_same_order_again_is_the_same_batch(product: Product, at: datetime) -> None:
    batch = order(product, at)

    again = order(product, at + timedelta(days=1))

    assert again.pk == batch.pk
    assert Batch.objects.count() == Job.objects.count() == 1


@pytest.mark.parametrize("change", [{"count": 999}, {"secret_form": "N20"}, {"test_series": True}])
def test_another_order_under_the_same_key_is_refused(product: Product, at: datetime, change: dict[str, object]) -> None:
    order(product, at)

    with pytest.raises(services.OrderKeyReused):
        order(product, at, **change)


def test_ranges_follow_each_other_and_numbers_count_on(product: Product, at: datetime) -> None:
    batches = [order(product, at, key=f"k{i}", count=10 + i) for i in range(30)]

    for before, after in pairwise(batches):
        assert bounds(after)[0] == bounds(before)[1]
    assert [batch.number for batch in batches[24:]] == [f"2611-{x}" for x in ("Y", "Z", "AA", "AB", "AC", "AD")]
    december = order(product, datetime(2026, 11, 30, 16, tzinfo=at.tzinfo), key="dec")
    assert december.number == "2612-A"  # December has begun in Shanghai


@pytest.mark.parametrize("count", [0, -1, services.MAX_ORDER + 1])
def test_counts_outside_the_limits_are_refused(product: Product, at: datetime, count: int) -> None:
    order(product, at, count=1)

    with pytest.raises(services.BadCount):
        order(product, at, key="k2", count=count)


def test_an_unknown_form_is_refused(product: Product, at: datetime) -> None:
    with pytest.raises(services.UnknownForm):
        order(product, at, secret_form="R12")


# --- odds and slots --------------------------------------------------------------------------------------------------


def test_odds_at_the_limit_and_one_beyond(product: Product, at: datetime) -> None:
    at_the_limit = order(product, at, key="full", count=10**8)
    assert at_the_limit.secret_slot.number == 1

    with pytest.raises(services.OddsTooHigh) as refused:
        order(product, at, key="more", count=10**8 + 1)

    assert refused.value.extra["limit"] == 1e-6
    assert Batch.objects.count() == 1


def test_a_full_slot_sends_the_next_order_to_a_new_one(product: Product, at: datetime) -> None:
    full = order(product, at, key="full", count=10**8)

    after = order(product, at, key="next", count=1)

    assert (full.secret_slot.number, after.secret_slot.number) == (1, 2)
    assert after.serial_slot_id == full.serial_slot_id


def test_the_slot_with_fewest_live_labels_is_taken(product: Product, at: datetime) -> None:
    for key, count in (("a", 6 * 10**7), ("b", 5 * 10**7)):
        order(product, at, key=key, count=count)

    third = order(product, at, key="c", count=10)

    assert third.secret_slot.number == 2
    live = live_labels("secret", "N16", at)
    assert sorted(live.values()) == [5 * 10**7 + 10, 6 * 10**7]


def test_when_all_numbers_are_full_the_order_is_refused(product: Product, at: datetime) -> None:
    for number in range(1, 10):
        assert order(product, at, key=f"k{number}", count=10**8).secret_slot.number == number

    with pytest.raises(services.OddsTooHigh):
        order(product, at, key="one", count=1)

    assert order(product, at, key="long", count=1, secret_form="N20").secret_slot.form == "N20"


def test_a_number_is_used_again_only_when_all_its_labels_have_ended(product: Product, at: datetime) -> None:
    batches = [order(product, at, key=f"k{number}", count=10**8) for number in range(1, 10)]
    Slot.objects.filter(pk=batches[4].secret_slot_id).update(state=Slot.State.CLOSED)
    with pytest.raises(services.OddsTooHigh):
        order(product, at, key="too early", count=10**8)

    Batch.objects.filter(pk=batches[4].pk).update(state=Batch.State.CLOSED, generated_at=at)
    again = order(product, at, key="again", count=10**8)

    assert (again.secret_slot.number, again.secret_slot.generation) == (5, 1)
    assert Slot.objects.get(pk=batches[4].secret_slot_id).state == "decrypt_only"
    with pytest.raises(services.OddsTooHigh):
        order(product, at, key="no more", count=1)


@pytest.fixture
def careful_brand(brand: Brand) -> Iterator[Brand]:
    brand.labels_max_odds = 1e-9
    yield brand
    brand.labels_max_odds = 1e-6


def test_a_brand_may_lower_the_limit(careful_brand: Brand, product: Product, at: datetime) -> None:
    order(product, at, key="fits", count=10**5)

    with pytest.raises(services.OddsTooHigh):
        order(product, at, key="too many", count=10**5 + 1)


def test_an_order_may_lower_the_limit_but_never_raise_it(product: Product, at: datetime) -> None:
    with pytest.raises(services.OddsTooHigh):
        order(product, at, count=10**4, max_odds=1e-11)
    with pytest.raises(services.OddsTooHigh):
        order(product, at, count=10**8 + 1, max_odds=1.0)

    assert order(product, at, count=10**3, max_odds=1e-11).secret_slot.number == 1


def test_void_lapsed_ended_and_closed_labels_are_not_live(
    make_batch: MakeBatch, product: Product, at: datetime
) -> None:
    batch = make_batch(count=1000)
    first, _end = bounds(batch)
    slot = batch.secret_slot_id
    later = at + timedelta(days=200)

    def live(moment: datetime = at) -> int:
        return live_labels("secret", "N16", moment)[slot]

    assert (live(), live(later)) == (1000, 0)
    activate(label_range=(first, first + 600), product=product, at=at, valid_until=day("2026-12-31"))
    activate(label_range=(first + 600, first + 700), product=product, at=at)
    assert (live(), live(later)) == (1000, 100)
    block(label_range=(first + 500, first + 650), reason="spoiled", at=at)
    block(label_range=(first + 640, first + 660), reason="sample", at=at)
    block(label_range=(first, first + 700), reason="lost", at=at)
    assert (live(), live(later)) == (840, 40)
    Batch.objects.update(state=Batch.State.CLOSED)
    assert live() == 0


def test_the_test_series_has_slot_0_and_no_gate(product: Product, at: datetime) -> None:
    batch = order(product, at, count=services.MAX_ORDER, test_series=True)

    assert (batch.secret_slot.number, batch.serial_slot.number) == (0, 0)
    assert order(product, at, key="k2", test_series=True).secret_slot_id == batch.secret_slot_id
    assert order(product, at, key="k3").secret_slot.number == 1


def test_n16_and_b16_do_not_live_in_one_brand(product: Product, at: datetime) -> None:
    order(product, at)

    with pytest.raises(services.FormsClash):
        order(product, at, key="k2", secret_form="B16")

    Slot.objects.filter(form="N16")  # the other way round is the same rule
    assert order(product, at, key="k3", secret_form="N18").secret_slot.form == "N18"


@pytest.mark.parametrize("form", ["N20", "B16"])
def test_platform_wide_slots_are_leased_to_one_brand(
    product: Product, stranger_brand: Brand, at: datetime, form: str
) -> None:
    own = connection.tenant
    SlotLease.objects.create(form=form, number=1, brand=stranger_brand, leased_at=at)
    SlotLease.objects.create(form=form, number=2, brand=stranger_brand, leased_at=at, ended_at=at)

    batch = order(product, at, secret_form=form)

    assert batch.secret_slot.number == 2
    lease = SlotLease.objects.get(form=form, number=2, ended_at=None)
    assert lease.brand_id == own.pk
    assert order(product, at, key="k2", secret_form=form).secret_slot_id == batch.secret_slot_id


# --- what the database itself refuses --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("table", "change", "constraint"),
    [
        (Batch, {"label_range": "[1,1)"}, "batch_range_is_sound"),
        (Batch, {"label_range": "[0,5)", "count": 5}, "batch_range_is_sound"),
        (Batch, {"label_range": "[5,)"}, "batch_range_is_sound"),
        (Batch, {"label_range": "[99999999999990,100000000000001)", "count": 11}, "batch_range_is_sound"),
        (Batch, {"count": 7}, "batch_count_is_its_range"),
        (Batch, {"order_key": "second"}, "order_key"),
        (Slot, {"root_version": 0}, "slot_root_is_not_version_0"),
        (Slot, {"purpose": "serial", "form": "B12", "generation": 1}, "serial_slot_is_never_reused"),
        (Slot, {"form": "R12"}, "slot_form_is_known"),
        (LabelCounter, {"id": 2}, "there_is_one_label_counter"),
        (Product, {"gtin": "123"}, "product_gtin_has_14_digits"),
    ],
)
def test_the_database_refuses(
    product: Product, at: datetime, table: type, change: dict[str, object], constraint: str
) -> None:
    order(product, at, key="second")
    batch = order(product, at)
    row = {Batch: batch.pk, Slot: batch.secret_slot_id, LabelCounter: 1, Product: product.pk}[table]
    columns = ", ".join(f"{name} = %s" for name in change)

    with (
        pytest.raises(IntegrityError, match=constraint),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"UPDATE {table._meta.db_table} SET {columns} WHERE id = %s", [*change.values(), row])


def test_batches_never_share_a_label(product: Product, at: datetime) -> None:
    order(product, at)
    LabelCounter.objects.update(next=500)

    with pytest.raises(IntegrityError, match="batches_never_share_a_label"):
        order(product, at, key="k2")
