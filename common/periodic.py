"""Work that is done once in each period, whatever the broker delivers and whoever dies."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

from django.db import connection

from common.db import schema_name
from common.models import PeriodicRun


@contextmanager
def advisory_lock(task: str) -> Iterator[bool]:
    """Try to hold the database's lock of this task in this brand; say whether it was free.

    Advisory locks span the database, hence the schema in the key.
    """
    key = [schema_name(), task]
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(hashtext(%s), hashtext(%s))", key)
        [held] = cursor.fetchone() or (False,)
    try:
        yield bool(held)
    finally:
        if held:
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(hashtext(%s), hashtext(%s))", key)


def run_once(task: str, period: str, work: Callable[[], object], *, at: datetime) -> bool:
    """Do the work unless this period is done or being done; say whether it was.

    A run that died half-way is started again by the next message, so the work must bear being repeated.
    """
    with advisory_lock(task) as free:
        if not free:
            return False
        run, _ = PeriodicRun.objects.get_or_create(task=task, period=period, defaults={"started_at": at})
        if run.ended_at is not None:
            return False
        work()
        run.ended_at = at
        run.save(update_fields=["ended_at"])
        return True
