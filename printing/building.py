"""Building the files of a print: roll by roll, each made, proved and encrypted as one stream, each committed with its row.

One worker at a time, by a lock of the database's session; killed at any point, the next goes on with the first roll that
has no file.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from django.db import InterfaceError, OperationalError, connection
from django.db.models import Q, Sum

from common import jobs
from common.clock import now
from common.db import schema_name
from common.models import Job
from labels import keys, queries
from labels.models import Roll
from printing import handover as files, proof
from printing.handover import Content
from printing.models import Handover, PrintJob
from printing.samples import order_of
from staff.keys import sign_key

JOB_KIND = "print_files"
LINK_LIFE = timedelta(hours=72)
TELL_EVERY_S = 0.5
_State = Handover.State


def choose_proof(row: PrintJob, level: str) -> None:
    """Choose how many labels of the rolls that are still to be built are decoded."""
    row.proof = level
    row.save(update_fields=["proof"])


def build(
    print_job_id: int,
    *,
    clock: Callable[[], datetime] = now,
    patience: timedelta | None = None,
    show: Callable[[int], None] = lambda _lines: None,
) -> bool:
    """Build the files of a print, roll by roll: the body of `printing.tasks.build`. Return whether all is over.

    Can be run again at any point, and by one worker at a time: finished rolls stay, the one under way starts again,
    progress stays where it was until it is overtaken. Afterwards what was not built (the job was cancelled, or failed)
    is given up. After ``patience`` no further roll is begun: run it again. ``show(lines)`` is for who watches.
    """
    row = PrintJob.objects.select_related(
        "batch__secret_slot", "batch__serial_slot", "batch__product", "press", "version__template"
    ).get(pk=print_job_id)
    if row.job_id is None:
        return True
    with _alone(row) as alone:
        if not alone:
            return True
        work = _Building(row, clock, show)
        try:
            return jobs.run(row.job_id, work.commit, lambda: None, work=work.build_next, patience=patience, clock=clock)
        finally:
            give_up_ended()


@contextmanager
def _alone(row: PrintJob) -> Iterator[bool]:
    """Hold a lock of the database's session while a print is built: a worker that dies loses it at once."""
    name = f"{schema_name()}/{row.public_id}"
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtextextended(%s, 0))", [name])
        alone = bool(cursor.fetchone()[0])
    try:
        yield alone
    finally:
        if alone:
            with suppress(OperationalError, InterfaceError), connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtextextended(%s, 0))", [name])


class _Building:
    """The rolls of one print: each is built outside any transaction, then committed with the job's progress."""

    def __init__(self, row: PrintJob, clock: Callable[[], datetime], show: Callable[[int], None]) -> None:
        self._row, self._clock, self._show = row, clock, show
        if row.job_id is None:
            raise ValueError("a print that was not started is not built")
        self._job_id = row.job_id
        self._content = content_of(row)
        self._key = sign_key(at=clock())
        self._built: tuple[Handover, files.Built] | None = None

    def build_next(self) -> None:
        """Build the file of the first roll that has none. Raises `printing.handover.NotProved`, `common.jobs.Cancelled`."""
        handovers = self._row.handovers.select_related("roll__batch").order_by("roll__number")
        before = handovers.exclude(state=_State.BUILDING).aggregate(lines=Sum("lines", default=0))["lines"]
        one = handovers.filter(state=_State.BUILDING)[0]
        try:
            built = files.build(
                self._content(one.roll),
                one.spans,
                recipient=self._row.recipient,
                path=files.path_of(one.public_id),
                sample=self._sample(one),
                watch=self._teller(before),
            )
        except files.NotProved as fault:
            Handover.objects.filter(pk=one.pk, state=_State.BUILDING).update(state=_State.FAILED, report=fault.report)
            raise
        self._built = one, built

    def commit(self, _done: int) -> int:
        """Keep what was built; return how many lines are ready."""
        if self._built is None:
            raise AssertionError("nothing was built")
        one, built = self._built
        row, content, at = self._row, self._content(one.roll), self._clock()
        expires_at = at + LINK_LIFE
        manifest = files.manifest(
            built,
            handover=one.public_id,
            order_key=row.batch.order_key,
            press=files.fingerprint(row.recipient),
            roll=content.order.roll,
            spans=one.spans,
            form=content.order.form,
            gtin=content.order.gtin,
            kind=row.output,
            template=content.template,
            created_at=at,
            expires_at=expires_at,
        )
        Handover.objects.filter(pk=one.pk, state=_State.BUILDING).update(
            state=_State.READY,
            plain_hash=built.plain_hash,
            cipher_hash=built.cipher_hash,
            cipher_bytes=built.cipher_bytes,
            report=built.report,
            manifest=manifest,
            signature=files.signed(self._key, manifest),
            ready_at=at,
            expires_at=expires_at,
        )
        done: int = row.handovers.exclude(state=_State.BUILDING).aggregate(lines=Sum("lines"))["lines"]
        self._show(done)
        return done

    def _sample(self, one: Handover) -> int:
        """Return how many labels of a roll are decoded: 1,000 of the first, 32 of each other, or all."""
        if self._row.proof == PrintJob.Proof.FULL:
            return one.lines
        return proof.FIRST_ROLL if one.roll.number == self._row.first_roll else proof.OTHER_ROLLS

    def _teller(self, before: int) -> Callable[[int], None]:
        """Return what hears of lines of the roll under way, and shows them, some times a second."""
        last = time.monotonic()

        def watch(lines: int) -> None:
            nonlocal last
            if time.monotonic() - last >= TELL_EVERY_S:
                last = time.monotonic()
                self._show(before + lines)
                jobs.tell(self._job_id, before + lines, at=self._clock())

        return watch


def content_of(row: PrintJob) -> Callable[[Roll], Content]:
    """Return what makes the content of a roll's file. The keys are unwrapped here, outside transactions."""
    batch = row.batch
    secret, serial = queries.slot_ref(batch.secret_slot), queries.slot_ref(batch.serial_slot)
    series = [(slot.form, slot.number, keys.slot_vector(slot)) for slot in (serial, secret)]
    template, order = row.template, order_of(batch, 0)

    def content(roll: Roll) -> Content:
        own = replace(order, roll=f"{batch.number}/{roll.number}")
        return Content(series[0], series[1], own, cast("files.Output", row.output), template)

    return content


def give_up_ended() -> int:
    """Close what ended jobs have not built, so that the rolls can be asked for again; return how many."""
    ended = Q(print_job__job__state__in=[Job.State.CANCELLED, Job.State.FAILED])
    return Handover.objects.filter(ended, state=_State.BUILDING).update(state=_State.CANCELLED)
