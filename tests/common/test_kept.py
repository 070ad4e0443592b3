"""Values kept in a process: read again by one thread, good for twice their time at the most."""

import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from common import kept
from common.kept import Kept

FOR_S = 10.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    times = [1000.0]
    monkeypatch.setattr("common.kept.time.monotonic", lambda: times[0])
    return times


def counting() -> tuple[list[str], Callable[[str], int]]:
    asked: list[str] = []

    def read(key: str) -> int:
        asked.append(key)
        return len(asked)

    return asked, read


def test_a_value_is_read_once_until_it_is_old(clock: list[float]) -> None:
    asked, read = counting()
    value = Kept(read, for_s=FOR_S)

    first = [value("a"), value("a"), value("b")]
    clock[0] += FOR_S
    second = value("a")

    assert first == [1, 1, 2]
    assert (second, asked) == (3, ["a", "b", "a"])


def test_while_one_thread_reads_it_again_the_others_go_on_with_the_old_one(clock: list[float]) -> None:
    reading, told = threading.Event(), threading.Event()
    answers = iter(["old", "new"])

    def read(_key: str) -> str:
        answer = next(answers)
        if answer == "new":
            reading.set()
            assert told.wait(10)
        return answer

    value = Kept(read, for_s=FOR_S)
    value()
    clock[0] += FOR_S
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(value)
        assert reading.wait(10)
        meanwhile = [value(), value()]
        told.set()

        assert meanwhile == ["old", "old"]
        assert slow.result(10) == "new"
    assert value() == "new"


def test_a_value_twice_as_old_is_good_for_nobody(clock: list[float]) -> None:
    asked, read = counting()
    value = Kept(read, for_s=FOR_S)
    value()
    clock[0] += 2 * FOR_S

    with value._reading:  # as if another thread were reading it
        assert value() == 2
    assert asked == ["", ""]


def test_what_cannot_be_read_is_not_kept_and_is_asked_again(clock: list[float]) -> None:
    answers: list[Exception | str] = [OSError("away"), "here"]

    def read(_key: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    value = Kept(read, for_s=FOR_S)

    with pytest.raises(OSError, match="away"):
        value()
    assert value() == "here"


def test_a_failure_to_read_again_lets_the_next_one_try(clock: list[float]) -> None:
    answers: list[Exception | str] = ["old", OSError("away"), "new"]

    def read(_key: str) -> str:
        answer = answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    value = Kept(read, for_s=FOR_S)
    value()
    clock[0] += FOR_S
    with pytest.raises(OSError, match="away"):
        value()

    assert value() == "new"


def test_names_that_others_choose_do_not_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST", 5)
    _asked, read = counting()
    value = Kept(read)

    for number in range(50):
        value(str(number))

    assert len(value._values) <= 5
