"""Reading partners; where goods are and whose a place is, see `channel.goods`, which this passes on."""

from collections.abc import Callable, Collection
from functools import lru_cache
from typing import NamedTuple

from channel.goods import (
    Held,
    Routed,
    Touched,
    ask_routes,
    custodies_at,
    custody_at,
    documents_to_sweep,
    markets_of,
    owner_of,
    owners_of,
    swept,
    touched,
)
from channel.models import Partner, Unit, UnitAlias
from common.db import array, ask

__all__ = [
    "Earner",
    "Held",
    "Routed",
    "Touched",
    "ask_earners",
    "ask_routes",
    "custodies_at",
    "custody_at",
    "documents_to_sweep",
    "markets_of",
    "owner_of",
    "owners_of",
    "partners_by_number",
    "swept",
    "touched",
]


class Earner(NamedTuple):
    """A partner who may earn now."""

    id: int
    kind: str
    account_id: int


def ask_earners(numbers: Collection[str]) -> Callable[[], dict[str, Earner]]:
    """Ask for those of the numbers that name a partner who may earn now, as `partners_by_number` finds them."""
    plain = {number: upper for number in numbers if (upper := _plain(number))}
    rows = ask(
        "SELECT number, id, kind, account_id FROM channel_partner WHERE number = ANY(%s::text[]) AND state = 'active'",
        [array(sorted(set(plain.values())))],  # letters and digits alone: they need no quotes
    )

    def answer() -> dict[str, Earner]:
        found = {number: Earner(*rest) for number, *rest in rows()}
        return {number: found[upper] for number, upper in plain.items() if upper in found}

    return answer


@lru_cache(maxsize=2**14)
def _plain(number: str) -> str:
    """Return a number as it is kept, empty where none can be meant."""
    upper = number.strip().upper()
    return upper if number.isascii() and upper.isalnum() else ""


def partners_by_number(numbers: Collection[str]) -> dict[str, Partner]:
    """Return those of the numbers that name a partner who may earn now, under the spelling asked for.

    A paused or closed partner is not among them: who names it is told that there is no such partner.
    """
    plain = {number: number.strip().upper() for number in numbers}
    rows = Partner.objects.filter(number__in=set(plain.values()), state=Partner.State.ACTIVE)
    found = {partner.number: partner for partner in rows}
    return {number: found[upper] for number, upper in plain.items() if upper in found}


def is_unit(sscc: str) -> bool:
    """Return whether a unit has, or once had, this SSCC."""
    return Unit.objects.filter(sscc=sscc).exists() or UnitAlias.objects.filter(sscc=sscc).exists()
