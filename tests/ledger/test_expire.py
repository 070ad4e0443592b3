"""Lots expire when their last day ends in the brand's time zone."""

from datetime import UTC, date, datetime, timedelta

from django.db import connection, transaction

from ledger.lots import NEVER, month_end, take
from ledger.models import Kind, Lot, LotUse, Transfer
from ledger.queries import accounts_to_expire, expiring_soon, verify
from ledger.services import expire_lots

DAY = date(2026, 11, 30)
LAST_MOMENT = datetime(2026, 11, 30, 15, 59, 59, tzinfo=UTC)  # 23:59:59 in Shanghai


def expire(as_of, **choice):
    with transaction.atomic():
        return expire_lots(as_of=as_of, **choice)


def test_a_lot_lives_until_its_day_ends_where_the_brand_is(world, balances):
    world.award(world.consumer, 100, expires_on=DAY)

    assert connection.tenant.time_zone == "Asia/Shanghai"
    assert expire(LAST_MOMENT) == 0
    assert balances(world.consumer) == [100]
    assert expire(LAST_MOMENT + timedelta(seconds=1)) == 1
    assert balances(world.consumer, world.expired) == [0, 100]
    assert not list(verify())


def test_it_can_be_spent_in_its_last_second(world, balances):
    world.award(world.consumer, 100, expires_on=DAY)

    world.spend(world.consumer, 100, at=LAST_MOMENT)

    assert balances(world.consumer) == [0]


def test_all_ended_lots_of_an_account_go_in_one_transfer(world, balances):
    world.award(world.consumer, 100, 1, DAY)
    world.award(world.consumer, 20, 2, DAY + timedelta(days=1))
    world.award(world.consumer, 3, 3)
    later = LAST_MOMENT + timedelta(days=2)

    assert expire(later) == 1
    assert expire(later) == 0

    [transfer] = Transfer.objects.filter(kind=Kind.EXPIRE)
    assert list(LotUse.objects.filter(transfer=transfer).order_by("expires_on").values_list("amount", flat=True)) == [
        100,
        20,
    ]
    assert balances(world.consumer) == [3]
    assert dict(Lot.objects.filter(account=world.consumer, left__gt=0).values_list("expires_on", "left")) == {NEVER: 3}
    assert not list(verify())


def test_slices_name_each_account_once(world):
    for account in (world.consumer, world.retailer, world.promoter):
        world.award(account, 10, expires_on=DAY)
    later = LAST_MOMENT + timedelta(days=2)

    first = accounts_to_expire(later, limit=2)
    rest = accounts_to_expire(later, after=first[-1], limit=2)

    assert first + rest == sorted([world.consumer, world.retailer, world.promoter])
    assert expire(later, accounts=first) == 2
    assert expire(later) == 1


def test_expiring_soon_is_told_in_time(world):
    world.award(world.consumer, 100, 1, DAY)
    world.award(world.consumer, 50, 2, DAY + timedelta(days=30))

    assert expiring_soon(world.consumer, 8, world.at) == [(DAY, 100)]
    assert expiring_soon(world.consumer, 7, world.at) == []


def test_lots_are_taken_soonest_first_after_the_named():
    lots = {DAY: 5, NEVER: 10}

    assert take(lots, 7) == {DAY: 5, NEVER: 2}
    assert take(lots, 7, first=(NEVER,)) == {NEVER: 7}
    assert take(lots, 7, today=DAY + timedelta(days=1)) == {NEVER: 7}
    assert take({DAY: 5}, 7) == {DAY: 5, NEVER: 2}


def test_days_are_rounded_to_the_end_of_a_month():
    assert month_end(date(2026, 11, 25)) == DAY
    assert month_end(date(2026, 11, 25), 3) == date(2027, 2, 28)
    assert month_end(date(2026, 12, 31), 12) == date(2027, 12, 31)
