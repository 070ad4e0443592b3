"""The ledger's verbs. Each runs inside its caller's transaction and locks accounts in the order of their ids.

Awards and holds have modules of their own. Errors live beside what raises them.
"""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import date, datetime, timedelta
from typing import Literal

from django.db import connection, transaction
from django.utils.translation import gettext as _

from brands.queries import brand_date
from common.db import array, inside_transaction
from common.errors import Conflict, NotFound
from common.ids import new_public_id
from ledger import posting
from ledger.awards import Award, LookFirst, ask_awards, post_awards
from ledger.holds import HoldEnded, ask_hold, expire_holds, hold, hold_awards, settle, void
from ledger.lots import NEVER, ended
from ledger.models import MAX_AMOUNT, Account, Cause, Kind, Lot, LotUse, Transfer
from ledger.posting import (
    AccountClosed,
    AccountFrozen,
    BadAmount,
    BalanceTooLow,
    Book,
    CauseReused,
    CreditExpires,
    Entry,
    NewTransfer,
    Posting,
    SelfTransfer,
    Side,
    UnitMix,
    UnknownAccount,
    WrongSides,
    entries_of,
    lock,
    post_entries,
)
from ledger.queries import group_of
from ledger.seals import anchor, seal
from staff import approvals, audit
from staff.models import Approval, User

__all__ = [
    "AccountClosed",
    "AccountFrozen",
    "AlreadyReversed",
    "Award",
    "BadAmount",
    "BalanceTooLow",
    "Book",
    "CauseReused",
    "CreditExpires",
    "HoldEnded",
    "LookFirst",
    "NewTransfer",
    "NotEmpty",
    "NotReversible",
    "Posting",
    "SelfTransfer",
    "UnitMix",
    "UnknownAccount",
    "WrongSides",
    "anchor",
    "ask_awards",
    "ask_hold",
    "close",
    "expire_holds",
    "expire_lots",
    "freeze",
    "hold",
    "hold_awards",
    "open_account",
    "open_accounts",
    "open_budget",
    "post",
    "post_awards",
    "post_batch",
    "post_many",
    "reserve_accounts",
    "reverse",
    "reverse_group",
    "reverse_many",
    "seal",
    "set_credit_limit",
    "settle",
    "system_account",
    "unfreeze",
    "void",
]

REVERSE_ACT = "ledger.reverse"
LARGE_REVERSAL = 1_000  # points: more are taken back by two persons
FINAL = frozenset({Kind.REVERSAL, Kind.CLAWBACK, Kind.EXPIRE})  # kinds that are never reversed
GRACE_DAYS = 30  # what a refund returns to an ended lot is good for so long, unless the brand lets it lapse


class AlreadyReversed(Conflict):
    """That transfer was reversed before."""

    code = "already_reversed"


class NotReversible(Conflict):
    """Reversals, clawbacks and expiries are not reversed: post the opposite with a cause of its own."""

    code = "not_reversible"


class NotEmpty(Conflict):
    """The account still holds, reserves or owes something."""

    code = "not_empty"


@inside_transaction
def reserve_accounts(n: int) -> list[int]:
    """Return ``n`` ids with which `open_accounts` opens accounts later in this transaction.

    So a holder's row can be written first, and an account opened only for the row that won its unique key.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('ledger_account', 'id')) FROM generate_series(1, %s)", [n]
        )
        return [row[0] for row in cursor.fetchall()]


@inside_transaction
def open_accounts(
    n: int, *, unit: str = "points", kind: str = "holder", party: str, ids: Sequence[int] | None = None
) -> list[int]:
    """Open ``n`` empty accounts of one kind of party and return their ids, in order; ``ids`` are reserved ones."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_account (id, public_id, unit, kind, party, role, status, floor, posted, held)"
            " SELECT coalesce(id, nextval(pg_get_serial_sequence('ledger_account', 'id'))), public_id,"
            "  %s, %s, %s, '', 'open', 0, 0, 0"
            " FROM unnest(%s::bigint[], %s::text[]) AS t (id, public_id) RETURNING id",
            [
                unit,
                Account.Kind(kind),
                Account.Party(party),
                array(ids or [None] * n),
                array(new_public_id("acc") for _i in range(n)),
            ],
        )
        return [row[0] for row in cursor.fetchall()]


