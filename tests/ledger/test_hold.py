"""Holds: reserve now, settle once, void, or let it expire."""

from datetime import date, timedelta

import pytest
from django.db import transaction

from ledger.models import Account, Hold, Lot, Transfer
from ledger.queries import verify
from ledger.services import (
    AccountFrozen,
    BadAmount,
    BalanceTooLow,
    CauseReused,
    HoldEnded,
    WrongSides,
    expire_holds,
    expire_lots,
    freeze,
    hold,
    settle,
    void,
)

SOON = date(2026, 11, 30)


@pytest.fixture
def reserve(world):
    def make(amount=60, cause_id=1, expires_at=None):
        with transaction.atomic():
            return hold(
                account_id=world.consumer,
                amount=amount,
                cause_kind="order",
                cause_id=cause_id,
                at=world.at,
                expires_at=expires_at,
            )

    world.award(world.consumer, 100, expires_on=SOON)
    return make


def stand(world):
    account = Account.objects.get(pk=world.consumer)
    return account.posted, account.held, account.available


def test_what_is_held_cannot_be_spent(world, reserve):
    reserve(60)

    with pytest.raises(BalanceTooLow) as refusal:
        world.spend(world.consumer, 41)

    assert refusal.value.available == 40
    assert stand(world) == (100, 60, 40)
    assert not list(verify())


def test_no_more_is_held_than_is_there(world, reserve):
    reserve(60)

    with pytest.raises(BalanceTooLow) as refusal:
        reserve(41, cause_id=2)

    assert refusal.value.available == 40


def test_a_repeat_returns_the_first_hold(world, reserve):
    assert reserve(60).pk == reserve(60).pk
    assert stand(world) == (100, 60, 40)
    with pytest.raises(CauseReused):
        reserve(61)


def test_settling_whole_spends_it(world, reserve, balances):
    found = reserve(60)

    with transaction.atomic():
        transfer = settle(hold_id=found.pk, credit=world.redeemed, at=world.at)

    assert stand(world) == (40, 0, 40)
    assert (transfer.amount, balances(world.redeemed)) == (60, [60])
    assert not list(verify())


def test_settling_in_part_frees_the_rest_and_is_done(world, reserve):
    found = reserve(60)

    with transaction.atomic():
        first = settle(hold_id=found.pk, credit=world.redeemed, amount=25, at=world.at)

    assert stand(world) == (75, 0, 75)
    with transaction.atomic():
        assert settle(hold_id=found.pk, credit=world.redeemed, amount=25, at=world.at).pk == first.pk
    with pytest.raises(HoldEnded), transaction.atomic():
        settle(hold_id=found.pk, credit=world.redeemed, amount=35, at=world.at)
    assert not list(verify())


@pytest.mark.parametrize("amount", [0, -1, 61, 1.5])
def test_settling_more_than_is_held_is_refused(world, reserve, amount):
    found = reserve(60)

    with pytest.raises(BadAmount), transaction.atomic():
        settle(hold_id=found.pk, credit=world.redeemed, amount=amount, at=world.at)

    assert stand(world) == (100, 60, 40)


def test_a_void_hold_gives_back_and_is_done(world, reserve):
    found = reserve(60)

    for _ in range(2):
        with transaction.atomic():
            assert void(hold_id=found.pk, at=world.at).state == Hold.State.VOID

    assert stand(world) == (100, 0, 100)
    with pytest.raises(HoldEnded), transaction.atomic():
        settle(hold_id=found.pk, credit=world.redeemed, at=world.at)
    assert not list(verify())


def test_holds_expire_when_their_time_is_over(world, reserve):
    hour = timedelta(hours=1)
    short, long, ever = reserve(10, 1, world.at + hour), reserve(20, 2, world.at + 2 * hour), reserve(30, 3)

    with transaction.atomic():
        assert expire_holds(as_of=world.at + hour) == 1
        assert expire_holds(as_of=world.at + hour) == 0

    states = [Hold.objects.get(pk=found.pk).state for found in (short, long, ever)]
    assert states == [Hold.State.EXPIRED, Hold.State.OPEN, Hold.State.OPEN]
    assert stand(world) == (100, 50, 50)
    with pytest.raises(HoldEnded), transaction.atomic():
        void(hold_id=short.pk, at=world.at)
    assert not list(verify())


def test_a_frozen_account_may_void_and_expire_but_not_settle(world, reserve):
    settled, voided = reserve(10, 1), reserve(20, 2)
    reserve(30, 3, world.at)
    with transaction.atomic():
        freeze(account_id=world.consumer, at=world.at)

    with pytest.raises(AccountFrozen), transaction.atomic():
        settle(hold_id=settled.pk, credit=world.redeemed, at=world.at)
    with pytest.raises(AccountFrozen):
        reserve(1, 4)
    with transaction.atomic():
        void(hold_id=voided.pk, at=world.at)
        assert expire_holds(as_of=world.at) == 1

    assert stand(world) == (100, 10, 90)
    assert not list(verify())


def test_held_points_do_not_expire_under_their_hold(world, reserve):
    found = reserve(60)
    later = world.at + timedelta(days=30)

    with transaction.atomic():
        assert expire_lots(as_of=later) == 1
    assert stand(world) == (60, 60, 0)
    with transaction.atomic():
        settle(hold_id=found.pk, credit=world.redeemed, amount=45, at=later)
        assert expire_lots(as_of=later + timedelta(days=1)) == 1

    assert stand(world) == (0, 0, 0)
    assert [lot.left for lot in Lot.objects.filter(account=world.consumer)] == [0]
    assert not list(verify())


def test_only_holders_hold(world):
    with pytest.raises(WrongSides), transaction.atomic():
        hold(account_id=world.issuance, amount=1, cause_kind="order", cause_id=1, at=world.at)

    assert not Transfer.objects.exists()
