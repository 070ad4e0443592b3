"""What is done with goods: shipped, received, moved between partners, given back, inspected, recalled, cancelled.

Every act takes a `Paper` and lines, and returns an `Answer` with one outcome for each line; it raises what
`channel.papers` raises, and then nothing was written. A late document counts from its own moment: it is held against
what stood before that moment and what came after it. Locks as in `channel.papers`.
"""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.conf import settings
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import F, Q
from django.utils.translation import gettext as _

from channel import rules
from channel.chain import Chains, Step, merged
from channel.custody import chains_of, rebuild
from channel.goods import custodies_at
from channel.items import Item, Read, Target, find, read
from channel.leaving import leave
from channel.models import Custody, Document, Line, Movement, Partner, Region, UnitParent, UnitRange
from channel.packing import know
from channel.papers import (
    Answer,
    BadPaper,
    LineAnswer,
    NumberUsed,
    Paper,
    answer_of,
    answered_before,
    check,
    hash_of,
    keep,
    one_at_a_time,
)
from channel.rules import SAME, Move, Rule
from common.db import inside_transaction
from common.errors import Conflict, Forbidden, NotFound
from labels.models import Block
from labels.services import lift, open_blocks

__all__ = ["Answer", "BadPaper", "Item", "LineAnswer", "NumberUsed", "Paper", "answer_of"]
UNDO_WITHIN = timedelta(days=10)
_NEW = 10**15  # steps that are not written yet come after those of the same moment that are
_Kind, _Outcome = Document.Kind, Line.Outcome


class NotToCancel(Conflict):
    """The document cannot be cancelled: what it moved was moved on since, or it moved nothing."""

    code = "not_to_cancel"


class NotToUndo(Forbidden):
    """A document is undone within 10 days, by who recorded it, at the same site, and with a reason."""

    code = "not_to_undo"


class NotProposed(Conflict):
    """The transfer does not wait for anybody: it was agreed, refused or cancelled before."""

    code = "not_proposed"


class GoodsMoved(Conflict):
    """Some of these goods were moved since the transfer was proposed: refuse it and propose another."""

    code = "goods_moved"


class PartnerNotActive(Conflict):
    """Goods go to active partners only."""

    code = "partner_not_active"


class UnknownMarket(NotFound):
    """There is no such region."""

    code = "unknown_market"


# --- ships, receipts, returns --------------------------------------------------------------------------------------------


def ship(
    paper: Paper, items: Sequence[Item], *, source: Partner | None, destination: Partner, market: str = ""
) -> Answer:
    """Send goods on from the brand (None) or a partner. A case takes all below it along; its pallet loses it.

    ``market``: the code of the region that these goods are for, where that is not simply the partner's territory.
    Raises `PartnerNotActive`, `UnknownMarket`.
    """
    _refuse_inactive(destination)
    region = Region.objects.filter(code=market).first() if market else None
    if market and region is None:
        raise UnknownMarket
    if source == destination:
        raise BadPaper(_("Goods go from one partner to another."))
    rule = rules.ship(source.pk if source else None, destination.pk)
    content = {"from": _number(source), "to": destination.number, "market": market}
    return _move(_Kind.SHIPMENT, paper, items, rule, content, source=source, destination=destination, market=region)


def receive(paper: Paper, items: Sequence[Item], *, receiver: Partner, shipment: Document | None = None) -> Answer:
    """Take goods in, each line in full, short, over or damaged. With a shipment and no lines: all of it in full."""
    if shipment is not None and (shipment.kind != _Kind.SHIPMENT or shipment.destination_id != receiver.pk):
        raise NotFound(_("There is no such shipment."))
    if shipment is not None and not items:
        given = shipment.lines.filter(outcome=_Outcome.ACCEPTED).order_by("place").values_list("item", flat=True)
        items = [Item(text, Line.Condition.FULL) for text in given]
    if any(item.condition not in {"", *Line.Condition.values} for item in items):
        raise BadPaper(_("Goods arrive full, short, over or damaged."))
    rule = rules.receive(receiver.pk, frozenset({None, receiver.parent_id}))
    content = {"at": receiver.number, "shipment": shipment.public_id if shipment else ""}
    return _move(_Kind.RECEIPT, paper, items, rule, content, destination=receiver, refers=shipment)


