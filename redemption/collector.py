"""Gathers the attempts that arrive while the last batch commits, and runs them together.

One queue per brand and act; a few threads take the fullest. An idle process runs batches of one; a busy one takes whatever came
while the last batch committed. Threads start at the first redemption of a process and have database connections of
their own; at shutdown the queues are drained. A thread that dies fails what it held with "try later".
"""

import atexit
import logging
import os
import threading
import time
from collections import deque
from dataclasses import dataclass, field

from django.conf import settings
from django.db import connection

from brands.models import Brand
from redemption import services
from redemption.rules import Act, Attempt, Receipt
from redemption.services import Answer, TryLater

MOST = 64
ENOUGH = 16
FEW = 4
RETURN_S = 0.001
ANSWER_WITHIN_S = 30.0
TRUSTED_S = 1.0  # a connection that worked so lately is not asked first whether it still does
log = logging.getLogger(__name__)


def redeem(attempt: Attempt) -> Receipt:
    """Redeem one code, together with whatever else waits. Raises as `services.redeem`."""
    return _together(Act.REDEEM, attempt)


def verify(attempt: Attempt) -> Receipt:
    """Check one label, together with whatever else waits. Raises as `services.verify`."""
    return _together(Act.CHECK, attempt)


def _together(act: Act, attempt: Attempt) -> Receipt:
    if not settings.COLLECTOR_ENABLED or connection.in_atomic_block:
        return services.redeem(attempt) if act is Act.REDEEM else services.verify(attempt)
    answer = _collector().submit(connection.tenant, act, attempt)
    if isinstance(answer, Receipt):
        return answer
    raise answer


class _Ticket:
    """One attempt in a queue; its lock is released when the answer is there (a `Future` costs five times as much)."""

    __slots__ = ("answer", "attempt", "ready")

    def __init__(self, attempt: Attempt) -> None:
        self.attempt = attempt
        self.answer: Answer | None = None
        self.ready = threading.Lock()
        self.ready.acquire()

    def give(self, answer: Answer) -> None:
        """Answer, once."""
        if self.answer is None:
            self.answer = answer
            self.ready.release()


@dataclass(slots=True)
class _Queue:
    brand: Brand
    act: Act
    waiting: deque[_Ticket] = field(default_factory=deque)


class Collector:
    """The queues of one process and the threads that empty them."""

    def __init__(self, threads: int) -> None:
        self.queues: dict[tuple[str, Act], _Queue] = {}
        self.changed = threading.Condition()
        self.closing = False
        self.batches = self.attempts = self.busy = 0
        self.threads = [
            threading.Thread(target=self._work, name=f"collector-{number}", daemon=True) for number in range(threads)
        ]
        for thread in self.threads:
            thread.start()

    def submit(self, brand: Brand, act: Act, attempt: Attempt) -> Answer:
        """Queue an attempt and wait for its answer."""
        ticket = _Ticket(attempt)
        with self.changed:
            if self.closing:
                return TryLater()
            queue = self.queues.get((brand.schema_name, act))
            if queue is None:
                queue = self.queues[brand.schema_name, act] = _Queue(brand, act)
            queue.brand = brand
            queue.waiting.append(ticket)
            if not self.busy or len(queue.waiting) % ENOUGH == 0:
                self.changed.notify()
        ticket.ready.acquire(timeout=ANSWER_WITHIN_S)
        return ticket.answer or TryLater()

    def close(self) -> None:
        """Answer what waits, then end the threads; later attempts are told to come again."""
        with self.changed:
            self.closing = True
            self.changed.notify_all()
        for thread in self.threads:
            thread.join(timeout=ANSWER_WITHIN_S)

    def _work(self) -> None:
        worked_at = 0.0
        while taken := self._take():
            queue, batch = taken
            try:
                self._answer(queue, batch, trusted=time.monotonic() - worked_at < TRUSTED_S)
                worked_at = time.monotonic()
                if len(batch) > FEW:
                    time.sleep(RETURN_S)  # those just answered come back together, not one before the others
            except BaseException as error:
                # Whatever it was, nobody may wait for ever for an answer.
                log.exception("a batch failed", exc_info=error)
                self._fail(batch)
                if not isinstance(error, Exception):
                    raise
            finally:
                with self.changed:
                    self.busy -= 1
                    self.changed.notify()
        connection.close()

    def _take(self) -> tuple[_Queue, list[_Ticket]] | None:
        """Wait for work; return up to 64 attempts of the queue with most waiting, or None at the end.

        While another thread is at work only a good batch is worth a second one: a batch costs nearly as much as its
        statements, whatever its size.
        """
        with self.changed:
            while True:
                fullest = max(self.queues.values(), key=lambda queue: len(queue.waiting), default=None)
                waiting = len(fullest.waiting) if fullest else 0
                if fullest is not None and waiting and (not self.busy or waiting >= ENOUGH or self.closing):
                    batch = [fullest.waiting.popleft() for _ in range(min(MOST, len(fullest.waiting)))]
                    self.busy += 1
                    self.batches += 1
                    self.attempts += len(batch)
                    return fullest, batch
                if self.closing and not waiting:
                    return None
                self.changed.wait()

    @staticmethod
    def _answer(queue: _Queue, batch: list[_Ticket], *, trusted: bool) -> None:
        connection.close_if_unusable_or_obsolete()  # after an error it asks in any case
        if trusted:
            connection.health_check_done = True  # type: ignore[attr-defined]
        if connection.tenant is not queue.brand:  # each time costs a statement
            connection.set_tenant(queue.brand)
        each = services.redeem_each if queue.act is Act.REDEEM else services.verify_each
        answers = each([ticket.attempt for ticket in batch])
        for ticket, answer in zip(batch, answers, strict=True):
            ticket.give(answer)

    @staticmethod
    def _fail(batch: list[_Ticket]) -> None:
        for ticket in batch:
            ticket.give(TryLater())


_running: tuple[int, Collector] | None = None
_starting = threading.Lock()


def _collector() -> Collector:
    """Return this process's collector; a forked child starts its own."""
    global _running
    if _running is None or _running[0] != os.getpid():
        with _starting:
            if _running is None or _running[0] != os.getpid():
                _running = (os.getpid(), Collector(settings.COLLECTOR_THREADS))
                atexit.register(close)
    return _running[1]


def close() -> None:
    """Drain this process's collector, if it has one."""
    global _running
    with _starting:
        running, _running = _running, None
    if running is not None and running[0] == os.getpid():
        running[1].close()


def statistics() -> tuple[int, int]:
    """Return how many batches this process ran, and how many attempts they held."""
    collector = _running[1] if _running else None
    return (collector.batches, collector.attempts) if collector else (0, 0)
