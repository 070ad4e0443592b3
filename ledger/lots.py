"""Which lots an amount comes from. Pure: days and numbers in, days and numbers out."""

from calendar import monthrange
from collections.abc import Iterable, Mapping
from datetime import date

NEVER = date.max


def take(
    lots: Mapping[date, int], amount: int, *, today: date | None = None, first: Iterable[date] = ()
) -> dict[date, int]:
    """Return how much of ``amount`` to take from each lot: those of ``first``, then the soonest day first.

    With ``today``, lots that ended before it are left alone. What no lot covers is taken from the lot that never
    expires, which then falls below zero: the caller has made sure that the account may.
    """
    taken: dict[date, int] = {}
    for day in (*first, *sorted(lots)):
        part = min(amount, lots.get(day, 0) - taken.get(day, 0))
        if part > 0 and (today is None or day >= today):
            taken[day] = taken.get(day, 0) + part
            amount -= part
    if amount:
        taken[NEVER] = taken.get(NEVER, 0) + amount
    return taken


def ended(lots: Mapping[date, int], today: date) -> int:
    """Return how much lies in lots whose last day is over."""
    return sum(left for day, left in lots.items() if day < today and left > 0)


def month_end(day: date, months: int = 0) -> date:
    """Return the last day of the month that lies ``months`` after that of ``day``."""
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    return date(year, month + 1, monthrange(year, month + 1)[1])
