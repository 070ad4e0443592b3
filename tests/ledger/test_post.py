"""Posting: what moves, what is refused, and what a repeat answers."""

from datetime import date

import pytest
from django.db import DatabaseError, IntegrityError, connection, transaction

from ledger.models import MAX_AMOUNT, Account, Lot, LotUse, Transfer
from ledger.queries import trial_balance, verify
from ledger.services import (
    AccountClosed,
    Award,
    BadAmount,
    BalanceTooLow,
    CauseReused,
    CreditExpires,
    LookFirst,
    NewTransfer,
    SelfTransfer,
    UnitMix,
    UnknownAccount,
    WrongSides,
    ask_awards,
    close,
    open_account,
    open_accounts,
    post,
    post_awards,
    post_batch,
    post_many,
    reverse,
    set_credit_limit,
    system_account,
)

SOON, LATER = date(2026, 11, 30), date(2027, 11, 30)


def lots_of(account):
    return dict(Lot.objects.filter(account=account).exclude(left=0).values_list("expires_on", "left"))


def three(world, cause_id=7):
    parties = ((world.consumer, 100), (world.retailer, 10), (world.promoter, 5))
    return [
        NewTransfer(world.issuance, account, amount, "award", "redemption", cause_id, expires_on=LATER)
        for account, amount in parties
    ]


def test_award_pays_three_parties_as_one_group(world, balances):
    with transaction.atomic():
        rows = post(three(world), at=world.at)

    assert balances(world.consumer, world.retailer, world.promoter, world.issuance) == [100, 10, 5, -115]
    assert [row.linked for row in rows] == [3, 3, 3]
    assert {row.expires_on for row in rows} == {LATER}
    assert lots_of(world.consumer) == {LATER: 100}
    assert trial_balance().sums == {"points": 0}
    assert not list(verify())


def test_spend_takes_the_soonest_lot_first(world, balances):
    world.award(world.consumer, 100, 1, LATER)
    world.award(world.consumer, 50, 2, SOON)

    spend = world.spend(world.consumer, 130)

    assert balances(world.consumer, world.redeemed) == [20, 130]
    assert lots_of(world.consumer) == {LATER: 20}
    assert dict(LotUse.objects.filter(transfer=spend).values_list("expires_on", "amount")) == {SOON: 50, LATER: 80}
    assert not list(verify())


def test_spend_leaves_ended_lots_alone(world):
    world.award(world.consumer, 100, 1, date(2026, 11, 21))
    world.award(world.consumer, 30, 2, SOON)

    with pytest.raises(BalanceTooLow) as refusal:
        world.spend(world.consumer, 31)

    assert refusal.value.available == 30
    world.spend(world.consumer, 30)
    assert lots_of(world.consumer) == {date(2026, 11, 21): 100}


def test_too_much_is_refused_and_says_what_is_there(world, balances):
    world.award(world.consumer, 100)

    with pytest.raises(BalanceTooLow) as refusal:
        world.spend(world.consumer, 101)

    assert refusal.value.available == 100
    assert refusal.value.extra == {"available": 100}
    assert balances(world.consumer) == [100]
    assert Transfer.objects.count() == 1


def test_a_list_is_posted_whole_or_not_at_all(world, balances):
    with pytest.raises(BalanceTooLow), transaction.atomic():
        post([*three(world), NewTransfer(world.retailer, world.redeemed, 11, "spend", "order", 1)], at=world.at)

    assert balances(world.consumer, world.retailer) == [0, 0]
    assert not Transfer.objects.exists()


def test_later_transfers_of_a_list_see_earlier_ones(world, balances):
    spend = NewTransfer(world.consumer, world.redeemed, 60, "spend", "order", 1)

    with transaction.atomic():
        posting = post_batch([*three(world), spend], at=world.at)

    assert posting.balances[world.consumer] == balances(world.consumer)[0] == 40
    assert lots_of(world.consumer) == {LATER: 40}
    assert not list(verify())


