"""What may be shown to the partner whom a question is put to: a list of what passes, nothing else does. Pure.

Four kinds of rows leave the brand: packs seen in a city within some whole days; cases by number; papers of the partner's
own; pictures, one by one. A row has exactly the fields of `FIELDS`, and each value the form given there: there is no field
for a name of somebody else, an exact place, a time of day, a device, a score or a plan, so none can be released.

A sighting is a count of consumers' scans, so that the rule of `portal.cells` holds: five devices or more stand behind it.
Days are put together until they do. Rows of one city never overlap, and those of days gone by never change, so nothing
can be had by subtracting one question's evidence from another's.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import date, timedelta
from typing import Any

LEAST = 5
MOST_ROWS = 500
WEEKEND = 5
Row = dict[str, Any]

_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_NAME = re.compile(r"[^\x00-\x1f]{0,80}")
_NUMBER = re.compile(r"[^\x00-\x1f]{0,80}")
_SSCC = re.compile(r"[0-9]{18}")
_SHA256 = re.compile(r"[0-9a-f]{64}")
_PAPER = re.compile(r"shipment|receipt|transfer|return|inspection|cancel")
_WAY = re.compile(r"to_you|from_you|yours")
_ID = re.compile(r"[a-z]{3}_[0-9A-Za-z]{1,30}")
FIELDS: Mapping[str, Mapping[str, re.Pattern[str] | int]] = {
    # a number: the least that it may be
    "seen": {"first_on": _DAY, "last_on": _DAY, "city": _NAME, "city_zh": _NAME, "packs": 1},
    "case": {"sscc": _SSCC, "product": _NAME, "product_zh": _NAME, "packs": 0},
    "paper": {"id": _ID, "paper": _PAPER, "number": _NUMBER, "on": _DAY, "packs": 0, "way": _WAY},
    "picture": {"id": _ID, "sha256": _SHA256, "on": _DAY},
}
"""The whole of what a partner may be shown: kind → field → form."""


class NotReleasable(ValueError):
    """A row is not of a form that may leave the brand."""


@dataclass(frozen=True, slots=True)
class Sighting:
    """One consumer's scan of a pack outside the territory. ``device`` is opaque and never shown."""

    on: date
    region: str
    city: str
    city_zh: str
    label_no: int
    device: int


@dataclass(frozen=True, slots=True)
class Seen:
    """Packs seen in one city from ``first_on`` to ``last_on``, by five devices or more."""

    region: str
    city: str
    city_zh: str
    first_on: date
    last_on: date
    packs: int

    @property
    def key(self) -> str:
        """What a form calls the row."""
        return f"{self.region}:{self.first_on}"


@dataclass(frozen=True, slots=True)
class Case:
    sscc: str
    product: str
    product_zh: str
    packs: int


@dataclass(frozen=True, slots=True)
class Paper:
    """A document to or from the partner. ``number`` is empty where somebody else gave it."""

    id: str
    paper: str
    number: str
    on: date
    packs: int
    way: str


@dataclass(frozen=True, slots=True)
class Picture:
    """``sha256``: of the bytes as the brand keeps them, hexadecimal."""

    id: str
    sha256: str
    on: date


def seen(sightings: Iterable[Sighting], *, before: date, least: int = LEAST) -> tuple[list[Seen], int]:
    """Return what may be told of scans, and how many packs may not be told of; only days ``before`` that one count.

    City by city, days are put together, the oldest first, until ``least`` devices stand behind them. What is left over at
    the end stays untold, and grows into a row of its own as days go by.
    """
    places: dict[str, list[Sighting]] = {}
    for one in sorted(sightings, key=lambda one: (one.region, one.on)):
        if one.on < before:
            places.setdefault(one.region, []).append(one)
    found: list[Seen] = []
    untold = 0
    for region, rows in places.items():
        open_rows: list[Sighting] = []
        for place, one in enumerate(rows):
            open_rows.append(one)
            last_of_day = place + 1 == len(rows) or rows[place + 1].on > one.on
            if last_of_day and len({row.device for row in open_rows}) >= least:
                first = open_rows[0]
                packs = len({row.label_no for row in open_rows})
                found.append(Seen(region, first.city, first.city_zh, first.on, one.on, packs))
                open_rows = []
        untold += len({row.label_no for row in open_rows})
    return sorted(found, key=lambda one: (-one.packs, one.region, one.first_on)), untold


def rows_of(
    *,
    seen: Sequence[Seen] = (),
    cases: Sequence[Case] = (),
    papers: Sequence[Paper] = (),
    pictures: Sequence[Picture] = (),
) -> list[Row]:
    """Return chosen evidence as the rows that are frozen and shown. Raises `NotReleasable`."""
    chosen: list[tuple[str, Any]] = [
        *(("seen", one) for one in seen),
        *(("case", one) for one in cases),
        *(("paper", one) for one in papers),
        *(("picture", one) for one in pictures),
    ]
    return checked([{"kind": kind} | _plain(asdict(one), FIELDS[kind]) for kind, one in chosen])


def checked(rows: Any) -> list[Row]:
    """Return rows if each is of a form that may leave the brand. Raises `NotReleasable`."""
    if not isinstance(rows, list) or len(rows) > MOST_ROWS:
        raise NotReleasable("rows")
    for row in rows:
        fields = FIELDS.get(row.get("kind", "")) if isinstance(row, dict) else None
        if fields is None or set(row) != {"kind", *fields}:
            raise NotReleasable("fields")
        for name, form in fields.items():
            if not _fits(row[name], form):
                raise NotReleasable(name)
    return rows


def _plain(values: dict[str, Any], fields: Mapping[str, Any]) -> Row:
    return {name: value.isoformat() if isinstance(value := values[name], date) else value for name in fields}


def _fits(value: Any, form: re.Pattern[str] | int) -> bool:
    if isinstance(form, int):
        return isinstance(value, int) and not isinstance(value, bool) and value >= form
    return isinstance(value, str) and form.fullmatch(value) is not None


def working_days_left(today: date, until: date) -> int:
    """Return how many days from Monday to Friday come after ``today`` up to ``until``; below zero once it has passed."""
    sign = 1 if until >= today else -1
    first, last = min(today, until), max(today, until)
    return sign * sum((first + timedelta(days=n)).weekday() < WEEKEND for n in range(1, (last - first).days + 1))
