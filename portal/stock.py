"""What a partner has and did: goods in hand, documents as it may see them, shipments that it has yet to confirm.

Of a document that somebody else wrote a partner sees the lines that moved goods to or from it, and no others; of another
partner the name only where it stands directly above or below.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import Q, QuerySet
from django.utils.formats import date_format
from django.utils.timezone import localtime
from django.utils.translation import get_language, gettext as _, ngettext, pgettext

from channel.models import Custody, Document, Line, Movement, Partner
from channel.papers import LineAnswer
from channel.taking_back import UNDO_WITHIN
from portal.acts import SITE
from portal.told import Told, shown, told

MOST_EXPECTED = 20
_Kind, _State, _Held = Document.Kind, Document.State, Movement.State
SHOWN = (_Kind.SHIPMENT, _Kind.RECEIPT, _Kind.TRANSFER, _Kind.RETURN, _Kind.INSPECTION, _Kind.CANCEL)
ACTS = {_Kind.SHIPMENT: "ship", _Kind.RECEIPT: "receive", _Kind.RETURN: "return"}
IN_HAND = (_Held.HELD, _Held.RELEASED, _Held.DAMAGED, _Held.RETURNED)
_MOVED = (Line.Outcome.ACCEPTED, Line.Outcome.DUPLICATE)

_STOCK = """
SELECT p.id, p.name, p.name_zh, c.state,
       sum(upper(c.label_range * b.label_range) - lower(c.label_range * b.label_range))
FROM channel_custody c JOIN labels_batch b ON b.label_range && c.label_range JOIN labels_product p ON p.id = b.product_id
WHERE c.partner_id = %(partner)s AND upper_inf(c.during) AND c.state = ANY(%(states)s::text[])
GROUP BY 1, 2, 3, 4 ORDER BY p.name, p.id
"""
_CASES = """
SELECT b.product_id, c.state, count(DISTINCT CASE WHEN u.kind = 'case' THEN u.id ELSE up.parent_id END)
FROM channel_custody c
JOIN channel_unitrange r ON r.closed_at IS NULL AND r.label_range && c.label_range
JOIN labels_batch b ON b.label_range && (r.label_range * c.label_range)
JOIN channel_unit u ON u.id = r.unit_id
LEFT JOIN channel_unitparent up ON up.child_id = u.id AND up.closed_at IS NULL AND u.kind = 'inner'
WHERE c.partner_id = %(partner)s AND upper_inf(c.during) AND c.state = ANY(%(states)s::text[])
GROUP BY 1, 2
"""


@dataclass(slots=True)
class Holding:
    """What a partner has of one product: cases, and units altogether; those on their way to it stand apart."""

    product: str
    cases: int = 0
    units: int = 0
    damaged: int = 0
    to_inspect: int = 0
    coming: int = 0


@dataclass(frozen=True, slots=True)
class Expected:
    """A shipment of which something is still on its way to the partner. ``lines``: what is not confirmed yet."""

    document: Document
    sender: str
    labels: int
    lines: tuple["ExpectedLine", ...]


@dataclass(frozen=True, slots=True)
class ExpectedLine:
    text: str
    shown: str
    labels: int


@dataclass(frozen=True, slots=True)
class Row:
    """A document as one partner sees it. ``other``: with whom; ``waits``: it asks something of this partner.

    ``number`` is shown of one's own, the brand's and the next partner's above; keys that a device made up are none.
    """

    document: Document
    title: str
    other: str
    goes_out: bool
    labels: int
    state: str
    look: str
    waits: bool
    number: str


def holdings(partner: Partner) -> list[Holding]:
    """Return what a partner has now, by product."""
    values: dict[str, Any] = {"partner": partner.pk, "states": [*map(str, IN_HAND), str(_Held.IN_TRANSIT)]}
    found: dict[int, Holding] = {}
    with connection.cursor() as cursor:
        cursor.execute(_STOCK, values)
        for product_id, name, name_zh, state, labels in cursor.fetchall():
            holding = found.setdefault(product_id, Holding(_named(name, name_zh)))
            if state == _Held.IN_TRANSIT:
                holding.coming += int(labels)
                continue
            holding.units += int(labels)
            holding.damaged += int(labels) if state == _Held.DAMAGED else 0
            holding.to_inspect += int(labels) if state == _Held.RETURNED else 0
        cursor.execute(_CASES, values)
        for product_id, state, cases in cursor.fetchall():
            if state != _Held.IN_TRANSIT and product_id in found:
                found[product_id].cases += int(cases)
    return list(found.values())


def documents(partner: Partner) -> QuerySet[Document, Document]:
    """Return the documents that a partner may see: its own, and those that moved goods to or from it."""
    mine = Q(issuer=partner)
    about = (Q(source=partner) | Q(destination=partner)) & ~Q(status=Document.Status.REJECTED)
    found = Document.objects.filter(mine | about, kind__in=SHOWN)
    return found.select_related("source", "destination", "issuer", "refers")


def document(partner: Partner, public_id: str) -> Document | None:
    """Return a document that a partner may see."""
    return documents(partner).filter(public_id=public_id).first()


def rows(partner: Partner, found: Sequence[Document]) -> list[Row]:
    """Return documents as a partner sees them."""
    open_ones = {one.pk for one in under_way(partner)}
    return [_row(partner, one, waits=one.pk in open_ones or _asks(partner, one)) for one in found]


def row(partner: Partner, found: Document) -> Row:
    """Return one document as a partner sees it."""
    return rows(partner, [found])[0]


def lines_of(partner: Partner, found: Document) -> list[Told]:
    """Return a document's lines: all of them to who sent it, to others those that moved goods."""
    lines = found.lines.order_by("place")
    if found.issuer_id != partner.pk:
        lines = lines.filter(outcome__in=_MOVED)
    values = lines.values_list("place", "item", "outcome", "reason", "labels", "condition")
    return told([LineAnswer(*one) for one in values], act=ACTS.get(_Kind(found.kind), ""))