@inside_transaction
def open_account(*, unit: str = "points", party: str, credit_limit: int = 0) -> Account:
    """Open one holder's account. With a ``credit_limit`` it may fall that far below zero."""
    account = Account(unit=unit, party=Account.Party(party), floor=-_checked_limit(credit_limit))
    account.save(force_insert=True)
    return account


@inside_transaction
def open_budget(*, unit: str = "points") -> Account:
    """Open a system account that one campaign pays its prizes from."""
    account = Account(unit=unit, kind=Account.Kind.SYSTEM, role=Account.Role.BUDGET, party=Account.Party.BRAND)
    account.save(force_insert=True)
    return account


@inside_transaction
def system_account(role: str, unit: str = "points") -> int:
    """Return the id of the brand's own account of that role, opened on first need."""
    for account, facts in posting.systems().items():
        if facts == (unit, role):
            return account
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO ledger_account (public_id, unit, kind, party, role, status, posted, held)"
            " VALUES (%s, %s, 'system', 'brand', %s, 'open', 0, 0) ON CONFLICT DO NOTHING",
            [new_public_id("acc"), unit, Account.Role(role)],
        )
    posting.forget_systems()
    return Account.objects.values_list("id", flat=True).get(kind=Account.Kind.SYSTEM, unit=unit, role=role)


@inside_transaction
def post(transfers: Iterable[NewTransfer], *, at: datetime, recorded_by: str = "") -> list[Transfer]:
    """Post all of the transfers or none, and return their rows in order. See `post_batch`."""
    ids = post_batch(transfers, at=at, recorded_by=recorded_by).ids
    rows = Transfer.objects.in_bulk(ids)
    return [rows[i] for i in ids]


@inside_transaction
def post_many(transfers: Iterable[NewTransfer], *, at: datetime, recorded_by: str = "") -> list[int]:
    """Post all of the transfers or none, and return their ids in order. See `post_batch`."""
    return post_batch(transfers, at=at, recorded_by=recorded_by).ids


@inside_transaction
def post_batch(transfers: Iterable[NewTransfer], *, at: datetime, recorded_by: str = "") -> Posting:
    """Post all of the transfers or none; return their ids in order, and the balances of the holders in them.

    Later transfers of a list see the effect of earlier ones. One that was posted before (same cause, kind and
    accounts) is not posted again: its first id is returned, or `CauseReused` raised if amount or day differ. What a
    holder owes after a reversal is paid first out of what arrives.

    Raises `BadAmount`, `SelfTransfer`, `UnknownAccount`, `UnitMix`, `WrongSides`, `AccountFrozen`, `AccountClosed`,
    `BalanceTooLow` (carries what is available), `CauseReused`.
    """
    entries = entries_of(transfers)
    if not entries:
        return Posting([], {})
    book = lock({e.debit for e in entries} | {e.credit for e in entries}, at=at)
    return post_entries(entries, book, at=at, recorded_by=recorded_by)


@inside_transaction
def reverse(
    transfer_id: int,
    *,
    at: datetime,
    recorded_by: str = "",
    into_ended: Literal["reinstate", "lapse"] = "reinstate",
    grace_days: int = GRACE_DAYS,
) -> Transfer:
    """Take one transfer back. See `reverse_many`."""
    [reversal] = reverse_many(
        [transfer_id], at=at, recorded_by=recorded_by, into_ended=into_ended, grace_days=grace_days
    )
    return reversal


