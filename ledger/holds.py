"""Holds: an amount reserved for one purpose, posted once, whole or in part, or given back.

As all verbs of the ledger they run inside their caller's transaction. Holds come before accounts in the lock order.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from datetime import date, datetime

from common.db import array, ask, inside_transaction
from common.errors import Conflict, NotFound
from ledger.models import Account, Cause, Hold, Transfer
from ledger.posting import (
    CAUSES,
    KINDS,
    AccountClosed,
    AccountFrozen,
    BadAmount,
    BalanceTooLow,
    Book,
    CauseReused,
    Entry,
    Side,
    ask_lock,
    available,
    check_amount,
    lock,
    post_entries,
)


class HoldEnded(Conflict):
    """The hold was settled, voided or has expired."""

    code = "hold_ended"


@inside_transaction
def hold(
    *,
    account_id: int,
    amount: int,
    cause_kind: str,
    cause_id: int,
    at: datetime,
    expires_at: datetime | None = None,
) -> Hold:
    """Reserve an amount for one purpose; without ``expires_at`` it never expires by itself.

    Raises `BalanceTooLow`, `AccountFrozen`, `AccountClosed`, `BadAmount`, `WrongSides`; `CauseReused` if this cause
    holds another amount.
    """
    check_amount(amount)
    book = lock([account_id], at=at)
    side = book.holder(account_id)
    first = Hold.objects.filter(account_id=account_id, cause_kind=CAUSES[cause_kind], cause_id=cause_id).first()
    if first is not None:
        if (first.amount, first.expires_at) != (amount, expires_at):
            raise CauseReused
        return first
    _check_room(book, side, amount)
    _change_held(Counter({account_id: amount}))
    return Hold.objects.create(
        account_id=account_id,
        amount=amount,
        cause_kind=CAUSES[cause_kind],
        cause_id=cause_id,
        created_at=at,
        expires_at=expires_at,
    )


@inside_transaction
def ask_hold(account_id: int, *, amount: int, at: datetime) -> Callable[..., int]:
    """Lock an account and ask for all that a hold needs, as part of what the caller asks for anyway.

    What is returned, read after `pipelined`, checks and sends the hold (``cause_kind``, ``cause_id``, ``expires_at``) and
    returns its id, waiting for nothing. It raises as `hold` does, but for a cause that holds something of the account:
    then the hold's key is broken, and `IntegrityError` raised.
    """
    check_amount(amount)
    locked = ask_lock([account_id], at=at, with_lots=True)
    numbers = ask("SELECT nextval(pg_get_serial_sequence('ledger_hold', 'id'))", [])

    def reserve(*, cause_kind: str, cause_id: int, expires_at: datetime) -> int:
        book = locked()
        _check_room(book, book.holder(account_id), amount)
        number = int(numbers()[0][0])
        _change_held(Counter({account_id: amount}))
        ask(
            "INSERT INTO ledger_hold (id, account_id, amount, settled, cause_id, cause_kind, state, created_at, expires_at)"
            " VALUES (%s, %s, %s, 0, %s, %s, 'open', %s, %s)",
            [number, account_id, amount, cause_id, CAUSES[cause_kind], at, expires_at],
        )
        return number

    return reserve


@inside_transaction
def hold_awards(awards: Sequence[tuple[int, int, int]], *, cause_kind: str, at: datetime) -> list[int | None]:
    """Reserve what accounts were just paid: (account, amount, number of the cause) each; return the holds, in order.

    Such holds never expire by themselves. Of an award that has paid a debt only what is left is held, None where
    nothing is; a frozen account is no hindrance. Raises `IntegrityError` if a cause holds something of the account.
    """
    book = lock({account for account, _amount, _cause in awards}, at=at)
    free = {side.id: side.posted - side.held - (side.floor or 0) for side in book.sides.values()}
    holds: list[Hold | None] = []
    changes: Counter[int] = Counter()
    for account, awarded, cause_id in awards:
        check_amount(awarded)
        amount = max(min(awarded, free[account]), 0)
        free[account] -= amount
        changes[account] += amount
        row = Hold(account_id=account, amount=amount, cause_kind=CAUSES[cause_kind], cause_id=cause_id, created_at=at)
        holds.append(row if amount else None)
    _change_held(changes)
    Hold.objects.bulk_create([row for row in holds if row])
    return [row.pk if row else None for row in holds]


@inside_transaction
def settle(
    *,
    hold_id: int,
    credit: int,
    at: datetime,
    amount: int | None = None,
    kind: str = "spend",
    expires_on: date | None = None,
    recorded_by: str = "",
) -> Transfer:
    """Post a hold, whole or in part, once; what is left of it is free again. Repeated, it returns the first transfer.

    Raises `HoldEnded`, `NotFound`, `BadAmount` (also for more than was held), `AccountFrozen` and what posting raises.
    """
    found = _lock_hold(hold_id)
    amount = found.amount if amount is None else amount
    check_amount(amount)
    if amount > found.amount:
        raise BadAmount
    entry = Entry(
        found.account_id, credit, amount, KINDS[kind], Cause.HOLD, found.pk, expires_on=expires_on, forced=True
    )
    if found.state != Hold.State.OPEN:
        return _first_settlement(found, entry)
    book = lock({found.account_id, credit}, at=at)
    side = book.holder(found.account_id)
    _check_open(side)
    _change_held(Counter({side.id: -found.amount}))
    book.sides[side.id] = side._replace(held=side.held - found.amount)
    _end_hold(found, Hold.State.SETTLED, at, settled=amount)
    ids = post_entries([entry], book, at=at, recorded_by=recorded_by).ids
    return Transfer.objects.get(pk=ids[0])


@inside_transaction
def void(*, hold_id: int, at: datetime) -> Hold:
    """Give a held amount back. Repeated, it changes nothing. Raises `HoldEnded` if it was settled or has expired."""
    found = _lock_hold(hold_id)
    if found.state == Hold.State.OPEN:
        lock([found.account_id], at=at)
        _change_held(Counter({found.account_id: -found.amount}))
        _end_hold(found, Hold.State.VOID, at)
    elif found.state != Hold.State.VOID:
        raise HoldEnded
    return found


@inside_transaction
def expire_holds(*, as_of: datetime, limit: int = 1000) -> int:
    """Give back up to ``limit`` held amounts whose time is over; return how many."""
    due = Hold.objects.filter(state=Hold.State.OPEN, expires_at__lte=as_of).order_by("expires_at", "id")
    ids = list(due.values_list("id", flat=True)[:limit])
    holds = list(Hold.objects.filter(pk__in=ids, state=Hold.State.OPEN).order_by("id").select_for_update(no_key=True))
    if holds:
        lock({found.account_id for found in holds}, at=as_of)
        freed: Counter[int] = Counter()
        for found in holds:
            freed[found.account_id] -= found.amount
        _change_held(freed)
        Hold.objects.filter(pk__in=[h.pk for h in holds]).update(state=Hold.State.EXPIRED, ended_at=as_of)
    return len(holds)


def _check_open(side: Side) -> None:
    if side.status == Account.Status.FROZEN:
        raise AccountFrozen
    if side.status == Account.Status.CLOSED:
        raise AccountClosed


def _check_room(book: Book, side: Side, amount: int) -> None:
    """Raise unless an account is open and has so much to spend."""
    _check_open(side)
    free = available(side, book.lots[side.id], side.posted, book.today)
    if amount > free:
        raise BalanceTooLow(account_id=side.id, available=max(free, 0))


def _change_held(changes: Counter[int]) -> None:
    ask(
        "UPDATE ledger_account a SET held = a.held + v.net"
        " FROM unnest(%s::bigint[], %s::bigint[]) AS v (id, net) WHERE a.id = v.id",
        [array(changes), array(changes.values())],
    )


def _lock_hold(hold_id: int) -> Hold:
    found = Hold.objects.filter(pk=hold_id).select_for_update(no_key=True).first()
    if found is None:
        raise NotFound
    return found


def _end_hold(found: Hold, state: Hold.State, at: datetime, settled: int = 0) -> None:
    found.state, found.ended_at, found.settled = state, at, settled
    found.save(update_fields=["state", "ended_at", "settled"])


def _first_settlement(found: Hold, entry: Entry) -> Transfer:
    first = Transfer.objects.filter(
        cause_kind=Cause.HOLD, cause_id=found.pk, kind=entry.kind, debit=entry.debit, credit=entry.credit
    ).first()
    if first is None or first.amount != entry.amount:
        raise HoldEnded
    return first
