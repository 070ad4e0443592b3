"""Work for later. A task that never started or died is found by `sweep`."""

from typing import Any

from celery import shared_task
from celery.utils.log import get_task_logger

from common import jobs
from common.clock import now
from labels import manifests, services
from labels.models import Batch, Manifest

log = get_task_logger(__name__)


@shared_task
def generate(batch_id: int) -> None:
    """Prove a batch's codes and open it."""
    services.generate_batch(batch_id)


@shared_task
def make_manifest(manifest_id: int) -> None:
    """Compute the Merkle root over a batch's labels."""
    manifests.make(manifest_id)


@shared_task
def sweep() -> None:
    """Push again what nobody works on."""
    forsaken = jobs.forsaken(services.JOB_KIND, at=now())
    for batch_id in Batch.objects.filter(job__in=forsaken, state=Batch.State.DRAFT).values_list("id", flat=True):
        push(generate, batch_id)
    waiting = jobs.forsaken(manifests.JOB_KIND, at=now())
    for manifest_id in Manifest.objects.filter(job__in=waiting).values_list("id", flat=True):
        push(make_manifest, manifest_id)


def push(task: Any, *arguments: Any) -> None:
    """Send a task; a broker that is away is no error, since `sweep` sends it again."""
    try:
        task.delay(*arguments)
    except Exception:  # whatever the broker's library raises
        log.warning("the broker did not take %s; it is sent again later", task.name)