def give_back(paper: Paper, items: Sequence[Item], *, source: Partner, destination: Partner | None = None) -> Answer:
    """Return goods to the brand (None) or the partner above. They are not for sale before `inspect`."""
    rule = rules.give_back(source.pk, destination.pk if destination else None)
    content = {"from": source.number, "to": _number(destination)}
    return _move(_Kind.RETURN, paper, items, rule, content, source=source, destination=destination)


def inspect(paper: Paper, items: Sequence[Item], *, holder: Partner | None, resale: bool) -> Answer:
    """Release returned goods for sale again, or destroy them, which blocks their labels for good."""
    rule = rules.inspect(holder.pk if holder else None, resale=resale)
    content = {"at": _number(holder), "resale": resale}
    block = "" if resale else Block.Reason.DESTROYED
    return _move(_Kind.INSPECTION, paper, items, rule, content, block=block, source=holder, destination=holder)


def steal(paper: Paper, items: Sequence[Item]) -> Answer:
    """Report goods stolen: their labels, and all in the units named, are blocked for good."""
    return _move(_Kind.STOLEN, paper, items, rules.steal(), {}, block=Block.Reason.STOLEN)


def look(
    items: Sequence[Item], *, act: str, partner: Partner, other: Partner | None = None, at: datetime
) -> list[LineAnswer]:
    """Say what would become of lines, and write nothing. ``act``: ship (to ``other``), receive or return."""
    if act == "ship" and other is not None:
        rule = rules.ship(partner.pk, other.pk)
    elif act == "receive":
        rule = rules.receive(partner.pk, frozenset({None, partner.parent_id}))
    else:
        rule = rules.give_back(partner.pk, other.pk if other else None)
    lines = _read(items)
    with one_at_a_time():
        targets = find(lines, at=at)
        drafts = _decide(targets, rule, at, chains_of(*_extent(targets)))
    return [
        LineAnswer(one.place, one.item, one.outcome, one.reason, one.labels, one.condition, one.held_by_id)
        for one, _steps in drafts
    ]


# --- transfers -----------------------------------------------------------------------------------------------------------


def propose_transfer(paper: Paper, items: Sequence[Item], *, source: Partner, destination: Partner) -> Answer:
    """Propose that goods go from one partner to another from the paper's moment on; the issuer has agreed by that.

    Nothing moves before both, and by setting the brand, have agreed; a proposal without a line that could move is
    refused at once. Raises `PartnerNotActive`.
    """
    _refuse_inactive(destination)
    if source == destination:
        raise BadPaper(_("Goods go from one partner to another."))
    check(paper, items)
    content = {"from": source.number, "to": destination.number}
    content_hash = hash_of(paper, items, content)
    lines = _read(items)
    with one_at_a_time():
        before = answered_before(_Kind.TRANSFER, paper, content_hash)
        if before is not None:
            return before
        targets = find(lines, at=paper.moment)
        rule = rules.transfer(source.pk, destination.pk)
        drafts = _decide(targets, rule, paper.moment, chains_of(*_extent(targets)))
        agreed = {
            "source_agreed_at": paper.at if paper.issuer == source else None,
            "destination_agreed_at": paper.at if paper.issuer == destination else None,
            "brand_agreed_at": paper.at if paper.issuer is None else None,
        }
        lines_told = [line for line, _steps in drafts]
        accepted = any(line.outcome == _Outcome.ACCEPTED for line in lines_told)
        return keep(
            _Kind.TRANSFER,
            paper,
            lines_told,
            content_hash=content_hash,
            state=Document.State.PROPOSED if accepted else Document.State.REFUSED,
            source=source,
            destination=destination,
            **agreed,
        )


