"""What a partner does with its goods, from a page, a device or a program: shipped out, received, given back.

One key names one document for ever: the same again gets the first answer, also when a telephone's clock has moved on.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.utils.translation import gettext as _

from channel import acts
from channel.acts import Answer, BadPaper, Item, LineAnswer, NumberUsed, Paper, answer_of
from channel.models import Document, Partner
from common.errors import NotFound

OLDEST = timedelta(days=366)
SITE = "portal"
KINDS = {"ship": Document.Kind.SHIPMENT, "receive": Document.Kind.RECEIPT, "return": Document.Kind.RETURN}


class UnknownDestination(NotFound):
    """You cannot send goods there. Choose one of the partners that the brand has put below you."""

    code = "unknown_destination"


class UnknownShipment(NotFound):
    """There is no such shipment to you."""

    code = "unknown_shipment"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDocument:
    """A document to record. ``act``: ship, receive or return; ``to``: a partner's number, empty for the brand.

    ``shipment``: the public id of the shipment received; with it and no ``lines`` all of it has arrived in full.
    """

    act: str
    lines: tuple[Item, ...] = ()
    to: str = ""
    shipment: str = ""
    happened_at: datetime | None = None


def record(partner: Partner, new: NewDocument, *, key: str, at: datetime, by: str) -> Answer:
    """Record a document under its key, once; return what became of its lines.

    Raises `UnknownDestination`, `UnknownShipment`, and what `channel.acts` raises: `NumberUsed` for a key that named
    another document before.
    """
    before = Document.objects.filter(issuer=partner, number=key).order_by("id").first()
    if before is not None:
        if not _is_the_same(before, new):
            raise NumberUsed
        return answer_of(before)
    happened_at = min(new.happened_at or at, at)
    if at - happened_at > OLDEST:
        raise BadPaper(_("A document is sent within a year."))
    paper = Paper(key, partner, happened_at, at, by, SITE)
    if new.act == "ship":
        return acts.ship(paper, new.lines, source=partner, destination=destination(partner, new.to))
    if new.act == "return":
        above = destination(partner, new.to, up=True) if new.to else None
        return acts.give_back(paper, new.lines, source=partner, destination=above)
    return acts.receive(paper, new.lines, receiver=partner, shipment=shipment_to(partner, new.shipment))


def look(partner: Partner, new: NewDocument, *, at: datetime) -> list[LineAnswer]:
    """Say what would become of the lines, and write nothing. Raises `UnknownDestination`, `BadPaper`."""
    if any(len(item.text) > 300 or not item.text.strip() or "\x00" in item.text for item in new.lines):
        raise BadPaper(_("A line names one thing, in at most 300 characters."))
    other = None
    if new.act == "ship":
        other = destination(partner, new.to)
    elif new.act == "return" and new.to:
        other = destination(partner, new.to, up=True)
    return acts.look(new.lines, act=new.act, partner=partner, other=other, at=at)


def destinations(partner: Partner) -> Sequence[Partner]:
    """Return to whom a partner ships: those whom the brand has put below it."""
    return list(partner.children.filter(state=Partner.State.ACTIVE).order_by("name", "id"))


def destination(partner: Partner, number: str, *, up: bool = False) -> Partner:
    """Return the partner of a number below this one (``up``: above it). Raises `UnknownDestination`."""
    found = Partner.objects.filter(number=number.strip().upper(), state=Partner.State.ACTIVE)
    found = found.filter(children=partner) if up else found.filter(parent=partner)
    one = found.first()
    if one is None:
        raise UnknownDestination
    return one


def shipment_to(partner: Partner, public_id: str) -> Document | None:
    """Return a shipment to this partner; none is named by "". Raises `UnknownShipment`."""
    if not public_id:
        return None
    found = Document.objects.filter(
        public_id=public_id, kind=Document.Kind.SHIPMENT, destination=partner, state=Document.State.DONE
    ).first()
    if found is None:
        raise UnknownShipment
    return found


def _is_the_same(document: Document, new: NewDocument) -> bool:
    given = tuple(Item(*row) for row in document.lines.order_by("place").values_list("item", "condition"))
    other = document.destination.number if document.destination else ""
    return (
        document.kind == KINDS[new.act]
        and (given == new.lines or not new.lines)
        and (document.refers.public_id if document.refers else "") == new.shipment
        and (new.act == "receive" or other == new.to.strip().upper())
    )
