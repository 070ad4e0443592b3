"""Taking back what a document did: what it did to its labels never was. Locks as in `channel.papers`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

from django.db.backends.postgresql.psycopg_any import NumericRange

from channel.chain import Step, merged
from channel.custody import chains_of, rebuild
from channel.items import Item, Target, find, read
from channel.models import Document, Line, Movement
from channel.moving import plain_line
from channel.papers import Answer, Paper, answered_before, check, hash_of, keep, one_at_a_time
from common.errors import Conflict, Forbidden
from labels.services import lift

UNDO_WITHIN = timedelta(days=10)
_Kind, _Outcome = Document.Kind, Line.Outcome


class NotToCancel(Conflict):
    """The document cannot be cancelled: what it moved was moved on since, or it moved nothing."""

    code = "not_to_cancel"


class NotToUndo(Forbidden):
    """A document is undone within 10 days, by who recorded it, at the same site, and with a reason."""

    code = "not_to_undo"


def cancel(paper: Paper, document: Document, items: Sequence[Item] = ()) -> Answer:
    """Cancel a document, or some lines of it: what it did to its labels never was. Raises `NotToCancel`.

    A label that was moved on since is refused; a recall is lifted; what was blocked for good stays so.
    """
    check(paper, items)
    content_hash = hash_of(paper, items, {"document": document.public_id})
    lines = read(items or [Item(text) for text in document.lines.values_list("item", flat=True).order_by("place")])
    with one_at_a_time():
        before = answered_before(_Kind.CANCEL, paper, content_hash)
        if before is not None:
            return before
        row = Document.objects.select_for_update().get(pk=document.pk)
        if row.state == Document.State.CANCELLED or row.kind in {_Kind.CANCEL, _Kind.STOLEN}:
            raise NotToCancel
        if row.state == Document.State.PROPOSED:
            row.state = Document.State.CANCELLED
            row.save(update_fields=["state"])
            return keep(_Kind.CANCEL, paper, [], content_hash=content_hash, refers=row)
        if row.kind == _Kind.RECALL:
            return _lift_recall(paper, row, content_hash)
        return _take_back(paper, row, lines, content_hash, whole=not items)


def undo(document: Document, *, at: datetime, by: str, site: str, reason: str) -> Answer:
    """Take back what one has just recorded: within 10 days, the same actor and site, with a reason. Raises `NotToUndo`."""
    if (
        at - document.recorded_at > UNDO_WITHIN
        or (by, site) != (document.recorded_by, document.site)
        or not reason.strip()
    ):
        raise NotToUndo
    paper = Paper(f"undo-{document.public_id}", document.issuer, None, at, by, site, reason.strip()[:300])
    return cancel(paper, document)


def _take_back(paper: Paper, row: Document, lines: Sequence[Any], content_hash: bytes, *, whole: bool) -> Answer:
    moved = [
        (int(one.label_range.lower), int(one.label_range.upper), one)
        for one in row.movements.exclude(state=Movement.State.VOID)
    ]
    if not moved or row.blocks.exists():
        raise NotToCancel
    targets = find(lines, at=row.happened_at - timedelta(microseconds=1))
    wanted = [part for one in targets for part in one.parts]
    edges = {edge for part in wanted for edge in part}
    chains = chains_of([part[:2] for part in moved], edges)
    parts = list(chains.steps_of(row.pk))
    meant = merged(part[:2] for part in moved) if whole else merged(wanted)
    met = [part for part in parts if any(first <= part[0] < end for first, end in meant)]
    if not met or (whole and any(behind for *_part, behind in met)):
        raise NotToCancel
    rows = [_line_taken_back(place, one, met, row.pk) for place, one in enumerate(targets, 1)]
    free = [part for part in met if part[3] is None]
    answer = keep(_Kind.CANCEL, paper, rows, content_hash=content_hash, refers=row)
    Movement.objects.bulk_create(
        Movement(
            document=answer.document,
            label_range=NumericRange(first, end),
            source_id=step.holder,
            destination_id=step.source,
            state=Movement.State.VOID,
            voids=row,
            happened_at=paper.moment,
            recorded_at=paper.at,
        )
        for first, end, step, _behind in free
    )
    rebuild(part[:2] for part in free)
    if len(free) == len(parts):
        row.state = Document.State.CANCELLED
        row.save(update_fields=["state"])
    return answer


def _line_taken_back(place: int, target: Target, met: list[tuple[int, int, Step, Step | None]], document: int) -> Line:
    line = plain_line(place, target)
    mine = [one for one in met if any(first <= one[0] < end for first, end in target.parts)]
    if not target.fault and (not mine or any(behind for *_part, behind in mine)):
        line.outcome, line.labels = _Outcome.REJECTED, 0
        line.reason = "moved_later" if mine else "not_moved"
    return line


def _lift_recall(paper: Paper, row: Document, content_hash: bytes) -> Answer:
    for block in row.blocks.filter(lifted_at=None):
        lift(block, at=paper.at, asked_by=paper.by)
    row.state = Document.State.CANCELLED
    row.save(update_fields=["state"])
    return keep(_Kind.CANCEL, paper, [], content_hash=content_hash, refers=row)
