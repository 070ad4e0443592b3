"""What time does to the books. Both tasks are sent again and again, and bear it."""

from datetime import datetime, timedelta

from celery import shared_task
from django.db import transaction

from brands.queries import brand_date
from common.clock import now
from common.periodic import advisory_lock, run_once
from ledger import copies, queries, services
from staff.keys import sign_key


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


@shared_task
def seal() -> None:
    """Seal what has been written since the last seal."""
    at = now()
    key = sign_key(at=at)
    with advisory_lock("ledger.seal") as free:
        if free:
            services.seal(key=key, at=at)


@shared_task
def publish_seal() -> None:
    """Send the last seal of the day that has ended out of the house, once for each day of the brand."""
    at = now()
    day = brand_date(at) - timedelta(days=1)
    run_once("ledger.publish_seal", day.isoformat(), lambda: copies.publish(day, at=at), at=at)


def sweep_lots(at: datetime) -> int:
    """Let lots expire in slices of accounts, each in a transaction of its own; return how many lost something."""
    count, after = 0, 0
    while accounts := queries.accounts_to_expire(at, after):
        with transaction.atomic(durable=True):
            count += services.expire_lots(as_of=at, accounts=accounts)
        after = accounts[-1]
    return count
