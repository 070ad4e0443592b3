"""Periodic work on messages."""

from typing import Any

from celery import shared_task
from celery.utils.log import get_task_logger
from django.db import transaction

from common.clock import now
from sms_gateway import answering, outbox, services, simulated

log = get_task_logger(__name__)


@shared_task
def forget_old_messages() -> None:
    """Clear number and text of messages older than 30 days."""
    with transaction.atomic(durable=True):
        services.forget_old_messages(at=now())


@shared_task
def send_waiting() -> None:
    """Send what is due."""
    outbox.send_due()


@shared_task
def simulate_reports(number: str, to: str, sid: str, callback: str, segments: str) -> None:
    """Let the simulator report the delivery of a message."""
    simulated.report(number, to, sid, callback, segments)


@shared_task
def sweep() -> None:
    """Decide about messages that nobody has answered, and send what waits: whoever should have done it may be gone."""
    answering.decide_due(at=now())
    outbox.send_due()


def push(task: Any, *arguments: Any) -> None:
    """Send a task; a broker that is away is no error, since the sweep comes every minute."""
    try:
        task.apply_async(arguments, retry=False)
    except Exception:  # whatever the broker's library raises
        log.warning("the broker did not take %s; the sweep does its work later", task.name)
