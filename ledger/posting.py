"""Posting transfers: the one way in which value moves.

Every posting locks its accounts by one sorted statement, plans in memory, and then writes transfers, one net change per
account, and lots, each by one statement whatever the number. System accounts are not locked: they keep no balance.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.utils.functional import cached_property

from brands.queries import brand_date
from common.db import Rows, array, ask, column, rows_from, schema_name
from common.errors import Conflict, Invalid
from ledger.lots import NEVER, ended, take
from ledger.models import MAX_AMOUNT, Account, Cause, Kind

KINDS = {kind.name.lower(): kind.value for kind in Kind}
_MAY_CHANGE_DEBTS = frozenset({Kind.CLAWBACK.value, Kind.ADJUSTMENT.value})
HOLDER, CLOSED = Account.Kind.HOLDER.value, Account.Status.CLOSED.value
Key = tuple[int, int, int, int, int]  # cause, cause kind, kind, debit, credit
CAUSES = {cause.name.lower(): cause.value for cause in Cause}


class BadAmount(Invalid):
    """An amount is a whole number from 1 to 9007199254740991."""

    code = "bad_amount"


class UnknownAccount(Invalid):
    """There is no such account."""

    code = "unknown_account"


class SelfTransfer(Invalid):
    """A transfer moves between two accounts."""

    code = "self_transfer"


class UnitMix(Invalid):
    """A transfer moves between accounts of one unit."""

    code = "unit_mix"


class WrongSides(Invalid):
    """Transfers of this kind do not move between accounts of these kinds."""

    code = "wrong_sides"


class CreditExpires(Invalid):
    """An account with credit holds only units that never expire."""

    code = "credit_expires"


class AccountFrozen(Conflict):
    """The account is frozen: nothing leaves it."""

    code = "account_frozen"


class AccountClosed(Conflict):
    """The account is closed."""

    code = "account_closed"


class BalanceTooLow(Conflict):
    """The account holds too little."""

    code = "balance_too_low"

    def __init__(self, *, account_id: int, available: int) -> None:
        super().__init__(available=available)
        self.account_id = account_id
        self.available = available


class CauseReused(Conflict):
    """The same cause was posted before with other content."""

    code = "cause_reused"


class NewTransfer(NamedTuple):
    """One movement to post. Transfers of one call that name the same cause stand or fall together.

    ``kind`` and ``cause_kind`` are names of `Kind` and `Cause` in lower case. ``expires_on`` is the lot of the credited
    holder, None for never (a "move" between holders then keeps the days of the lots it takes). ``linked`` is how many
    transfers the group has; None lets the ledger count.
    """

    debit: int
    credit: int
    amount: int
    kind: str
    cause_kind: str
    cause_id: int
    linked: int | None = None
    expires_on: date | None = None


@dataclass(slots=True)
class Entry:
    """A transfer with what the verbs of `services` know beyond it."""

    debit: int
    credit: int
    amount: int
    kind: int
    cause_kind: int
    cause_id: int
    expires_on: date | None = None
    first: tuple[date, ...] = ()  # lots of the debit side to take from before the soonest
    returned: Mapping[date, int] | None = None  # lots of the credit side that get back what was taken
    forced: bool = False  # may leave a frozen account, and take from ended lots

    @property
    def key(self) -> Key:
        """The idempotency key, in the order of the index."""
        return (self.cause_id, self.cause_kind, self.kind, self.debit, self.credit)


class Side(NamedTuple):
    """One locked account as it stood."""

    id: int
    kind: str
    unit: str
    status: str
    floor: int | None
    posted: int
    held: int
    clawback_of: int | None
    party: str


@dataclass
class Book:
    """The locked accounts of one posting, and the units of the system accounts beside them."""

    sides: dict[int, Side]
    systems: dict[int, str]
    today: date
    asked_lots: Rows | None = None
    debts: dict[int, Side] = field(init=False)

    def __post_init__(self) -> None:
        self.debts = {s.clawback_of: s for s in self.sides.values() if s.clawback_of is not None}

    @cached_property
    def lots(self) -> dict[int, dict[date, int]]:
        """The lots of the locked holders, read when first needed."""
        holders = [side.id for side in self.sides.values() if side.kind == HOLDER]
        lots: dict[int, dict[date, int]] = {account: {} for account in holders}
        rows = self.asked_lots or _ask_lots(array(holders))
        for account, day, left in rows():
            lots[account][day] = left
        return lots

    def holder(self, account_id: int) -> Side:
        """Return a holder's account. Raises `WrongSides` for any other."""
        side = self.sides.get(account_id)
        if side is None or side.kind != HOLDER:
            raise WrongSides
        return side

    def add(self, account: Account) -> None:
        """Take in an account that was opened under this lock."""
        side = Side(
            account.pk,
            account.kind,
            account.unit,
            account.status,
            account.floor,
            account.posted,
            account.held,
            account.clawback_of_id,
            account.party,
        )
        self.sides[side.id] = side
        if side.clawback_of is not None:
            self.debts[side.clawback_of] = side


