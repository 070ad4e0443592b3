"""The cache: what it holds can always be done without."""

from contextlib import suppress
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError


class ForgivingCache(RedisCache):
    """A cache in Valkey that counts as empty while Valkey is away or slow: a page is slower then, and no error.

    ``add`` and ``incr`` still raise: who uses them wants to know what the others did.
    """

    def get(self, key: str, default: Any = None, version: int | None = None) -> Any:
        with suppress(RedisError):
            return super().get(key, default, version)
        return default

    def set(self, *args: Any, **kwargs: Any) -> None:
        with suppress(RedisError):
            super().set(*args, **kwargs)

    def delete(self, key: str, version: int | None = None) -> bool:
        with suppress(RedisError):
            return bool(super().delete(key, version))
        return False
