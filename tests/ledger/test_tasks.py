"""The ledger's tasks: expiry of lots and holds, in slices, once a day."""

from datetime import date, timedelta

from django.db import transaction

from ledger import queries, tasks
from ledger.models import Hold, Transfer
from ledger.services import hold
from tests.ledger.conftest import open_world


def test_ended_lots_go_slice_by_slice_and_once_a_day(real_commits, at, monkeypatch):
    world = open_world(at)
    slices = []
    for account in (world.consumer, world.retailer, world.promoter):
        world.award(account, 10, expires_on=date(2026, 11, 22))
    accounts_to_expire = queries.accounts_to_expire

    def two(at, after):
        slices.append(after)
        return accounts_to_expire(at, after, limit=2)

    monkeypatch.setattr(queries, "accounts_to_expire", two)
    monkeypatch.setattr(tasks, "now", lambda: at + timedelta(days=1))

    tasks.expire_lots()
    tasks.expire_lots()

    assert len(slices) == 3
    assert queries.balances([world.consumer, world.retailer, world.promoter, world.expired]) == {
        world.consumer: 0,
        world.retailer: 0,
        world.promoter: 0,
        world.expired: 30,
    }
    assert not list(queries.verify())


def test_holds_are_given_back_when_due(real_commits, at, monkeypatch):
    world = open_world(at)
    world.award(world.consumer, 10)
    with transaction.atomic():
        hold(account_id=world.consumer, amount=10, cause_kind="order", cause_id=1, at=at, expires_at=at)
    monkeypatch.setattr(tasks, "now", lambda: at)

    tasks.expire_holds()

    assert Hold.objects.get().state == Hold.State.EXPIRED
    assert Transfer.objects.count() == 1
    world.spend(world.consumer, 10)
