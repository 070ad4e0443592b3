"""Work for later. A build that never started or died is found by `sweep`."""

from datetime import timedelta

from celery import shared_task

from common import jobs
from common.clock import now
from labels.tasks import push
from printing import building, services
from printing.models import PrintJob

PATIENCE = timedelta(minutes=20)
__all__ = ["build", "push", "sweep"]


@shared_task
def build(print_job_id: int) -> None:
    """Build the files of a print; what takes long is taken up again, so that no task runs for hours."""
    if not building.build(print_job_id, patience=PATIENCE):
        push(build, print_job_id)


@shared_task
def sweep() -> None:
    """Push again what nobody works on, end links whose time is over, delete files that nobody waits for."""
    forsaken = jobs.forsaken(building.JOB_KIND, at=now())
    for print_job_id in PrintJob.objects.filter(job__in=forsaken).values_list("id", flat=True):
        push(build, print_job_id)
    building.give_up_ended()
    services.expire(at=now())
    services.tidy()
