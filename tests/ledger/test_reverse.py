"""Reversals: the exact opposite, once; lots restored; what is spent is owed and paid first out of later awards."""

from datetime import date, timedelta

import pytest
from django.db import IntegrityError, connection, transaction

from common.errors import NotFound
from ledger.models import Account, Kind, Lot, Transfer
from ledger.queries import verify
from ledger.services import (
    AlreadyReversed,
    NewTransfer,
    NotEmpty,
    NotReversible,
    close,
    open_account,
    post,
    reverse,
    reverse_many,
)

SOON, LATER = date(2026, 11, 30), date(2027, 11, 30)


def lots_of(account):
    return dict(Lot.objects.filter(account=account).exclude(left=0).values_list("expires_on", "left"))


def take_back(world, *transfers, **rule):
    with transaction.atomic():
        return reverse_many([t.pk for t in transfers], at=rule.pop("at", world.at), **rule)


def owed(account):
    return dict(Account.objects.filter(clawback_of=account).values_list("clawback_of", "posted")).get(account)


def test_an_award_is_taken_back_from_its_own_lot(world, balances):
    award = world.award(world.consumer, 100, 1, LATER)
    world.award(world.consumer, 50, 2, SOON)

    [reversal] = take_back(world, award)

    assert (reversal.debit_id, reversal.credit_id, reversal.amount) == (world.consumer, world.issuance, 100)
    assert balances(world.consumer, world.issuance) == [50, -50]
    assert lots_of(world.consumer) == {SOON: 50}
    assert owed(world.consumer) is None
    assert not list(verify())


def test_a_refund_restores_the_lots_that_were_taken(world):
    world.award(world.consumer, 100, 1, LATER)
    world.award(world.consumer, 50, 2, SOON)
    spend = world.spend(world.consumer, 130)

    take_back(world, spend)

    assert lots_of(world.consumer) == {SOON: 50, LATER: 100}
    assert not list(verify())


def test_a_refund_into_an_ended_lot_is_reinstated_with_grace(world):
    world.award(world.consumer, 50, 1, SOON)
    spend = world.spend(world.consumer, 50)

    take_back(world, spend, at=world.at + timedelta(days=30), grace_days=10)

    assert lots_of(world.consumer) == {date(2026, 12, 22) + timedelta(days=10): 50}
    assert not list(verify())


def test_or_lapses_at_once(world, balances):
    world.award(world.consumer, 50, 1, SOON)
    world.award(world.consumer, 10, 2, LATER)
    first, second = world.spend(world.consumer, 30, 1), world.spend(world.consumer, 20, 2)

    take_back(world, first, at=world.at + timedelta(days=30), into_ended="lapse")
    take_back(world, second, at=world.at + timedelta(days=30), into_ended="lapse")

    assert balances(world.consumer, world.expired, world.redeemed) == [10, 50, 0]
    assert lots_of(world.consumer) == {LATER: 10}
    assert not list(verify())


def test_after_spending_only_the_clawback_falls_below_zero(world, balances):
    award = world.award(world.retailer, 10, 1, LATER)
    world.spend(world.retailer, 7)

    [reversal] = take_back(world, award)

    assert reversal.amount == 10
    assert balances(world.retailer, world.issuance) == [0, 0]
    assert owed(world.retailer) == -7
    assert not Account.objects.filter(posted__lt=0).exclude(kind="clawback").exists()
    assert not list(verify())


def test_later_awards_pay_what_is_owed_first(world, balances):
    award = world.award(world.retailer, 10, 1, LATER)
    world.spend(world.retailer, 7)
    take_back(world, award)

    world.award(world.retailer, 5, 2, LATER)
    assert (owed(world.retailer), balances(world.retailer)) == (-2, [0])
    with transaction.atomic():
        post(
            [
                NewTransfer(world.issuance, world.retailer, 1, "award", "redemption", 3),
                NewTransfer(world.issuance, world.retailer, 4, "prize", "redemption", 3),
            ],
            at=world.at,
        )

    assert (owed(world.retailer), balances(world.retailer)) == (0, [3])
    assert sum(lots_of(world.retailer).values()) == 3
    payments = Transfer.objects.filter(kind=Kind.CLAWBACK).order_by("id")
    assert list(payments.values_list("amount", flat=True)) == [7, 5, 1, 1]
    assert not list(verify())


