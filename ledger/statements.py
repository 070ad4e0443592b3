"""Papers of the ledger for outside: signed statements with proofs, and the seals of each day as everybody may have them.

`verify_statement.py` beside this file checks them on a machine that has nothing of ours (docs/guide/statements.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from typing import Any

from django.db.models import Q

from brands.queries import brand_date, brand_zone
from common.canonical import canonical
from common.signing import public_of, sign
from ledger.models import Account, Seal, Transfer
from ledger.seals import moment, seal_json, statement
from staff.keys import brand_uuid

TAG = "ledger-statement/v1"
DAY_TAG = "ledger-seals-of-day/v1"


def signed_statement(account: Account, *, key: bytes, at: datetime) -> bytes:
    """Return the statement of an account, signed: ``{"content", "key", "signature"}`` as canonical JSON.

    content: v, brand, account (public), account_id (as transfers name it), unit, balance, unsealed (transfers too young
    for a proof), made_at, proofs (see `ledger.seals.inclusion`) and the seals that they need. ``key``: the brand's.
    """
    found = statement(account)
    sides = Q(debit=account) | Q(credit=account)
    content = {
        **found,
        "brand": brand_uuid().hex(),
        "account_id": account.pk,
        "unit": account.unit,
        "balance": Account.objects.values_list("posted", flat=True).get(pk=account.pk),
        "unsealed": Transfer.objects.filter(sides).count() - len(found["proofs"]),
        "made_at": moment(at),
    }
    return _signed(content, TAG, key)


def _signed(content: dict[str, Any], tag: str, key: bytes) -> bytes:
    signature = sign(key, tag, canonical(content))
    return canonical({"content": content, "key": public_of(key).hex(), "signature": signature.hex()})


@dataclass(frozen=True, slots=True)
class Day:
    """The seals of one day of the brand. ``over``: no seal can come to it any more."""

    day: date
    first: int
    last: int
    hash: str
    key: str
    over: bool


def days(*, at: datetime, before: date | None = None, limit: int = 60) -> list[Day]:
    """Return the days that have seals, the newest first; ``before``: only earlier ones."""
    found: list[Day] = []
    until = _begin(before) if before else at + timedelta(microseconds=1)
    while len(found) < limit:
        last = Seal.objects.filter(sealed_at__lt=until).order_by("-n").first()
        if last is None:
            break
        day = brand_date(last.sealed_at)
        until = _begin(day)
        first = Seal.objects.filter(sealed_at__gte=until).order_by("n").values_list("n", flat=True)[0]
        over = day < brand_date(at)
        found.append(Day(day, first, last.n, bytes(last.hash).hex(), bytes(last.key).hex(), over))
    return found


def _begin(day: date) -> datetime:
    return datetime.combine(day, time(), tzinfo=brand_zone())


def seals_of(day: date) -> Sequence[Seal]:
    """Return the seals of one day of the brand, in order."""
    return list(
        Seal.objects.filter(sealed_at__gte=_begin(day), sealed_at__lt=_begin(day + timedelta(days=1))).order_by("n")
    )


def day_file(day: date, *, key: bytes) -> bytes | None:
    """Return all seals of a day, signed, as everybody may keep them; None if there is none."""
    found = seals_of(day)
    if not found:
        return None
    content = {"v": 1, "brand": brand_uuid().hex(), "day": day.isoformat(), "seals": [seal_json(one) for one in found]}
    return _signed(content, DAY_TAG, key)
