"""Real threads: opposite transfers never lock each other out, and one balance is spent once."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction

from ledger.models import Account
from ledger.queries import balances, trial_balance, verify
from ledger.services import AlreadyReversed, BalanceTooLow, NewTransfer, post_many, reverse
from tests.ledger.conftest import open_world

pytestmark = pytest.mark.races
THREADS = 8


def together(tenant, *jobs):
    """Run each job in a thread with a connection of its own; return what they return."""

    def run(job):
        connection.set_tenant(tenant)
        try:
            return job()
        finally:
            connection.close()

    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(run, jobs))


def test_opposite_transfers_do_not_deadlock(real_commits, at):
    world = open_world(at)
    for account in (world.consumer, world.retailer):
        world.award(account, 10_000)

    def mover(debit, credit, thread):
        def move():
            for i in range(40):
                with transaction.atomic(durable=True):
                    post_many([NewTransfer(debit, credit, 1, "move", "claim", thread * 1000 + i)], at=at)

        return move

    pairs = [(world.consumer, world.retailer), (world.retailer, world.consumer)]
    together(connection.tenant, *(mover(*pairs[n % 2], n) for n in range(THREADS)))

    assert balances([world.consumer, world.retailer]) == {world.consumer: 10_000, world.retailer: 10_000}
    assert not list(verify())


def test_one_balance_is_spent_once(real_commits, at):
    world = open_world(at)
    world.award(world.consumer, 100)

    def spender(cause_id):
        def spend():
            try:
                with transaction.atomic(durable=True):
                    post_many([NewTransfer(world.consumer, world.redeemed, 30, "spend", "order", cause_id)], at=at)
            except BalanceTooLow:
                return False
            return True

        return spend

    results = together(connection.tenant, *(spender(n) for n in range(20)))

    assert sum(results) == 3
    assert balances([world.consumer]) == {world.consumer: 10}
    assert not list(verify())


def test_one_cause_posted_by_all_at_once_counts_once(real_commits, at):
    world = open_world(at)

    def award():
        with transaction.atomic(durable=True):
            return post_many([NewTransfer(world.issuance, world.consumer, 10, "award", "redemption", 1)], at=at)

    ids = together(connection.tenant, *([award] * 20))

    assert len({found for [found] in ids}) == 1
    assert balances([world.consumer]) == {world.consumer: 10}
    assert not list(verify())


def test_a_transfer_reversed_by_all_at_once_is_reversed_once(real_commits, at):
    world = open_world(at)
    award = world.award(world.consumer, 10)
    world.spend(world.consumer, 10)

    def take_back():
        try:
            with transaction.atomic(durable=True):
                reverse(award.pk, at=at)
        except AlreadyReversed:
            return False
        return True

    results = together(connection.tenant, *([take_back] * 16))

    assert sum(results) == 1
    assert Account.objects.get(kind="clawback").posted == -10
    assert trial_balance().sums == {"points": 0}
    assert not list(verify())
