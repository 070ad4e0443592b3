"""Reading the ledger: balances, statements, and the tables that prove it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from itertools import groupby

from django.db import connection, transaction
from django.db.models import F, QuerySet, Sum
from django.db.models.functions import TruncMonth

from brands.queries import brand_date
from common.db import array, ask
from ledger.lots import NEVER
from ledger.models import Account, Lot, Transfer
from ledger.proof import MOVEMENTS, Fault, verify
from ledger.seals import statement as statement_with_proofs, verify as verify_seals

__all__ = [
    "NEVER",
    "Fault",
    "Liability",
    "Line",
    "Movement",
    "Statement",
    "TrialBalance",
    "TrialRow",
    "accounts_to_expire",
    "balance",
    "balances",
    "expiring_first",
    "expiring_soon",
    "group_of",
    "liability",
    "lots",
    "movements",
    "statement",
    "statement_with_proofs",
    "trial_balance",
    "verify",
    "verify_seals",
]


def balance(account_id: int, as_of: datetime | None = None) -> int:
    """Return what stands on an account, now or at a moment."""
    return balances([account_id], as_of)[account_id]


def balances(account_ids: Iterable[int], as_of: datetime | None = None) -> dict[int, int]:
    """Return what stands on each of the accounts, now or at a moment. System accounts are summed; unknown ones hold 0."""
    found = dict.fromkeys(account_ids, 0)
    kept: dict[int, int] = {}
    if as_of is None:
        rows = Account.objects.filter(pk__in=found).exclude(kind=Account.Kind.SYSTEM)
        kept = dict(rows.values_list("id", "posted"))
    summed = found.keys() - kept.keys()
    for side, sign in (("debit", -1), ("credit", 1)) if summed else ():
        moved = Transfer.objects.filter(**{f"{side}__in": summed})
        if as_of is not None:
            moved = moved.filter(posted_at__lte=as_of)
        for account, total in moved.values_list(side).annotate(total=Sum("amount")).order_by():
            found[account] += sign * total
    return found | kept


@dataclass(frozen=True, slots=True)
class Line:
    """One transfer as one of its accounts sees it: the change, and the balance after it."""

    transfer_id: int
    posted_at: datetime
    kind: int
    cause_kind: int
    cause_id: int
    change: int
    balance: int
    other_account: int
    expires_on: date | None
    linked: int
    recorded_by: str


@dataclass(frozen=True, slots=True)
class Statement:
    """A page of an account's lines, newest first. ``cursor`` asks for the next, None when this is the last."""

    lines: list[Line]
    cursor: int | None


_STATEMENT = """
WITH moved AS NOT MATERIALIZED (
    SELECT id, amount AS change, debit_id AS other, posted_at, kind, cause_kind, cause_id, expires_on, linked, recorded_by
    FROM ledger_transfer WHERE credit_id = %(account)s {to_holder} AND posted_at <= %(as_of)s
    UNION ALL
    SELECT id, -amount, credit_id, posted_at, kind, cause_kind, cause_id, NULL, linked, recorded_by
    FROM ledger_transfer WHERE debit_id = %(account)s {from_holder} AND posted_at <= %(as_of)s
)
SELECT id, posted_at, kind, cause_kind, cause_id, change,
    ((SELECT COALESCE(sum(change), 0) FROM moved WHERE id < p.first) + sum(change) OVER (ORDER BY id))::bigint, other, expires_on, linked, recorded_by
FROM (SELECT *, min(id) OVER () AS first FROM (
    SELECT * FROM moved WHERE id < %(cursor)s ORDER BY id DESC LIMIT %(limit)s) page) p
ORDER BY id DESC
"""