def agree(document: Document, *, side: str, at: datetime) -> Document:
    """Agree to a transfer for ``source``, ``destination`` or ``brand``; with the last consent the goods move.

    Raises `NotProposed`, `GoodsMoved`.
    """
    texts = [Item(item) for item in document.lines.filter(outcome=_Outcome.ACCEPTED).values_list("item", flat=True)]
    lines = read(texts)
    with one_at_a_time():
        row = _proposed(document)
        name = f"{side}_agreed_at"
        setattr(row, name, getattr(row, name) or at)
        row.save(update_fields=[name])
        wanted = [row.source_agreed_at, row.destination_agreed_at]
        wanted += [row.brand_agreed_at] if settings.CHANNEL_TRANSFER_BY_BRAND else []
        if all(wanted) and row.source_id and row.destination_id:
            targets = find(lines, at=row.happened_at)
            rule = rules.transfer(row.source_id, row.destination_id)
            drafts = _decide(targets, rule, row.happened_at, chains_of(*_extent(targets)))
            if any(line.outcome != _Outcome.ACCEPTED for line, _steps in drafts):
                raise GoodsMoved
            row.state = Document.State.DONE
            row.save(update_fields=["state"])
            _write(row, drafts, targets, at=at)
    return row


def refuse(document: Document, *, at: datetime, reason: str = "") -> Document:
    """Refuse a transfer that was proposed. Raises `NotProposed`."""
    with one_at_a_time():
        row = _proposed(document)
        row.state, row.reason = Document.State.REFUSED, reason[:300] or row.reason
        row.save(update_fields=["state", "reason"])
    return row


def _proposed(document: Document) -> Document:
    row = Document.objects.select_for_update().filter(pk=document.pk, state=Document.State.PROPOSED).first()
    if row is None:
        raise NotProposed
    return row


# --- recalls ---------------------------------------------------------------------------------------------------------------


def recall(paper: Paper, items: Sequence[Item]) -> Answer:
    """Recall units and ranges: the labels that are, or ever were, in a unit are recalled wherever they are now."""
    check(paper, items)
    content_hash = hash_of(paper, items, {})
    lines = _read(items)
    with one_at_a_time():
        before = answered_before(_Kind.RECALL, paper, content_hash)
        if before is not None:
            return before
        targets = [_with_all_ever(one) for one in find(lines, at=paper.at)]
        rows = [_plain_line(place, one) for place, one in enumerate(targets, 1)]
        answer = keep(_Kind.RECALL, paper, rows, content_hash=content_hash)
        _block(answer.document, _apart(targets), Block.Reason.RECALLED)
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
    lines = _read(items)
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
    rows = [_plain_line(place, one) for place, one in enumerate(targets, 1)]
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


def _plain_line(place: int, target: Target) -> Line:
    fault = target.fault
    return Line(
        place=place,
        item=target.read.item.text,
        unit=target.unit,
        labels=0 if fault else target.labels,
        outcome=_Outcome.REJECTED if fault else _Outcome.ACCEPTED,
        reason=fault,
    )


# --- taking back -----------------------------------------------------------------------------------------------------------


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
    line = _plain_line(place, target)
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


# --- what nobody confirmed -------------------------------------------------------------------------------------------------


def receive_what_nobody_did(*, at: datetime, days: int, limit: int = 200) -> list[Answer]:
    """Take in, in full, what was sent ``days`` ago and neither confirmed nor complained about since."""
    waiting = Custody.objects.filter(
        state=Movement.State.IN_TRANSIT,
        during__upper_inf=True,
        shipped_at__lt=at - timedelta(days=days),
        shipment__destination=F("partner"),
    )
    shipments = list(waiting.values_list("shipment", flat=True).distinct()[:limit])
    answers = []
    for shipment in Document.objects.filter(pk__in=shipments).select_related("destination").order_by("id"):
        if shipment.destination is None:
            continue
        paper = Paper(f"auto-{shipment.public_id}", shipment.destination, at, at, "auto")
        items = _still_under_way(shipment, at)
        if items and not Document.objects.filter(kind=_Kind.RECEIPT, issuer=paper.issuer, number=paper.number).exists():
            answers.append(receive(paper, items, receiver=shipment.destination, shipment=shipment))
    return answers