@dataclass
class Plan:
    """What a posting will change: nets per account and lot; for each entry its lot and what it takes or gives back."""

    posted: defaultdict[int, int] = field(default_factory=lambda: defaultdict(int))
    lots: defaultdict[int, dict[date, int]] = field(default_factory=lambda: defaultdict(dict))
    days: list[date | None] = field(default_factory=list)
    uses: list[dict[date, int]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Posting:
    """What was posted: the transfers' ids in the order given, and the balances now of the holders that took part."""

    ids: list[int]
    balances: dict[int, int]


class Known(NamedTuple):
    """A transfer that stands already under a key."""

    id: int
    amount: int
    expires_on: date | None


def post_entries(entries: Sequence[Entry], book: Book, *, at: datetime, recorded_by: str = "") -> Posting:
    """Write the entries, whose accounts ``book`` has locked, and pay what their holders owe.

    An error raised after the first row was written dooms the innermost atomic block, so that no half of a posting can
    be committed.
    """
    careful = any(e.debit in book.sides for e in entries) or any(
        side.status == Account.Status.CLOSED for side in book.sides.values()
    )
    known = known_transfers(entries) if careful else {}
    fresh = [entry for entry in entries if entry.key not in known]
    plan = Plan()
    _plan(fresh, book, plan)
    try:
        ids = _insert(fresh, plan.days, at=at, recorded_by=recorded_by)
        if len(ids) < len(entries):
            known = known_transfers(entries)
            _check_repeats(entries, known, set(ids))
            fresh = list({e.key: e for e in entries if known[e.key].id in set(ids)}.values())
            plan = Plan()
            _plan(fresh, book, plan)
        paid = fresh if known else entries
        paybacks = _paybacks(paid, ids, book, plan)
        if paybacks:
            _plan(paybacks, book, plan)
            ids = [*ids, *_insert(paybacks, plan.days[len(paid) :], at=at, recorded_by=recorded_by)]
        _write(plan, ids)
    except BaseException:
        transaction.set_rollback(True)
        raise
    balances = {side.id: side.posted + plan.posted[side.id] for side in book.sides.values()}
    return Posting([known[e.key].id for e in entries] if known else ids[: len(entries)], balances)


def lock(ids: Iterable[int], *, at: datetime) -> Book:
    """Lock the accounts, and the clawback accounts of the holders among them, in the order of their ids.

    Raises `UnknownAccount`.
    """
    return ask_lock(ids, at=at)()


def ask_lock(ids: Iterable[int], *, at: datetime, with_lots: bool = False) -> Callable[[], Book]:
    """Send what `lock` does, and ask for the lots as they are under the lock. What is returned raises as `lock`."""
    units = {account: unit for account, (unit, _) in systems().items()}
    wanted = {i for i in ids if i not in units}
    text = array(sorted(wanted))
    rows = ask(
        "SELECT id, kind, unit, status, floor, posted, held, clawback_of_id, party"
        " FROM ledger_account"
        " WHERE (id = ANY(%s::bigint[]) OR clawback_of_id = ANY(%s::bigint[])) AND kind <> 'system'"
        " ORDER BY id FOR NO KEY UPDATE",
        [text, text],
    )
    lots = _ask_lots(text) if with_lots else None  # a statement of its own: what the lock waited for is seen

    def locked() -> Book:
        sides = {row[0]: Side._make(row) for row in rows()}
        missing = wanted - sides.keys()
        if missing:
            found = ask(
                "SELECT id, unit FROM ledger_account WHERE id = ANY(%s::bigint[]) AND kind = 'system'", [array(missing)]
            )
            units.update(found())
            if missing - units.keys():
                raise UnknownAccount
        return Book(sides, units, brand_date(at), lots)

    return locked


def _ask_lots(accounts: str) -> Rows:
    return ask(
        'SELECT account_id, expires_on, "left" FROM ledger_lot WHERE account_id = ANY(%s::bigint[]) AND "left" <> 0',
        [accounts],
    )


def entries_of(transfers: Iterable[NewTransfer]) -> list[Entry]:
    """Check what can be checked without the database, and return the transfers as entries."""
    entries = []
    for new in transfers:
        check_amount(new.amount)
        if new.debit == new.credit:
            raise SelfTransfer
        entries.append(  # by position: this runs three times for each redemption
            Entry(
                new.debit, new.credit, new.amount, KINDS[new.kind], CAUSES[new.cause_kind], new.cause_id, new.expires_on
            )
        )
    return entries


def check_amount(amount: object) -> None:
    """Raise `BadAmount` unless ``amount`` is an int within bounds; True and 1.0 are no amounts."""
    if type(amount) is not int or not 0 < amount <= MAX_AMOUNT:
        raise BadAmount


def available(side: Side, lots: Mapping[date, int], posted: int, today: date) -> int:
    """Return what a holder may spend: nothing held, nothing below the floor, nothing of an ended lot."""
    return min(posted - side.held, posted - ended(lots, today)) - (side.floor or 0)


def _plan(entries: Sequence[Entry], book: Book, plan: Plan) -> None:
    """Work out, entry by entry, what changes; raise what forbids it."""
    sides = book.sides
    for entry in entries:
        debit, credit = sides.get(entry.debit), sides.get(entry.credit)
        _check_sides(entry, debit, credit, book)
        uses = _leave(entry, debit, book, plan) if debit is not None else {}
        day = None
        if credit is not None and credit.kind == Account.Kind.HOLDER:
            if credit.status == Account.Status.CLOSED:
                raise AccountClosed
            if entry.returned is not None:
                lots, uses = entry.returned, {lot: -n for lot, n in entry.returned.items()}
            elif uses and entry.expires_on is None:  # between holders, value keeps its days
                lots = uses
            else:
                day = entry.expires_on or NEVER
                lots = {day: entry.amount}
            if credit.floor and any(lot != NEVER for lot in lots):
                raise CreditExpires
            _change(plan.lots[credit.id], lots)
        if credit is not None:
            plan.posted[credit.id] += entry.amount
        plan.days.append(day)
        plan.uses.append(uses)


def _change(changes: dict[date, int], lots: Mapping[date, int], sign: int = 1) -> None:
    for day, n in lots.items():
        changes[day] = changes.get(day, 0) + sign * n


def _check_sides(entry: Entry, debit: Side | None, credit: Side | None, book: Book) -> None:
    """Raise unless the units agree and the accounts are such as this kind of transfer moves between."""
    from_unit = book.systems[entry.debit] if debit is None else debit.unit
    if from_unit != (book.systems[entry.credit] if credit is None else credit.unit):
        raise UnitMix
    kind = entry.kind
    if kind < 10:
        fits = debit is None and credit is not None
    elif kind < 20:
        fits = debit is not None or credit is not None
    elif kind < 30:
        fits = debit is not None and credit is None
    else:
        fits = debit is None and credit is None
    owing = (debit is not None and debit.kind == Account.Kind.CLAWBACK) or (
        credit is not None and credit.kind == Account.Kind.CLAWBACK
    )
    if not fits or (owing and kind not in _MAY_CHANGE_DEBTS):
        raise WrongSides


def _leave(entry: Entry, side: Side, book: Book, plan: Plan) -> dict[date, int]:
    """Take the amount from the debit side; return the lots it came from."""
    if side.kind == Account.Kind.CLAWBACK:
        plan.posted[side.id] -= entry.amount
        return {}
    if side.status == Account.Status.CLOSED:
        raise AccountClosed
    if side.status == Account.Status.FROZEN and not entry.forced:
        raise AccountFrozen
    lots = dict(book.lots[side.id])
    _change(lots, plan.lots[side.id])
    posted = side.posted + plan.posted[side.id]
    free = posted - side.held - (side.floor or 0) if entry.forced else available(side, lots, posted, book.today)
    if entry.amount > free:
        raise BalanceTooLow(account_id=side.id, available=max(free, 0))
    uses = take(lots, entry.amount, today=None if entry.forced else book.today, first=entry.first)
    plan.posted[side.id] = posted - side.posted - entry.amount
    _change(plan.lots[side.id], uses, -1)
    return uses


def _paybacks(entries: Sequence[Entry], ids: Sequence[int], book: Book, plan: Plan) -> list[Entry]:
    """Return the transfers by which new value pays first what its holder owes."""
    paybacks = []
    owed = {holder: -debt.posted - plan.posted[debt.id] for holder, debt in book.debts.items()}
    for entry, transfer in zip(entries, ids, strict=True) if owed else ():
        amount = min(owed.get(entry.credit, 0), entry.amount)
        if amount > 0 and entry.kind not in {Kind.CLAWBACK, Kind.REVERSAL}:
            owed[entry.credit] -= amount
            debt = book.debts[entry.credit]
            paybacks.append(Entry(entry.credit, debt.id, amount, Kind.CLAWBACK, Cause.TRANSFER, transfer, forced=True))
    return paybacks


def _insert(entries: Sequence[Entry], days: Sequence[date | None], *, at: datetime, recorded_by: str) -> list[int]:
    """Insert the transfers that are new, in order, and return their ids."""
    if not entries:
        return []
    groups = Counter([(key[1], key[0]) for key in {entry.key for entry in entries}])
    rows = ask(
        "INSERT INTO ledger_transfer"
        " (debit_id, credit_id, amount, cause_id, posted_at, expires_on, kind, cause_kind, linked, recorded_by)"
        " SELECT debit, credit, amount, cause, %s, expires_on, kind, cause_kind, linked, %s"
        " FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::date[], %s::smallint[],"
        "  %s::smallint[], %s::smallint[])"
        " WITH ORDINALITY AS t (debit, credit, amount, cause, expires_on, kind, cause_kind, linked, n) ORDER BY n"
        " ON CONFLICT (cause_id, cause_kind, kind, debit_id, credit_id) DO NOTHING RETURNING id",
        [
            at,
            recorded_by,
            array([entry.debit for entry in entries]),
            array([entry.credit for entry in entries]),
            array([entry.amount for entry in entries]),
            array([entry.cause_id for entry in entries]),
            array(days),
            array([entry.kind for entry in entries]),
            array([entry.cause_kind for entry in entries]),
            array([groups[entry.cause_kind, entry.cause_id] for entry in entries]),
        ],
    )
    return [row[0] for row in rows()]


def known_transfers(entries: Sequence[Entry]) -> dict[Key, Known]:
    """Return the transfers that stand already under the entries' keys."""
    columns = [array(column) for column in zip(*(e.key for e in entries), strict=True)]
    rows = ask(
        "SELECT k.cause, k.cause_kind, k.kind, k.debit, k.credit, t.id, t.amount, t.expires_on"
        " FROM unnest(%s::bigint[], %s::smallint[], %s::smallint[], %s::bigint[], %s::bigint[])"
        "  AS k (cause, cause_kind, kind, debit, credit)"
        " CROSS JOIN LATERAL (SELECT id, amount, expires_on FROM ledger_transfer WHERE cause_id = k.cause"
        "  AND cause_kind = k.cause_kind AND kind = k.kind AND debit_id = k.debit AND credit_id = k.credit LIMIT 1) t",
        columns,
    )
    return {row[:5]: Known(*row[5:]) for row in rows()}


def _check_repeats(entries: Sequence[Entry], known: Mapping[Key, Known], written: set[int]) -> None:
    """Raise `CauseReused` where a repeat differs from the first, or a cause was repeated in part."""
    new_causes: dict[tuple[int, int], bool] = {}
    for entry in entries:
        first = known[entry.key]
        same_day = first.expires_on is None or first.expires_on == (entry.expires_on or NEVER)
        is_new = first.id in written
        if first.amount != entry.amount or not same_day:
            raise CauseReused
        if new_causes.setdefault((entry.cause_kind, entry.cause_id), is_new) is not is_new:
            raise CauseReused


def _write(plan: Plan, ids: Sequence[int]) -> None:
    """Change balances and lots by one statement each, and record what was taken from which lot."""
    nets = {account: net for account, net in plan.posted.items() if net}
    lots = [(account, day, n) for account, days in plan.lots.items() for day, n in days.items() if n]
    grown = [lot for lot in lots if lot[2] > 0 or lot[1] == NEVER]
    shrunk = [lot for lot in lots if lot[2] < 0 and lot[1] != NEVER]
    uses = [(transfer, day, n) for transfer, days in zip(ids, plan.uses, strict=True) for day, n in days.items()]
    if nets:
        add_to_accounts(nets)
    if grown:
        add_to_lots(grown)
    if shrunk:
        ask(
            'UPDATE ledger_lot l SET "left" = l."left" + v.net'
            " FROM unnest(%s::bigint[], %s::date[], %s::bigint[]) AS v (account, day, net)"
            " WHERE l.account_id = v.account AND l.expires_on = v.day",
            _columns(shrunk),
        )
    if uses:
        ask(
            "INSERT INTO ledger_lotuse (transfer_id, expires_on, amount)"
            " SELECT * FROM unnest(%s::bigint[], %s::date[], %s::bigint[])",
            _columns(uses),
        )


def add_to_accounts(nets: Mapping[int, int], *, unseen: bool = False) -> None:
    """Change balances by their nets; those of ``unseen`` accounts only if they are open holders'."""
    ask(
        "UPDATE ledger_account a SET posted = a.posted + v.net"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS v (id, net)"
        " WHERE a.id = v.id AND (NOT %s OR (a.kind = %s AND a.status <> %s))",
        [array(nets), array(nets.values()), unseen, HOLDER, CLOSED],
    )


_ADD_TO_LOTS = f"""
    INSERT INTO ledger_lot (account_id, "left", expires_on)
    SELECT * FROM {rows_from({"account": "bigint", "net": "bigint"}, day="date")} AS n
        ON CONFLICT (account_id, expires_on) DO UPDATE SET "left" = ledger_lot."left" + EXCLUDED."left"
"""  # noqa: S608 - names of our own


def add_to_lots(lots: Sequence[tuple[int, date, int]]) -> None:
    """Change lots, each given once as (account, last day, net); open those that are missing."""
    accounts, days, nets = zip(*lots, strict=True)
    ask(_ADD_TO_LOTS, {"account": array(accounts), "net": array(nets), "day": column(days)})


def _columns(rows: Sequence[tuple[object, ...]]) -> list[str]:
    return [array(column) for column in zip(*rows, strict=True)]


# The system accounts of each brand, by id. They are never closed and keep their unit, so a process may remember them.
_remembered: dict[tuple[str, str], dict[int, tuple[str, str]]] = {}


def systems() -> dict[int, tuple[str, str]]:
    """Return the brand's system accounts except budgets: id → (unit, role)."""
    key = (connection.settings_dict["NAME"], schema_name())
    found = _remembered.get(key)
    if found is None:
        accounts = Account.objects.filter(kind=Account.Kind.SYSTEM).exclude(role=Account.Role.BUDGET)
        found = {pk: (unit, role) for pk, unit, role in accounts.values_list("id", "unit", "role")}
        # What this transaction itself has opened may yet be rolled back.
        transaction.on_commit(lambda: _remembered.setdefault(key, found))
    return found


def forget_systems() -> None:
    """Drop what is remembered, after a system account was opened."""
    _remembered.clear()
