"""The proof names what is planted past every guard: with the owner's and the server's password, triggers off."""

from datetime import date

import psycopg
import pytest
from django.conf import settings
from django.core.management import CommandError, call_command
from django.db import transaction

from ledger.models import Account, Hold, Transfer
from ledger.queries import verify
from ledger.services import NewTransfer, hold, post, reverse, settle
from tests.environment import BRAND, CLUSTER
from tests.ledger.conftest import open_world

LATER = date(2027, 11, 30)


class Books:
    """A ledger with one of everything, and a way past all guards."""

    def __init__(self, at):
        self.world = world = open_world(at)
        with transaction.atomic():
            self.group = post(
                [
                    NewTransfer(world.issuance, account, amount, "award", "purchase", 1, expires_on=LATER)
                    for account, amount in ((world.consumer, 100), (world.retailer, 10), (world.promoter, 5))
                ],
                at=at,
            )
        self.spend = world.spend(world.consumer, 30)
        with transaction.atomic():
            open_hold = hold(account_id=world.consumer, amount=20, cause_kind="order", cause_id=2, at=at)
            done = hold(account_id=world.consumer, amount=9, cause_kind="order", cause_id=3, at=at)
            settle(hold_id=done.pk, credit=world.redeemed, amount=4, at=at)
        world.spend(world.retailer, 10, cause_id=4)
        with transaction.atomic():
            self.reversal = reverse(self.group[1].pk, at=at)
        self.hold, self.settled = open_hold.pk, done.pk
        self.clawback = Account.objects.get(kind="clawback").pk

    def plant(self, *statements):
        name = settings.DATABASES["default"]["NAME"]
        with psycopg.connect(CLUSTER.url("postgres", name), autocommit=True) as server:
            server.execute("SET session_replication_role = replica")  # no trigger and no foreign key watches
            server.execute(f"SET search_path TO {BRAND}")
            for statement in statements:
                server.execute(statement.format(b=self, w=self.world))

    def drop(self, table, *constraints):
        self.plant(*(f"ALTER TABLE {table} DROP CONSTRAINT {name}" for name in constraints))


@pytest.fixture
def books(real_commits, at):
    return Books(at)


INSERT = (
    "INSERT INTO ledger_transfer (debit_id, credit_id, amount, cause_id, posted_at, kind, cause_kind, linked,"
    " recorded_by, expires_on) VALUES "
)

