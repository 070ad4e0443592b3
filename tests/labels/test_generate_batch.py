"""Generation: a proof of every code, none of them kept."""

from datetime import date, datetime

import pytest

from brands.models import Brand
from common import jobs
from common.models import Job
from labels import services
from labels.codes.ff1 import General, Scalar
from labels.models import Batch, Product
from labels.services import generate_batch, generation, order_batch, restart_generation


@pytest.fixture
def draft(product: Product, at: datetime) -> Batch:
    return order_batch(order_key="k", product=product, count=50_000, at=at)


def fresh(batch: Batch) -> Batch:
    return Batch.objects.select_related("job").get(pk=batch.pk)


def test_a_draft_becomes_generated(draft: Batch, at: datetime) -> None:
    generate_batch(draft.pk, clock=lambda: at)

    batch = fresh(draft)
    assert (batch.state, batch.generated_at, batch.activate_by) == ("generated", at, date(2027, 5, 21))
    assert batch.job is not None
    assert (batch.job.state, batch.job.done, batch.job.ended_at) == ("done", 50_000, at)


def test_doing_it_twice_changes_nothing(draft: Batch, at: datetime) -> None:
    generate_batch(draft.pk, clock=lambda: at)

    generate_batch(draft.pk)

    assert fresh(draft).generated_at == at


def test_a_brand_that_waits_for_receipt_starts_no_clock(draft: Batch, brand: Brand) -> None:
    brand.activation_requires = Brand.ActivationRequires.RECEIVED
    try:
        generate_batch(draft.pk)
    finally:
        brand.activation_requires = Brand.ActivationRequires.GENERATED

    assert fresh(draft).activate_by is None


def test_progress_is_seen_and_work_goes_on_where_it_stood(draft: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    proved: list[int] = []
    prove = generation._prove

    def dying(slot: object, vector: object, label_nos: object) -> None:
        proved.append(int(label_nos[0]))  # type: ignore[index]
        if len(proved) == 6:
            raise RuntimeError("killed")
        prove(slot, vector, label_nos)  # type: ignore[arg-type]

    monkeypatch.setattr(generation, "_prove", dying)
    with pytest.raises(RuntimeError, match="killed"):
        generate_batch(draft.pk)
    job = fresh(draft).job
    assert job is not None
    assert (job.state, job.done) == ("failed", 2 * 8192)
    assert job.error == "RuntimeError: killed"

    Job.objects.update(state=Job.State.RUNNING, ended_at=None)  # as if the worker had been killed instead
    generate_batch(draft.pk)

    assert fresh(draft).state == "generated"
    assert min(proved[6:]) == 1 + 2 * 8192


@pytest.mark.parametrize("path", [Scalar, General])
def test_a_path_that_differs_stops_the_batch(draft: Batch, monkeypatch: pytest.MonkeyPatch, path: type) -> None:
    encrypt = path.encrypt  # type: ignore[attr-defined]

    def wrong(self: object, *arguments: object) -> object:
        found = encrypt(self, *arguments)
        return found ^ 1 if isinstance(found, int) else [*found[:-1], (found[-1] + 1) % 10]

    monkeypatch.setattr(path, "encrypt", wrong)

    with pytest.raises(AssertionError, match="disagree"):
        generate_batch(draft.pk)
    assert fresh(draft).state == "draft"


def test_a_cancelled_job_leaves_a_draft_that_can_start_again(draft: Batch, at: datetime) -> None:
    assert draft.job is not None
    jobs.ask_cancel(draft.job.pk, at=at)
    generate_batch(draft.pk)
    batch = fresh(draft)
    assert batch.job is not None
    assert (batch.state, batch.job.state, batch.job.done) == ("draft", "cancelled", 0)

    restart_generation(batch, at=at)
    generate_batch(draft.pk)

    assert fresh(draft).state == "generated"


def test_a_batch_at_work_is_not_started_again(draft: Batch, at: datetime) -> None:
    with pytest.raises(services.NotReady):
        restart_generation(draft, at=at)


def test_a_cancel_during_work_is_heard_between_steps(
    draft: Batch, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    prove = generation._prove
    calls = 0

    def cancelling(*arguments: object) -> None:
        nonlocal calls
        calls += 1
        if calls == 3 and draft.job is not None:
            jobs.ask_cancel(draft.job.pk, at=at)
        prove(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(generation, "_prove", cancelling)

    generate_batch(draft.pk)

    job = fresh(draft).job
    assert job is not None
    assert (job.state, job.done) == ("cancelled", 2 * 8192)


def test_what_nobody_works_on_is_found(draft: Batch, at: datetime) -> None:
    soon, late = at + jobs.STALE_AFTER / 2, at + jobs.STALE_AFTER * 2

    assert jobs.forsaken(services.JOB_KIND, at=soon) == []
    assert draft.job is not None
    assert jobs.forsaken(services.JOB_KIND, at=late) == [draft.job.pk]
    assert jobs.forsaken("other", at=late) == []
    Job.objects.update(state=Job.State.RUNNING, beat_at=late)
    assert jobs.forsaken(services.JOB_KIND, at=late) == []
