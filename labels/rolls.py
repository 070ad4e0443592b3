"""The verbs of rolls: handed over to a press, and received with counts.

Locks: the batch's row, then the roll's.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils.translation import gettext as _, ngettext

from common.db import inside_transaction
from common.errors import Conflict, Invalid
from labels import queries
from labels.models import Batch, Block, HandoverHold, Roll, Sighting
from labels.services import ACTIVATE_WITHIN, merged

MOST_PARTS = 500


class RollNotReady(Conflict):
    """The roll is not in the state for this."""

    code = "roll_not_ready"


class CountsDoNotAgree(Invalid):
    """Good, spoiled, missing and set-up strips do not add up to the lines of the file."""

    code = "counts_do_not_agree"


class BadLines(Invalid):
    """These line numbers are not lines of labels of this roll."""

    code = "bad_lines"


class NotOfThisRoll(Invalid):
    """A label read as a sample is not on this roll."""

    code = "not_of_this_roll"


class OnHold(Conflict):
    """Something must be finished first: the batch is not handed over."""

    code = "on_hold"


Lines = Sequence[tuple[int, int]]  # first and last line of the roll's file, both counted, from 1


@inside_transaction
def lock_roll(roll_id: int) -> Roll:
    """Lock a roll behind its batch, and return it."""
    batch_id = Roll.objects.values_list("batch_id", flat=True).get(pk=roll_id)
    Batch.objects.select_for_update(no_key=True).get(pk=batch_id)
    return Roll.objects.select_for_update(of=("self",)).select_related("batch").get(pk=roll_id)


def refuse_held(batch: Batch) -> None:
    """Raise `OnHold` while somebody above keeps the batch from the press."""
    hold = HandoverHold.objects.filter(batch=batch, lifted_at=None).order_by("id").first()
    if hold is not None:
        raise OnHold(_("The batch waits for “%(name)s” and is not handed over.") % {"name": hold.name})


@inside_transaction
def open_hold(batch: Batch, name: str, *, at: datetime, note: str = "") -> HandoverHold:
    """Keep a batch from the press until `lift_hold`. Raises `RollNotReady` once a roll has been handed over."""
    Batch.objects.select_for_update(no_key=True).get(pk=batch.pk)
    if batch.rolls.exclude(state=Roll.State.READY).exists():
        raise RollNotReady(_("A roll of this batch has been handed over already."))
    hold, _made = HandoverHold.objects.get_or_create(
        batch=batch, name=name, lifted_at=None, defaults={"opened_at": at, "note": note}
    )
    return hold


@inside_transaction
def lift_hold(batch: Batch, name: str, *, at: datetime) -> None:
    """Let the batch go to the press."""
    HandoverHold.objects.filter(batch=batch, name=name, lifted_at=None).update(lifted_at=at)


@inside_transaction
def hand_over(roll_id: int, *, set_up: int, at: datetime) -> Roll:
    """Say that the press has the file of a roll, with ``set_up`` strips; the first handover moves the batch.

    A later handover of the same roll (a lost file) changes the strips only. Raises `OnHold`, `RollNotReady` for a
    roll that has been received.
    """
    roll = lock_roll(roll_id)
    batch = roll.batch
    refuse_held(batch)
    if roll.state == Roll.State.RECEIVED or batch.state in {Batch.State.DRAFT, Batch.State.CLOSED, Batch.State.VOID}:
        raise RollNotReady(_("This roll cannot be handed over any more."))
    roll.state, roll.set_up, roll.lines = Roll.State.HANDED_OVER, set_up, roll.count + set_up
    roll.handed_over_at = at
    roll.save(update_fields=["state", "set_up", "lines", "handed_over_at"])
    if batch.state == Batch.State.GENERATED:
        batch.state = Batch.State.HANDED_OVER
        batch.activate_by = batch.activate_by or queries.local_date(at) + ACTIVATE_WITHIN
        batch.save(update_fields=["state", "activate_by"])
    return roll


def receive(
    roll_id: int,
    *,
    good: int,
    spoiled: Lines = (),
    missing: Lines = (),
    samples: Sequence[str] = (),
    document: str = "",
    at: datetime,
    asked_by: str = "",
) -> Roll:
    """Take a roll into the warehouse with what was counted: good + spoiled + missing + set-up strips = lines.

    ``spoiled`` and ``missing`` are lines of the roll's file; their labels are void for ever. ``samples`` are serials
    read from the roll: each must be of a good label on it, and what was read is kept even where that refuses the roll.
    Raises `RollNotReady`, `BadLines`, `CountsDoNotAgree`, `NotOfThisRoll`.
    """
    read = queries.resolve_many([queries.Typed(serial, "serial", test_mode=True) for serial in samples])
    counts = _Counts(good, spoiled, missing, len(samples), document)
    try:
        with transaction.atomic(durable=True):
            roll = _receive(roll_id, counts, read, at=at, asked_by=asked_by)
            _note(roll, read, at=at, asked_by=asked_by)
    except NotOfThisRoll:
        with transaction.atomic(durable=True):
            _note(lock_roll(roll_id), read, at=at, asked_by=asked_by)
        raise
    return roll


@dataclass(frozen=True, slots=True)
class _Counts:
    good: int
    spoiled: Lines
    missing: Lines
    samples: int
    document: str


@inside_transaction
def _receive(roll_id: int, told: _Counts, read: Sequence[queries.Resolution], *, at: datetime, asked_by: str) -> Roll:
    roll = lock_roll(roll_id)
    if roll.state != Roll.State.HANDED_OVER or roll.lines is None:
        raise RollNotReady(_("Only a roll that has been handed over can be received, and only once."))
    parts = {
        Block.Reason.SPOILED: _labels_of(roll, told.spoiled),
        Block.Reason.UNACCOUNTED: _labels_of(roll, told.missing),
    }
    lost = [part for found in parts.values() for part in found]
    _refuse_overlaps(lost)
    counts = {reason: sum(end - first for first, end in found) for reason, found in parts.items()}
    expected = roll.count - sum(counts.values())
    if told.good != expected:
        raise CountsDoNotAgree(
            _("Of %(labels)s labels %(lost)s are spoiled or missing, so %(good)s must be good; you counted %(counted)s.")
            % {"labels": f"{roll.count:,}", "lost": f"{roll.count - expected:,}", "good": f"{expected:,}",
               "counted": f"{told.good:,}"},
            good=expected,
        )  # fmt: skip
    _refuse_strangers(roll, lost, read)
    Block.objects.bulk_create(
        Block(
            batch=roll.batch,
            label_range=NumericRange(*part),
            reason=reason,
            spares_redeemed=True,
            note=told.document,
            opened_at=at,
            opened_by=asked_by,
        )
        for reason, found in parts.items()
        for part in found
    )
    roll.state, roll.good, roll.sampled = Roll.State.RECEIVED, told.good, told.samples
    roll.spoiled, roll.unaccounted = counts[Block.Reason.SPOILED], counts[Block.Reason.UNACCOUNTED]
    roll.document, roll.received_at, roll.received_by = told.document, at, asked_by
    roll.save()
    if roll.batch.state == Batch.State.HANDED_OVER:
        roll.batch.state = Batch.State.RECEIVED
        roll.batch.save(update_fields=["state"])
    return roll


def _labels_of(roll: Roll, lines: Lines) -> list[tuple[int, int]]:
    """Return the labels that lines of the roll's file name. Raises `BadLines`."""
    if len(lines) > MOST_PARTS:
        raise BadLines(_("Name at most 500 ranges of lines."))
    first_line, last_line = roll.head + 1, roll.head + roll.count
    if any(not first_line <= first <= last <= last_line for first, last in lines):
        raise BadLines(
            _("The labels of this roll are the lines %(first)s to %(last)s of its file.")
            % {"first": f"{first_line:,}", "last": f"{last_line:,}"}
        )
    start = roll.label_range.lower - first_line
    return merged([(start + first, start + last + 1) for first, last in lines])


