"""What is done with goods: shipped, received, moved between partners, given back, inspected, stolen.

Every act takes a `Paper` and lines, and returns an `Answer` with one outcome for each line; it raises what
`channel.papers` raises, and then nothing was written. How lines move is in `channel.moving`; recalls and what takes
documents back have modules of their own. Locks as in `channel.papers`.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db.models import F, Q
from django.utils.translation import gettext as _

from channel import rules
from channel.goods import custodies_at
from channel.items import Item, find, read
from channel.models import Custody, Document, Line, Movement, Partner, Region
from channel.moving import decide, move_goods, read_lines, write_movements
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
from common.errors import Conflict, NotFound
from labels.models import Block

__all__ = ["Answer", "BadPaper", "Item", "LineAnswer", "NumberUsed", "Paper", "answer_of"]
_Kind, _Outcome = Document.Kind, Line.Outcome


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
    return move_goods(
        _Kind.SHIPMENT, paper, items, rule, content, source=source, destination=destination, market=region
    )


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
    return move_goods(_Kind.RECEIPT, paper, items, rule, content, destination=receiver, refers=shipment)


def give_back(paper: Paper, items: Sequence[Item], *, source: Partner, destination: Partner | None = None) -> Answer:
    """Return goods to the brand (None) or the partner above. They are not for sale before `inspect`."""
    rule = rules.give_back(source.pk, destination.pk if destination else None)
    content = {"from": source.number, "to": _number(destination)}
    return move_goods(_Kind.RETURN, paper, items, rule, content, source=source, destination=destination)


def inspect(paper: Paper, items: Sequence[Item], *, holder: Partner | None, resale: bool) -> Answer:
    """Release returned goods for sale again, or destroy them, which blocks their labels for good."""
    rule = rules.inspect(holder.pk if holder else None, resale=resale)
    content = {"at": _number(holder), "resale": resale}
    block = "" if resale else Block.Reason.DESTROYED
    return move_goods(_Kind.INSPECTION, paper, items, rule, content, block=block, source=holder, destination=holder)


def steal(paper: Paper, items: Sequence[Item]) -> Answer:
    """Report goods stolen: their labels, and all in the units named, are blocked for good."""
    return move_goods(_Kind.STOLEN, paper, items, rules.steal(), {}, block=Block.Reason.STOLEN)


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
    lines = read_lines(items)
    with one_at_a_time():
        targets = find(lines, at=at)
        drafts = decide(targets, rule, at)
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
    lines = read_lines(items)
    with one_at_a_time():
        before = answered_before(_Kind.TRANSFER, paper, content_hash)
        if before is not None:
            return before
        targets = find(lines, at=paper.moment)
        rule = rules.transfer(source.pk, destination.pk)
        drafts = decide(targets, rule, paper.moment)
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
            drafts = decide(targets, rule, row.happened_at)
            if any(line.outcome != _Outcome.ACCEPTED for line, _steps in drafts):
                raise GoodsMoved
            row.state = Document.State.DONE
            row.save(update_fields=["state"])
            write_movements(row, drafts, targets, at=at)
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


def _refuse_inactive(partner: Partner) -> None:
    if partner.state != Partner.State.ACTIVE:
        raise PartnerNotActive


def _number(partner: Partner | None) -> str:
    return partner.number if partner else ""
