"""Freezing, closing, and credit."""

from datetime import date

import pytest
from django.db import transaction

from ledger.models import Account
from ledger.queries import verify
from ledger.services import (
    AccountClosed,
    AccountFrozen,
    BadAmount,
    BalanceTooLow,
    CreditExpires,
    NotEmpty,
    WrongSides,
    close,
    freeze,
    open_account,
    set_credit_limit,
    unfreeze,
)
from staff.models import Audit


def act(verb, account, world, **more):
    with transaction.atomic():
        verb(account_id=account, at=world.at, **more)


def test_nothing_leaves_a_frozen_account_but_value_arrives(world, balances):
    world.award(world.consumer, 100)
    act(freeze, world.consumer, world)

    with pytest.raises(AccountFrozen):
        world.spend(world.consumer, 1)
    world.award(world.consumer, 5, cause_id=2)
    assert balances(world.consumer) == [105]

    act(unfreeze, world.consumer, world)
    trail = Audit.objects.filter(table_name="ledger_account", row_id=str(world.consumer)).order_by("id")
    assert [row.after["status"] for row in trail] == ["frozen", "open"]
    world.spend(world.consumer, 105)
    assert balances(world.consumer) == [0]
    assert not list(verify())


def test_only_an_empty_account_closes_and_stays_closed(world):
    world.award(world.consumer, 1)
    with pytest.raises(NotEmpty):
        act(close, world.consumer, world)
    world.spend(world.consumer, 1)

    act(close, world.consumer, world)

    assert Account.objects.get(pk=world.consumer).status == Account.Status.CLOSED
    for verb in (freeze, unfreeze):
        with pytest.raises(AccountClosed):
            act(verb, world.consumer, world)


@pytest.mark.parametrize("verb", [freeze, unfreeze, close])
def test_system_accounts_are_not_frozen_or_closed(world, verb):
    with pytest.raises(WrongSides):
        act(verb, world.issuance, world)


def test_a_credit_account_falls_to_its_limit(world, balances):
    with transaction.atomic():
        account = open_account(party="distributor", credit_limit=100).pk
    world.award(account, 20)

    world.spend(account, 90)
    with pytest.raises(BalanceTooLow) as refusal:
        world.spend(account, 31, cause_id=2)

    assert refusal.value.available == 30
    assert balances(account) == [-70]
    world.award(account, 50, cause_id=2)
    assert balances(account) == [-20]
    assert not list(verify())


def test_credit_and_days_of_expiry_exclude_each_other(world):
    with transaction.atomic():
        account = open_account(party="distributor", credit_limit=100).pk
    world.award(world.consumer, 10, expires_on=date(2027, 1, 31))

    with pytest.raises(CreditExpires):
        world.award(account, 10, cause_id=2, expires_on=date(2027, 1, 31))
    with pytest.raises(CreditExpires):
        act(set_credit_limit, world.consumer, world, credit_limit=1)


def test_a_limit_is_not_set_above_what_is_owed(world, balances):
    with transaction.atomic():
        account = open_account(party="distributor", credit_limit=100).pk
    world.spend(account, 60)

    with pytest.raises(BalanceTooLow):
        act(set_credit_limit, account, world, credit_limit=59)
    with pytest.raises(BadAmount):
        act(set_credit_limit, account, world, credit_limit=-1)
    act(set_credit_limit, account, world, credit_limit=60)

    with pytest.raises(BalanceTooLow):
        world.spend(account, 1, cause_id=2)
