"""Failure budgets at n − 1, n and n + 1; honest attempts stay free; the store may be lost, slow or emptied."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
import redis
from django.conf import LazySettings
from django.core.cache import cache

from brands.models import Brand
from labels.codes.checks import damm
from redemption import budgets
from redemption.models import FailureRow, Refused, Scan
from redemption.rules import Attempt, Door, Outcome
from redemption.services import redeem, verify
from tests.conftest import NOW
from tests.makers import (
    CONSUMER,
    STRANGER_PHONE,
    labels_of,
    make_active_batch,
    make_attempt,
    make_batch,
    make_campaign,
    make_check,
    secrets_of,
    serial_of,
)


@pytest.fixture(autouse=True)
def _true_budgets(settings: LazySettings) -> Iterator[None]:
    settings.FAILURE_BUDGET_SCALE = 1
    budgets._memory.storage.reset()
    yield
    budgets._memory.storage.reset()
    budgets._store_at.cache_clear()


@pytest.fixture
def codes(brand: Brand) -> list[str]:
    make_campaign()
    return secrets_of(make_active_batch(3))


def guess(number: int, **values: object) -> Attempt:
    """Make an attempt with a well-formed code that was never issued."""
    body = f"9{number:014}"
    return make_attempt(body + str(damm(map(int, body))), **values)


def test_the_sixth_failure_of_a_number_is_not_looked_at(codes: list[str]) -> None:
    told = [redeem(guess(n)) for n in range(6)]

    assert [receipt.outcome for receipt in told[:5]] == [Outcome.UNKNOWN] * 5
    assert [receipt.tries_left for receipt in told[:5]] == [4, 3, 2, 1, 0]
    assert told[5].outcome is Outcome.TOO_MANY_TRIES
    assert told[5].receipt_no is None
    assert told[5].retry_after_s
    assert 0 < told[5].retry_after_s <= 3600
    assert Scan.objects.count() == 5
    assert Refused.objects.get().count == 1


def test_who_is_refused_is_refused_right_codes_too_and_others_are_not(codes: list[str]) -> None:
    for n in range(5):
        redeem(guess(n))

    assert redeem(make_attempt(codes[0])).outcome is Outcome.TOO_MANY_TRIES
    assert redeem(make_attempt(codes[0], phone=STRANGER_PHONE)).outcome is Outcome.REDEEMED


def test_honest_attempts_and_typos_cost_nothing(codes: list[str]) -> None:
    for _turn in range(8):
        assert redeem(make_attempt("1234")).outcome is Outcome.TYPO

    assert redeem(make_attempt(codes[0])).outcome is Outcome.REDEEMED
    assert not FailureRow.objects.exists()


def test_the_same_failure_again_counts_once(codes: list[str]) -> None:
    for _turn in range(8):
        assert redeem(guess(1)).outcome is Outcome.UNKNOWN

    assert FailureRow.objects.filter(kind="phone").count() == 1
    assert redeem(make_attempt(codes[0])).outcome is Outcome.REDEEMED


def test_a_request_answered_before_is_answered_again_though_the_budget_is_empty(codes: list[str]) -> None:
    attempts = [guess(n) for n in range(5)]
    first = [redeem(attempt) for attempt in attempts]
    assert redeem(guess(7)).outcome is Outcome.TOO_MANY_TRIES

    assert [redeem(attempt) for attempt in attempts] == first


def test_a_cookie_and_a_network_have_budgets_of_their_own(brand: Brand) -> None:
    serials = [serial_of(label_no) for label_no in labels_of(make_batch(count=8))]

    told = [
        verify(make_check(serial=serial, cookie="a", ip_prefix="203.0.113.0/24", door=Door.WEB)).outcome
        for serial in serials[:6]
    ]
    other = verify(make_check(serial=serials[7], cookie="b", ip_prefix="203.0.113.0/24", door=Door.WEB)).outcome

    assert told == [*[Outcome.NOT_RELEASED] * 5, Outcome.TOO_MANY_TRIES]
    assert other is Outcome.NOT_RELEASED
    assert set(FailureRow.objects.values_list("kind", flat=True)) == {"asker", "ip", "brand"}


def test_a_brand_under_attack_gives_each_person_one_try(codes: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(budgets.BUDGETS, "brand", (4, 0))
    for n in range(4):
        redeem(guess(n, asker=f"guesser-{n}"))

    again = redeem(guess(9, asker="guesser-0"))
    newcomer = redeem(guess(9, asker="newcomer"))

    assert (again.outcome, newcomer.outcome) == (Outcome.TOO_MANY_TRIES, Outcome.UNKNOWN)
    assert redeem(make_attempt(codes[0], phone=STRANGER_PHONE)).outcome is Outcome.REDEEMED


def test_an_emptied_store_is_counted_again_before_the_first_answer(codes: list[str]) -> None:
    for n in range(5):
        redeem(guess(n, at=budgets_now()))
    assert redeem(guess(7)).outcome is Outcome.TOO_MANY_TRIES

    cache.clear()

    assert redeem(guess(8)).outcome is Outcome.TOO_MANY_TRIES
    assert redeem(make_attempt(codes[0], phone=STRANGER_PHONE)).outcome is Outcome.REDEEMED


def budgets_now() -> object:
    from common.clock import now

    return now()


def test_a_lost_store_leaves_a_tenth(codes: list[str], settings: LazySettings) -> None:
    settings.CACHE_URL = "redis://127.0.0.1:9/0"

    assert redeem(guess(1)).outcome is Outcome.UNKNOWN
    assert redeem(guess(2)).outcome is Outcome.TOO_MANY_TRIES
    assert redeem(make_attempt(codes[0], phone=STRANGER_PHONE)).outcome is Outcome.REDEEMED


def test_without_any_store_a_tenth_holds(codes: list[str], settings: LazySettings) -> None:
    settings.CACHE_URL = ""

    assert redeem(guess(1)).outcome is Outcome.UNKNOWN
    assert redeem(guess(2)).outcome is Outcome.TOO_MANY_TRIES


def test_a_store_that_falls_between_asking_and_charging_loses_no_failure(
    codes: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def gone(*_arguments: object) -> None:
        raise redis.ConnectionError

    with monkeypatch.context() as patch:
        patch.setattr(budgets._Store, "charge", gone)
        assert redeem(guess(1, at=budgets_now())).outcome is Outcome.UNKNOWN
        assert redeem(guess(2)).outcome is Outcome.TOO_MANY_TRIES  # its own tenth, until the store is back

    store = budgets._store()
    assert isinstance(store, budgets._Store)
    store.retry_at = 0.0
    for n in range(2, 6):
        assert redeem(guess(n)).outcome is Outcome.UNKNOWN
    assert redeem(guess(7)).outcome is Outcome.TOO_MANY_TRIES


def test_old_failures_are_forgotten(codes: list[str]) -> None:
    redeem(guess(1))
    assert FailureRow.objects.exists()

    budgets.forget_old(at=NOW + timedelta(hours=49))

    assert not FailureRow.objects.exists()
    assert CONSUMER