@inside_transaction
def reverse_many(
    transfer_ids: Iterable[int],
    *,
    at: datetime,
    recorded_by: str = "",
    into_ended: Literal["reinstate", "lapse"] = "reinstate",
    grace_days: int = GRACE_DAYS,
) -> list[Transfer]:
    """Take transfers back by their exact opposites; return those in the order of the originals' ids.

    What a holder no longer has is advanced by their clawback account, the only one that falls below zero by this, and
    paid back out of later awards. A refund goes to the lots that the spend took; where such a lot has ended, it is
    either reinstated for ``grace_days`` or lapses at once.

    Raises `NotFound`, `NotReversible`, `AlreadyReversed`, `AccountClosed`.
    """
    ids = sorted(set(transfer_ids))
    originals = list(Transfer.objects.filter(pk__in=ids).order_by("id"))
    if len(originals) < len(ids):
        raise NotFound
    if any(t.kind in FINAL for t in originals):
        raise NotReversible
    book = lock({t.debit_id for t in originals} | {t.credit_id for t in originals}, at=at)
    if Transfer.objects.filter(kind=Kind.REVERSAL, cause_id__in=ids).exists():
        raise AlreadyReversed
    taken = _taken_by(originals)
    entries: list[Entry] = []
    gone: Counter[int] = Counter()
    for original in originals:
        lots = taken.get(original.pk, {})
        returned = lots if into_ended == "lapse" else _reinstated(lots, book.today, grace_days)
        entries += _opposite(original, book, gone, lots, returned)
    posted = post_entries(entries, book, at=at, recorded_by=recorded_by).ids
    rows = Transfer.objects.in_bulk(posted)
    if into_ended == "lapse":
        refunded = {t.debit_id for t in originals} & book.sides.keys()
        _expire(refunded, at=at, cause_kind=Cause.TRANSFER, cause_id=ids[0], recorded_by=recorded_by)
    return [rows[i] for i, entry in zip(posted, entries, strict=True) if entry.kind == Kind.REVERSAL]


def reverse_group(transfer_id: int, *, at: datetime, by: User, reason: str) -> list[Transfer]:
    """Take back a transfer and all that were posted with it, as asked by a person, in a transaction of its own.

    What the floor above keeps about the cause it takes back itself: `NotReversible` for redemptions. More than
    `LARGE_REVERSAL` points need a second person: `staff.approvals.NeedsApproval`. See also `reverse_many`.
    """
    with transaction.atomic(durable=True):
        first = Transfer.objects.filter(pk=transfer_id).first()
        if first is None:
            raise NotFound
        if first.cause_kind == Cause.REDEMPTION:
            raise NotReversible(_("A redemption is reversed on the page of its receipt."))
        if first.kind in FINAL:
            raise NotReversible
        amounts = dict(group_of(first).exclude(kind__in=FINAL).values_list("id", "amount"))
        points = sum(amounts.values())
        asked: Approval | None = None
        if points > LARGE_REVERSAL:
            payload = {"transfer": transfer_id, "points": points, "reason": reason}
            asked = approvals.ask_or_consume(REVERSE_ACT, payload, about=("transfer", "points"), by=by, at=at)
        if asked is None:
            facts = {"reason": reason, "transfers": list(amounts)}
            audit.record("reverse", at=at, table="ledger_transfer", row_id=str(transfer_id), facts=facts)
            return reverse_many(amounts, at=at, recorded_by=by.username)
    raise approvals.NeedsApproval(asked)


@inside_transaction
def expire_lots(*, as_of: datetime, accounts: Sequence[int] | None = None, recorded_by: str = "") -> int:
    """Let lots expire whose last day is over in the brand's time zone; return how many accounts lost something.

    A held amount does not expire under its hold: what stays is taken once the hold has ended. Without ``accounts``,
    all of the brand's are looked at in this one transaction; the nightly task goes by slices.
    """
    due = Lot.objects.filter(expires_on__lt=brand_date(as_of), left__gt=0)
    if accounts is not None:
        due = due.filter(account_id__in=accounts)
    moment = int(as_of.timestamp() * 1_000_000)
    found = due.values_list("account_id", flat=True).distinct()
    return _expire(found, at=as_of, cause_kind=Cause.LOT, cause_id=moment, recorded_by=recorded_by)


@inside_transaction
def freeze(*, account_id: int, at: datetime) -> None:
    """Let nothing leave a holder's account: no spending, no new hold, no settling. Value may still arrive."""
    _set_status(account_id, Account.Status.FROZEN, at)


@inside_transaction
def unfreeze(*, account_id: int, at: datetime) -> None:
    """End a freeze."""
    _set_status(account_id, Account.Status.OPEN, at)


@inside_transaction
def close(*, account_id: int, at: datetime) -> None:
    """Close an empty account for good. Raises `NotEmpty` while it holds, reserves or owes something."""
    book = lock([account_id], at=at)
    side = book.holder(account_id)
    debt = book.debts.get(account_id)
    if side.posted or side.held or (debt and debt.posted):
        raise NotEmpty
    Account.objects.filter(pk=account_id).update(status=Account.Status.CLOSED)
    _note(account_id, Account.Status.CLOSED, at)