def test_value_that_moves_keeps_its_days(world):
    world.award(world.consumer, 100, 1, LATER)
    world.award(world.consumer, 50, 2, SOON)

    world.move(world.consumer, world.retailer, 120)

    assert lots_of(world.retailer) == {SOON: 50, LATER: 70}
    assert lots_of(world.consumer) == {LATER: 30}
    assert not list(verify())


@pytest.mark.parametrize("amount", [0, -1, 1.5, 2**63, MAX_AMOUNT + 1, True, "1", None])
def test_amounts_that_are_none_are_refused(world, amount):
    with pytest.raises(BadAmount):
        world.award(world.consumer, amount)

    assert not Transfer.objects.exists()


@pytest.mark.parametrize("amount", [1, MAX_AMOUNT])
def test_the_smallest_and_the_largest_amount_are_posted(world, balances, amount):
    world.award(world.consumer, amount)

    assert balances(world.consumer) == [amount]


def test_a_repeat_answers_with_the_first(world, balances):
    with transaction.atomic():
        first = post_many(three(world), at=world.at)
    spend = world.spend(world.consumer, 100)

    with transaction.atomic():
        assert post_many(three(world), at=world.at) == first
    assert world.spend(world.consumer, 100).pk == spend.pk

    assert balances(world.consumer, world.retailer, world.promoter) == [0, 10, 5]
    assert not list(verify())


def test_a_repeat_beside_new_causes_posts_only_these(world, balances):
    with transaction.atomic():
        first = post_many(three(world, 7), at=world.at)

    with transaction.atomic():
        again = post_many([*three(world, 7), *three(world, 8), *three(world, 8)], at=world.at)

    assert again[:3] == first
    assert again[3:6] == again[6:]
    assert balances(world.consumer, world.retailer, world.promoter) == [200, 20, 10]


def test_a_repeat_within_one_list_counts_once(world, balances):
    with transaction.atomic():
        ids = post_many([three(world)[0]] * 2, at=world.at)

    assert ids[0] == ids[1]
    assert balances(world.consumer) == [100]
    assert not list(verify())


@pytest.mark.parametrize("change", [{"amount": 99}, {"expires_on": SOON}, {"expires_on": None}])
def test_a_repeat_with_other_content_conflicts(world, balances, change):
    with transaction.atomic():
        post_many(three(world), at=world.at)
    first, *rest = three(world)

    with pytest.raises(CauseReused), transaction.atomic():
        post_many([first._replace(**change), *rest], at=world.at)

    assert balances(world.consumer) == [100]


def test_a_cause_repeated_in_part_conflicts_and_leaves_nothing(world, balances):
    with transaction.atomic():
        post_many(three(world)[:2], at=world.at)

    with pytest.raises(CauseReused), transaction.atomic():
        post_many(three(world), at=world.at)

    assert balances(world.promoter) == [0]
    assert Transfer.objects.count() == 2


def test_an_error_after_the_first_row_dooms_the_transaction(world):
    with transaction.atomic():
        post_many(three(world)[:2], at=world.at)

    with transaction.atomic():
        with pytest.raises(CauseReused):
            post_many(three(world), at=world.at)
        assert transaction.get_rollback()

    assert Transfer.objects.count() == 2


def test_a_transfer_to_itself_is_refused(world):
    with pytest.raises(SelfTransfer):
        world.move(world.consumer, world.consumer, 1)


def test_units_do_not_mix(world):
    with transaction.atomic():
        purse = open_account(party="consumer", unit="money").pk

    with pytest.raises(UnitMix):
        world.award(purse, 1)


def test_another_unit_has_system_accounts_of_its_own(world, balances):
    with transaction.atomic():
        purse = open_account(party="consumer", unit="money").pk
        till = system_account("issuance", "money")
        assert system_account("issuance", "money") == till
        post_many([NewTransfer(till, purse, 500, "recharge", "purchase", 1)], at=world.at)

    assert till != world.issuance
    assert balances(purse, till) == [500, -500]
    assert trial_balance().sums == {"money": 0, "points": 0}


