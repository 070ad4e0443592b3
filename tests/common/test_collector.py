"""What is gathered: whoever was just answered comes back together, and nobody waits for longer than that takes."""

import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from types import SimpleNamespace

import pytest
from django.db import connection

from common.collector import FEW, Collector

MANY = FEW + 4


class Gathering:
    """A collector of one thread, whose first batch waits until ``go_on``; ``sizes``: of its batches so far."""

    def __init__(self, return_s: float) -> None:
        self.begun, self.go_on = threading.Event(), threading.Event()
        self.sizes: list[int] = []
        self.collector = Collector[str, str](
            self._run, name="test", threads=lambda: 1, away=lambda: "away", return_s=return_s
        )

    def _run(self, _kind: str, items: Sequence[str]) -> list[str]:
        self.sizes.append(len(items))
        self.begun.set()
        self.go_on.wait(10)
        return [f"did {item}" for item in items]

    def ask(self, item: str, brand: str = "public") -> str:
        connection.tenant = SimpleNamespace(schema_name=brand)  # type: ignore[attr-defined]
        return self.collector.submit(item, within_s=10)

    def await_waiting(self, count: int) -> None:
        """Wait until so many items wait in all."""
        for _ in range(10_000):
            if sum(len(queue.waiting) for queue in self.collector._hands().queues.values()) == count:
                return
            time.sleep(0.001)
        raise AssertionError("they did not come")

    def answer_many(self, pool: ThreadPoolExecutor) -> list[str]:
        """Have one item answered, and behind it many together; return what they were told."""
        first = pool.submit(self.ask, "alone")
        self.begun.wait(10)
        many = [pool.submit(self.ask, f"{n}") for n in range(MANY)]
        self.await_waiting(MANY)
        self.go_on.set()
        return [future.result() for future in [first, *many]]


def test_a_queue_waits_for_those_just_answered_and_no_longer() -> None:
    gathering = Gathering(return_s=60)

    with ThreadPoolExecutor(MANY + 1) as pool:
        said = gathering.answer_many(pool)
        said += [future.result() for future in [pool.submit(gathering.ask, f"{n} again") for n in range(MANY)]]
    gathering.collector.close()

    assert gathering.sizes == [1, MANY, MANY]
    assert "away" not in said
    assert len(set(said)) == 1 + 2 * MANY


@pytest.mark.parametrize("return_s", [0.05, 60])
def test_a_queue_that_waits_for_those_just_answered_holds_up_no_other(return_s: float) -> None:
    gathering = Gathering(return_s)

    with ThreadPoolExecutor(MANY + 1) as pool:
        said = gathering.answer_many(pool)
        one = pool.submit(gathering.ask, "one of them again")
        said.append(pool.submit(gathering.ask, "of another", "information_schema").result(5))
        if return_s < 1:
            said.append(one.result(5))  # though the others stayed away
        else:
            gathering.await_waiting(1)
            rest = [pool.submit(gathering.ask, f"{n} again") for n in range(MANY - 1)]
            said += [future.result(5) for future in [one, *rest]]
    gathering.collector.close()

    assert gathering.sizes == ([1, MANY, 1, 1] if return_s < 1 else [1, MANY, 1, MANY])
    assert "away" not in said


def test_one_brand_s_batch_holds_up_its_own_alone() -> None:
    begun, go_on, done = threading.Event(), threading.Event(), []

    def run(_kind: str, items: Sequence[str]) -> list[str]:
        if items[0] == "slow":
            begun.set()
            go_on.wait(10)
        done.append(list(items))
        return [f"did {item}" for item in items]

    gathered = Collector[str, str](run, name="test", threads=lambda: 2, away=lambda: "away")

    def ask(brand: str, item: str) -> str:
        connection.tenant = SimpleNamespace(schema_name=brand)  # type: ignore[attr-defined]
        return gathered.submit(item, within_s=10)

    with ThreadPoolExecutor(3) as pool:
        slow = pool.submit(ask, "public", "slow")
        begun.wait(10)
        beside = pool.submit(ask, "public", "beside it")
        other = pool.submit(ask, "information_schema", "of another").result(5)
        go_on.set()
        said = [slow.result(), beside.result(), other]
    gathered.close()

    assert done == [["of another"], ["slow"], ["beside it"]]
    assert said == ["did slow", "did beside it", "did of another"]
