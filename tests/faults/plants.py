"""Faults to plant, by name: each takes a promise away, so that the tests that guard it can be seen to fail.

``plant(patch)`` replaces attributes by ``patch(owner, name, value)``: in this process by pytest's ``monkeypatch``, in a
web process by `tests.faults.web`. Nothing here is reachable from the package.
"""

import itertools
from collections.abc import Callable, Sequence
from typing import Any

import psycopg
from django.conf import settings
from django.db import transaction

from common.postgresql.base import DatabaseWrapper
from redemption import budgets, desk, services
from redemption.desk import Answer, Desk, Key
from redemption.errors import TryLater
from redemption.rules import Act, Attempt
from sms_gateway.carriers.twilio import Twilio
from sms_gateway.models import OutboundMessage
from tests import environment
from tests.environment import embedded

Patch = Callable[[Any, str, Any], None]


def keys_are_forgotten(patch: Patch) -> None:
    """Every request is new, whatever its idempotency key says."""
    whole, numbers = Desk._insert, itertools.count()

    def _insert(self: Desk, lock_timeout_ms: int) -> Callable[[], dict[Key, int]]:
        known, mark = self.leaders, f"{id(self)}-{next(numbers)}"
        names = {(door, client, f"{name[:20]}-{mark}"): (door, client, name) for door, client, name in known}
        self.leaders = {other: known[key] for other, key in names.items()}
        try:
            opened = whole(self, lock_timeout_ms)
        finally:
            self.leaders = known
        return lambda: {names[other]: scan_id for other, scan_id in opened().items()}

    patch(Desk, "_insert", _insert)


def keys_outlive_their_transaction(patch: Patch) -> None:
    """The row of a request id is committed on its own, before the effect."""

    def _insert(self: Desk, _lock_timeout_ms: int) -> Callable[[], dict[Key, int]]:
        with _owner() as session:
            session.execute(f"SET search_path = {environment.BRAND}")
            rows = {
                key: session.execute(
                    """
                    INSERT INTO redemption_request (scan_id, door, client_id, request_id, content_mac)
                    VALUES (nextval('redemption_scan_id_seq'), %s, %s, %s, %s) ON CONFLICT DO NOTHING RETURNING scan_id
                    """,
                    [*key, self.macs[case]],
                ).fetchone()
                for key, case in self.leaders.items()
            }
        return lambda: {key: row[0] for key, row in rows.items() if row}

    patch(Desk, "_insert", _insert)


def bodies_are_not_compared(patch: Patch) -> None:
    """An idempotency key answers for every body that comes under it."""
    patch(desk, "content_mac", lambda *_: bytes(32))


def a_lost_store_lets_all_pass(patch: Patch) -> None:
    """The budget fails open: no store, no limit."""
    patch(budgets, "_fallback_refusal", lambda _group: None)


def failures_are_not_charged(patch: Patch) -> None:
    """A guess costs nothing."""
    patch(budgets, "charge", lambda _failures: None)


def an_emptied_store_is_believed(patch: Patch) -> None:
    """A store that comes back empty is taken to mean that nobody has failed."""

    def begin_anew(store: budgets._Store) -> None:
        store.client.set(store.name("epoch"), "1")
        store.down_since = None

    patch(budgets._Store, "_count_again", begin_anew)


def the_same_failure_counts_again(patch: Patch) -> None:
    """An honest typist who repeats one wrong code runs out of tries."""
    patch(budgets, "write_failures", list)


def one_fails_its_neighbours(patch: Patch) -> None:
    """A batch with one poisoned attempt fails as a whole."""

    def answers(act: Act, attempts: Sequence[Attempt]) -> list[Answer]:
        try:
            return services._together(act, attempts)
        except Exception:
            return [TryLater() for _ in attempts]

    patch(services, "_answers", answers)


def unsigned_webhooks_are_believed(patch: Patch) -> None:
    """Whoever knows the address of a webhook may say anything."""
    patch(Twilio, "authenticate", lambda *_: None)


def messages_are_written_after_the_commit(patch: Patch) -> None:
    """The outbox is no part of its caller's transaction: a process that dies in between loses the message."""

    def create(**values: Any) -> OutboundMessage:
        message = OutboundMessage(**values)
        transaction.on_commit(message.save)
        return message

    patch(OutboundMessage.objects, "create", create)


def a_schema_is_forgotten(patch: Patch) -> None:
    """Now and then a connection of the pool still points at the brand that it served before."""
    whole, turns = DatabaseWrapper.set_tenant, itertools.count(1)

    def set_tenant(self: DatabaseWrapper, tenant: object, include_public: bool = True) -> None:
        before = self.search_path_set_schemas
        whole(self, tenant, include_public)
        if before and next(turns) % 20 == 0:
            self.search_path_set_schemas = before

    patch(DatabaseWrapper, "set_tenant", set_tenant)


def _owner() -> psycopg.Connection[Any]:
    database = str(settings.DATABASES["default"]["NAME"])
    return psycopg.connect(environment.CLUSTER.url(embedded.OWNER_ROLE, database), autocommit=True)


def receipts_go_down() -> None:
    """Scans are numbered downwards: a database fault, planted in a throw-away database."""
    with _owner() as session:
        session.execute(
            f"ALTER SEQUENCE {environment.BRAND}.redemption_scan_id_seq INCREMENT -1 MINVALUE 1 START 900000 RESTART 900000"
        )
