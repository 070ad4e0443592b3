"""Gathers what arrives while the last batch commits: one statement for sixty rows costs little more than for one.

One queue per brand and kind of work; a few threads take the fullest. An idle process runs batches of one; a busy one
takes whatever came while the last batch committed. Threads start at the first item of a process and have database
connections of their own; at shutdown the queues are drained. A batch that dies answers what it held with `away`.
"""

import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from django.db import connection

I = TypeVar("I")  # noqa: E741 - item
O = TypeVar("O")  # noqa: E741 - outcome
MOST = 64
FEW = 4
DRAIN_S = 30.0
TRUSTED_S = 1.0  # a connection that worked so lately is not asked first whether it still does
log = logging.getLogger(__name__)


class _Ticket(Generic[I, O]):
    """One item in a queue; its lock is released when the outcome is there (a `Future` costs five times as much)."""

    __slots__ = ("item", "outcome", "ready")

    def __init__(self, item: I) -> None:
        self.item = item
        self.outcome: O | None = None
        self.ready = threading.Lock()
        self.ready.acquire()

    def give(self, outcome: O) -> None:
        """Answer, once."""
        if self.outcome is None:
            self.outcome = outcome
            self.ready.release()


@dataclass(slots=True)
class _Queue(Generic[I, O]):
    tenant: Any
    kind: str
    waiting: deque[_Ticket[I, O]] = field(default_factory=deque)


class _Hands(Generic[I, O]):
    """The queues of one process and the threads that empty them."""

    def __init__(self, owner: "Collector[I, O]") -> None:
        self.owner = owner
        self.queues: dict[tuple[str, str], _Queue[I, O]] = {}
        self.changed = threading.Condition()
        self.closing = False
        self.batches = self.items = self.busy = 0
        self.threads = [
            threading.Thread(target=self._work, name=f"{owner.name}-{number}", daemon=True)
            for number in range(owner.threads())
        ]
        for thread in self.threads:
            thread.start()

    def submit(self, kind: str, item: I, within_s: float) -> O:
        ticket: _Ticket[I, O] = _Ticket(item)
        tenant = connection.tenant
        with self.changed:
            if self.closing:
                return self.owner.away()
            queue = self.queues.get((tenant.schema_name, kind))
            if queue is None:
                queue = self.queues[tenant.schema_name, kind] = _Queue(tenant, kind)
            queue.tenant = tenant
            queue.waiting.append(ticket)
            if not self.busy or len(queue.waiting) % self.owner.enough == 0:
                self.changed.notify()
        ticket.ready.acquire(timeout=within_s)
        return self.owner.away() if ticket.outcome is None else ticket.outcome

    def close(self) -> None:
        """Answer what waits, then end the threads; later items are told to come again."""
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        for thread in self.threads:
            thread.join(timeout=DRAIN_S)

    def _work(self) -> None:
        worked_at = 0.0
        while taken := self._take():
            queue, batch = taken
            try:
                self._answer(queue, batch, trusted=time.monotonic() - worked_at < TRUSTED_S)
                worked_at = time.monotonic()
                if len(batch) > FEW:
                    time.sleep(self.owner.return_s)  # those just answered come back together, not one before the others
            except BaseException as error:
                # Whatever it was, nobody may wait for ever for an answer.
                log.exception("a batch failed", exc_info=error)
                for ticket in batch:
                    ticket.give(self.owner.away())
                if not isinstance(error, Exception):
                    raise
            finally:
                with self.changed:
                    self.busy -= 1
                    self.changed.notify()
        connection.close()

    def _take(self) -> tuple[_Queue[I, O], list[_Ticket[I, O]]] | None:
        """Wait for work; return up to 64 items of the queue with most waiting, or None at the end.

        While another thread is at work only a good batch is worth a second one: a batch costs nearly as much as its
        statements, whatever its size.
        """
        with self.changed:
            while True:
                fullest = max(self.queues.values(), key=lambda queue: len(queue.waiting), default=None)
                waiting = len(fullest.waiting) if fullest else 0
                if fullest is not None and waiting and (not self.busy or waiting >= self.owner.enough or self.closing):
                    batch = [fullest.waiting.popleft() for _ in range(min(MOST, len(fullest.waiting)))]
                    self.busy += 1
                    self.batches += 1
                    self.items += len(batch)
                    return fullest, batch
                if self.closing and not waiting:
                    return None
                self.changed.wait()

    def _answer(self, queue: _Queue[I, O], batch: list[_Ticket[I, O]], *, trusted: bool) -> None:
        connection.close_if_unusable_or_obsolete()  # after an error it asks in any case
        if trusted:
            connection.health_check_done = True  # type: ignore[attr-defined]
        if connection.tenant is not queue.tenant:  # each time costs a statement
            connection.set_tenant(queue.tenant)
        outcomes = self.owner.run(queue.kind, [ticket.item for ticket in batch])
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.give(outcome)


class Collector(Generic[I, O]):
    """``run(kind, items)`` returns an outcome (never None) for each item, in order.

    ``threads`` is asked when they start. ``enough`` items waiting are worth a second thread at the same time. After a
    batch its thread waits ``return_s`` for those just answered, so that they come back together. ``away`` makes the
    outcome of an item whose own is not known: the batch died, the process ends, or the answer took longer than its caller
    waits (the item may still be done then).
    """

    def __init__(
        self,
        run: Callable[[str, Sequence[I]], Sequence[O]],
        *,
        name: str,
        threads: Callable[[], int],
        away: Callable[[], O],
        enough: int = 16,
        return_s: float = 0.001,
    ) -> None:
        self.run, self.name, self.threads, self.away = run, name, threads, away
        self.enough, self.return_s = enough, return_s
        self._running: tuple[int, _Hands[I, O]] | None = None
        self._starting = threading.Lock()

    def submit(self, item: I, *, kind: str = "", within_s: float) -> O:
        """Do one item of the brand that this thread's connection points at, together with whatever else waits."""
        return self._hands().submit(kind, item, within_s)

    def _hands(self) -> _Hands[I, O]:
        """Return this process's threads; a forked child starts its own."""
        if self._running is None or self._running[0] != os.getpid():
            with self._starting:
                if self._running is None or self._running[0] != os.getpid():
                    self._running = (os.getpid(), _Hands(self))
                    atexit.register(self.close)
        return self._running[1]

    def close(self) -> None:
        """Drain this process's queues, if it has any."""
        with self._starting:
            running, self._running = self._running, None
        if running is not None and running[0] == os.getpid():
            running[1].close()

    def statistics(self) -> tuple[int, int]:
        """Return how many batches this process ran, and how many items they held."""
        return (self._running[1].batches, self._running[1].items) if self._running else (0, 0)
