"""Goods at the REST door: documents in, answers line by line out."""

import base64
import binascii
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import partial
from typing import Any, cast

from django.db.models import Q
from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja import Path, Query, Router
from pydantic import BaseModel, ConfigDict, Field

from channel import acts, packing, schemas, taking_back
from channel.acts import Answer, Item, Paper
from channel.goods import custodies_at
from channel.items import contents, units_by_sscc
from channel.models import Document, Partner
from channel.papers import UnknownPartner, answer_of
from common.clock import now
from common.errors import Invalid, NotFound
from common.problem_schema import Problem
from common.problems import BadRequest, refuse_unknown
from staff.apikeys import KeyRef
from staff.bearer import ApiKeyAuth

MOST_KEY = 80
PAGE = 50
WRITE_PROBLEMS = dict.fromkeys((400, 401, 403, 404, 409, 413, 415, 422, 503), Problem)
READ_PROBLEMS = dict.fromkeys((401, 403, 404, 422, 503), Problem)
WRITES, READS = ApiKeyAuth("goods"), ApiKeyAuth("goods", "read")
_KEY: dict[str, Any] = {
    "parameters": [
        {
            "name": "Idempotency-Key",
            "in": "header",
            "required": False,
            "description": "Names the document where its body has no number: sent again it gets the first answer.",
            "schema": {"type": "string", "minLength": 1, "maxLength": MOST_KEY, "pattern": r"^[\x21-\x7e]+$"},
        }
    ]
}
router = Router(tags=["goods"])


class NumberMissing(Invalid):
    """Give the document a number, or send an Idempotency-Key header."""

    code = "key_missing"


class BadDocumentKey(BadRequest):
    """The key of a document has from 1 to 80 visible ASCII characters."""

    code = "bad_key"


class BadCursor(Invalid):
    """The cursor is none of ours: begin at the first page."""

    code = "bad_cursor"


write = partial(router.post, auth=WRITES, response={200: schemas.DocumentOut, **WRITE_PROBLEMS}, openapi_extra=_KEY)


@write("/shipments")
def ship_goods(request: HttpRequest, body: schemas.ShipmentIn) -> dict[str, Any]:
    """Record that goods were sent; each line is accepted, a duplicate, or rejected for a reason."""
    source = _partner(body.from_partner) if body.from_partner else None
    destination = _partner(body.to_partner)
    page = _paper(request, body, source)
    return told(acts.ship(page, _items(body.lines), source=source, destination=destination, market=body.market))


@write("/deliveries")
def receive_goods(request: HttpRequest, body: schemas.DeliveryIn) -> dict[str, Any]:
    """Record that goods arrived: in full, short, over or damaged."""
    receiver = _partner(body.at_partner)
    shipment = _document(body.shipment, kind=Document.Kind.SHIPMENT) if body.shipment else None
    page = _paper(request, body, receiver)
    return told(acts.receive(page, _items(body.lines), receiver=receiver, shipment=shipment))


@write("/returns")
def return_goods(request: HttpRequest, body: schemas.ReturnIn) -> dict[str, Any]:
    """Record that goods were given back. They are not for sale before they are inspected."""
    source = _partner(body.from_partner)
    destination = _partner(body.to_partner) if body.to_partner else None
    page = _paper(request, body, source)
    return told(acts.give_back(page, _items(body.lines), source=source, destination=destination))


@write("/transfers")
def propose_transfer(request: HttpRequest, body: schemas.TransferIn) -> dict[str, Any]:
    """Propose for the brand that goods go from one partner to another. Its state is ``done`` once both have agreed."""
    source, destination = _partner(body.from_partner), _partner(body.to_partner)
    page = _paper(request, body, None)
    return told(acts.propose_transfer(page, _items(body.lines), source=source, destination=destination))


@write("/packings")
def pack_goods(request: HttpRequest, body: schemas.PackingIn) -> dict[str, Any]:
    """Record what was packed into what, as a line camera or a scanner tells it."""
    fillings = [packing.Filling(line.sscc, line.kind, line.item, line.lot) for line in body.lines]
    return told(packing.pack(_paper(request, body, None), fillings))


@write("/documents/{document_id}/cancellation")
def cancel_document(
    request: HttpRequest, body: schemas.CancellationIn, document_id: str = Path(pattern="^doc_[a-z2-7]{20}$")
) -> dict[str, Any]:
    """Take back what a document did, or some lines of it."""
    document = _document(document_id)
    key = _key(request) or f"cancel-{document_id}"
    page = Paper(key, document.issuer, None, now(), _by(request), reason=body.reason)
    return told(taking_back.cancel(page, document, [Item(text) for text in body.lines]))


class Filters(BaseModel):
    """What a list of documents is narrowed by."""

    model_config = ConfigDict(extra="forbid")

    kind: Document.Kind | None = None
    partner: schemas.PartnerNumber | None = None
    limit: int = Field(PAGE, ge=1, le=200)
    cursor: str | None = Field(None, max_length=80, pattern="^[A-Za-z0-9_-]+$")