def under_way(partner: Partner) -> QuerySet[Document, Document]:
    """Return the shipments of which something is still on its way to a partner, the oldest first."""
    on_its_way = Custody.objects.filter(partner=partner, state=_Held.IN_TRANSIT, during__upper_inf=True)
    shipments = Document.objects.filter(
        pk__in=on_its_way.values("shipment"), kind=_Kind.SHIPMENT, destination=partner, state=_State.DONE
    )
    return shipments.select_related("source").order_by("happened_at", "id")


def asked(partner: Partner) -> list[Row]:
    """Return the transfers that wait for this partner's word, the oldest first."""
    waiting = Q(source=partner, source_agreed_at=None) | Q(destination=partner, destination_agreed_at=None)
    found = documents(partner).filter(waiting, kind=_Kind.TRANSFER, state=_State.PROPOSED).order_by("id")
    return rows(partner, list(found[:MOST_EXPECTED]))


def can_be_undone(partner: Partner, found: Document, *, by: str, at: datetime) -> bool:
    """Return whether somebody may take a document back at the portal: their own, done there in the last ten days."""
    return (
        found.kind in ACTS
        and found.issuer_id == partner.pk
        and (found.recorded_by, found.site, found.state) == (by, SITE, _State.DONE)
        and found.accepted > 0
        and at - found.recorded_at <= UNDO_WITHIN
    )


def expected(partner: Partner) -> list[Expected]:
    """Return the shipments that a partner has yet to confirm, each with the lines that are not confirmed."""
    return [_expected(partner, one) for one in under_way(partner)[:MOST_EXPECTED]]


def expected_of(partner: Partner, shipment: Document) -> Expected:
    """Return what a partner has yet to confirm of one shipment."""
    return _expected(partner, shipment)


def as_json(one: Expected) -> dict[str, Any]:
    """Return a shipment for the page's script."""
    day = date_format(localtime(one.document.happened_at), pgettext("date format", "j M Y"))
    return {
        "id": one.document.public_id,
        "name": _("{day} · {sender} · {n} items").format(day=day, sender=one.sender, n=one.labels),
        "lines": [asdict(line) for line in one.lines],
    }


def counterparty(partner: Partner, other: Partner | None) -> str:
    """Return the name of the other side: only who stands directly above or below has one here."""
    if other is None:
        return _brand_name()
    if other.pk == partner.parent_id or other.parent_id == partner.pk:
        return other.display_name
    return _("another partner")


def summary(found: Document) -> str:
    """Say in one line what became of a document."""
    taken = found.accepted + found.duplicate
    said = ngettext("{n} line is recorded.", "{n} lines are recorded.", taken).format(n=taken)
    if not found.rejected:
        return said
    refused = ngettext("{n} line is not.", "{n} lines are not.", found.rejected).format(n=found.rejected)
    return refused if not taken else f"{said} {refused}"


def _row(partner: Partner, found: Document, *, waits: bool) -> Row:
    goes_out = found.source_id == partner.pk
    other = found.destination if goes_out else found.source
    if found.kind == _Kind.RECEIPT:
        goes_out, other = False, found.refers.source if found.refers else None
    elif found.kind == _Kind.CANCEL and found.refers:  # it has no sides of its own
        goes_out = found.refers.source_id == partner.pk
        other = found.refers.destination if goes_out else found.refers.source
    mine = found.issuer_id == partner.pk
    if found.state != _State.DONE:
        look = {_State.PROPOSED: "wait", _State.CANCELLED: "no", _State.REFUSED: "no"}.get(_State(found.state), "")
        state = found.get_state_display()
    elif mine and found.rejected:
        look, state = ("wait" if found.accepted else "no"), found.get_status_display()
    else:
        look, state = "ok", found.get_state_display()
    numbered = found.issuer_id in {None, partner.pk, partner.parent_id} and found.site != SITE
    number = found.number if numbered else ""
    title = found.get_kind_display()
    return Row(found, title, counterparty(partner, other), goes_out, found.labels, state, look, waits, number)


def _asks(partner: Partner, found: Document) -> bool:
    """Return whether a transfer waits for this partner's word."""
    if found.state != _State.PROPOSED:
        return False
    return (found.source_id == partner.pk and found.source_agreed_at is None) or (
        found.destination_id == partner.pk and found.destination_agreed_at is None
    )


def _expected(partner: Partner, shipment: Document) -> Expected:
    confirmed = Line.objects.filter(
        document__refers=shipment, document__kind=_Kind.RECEIPT, document__state=_State.DONE, outcome__in=_MOVED
    )
    units = set(confirmed.exclude(unit=None).values_list("unit_id", flat=True))
    texts = set(confirmed.filter(unit=None).values_list("item", flat=True))
    lines = shipment.lines.filter(outcome=Line.Outcome.ACCEPTED).select_related("unit").order_by("place")
    left = [line for line in lines if (line.unit_id not in units if line.unit_id else line.item not in texts)]
    found = tuple(ExpectedLine(line.unit.sscc if line.unit else line.item, _shown(line), line.labels) for line in left)
    return Expected(shipment, counterparty(partner, shipment.source), sum(line.labels for line in left), found)


def _shown(line: Line) -> str:
    return shown(line.unit.sscc) if line.unit else line.item


def _named(name: str, name_zh: str) -> str:
    return (name_zh if (get_language() or "").startswith("zh") else name) or name


def _brand_name() -> str:
    return str(getattr(connection.tenant, "display_name", ""))
