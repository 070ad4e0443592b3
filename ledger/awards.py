"""Awards: points out of one system account for causes that are new, many in a few statements.

`ask_awards` is how a redemption pays: everything is sent without a look, and the accounts are locked and looked at last.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from datetime import date, datetime
from typing import NamedTuple

from common.db import array, ask, column, rows_from
from ledger.lots import NEVER
from ledger.models import Cause, Kind
from ledger.posting import (
    CLOSED,
    HOLDER,
    CauseReused,
    Entry,
    add_to_accounts,
    add_to_lots,
    check_amount,
    known_transfers,
    lock,
    post_entries,
    systems,
)


class LookFirst(Exception):
    """An account may not simply be credited: lock it and look at it before posting."""


class Award(NamedTuple):
    """Points that one holder receives. ``linked``: how many awards its cause has; ``expires_on`` None never ends."""

    credit: int
    amount: int
    cause_id: int
    linked: int
    expires_on: date | None
    kind: Kind = Kind.AWARD
    cause_kind: Cause = Cause.REDEMPTION


def post_awards(awards: Sequence[Award], *, issuer: int, at: datetime) -> None:
    """Pay awards out of a system account whose causes are new in this transaction, as any posting: look, then write.

    Raises `AccountClosed`, `CreditExpires`, `UnitMix`, `WrongSides`, `BadAmount`, and `CauseReused` for any repeat.
    """
    if not awards:
        return
    for award in awards:
        check_amount(award.amount)
    entries = [Entry(issuer, a.credit, a.amount, a.kind, a.cause_kind, a.cause_id, a.expires_on) for a in awards]
    book = lock({award.credit for award in awards}, at=at)
    if known_transfers(entries):
        raise CauseReused
    post_entries(entries, book, at=at)


def ask_awards(awards: Sequence[Award], *, issuer: int, at: datetime) -> None:
    """Pay awards as `post_awards` does without having looked at the accounts, which are locked last and looked at then.

    Nothing is read in between, so all can be sent together with what follows. A repeat breaks the key of transfers and
    raises `IntegrityError`. Raises `LookFirst`, when all is sent, if an account may not simply be credited: it is no
    holder's, of another unit, closed, has credit, or debts. Then roll back and call `post_awards`.
    """
    if not awards:
        return
    _insert_awards(awards, issuer=issuer, at=at)
    wanted = {award.credit for award in awards}
    text = array(sorted(wanted))
    ask(
        "SELECT 1 / (count(*) = %s AND count(*) FILTER (WHERE plain) = count(*))::int"
        " FROM (SELECT kind = %s AND unit = %s AND status <> %s AND COALESCE(floor, 0) = 0 AS plain"
        "       FROM ledger_account"
        "       WHERE (id = ANY(%s::bigint[]) OR clawback_of_id = ANY(%s::bigint[])) AND kind <> 'system'"
        "       ORDER BY id FOR NO KEY UPDATE) locked",
        [len(wanted), HOLDER, systems()[issuer][0], CLOSED, text, text],
        unless=LookFirst,
    )
    _credit(awards, unseen=True)


_AWARDS = rows_from(
    {"credit": "bigint"}, amount="bigint", cause="bigint", linked="smallint", expires_on="date", kind="smallint",
    cause_kind="smallint",
)  # fmt: skip
_WRITE_AWARDS = f"""
    INSERT INTO ledger_transfer
           (debit_id, credit_id, amount, cause_id, posted_at, expires_on, kind, cause_kind, linked, recorded_by)
    SELECT %(debit)s, credit, amount, cause, %(at)s, expires_on, kind, cause_kind, linked, ''
      FROM {_AWARDS} AS n
"""  # noqa: S608 - names of our own


def _insert_awards(awards: Sequence[Award], *, issuer: int, at: datetime) -> None:
    holders, amounts, causes, linked, days, kinds, cause_kinds = zip(*awards, strict=True)
    for amount in amounts:
        check_amount(amount)
    ask(
        _WRITE_AWARDS,
        {
            "debit": issuer,
            "at": at,
            "credit": array(holders),
            "amount": column(amounts),
            "cause": column(causes),
            "linked": column(linked),
            "expires_on": column([day or NEVER for day in days]),
            "kind": column(kinds),
            "cause_kind": column(cause_kinds),
        },
    )


def _credit(awards: Iterable[Award], *, unseen: bool = False) -> None:
    """Add awards to the accounts and lots of their holders; to ``unseen`` accounts only if they are open holders'."""
    nets: defaultdict[int, int] = defaultdict(int)
    lots: defaultdict[tuple[int, date], int] = defaultdict(int)
    for award in awards:
        nets[award.credit] += award.amount
        lots[award.credit, award.expires_on or NEVER] += award.amount
    add_to_accounts(nets, unseen=unseen)
    add_to_lots([(account, day, amount) for (account, day), amount in lots.items()])
