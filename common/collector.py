"""Gathers what arrives while the last batch commits: one statement for sixty rows costs little more than for one.

One queue per brand and kind of work; a few threads take the fullest. An idle process runs batches of one; a busy one
takes whatever came while the last batch committed. Threads start at the first item of a process and have database
connections of their own; at shutdown the queues are drained. A batch that dies answers what it held with `away`.

A thread waits for its outcome (`submit`), an event loop awaits it (`ask`).
"""

import asyncio
import atexit
import logging
import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
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


class _Promise(Generic[I, O]):
    """One item of an event loop, in a queue; the loop is told of its outcome together with those beside it (`_tell`)."""

    __slots__ = ("future", "item", "outcome")

    def __init__(self, item: I) -> None:
        self.item = item
        self.outcome: O | None = None
        self.future: asyncio.Future[O | None] = asyncio.get_running_loop().create_future()

    def give(self, outcome: O) -> None:
        """Answer, once."""
        if self.outcome is None:
            self.outcome = outcome


def _tell(promises: Sequence[_Promise[Any, Any]]) -> None:
    """Let those who asked go on; without an outcome they have waited for long enough."""
    for promise in promises:
        if not promise.future.done():  # whoever asked may have gone
            promise.future.set_result(promise.outcome)


_Batch = list[_Ticket[I, O] | _Promise[I, O]]


@dataclass(slots=True)
class _Queue(Generic[I, O]):
    tenant: Any
    kind: str
    waiting: deque[_Ticket[I, O] | _Promise[I, O]] = field(default_factory=deque)
    busy: int = 0  # batches of it under way
    whole: int = 0  # how many will wait once those just answered are back
    until: float = 0.0  # they are waited for so long, by the monotonic clock


class _Hands(Generic[I, O]):
    """The queues of one process and the threads that empty them."""

    def __init__(self, owner: "Collector[I, O]") -> None:
        self.owner = owner
        self.queues: dict[tuple[str, str], _Queue[I, O]] = {}
        self.changed = threading.Condition()
        self.closing = False
        self.batches = self.items = 0
        self.threads = [
            threading.Thread(target=self._work, name=f"{owner.name}-{number}", daemon=True)
            for number in range(owner.threads())
        ]
        for thread in self.threads:
            thread.start()

    def put(self, kind: str, ticket: _Ticket[I, O] | _Promise[I, O], tenant: Any) -> bool:
        """Queue an item; return whether anybody will do it."""
        with self.changed:
            if self.closing:
                return False
            queue = self.queues.get((tenant.schema_name, kind))
            if queue is None:
                queue = self.queues[tenant.schema_name, kind] = _Queue(tenant, kind)
            queue.tenant = tenant
            queue.waiting.append(ticket)
            if self._is_ready(queue, time.monotonic()):
                self.changed.notify()
        return True

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
            except BaseException as error:
                # Whatever it was, nobody may wait for ever for an answer.
                log.exception("a batch failed", exc_info=error)
                _give(batch, [self.owner.away() for _ in batch])
                if not isinstance(error, Exception):
                    raise
            finally:
                with self.changed:
                    queue.busy -= 1
                    self.changed.notify()
        connection.close()

    def _take(self) -> tuple[_Queue[I, O], _Batch[I, O]] | None:
        """Wait for work; return up to 64 items of the queue with most waiting, or None at the end."""
        with self.changed:
            while True:
                now = time.monotonic()
                ready = [queue for queue in self.queues.values() if self._is_ready(queue, now)]
                if ready:
                    queue = max(ready, key=lambda one: len(one.waiting))
                    batch = [queue.waiting.popleft() for _ in range(min(MOST, len(queue.waiting)))]
                    queue.busy += 1
                    self.batches += 1
                    self.items += len(batch)
                    return queue, batch
                if self.closing:
                    return None
                rests = [queue.until - now for queue in self.queues.values() if queue.until > now]
                self.changed.wait(min(rests, default=None))

    def _is_ready(self, queue: _Queue[I, O], now: float) -> bool:
        """Return whether a batch of a queue should begin.

        While one of the same queue is under way only a good one is worth its statements beside it; after it, one waits for
        those just answered, though not for long, since some will not come back.
        """
        waiting = len(queue.waiting)
        if not waiting or self.closing:
            return waiting > 0
        if queue.busy:
            return waiting >= self.owner.enough
        return waiting >= min(queue.whole, MOST) or now >= queue.until

    def _answer(self, queue: _Queue[I, O], batch: _Batch[I, O], *, trusted: bool) -> None:
        connection.close_if_unusable_or_obsolete()  # after an error it asks in any case
        if trusted:
            connection.health_check_done = True  # type: ignore[attr-defined]
        if connection.tenant is not queue.tenant:  # each time costs a statement
            connection.set_tenant(queue.tenant)
        outcomes = self.owner.run(queue.kind, [ticket.item for ticket in batch])
        if len(batch) > FEW:  # whoever asks again does so at once
            with self.changed:
                queue.whole = len(queue.waiting) + len(batch)
                queue.until = time.monotonic() + self.owner.return_s
        _give(batch, outcomes)


def _give(batch: _Batch[I, O], outcomes: Sequence[O]) -> None:
    """Answer every item of a batch; each event loop is woken once."""
    asked: dict[asyncio.AbstractEventLoop, list[_Promise[I, O]]] = {}
    for ticket, outcome in zip(batch, outcomes, strict=True):
        ticket.give(outcome)
        if isinstance(ticket, _Promise):
            asked.setdefault(ticket.future.get_loop(), []).append(ticket)
    for loop, promises in asked.items():
        with suppress(RuntimeError):  # a loop that has ended has nobody waiting
            loop.call_soon_threadsafe(_tell, promises)


class Collector(Generic[I, O]):
    """``run(kind, items)`` returns an outcome (never None) for each item, in order.

    ``threads`` is asked when they start. ``enough`` items waiting are worth a second thread at the same time. After a
    batch its queue waits, at most ``return_s``, for those just answered, so that they come back together. ``away`` makes the
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
        return_s: float = 0.01,
    ) -> None:
        self.run, self.name, self.threads, self.away = run, name, threads, away
        self.enough, self.return_s = enough, return_s
        self._running: tuple[int, _Hands[I, O]] | None = None
        self._starting = threading.Lock()

    def submit(self, item: I, *, kind: str = "", within_s: float) -> O:
        """Do one item of the brand that this thread's connection points at, together with whatever else waits."""
        ticket: _Ticket[I, O] = _Ticket(item)
        if self._hands().put(kind, ticket, connection.tenant):
            ticket.ready.acquire(timeout=within_s)
        return self.away() if ticket.outcome is None else ticket.outcome

    async def ask(self, item: I, *, kind: str = "", tenant: Any, within_s: float) -> O:
        """Do one item of a brand, together with whatever else waits. No statement is sent from the event loop's thread."""
        promise: _Promise[I, O] = _Promise(item)
        if not self._hands().put(kind, promise, tenant):
            return self.away()
        late = promise.future.get_loop().call_later(within_s, _tell, [promise])  # half of what asyncio.timeout costs
        try:
            outcome = await promise.future
        finally:
            late.cancel()
        return self.away() if outcome is None else outcome

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
