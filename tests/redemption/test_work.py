"""Proof of work: a network that failed too often solves a puzzle for its tries, and is stopped in the end."""

import json
from collections.abc import Iterator
from datetime import timedelta

import pytest
from altcha.v1 import ChallengeOptions, create_challenge, solve_challenge

from brands.models import Brand
from common.clock import now
from redemption import budgets, work
from redemption.rules import Door, Outcome, Receipt
from redemption.services import redeem, verify
from redemption.work import make_puzzle, read_solution
from tests.makers import (
    labels_of,
    make_active_batch,
    make_attempt,
    make_batch,
    make_campaign,
    make_check,
    secrets_of,
    serial_of,
)
from tests.redemption.test_budgets import _true_budgets, guess
from tests.redemption.web import Person, words

__all__ = ["_true_budgets"]
NETWORK = "203.0.113.0/24"


def solved(puzzle: str) -> str:
    told = json.loads(puzzle)
    found = solve_challenge(told["challenge"], told["salt"], told["algorithm"], told["maxnumber"])
    assert found
    return json.dumps({**told, "number": found.number})


@pytest.fixture
def small_puzzles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(work, "HARDEST", 200)


@pytest.fixture
def unreleased(brand: Brand) -> Iterator[str]:
    """Serials whose every check is a failure."""
    return iter([serial_of(label_no) for label_no in labels_of(make_batch(count=60))])


def check(serial: str, cookie: str, proof: str = "") -> Receipt:
    return verify(make_check(serial=serial, cookie=cookie, ip_prefix=NETWORK, door=Door.WEB, proof=proof))


def use_up(unreleased: Iterator[str], monkeypatch: pytest.MonkeyPatch, failures: int = 3) -> None:
    monkeypatch.setitem(budgets.BUDGETS, "ip", (failures, 0))
    for n in range(failures):
        assert check(next(unreleased), f"visitor-{n}").outcome is Outcome.NOT_RELEASED


def test_a_solution_is_read_once_it_is_right(brand: Brand, small_puzzles: None) -> None:
    puzzle = make_puzzle(at=now())

    assert read_solution(solved(puzzle)) == json.loads(puzzle)["challenge"]


@pytest.mark.parametrize(
    "text",
    [
        *("", "null", "[]", "{}", "9" * 5000, "[" * 2000),
        *('{"number": "x"}', '{"number": 1e999}', '{"number": 1, "challenge": 2, "salt": [], "signature": null}'),
    ],
)
def test_what_is_no_solution_is_none(brand: Brand, text: str) -> None:
    assert read_solution(text) is None


def test_a_wrong_old_or_foreign_solution_is_none(brand: Brand, small_puzzles: None) -> None:
    good = json.loads(solved(make_puzzle(at=now())))
    old = solved(make_puzzle(at=now() - timedelta(minutes=11)))
    foreign = create_challenge(ChallengeOptions(algorithm="SHA-256", max_number=200, hmac_key="guessed"))

    assert read_solution(json.dumps(good)) == good["challenge"]
    assert read_solution(json.dumps({**good, "number": (good["number"] + 1) % 200})) is None
    assert read_solution(json.dumps({**good, "salt": good["salt"].replace("expires=1", "expires=9")})) is None
    assert read_solution(old) is None
    assert read_solution(solved(json.dumps({**foreign.to_dict(), "maxnumber": 200}))) is None


def test_a_network_that_used_up_its_failures_works_for_its_tries(
    unreleased: Iterator[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    use_up(unreleased, monkeypatch)

    asked = check(next(unreleased), "visitor-8")
    told = [check(next(unreleased), f"worker-{n}", "one") for n in range(work.TRIES)]
    spent = check(next(unreleased), "worker-9", "one")

    assert (asked.outcome, asked.needs_work) == (Outcome.TOO_MANY_TRIES, True)
    assert {receipt.outcome for receipt in told} == {Outcome.NOT_RELEASED}
    assert (spent.outcome, spent.needs_work) == (Outcome.TOO_MANY_TRIES, True)


def test_a_network_is_stopped_whatever_it_works(unreleased: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> None:
    use_up(unreleased, monkeypatch)

    beyond = [check(next(unreleased), f"worker-{n}", f"proof-{n}") for n in range(3 * budgets.STOP_FACTOR)]

    outcomes = [receipt.outcome for receipt in beyond]
    assert outcomes == [Outcome.NOT_RELEASED] * 9 + [Outcome.TOO_MANY_TRIES] * 3
    assert not beyond[-1].needs_work


def test_work_buys_no_more_guesses_of_one_person(unreleased: Iterator[str], monkeypatch: pytest.MonkeyPatch) -> None:
    use_up(unreleased, monkeypatch)

    told = [check(next(unreleased), "one person", f"proof-{n}") for n in range(6)]

    assert [receipt.outcome for receipt in told] == [Outcome.NOT_RELEASED] * 5 + [Outcome.TOO_MANY_TRIES]
    assert not told[-1].needs_work


def test_a_brand_under_attack_asks_for_work_on_the_web(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    make_campaign()
    [code] = secrets_of(make_active_batch(1))
    monkeypatch.setitem(budgets.BUDGETS, "brand", (4, 0))
    for n in range(4):
        redeem(guess(n, asker=f"guesser-{n}"))
    newcomer = {"phone": None, "cookie": "newcomer", "ip_prefix": NETWORK, "door": Door.WEB, "asker": None}

    asked = verify(make_check(code=code, **newcomer))
    worked = verify(make_check(code=code, **newcomer, proof="p"))

    assert (asked.outcome, asked.needs_work) == (Outcome.TOO_MANY_TRIES, True)
    assert worked.outcome is not Outcome.TOO_MANY_TRIES
    assert redeem(make_attempt(code)).outcome is Outcome.REDEEMED


def test_the_page_asks_takes_the_solution_and_goes_on(
    brand: Brand, monkeypatch: pytest.MonkeyPatch, small_puzzles: None
) -> None:
    monkeypatch.setitem(budgets.BUDGETS, "ip", (2, 0))
    codes = [guess(n).code or "" for n in range(3)]
    for code in codes[:2]:
        stranger = Person()
        assert stranger.press(stranger.get("/"), "typed", typed=code).status_code == 404
    person = Person()

    asked = person.press(person.get("/"), "typed", typed=codes[2])
    puzzle = asked.context["work"]["puzzle"]
    wrong = person.press(asked, "work", solution="{}")
    right = person.press(asked, "work", solution=solved(puzzle))
    answered = person.press(asked, "typed", typed=codes[2])

    assert asked.status_code == 429
    assert "One moment" in words(asked)
    assert (wrong.status_code, right.status_code) == (400, 200)
    assert answered.status_code == 404
    assert "No such code" in words(answered)
