"""Any sequence of verbs leaves the books as a plain dictionary would have them, and every promise holds."""

from collections import Counter
from datetime import date, timedelta

import pytest
from django.db import transaction
from hypothesis import HealthCheck, Phase, given, settings, strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, invariant, rule, run_state_machine_as_test

from ledger.lots import NEVER, month_end
from ledger.models import Account, Hold, Lot, Transfer
from ledger.queries import statement, trial_balance, verify
from ledger.services import (
    AlreadyReversed,
    BalanceTooLow,
    NewTransfer,
    expire_lots,
    hold,
    open_accounts,
    post_many,
    reverse,
    settle,
    system_account,
    void,
)
from tests.conftest import NOW

AMOUNTS = st.integers(1, 60)
DAYS = st.sampled_from([date(2026, 11, 23), date(2026, 11, 25), date(2026, 11, 30), NEVER])
WHO = st.integers(0, 2)


class Oracle:
    """One holder as a dictionary would keep it."""

    def __init__(self):
        self.lots, self.held, self.debt = Counter(), 0, 0

    @property
    def posted(self):
        return self.lots.total()

    def free(self, today):
        fresh = sum(n for day, n in self.lots.items() if day >= today)
        return min(self.posted - self.held, fresh)

    def take(self, amount, today=date.min, first=()):
        taken = Counter()
        for day in [*first, *sorted(self.lots)]:
            if day >= today:
                part = min(amount, self.lots[day])
                self.lots[day] -= part
                taken[day] += part
                amount -= part
        assert amount == 0
        return +taken

    def receive(self, day, amount):
        self.lots[day] += amount
        pay = min(self.debt, amount)
        self.debt -= pay
        self.take(pay)