def statement(
    account_id: int, cursor: int | None = None, limit: int = 50, *, as_of: datetime | None = None
) -> Statement:
    """Return a page of the account's transfers, newest first, with the balance after each.

    One statement of SQL, so that the lines and their balances are of one moment.
    """
    holder = Account.objects.filter(pk=account_id).exclude(kind=Account.Kind.SYSTEM).exists()
    sql = _STATEMENT.format(
        to_holder="AND kind < 20" if holder else "", from_holder="AND kind >= 10 AND kind < 30" if holder else ""
    )
    values = {"account": account_id, "cursor": cursor or 2**63 - 1, "limit": limit + 1, "as_of": as_of or "infinity"}
    with connection.cursor() as database:
        database.execute(sql, values)
        lines = [Line(*row) for row in database.fetchall()]
    more = len(lines) > limit
    return Statement(lines[:limit], lines[limit - 1].transfer_id if more else None)


@dataclass(frozen=True, slots=True)
class TrialRow:
    """All accounts of one sort: what they held at first, what came and went since, what they hold."""

    unit: str
    kind: str
    party: str
    role: str
    accounts: int
    opening: int
    incoming: int
    outgoing: int
    balance: int

    @property
    def name(self) -> str:
        """What people call this sort of account."""
        if self.role:
            return str(Account.Role(self.role).label)
        return str(Account.Party(self.party).label)


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """Every account of a unit by sort. The sum of the balances is zero, or the books are broken."""

    rows: list[TrialRow]
    transfers: int

    @property
    def sums(self) -> dict[str, int]:
        """The sum of all balances of each unit: zero."""
        return {unit: sum(row.balance for row in rows) for unit, rows in groupby(self.rows, key=lambda row: row.unit)}


# Transfers are read once, and added up by their two accounts before the two sides are told apart.
_TRIAL = """
WITH pairs AS MATERIALIZED (
    SELECT debit_id, credit_id, sum(amount) AS amount, COALESCE(sum(amount) FILTER (WHERE posted_at < %(since)s), 0) AS before,
        count(*) AS transfers
    FROM ledger_transfer WHERE posted_at <= %(as_of)s GROUP BY debit_id, credit_id
), moved (account_id, opening, incoming, outgoing) AS (
    SELECT credit_id, before, amount - before, 0 FROM pairs
    UNION ALL
    SELECT debit_id, -before, 0, amount - before FROM pairs
)
SELECT a.unit, a.kind, a.party, a.role, count(*),
    COALESCE(sum(m.opening), 0)::bigint, COALESCE(sum(m.incoming), 0)::bigint, COALESCE(sum(m.outgoing), 0)::bigint,
    COALESCE(sum(m.opening + m.incoming - m.outgoing), 0)::bigint, (SELECT COALESCE(sum(transfers), 0)::bigint FROM pairs)
FROM ledger_account a LEFT JOIN (
    SELECT account_id, sum(opening) AS opening, sum(incoming) AS incoming, sum(outgoing) AS outgoing
    FROM moved GROUP BY account_id
) m ON m.account_id = a.id
WHERE a.created_at <= %(as_of)s OR m.account_id IS NOT NULL
GROUP BY a.unit, a.kind, a.party, a.role
ORDER BY a.unit, a.kind DESC, a.role, a.party
"""


def trial_balance(as_of: datetime | None = None, *, since: datetime | None = None) -> TrialBalance:
    """Return all accounts by sort at a moment, with what came and went ``since`` another (else: ever)."""
    until = as_of or "infinity"
    with transaction.atomic(), connection.cursor() as database:
        database.execute("SET LOCAL statement_timeout = '60s'")  # it grows with the books: docs/algorithms/ledger.md
        database.execute(_TRIAL, {"as_of": until, "since": since or "-infinity"})
        found = database.fetchall()
    return TrialBalance([TrialRow(*row[:9]) for row in found], found[0][9] if found else 0)


@dataclass(frozen=True, slots=True)
class Liability:
    """What is owed in one unit to one sort of party, by the month in which it expires (None: never)."""

    unit: str
    party: str
    month: date | None
    amount: int

    @property
    def party_name(self) -> str:
        """The sort of party, for people."""
        return str(Account.Party(self.party).label)


