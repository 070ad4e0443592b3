"""Many threads that try the same codes at once, at several doors, and write down what each was told."""

import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass

from django.db import connection

from tests.history import Call
from tests.servers import Answer, Client

Try = tuple[str, str, str]  # request id, code, phone
Door = Callable[[Sequence[Try]], list[Call]]


@dataclass(frozen=True)
class Doors:
    """How a thread sends tries: ``opened`` is entered in the thread and gives its door; ``together`` tries go at once."""

    opened: Callable[[], AbstractContextManager[Door]]
    together: int = 1


def content(code: str, phone: str, *, partners: dict[str, str]) -> dict[str, str]:
    """Return the body of one redemption."""
    return {"code": code, "phone": phone, **partners}


def call_of(one: Try, told: dict | None, started: float, ended: float) -> Call:
    """Return what the client saw: ``told`` is the body of a receipt, or None if nothing is known."""
    request_id, code, phone = one
    if told is None or "outcome" not in told:
        return Call(request_id=request_id, code=code, holder=phone, started=started, ended=ended)
    earlier = told["earlier"] or {}
    return Call(
        request_id=request_id,
        code=code,
        holder=phone,
        started=started,
        ended=ended,
        outcome=told["outcome"],
        receipt=told["receipt"],
        points=told["points"],
        balance=told["balance"],
        mine=told["outcome"] == "ALREADY_REDEEMED" and earlier.get("by") == "you",
    )


def single(port: int, token: str, partners: dict[str, str]) -> Doors:
    """The door of one redemption a request."""

    @contextmanager
    def opened() -> Iterator[Door]:
        with Client(port, key=token) as client:

            def door(tries: Sequence[Try]) -> list[Call]:
                [(request_id, code, phone)] = tries
                started = time.monotonic()
                body = content(code, phone, partners=partners)
                answer = client.post("/api/v1/redemptions", body, idempotency_key=request_id)
                told = answer.json if answer.status in {200, 201} else None
                return [call_of(tries[0], told, started, time.monotonic())]

            yield door

    return Doors(opened)


def bulk(port: int, token: str, partners: dict[str, str], *, together: int = 25) -> Doors:
    """The door of many redemptions a request."""

    @contextmanager
    def opened() -> Iterator[Door]:
        with Client(port, key=token) as client:

            def door(tries: Sequence[Try]) -> list[Call]:
                started = time.monotonic()
                attempts = [
                    {"request_id": request_id, **content(code, phone, partners=partners)}
                    for request_id, code, phone in tries
                ]
                answer = client.post("/api/v1/redemptions/bulk", {"attempts": attempts})
                ended = time.monotonic()
                results = answer.json["results"] if answer.status == 200 else [None] * len(tries)
                return [call_of(one, told, started, ended) for one, told in zip(tries, results, strict=True)]

            yield door

    return Doors(opened, together)


def hammer(
    codes: Sequence[str], phones: Sequence[str], doors: Sequence[Doors], *, attempts: int, seed: int = 1
) -> list[Call]:
    """Try random codes ``attempts`` times in all, one thread for each of ``doors``; return all that was told.

    A try whose answer is not known is sent again under its id until it is.
    """
    calls: list[list[Call]] = [[] for _ in doors]
    errors: list[BaseException] = []
    start = threading.Barrier(len(doors))

    def work(number: int) -> None:
        try:
            chance = random.Random(seed * 1000 + number)
            todo = [
                (f"t{number}-{n}", chance.choice(codes), phones[number % len(phones)])
                for n in range(attempts // len(doors))
            ]
            with doors[number].opened() as door:
                start.wait()
                for at in range(0, len(todo), doors[number].together):
                    _until_known(door, todo[at : at + doors[number].together], calls[number])
        except BaseException as error:
            errors.append(error)
            start.abort()
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(doors))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
    return [call for one in calls for call in one]


def _until_known(door: Door, tries: Sequence[Try], calls: list[Call], patience_s: float = 60) -> None:
    until = time.monotonic() + patience_s
    while tries:
        told = door(tries)
        calls += told
        unknown = {call.request_id for call in told if call.outcome is None}
        tries = [one for one in tries if one[0] in unknown]
        if tries:
            assert time.monotonic() < until, f"no answer for {tries}"
            time.sleep(0.05)


def same(answers: Sequence[Answer]) -> bool:
    """Whether all answers are one, byte for byte."""
    return len({(answer.status, answer.body) for answer in answers}) == 1
