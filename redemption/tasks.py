"""Periodic work on what was scanned."""

from celery import shared_task

from common.clock import now
from redemption import batches, services


@shared_task
def forget_old() -> None:
    """Drop coordinates and failures whose time is over."""
    services.forget_old(at=now())


@shared_task
def close_ended() -> None:
    """Close the batches of which nothing is left to redeem."""
    batches.close_ended(at=now())