PLANTED = {
    "a posted balance raised": (
        ["UPDATE ledger_account SET posted = posted + 1 WHERE id = {w.consumer}"],
        ("account_balance", "{w.consumer}"),
    ),
    "a lot emptied": (
        ['UPDATE ledger_lot SET "left" = 0 WHERE account_id = {w.promoter}'],
        ("lot_follows_transfers", "{w.promoter}/2027-11-30"),
    ),
    "a lot moved to a later day": (
        ["UPDATE ledger_lot SET expires_on = '2030-01-31' WHERE account_id = {w.promoter}"],
        ("lot_follows_transfers", "{w.promoter}/2027-11-30"),
    ),
    "a hold forgotten": (
        ["DELETE FROM ledger_hold WHERE id = {b.hold}"],
        ("holds_make_held", "{w.consumer}"),
    ),
    "more settled than was posted": (
        ["UPDATE ledger_hold SET settled = 9 WHERE id = {b.settled}"],
        ("hold_settled_once", "{b.settled}"),
    ),
    "one transfer of a group deleted": (
        ["DELETE FROM ledger_transfer WHERE id = {b.group[2].pk}"],
        ("transfer_group", "{b.group[0].pk}"),
    ),
    "a transfer reversed twice": (
        [
            "DROP INDEX transfer_is_reversed_once",
            INSERT + "({w.consumer}, {w.issuance}, 10, {b.group[1].pk}, now(), 11, 3, 1, '', NULL)",
        ],
        ("reversal_once", "{b.reversal.pk}+"),
    ),
    "a reversal of another amount": (
        ["UPDATE ledger_transfer SET amount = 9 WHERE id = {b.reversal.pk}"],
        ("reversal_mirrors", "{b.reversal.pk}"),
    ),
    "an amount changed": (
        ["UPDATE ledger_transfer SET amount = 101 WHERE id = {b.group[0].pk}"],
        ("account_balance", "{w.consumer}"),
    ),
    "what a spend took from its lot forgotten": (
        ["DELETE FROM ledger_lotuse WHERE transfer_id = {b.spend.pk}"],
        ("lot_uses_make_amount", "{b.spend.pk}"),
    ),
    "a lot use of no transfer": (
        ["INSERT INTO ledger_lotuse (transfer_id, expires_on, amount) VALUES (999999, '2027-01-31', 5)"],
        ("lot_use_names_transfer", "999999/2027-01-31"),
    ),
    "a unit turned into another": (
        ["UPDATE ledger_account SET unit = 'money' WHERE id = {w.promoter}"],
        ("transfer_unit", "{b.group[2].pk}"),
    ),
    "an account deleted": (
        ["DELETE FROM ledger_account WHERE id = {w.promoter}"],
        ("transfer_names_accounts", "{b.group[2].pk}"),
    ),
    "a debt given to another": (
        ["UPDATE ledger_account SET clawback_of_id = {w.issuance} WHERE id = {b.clawback}"],
        ("account_clawback", "{b.clawback}"),
    ),
    "a floor broken": (
        [
            "ALTER TABLE ledger_account DROP CONSTRAINT account_keeps_its_floor",
            "UPDATE ledger_account SET held = 1000 WHERE id = {w.consumer}",
        ],
        ("account_floor", "{w.consumer}"),
    ),
    "an award paid from one person to another": (
        ["UPDATE ledger_transfer SET debit_id = {w.consumer} WHERE id = {b.group[2].pk}"],
        ("transfer_sides", "{b.group[2].pk}"),
    ),
    "a cause posted twice": (
        [
            "ALTER TABLE ledger_transfer DROP CONSTRAINT transfer_has_one_cause",
            INSERT + "({w.issuance}, {w.consumer}, 100, 1, now(), 1, 11, 1, '', '2027-11-30')",
        ],
        ("transfer_cause", "{b.reversal.pk}+"),
    ),
    "nothing moved": (
        [
            "ALTER TABLE ledger_transfer DROP CONSTRAINT transfer_amount_is_positive_and_exact",
            "UPDATE ledger_transfer SET amount = 0 WHERE id = {b.group[2].pk}",
        ],
        ("transfer_amount", "{b.group[2].pk}"),
    ),
    "a lot below zero": (
        [
            "ALTER TABLE ledger_lot DROP CONSTRAINT lot_is_overdrawn_only_if_it_never_expires",
            'UPDATE ledger_lot SET "left" = -1 WHERE account_id = {w.promoter}',
        ],
        ("lot_below_zero", "{w.promoter}/2027-11-30"),
    ),
    "a balance beside its lots": (
        ["INSERT INTO ledger_lot (account_id, expires_on, \"left\") VALUES ({w.issuance}, '2027-01-31', 7)"],
        ("lots_make_balance", "{w.issuance}"),
    ),
}


@pytest.mark.parametrize("name", PLANTED)
def test_each_planted_corruption_is_named(books, name):
    statements, (check, row) = PLANTED[name]
    assert not list(verify())

    books.plant(*statements)

    row = row.format(b=books, w=books.world)
    if row.endswith("+"):  # the row planted last
        row = str(Transfer.objects.order_by("id").last().pk)
    assert (check, row) in {(fault.check, fault.row) for fault in verify()}


def test_the_command_exits_1_and_names_the_row(books, capsys):
    call_command("verify_ledger", schema=BRAND)
    assert "every promise holds" in capsys.readouterr().out

    books.plant("UPDATE ledger_account SET posted = posted + 1 WHERE id = {w.consumer}")

    with pytest.raises(CommandError) as failure:
        call_command("verify_ledger")
    assert failure.value.returncode == 1
    assert f"brand_a: account_balance: ledger_account {books.world.consumer} says 67" in capsys.readouterr().err


def test_an_unknown_brand_is_an_error(real_commits):
    with pytest.raises(CommandError):
        call_command("verify_ledger", schema="nobody")


def test_even_the_owner_cannot_change_a_transfer(books):
    from config import embedded

    url = CLUSTER.url(embedded.OWNER_ROLE, settings.DATABASES["default"]["NAME"])
    with psycopg.connect(url, autocommit=True) as owner:
        owner.execute(f"SET search_path TO {BRAND}")
        for statement in (
            "UPDATE ledger_transfer SET amount = 1",
            "DELETE FROM ledger_transfer",
            "TRUNCATE ledger_transfer, ledger_lotuse",
            "UPDATE ledger_lotuse SET amount = 1",
            "DELETE FROM ledger_lotuse",
            "TRUNCATE ledger_lotuse",
        ):
            with pytest.raises(psycopg.errors.RestrictViolation, match="append-only"):
                owner.execute(statement)
    assert Hold.objects.count() == 2
