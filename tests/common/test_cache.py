"""A cache that is away is an empty one."""

from common.cache import ForgivingCache
from config.embedded import free_port


def test_a_cache_that_is_away_is_empty() -> None:
    away = ForgivingCache(f"redis://127.0.0.1:{free_port()}/0", {})

    away.set("name", 1)

    assert away.get("name") is None
    assert away.get("name", 7) == 7
    assert away.delete("name") is False
