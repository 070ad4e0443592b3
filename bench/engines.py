"""The engine as the web server runs it: in as many processes, without HTTP. Each has an event loop, on which its share of
the clients wait for their batches as calls of the API do, and threads that take whole batches.
"""

import asyncio
import multiprocessing
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection
from typing import Any

WORKERS = min(2, os.cpu_count() or 1)


@dataclass(frozen=True)
class Run:
    """What the processes did together: how many a second, how many in how many batches, and their CPU seconds."""

    per_s: float
    items: int
    batches: int
    cpu_s: float


class Engines:
    """Some processes that redeem what they are sent."""

    def __init__(self, pipes: Sequence["Connection[Any, Any]"]) -> None:
        self.pipes = pipes

    def gathered(self, work: Sequence[tuple[str, Any]], clients: int) -> Run:
        """Redeem (schema, attempt) by so many clients, each of whom waits for its answer before it asks again."""
        return self._run("gathered", work, clients)

    def batches(self, schema: str, batches: Sequence[Sequence[Any]], threads: int) -> Run:
        """Redeem whole batches of one brand by so many threads."""
        return self._run("batches", [(schema, batch) for batch in batches], threads)

    def _run(self, way: str, work: Sequence[tuple[str, Any]], hands: int) -> Run:
        """Share the work out, let all begin at once, and wait for the last."""
        for number, pipe in enumerate(self.pipes):
            pipe.send((way, work[number :: len(self.pipes)], hands // len(self.pipes)))
        for pipe in self.pipes:
            pipe.recv()  # it has read its share
        started = time.perf_counter()
        for pipe in self.pipes:
            pipe.send("go")
        done = [pipe.recv() for pipe in self.pipes]
        elapsed = time.perf_counter() - started
        for one in done:
            if isinstance(one, str):
                raise RuntimeError(one)  # noqa: TRY004 - what a process says that failed
        items, batches, cpu_s = map(sum, zip(*done, strict=True))
        return Run(items / elapsed, items, batches, cpu_s)


@contextmanager
def engines(workers: int = WORKERS) -> Iterator[Engines]:
    """Start the processes, with this one's environment, and end them."""
    context = multiprocessing.get_context("spawn")
    pairs = [context.Pipe() for _ in range(workers)]
    processes = [context.Process(target=_serve, args=(theirs,), daemon=True) for _ours, theirs in pairs]
    for process in processes:
        process.start()
    try:
        yield Engines([ours for ours, _theirs in pairs])
    finally:
        for ours, _theirs in pairs:
            with suppress(OSError):
                ours.send(None)
        for process in processes:
            process.join(timeout=30)


def _serve(pipe: "Connection[Any, Any]") -> None:
    import django

    from common.garbage import collect_seldom

    django.setup()
    collect_seldom()  # as a web process does
    ways: dict[str, Callable[..., tuple[int, int]]] = {"gathered": _gathered, "batches": _batches}
    while (asked := pipe.recv()) is not None:
        way, work, hands = asked
        brands = _brands({schema for schema, _item in work})
        pipe.send("ready")
        pipe.recv()
        cpu_s = time.process_time()
        try:
            done = ways[way]([(brands[schema], item) for schema, item in work], hands)
            pipe.send((*done, time.process_time() - cpu_s))
        except Exception as error:
            pipe.send(repr(error))


def _brands(schemas: set[str]) -> dict[str, Any]:
    from django.db import connection
    from django_tenants.utils import get_tenant_model

    connection.set_schema_to_public()
    return {brand.schema_name: brand for brand in get_tenant_model().objects.filter(schema_name__in=schemas)}


def _gathered(work: Sequence[tuple[Any, Any]], clients: int) -> tuple[int, int]:
    import uvloop

    from redemption import collector
    from redemption.rules import Act
    from redemption.services import TryLater

    batches, items = collector.statistics()

    async def client(todo: Iterator[tuple[Any, Any]]) -> None:
        for brand, attempt in todo:
            while isinstance(answer := await collector.ask(Act.REDEEM, attempt, brand), TryLater):
                pass
            expect_redeemed(answer)

    async def all_clients() -> None:
        todo = iter(work)
        await asyncio.gather(*(client(todo) for _ in range(clients)))

    uvloop.run(all_clients())
    after = collector.statistics()
    return after[1] - items, after[0] - batches


def _batches(work: Sequence[tuple[Any, Any]], threads: int) -> tuple[int, int]:
    from redemption.services import redeem_each

    def redeem(batch: Sequence[Any]) -> None:
        for answer in redeem_each(batch):
            expect_redeemed(answer)

    batches = [batch for _brand, batch in work]
    in_threads(batches, redeem, threads, work[0][0].schema_name)
    return sum(map(len, batches)), len(batches)


def in_threads(work: Sequence[Any], run: Callable[[Any], Any], threads: int, schema: str) -> float:
    """Let threads, pointed at a brand, do the work item by item; return items per second."""
    from django.db import connection, connections
    from django_tenants.utils import get_tenant_model

    connection.set_schema_to_public()
    brand = get_tenant_model().objects.get(schema_name=schema)
    connection.set_tenant(brand)
    todo, errors = iter(work), []
    lock, start = threading.Lock(), threading.Barrier(threads + 1)

    def loop() -> None:
        try:
            connection.set_tenant(brand)
            start.wait()
            while True:
                with lock:
                    item = next(todo, None)
                if item is None:
                    return
                run(item)
        except BaseException as error:
            errors.append(error)
        finally:
            connections.close_all()  # this thread's

    workers = [threading.Thread(target=loop) for _ in range(threads)]
    for worker in workers:
        worker.start()
    start.wait()
    started = time.perf_counter()
    for worker in workers:
        worker.join()
    elapsed = time.perf_counter() - started
    if errors:
        raise errors[0]
    return len(work) / elapsed


def expect_redeemed(answer: Any) -> None:
    """Raise `RuntimeError` unless an attempt was redeemed: nothing else may be counted."""
    if getattr(answer, "outcome", None) != "REDEEMED":
        raise RuntimeError(f"a redemption of the benchmark was answered {answer!r}")
