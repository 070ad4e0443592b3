"""Values that many requests ask for and that seldom change: read now and then, kept in this process between."""

import threading
import time
from collections.abc import Callable
from typing import Generic, TypeVar

V = TypeVar("V")
MOST = 10_000


class Kept(Generic[V]):
    """``read(key)`` no oftener than every ``for_s`` seconds.

    When a value has just grown old one thread reads it again, and the others go on with the old one meanwhile: they would
    all do the same work at the same moment. A value twice as old is good for nobody. What ``read`` raises is not kept.
    """

    def __init__(self, read: Callable[[str], V], *, for_s: float = 10.0) -> None:
        self.read, self.for_s = read, for_s
        self._values: dict[str, tuple[float, V]] = {}
        self._reading = threading.Lock()

    def __call__(self, key: str = "") -> V:
        """Return the value of a key."""
        found = self._values.get(key)
        age = time.monotonic() - found[0] if found else 0.0
        if found is None or age >= 2 * self.for_s:
            return self._read(key)
        if age < self.for_s or not self._reading.acquire(blocking=False):
            return found[1]
        try:
            return self._read(key)
        finally:
            self._reading.release()

    def at_hand(self, key: str = "") -> V | None:
        """Return the value of a key if it is young, else None; nothing is read."""
        found = self._values.get(key)
        return found[1] if found and time.monotonic() - found[0] < self.for_s else None

    def _read(self, key: str) -> V:
        at, value = time.monotonic(), self.read(key)
        if len(self._values) >= MOST:
            self._values.clear()
        self._values[key] = at, value
        return value

    def forget(self) -> None:
        """Read everything again at the next question."""
        self._values.clear()