def _still_under_way(shipment: Document, at: datetime) -> list[Item]:
    """Return the lines of a shipment of which the first label is still on its way."""
    moves = shipment.movements.filter(~Q(state=Movement.State.VOID)).order_by("id")
    first_of_line: dict[str, int] = {}
    lines = {line.unit_id: line.item for line in shipment.lines.filter(outcome=_Outcome.ACCEPTED) if line.unit_id}
    loose = [line.item for line in shipment.lines.filter(outcome=_Outcome.ACCEPTED, unit=None).order_by("place")]
    for move in moves:
        if move.unit_id in lines:
            first_of_line.setdefault(lines[move.unit_id], int(move.label_range.lower))
    for item, found in zip(loose, read([Item(text) for text in loose]), strict=True):
        if not found.fault:
            first_of_line[item] = found.first
    held = custodies_at(list(first_of_line.values()), [at] * len(first_of_line))
    on_the_way = Movement.State.IN_TRANSIT
    return [
        Item(text, Line.Condition.FULL)
        for text, one in zip(first_of_line, held, strict=True)
        if one is not None and one.state == on_the_way and one.shipment_id == shipment.pk
    ]


# --- how all of them are done ----------------------------------------------------------------------------------------------


def _move(
    kind: str,
    paper: Paper,
    items: Sequence[Item],
    rule: Rule,
    content: dict[str, Any],
    *,
    block: str = "",
    **facts: Any,
) -> Answer:
    check(paper, items)
    if not items:
        raise BadPaper(_("A document needs at least one line."))
    content_hash = hash_of(paper, items, content)
    lines = _read(items)
    with one_at_a_time():
        before = answered_before(kind, paper, content_hash)
        if before is not None:
            return before
        targets = find(lines, at=paper.moment)
        drafts = _decide(targets, rule, paper.moment, chains_of(*_extent(targets)))
        answer = keep(kind, paper, [line for line, _steps in drafts], content_hash=content_hash, **facts)
        _write(answer.document, drafts, targets, at=paper.at)
        if block:
            parts = {(first, end) for _line, steps in drafts for first, end, _move in steps}
            _block(answer.document, parts, block)
    return answer


def _read(items: Sequence[Item]) -> list[Read]:
    """Read lines, and make units of the packs among them that are known from a print alone."""
    lines = read(items)
    know(line.sscc for line in lines)
    return lines


Draft = tuple[Line, list[tuple[int, int, Move]]]


def _extent(targets: Sequence[Target]) -> tuple[list[tuple[int, int]], set[int]]:
    parts = [part for one in targets for part in one.parts]
    return parts, {edge for part in parts for edge in part}


def _decide(targets: Sequence[Target], rule: Rule, at: datetime, chains: Chains) -> list[Draft]:
    """Say line by line what becomes of it; what a line moves is known to those behind it."""
    return [_draft(place, one, rule, at, chains) for place, one in enumerate(targets, 1)]


def _draft(place: int, target: Target, rule: Rule, at: datetime, chains: Chains) -> Draft:
    line = _plain_line(place, target)
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


@inside_transaction
def _write(document: Document, drafts: Sequence[Draft], targets: Sequence[Target], *, at: datetime) -> None:
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
def _block(document: Document, parts: Iterable[tuple[int, int]], reason: str) -> None:
    blocks = open_blocks(
        sorted(parts),
        reason=reason,
        spares_redeemed=reason in Block.VOIDING,
        note=document.number,
        at=document.recorded_at,
        asked_by=document.recorded_by,
    )
    document.blocks.set(blocks)


def _refuse_inactive(partner: Partner) -> None:
    if partner.state != Partner.State.ACTIVE:
        raise PartnerNotActive


def _number(partner: Partner | None) -> str:
    return partner.number if partner else ""
