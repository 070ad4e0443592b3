"""Periodic work on campaigns."""

from celery import shared_task

from common.clock import now
from lottery import services


@shared_task
def rebalance() -> None:
    """Even out budgets of which a slot has run empty."""
    services.rebalance_all()


@shared_task
def close_due() -> None:
    """Mark campaigns closed whose time is over."""
    services.close_due(at=now())
