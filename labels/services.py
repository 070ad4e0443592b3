"""The verbs of labels: products, orders, generation, activation, blocks.

Locks: an order takes the counter's row; activation and block take the batch's row. Both before any other row.
"""

import hashlib
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import numpy as np
from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils.translation import gettext as _

from brands.models import Brand, SlotLease
from common import jobs
from common.canonical import canonical
from common.clock import now
from common.db import inside_transaction
from common.errors import Conflict, Invalid, NotFound
from labels import keys, queries
from labels.codes import bulk
from labels.codes.decode import SlotRef
from labels.codes.encode import digits, encode
from labels.codes.ff1 import General
from labels.codes.ff1_fast import CHUNK, U64, Vector
from labels.codes.forms import B12, LABEL_FORMS, Form
from labels.digital_link import check_digit_is_right
from labels.models import Activation, Batch, Block, LabelCounter, Product, Recall, Roll, Slot
from staff.keys import destroy_key
from staff.models import BrandKey

MAX_ORDER = 200_000_000
HARD_MAX_ODDS = 1e-4  # Commission Delegated Regulation (EU) 2016/161, Article 4 (c)
ACTIVATE_WITHIN = timedelta(days=180)
ROOT_OF_NEW_SLOTS = 1
ROLL_LABELS, LEAST_ROLL, MAX_ROLL = 10_000, 1, 100_000
STRIPS = 12  # set-up strips that one handover of a roll takes: half before the labels, half after them
HANDOVERS_A_ROLL = 4
JOB_KIND = "generate_labels"
PROVED_ALL_WAYS = 1_000
_STEPS = 50


class BadGtin(Invalid):
    """That is no GTIN: its length or its check digit is wrong."""

    code = "bad_gtin"


class GtinTaken(Conflict):
    """There is already a product with this GTIN."""

    code = "gtin_taken"


class BadCount(Invalid):
    """A batch has from 1 to 200,000,000 labels."""

    code = "bad_count"


class BadRoll(Invalid):
    """A roll has from 1 to 100,000 labels."""

    code = "bad_roll"


class UnknownForm(Invalid):
    """There is no such form of code."""

    code = "unknown_form"


class OrderKeyReused(Conflict):
    """The order key belongs to another order."""

    code = "order_key_reused"


class OddsTooHigh(Conflict):
    """So many labels would make codes too easy to guess."""

    code = "odds_too_high"


class FormsClash(Conflict):
    """A brand uses either N16 or B16, since the length of a code must tell its form."""

    code = "forms_clash"


class RangeOutsideBatch(Invalid):
    """The range does not lie inside one batch."""

    code = "range_outside_batch"


class NotReady(Conflict):
    """The batch is not ready for this."""

    code = "not_ready"


class WrongGtin(Invalid):
    """The labels carry the GTIN of another product."""

    code = "wrong_gtin"


class AlreadyActive(Conflict):
    """Some labels of the range are active already."""

    code = "already_active"


class UnderRecall(Conflict):
    """The product or lot is recalled."""

    code = "under_recall"


class NoSuchReason(Invalid):
    """There is no such reason to block."""

    code = "no_such_reason"


class BlockIsFinal(Conflict):
    """A block of this reason is final and cannot be lifted."""

    code = "block_is_final"


class SlotsInUse(Conflict):
    """Labels of this root key are still in use."""

    code = "slots_in_use"


# --- products ------------------------------------------------------------------------------------------------------


def gtin14(text: str) -> str:
    """Return a GTIN of 8, 12, 13 or 14 digits as 14. Raises `BadGtin`."""
    digits_only = text.strip()
    if not (digits_only.isascii() and digits_only.isdecimal() and len(digits_only) in {8, 12, 13, 14}):
        raise BadGtin(_("A GTIN has 8, 12, 13 or 14 digits."))
    if not check_digit_is_right(digits_only):
        raise BadGtin(_("The last digit of this GTIN does not fit the others."))
    return digits_only.zfill(14)


def create_product(
    *, gtin: str, name: str, name_zh: str, sku: str = "", description: str = "", description_zh: str = "", at: datetime
) -> Product:
    """Make a product. Raises `BadGtin`, `GtinTaken`."""
    product = Product(
        gtin=gtin14(gtin),
        name=name,
        name_zh=name_zh,
        sku=sku,
        description=description,
        description_zh=description_zh,
        created_at=at,
    )
    try:
        with transaction.atomic():
            product.save(force_insert=True)
    except IntegrityError as error:
        raise GtinTaken(_("There is already a product with this GTIN.")) from error
    return product


