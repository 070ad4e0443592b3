"""Recalling goods: the labels that are, or ever were, in what is named are recalled wherever they are now."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import NamedTuple

from django.db.backends.postgresql.psycopg_any import NumericRange

from channel.items import Item, Target, find
from channel.models import Custody, Document, UnitParent, UnitRange
from channel.moving import block_labels, plain_line, read_lines
from channel.papers import Answer, LineAnswer, Paper, answered_before, check, hash_of, keep, one_at_a_time
from labels.models import Block


def recall(paper: Paper, items: Sequence[Item]) -> Answer:
    """Recall units and ranges: the labels that are, or ever were, in a unit are recalled wherever they are now."""
    check(paper, items)
    content_hash = hash_of(paper, items, {})
    lines = read_lines(items)
    with one_at_a_time():
        before = answered_before(Document.Kind.RECALL, paper, content_hash)
        if before is not None:
            return before
        targets = [_with_all_ever(one) for one in find(lines, at=paper.at)]
        rows = [plain_line(place, one) for place, one in enumerate(targets, 1)]
        answer = keep(Document.Kind.RECALL, paper, rows, content_hash=content_hash)
        block_labels(answer.document, _apart(targets), Block.Reason.RECALLED)
    return answer


def _apart(targets: Iterable[Target]) -> list[tuple[int, int]]:
    """Return the ranges of lines in order, those that overlap made one: each is of one batch still."""
    found: list[tuple[int, int]] = []
    for first, end in sorted({part for one in targets if not one.fault for part in one.parts}):
        if found and first < found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((first, end))
    return found


class Looked(NamedTuple):
    """What a recall would take in: lines, ranges of labels (apart, in order), and how many of them each partner holds."""

    lines: list[LineAnswer]
    parts: list[tuple[int, int]]
    held: dict[int | None, int]


def look_at_recall(items: Sequence[Item], *, at: datetime) -> Looked:
    """Say what a recall would take in, and write nothing. Partner None: the brand itself. Raises `InProgress`."""
    lines = read_lines(items)
    with one_at_a_time():
        targets = [_with_all_ever(one) for one in find(lines, at=at)]
    parts = _apart(targets)
    held: dict[int | None, int] = {None: sum(end - first for first, end in parts)}
    for first, end in parts:
        now = Custody.objects.filter(
            label_range__overlap=NumericRange(first, end), during__contains=at, partner__isnull=False
        )
        for part, partner in now.values_list("label_range", "partner"):
            count = min(end, int(part.upper)) - max(first, int(part.lower))
            held[partner] = held.get(partner, 0) + count
            held[None] -= count
    rows = [plain_line(place, one) for place, one in enumerate(targets, 1)]
    answers = [LineAnswer(one.place, one.item, one.outcome, one.reason, one.labels) for one in rows]
    return Looked(answers, parts, {who: count for who, count in held.items() if count})


def _with_all_ever(target: Target) -> Target:
    """Return a unit with every label that was ever in it or in a unit that was ever in it."""
    if target.unit is None:
        return target
    parts = _all_ever({target.unit.pk})
    return replace(target, parts=tuple(parts), fault="" if parts else "empty")


def _all_ever(units: set[int]) -> list[tuple[int, int]]:
    known: set[int] = set()
    while units - known:
        known |= units
        units |= set(UnitParent.objects.filter(parent_id__in=known).values_list("child_id", flat=True))
    ranges = UnitRange.objects.filter(unit_id__in=known).values_list("label_range", flat=True)
    return sorted({(int(part.lower), int(part.upper)) for part in ranges})
