"""Where a member is at home, as far as earlier redemptions tell. Pure."""

from collections import Counter
from collections.abc import Iterable, Sequence

from analytics.goods import DAY_S

ENOUGH_DAYS = 3
"""On so many earlier days the region must have been met; fewer could be a journey."""


def usual_regions(scans: Sequence[tuple[int | None, float]], seen: Iterable[tuple[int, float, str]]) -> list[str]:
    """Return for each scan (person or None, seconds) the region in which that person was met on most days before it.

    ``seen``: (person, seconds, code of the region). Only days before the scan's own count: a journey explains nothing by
    itself. Of two regions with as many days the one met last; "" where none was met on `ENOUGH_DAYS`.
    """
    days: dict[int, set[tuple[int, str]]] = {}
    for person, at, region in seen:
        days.setdefault(person, set()).add((int(at // DAY_S), region))
    asked: dict[int, list[tuple[int, int]]] = {}
    for number, (who, at) in enumerate(scans):
        if who is not None and who in days:
            asked.setdefault(who, []).append((int(at // DAY_S), number))
    found = [""] * len(scans)
    for person, wanted in asked.items():
        history, read = sorted(days[person]), 0
        count: Counter[str] = Counter()
        usual = ""
        for day, number in sorted(wanted):
            while read < len(history) and history[read][0] < day:
                region = history[read][1]
                count[region] += 1
                if count[region] >= max(count[usual], ENOUGH_DAYS):
                    usual = region
                read += 1
            found[number] = usual
    return found
