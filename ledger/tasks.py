"""What time does to the books. Both tasks are sent again and again, and bear it."""

from datetime import datetime

from celery import shared_task
from django.db import transaction

from brands.queries import brand_date
from common.clock import now
from common.periodic import advisory_lock, run_once
from ledger import queries, services


@shared_task
def expire_lots() -> None:
    """Let lots expire whose last day is over, once for each day of the brand: see `sweep_lots`."""
    at = now()
    run_once("ledger.expire_lots", brand_date(at).isoformat(), lambda: sweep_lots(at), at=at)


@shared_task
def expire_holds() -> None:
    """Give back what was held too long."""
    with advisory_lock("ledger.expire_holds") as free:
        while free:
            with transaction.atomic(durable=True):
                if not services.expire_holds(as_of=now()):
                    return


def sweep_lots(at: datetime) -> int:
    """Let lots expire in slices of accounts, each in a transaction of its own; return how many lost something."""
    count, after = 0, 0
    while accounts := queries.accounts_to_expire(at, after):
        with transaction.atomic(durable=True):
            count += services.expire_lots(as_of=at, accounts=accounts)
        after = accounts[-1]
    return count