def test_an_unknown_account_is_refused(world):
    with pytest.raises(UnknownAccount):
        world.award(999_999, 1)


@pytest.mark.parametrize(
    ("kind", "debit", "credit"),
    [
        ("award", "consumer", "retailer"),
        ("award", "consumer", "redeemed"),
        ("award", "issuance", "redeemed"),
        ("spend", "issuance", "redeemed"),
        ("spend", "consumer", "retailer"),
        ("move", "issuance", "redeemed"),
        ("budget", "issuance", "consumer"),
    ],
)
def test_a_kind_between_the_wrong_accounts_is_refused(world, kind, debit, credit):
    world.award(world.consumer, 10)

    with pytest.raises(WrongSides):
        post_in_atomic([NewTransfer(getattr(world, debit), getattr(world, credit), 1, kind, "manual", 1)], at=world.at)


def post_in_atomic(transfers, at):
    with transaction.atomic():
        return post(transfers, at=at)


def test_a_closed_account_takes_nothing_but_repeats_its_past(world):
    world.award(world.consumer, 10)
    world.spend(world.consumer, 10)
    with transaction.atomic():
        close(account_id=world.consumer, at=world.at)

    with pytest.raises(AccountClosed):
        world.award(world.consumer, 10, cause_id=2)

    assert world.award(world.consumer, 10).amount == 10


def test_many_accounts_are_opened_at_once(brand):
    with transaction.atomic():
        ids = open_accounts(3, party="pending")

    rows = Account.objects.filter(pk__in=ids)
    assert [(row.party, row.floor, row.posted) for row in rows] == [("pending", 0, 0)] * 3
    assert len({row.public_id for row in rows}) == 3


def test_posting_needs_a_transaction(real_commits, at):
    with pytest.raises(RuntimeError):
        post_many([], at=at)


def test_a_posting_costs_four_statements_whatever_its_size(world, django_assert_num_queries):
    with transaction.atomic():
        people = open_accounts(50, party="consumer")
    transfers = [
        NewTransfer(world.issuance, account, 10, "award", "redemption", i, expires_on=LATER)
        for i, account in enumerate(people)
    ]

    with transaction.atomic(), django_assert_num_queries(5):  # and one for the system accounts, remembered on commit
        post_many(transfers, at=world.at)


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE ledger_transfer SET amount = amount + 1",
        "DELETE FROM ledger_transfer",
        "TRUNCATE ledger_transfer CASCADE",
        "UPDATE ledger_lotuse SET amount = amount + 1",
        "DELETE FROM ledger_lotuse",
        "TRUNCATE ledger_lotuse",
        "DELETE FROM ledger_account",
        "TRUNCATE ledger_account CASCADE",
    ],
)
def test_transfers_and_lot_uses_are_append_only_and_accounts_stay(world, statement):
    world.award(world.consumer, 10)
    world.spend(world.consumer, 5)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_lotuse (transfer_id, expires_on, amount) VALUES (%s, '2027-01-31', 1)",
            [Transfer.objects.first().pk],
        )

    with pytest.raises(DatabaseError, match=r"append-only|permission denied"), transaction.atomic():  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(statement)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        ("UPDATE ledger_account SET posted = -1", "account_keeps_its_floor"),
        ("UPDATE ledger_account SET held = posted + 1", "account_keeps_its_floor"),
        ("UPDATE ledger_account SET held = -1", "account_holds_nothing_negative"),
        ("UPDATE ledger_account SET status = 'closed'", "closed_account_is_empty"),
        ("UPDATE ledger_account SET kind = 'system'", "account_is_holder_clawback_or_system"),
        ('UPDATE ledger_lot SET account_id = account_id, "left" = -1', "lot_is_overdrawn_only_if_it_never_expires"),
    ],
)
def test_the_database_itself_refuses(world, statement, constraint):
    world.award(world.consumer, 10, expires_on=LATER)
    key = "account_id" if "lot" in statement else "id"

    with pytest.raises(IntegrityError, match=constraint), transaction.atomic():  # noqa: SIM117
        with connection.cursor() as cursor:
            cursor.execute(f"{statement} WHERE {key} = %s", [world.consumer])


