"""Many at once, with real threads and real commits: through the service, the collector, one key, one code, one budget."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from threading import Barrier
from typing import Any, TypeVar

import pytest
from django.conf import LazySettings
from django.db import connection

from brands.models import Brand
from ledger import queries as ledger
from lottery.queries import points_left
from redemption import collector, paying, queries, services
from redemption.errors import TryLater
from redemption.facts import Case
from redemption.models import Redemption, Request, Scan
from redemption.rules import Attempt, Outcome, Receipt
from tests.makers import (
    balance_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_partner,
    secrets_of,
)

pytestmark = pytest.mark.races
T = TypeVar("T")


@pytest.fixture
def gathered(settings: LazySettings) -> Iterator[None]:
    settings.COLLECTOR_ENABLED = True
    yield
    collector.close()


def at_once(brand: Brand, calls: list[Callable[[], T]]) -> list[T]:
    """Make all calls from threads of their own that start together."""
    start = Barrier(len(calls))

    def run(call: Callable[[], T]) -> T:
        connection.set_tenant(brand)
        start.wait()
        try:
            return call()
        finally:
            connection.close()

    with ThreadPoolExecutor(len(calls)) as pool:
        return list(pool.map(run, calls))


def redeem(attempt: Attempt) -> Receipt | Exception:
    try:
        return collector.redeem(attempt)
    except Exception as error:
        return error


def assert_sound() -> None:
    assert [*queries.verify(), *ledger.verify()] == []


@pytest.mark.parametrize("enabled", [True, False])
def test_one_key_fifty_times_has_one_effect(
    real_commits: Brand, settings: LazySettings, gathered: None, enabled: bool
) -> None:
    settings.COLLECTOR_ENABLED = enabled
    make_campaign()
    attempt = make_attempt(secrets_of(make_active_batch(1))[0])

    answers = at_once(real_commits, [lambda: redeem(attempt)] * 50)

    receipts = [answer for answer in answers if isinstance(answer, Receipt)]
    others = [answer for answer in answers if not isinstance(answer, Receipt)]
    assert len(receipts) >= 40, others[:3]
    assert all(isinstance(other, services.InProgress) for other in others)
    assert set(receipts) == {services.redeem(attempt)}
    assert receipts[0].outcome is Outcome.REDEEMED
    assert (Scan.objects.count(), Request.objects.count(), Redemption.objects.count()) == (1, 1, 1)
    assert_sound()


def test_one_code_is_redeemed_once(real_commits: Brand, gathered: None) -> None:
    make_campaign()
    [code] = secrets_of(make_active_batch(1))
    attempts = [make_attempt(code, phone=f"+86138001380{n:02}") for n in range(32)]

    answers = at_once(real_commits, [lambda attempt=attempt: redeem(attempt) for attempt in attempts])

    outcomes = [answer.outcome for answer in answers if isinstance(answer, Receipt)]
    assert len(outcomes) == 32
    assert sorted(outcomes) == sorted([Outcome.REDEEMED, *[Outcome.ALREADY_REDEEMED] * 31])
    assert sum(balance_of(attempt.phone or "") for attempt in attempts) == 100
    assert Scan.objects.count() == 32
    assert_sound()


def test_a_budget_pays_to_its_last_point_and_no_further(real_commits: Brand, gathered: None) -> None:
    campaign = make_campaign(budget=100 * 23 + 70, retailer=10)
    make_partner("retailer", number="R1001")
    codes = secrets_of(make_active_batch(48))
    attempts = [
        make_attempt(code, phone=f"+8613800138{n:03}", retailer="R1001" if n % 3 == 0 else None)
        for n, code in enumerate(codes)
    ]

    answers = at_once(real_commits, [lambda attempt=attempt: redeem(attempt) for attempt in attempts])

    outcomes = [answer.outcome for answer in answers if isinstance(answer, Receipt)]
    left = points_left(campaign.pk)
    given = sum(row.points + row.retailer_points for row in Redemption.objects.all())
    assert len(outcomes) == 48
    assert set(outcomes) == {Outcome.REDEEMED, Outcome.CAMPAIGN_EXHAUSTED}
    assert left is not None
    assert left + given == 2370
    assert left < 100
    assert Redemption.objects.count() == outcomes.count(Outcome.REDEEMED)
    refused = next(
        a for a, answer in zip(attempts, answers, strict=True) if answer.outcome is Outcome.CAMPAIGN_EXHAUSTED
    )
    assert services.verify(replace(refused, request_id="look again")).secret_unused
    assert_sound()


def test_one_poisoned_among_sixty_three_good_fails_alone(real_commits: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    make_campaign()
    codes = secrets_of(make_active_batch(64))
    attempts = [make_attempt(code, phone=f"+8613800138{n:03}") for n, code in enumerate(codes)]
    poisoned = attempts[17].request_id
    whole = paying.pick_winners

    def pick_winners(cases: list[Case], **how: Any) -> paying.Won:
        if any(case.attempt.request_id == poisoned for case in cases):
            raise ZeroDivisionError
        return whole(cases, **how)

    monkeypatch.setattr(services, "pick_winners", pick_winners)

    answers = services.redeem_each(attempts)

    assert isinstance(answers[17], TryLater)
    assert {answer.outcome for answer in answers if isinstance(answer, Receipt)} == {Outcome.REDEEMED}
    assert Redemption.objects.count() == 63
    monkeypatch.undo()
    assert services.redeem(attempts[17]).outcome is Outcome.REDEEMED
    assert_sound()


def test_a_dead_batch_fails_its_attempts_and_the_next_is_served(
    real_commits: Brand, gathered: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_campaign()
    first, second = secrets_of(make_active_batch(2))

    def fall(_attempts: list[Attempt]) -> list[services.Answer]:
        raise SystemError

    monkeypatch.setattr(services, "redeem_each", fall)
    with pytest.raises(TryLater):
        collector.redeem(make_attempt(first))
    monkeypatch.undo()

    assert collector.redeem(make_attempt(second)).outcome is Outcome.REDEEMED


def test_what_waits_at_shutdown_is_answered(real_commits: Brand, gathered: None) -> None:
    make_campaign()
    codes = secrets_of(make_active_batch(40))
    attempts = [make_attempt(code, phone=f"+8613800138{n:03}") for n, code in enumerate(codes)]

    def call(n: int) -> Receipt | Exception | None:
        if n == 40:
            return collector.close()
        return redeem(attempts[n])

    answers = at_once(real_commits, [lambda n=n: call(n) for n in range(41)])[:40]

    redeemed = [answer for answer in answers if isinstance(answer, Receipt)]
    assert all(isinstance(answer, Receipt | TryLater) for answer in answers)
    assert Redemption.objects.count() == len(redeemed)
    assert_sound()