def _refuse_overlaps(parts: Sequence[tuple[int, int]]) -> None:
    ordered = sorted(parts)
    if any(one[1] > other[0] for one, other in pairwise(ordered)):
        raise BadLines(_("A line is named twice."))


def _refuse_strangers(roll: Roll, lost: Sequence[tuple[int, int]], read: Sequence[queries.Resolution]) -> None:
    """Raise `NotOfThisRoll` where a sample is not a good label of the roll."""

    def is_good(label_no: int | None) -> bool:
        if label_no is None or not roll.label_range.lower <= label_no < roll.label_range.upper:
            return False
        return not any(first <= label_no < end for first, end in lost)

    wrong = sum(not is_good(resolution.label_no) for resolution in read)
    if wrong:
        raise NotOfThisRoll(
            ngettext(
                "%(n)s of the serials read is not of a good label on this roll. Look whether the roll is the right one.",
                "%(n)s of the serials read are not of good labels on this roll. Look whether the roll is the right one.",
                wrong,
            )
            % {"n": wrong}
        )
    if len({resolution.label_no for resolution in read}) < len(read):
        raise NotOfThisRoll(_("A serial was read twice: it is typed twice, or a label was printed twice."))


@inside_transaction
def _note(roll: Roll, read: Sequence[queries.Resolution], *, at: datetime, asked_by: str) -> None:
    """Keep what was read from a roll, instead of what an earlier reading of it said (the roll is locked)."""
    times = Counter(resolution.label_no for resolution in read if resolution.label_no is not None)
    roll.sightings.all().delete()
    Sighting.objects.bulk_create(
        Sighting(roll=roll, label_no=label_no, times=count, seen_at=at, seen_by=asked_by)
        for label_no, count in times.items()
    )