@router.get("/documents", auth=READS, response={200: schemas.DocumentsOut, **READ_PROBLEMS})
def list_documents(request: HttpRequest, filters: Query[Filters]) -> dict[str, Any]:
    """List documents, newest first, without their lines."""
    refuse_unknown(request, Filters.model_fields)
    found = Document.objects.select_related("issuer", "source", "destination").order_by("-recorded_at", "-id")
    if filters.kind:
        found = found.filter(kind=filters.kind)
    if filters.partner:
        who = _partner(filters.partner)
        found = found.filter(Q(source=who) | Q(destination=who) | Q(issuer=who))
    if filters.cursor:
        at, pk = _read_cursor(filters.cursor)
        found = found.filter(Q(recorded_at__lt=at) | Q(recorded_at=at, pk__lt=pk))
    rows = list(found[: filters.limit + 1])
    more, rows = len(rows) > filters.limit, rows[: filters.limit]
    return {
        "data": [told(Answer(row)) | {"lines": None} for row in rows],
        "next_cursor": _cursor(rows[-1]) if more else None,
        "has_more": more,
    }


@router.get("/documents/{document_id}", auth=READS, response={200: schemas.DocumentOut, **READ_PROBLEMS})
def read_document(request: HttpRequest, document_id: str = Path(pattern="^doc_[a-z2-7]{20}$")) -> dict[str, Any]:
    """Return a document with what became of each line."""
    return told(answer_of(_document(document_id)))


@router.get("/units/{sscc}", auth=READS, response={200: schemas.UnitOut, **READ_PROBLEMS})
def read_unit(request: HttpRequest, sscc: schemas.Sscc) -> dict[str, Any]:
    """Return a pack, case or pallet by its SSCC, as it is now."""
    packing.know([sscc])
    unit = units_by_sscc([sscc]).get(sscc)
    if unit is None:
        raise packing.UnknownUnit
    at = now()
    parts, _below = contents([unit.pk], at)[unit.pk]
    [held] = custodies_at([parts[0][0]], [at]) if parts else [None]
    holder = Partner.objects.filter(pk=held.partner_id).first() if held and held.partner_id else None
    parent = unit.parents.filter(closed_at=None).select_related("parent").first()
    children = unit.children.filter(closed_at=None).order_by("child__sscc").values_list("child__sscc", flat=True)
    return {
        "id": unit.public_id,
        "sscc": unit.sscc,
        "kind": unit.kind,
        "lot": unit.lot,
        "labels": sum(end - first for first, end in parts),
        "parent": parent.parent.sscc if parent else None,
        "children": list(children[:1000]),
        "holder": holder.number if holder else None,
        "state": held.state if held else "held",
    }


# --- in and out ----------------------------------------------------------------------------------------------------------


def told(answer: Answer) -> dict[str, Any]:
    """Return an answer as `schemas.DocumentOut` describes it."""
    document = answer.document
    return {
        "id": document.public_id,
        "kind": document.kind,
        "number": document.number,
        "status": document.status,
        "state": document.state,
        "from_partner": document.source.number if document.source else None,
        "to_partner": document.destination.number if document.destination else None,
        "happened_at": document.happened_at,
        "recorded_at": document.recorded_at,
        "counts": {
            "accepted": document.accepted,
            "duplicate": document.duplicate,
            "rejected": document.rejected,
        },
        "labels": document.labels,
        "payload_hash": answer.payload_hash,
        "lines": [
            {
                "line": line.place,
                "item": line.item,
                "condition": line.condition,
                "outcome": line.outcome,
                "reason": line.reason or None,
                "labels": line.labels,
            }
            for line in answer.lines
        ],
    }


def _items(lines: Sequence[schemas.LineIn]) -> list[Item]:
    return [Item(line.item, line.condition) for line in lines]


def _paper(request: HttpRequest, body: Any, issuer: Partner | None) -> Paper:
    key = _key(request)
    number = body.number or key
    if not number:
        raise NumberMissing
    return Paper(number, issuer, body.happened_at, now(), _by(request), body.site, getattr(body, "reason", ""))


def _key(request: HttpRequest) -> str:
    key = request.headers.get("Idempotency-Key")
    if key is not None and (not key or len(key) > MOST_KEY or not all("!" <= letter <= "~" for letter in key)):
        raise BadDocumentKey
    return key or ""


def _by(request: HttpRequest) -> str:
    return cast("KeyRef", request.auth).prefix  # type: ignore[attr-defined]  # set by ninja


def _partner(number: str) -> Partner:
    found = Partner.objects.filter(number=number).first()
    if found is None:
        raise UnknownPartner
    return found


def _document(public_id: str, **of: str) -> Document:
    found = Document.objects.select_related("issuer", "source", "destination").filter(public_id=public_id, **of).first()
    if found is None:
        raise NotFound(_("There is no such document."))
    return found


def _cursor(row: Document) -> str:
    text = f"{row.recorded_at.timestamp():.6f} {row.pk}"
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[datetime, int]:
    try:
        at, _blank, pk = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode().partition(" ")
        moment, number = datetime.fromtimestamp(float(at), UTC), int(pk)
    except (ValueError, OverflowError, OSError, binascii.Error):
        raise BadCursor from None
    if not 0 < number < 2**63 or not 1 < moment.year < 9999:
        raise BadCursor
    return moment, number