class LedgerMachine(RuleBasedStateMachine):
    """Award, spend, move, hold, settle, void, reverse, let days pass; each beside its oracle."""

    awards, spends, holds = Bundle("awards"), Bundle("spends"), Bundle("holds")

    def __init__(self):
        super().__init__()
        self.savepoint = transaction.atomic()
        self.savepoint.__enter__()
        self.now, self.causes = NOW, 0
        self.ids = open_accounts(3, party="consumer")
        self.issuance, self.redeemed = system_account("issuance"), system_account("redeemed")
        self.oracles = [Oracle() for _ in self.ids]

    def teardown(self):
        assert not list(verify())
        transaction.set_rollback(True)
        self.savepoint.__exit__(None, None, None)
        transaction.set_rollback(False)

    @property
    def today(self):
        return self.now.date()

    def post(self, debit, credit, amount, kind, day=None):
        self.causes += 1
        new = NewTransfer(
            debit, credit, amount, kind, "manual", self.causes, expires_on=None if day in (None, NEVER) else day
        )
        with transaction.atomic():
            [first] = post_many([new], at=self.now)
            assert post_many([new], at=self.now) == [first]
        return first

    @rule(target=awards, who=WHO, amount=AMOUNTS, day=DAYS)
    def award(self, who, amount, day):
        transfer = self.post(self.issuance, self.ids[who], amount, "award", day)
        self.oracles[who].receive(day, amount)
        return who, transfer, amount, day

    @rule(target=spends, who=WHO, amount=AMOUNTS)
    def spend(self, who, amount):
        free = self.oracles[who].free(self.today)
        if amount > free:
            with pytest.raises(BalanceTooLow) as refusal:
                self.post(self.ids[who], self.redeemed, amount, "spend")
            assert refusal.value.available == max(free, 0)
            return None
        transfer = self.post(self.ids[who], self.redeemed, amount, "spend")
        return who, transfer, self.oracles[who].take(amount, self.today)

    @rule(debit=WHO, credit=WHO, amount=AMOUNTS)
    def move(self, debit, credit, amount):
        if debit == credit or amount > self.oracles[debit].free(self.today):
            return
        self.post(self.ids[debit], self.ids[credit], amount, "move")
        for day, part in self.oracles[debit].take(amount, self.today).items():
            self.oracles[credit].lots[day] += part
        pay = min(self.oracles[credit].debt, amount)
        self.oracles[credit].debt -= pay
        self.oracles[credit].take(pay)

    @rule(target=holds, who=WHO, amount=AMOUNTS)
    def reserve(self, who, amount):
        self.causes += 1
        new = {"cause_kind": "order", "cause_id": self.causes, "amount": amount, "at": self.now}
        if amount > self.oracles[who].free(self.today):
            with pytest.raises(BalanceTooLow), transaction.atomic():
                hold(account_id=self.ids[who], **new)
            return None
        self.oracles[who].held += amount
        return who, hold(account_id=self.ids[who], **new).pk, amount

    @rule(found=consumes(holds), part=st.integers(1, 60))
    def settle(self, found, part):
        if found is None:
            return
        who, pk, amount = found
        part = min(part, amount)
        settle(hold_id=pk, credit=self.redeemed, amount=part, at=self.now)
        self.oracles[who].held -= amount
        self.oracles[who].take(part)

    @rule(found=consumes(holds))
    def void(self, found):
        if found is not None:
            void(hold_id=found[1], at=self.now)
            self.oracles[found[0]].held -= found[2]

    @rule(award=awards)
    def take_back(self, award):
        who, transfer, amount, day = award
        if Transfer.objects.filter(kind=11, cause_id=transfer).exists():
            with pytest.raises(AlreadyReversed), transaction.atomic():
                reverse(transfer, at=self.now)
            return
        reverse(transfer, at=self.now)
        oracle = self.oracles[who]
        short = max(0, amount - max(0, oracle.posted - oracle.held))
        oracle.debt += short
        oracle.lots[day] += short
        oracle.take(amount, first=[day])

    @rule(spend=consumes(spends))
    def refund(self, spend):
        if spend is None:
            return
        who, transfer, taken = spend
        reverse(transfer, at=self.now, grace_days=5)
        for day, amount in taken.items():
            self.oracles[who].lots[day if day >= self.today else self.today + timedelta(days=5)] += amount

    @rule(days=st.integers(1, 3))
    def days_pass(self, days):
        self.now += timedelta(days=days)
        expire_lots(as_of=self.now)
        for oracle in self.oracles:
            ended = sum(n for day, n in oracle.lots.items() if day < self.today)
            oracle.take(max(0, min(ended, oracle.posted - oracle.held)))

    @invariant()
    def the_books_agree(self):
        for account, oracle in zip(self.ids, self.oracles, strict=True):
            row = Account.objects.get(pk=account)
            assert (row.posted, row.held) == (oracle.posted, oracle.held)
            lots = dict(Lot.objects.filter(account=account).exclude(left=0).values_list("expires_on", "left"))
            assert lots == dict(+oracle.lots)
            debt = Account.objects.filter(clawback_of=account).values_list("posted", flat=True).first()
            assert -(debt or 0) == oracle.debt
            lines = statement(account, limit=1).lines
            assert not lines or lines[0].balance == oracle.posted
        assert not any(trial_balance().sums.values())


def test_any_sequence_of_verbs_agrees_with_a_plain_dictionary(brand):
    run_state_machine_as_test(
        LedgerMachine,
        settings=settings(
            max_examples=20,
            stateful_step_count=20,
            deadline=None,
            phases=[Phase.generate],  # to shrink a failure takes minutes: add Phase.shrink when there is one
            suppress_health_check=list(HealthCheck),
        ),
    )
    assert not Hold.objects.exists()


@given(st.dates(date(2000, 1, 1), date(2400, 1, 1)), st.integers(0, 600))
def test_a_month_end_is_the_last_day_of_its_month(day, months):
    end = month_end(day, months)

    assert (end + timedelta(days=1)).day == 1
    assert (end.year * 12 + end.month) - (day.year * 12 + day.month) == months
