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


def _wait_for(gathered: Collector[str, str], count: int) -> None:
    """Wait until so many items wait in all."""
    for _ in range(10_000):
        if sum(len(queue.waiting) for queue in gathered._hands().queues.values()) == count:
            return
        time.sleep(0.001)
    raise AssertionError("they did not come")


def test_a_queue_waits_for_those_just_answered_and_no_longer() -> None:
    begun, go_on, sizes = threading.Event(), threading.Event(), []

    def run(_kind: str, items: Sequence[str]) -> list[str]:
        sizes.append(len(items))
        begun.set()
        go_on.wait(10)
        return [f"did {item}" for item in items]

    gathered = Collector[str, str](run, name="test", threads=lambda: 1, away=lambda: "away", return_s=60)

    def ask(item: str) -> str:
        connection.tenant = SimpleNamespace(schema_name="public")  # type: ignore[attr-defined]
        return gathered.submit(item, within_s=10)

    with ThreadPoolExecutor(MANY + 1) as pool:
        alone = pool.submit(ask, "alone")
        begun.wait(10)
        first = [pool.submit(ask, f"{n}") for n in range(MANY)]
        _wait_for(gathered, MANY)
        go_on.set()
        said = [future.result() for future in [alone, *first]]
        said += [future.result() for future in [pool.submit(ask, f"{n} again") for n in range(MANY)]]
    gathered.close()

    assert sizes == [1, MANY, MANY]
    assert "away" not in said
    assert len(set(said)) == 1 + 2 * MANY


@pytest.mark.parametrize("return_s", [0.05, 60])
def test_a_queue_that_waits_for_those_just_answered_holds_up_no_other(return_s: float) -> None:
    begun, go_on, sizes = threading.Event(), threading.Event(), []

    def run(_kind: str, items: Sequence[str]) -> list[str]:
        sizes.append(len(items))
        begun.set()
        go_on.wait(10)
        return [f"did {item}" for item in items]

    gathered = Collector[str, str](run, name="test", threads=lambda: 1, away=lambda: "away", return_s=return_s)

    def ask(item: str, brand: str = "public") -> str:
        connection.tenant = SimpleNamespace(schema_name=brand)  # type: ignore[attr-defined]
        return gathered.submit(item, within_s=10)

    with ThreadPoolExecutor(MANY + 1) as pool:
        first = pool.submit(ask, "alone")
        begun.wait(10)
        many = [pool.submit(ask, f"{n}") for n in range(MANY)]
        _wait_for(gathered, MANY)
        go_on.set()
        said = [future.result() for future in [first, *many]]
        one = pool.submit(ask, "one of them again")
        said.append(pool.submit(ask, "of another", "information_schema").result(5))
        if return_s < 1:
            said.append(one.result(5))  # though the others stayed away
        else:
            _wait_for(gathered, 1)
            said += [future.result(5) for future in [pool.submit(ask, f"{n} again") for n in range(MANY - 1)]]
            said.append(one.result(5))
    gathered.close()

    assert sizes == ([1, MANY, 1, 1] if return_s < 1 else [1, MANY, 1, MANY])
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
