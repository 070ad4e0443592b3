"""Who pays cash prizes: the port that an adapter implements, and a simulator of one.

The one promise of an adapter: under one key money moves at most once, however often it is asked. A call without an
answer (`TimeoutError`, `OSError`) means that nobody knows; `lottery.services.paying` asks again, under the same key.
"""

from dataclasses import dataclass
from typing import Protocol, cast
from uuid import UUID

from django.conf import settings
from django.core.cache import cache
from django.utils.module_loading import import_string

from common.db import schema_name


@dataclass(frozen=True, slots=True)
class Order:
    """One payment: ``amount`` in minor units, ``payee`` as the winner wrote it."""

    key: UUID
    amount: int
    currency: str
    payee: str
    name: str


@dataclass(frozen=True, slots=True)
class Paid:
    """The money has moved. ``reference``: the payer's own number."""

    reference: str


@dataclass(frozen=True, slots=True)
class Declined:
    """No money has moved under this key. ``code``: why."""

    code: str


class Payer(Protocol):
    """An adapter of a payment service."""

    def pay(self, order: Order) -> Paid | Declined:
        """Pay once; asked again under the same key, give the first answer. Raises TimeoutError, OSError."""

    def look_up(self, key: UUID) -> Paid | None:
        """Return what became of a key, None if no money has moved under it. Raises TimeoutError, OSError."""


class Simulator:
    """A payer that keeps its books in the cache, for the demo and tests; refused in production.

    A payee that ends in "timeout" is paid, and the answer gets lost once; one that ends in "refused" does not exist.
    """

    def pay(self, order: Order) -> Paid | Declined:
        """See `Payer`."""
        if order.payee.endswith("refused"):
            return Declined("no_such_account")
        reference = f"SIM-{order.key.hex[:12].upper()}"
        fresh = cache.add(self._name(order.key), reference, timeout=None)
        if fresh and order.payee.endswith("timeout"):
            raise TimeoutError
        return Paid(reference)

    def look_up(self, key: UUID) -> Paid | None:
        """See `Payer`."""
        found = cache.get(self._name(key))
        return Paid(str(found)) if found else None

    @staticmethod
    def _name(key: UUID) -> str:
        return f"payer-simulator:{schema_name()}:{key.hex}"


def payer() -> Payer | None:
    """Return the adapter that `PAYOUT_ADAPTER` names; None where prizes are paid by hand."""
    return cast("Payer", import_string(settings.PAYOUT_ADAPTER)()) if settings.PAYOUT_ADAPTER else None