@inside_transaction
def set_credit_limit(*, account_id: int, credit_limit: int, at: datetime) -> None:
    """Let a holder's account fall so far below zero. Raises `BalanceTooLow` if it lies lower, `CreditExpires`."""
    limit = _checked_limit(credit_limit)
    book = lock([account_id], at=at)
    side = book.holder(account_id)
    if limit and any(day != NEVER for day in book.lots[account_id]):
        raise CreditExpires
    if side.posted - side.held < -limit:
        raise BalanceTooLow(account_id=account_id, available=side.posted - side.held)
    Account.objects.filter(pk=account_id).update(floor=-limit)


def _checked_limit(limit: int) -> int:
    if type(limit) is not int or not 0 <= limit <= MAX_AMOUNT:
        raise BadAmount
    return limit


def _set_status(account_id: int, status: str, at: datetime) -> None:
    side = lock([account_id], at=at).holder(account_id)
    if side.status == Account.Status.CLOSED:
        raise AccountClosed
    Account.objects.filter(pk=account_id).update(status=status)
    _note(account_id, status, at)


def _note(account_id: int, status: str, at: datetime) -> None:
    """Leave a row in the trail: rows of accounts change with every transfer, so no trigger watches them."""
    audit.record("status", at=at, table="ledger_account", row_id=str(account_id), facts={"status": status})


def _expire(accounts: Iterable[int], *, at: datetime, cause_kind: Cause, cause_id: int, recorded_by: str) -> int:
    book = lock(accounts, at=at)
    entries = []
    for account, lots in book.lots.items():
        side = book.sides[account]
        amount = min(ended(lots, book.today), side.posted - side.held)
        if amount > 0:
            sink = system_account(Account.Role.EXPIRED, side.unit)
            book.systems[sink] = side.unit
            entries.append(Entry(account, sink, amount, Kind.EXPIRE, cause_kind, cause_id, forced=True))
    if entries:
        post_entries(entries, book, at=at, recorded_by=recorded_by)
    return len(entries)


def _taken_by(originals: Sequence[Transfer]) -> dict[int, dict[date, int]]:
    """Return what each transfer took from which lot."""
    taken: dict[int, dict[date, int]] = {}
    for use in LotUse.objects.filter(transfer__in=originals, amount__gt=0).order_by("expires_on"):
        taken.setdefault(use.transfer_id, {})[use.expires_on] = use.amount
    return taken


def _reinstated(taken: dict[date, int], today: date, grace_days: int) -> dict[date, int]:
    """Return the lots of a refund: those that the spend took, the ended ones with days of grace."""
    returned: Counter[date] = Counter()
    for day, amount in taken.items():
        returned[day if day >= today else today + timedelta(days=grace_days)] += amount
    return dict(returned)


def _opposite(
    original: Transfer, book: Book, gone: Counter[int], taken: dict[date, int], returned: dict[date, int]
) -> list[Entry]:
    """Return the entries that reverse one transfer: the opposite, after an advance of what its holder has spent.

    ``gone`` counts what earlier entries of the same reversal take from each account; ``taken`` are the lots that the
    original took, ``returned`` those that a refund goes to.
    """
    debit, credit, amount = original.credit_id, original.debit_id, original.amount
    side = book.sides.get(debit)
    advance = 0
    if side is not None:
        free = side.posted - side.held - (side.floor or 0) - gone[debit]
        advance = max(0, amount - max(0, free))
        gone[debit] += amount - advance
    day = original.expires_on
    opposite = Entry(
        debit,
        credit,
        amount,
        Kind.REVERSAL,
        Cause.TRANSFER,
        original.pk,
        first=(day,) if day else tuple(taken),
        returned=returned if side is None and returned else None,
        forced=True,
    )
    if side is None or not advance:
        return [opposite]
    debt = _clawback(side, book)
    return [
        Entry(debt.id, debit, advance, Kind.CLAWBACK, Cause.TRANSFER, original.pk, expires_on=day),
        opposite,
    ]


def _clawback(side: Side, book: Book) -> Side:
    """Return what a holder owes on, opened if this is the first time; the holder's lock makes it the only one."""
    if side.id not in book.debts:
        account = Account(unit=side.unit, kind=Account.Kind.CLAWBACK, party=side.party, clawback_of_id=side.id)
        account.save(force_insert=True)
        book.add(account)
    return book.debts[side.id]
