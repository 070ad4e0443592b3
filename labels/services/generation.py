"""Generation: every code of a batch is proved, then the batch opens and is cut into rolls."""

import os
import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial

import numpy as np
from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils.translation import gettext as _

from brands.models import Brand
from common import jobs
from common.clock import now
from common.db import inside_transaction
from common.errors import Conflict
from labels import keys, queries
from labels.codes import bulk
from labels.codes.decode import SlotRef
from labels.codes.encode import digits, encode
from labels.codes.ff1 import General
from labels.codes.ff1_fast import CHUNK, U64, Vector
from labels.models import Batch, Block, Roll

JOB_KIND = "generate_labels"
ACTIVATE_WITHIN = timedelta(days=180)
PROVED_ALL_WAYS = 1_000
_STEPS = 50


class NotReady(Conflict):
    """The batch is not ready for this."""

    code = "not_ready"


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
        transaction.on_commit(partial(push_generation, batch.pk))
    return batch


def push_generation(batch_id: int) -> None:
    from labels.tasks import generate, push

    push(generate, batch_id)
