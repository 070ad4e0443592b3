"""Pure rules of claims: which step may follow which, what each level of identification asks for, when to remind."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

NEXT: Mapping[str, frozenset[str]] = {
    "won": frozenset({"notified", "refused", "expired", "disqualified"}),
    "notified": frozenset({"claimed", "refused", "expired", "disqualified"}),
    "claimed": frozenset({"checked", "refused", "disqualified"}),
    "checked": frozenset({"approved", "refused", "disqualified"}),
    "approved": frozenset({"sent", "paid", "refused", "disqualified"}),
    "sent": frozenset({"done"}),
    "paid": frozenset({"done"}),
    "done": frozenset(),
    "refused": frozenset(),
    "expired": frozenset(),
    "disqualified": frozenset(),
}
LOST = frozenset({"refused", "expired", "disqualified"})

# Codes that say why a prize was not given; they are public in the proof of a draw, and tell nothing about the person.
REASONS: Mapping[str, tuple[str, ...]] = {
    "refused": ("declined", "not_identified", "false_details", "payee_refused", "erased"),
    "disqualified": ("excluded", "fraud", "against_rules", "under_age", "reversed"),
    "expired": ("late",),
}

FIELDS = ("name", "phone", "region", "address", "postcode", "payee", "tax_no")
LONGEST = {"name": 80, "phone": 30, "region": 80, "address": 300, "postcode": 12, "payee": 120, "tax_no": 40}
_WHOLE = frozenset({"JPY", "KRW", "VND", "CLP", "ISK"})  # no minor unit
AGAIN = timedelta(days=7)
LAST_DAY = timedelta(days=1)

# From which market price, in minor units, levels 1, 2 and 3 begin, where the rules name none. Others: as US dollars.
LEVELS_FROM: Mapping[str, tuple[int, int, int]] = {
    "CNY": (50_000, 500_000, 5_000_000),
    "USD": (7_500, 60_000, 500_000),
    "GBP": (6_000, 60_000, 500_000),
    "JPY": (10_000, 100_000, 1_000_000),
}


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody must give to get a prize. ``present``: in person, or a notary's certificate instead."""

    fields: tuple[str, ...]
    documents: tuple[str, ...]
    present: bool


def asked_of(kind: str, level: int) -> Asked:
    """Return what a prize of a kind asks at a level of identification (0 to 3).

    0: the telephone alone, which the one-time code proves; 1: name and address; 2: also a document that staff see; 3: in
    person or by a notary, with a tax form. Goods need an address at each level, and cash where to pay it.
    """
    fields: list[str] = []
    if level >= 1 or kind == "goods":
        fields += ["name", "phone", "region", "address", "postcode"] if kind == "goods" else ["name", "address"]
    if kind == "cash":
        fields += [name for name in ("name", "payee") if name not in fields]
    if level >= 3:
        fields.append("tax_no")
    documents = ("identity", "tax") if level >= 3 else ("identity",) if level >= 2 else ()
    return Asked(tuple(fields), documents, present=level >= 3)


def level_of(price: int, currency: str) -> int:
    """Return the usual level of identification for a prize of that market price (minor units)."""
    return sum(price >= begins for begins in LEVELS_FROM.get(currency, LEVELS_FROM["USD"]))


def missing(asked: Asked, given: Mapping[str, str]) -> list[str]:
    """Return the fields that are asked for and not given; a postcode may be left out."""
    return [name for name in asked.fields if name != "postcode" and not given.get(name, "").strip()]


def not_seen(asked: Asked, seen: Collection[str], *, how: str) -> list[str]:
    """Return what still keeps a claim from being checked: documents not seen by staff, or ``present``.

    ``how``: "in_person" or "notary" where the winner came, or sent a certificate.
    """
    lacking = [name for name in asked.documents if name not in seen and not (name == "identity" and how == "in_person")]
    if asked.present and how not in {"in_person", "notary"}:
        lacking.append("present")
    if how == "notary" and "notary" not in seen:
        lacking.append("notary")
    return lacking


def reminders(won_at: datetime, deadline_at: datetime) -> list[datetime]:
    """Return when a winner is reminded: at half time, seven days and one day before the end; sorted, after the win."""
    moments = {won_at + (deadline_at - won_at) / 2, deadline_at - AGAIN, deadline_at - LAST_DAY}
    return sorted(moment for moment in moments if moment > won_at)


def last_day(deadline_at: datetime, zone: str) -> date:
    """Return the last day on which a prize can be claimed, in its campaign's zone: the deadline is that day's end."""
    return (deadline_at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()


def money(amount: int, currency: str) -> str:
    """Return minor units of a currency as people write them: "CNY 1,288.00", "JPY 5,000" (ISO 4217 decimals)."""
    if currency in _WHOLE:
        return f"{currency} {amount:,}"
    return f"{currency} {amount // 100:,}.{amount % 100:02}"
