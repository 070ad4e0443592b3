"""A partner's points as it may read them: sums by day and reason. Of the consumers behind them nothing is told."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date

from brands.queries import brand_date
from redemption.wallet import Entry, entries

PER_PAGE = 100
MOST = 10_000


@dataclass(frozen=True, slots=True)
class Day:
    """What one thing brought on one day: how often, and how many points."""

    day: date
    title: str
    why: str
    icon: str
    count: int
    points: int


def days(account_id: int, *, cursor: int | None) -> tuple[list[Day], int | None]:
    """Return a page of the statement, newest first, and the cursor of the next page."""
    found, older = entries(account_id, cursor=cursor, limit=PER_PAGE)
    return _summed(found), older


def all_days(account_id: int) -> Iterator[Day]:
    """Return the whole statement, as far as a file goes."""
    found: list[Entry] = []
    cursor: int | None = None
    while len(found) < MOST:
        more, cursor = entries(account_id, cursor=cursor, limit=1_000)
        found += more
        if cursor is None:
            break
    return iter(_summed(found))


def _summed(found: Iterable[Entry]) -> list[Day]:
    sums: dict[tuple[date, str, str, str, bool], tuple[int, int]] = {}
    for entry in found:
        key = brand_date(entry.at), entry.title, entry.why, entry.icon, entry.amount > 0
        count, points = sums.get(key, (0, 0))
        sums[key] = count + 1, points + entry.amount
    return [Day(*key[:4], *value) for key, value in sums.items()]