def change_product(
    product: Product,
    *,
    name: str,
    name_zh: str,
    sku: str = "",
    description: str = "",
    description_zh: str = "",
    is_active: bool = True,
) -> Product:
    """Change what a product is called. Its GTIN stays: it is printed."""
    product.name, product.name_zh, product.sku = name, name_zh, sku
    product.description, product.description_zh, product.is_active = description, description_zh, is_active
    product.save(update_fields=["name", "name_zh", "sku", "description", "description_zh", "is_active"])
    return product


# --- orders --------------------------------------------------------------------------------------------------------


def order_batch(
    *,
    order_key: str,
    product: Product,
    count: int,
    secret_form: str = "N16",  # noqa: S107 - the name of a form
    at: datetime,
    asked_by: str = "",
    max_odds: float | None = None,
    test_series: bool = False,
    roll_labels: int | None = None,
) -> Batch:
    """Order labels, once per ``order_key``: the same order again returns the same batch.

    Takes label numbers and slots for ever, and leaves a job that generates. ``max_odds`` may only lower the limit.
    With ``roll_labels`` a press prints the batch in rolls of so many: labels for set-up strips are then taken too.
    Raises `OrderKeyReused` (same key, other order), `OddsTooHigh`, `FormsClash`, `BadCount`, `UnknownForm`.
    """
    if not 1 <= count <= MAX_ORDER:
        raise BadCount(_("A batch has from 1 to 200,000,000 labels."))
    form = LABEL_FORMS.get(secret_form)
    if form is None:
        raise UnknownForm(_("There is no such form of code."))
    order_hash = _order_hash(product, count, form, test_series, roll_labels)
    strips = 0 if roll_labels is None else strips_of(count, roll_labels)
    total = count + strips
    with transaction.atomic(durable=True):
        counter = _lock_counter()
        earlier = Batch.objects.filter(order_key=order_key).first()
        if earlier is not None:
            if bytes(earlier.order_hash) != order_hash:
                raise OrderKeyReused(_("This order key belongs to another order."))
            return earlier
        limit = max_odds_of_brand(max_odds)
        secret_slot = _take_slot(Slot.Purpose.SECRET, form, total, limit, test_series=test_series, at=at)
        serial_slot = _take_slot(Slot.Purpose.SERIAL, B12, total, HARD_MAX_ODDS, test_series=test_series, at=at)
        first = counter.next
        counter.next += total
        counter.version = uuid4()
        counter.save()
        number = _next_batch_number(at)
        batch = Batch.objects.create(
            number=number,
            order_key=order_key,
            order_hash=order_hash,
            product=product,
            gtin_printed=product.gtin,
            count=count,
            label_range=NumericRange(first, first + total),
            roll_labels=roll_labels,
            canary_range=NumericRange(first + count, first + total) if strips else None,
            secret_slot=secret_slot,
            serial_slot=serial_slot,
            created_at=at,
            ordered_by=asked_by,
            job=jobs.create(kind=JOB_KIND, subject=number, total=total, at=at, asked_by=asked_by),
        )
        transaction.on_commit(partial(_push, batch.pk))
    return batch


def _push(batch_id: int) -> None:
    from labels.tasks import generate, push

    push(generate, batch_id)


def max_odds_of_brand(asked: float | None = None) -> float:
    """Return the highest guess odds that an order may reach: the lowest of platform, brand, request and law."""
    limits: list[float] = [HARD_MAX_ODDS, settings.LABELS_MAX_ODDS, connection.tenant.labels_max_odds]
    return min([*limits, asked] if asked is not None else limits)


