"""Long work that tells how far it is within a step, hears a cancel there, and can be left between two steps."""

from datetime import datetime, timedelta

import pytest

from brands.models import Brand
from common import jobs
from common.models import Job


@pytest.fixture
def job(brand: Brand, at: datetime) -> Job:
    return jobs.create(kind="k", subject="s", total=30, at=at)


def fresh(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def test_what_is_told_within_a_step_is_seen_and_never_falls(job: Job, at: datetime) -> None:
    seen: list[int] = []

    def work() -> None:
        for done in (4, 2, 9):
            jobs.tell(job.pk, done, at=at)
            seen.append(fresh(job).done)

    assert jobs.run(job.pk, lambda done: done // 10 * 10 + 10, lambda: None, work=work, clock=lambda: at)

    assert seen[:3] == [4, 4, 9]
    assert seen == sorted(seen)
    assert (fresh(job).state, fresh(job).done) == ("done", 30)


def test_a_step_that_tells_too_much_does_not_end_the_job(job: Job, at: datetime) -> None:
    def work() -> None:
        jobs.tell(job.pk, 1_000, at=at)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        jobs.run(job.pk, lambda done: done, lambda: None, work=work, clock=lambda: at)

    assert (fresh(job).state, fresh(job).done) == ("failed", 29)


def test_a_cancel_is_heard_in_the_middle_of_a_step(job: Job, at: datetime) -> None:
    done: list[int] = []

    def work() -> None:
        jobs.tell(job.pk, 3, at=at)
        jobs.ask_cancel(job.pk, at=at)
        jobs.tell(job.pk, 5, at=at)
        done.append(5)

    assert jobs.run(job.pk, lambda _: 30, lambda: None, work=work, clock=lambda: at)

    assert (fresh(job).state, done) == ("cancelled", [])


def test_patience_ends_between_two_steps_and_the_job_goes_on_later(job: Job, at: datetime) -> None:
    clock = iter([at + timedelta(seconds=n) for n in range(100)])
    steps: list[int] = []

    def step(done: int) -> int:
        steps.append(done)
        return done + 10

    assert not jobs.run(job.pk, step, lambda: None, patience=timedelta(seconds=2), clock=lambda: next(clock))
    assert (fresh(job).state, steps) == ("running", [0])
    assert jobs.run(job.pk, step, lambda: None, clock=lambda: at)
    assert (fresh(job).state, steps) == ("done", [0, 10, 20])


def test_pace_and_time_left_are_those_since_the_work_was_taken_up(job: Job, at: datetime) -> None:
    assert (job.rate, job.left_s) == (None, None)
    job.state, job.resumed_at, job.resumed_done, job.done = Job.State.RUNNING, at, 10, 20
    job.beat_at = at + timedelta(seconds=5)

    assert (job.rate, job.left_s) == (2.0, 5)
    job.state, job.ended_at = Job.State.DONE, job.beat_at
    assert (job.rate, job.left_s) == (2.0, None)
