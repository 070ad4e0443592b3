"""Long work in steps: progress that only rises, work that continues where it stood, and a cancel that is heard.

    def step(done: int) -> int: ...            # do the part after ``done``, return how far it is now
    run(job_id, step, finish)                  # in a Celery task; may be run twice, and again after a crash

Each step's effects and its progress are committed together, so a killed worker repeats at most the step it was in.
A step that takes long does most of it before, in ``work``, outside any transaction, and calls `tell` as it goes.
"""

from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F, Q, Value
from django.db.models.functions import Coalesce, Greatest, Least

from common.clock import now
from common.models import Job

STALE_AFTER = timedelta(minutes=2)
_State = Job.State


class Cancelled(Exception):
    """The job was asked to stop while it was in the middle of a step."""


def create(*, kind: str, subject: str, total: int, at: datetime, asked_by: str = "") -> Job:
    """Make a job, waiting; call it in the transaction of what the job is for."""
    return Job.objects.create(kind=kind, subject=subject, total=total, created_at=at, asked_by=asked_by)


def run(
    job_id: int,
    step: Callable[[int], int],
    finish: Callable[[], None],
    *,
    work: Callable[[], None] = lambda: None,
    patience: timedelta | None = None,
    clock: Callable[[], datetime] = now,
) -> bool:
    """Run a job to its end from wherever it stands; do nothing if it has ended. Return whether it has ended now.

    ``work()`` comes before each step, outside its transaction; ``step(done)`` returns the new ``done``; ``finish()``
    runs in the transaction that marks the job as done. A job that was asked to cancel stops between two steps, or where
    ``work`` calls `tell`. An exception marks the job as failed, and is raised again. After ``patience`` nothing new is
    begun: whoever called runs the job again.
    """
    began = clock()
    job = _begin(job_id, began)
    if job is None:
        return True
    try:
        while job.done < job.total:
            if job.cancel_asked:
                raise Cancelled
            if patience is not None and clock() - began >= patience:
                return False
            work()
            with transaction.atomic(durable=True):
                job = _advance(job_id, step(job.done), clock())
        with transaction.atomic(durable=True):
            finish()
            _end(job_id, _State.DONE, clock())
    except Cancelled:
        _end(job_id, _State.CANCELLED, clock())
    except Exception as error:
        _end(job_id, _State.FAILED, clock(), f"{type(error).__name__}: {error}")
        raise
    return True


def tell(job_id: int, done: int, *, at: datetime) -> None:
    """Show how far a job is within a step: seen at once, never lower than before, never the end. Raises `Cancelled`."""
    running = Job.objects.filter(pk=job_id, state=_State.RUNNING)
    running.update(done=Greatest(F("done"), Least(Value(done), F("total") - 1)), beat_at=at)
    if not running.filter(cancel_asked=False).exists():
        raise Cancelled


def ask_cancel(job_id: int, *, at: datetime) -> None:
    """Ask a job to stop: at once if it waits, else after its present step."""
    Job.objects.filter(pk=job_id).update(cancel_asked=True)
    Job.objects.filter(pk=job_id, state=_State.WAITING).update(state=_State.CANCELLED, ended_at=at)


def forsaken(kind: str, *, at: datetime) -> list[int]:
    """Return the jobs of a kind that nobody seems to work on: their message or their worker was lost."""
    silent_since = at - STALE_AFTER
    waiting = Q(state=_State.WAITING, created_at__lt=silent_since)
    silent = Q(state=_State.RUNNING, beat_at__lt=silent_since)
    return list(Job.objects.filter(waiting | silent, kind=kind).order_by("id").values_list("id", flat=True))


def _begin(job_id: int, at: datetime) -> Job | None:
    open_states = [_State.WAITING, _State.RUNNING]
    Job.objects.filter(pk=job_id, state__in=open_states).update(
        state=_State.RUNNING,
        started_at=Coalesce("started_at", at),
        resumed_at=at,
        resumed_done=F("done"),
        beat_at=at,
    )
    return Job.objects.filter(pk=job_id, state=_State.RUNNING).first()


def _advance(job_id: int, done: int, at: datetime) -> Job:
    Job.objects.filter(pk=job_id).update(done=Greatest(F("done"), done), beat_at=at)
    return Job.objects.get(pk=job_id)


def _end(job_id: int, state: str, at: datetime, error: str = "") -> None:
    Job.objects.filter(pk=job_id, state=_State.RUNNING).update(state=state, ended_at=at, beat_at=at, error=error[:300])