def strips_of(count: int, roll_labels: int) -> int:
    """Return how many labels are taken for set-up strips. Raises `BadRoll`."""
    if not LEAST_ROLL <= roll_labels <= MAX_ROLL:
        raise BadRoll(_("A roll has from 1 to 100,000 labels."))
    rolls: int = -(-count // roll_labels)
    return rolls * STRIPS * HANDOVERS_A_ROLL


def _order_hash(product: Product, count: int, form: Form, test_series: bool, roll_labels: int | None) -> bytes:
    order = {"product": product.public_id, "count": count, "form": form.name, "test_series": test_series}
    if roll_labels is not None:
        order["roll_labels"] = roll_labels
    return hashlib.sha256(canonical(order)).digest()


@inside_transaction
def _lock_counter() -> LabelCounter:
    LabelCounter.objects.bulk_create([LabelCounter(version=uuid4())], ignore_conflicts=True)
    return LabelCounter.objects.select_for_update().get()


def _next_batch_number(at: datetime) -> str:
    """Return the month and a letter: 2611-A … 2611-Z, 2611-AA … (the counter's row is locked)."""
    month = at.astimezone(ZoneInfo(connection.tenant.time_zone)).strftime("%y%m-")
    place, letters = Batch.objects.filter(number__startswith=month).count(), ""
    while place >= 0:
        place, letter = divmod(place, 26)
        letters = chr(ord("A") + letter) + letters
        place -= 1
    return month + letters


@dataclass(frozen=True, slots=True)
class Quote:
    """Where an order of secrets would go: ``slot`` None is a new one. ``fits``: within ``limit``."""

    slot: Slot | None
    live: int
    odds: float
    limit: float
    fits: bool


def quote(form: Form, count: int, *, at: datetime) -> Quote:
    """Return what an order would come to, without ordering."""
    return _choose(Slot.Purpose.SECRET, form, count, max_odds_of_brand(), at)


def _choose(purpose: str, form: Form, count: int, limit: float, at: datetime) -> Quote:
    """Return the slot with room and fewest live labels, else a new one if there can be one."""
    live = queries.live_labels(purpose, form.name, at)
    open_slots = Slot.objects.filter(purpose=purpose, form=form.name, number__gte=1, state=Slot.State.OPEN)
    slot = min(open_slots, key=lambda slot: (live[slot.pk], slot.pk), default=None)
    is_full = slot is None or odds(form, live[slot.pk] + count) > limit
    can_be_new = is_full and _free_number(purpose, form, live) is not None
    if can_be_new:
        slot = None
    after = count + (live[slot.pk] if slot else 0)
    fits = odds(form, after) <= limit and (slot is not None or can_be_new)
    return Quote(slot, after, odds(form, after), limit, fits)


def _take_slot(purpose: str, form: Form, count: int, limit: float, *, test_series: bool, at: datetime) -> Slot:
    """Return the slot for ``count`` more labels. Raises `OddsTooHigh`, `FormsClash`."""
    _refuse_clash(form)
    if test_series:
        return _test_slot(purpose, form, at)
    choice = _choose(purpose, form, count, limit, at)
    if not choice.fits:
        raise OddsTooHigh(
            _("One guess in %(one_in)s would hit; the limit is one in %(limit)s. Choose a longer code or fewer labels.")
            % {"one_in": f"{round(1 / choice.odds):,}", "limit": f"{round(1 / limit):,}"},
            odds=choice.odds,
            limit=limit,
        )
    return choice.slot or _new_slot(purpose, form, at)


def odds(form: Form, live: int) -> float:
    """Return the chance that one well-formed guess hits a live label of a slot."""
    return live / form.space


def _refuse_clash(form: Form) -> None:
    other = {"N16": "B16", "B16": "N16"}.get(form.name)
    if other and Slot.objects.filter(form=other).exists():
        raise FormsClash(_("A brand uses either N16 or B16, since the length of a code must tell its form."))


def _test_slot(purpose: str, form: Form, at: datetime) -> Slot:
    slot, _made = Slot.objects.get_or_create(
        purpose=purpose,
        form=form.name,
        number=0,
        generation=0,
        defaults={"root_version": ROOT_OF_NEW_SLOTS, "created_at": at},
    )
    return slot


def _new_slot(purpose: str, form: Form, at: datetime) -> Slot:
    """Make the slot that `_free_number` names; a platform-wide number is leased first, and another brand may be faster."""
    live = queries.live_labels(purpose, form.name, at)
    found = _free_number(purpose, form, live)
    while found and form.platform_wide and not _lease(form, found[0], at):
        found = _free_number(purpose, form, live)
    if found is None:
        raise OddsTooHigh(_("All slots of this form are full. Choose another form of code."))
    number, generation = found
    Slot.objects.filter(purpose=purpose, form=form.name, number=number).update(state=Slot.State.DECRYPT_ONLY)
    return Slot.objects.create(
        purpose=purpose,
        form=form.name,
        number=number,
        generation=generation,
        root_version=_newest_root(),
        created_at=at,
    )


def _free_number(purpose: str, form: Form, live: dict[int, int]) -> tuple[int, int] | None:
    """Return number and generation of a slot that can be made: of a number never used, else of one all ended."""
    slots = Slot.objects.filter(purpose=purpose, form=form.name, number__gte=1).order_by("generation")
    newest = {slot.number: slot for slot in slots}
    taken = set(newest)
    if form.platform_wide:
        taken = set(SlotLease.objects.filter(form=form.name, ended_at=None).values_list("number", flat=True))
    number = next((number for number in range(1, form.slots) if number not in taken), None)
    if number is not None:
        return number, newest[number].generation + 1 if number in newest else 0
    if form.platform_wide or purpose == Slot.Purpose.SERIAL:
        return None
    alive = {slot.number for slot in slots if live[slot.pk]}
    ended = next((slot for slot in newest.values() if slot.number not in alive), None)
    return None if ended is None else (ended.number, ended.generation + 1)


def _newest_root() -> int:
    roots = BrandKey.objects.filter(kind=BrandKey.Kind.ROOT, version__gte=1, destroyed_at=None)
    return roots.order_by("-version").values_list("version", flat=True)[0]


def _lease(form: Form, number: int, at: datetime) -> bool:
    """Lease a number of a platform-wide form to this brand; False where another was first."""
    try:
        with transaction.atomic():
            SlotLease.objects.create(form=form.name, number=number, brand=connection.tenant, leased_at=at)
    except IntegrityError:
        return False
    return True


def shred_root(version: int, *, at: datetime) -> None:
    """Destroy a root key for ever, once every slot under it is closed: its codes become "retired".

    Raises `SlotsInUse`, and `NotFound` for version 0, which serves no slot and stays.
    """
    with transaction.atomic(durable=True):
        counter = _lock_counter()
        if version < 1:
            raise NotFound
        if Slot.objects.filter(root_version=version).exclude(state=Slot.State.CLOSED).exists():
            raise SlotsInUse(_("Labels of this root key are still in use."))
        destroy_key(BrandKey.Kind.ROOT, version=version, at=at)
        counter.version = uuid4()
        counter.save()
    keys.forget()
    queries.forget_tables()


# --- generation ------------------------------------------------------------------------------------------------------


def generate_batch(batch_id: int, *, clock: Callable[[], datetime] = now) -> None:
    """Prove every code of a batch and open it: the body of `labels.tasks.generate`. No code is kept.

    Each label is encoded and read back; 1,000 random ones agree in the general, scalar and vector path, both ways.
    Can be run again at any point.
    """
    batch = Batch.objects.select_related("job", "secret_slot", "serial_slot").get(pk=batch_id)
    if batch.state != Batch.State.DRAFT or batch.job is None:
        return
    slots = [queries.slot_ref(batch.secret_slot), queries.slot_ref(batch.serial_slot)]
    vectors = [keys.slot_vector(slot) for slot in slots]
    first, end = batch.label_range.lower, batch.label_range.upper
    total: int = end - first
    sample = random.Random(os.urandom(16)).sample(range(first, end), min(PROVED_ALL_WAYS, total))  # noqa: S311
    stride = max(CHUNK, -(-total // _STEPS // CHUNK) * CHUNK)

    def step(done: int) -> int:
        upto = min(done + stride, total)
        for start in range(first + done, first + upto, CHUNK):
            label_nos = np.arange(start, min(start + CHUNK, first + upto), dtype=np.uint64)
            for slot, vector in zip(slots, vectors, strict=True):
                _prove(slot, vector, label_nos)
        return upto

    def finish() -> None:
        for slot, vector in zip(slots, vectors, strict=True):
            _prove_all_ways(slot, vector, sample)
        _open_batch(batch.pk, at=clock())

    jobs.run(batch.job.pk, step, finish, clock=clock)


def _prove(slot: SlotRef, vector: Vector, label_nos: U64) -> None:
    rows = np.empty((len(label_nos), slot.form.length), np.uint8)
    bulk.write_codes(slot.form, slot.number, vector.encrypt(label_nos), rows)
    cores, checks = bulk.read_codes(slot.form, rows)
    if checks.any() or not np.array_equal(vector.decrypt(cores), label_nos):
        raise AssertionError("a code does not read back as its label")


def _prove_all_ways(slot: SlotRef, vector: Vector, label_nos: Sequence[int]) -> None:
    form, scalar = slot.form, keys.slot_cipher(slot)
    general, tweak = General(keys.slot_key(slot), form.radix), form.tweak(slot.number, slot.generation)
    numbers = np.array(label_nos, np.uint64)
    fast = vector.encrypt(numbers)
    rows = np.empty((len(numbers), form.length), np.uint8)
    bulk.write_codes(form, slot.number, fast, rows)
    for label_no, core, code in zip(label_nos, fast.tolist(), bulk.texts(rows), strict=True):
        plain, cipher = digits(label_no, form.radix, form.core), digits(core, form.radix, form.core)
        agree = (
            general.encrypt(plain, tweak) == cipher
            and general.decrypt(cipher, tweak) == plain
            and scalar.decrypt(core) == label_no
            and encode(form, slot.number, scalar, label_no) == code
        )
        if not agree:
            raise AssertionError("the paths of FF1 disagree about a label")


@inside_transaction
def _open_batch(batch_id: int, *, at: datetime) -> None:
    """Mark a draft as generated, cut it into rolls; its labels lapse unless activated within 180 days.

    Where a handover comes first, the 180 days run from that.
    """
    waits_for_handover = connection.tenant.activation_requires == Brand.ActivationRequires.RECEIVED
    activate_by = None if waits_for_handover else (queries.local_date(at) + ACTIVATE_WITHIN)
    opened = Batch.objects.filter(pk=batch_id, state=Batch.State.DRAFT).update(
        state=Batch.State.GENERATED, generated_at=at, activate_by=activate_by
    )
    if opened:
        _cut_into_rolls(Batch.objects.get(pk=batch_id), at)


def _cut_into_rolls(batch: Batch, at: datetime) -> None:
    """Make the rolls of a batch that a press prints; its set-up strips are void from the first moment."""
    if batch.roll_labels is None:
        return
    first, end = batch.goods
    starts = range(first, end, batch.roll_labels)
    Roll.objects.bulk_create(
        [
            Roll(batch=batch, number=number, label_range=NumericRange(start, min(start + batch.roll_labels, end)))
            for number, start in enumerate(starts, start=1)
        ],
        batch_size=5_000,
    )
    Block.objects.create(
        batch=batch, label_range=batch.canary_range, reason=Block.Reason.CANARY, spares_redeemed=True, opened_at=at
    )


def restart_generation(batch: Batch, *, at: datetime, asked_by: str = "") -> Batch:
    """Give a draft whose job was cancelled or failed a new job. Raises `NotReady`."""
    with transaction.atomic(durable=True):
        batch = Batch.objects.select_for_update(no_key=True, of=("self",)).select_related("job").get(pk=batch.pk)
        if batch.state != Batch.State.DRAFT or (batch.job is not None and not batch.job.ended):
            raise NotReady(_("The labels of this batch are generated or being generated."))
        total = batch.label_range.upper - batch.label_range.lower
        batch.job = jobs.create(kind=JOB_KIND, subject=batch.number, total=total, at=at, asked_by=asked_by)
        batch.save(update_fields=["job"])
        transaction.on_commit(partial(_push, batch.pk))
    return batch


# --- activation and blocks -----------------------------------------------------------------------------------------


@inside_transaction
def lock_batch_of(label_range: tuple[int, int]) -> Batch:
    """Lock and return the batch that a half-open range of labels lies in. Raises `RangeOutsideBatch`."""
    first, end = label_range
    outside = RangeOutsideBatch(_("The range does not lie inside one batch."))
    if not 1 <= first < end <= 10**14:
        raise outside
    batches = Batch.objects.select_for_update(no_key=True).filter(label_range__contains=NumericRange(first, end))
    batch = batches.first()
    if batch is None:
        raise outside
    return batch


def activate(*, label_range: tuple[int, int], product: Product, at: datetime, **of_goods: Any) -> Activation:
    """Put the labels ``first`` … ``end − 1`` on sale, bound to a product; see `activate_ranges`."""
    return activate_ranges(label_ranges=[label_range], product=product, at=at, **of_goods)[0]


def activate_ranges(
    *,
    label_ranges: Sequence[tuple[int, int]],
    product: Product,
    at: datetime,
    lot: str = "",
    expires_on: date | None = None,
    market: str = "",
    valid_until: date | None = None,
    document: str = "",
    asked_by: str = "",
) -> list[Activation]:
    """Put ranges of labels (rolls, cartons) on sale, all or none; neighbours of one batch become one activation.

    Raises `RangeOutsideBatch`, `NotReady` (by the brand's ``activation_requires``, or lapsed), `WrongGtin`,
    `AlreadyActive`, `UnderRecall`.
    """
    with transaction.atomic(durable=True):
        made = []
        for first, end in merged(label_ranges):
            batch = lock_batch_of((first, end))
            if end > batch.goods[1]:
                raise RangeOutsideBatch(_("The range reaches into the set-up strips of the batch."))
            _refuse_unready(batch, (first, end), at)
            if batch.gtin_printed != product.gtin:
                raise WrongGtin(_("The labels carry the GTIN of another product."))
            _refuse_recalled(product, lot)
            activation = Activation(
                batch=batch,
                label_range=NumericRange(first, end),
                product=product,
                lot=lot,
                expires_on=expires_on,
                market=market,
                valid_until=valid_until,
                document=document,
                activated_at=at,
                activated_by=asked_by,
            )
            made.append(_insert(activation))
            if batch.state != Batch.State.ACTIVE:
                batch.state = Batch.State.ACTIVE
                batch.save(update_fields=["state"])
    return made


def merged(label_ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return half-open ranges in order, neighbours joined. Those that overlap stay: the database refuses them."""
    found: list[tuple[int, int]] = []
    for first, end in sorted(label_ranges):
        if found and found[-1][1] == first:
            found[-1] = (found[-1][0], end)
        else:
            found.append((first, end))
    return found


@inside_transaction
def _insert(activation: Activation) -> Activation:
    try:
        with transaction.atomic():
            activation.save(force_insert=True)
    except IntegrityError as error:
        if "a_label_is_activated_once" not in str(error):
            raise
        raise AlreadyActive(_("Some labels of the range are active already.")) from error
    return activation


def _refuse_recalled(product: Product, lot: str) -> None:
    """Refuse to put goods on sale that are recalled: a recall speaks for what is activated later too."""
    if Recall.objects.filter(product=product, lot__in=["", lot], lifted_at=None).exists():
        raise UnderRecall(_("This product or lot is recalled: nothing of it goes on sale."))


def _refuse_unready(batch: Batch, label_range: tuple[int, int], at: datetime) -> None:
    ready = {Batch.State.RECEIVED, Batch.State.ACTIVE}
    if connection.tenant.activation_requires == Brand.ActivationRequires.GENERATED:
        ready |= {Batch.State.GENERATED, Batch.State.HANDED_OVER}
    if batch.state not in ready:
        raise NotReady(
            _("A batch that is “%(state)s” cannot be activated.") % {"state": batch.get_state_display()},
            state=batch.state,
        )
    if ready == {Batch.State.RECEIVED, Batch.State.ACTIVE} and not queries.is_received(*label_range):
        raise NotReady(_("These labels are on rolls that have not been received."), state="not_received")
    if batch.activate_by is not None and batch.activate_by < queries.local_date(at):
        raise NotReady(_("The labels of this batch have lapsed: they were not activated in time."), state="lapsed")


def cancel_activation(activation: Activation, *, at: datetime, asked_by: str = "") -> Activation:
    """Take an activation back; its labels are not active again. Cancelling twice changes nothing."""
    with transaction.atomic(durable=True):
        Batch.objects.select_for_update(no_key=True).get(pk=activation.batch_id)
        open_ones = Activation.objects.filter(pk=activation.pk, cancelled_at=None)
        open_ones.update(cancelled_at=at, cancelled_by=asked_by)
        activation.refresh_from_db()
    return activation


def block(
    *,
    label_range: tuple[int, int],
    reason: str,
    at: datetime,
    spares_redeemed: bool | None = None,
    note: str = "",
    asked_by: str = "",
) -> Block:
    """Block the labels ``first`` … ``end − 1`` for every redemption that starts after this commit.

    Unless said otherwise, reasons of production ("void") spare labels already redeemed, the others do not; a recall
    spares none. Raises `RangeOutsideBatch`, `NoSuchReason`.
    """
    if reason not in Block.Reason.values:
        raise NoSuchReason(_("There is no such reason to block."))
    if spares_redeemed is None or reason == Block.Reason.RECALLED:
        spares_redeemed = reason in Block.VOIDING
    with transaction.atomic(durable=True):
        return Block.objects.create(
            batch=lock_batch_of(label_range),
            label_range=NumericRange(*label_range),
            reason=reason,
            spares_redeemed=spares_redeemed,
            note=note,
            opened_at=at,
            opened_by=asked_by,
        )


def lift(block: Block, *, at: datetime, asked_by: str = "") -> Block:
    """Lift a reversible block. Raises `BlockIsFinal`. Lifting twice changes nothing."""
    if block.is_final:
        raise BlockIsFinal(_("A block for this reason is final and cannot be lifted."))
    Block.objects.filter(pk=block.pk, lifted_at=None).update(lifted_at=at, lifted_by=asked_by)
    block.refresh_from_db()
    return block
