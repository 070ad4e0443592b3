"""Does together what many threads ask for at once: one statement for sixty rows costs little more than for one.

No thread of its own: whoever comes first runs what is waiting, and hands over to the next in line when more has come.
Each brand has a queue of its own, and every caller's connection points at that brand.
"""

from collections import deque
from collections.abc import Callable, Sequence
from threading import Lock
from typing import Generic, TypeVar

from django.conf import settings
from django.db import connection

from common.db import schema_name

I = TypeVar("I")  # noqa: E741 - item
O = TypeVar("O")  # noqa: E741 - outcome
MOST = 64


class _Ticket(Generic[I, O]):
    __slots__ = ("error", "item", "outcome", "ready", "served")

    def __init__(self, item: I) -> None:
        self.item = item
        self.outcome: O | None = None
        self.error: BaseException | None = None
        self.served = False
        self.ready = Lock()
        self.ready.acquire()


class _Queue(Generic[I, O]):
    def __init__(self) -> None:
        self.lock = Lock()
        self.waiting: deque[_Ticket[I, O]] = deque()
        self.led = False


class Gatherer(Generic[I, O]):
    """``run`` does a list of items in one transaction and returns an outcome for each, in order.

    If it fails, each item of the list is run alone, so that none fails its neighbours.
    """

    def __init__(self, run: Callable[[Sequence[I]], Sequence[O]]) -> None:
        self.run = run
        self.queues: dict[str, _Queue[I, O]] = {}

    def __call__(self, item: I) -> O:
        """Do one item, together with whatever else waits. Raises what ``run`` raises for it alone."""
        if not settings.COLLECTOR_ENABLED or connection.in_atomic_block:
            return self.run([item])[0]
        queue = self.queues.setdefault(schema_name(), _Queue())
        ticket: _Ticket[I, O] = _Ticket(item)
        with queue.lock:
            queue.waiting.append(ticket)
            leads, queue.led = not queue.led, True
        if not leads:
            ticket.ready.acquire()  # until served, or first in line
        if not ticket.served:
            self._lead(queue)
        if ticket.error is not None:
            raise ticket.error
        return ticket.outcome  # type: ignore[return-value]  # served without an error

    def _lead(self, queue: _Queue[I, O]) -> None:
        with queue.lock:
            batch = [queue.waiting.popleft() for _ in range(min(MOST, len(queue.waiting)))]
        try:
            self._serve(batch)
        except BaseException as error:  # this thread is being ended: nobody may take silence for an outcome
            for ticket in batch:
                ticket.error = ticket.error or error
            raise
        finally:
            with queue.lock:
                following = queue.waiting[0] if queue.waiting else None
                queue.led = following is not None
            for ticket in batch:
                ticket.served = True
                ticket.ready.release()
            if following is not None:
                following.ready.release()

    def _serve(self, batch: list[_Ticket[I, O]]) -> None:
        try:
            outcomes = self.run([ticket.item for ticket in batch])
        except Exception as error:
            if len(batch) == 1:
                batch[0].error = error
                return
            for ticket in batch:
                self._serve([ticket])
            return
        for ticket, outcome in zip(batch, outcomes, strict=True):
            ticket.outcome = outcome
