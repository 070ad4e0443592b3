"""Reading: balances as of a moment, statements, trial balance, liability, movement."""

from datetime import date, timedelta

import pytest
from django.db import transaction

from ledger.models import Kind
from ledger.queries import balance, balances, group_of, liability, lots, movements, statement, trial_balance
from ledger.services import NewTransfer, expire_lots, post, reverse

SOON, LATER = date(2026, 11, 30), date(2027, 11, 30)
DAY = timedelta(days=1)


@pytest.fixture
def history(world):
    """Day 0: award 100 and 50. Day 1: spend 30. Day 2: the spend is reversed. Day 10: the 50 have expired."""
    first = world.award(world.consumer, 100, 1, LATER)
    world.award(world.consumer, 50, 2, SOON)
    spend = world.spend(world.consumer, 30, at=world.at + DAY)
    with transaction.atomic():
        reverse(spend.pk, at=world.at + 2 * DAY)
        expire_lots(as_of=world.at + 10 * DAY)
    return first


def test_a_balance_is_told_as_of_a_moment(world, history):
    days = [balance(world.consumer, world.at + n * DAY) for n in (-1, 0, 1, 2, 10)]

    assert days == [0, 150, 120, 150, 100]
    assert balance(world.consumer) == 100
    assert balances([world.issuance, world.consumer, 999_999]) == {
        world.issuance: -150,
        world.consumer: 100,
        999_999: 0,
    }


def test_a_statement_runs_from_new_to_old_with_the_balance_after_each(world, history):
    page = statement(world.consumer)

    assert [(line.change, line.balance) for line in page.lines] == [
        (-50, 100),
        (30, 150),
        (-30, 120),
        (50, 150),
        (100, 100),
    ]
    assert [line.kind for line in page.lines] == [Kind.EXPIRE, Kind.REVERSAL, Kind.SPEND, Kind.AWARD, Kind.AWARD]
    assert page.lines[-1].other_account == world.issuance
    assert page.lines[-1].cause_id == 1
    assert page.cursor is None


def test_its_pages_join_without_a_seam(world, history):
    lines, cursor, pages = [], None, 0
    while True:
        page = statement(world.consumer, cursor, 2)
        lines += page.lines
        pages += 1
        cursor = page.cursor
        if cursor is None:
            break

    assert pages == 3
    assert lines == statement(world.consumer).lines


def test_it_is_told_as_of_a_moment_too(world, history):
    page = statement(world.consumer, as_of=world.at + DAY)

    assert [(line.change, line.balance) for line in page.lines] == [(-30, 120), (50, 150), (100, 100)]


def test_a_system_account_has_a_statement(world, history):
    assert [(line.change, line.balance) for line in statement(world.issuance).lines] == [(-50, -150), (-100, -100)]
    assert [line.balance for line in statement(world.redeemed).lines] == [0, 30]


def test_an_account_without_transfers_has_an_empty_one(world):
    assert statement(world.promoter).lines == []


def test_the_trial_balance_sums_to_zero_at_every_moment(world, history):
    for n in (0, 1, 2, 10):
        assert trial_balance(world.at + n * DAY).sums == {"points": 0}


def test_before_the_first_transfer_there_is_nothing(world, history):
    assert not any(row.balance for row in trial_balance(world.at - DAY).rows)


def test_the_trial_balance_shows_what_came_and_went(world, history):
    trial = trial_balance(since=world.at + DAY)

    [consumers] = [row for row in trial.rows if row.party == "consumer"]
    assert (consumers.opening, consumers.incoming, consumers.outgoing, consumers.balance) == (150, 30, 80, 100)
    assert all(row.opening + row.incoming - row.outgoing == row.balance for row in trial.rows)
    assert trial.transfers == 5


def test_liability_is_told_by_party_and_month(world, history):
    world.award(world.retailer, 7, 3)

    rows = {(row.unit, row.party, row.month): row.amount for row in liability()}

    assert rows == {("points", "consumer", date(2027, 11, 1)): 100, ("points", "retailer", None): 7}
    assert [row.amount for row in liability(party="retailer")] == [7]
    assert liability(unit="money") == []
    assert [(lot.expires_on, lot.left) for lot in lots(world.consumer)] == [(LATER, 100)]


def test_the_movement_table_leads_from_opening_to_closing(world, history):
    [row] = movements(world.at + DAY, world.at + 11 * DAY)

    assert (row.opening, row.issued, row.spent, row.expired, row.adjusted, row.closing) == (150, 0, 30, 50, 30, 100)
    assert row.opening + row.issued - row.spent - row.expired + row.adjusted == row.closing
    [before] = movements(world.at, world.at + DAY)
    assert (before.opening, before.issued, before.closing) == (0, 150, 150)


def test_a_group_is_found_from_any_of_its_transfers(world):
    with transaction.atomic():
        rows = post(
            [
                NewTransfer(world.issuance, world.consumer, 100, "award", "redemption", 1),
                NewTransfer(world.issuance, world.retailer, 10, "award", "redemption", 1),
            ],
            at=world.at,
        )

    assert list(group_of(rows[1])) == rows