# --- awards, whose causes are new -------------------------------------------------------------------------------------


def award(world, awards):
    """Post awards to accounts that are looked at first."""
    with transaction.atomic():
        post_awards(awards, issuer=world.issuance, at=world.at)


def award_at_once(world, awards):
    """Post awards as a redemption does: accounts are locked last, and looked at then."""
    with transaction.atomic():
        ask_awards(awards, issuer=world.issuance, at=world.at)


def books(world):
    """Everything that stands, all but the numbers of transfers, transactions and causes."""
    accounts = dict(Account.objects.values_list("pk", "posted"))
    lots = {(lot.account_id, lot.expires_on): lot.left for lot in Lot.objects.exclude(left=0)}
    columns = ("debit", "credit", "amount", "posted_at", "expires_on", "kind", "cause_kind", "linked", "recorded_by")
    return accounts, lots, sorted(Transfer.objects.values_list(*columns))


@pytest.mark.parametrize("way", [award, award_at_once])
def test_awards_leave_the_books_as_any_posting_would(world, way):
    amounts = [
        (world.consumer, 100, LATER),
        (world.retailer, 10, None),
        (world.consumer, 7, LATER),
        (world.promoter, 5, SOON),
    ]
    general, special = [
        [
            NewTransfer(world.issuance, account, n, "award", "redemption", cause, expires_on=expires)
            for cause, (account, n, expires) in enumerate(amounts, 1)
        ],
        [Award(account, n, cause, 1, expires) for cause, (account, n, expires) in enumerate(amounts, 101)],
    ]
    with transaction.atomic():
        post_batch(general, at=world.at)
        usual = books(world)
        transaction.set_rollback(True)

    way(world, special)

    assert books(world) == usual
    assert not list(verify())


def test_an_award_pays_first_what_its_holder_owes(world, balances):
    first = world.award(world.consumer, 50)
    world.spend(world.consumer, 40)
    with transaction.atomic():
        reverse(first.pk, at=world.at)

    before = books(world)
    with pytest.raises(LookFirst):
        award_at_once(world, [Award(world.consumer, 100, 9, 1, LATER)])
    assert books(world) == before
    award(world, [Award(world.consumer, 100, 9, 1, LATER)])

    assert balances(world.consumer) == [60]
    assert not list(verify())


@pytest.mark.parametrize(("way", "error"), [(award, CauseReused), (award_at_once, IntegrityError)])
def test_an_award_of_a_known_cause_is_refused(world, way, error):
    way(world, [Award(world.consumer, 5, 9, 1, LATER)])

    with pytest.raises(error):
        way(world, [Award(world.consumer, 5, 9, 1, LATER)])
    assert lots_of(world.consumer) == {LATER: 5}


@pytest.mark.parametrize(
    ("error", "change"),
    [
        (AccountClosed, lambda world: close(account_id=world.consumer, at=world.at)),
        (CreditExpires, lambda world: set_credit_limit(account_id=world.consumer, credit_limit=100, at=world.at)),
    ],
)
def test_awards_are_refused_where_any_posting_is(world, error, change):
    with transaction.atomic():
        change(world)

    with pytest.raises(error):
        award(world, [Award(world.consumer, 5, 9, 1, LATER)])
    with pytest.raises(LookFirst):
        award_at_once(world, [Award(world.consumer, 5, 9, 1, LATER)])
    with pytest.raises(WrongSides):
        award(world, [Award(world.redeemed, 5, 9, 1, None)])
    with pytest.raises(LookFirst):
        award_at_once(world, [Award(world.redeemed, 5, 9, 1, None)])
    for way in (award, award_at_once):
        with pytest.raises(BadAmount):
            way(world, [Award(world.retailer, 0, 9, 1, None)])
