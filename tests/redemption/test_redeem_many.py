"""A batch: exact budgets and caps inside it, few statements, the same work for every wrong secret."""

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from brands.models import Brand
from labels.codes.checks import damm
from lottery.queries import points_left
from redemption.models import Redemption, Scan
from redemption.queries import verify
from redemption.rules import Outcome
from redemption.services import redeem, redeem_many
from tests.conftest import NOW
from tests.makers import (
    STRANGER_PHONE,
    balance_of,
    labels_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_partner,
    secret_of,
    secrets_of,
    serial_of,
)


def phones(count: int) -> list[str]:
    return [f"+8613800138{n:03}" for n in range(count)]


@pytest.mark.parametrize("budget", [0, 99, 100, 250, 1000, 1599, 1600])
def test_a_budget_that_runs_short_in_the_middle_is_exact(brand: Brand, budget: int) -> None:
    campaign = make_campaign(budget=budget)
    codes = secrets_of(make_active_batch(16))

    receipts = redeem_many([make_attempt(code, phone=phone) for code, phone in zip(codes, phones(16), strict=True)])

    outcomes = [receipt.outcome for receipt in receipts]
    assert outcomes.count(Outcome.REDEEMED) == min(budget // 100, 16) == Redemption.objects.count()
    assert outcomes.count(Outcome.CAMPAIGN_EXHAUSTED) == 16 - Redemption.objects.count()
    assert points_left(campaign.pk) == budget - 100 * Redemption.objects.count()
    assert Scan.objects.count() == 16
    assert list(verify()) == []


def test_an_exhausted_code_is_redeemed_once_there_are_points_again(brand: Brand) -> None:
    from lottery.services import top_up

    campaign = make_campaign(budget=50)
    code = secrets_of(make_active_batch(1))[0]
    assert redeem(make_attempt(code)).outcome is Outcome.CAMPAIGN_EXHAUSTED

    top_up(campaign.pk, points=50, at=NOW)

    assert redeem(make_attempt(code)).outcome is Outcome.REDEEMED
    assert points_left(campaign.pk) == 0


@pytest.mark.parametrize("caps", [{"daily_cap": 2}, {"total_cap": 2}, {"daily_cap": 2, "total_cap": 3}])
def test_a_cap_counts_paid_codes_of_one_consumer(brand: Brand, caps: dict[str, int]) -> None:
    make_campaign(**caps)
    codes = secrets_of(make_active_batch(5))

    together = redeem_many([make_attempt(code) for code in codes[:3]])
    alone = redeem(make_attempt(codes[3]))
    other = redeem(make_attempt(codes[4], phone=STRANGER_PHONE))

    assert [receipt.outcome for receipt in together] == [
        Outcome.REDEEMED,
        Outcome.REDEEMED,
        Outcome.CAMPAIGN_EXHAUSTED,
    ]
    assert (alone.outcome, other.outcome) == (Outcome.CAMPAIGN_EXHAUSTED, Outcome.REDEEMED)
    assert balance_of() == 200


def test_balances_in_one_batch_rise_one_after_the_other(brand: Brand) -> None:
    make_campaign()

    receipts = redeem_many([make_attempt(code) for code in secrets_of(make_active_batch(3))])

    assert [receipt.balance for receipt in receipts] == [100, 200, 300]


@pytest.mark.parametrize("count", [1, 16, 64])
def test_a_batch_takes_the_same_few_statements_whatever_its_size(brand: Brand, count: int) -> None:
    make_campaign(budget=10**9)
    partners = {"retailer": make_partner("retailer").number, "promoter": make_partner("promoter").number}
    codes = secrets_of(make_active_batch(2 * count))
    attempts = [
        make_attempt(code, phone=phone, **partners) for code, phone in zip(codes, phones(count) * 2, strict=True)
    ]
    redeem_many(attempts[:count])  # makes the members

    with CaptureQueriesContext(connection) as queries:
        receipts = redeem_many(attempts[count:])

    assert {receipt.outcome for receipt in receipts} == {Outcome.REDEEMED}
    # 16 of its own; a savepoint for BEGIN and COMMIT; twice the system accounts, which are remembered after a commit
    assert len(queries) <= 20
    assert Redemption.objects.count() == 2 * count


def test_all_wrong_secrets_cost_the_same_statements(brand: Brand) -> None:
    make_campaign()
    batch = make_active_batch(3)
    first, second, _third = labels_of(batch)

    def unissued(slot: str) -> str:
        body = slot + "7" * 14
        return body + str(damm(map(int, body)))

    wrong = {
        "slot of ours": make_attempt(unissued(secret_of(first)[0])),
        "slot of nobody": make_attempt(unissued("9")),
        "of another label": make_attempt(secret_of(second), serial=serial_of(first)),
        "unknown, with a serial": make_attempt(unissued(secret_of(first)[0]), serial=serial_of(first)),
    }
    redeem(make_attempt(unissued("8")))  # fills what the process keeps

    counts = {}
    for name, attempt in wrong.items():
        with CaptureQueriesContext(connection) as queries:
            assert redeem(attempt).outcome is Outcome.UNKNOWN
        counts[name] = len(queries)

    assert len(set(counts.values())) == 1, counts
