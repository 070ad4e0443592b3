"""How every act on goods is done: lines are read, each is decided, and movements, blocks and custody are written.

A late document counts from its own moment: it is held against what stood before that moment and what came after it.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils.translation import gettext as _

from channel import rules
from channel.chain import Chains, Step
from channel.custody import chains_of, rebuild
from channel.items import Item, Read, Target, find, read
from channel.leaving import leave
from channel.models import Document, Line, Movement
from channel.packing import know
from channel.papers import Answer, BadPaper, Paper, answered_before, check, hash_of, keep, one_at_a_time
from channel.rules import SAME, Move, Rule
from common.db import inside_transaction
from labels.models import Block
from labels.services import open_blocks

_Outcome = Line.Outcome
_NEW = 10**15  # steps that are not written yet come after those of the same moment that are
Draft = tuple[Line, list[tuple[int, int, Move]]]  # what is told of a line, and what moves: ranges (first, end)


def move_goods(
    kind: str,
    paper: Paper,
    items: Sequence[Item],
    rule: Rule,
    content: dict[str, Any],
    *,
    block: str = "",
    **facts: Any,
) -> Answer:
    """Do an act of one ``kind`` on all lines by one rule, and keep its document with ``facts``; a repeat is told the same.

    ``content`` is what the document says besides its lines, to tell a repeat from a number used twice. ``block``: the
    reason for which the labels that moved are blocked for good. Raises as `channel.papers` does.
    """
    check(paper, items)
    if not items:
        raise BadPaper(_("A document needs at least one line."))
    content_hash = hash_of(paper, items, content)
    lines = read_lines(items)
    with one_at_a_time():
        before = answered_before(kind, paper, content_hash)
        if before is not None:
            return before
        targets = find(lines, at=paper.moment)
        drafts = decide(targets, rule, paper.moment)
        answer = keep(kind, paper, [line for line, _steps in drafts], content_hash=content_hash, **facts)
        write_movements(answer.document, drafts, targets, at=paper.at)
        if block:
            parts = {(first, end) for _line, steps in drafts for first, end, _move in steps}
            block_labels(answer.document, parts, block)
    return answer


def read_lines(items: Sequence[Item]) -> list[Read]:
    """Read lines, and make units of the packs among them that are known from a print alone."""
    lines = read(items)
    know(line.sscc for line in lines)
    return lines


def decide(targets: Sequence[Target], rule: Rule, at: datetime) -> list[Draft]:
    """Say line by line what becomes of it; what a line moves is known to those behind it. Returns a draft for each line."""
    parts = [part for one in targets for part in one.parts]
    chains = chains_of(parts, {edge for part in parts for edge in part})
    return [_draft(place, one, rule, at, chains) for place, one in enumerate(targets, 1)]


def _draft(place: int, target: Target, rule: Rule, at: datetime, chains: Chains) -> Draft:
    line = plain_line(place, target)
    line.condition = target.read.item.condition
    if target.fault:
        return line, []
    steps: list[tuple[int, int, Move]] = []
    for first, end in target.parts:
        for part_first, part_end, before, after in chains.around(first, end, at):
            found = rule(before, line.condition)
            if isinstance(found, Move) and after is not None and after.source != found.holder:
                found = "moved_later"
            if isinstance(found, str) and found != SAME:
                line.outcome, line.reason, line.labels = _Outcome.REJECTED, found, 0
                line.held_by_id = rules.holder_of(before) if found == "held_by_other" else None
                return line, []
            if isinstance(found, Move):
                steps.append((part_first, part_end, found))
    if not steps:
        line.outcome, line.labels = _Outcome.DUPLICATE, 0
        return line, []
    for first, end, move in steps:
        chains.add(Step(at, _NEW + place, first, end, move.source, move.holder, move.state, 0, 0, True))
    line.labels = sum(end - first for first, end, _move in steps)
    return line, steps


def plain_line(place: int, target: Target) -> Line:
    """Return a line as it is without a rule: accepted with all its labels, or refused for a fault of what it names."""
    fault = target.fault
    return Line(
        place=place,
        item=target.read.item.text,
        unit=target.unit,
        labels=0 if fault else target.labels,
        outcome=_Outcome.REJECTED if fault else _Outcome.ACCEPTED,
        reason=fault,
    )


@inside_transaction
def write_movements(document: Document, drafts: Sequence[Draft], targets: Sequence[Target], *, at: datetime) -> None:
    """Write the movements of a document, take what it moved out of what it was in, and derive custody anew."""
    rows = [
        Movement(
            document=document,
            label_range=NumericRange(first, end),
            unit=line.unit,
            source_id=move.source,
            destination_id=move.holder,
            state=move.state,
            happened_at=document.happened_at,
            recorded_at=at,
        )
        for line, steps in drafts
        for first, end, move in _joined(steps)
    ]
    Movement.objects.bulk_create(rows, batch_size=1_000)
    gone = [
        one
        for one, (line, steps) in zip(targets, drafts, strict=True)
        if _changes_hands(steps) and line.condition != Line.Condition.SHORT
    ]
    leave(gone, at=document.happened_at)
    rebuild((first, end) for _line, steps in drafts for first, end, _move in steps)


def _changes_hands(steps: Iterable[tuple[int, int, Move]]) -> bool:
    return any(move.source != move.holder for _first, _end, move in steps)


def _joined(steps: list[tuple[int, int, Move]]) -> list[tuple[int, int, Move]]:
    found: list[tuple[int, int, Move]] = []
    for first, end, move in sorted(steps, key=lambda one: one[:2]):
        if found and found[-1][1] == first and found[-1][2] == move:
            found[-1] = (found[-1][0], end, move)
        else:
            found.append((first, end, move))
    return found


@inside_transaction
def block_labels(document: Document, parts: Iterable[tuple[int, int]], reason: str) -> None:
    """Block ranges of labels on the word of a document; those blocked for good spare what was redeemed."""
    blocks = open_blocks(
        sorted(parts),
        reason=reason,
        spares_redeemed=reason in Block.VOIDING,
        note=document.number,
        at=document.recorded_at,
        asked_by=document.recorded_by,
    )
    document.blocks.set(blocks)
