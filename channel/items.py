"""What a document's lines name: units by their SSCC, labels by their serial, or a range from one serial to another.

A line may be anything that a scanner sends or somebody types: an SSCC, a Digital Link, GS1 element strings with or
without separators, a bare serial; two of them joined by ``..`` are a range. `read` decodes (it needs keys, so call it
outside transactions); `find` looks up what was read, within one.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from channel.models import Unit, UnitAlias
from common.db import array, inside_transaction
from labels import elements
from labels.identifiers import check_digit_is_right
from labels.queries import Purpose, Typed, resolve_many

BETWEEN = ".."
MOST_LABELS = 1_000_000
_SERIAL: Purpose = "serial"


class Item(NamedTuple):
    """One line as given. ``condition`` (full, short, over, damaged) counts for receipts."""

    text: str
    condition: str = ""


class Read(NamedTuple):
    """What a line names: a unit (``sscc``), labels ``first`` … ``end − 1``, or nothing, and why not (``fault``)."""

    item: Item
    sscc: str = ""
    first: int = 0
    end: int = 0
    fault: str = ""


@dataclass(frozen=True, slots=True)
class Target:
    """What a line means: the labels of a unit at the document's moment, or a range; or a fault."""

    read: Read
    unit: Unit | None = None
    parts: tuple[tuple[int, int], ...] = ()
    fault: str = ""
    units: frozenset[int] = field(default_factory=frozenset)  # the unit and all below it

    @property
    def labels(self) -> int:
        """How many labels there are."""
        return sum(end - first for first, end in self.parts)


def read(items: Sequence[Item]) -> list[Read]:
    """Decode lines, in order. Nothing is raised: a line that cannot be read says so."""
    found: list[Read | None] = []
    typed: list[Typed] = []
    wants: list[tuple[int, int]] = []  # place of the line, how many serials it has
    for place, item in enumerate(items):
        ends = [part.strip() for part in item.text.split(BETWEEN)]
        named = [_named(end) for end in ends]
        if len(ends) > 2 or any(one is None for one in named):
            found.append(Read(item, fault="not_a_code"))
        elif isinstance(named[0], str):
            found.append(Read(item, sscc=named[0]) if len(ends) == 1 else Read(item, fault="not_a_code"))
        elif any(isinstance(one, str) for one in named):
            found.append(Read(item, fault="not_a_code"))
        else:
            found.append(None)
            wants.append((place, len(ends)))
            typed += [one for one in named if isinstance(one, Typed)]
    answers = iter(resolve_many(typed)) if typed else iter(())
    for place, count in wants:
        labels = [next(answers) for _ in range(count)]
        found[place] = _range(items[place], [one.label_no if one.known else None for one in labels])
    return [one for one in found if one is not None]


def _named(text: str) -> str | Typed | None:
    """Return an SSCC, or what is to be decoded as a serial, or None for something else."""
    if len(text) == 18 and text.isascii() and text.isdecimal():
        return text if check_digit_is_right(text) else None
    reading = elements.read(text)
    sscc = reading.value("00")
    if sscc:
        return sscc
    if reading.serial:
        return Typed(reading.serial, _SERIAL, gtin=reading.gtin)
    bare = {one.kind: one.value for one in reading.candidates}
    if "sscc" in bare:
        return bare["sscc"]
    return Typed(bare["serial"], _SERIAL) if "serial" in bare else None


def _range(item: Item, labels: Sequence[int | None]) -> Read:
    if any(label is None for label in labels):
        return Read(item, fault="unknown")
    known = [label for label in labels if label is not None]
    first, last = known[0], known[-1]
    if last < first or last - first >= MOST_LABELS:
        return Read(item, fault="bad_range")
    return Read(item, first=first, end=last + 1)


_INSIDE = """
WITH RECURSIVE inside (root, id) AS (
    SELECT id, id FROM unnest(%(units)s::bigint[]) AS n (id)
    UNION ALL
    SELECT inside.root, p.child_id FROM inside JOIN channel_unitparent p ON p.parent_id = inside.id
    WHERE p.opened_at <= %(at)s AND (p.closed_at IS NULL OR p.closed_at > %(at)s)
)
SELECT inside.root, inside.id, lower(r.label_range), upper(r.label_range)
FROM inside LEFT JOIN channel_unitrange r ON r.unit_id = inside.id
     AND r.opened_at <= %(at)s AND (r.closed_at IS NULL OR r.closed_at > %(at)s)
ORDER BY 1, 3
"""
_ONE_BATCH = """
SELECT n.place FROM unnest(%(firsts)s::bigint[], %(ends)s::bigint[]) WITH ORDINALITY AS n (first, "end", place)
JOIN labels_batch b ON b.label_range @> int8range(n.first, n."end")
"""


def units_by_sscc(ssccs: Iterable[str]) -> dict[str, Unit]:
    """Return the units of SSCCs, under the number asked for: also one that a unit had before it was relabelled."""
    wanted = set(ssccs)
    found = {unit.sscc: unit for unit in Unit.objects.filter(sscc__in=wanted)}
    for alias in UnitAlias.objects.filter(sscc__in=wanted - found.keys()).select_related("unit"):
        found[alias.sscc] = alias.unit
    return found


def contents(unit_ids: Sequence[int], at: datetime) -> dict[int, tuple[list[tuple[int, int]], set[int]]]:
    """Return for each unit the ranges of labels in it and below it at a moment, and the ids of it and what was below."""
    found: dict[int, tuple[list[tuple[int, int]], set[int]]] = {unit_id: ([], {unit_id}) for unit_id in unit_ids}
    with connection.cursor() as cursor:
        cursor.execute(_INSIDE, {"units": array(list(unit_ids)), "at": at})
        for root, unit_id, first, end in cursor.fetchall():
            parts, below = found[root]
            below.add(unit_id)
            if first is not None:
                parts.append((first, end))
    return found


@inside_transaction
def find(lines: Sequence[Read], *, at: datetime) -> list[Target]:
    """Look up what lines name, as things stood at a moment; in order."""
    units = units_by_sscc(line.sscc for line in lines if line.sscc)
    inside = contents([unit.pk for unit in set(units.values())], at)
    ranges = [line for line in lines if not line.sscc and not line.fault]
    issued = set()
    with connection.cursor() as cursor:
        firsts, ends = array([line.first for line in ranges]), array([line.end for line in ranges])
        cursor.execute(_ONE_BATCH, {"firsts": firsts, "ends": ends})
        issued = {ranges[row[0] - 1] for row in cursor.fetchall()}
    found = []
    for line in lines:
        if line.fault:
            found.append(Target(line, fault=line.fault))
        elif line.sscc:
            unit = units.get(line.sscc)
            if unit is None:
                found.append(Target(line, fault="unknown"))
                continue
            parts, below = inside[unit.pk]
            found.append(Target(line, unit, tuple(parts), "" if parts else "empty", frozenset(below)))
        else:
            fault = "" if line in issued else "bad_range"
            found.append(Target(line, parts=((line.first, line.end),), fault=fault))
    return found
