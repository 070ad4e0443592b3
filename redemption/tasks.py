"""Periodic work on what was scanned."""

from celery import shared_task

from common.clock import now
from common.periodic import advisory_lock
from redemption import batches, cautions, routes, services


@shared_task
def forget_old() -> None:
    """Drop coordinates and failures whose time is over."""
    services.forget_old(at=now())


@shared_task
def close_ended() -> None:
    """Close the batches of which nothing is left to redeem."""
    batches.close_ended(at=now())


@shared_task
def sweep_documents() -> None:
    """Judge anew the scans that late documents may have changed."""
    with advisory_lock("redemption.sweep_documents") as free:
        if free:
            routes.sweep_documents(at=now())


@shared_task
def end_held() -> None:
    """Go on ending the rewards that lifted cautions held."""
    cautions.end_held(at=now())
