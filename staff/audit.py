"""The trail of who did what: the trigger `common.db.Audited` reads the actor from settings that are made here."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from typing import Any

from django.db import connection, transaction

from staff.models import Audit

_NAMES = ("actor", "reason", "request_id", "ip_prefix")
_LIMITS = {"actor": 60, "reason": 200, "request_id": 64, "ip_prefix": 50}


@contextmanager
def acting(actor: str, reason: str = "", request_id: str = "", ip_prefix: str = "") -> Iterator[None]:
    """Name who acts, for every audited change inside the block.

    Inside a transaction the settings are local to it; outside they cover the transactions begun in the block, and
    are put back at its end.
    """
    values = dict(zip(_NAMES, (actor, reason, request_id, ip_prefix), strict=True))
    local = connection.in_atomic_block
    before = _read()
    _write({name: text.replace("\x00", "")[: _LIMITS[name]] for name, text in values.items()}, local=local)
    try:
        yield
    finally:
        # A transaction that failed takes its local settings with it.
        if not (local and connection.needs_rollback) and connection.connection is not None:
            _write(before, local=local)


def record(act: str, *, at: datetime, table: str = "", row_id: str = "", facts: dict[str, Any] | None = None) -> None:
    """Write one act that changes no row: an export, a bulk read, a sign-in. ``facts`` hold no personal data."""
    by = _read()
    Audit.objects.create(at=at, table_name=table, row_id=row_id, act=act, after=facts, **by)


def _read() -> dict[str, str]:
    columns = ", ".join(f"coalesce(current_setting('zhenbiao.{name}', true), '')" for name in _NAMES)
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}")
        row = cursor.fetchone()
    return dict(zip(_NAMES, row, strict=True))


def _write(values: dict[str, str], *, local: bool) -> None:
    columns = ", ".join(f"set_config('zhenbiao.{name}', %s, %s)" for name in _NAMES)
    parameters = [part for name in _NAMES for part in (values[name], local)]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {columns}", parameters)


@contextmanager
def transaction_by(actor: str, reason: str = "") -> Iterator[None]:
    """Open a transaction in which ``actor`` acts: for tasks and commands."""
    with transaction.atomic(durable=True), acting(actor, reason):
        yield
