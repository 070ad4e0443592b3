"""Periodic work on goods."""

from celery import shared_task
from django.conf import settings

from channel import acts, capturing, telling
from common.clock import now


@shared_task
def receive_what_nobody_did() -> None:
    """Take in what nobody confirmed in time, where the operator wishes so."""
    if settings.CHANNEL_AUTO_RECEIPT_DAYS:
        acts.receive_what_nobody_did(at=now(), days=settings.CHANNEL_AUTO_RECEIPT_DAYS)


@shared_task
def go_on_with_events() -> None:
    """Apply events whose process died, and tell as events what we did and know."""
    capturing.apply_waiting(at=now())
    telling.tell_waiting(at=now())
    telling.tell_facts(at=now())
