"""Files that the operator supplies and may replace at any time: read when first asked for, and again when replaced."""

import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Generic, NamedTuple, TypeVar

from django.utils.functional import Promise

V = TypeVar("V")
LOOK_EVERY_S = 30.0
log = logging.getLogger(__name__)


class Unusable(Exception):
    """The file cannot be used; its one argument says why, in words for the operator (they may be translated lazily)."""


class Loaded(NamedTuple, Generic[V]):
    """The file in use. ``error`` says why there is no content, or why it is not the newest."""

    content: V | None = None
    path: str = ""
    modified: float = 0.0
    error: str | Promise = ""


class OperatorFile(Generic[V]):
    """What ``read`` makes of the file that is named at each call; looks every half minute whether it was replaced.

    Never fails: what is damaged or gone leaves what it held before in use, is told in ``error`` and in the log, and is
    read once. Raise `Unusable` in ``read`` to say more than the kind of an exception.
    """

    def __init__(self, what: str, read: Callable[[Path], V]) -> None:
        self.what, self.read = what, read
        self._looking = threading.Lock()
        self._loaded: Loaded[V] = Loaded()
        self._looked_at = float("-inf")

    def __call__(self, name: str) -> Loaded[V]:
        """Return the file of this name, "" for none."""
        fresh = self._loaded.path == name and time.monotonic() - self._looked_at < LOOK_EVERY_S
        if not fresh and self._looking.acquire(blocking=False):
            try:
                self._loaded = self._look(self._loaded, name)
                self._looked_at = time.monotonic()
            finally:
                self._looking.release()
        return self._loaded

    def forget(self) -> None:
        """Look at the file again at the next call, as if for the first time."""
        self._loaded, self._looked_at = Loaded(), float("-inf")

    def _look(self, present: Loaded[V], name: str) -> Loaded[V]:
        if not name:
            return Loaded()
        kept, modified = present.content if present.path == name else None, 0.0
        try:
            modified = Path(name).stat().st_mtime
            if (name, modified) == (present.path, present.modified):
                return present
            return Loaded(self.read(Path(name)), name, modified)
        except Exception as error:  # a damaged file must not stop a redemption
            told = error.args[0] if isinstance(error, Unusable) else type(error).__name__
            log.warning("%s is not used: %s", self.what, told)
            return Loaded(kept, name, modified, told)