def liability(unit: str | None = None, party: str | None = None) -> list[Liability]:
    """Return what is owed now, by unit, party and month of expiry."""
    open_lots = Lot.objects.exclude(left=0)
    if unit:
        open_lots = open_lots.filter(account__unit=unit)
    if party:
        open_lots = open_lots.filter(account__party=party)
    rows = (
        open_lots.annotate(unit=F("account__unit"), party=F("account__party"), month=TruncMonth("expires_on"))
        .values_list("unit", "party", "month")
        .annotate(amount=Sum("left"))
        .order_by("unit", "party", "month")
    )
    last = NEVER.replace(day=1)
    return [Liability(u, p, None if month == last else month, int(n)) for u, p, month, n in rows if n]


@dataclass(frozen=True, slots=True)
class Movement:
    """How what is owed to people changed: opening + issued − spent − expired ± adjusted = closing."""

    unit: str
    opening: int
    issued: int
    spent: int
    expired: int
    adjusted: int
    closing: int


_MOVEMENT = f"""
SELECT a.unit, COALESCE(sum(change) FILTER (WHERE posted_at < %(since)s), 0)::bigint,
    COALESCE(sum(change) FILTER (WHERE posted_at >= %(since)s AND m.kind < 10), 0)::bigint,
    -COALESCE(sum(change) FILTER (WHERE posted_at >= %(since)s AND m.kind IN (20, 22)), 0)::bigint,
    -COALESCE(sum(change) FILTER (WHERE posted_at >= %(since)s AND m.kind IN (21, 23)), 0)::bigint,
    COALESCE(sum(change) FILTER (WHERE posted_at >= %(since)s AND m.kind BETWEEN 10 AND 19), 0)::bigint,
    COALESCE(sum(change), 0)::bigint
FROM ({MOVEMENTS}) m JOIN ledger_account a ON a.id = m.account_id AND a.kind <> 'system'
WHERE posted_at < %(until)s GROUP BY a.unit ORDER BY a.unit
"""  # noqa: S608 - a constant of our own


def movements(since: datetime, until: datetime) -> list[Movement]:
    """Return, for each unit, how what is owed to people changed from ``since`` to just before ``until``."""
    with connection.cursor() as database:
        database.execute(_MOVEMENT, {"since": since, "until": until})
        return [Movement(*row) for row in database.fetchall()]


def lots(account_id: int) -> list[Lot]:
    """Return the account's lots that hold something, soonest day first."""
    return list(Lot.objects.filter(account_id=account_id).exclude(left=0).order_by("expires_on"))


def expiring_soon(account_id: int, days: int, at: datetime) -> list[tuple[date, int]]:
    """Return what will expire within ``days``: (last day, amount), soonest first."""
    today = brand_date(at)
    soon = Lot.objects.filter(
        account_id=account_id, left__gt=0, expires_on__gte=today, expires_on__lte=today + timedelta(days=days)
    )
    return list(soon.order_by("expires_on").values_list("expires_on", "left"))


def expiring_first(account_ids: Iterable[int], days: int, at: datetime) -> dict[int, tuple[date, int]]:
    """Return what of each account expires first, if anything does within ``days``: (last day, amount). One statement."""
    today = brand_date(at)
    rows = ask(
        'SELECT DISTINCT ON (account_id) account_id, expires_on, "left" FROM ledger_lot'
        ' WHERE account_id = ANY (%s::bigint[]) AND "left" > 0 AND expires_on BETWEEN %s AND %s'
        " ORDER BY account_id, expires_on",
        [array(account_ids), today, today + timedelta(days=days)],
    )
    return {account_id: (day, left) for account_id, day, left in rows()}


def accounts_to_expire(as_of: datetime, after: int = 0, limit: int = 500) -> list[int]:
    """Return accounts with lots whose last day is over, by id, beginning behind ``after``."""
    due = Lot.objects.filter(expires_on__lt=brand_date(as_of), left__gt=0, account_id__gt=after)
    return list(due.order_by("account_id").values_list("account_id", flat=True).distinct()[:limit])


def group_of(transfer: Transfer) -> QuerySet[Transfer]:
    """Return the transfers that were posted with this one for the same cause, itself among them."""
    return Transfer.objects.filter(
        cause_id=transfer.cause_id, cause_kind=transfer.cause_kind, xact=transfer.xact
    ).order_by("id")
