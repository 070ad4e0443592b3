"""Events captured and applied: `channel.epcis` with the database; what we tell ourselves: `channel.telling`.

A capture is checked whole, then kept in one transaction, then applied event by event; what a crash left unapplied is
applied by `apply_waiting`, and an act is named by its event's hash, so that it is done once.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from channel import acts, epcis, packing, taking_back
from channel.acts import Answer, Item, Paper
from channel.epcis import Act, Fault, act_of, events_in, faults_of, text_of_time
from channel.epcis_ids import CANONICAL, canonical, event_id, link_of
from channel.models import Capture, Document, Event, Partner
from common.db import inside_transaction
from common.errors import DomainError
from common.problems import BadRequest

MOST_EVENTS = 1_000


class NotEpcis(BadRequest):
    """The body is no EPCIS 2.0 document."""

    code = "not_epcis"


def capture(document: Any, payload: bytes, *, proceed: bool, at: datetime, by: str) -> Capture:
    """Capture the events of a document: all or none, or those that are in order. Raises `NotEpcis`."""
    events, namespaces, faults = events_in(document)
    if not faults and len(events) > MOST_EVENTS:
        faults = [Fault("/epcisBody/eventList", "too_many", f"At most {MOST_EVENTS} events at once.")]
    if faults:
        raise NotEpcis(
            _("The body is no EPCIS 2.0 document."),
            errors=[{"at": [one.pointer], "message": f"{one.code}: {one.detail}"} for one in faults],
        )
    good: list[dict[str, Any]] = []
    for place, event in enumerate(events):
        found = faults_of(event, namespaces, f"/epcisBody/eventList/{place}", now=at)
        faults += found
        if not found:
            good.append(event)
    if faults and not proceed:
        good = []
    with transaction.atomic(durable=True):
        row = Capture.objects.create(
            behaviour="proceed" if proceed else "rollback",
            payload_hash=hashlib.sha256(payload).digest(),
            by=by,
            created_at=at,
            ended_at=at,
            success=not faults,
            errors=[asdict(one) for one in faults[:200]],
        )
        rows = [row_of(event, namespaces, at) for event in good]
        kept = _keep(rows, row)
        Capture.objects.filter(pk=row.pk).update(captured=len(kept), duplicates=len(good) - len(kept))
    for event_row in kept:
        apply(event_row, at=at)
    row.refresh_from_db()
    return row


def row_of(event: dict[str, Any], namespaces: dict[str, str], at: datetime) -> Event:
    """Return an event as it will be kept; its id is its hash, where it has none of its own."""
    digest = event_id(event, namespaces)
    uris = [uri for name in ("epcList", "childEPCs", "inputEPCList", "outputEPCList") for uri in event.get(name) or []]
    uris += [event["parentID"]] if event.get("parentID") else []
    body = {**event, "eventID": event.get("eventID") or digest, "recordTime": text_of_time(at)}
    return Event(
        event_id=body["eventID"][:300],
        digest=digest,
        is_error="errorDeclaration" in event,
        kind=event["type"],
        action=event.get("action", ""),
        biz_step=epcis.bare(event.get("bizStep", ""))[:100],
        disposition=epcis.bare(event.get("disposition", ""))[:100],
        event_time=datetime.fromisoformat(event["eventTime"]),
        record_time=at,
        epcs=sorted({canonical(uri)[:300] for uri in uris}),
        body=body,
    )


@inside_transaction
def _keep(rows: Sequence[Event], row: Capture | None) -> list[Event]:
    """Write the events that are not known yet, by id and by hash."""
    fresh = []
    ids, digests = set(), set()
    known = Event.objects.filter(event_id__in=[one.event_id for one in rows]).values_list("event_id", "is_error")
    same = Event.objects.filter(digest__in=[one.digest for one in rows]).values_list("digest", "is_error")
    ids |= set(known)
    digests |= set(same)
    for one in rows:
        if (one.event_id, one.is_error) not in ids and (one.digest, one.is_error) not in digests:
            ids.add((one.event_id, one.is_error))
            digests.add((one.digest, one.is_error))
            one.capture = row
            fresh.append(one)
    Event.objects.bulk_create(fresh, batch_size=500, ignore_conflicts=True)
    return list(Event.objects.filter(digest__in=[one.digest for one in fresh], applied="").order_by("id"))


# --- what follows from an event --------------------------------------------------------------------------------------------


def apply_waiting(*, at: datetime, limit: int = 200) -> int:
    """Apply events that were kept and not applied: their process died. Return how many there were."""
    waiting = list(Event.objects.filter(applied="").order_by("id")[:limit])
    for row in waiting:
        apply(row, at=at)
    return len(waiting)


def apply(row: Event, *, at: datetime) -> None:
    """Do what an event asks for, once."""
    act = act_of(row.body)
    try:
        answer = _do(act, row, at) if act else None
    except DomainError as error:
        Event.objects.filter(pk=row.pk, applied="").update(applied=error.code[:24])
        return
    told = answer.status if answer else "not_applied"
    document = answer.document if answer else None
    Event.objects.filter(pk=row.pk, applied="").update(applied=told, document=document)


def _do(act: Act, row: Event, at: datetime) -> Answer | None:
    items = [Item(text_of(uri)) for uri in act.epcs]
    source, destination = _partner(act.source), _partner(act.destination)

    def page(issuer: Partner | None) -> Paper:
        return Paper(f"epcis-{row.digest[14:78]}", issuer, min(act.at, at), at, "epcis")

    if act.kind == "packing":
        kind = "pallet" if all(text.text.isdecimal() and len(text.text) == 18 for text in items) else "case"
        return packing.pack(page(None), [packing.Filling(text_of(act.parent), kind, one.text) for one in items])
    if act.kind == "unpacking":
        return packing.unpack(page(None), text_of(act.parent), items)
    if act.kind == "shipping" and destination:
        return acts.ship(page(source), items, source=source, destination=destination)
    if act.kind == "receiving" and act.disposition == "returned" and source:
        return acts.give_back(page(source), items, source=source, destination=destination)
    if act.kind == "receiving" and destination:
        conditions = {"mismatch_instance": "short", "mismatch_quantity": "short", "damaged": "damaged"}
        found = [one._replace(condition=conditions.get(act.disposition, "full")) for one in items]
        return acts.receive(page(destination), found, receiver=destination)
    if act.kind == "inspecting":
        resale = act.disposition not in {"destroyed", "damaged", "non_sellable_other"}
        return acts.inspect(page(None), items, holder=destination, resale=resale)
    if act.kind in {"void_shipping", "error"}:
        document = _document_of(act, row)
        lines = items if act.kind == "void_shipping" else ()
        return taking_back.cancel(page(None), document, lines) if document else None
    return None


def _document_of(act: Act, row: Event) -> Document | None:
    """Return the document that is to be taken back: what an event named by its id did, or what shipped the things last."""
    if act.kind == "error":
        wrong = Event.objects.filter(event_id=act.corrects, is_error=False).select_related("document").first()
        return wrong.document if wrong else None
    shipped = Event.objects.filter(biz_step="shipping", epcs__overlap=row.epcs, document__isnull=False)
    found = shipped.order_by("-event_time", "-id").select_related("document").first()
    return found.document if found else None


def text_of(uri: str) -> str:
    """Return a URI as a line of a document names the thing: an SSCC, or the Digital Link of a label."""
    link = link_of(uri)
    if link is None:
        return uri[:300]
    return link.value if link.key == "00" else canonical(uri)[:300]


def _partner(uri: str) -> Partner | None:
    one = canonical(uri)
    if one.startswith((f"{CANONICAL}/417/", f"{CANONICAL}/414/")):
        return Partner.objects.filter(gln=one.split("/")[4][:13]).first()
    number = uri.rpartition("/partners/")[2] if "/partners/" in uri else ""
    return Partner.objects.filter(number=number).first() if number else None
