"""Failure budgets: how often one subject may fail in a moving window, kept in Valkey by `limits`.

Fails closed: when the store does not answer, each process counts by itself and allows a tenth.
"""

from functools import cache

from django.conf import settings
from django.utils.crypto import salted_hmac
from limits import RateLimitItem, RateLimitItemPerDay, RateLimitItemPerHour
from limits.errors import StorageError
from limits.storage import MemoryStorage, storage_from_string
from limits.strategies import MovingWindowRateLimiter

from common.db import schema_name

_FALLBACK_PART = 10


class Budget:
    """Some failures an hour and a day for each subject; subjects are stored as HMACs, apart for each brand."""

    def __init__(self, name: str, *, per_hour: int, per_day: int | None = None) -> None:
        self.name = name
        self.per_hour = per_hour
        self.per_day = per_day

    def is_empty(self, subject: str) -> bool:
        """Return whether ``subject`` has failed too often."""
        return not all(self._each("test", subject))

    def charge(self, subject: str) -> None:
        """Count one failure."""
        self._each("hit", subject)

    def _each(self, act: str, subject: str) -> list[bool]:
        key = salted_hmac(f"budget.{self.name}", f"{schema_name()}\x00{subject}").hexdigest()[:32]
        try:
            return [getattr(_limiter(), act)(item, key) for item in self._items()]
        except (StorageError, OSError):
            return [getattr(_own_limiter(), act)(item, key) for item in self._items(_FALLBACK_PART)]

    def _items(self, divided_by: int = 1) -> list[RateLimitItem]:
        def scaled(count: int) -> int:
            return max(count * settings.FAILURE_BUDGET_SCALE // divided_by, 1)

        items: list[RateLimitItem] = [RateLimitItemPerHour(scaled(self.per_hour), namespace=self.name)]
        if self.per_day is not None:
            items.append(RateLimitItemPerDay(scaled(self.per_day), namespace=self.name))
        return items


@cache
def _limiter() -> MovingWindowRateLimiter:
    if not settings.CACHE_URL:
        return _own_limiter()
    url = settings.CACHE_URL.replace("redis", "valkey", 1)
    timeout = settings.STORE_TIMEOUT_S
    storage = storage_from_string(url, wrap_exceptions=True, socket_timeout=timeout, socket_connect_timeout=timeout)
    return MovingWindowRateLimiter(storage)


@cache
def _own_limiter() -> MovingWindowRateLimiter:
    return MovingWindowRateLimiter(MemoryStorage())
