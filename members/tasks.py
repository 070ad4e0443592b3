"""Periodic work on members."""

from celery import shared_task
from django.db import transaction

from common.clock import now
from members import services, sign_in

SLICE = 500


@shared_task
def lapse_pending() -> None:
    """Settle holders whom nobody claimed in time, by slices."""
    while services.lapse_pending(at=now(), limit=SLICE) == SLICE:
        pass


@shared_task
def forget_old_codes() -> None:
    """Drop old one-time codes and the counts of their sends."""
    with transaction.atomic(durable=True):
        sign_in.forget_old_codes(at=now())
