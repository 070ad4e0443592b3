"""Reading the ledger."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db.models import Sum

from ledger.models import Account, Transfer


def balance(account_id: int, as_of: datetime | None = None) -> int:
    """Return what stands on an account, now or at a moment; system accounts are summed."""
    return balances([account_id], as_of)[account_id]


def balances(account_ids: Iterable[int], as_of: datetime | None = None) -> dict[int, int]:
    """Return what stands on each of the accounts, now or at a moment."""
    found = dict.fromkeys(account_ids, 0)
    rows = Account.objects.filter(pk__in=found).exclude(kind=Account.Kind.SYSTEM)
    kept = dict(rows.values_list("id", "posted")) if as_of is None else {}
    for side, sign in (("debit", -1), ("credit", 1)):
        moved = Transfer.objects.filter(**{f"{side}__in": found.keys() - kept.keys()})
        if as_of is not None:
            moved = moved.filter(posted_at__lte=as_of)
        for account, total in moved.values_list(side).annotate(total=Sum("amount")).order_by():
            found[account] += sign * total
    return found | kept


@dataclass(frozen=True, slots=True)
class Fault:
    """One broken promise: which check found it, in which row of which table, and what is wrong."""

    check: str
    table: str
    row: str
    detail: str