def test_a_repeated_award_pays_a_debt_once(world, balances):
    award = world.award(world.retailer, 10, 1)
    world.spend(world.retailer, 10)
    take_back(world, award)
    world.award(world.retailer, 4, 2)

    world.award(world.retailer, 4, 2)

    assert (owed(world.retailer), balances(world.retailer)) == (-6, [0])
    assert not list(verify())


def test_what_is_held_is_not_taken_but_owed(world, balances):
    from ledger.services import hold

    award = world.award(world.consumer, 10)
    with transaction.atomic():
        hold(account_id=world.consumer, amount=6, cause_kind="order", cause_id=1, at=world.at)

    take_back(world, award)

    assert (balances(world.consumer), owed(world.consumer)) == ([6], -6)
    assert not list(verify())


def test_a_whole_group_is_taken_back_under_one_lock(world, balances):
    parties = ((world.consumer, 100), (world.retailer, 10), (world.promoter, 5))
    with transaction.atomic():
        group = post(
            [NewTransfer(world.issuance, who, n, "award", "redemption", 1, expires_on=LATER) for who, n in parties],
            at=world.at,
        )
    world.spend(world.retailer, 10)

    reversals = take_back(world, *group)

    assert [r.amount for r in reversals] == [100, 10, 5]
    assert balances(world.consumer, world.retailer, world.promoter, world.issuance) == [0, 0, 0, 0]
    assert owed(world.retailer) == -10
    assert not list(verify())


def test_two_awards_of_one_account_are_taken_back_together(world, balances):
    first, second = world.award(world.consumer, 100, 1, SOON), world.award(world.consumer, 50, 2, SOON)
    world.spend(world.consumer, 120)

    take_back(world, first, second)

    assert (balances(world.consumer), owed(world.consumer)) == ([0], -120)
    assert not list(verify())


def test_a_transfer_is_reversed_at_most_once(world, balances):
    award = world.award(world.consumer, 100)
    take_back(world, award)
    world.award(world.consumer, 100, 2)

    with pytest.raises(AlreadyReversed):
        take_back(world, award)

    assert balances(world.consumer) == [100]
    with pytest.raises(IntegrityError, match="transfer_is_reversed_once"), transaction.atomic():  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO ledger_transfer"
                " (debit_id, credit_id, amount, cause_id, posted_at, kind, cause_kind, linked, recorded_by)"
                " VALUES (%s, %s, 1, %s, now(), 11, 3, 1, '')",
                [world.consumer, world.redeemed, award.pk],
            )


def test_reversals_are_not_reversed(world):
    award = world.award(world.consumer, 100)
    [reversal] = take_back(world, award)

    with pytest.raises(NotReversible):
        take_back(world, reversal)


def test_an_unknown_transfer_is_not_reversed(world):
    with pytest.raises(NotFound), transaction.atomic():
        reverse(999_999, at=world.at)


def test_a_move_between_holders_travels_back_with_its_days(world):
    world.award(world.consumer, 100, 1, LATER)
    move = world.move(world.consumer, world.retailer, 60)
    world.award(world.retailer, 5, 2, SOON)

    take_back(world, move)

    assert lots_of(world.consumer) == {LATER: 100}
    assert lots_of(world.retailer) == {SOON: 5}
    assert not list(verify())


def test_a_credit_account_is_refunded_below_zero(world, balances):
    with transaction.atomic():
        account = open_account(party="distributor", credit_limit=100).pk
    spend = world.spend(account, 80)
    assert balances(account) == [-80]

    take_back(world, spend)

    assert balances(account) == [0]
    assert not list(verify())


def test_an_account_that_owes_is_not_closed(world):
    award = world.award(world.retailer, 10)
    world.spend(world.retailer, 10)
    take_back(world, award)

    with pytest.raises(NotEmpty), transaction.atomic():
        close(account_id=world.retailer, at=world.at)
