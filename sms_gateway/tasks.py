"""Periodic work on messages."""

from celery import shared_task
from django.db import transaction

from common.clock import now
from sms_gateway import services


@shared_task
def forget_old_messages() -> None:
    """Clear number and text of messages older than 30 days."""
    with transaction.atomic(durable=True):
        services.forget_old_messages(at=now())
