"""The EPCIS 2.0 REST interface (GS1 EPCIS 2.0, section 12), the subset that captures and queries events.

GS1 publishes the description of this interface; ours, /api/v1/openapi.json, leaves it out.
"""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, cast
from urllib.parse import unquote

from django.db import connection
from django.db.models import Q
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from ninja import Router

from channel import capturing, telling
from channel.capturing import MOST_EVENTS
from channel.epcis import CONTEXT, MOST_EPCS, bare
from channel.epcis_ids import canonical
from channel.items import Item, read
from channel.models import Capture, Event
from common.clock import now
from common.db import array
from common.errors import Invalid, NotFound
from common.problems import BadRequest
from staff.apikeys import KeyRef
from staff.bearer import ApiKeyAuth

VERSION = "2.0.0"
PAGE, MOST_A_PAGE = 30, 1_000
MOST_INSTANCES = 10 * MOST_EPCS
"""Labels that one page names where an answer is asked for in instances."""
MOST_BYTES = 1_048_576
WRITES, READS = ApiKeyAuth("goods"), ApiKeyAuth("goods", "read")
_TEXT_FILTERS = {"EQ_bizStep": "biz_step", "EQ_disposition": "disposition", "EQ_action": "action", "eventType": "kind"}
_TIME_FILTERS = {
    "GE_eventTime": "event_time__gte",
    "LT_eventTime": "event_time__lt",
    "GE_recordTime": "record_time__gte",
    "LT_recordTime": "record_time__lt",
}
_FILTERS = {
    *_TEXT_FILTERS,
    *_TIME_FILTERS,
    "MATCH_anyEPC",
    "MATCH_epc",
    "EQ_eventID",
    "perPage",
    "nextPageToken",
    "expand",
}
router = Router(tags=["epcis"])


class BadBehaviour(BadRequest):
    """GS1-Capture-Error-Behaviour is rollback or proceed."""

    code = "bad_behaviour"


class NotJson(BadRequest):
    """The body is not JSON."""

    code = "bad_json"


class BadQuery(Invalid):
    """There is no such filter, or its value is none."""

    code = "bad_query"


def _options(request: HttpRequest, allow: str) -> HttpResponse:
    answer = HttpResponse(status=204)
    answer.headers["Allow"] = allow
    for name, value in {
        "GS1-EPCIS-Version": VERSION,
        "GS1-EPCIS-Min": VERSION,
        "GS1-EPCIS-Max": VERSION,
        "GS1-CBV-Version": VERSION,
        "GS1-CBV-Min": VERSION,
        "GS1-CBV-Max": VERSION,
        "GS1-EPC-Format": "Always_GS1_Digital_Link",
        "GS1-CBV-XML-Format": "Never_Translates",
        "GS1-EPCIS-Capture-Limit": str(MOST_EVENTS),
        "GS1-EPCIS-Capture-File-Size-Limit": str(MOST_BYTES),
        "GS1-Capture-Error-Behaviour": "rollback, proceed",
    }.items():
        answer.headers[name] = value
    return answer


@router.api_operation(["OPTIONS"], "/", auth=None, include_in_schema=False)
def discover(request: HttpRequest) -> HttpResponse:
    """Say which versions are spoken and how much is taken at once."""
    return _options(request, "OPTIONS")


@router.api_operation(["OPTIONS"], "/capture", auth=None, include_in_schema=False)
def discover_capture(request: HttpRequest) -> HttpResponse:
    """Say how events are captured."""
    return _options(request, "OPTIONS, POST")


@router.api_operation(["OPTIONS"], "/events", auth=None, include_in_schema=False)
def discover_events(request: HttpRequest) -> HttpResponse:
    """Say how events are asked for."""
    return _options(request, "OPTIONS, GET")


@router.post("/capture", auth=WRITES, include_in_schema=False)
def capture(request: HttpRequest) -> HttpResponse:
    """Capture a document of events. The answer names the job, which tells what became of each."""
    behaviour = request.headers.get("GS1-Capture-Error-Behaviour", "rollback")
    if behaviour not in {"rollback", "proceed"}:
        raise BadBehaviour
    try:
        document = json.loads(request.body, parse_constant=_refuse)
    except (ValueError, RecursionError):
        raise NotJson from None
    by = cast("KeyRef", request.auth).prefix  # type: ignore[attr-defined]  # set by ninja
    row = capturing.capture(document, request.body, proceed=behaviour == "proceed", at=now(), by=by)
    answer = HttpResponse(status=202)
    answer.headers["Location"] = f"/api/v1/epcis/capture/{row.public_id}"
    answer.headers["GS1-EPCIS-Version"] = VERSION
    answer.headers["GS1-Capture-Error-Behaviour"] = behaviour
    return answer


@router.get("/capture/{capture_id}", auth=READS, include_in_schema=False)
def read_capture(request: HttpRequest, capture_id: str) -> HttpResponse:
    """Return what became of a captured document."""
    row = Capture.objects.filter(public_id=capture_id).first()
    if row is None:
        raise NotFound(_("There is no such capture."))
    return JsonResponse(
        {
            "captureID": row.public_id,
            "createdAt": row.created_at.isoformat(),
            "finishedAt": row.ended_at.isoformat(),
            "running": False,
            "success": row.success,
            "captureErrorBehaviour": row.behaviour,
            "captured": row.captured,
            "duplicates": row.duplicates,
            "payloadHash": bytes(row.payload_hash).hex(),
            "errors": [
                {"type": "epcisException:ValidationException", "title": one["code"], "status": 400, **one}
                for one in row.errors
            ],
            "events": [
                {"eventID": event_id, "applied": applied}
                for event_id, applied in row.events.order_by("id").values_list("event_id", "applied")
            ],
        }
    )


@router.get("/events", auth=READS, include_in_schema=False)
def list_events(request: HttpRequest) -> HttpResponse:
    """Return events by filters, in the order of their times, page by page."""
    return _page(request, Event.objects.all(), "/api/v1/epcis/events")


@router.get("/events/{path:event_id}", auth=READS, include_in_schema=False)
def read_event(request: HttpRequest, event_id: str) -> HttpResponse:
    """Return one event by its id."""
    telling.tell_waiting(at=now())
    wanted = {event_id, unquote(event_id)}
    query = request.META.get("QUERY_STRING", "")
    wanted |= {f"{one}?{unquote(query)}" for one in set(wanted)} if query else set()
    row = Event.objects.filter(event_id__in=wanted).order_by("is_error").first()
    if row is None:
        raise NotFound(_("There is no such event."))
    return _json({"@context": [CONTEXT], **row.body})


@router.get("/epcs/{path:epc}/events", auth=READS, include_in_schema=False)
def events_of_epc(request: HttpRequest, epc: str) -> HttpResponse:
    """Return the events of one thing."""
    return _page(request, Event.objects.filter(_about([unquote(epc)])), f"/api/v1/epcis/epcs/{epc}/events")


# An event that counts labels is about each of them.
_COUNTS = """
SELECT DISTINCT e.id FROM channel_event e, jsonb_array_elements(e.spans) s
WHERE e.spans IS NOT NULL AND EXISTS (
    SELECT FROM unnest(%s::bigint[]) AS n (label_no) WHERE n.label_no >= (s->>0)::bigint AND n.label_no < (s->>1)::bigint)
"""


def _about(uris: Sequence[str]) -> Q:
    """Say that an event is about one of these things: it names it, or counts it."""
    wanted = [canonical(uri) for uri in uris]
    found = read([Item(uri[:300]) for uri in wanted if "/21/" in uri])
    labels = [one.first for one in found if not one.fault and not one.sscc]
    named = Q(epcs__overlap=wanted)
    if not labels:
        return named
    with connection.cursor() as cursor:
        cursor.execute(_COUNTS, [array(labels)])
        return named | Q(pk__in=[row[0] for row in cursor.fetchall()])


def _page(request: HttpRequest, found: Any, path: str) -> HttpResponse:
    telling.tell_waiting(at=now())
    if unknown := sorted(set(request.GET) - _FILTERS):
        raise BadQuery(errors=[{"at": ["query", name], "message": "unknown"} for name in unknown])
    for name, field in _TEXT_FILTERS.items():
        if name in request.GET:
            found = found.filter(**{f"{field}__in": [bare(word.strip()) for word in _value(request, name).split(",")]})
    for name, field in _TIME_FILTERS.items():
        if name in request.GET:
            found = found.filter(**{field: _moment(request, name)})
    if "EQ_eventID" in request.GET:
        found = found.filter(event_id__in=_value(request, "EQ_eventID").split(","))
    for name in ("MATCH_anyEPC", "MATCH_epc"):
        if name in request.GET:
            found = found.filter(_about(_value(request, name).split(",")))
    size = _number(request, "perPage", PAGE, MOST_A_PAGE)
    expands = _flag(request, "expand")
    after = 0
    if "nextPageToken" in request.GET:
        at, pk, after = _token(request)
        found = found.filter(Q(event_time__gt=at) | Q(event_time=at, **{"pk__gte" if after else "pk__gt": pk}))
    events, token = _told(found.order_by("event_time", "pk")[: size + 1], size, after, expands=expands)
    answer = _json(
        {
            "@context": [CONTEXT],
            "type": "EPCISQueryDocument",
            "schemaVersion": "2.0",
            "creationDate": now().isoformat(timespec="milliseconds"),
            "epcisBody": {
                "queryResults": {
                    "queryName": "SimpleEventQuery",
                    "resultsBody": {"eventList": events},
                }
            },
        }
    )
    if token:
        query = request.GET.copy()
        query["nextPageToken"] = token
        answer.headers["Link"] = f'<{path}?{query.urlencode()}>; rel="next"'
    return answer


def _told(rows: Iterable[Event], size: int, after: int, *, expands: bool) -> tuple[list[dict[str, Any]], str]:
    """Return at most ``size`` events of rows, of which the first was told up to part ``after``; and where to go on.

    A page in instances ends early, once it names `MOST_INSTANCES`.
    """
    found: list[dict[str, Any]] = []
    token, room = "", MOST_INSTANCES
    for row in rows:
        parts = telling.parts_of(row) if expands else 1
        for place in range(after, parts):
            if len(found) == size or room <= 0:
                return found, token
            found.append(telling.part_of(row, place) if expands else row.body)
            room -= MOST_EPCS if expands and row.spans else 0
            left = place + 1 if place + 1 < parts else 0
            token = f"{_micros(row.event_time)}-{row.pk}" + (f"-{left}" if left else "")
        after = 0
    return found, ""


def _json(content: dict[str, Any]) -> HttpResponse:
    answer = JsonResponse(content, json_dumps_params={"ensure_ascii": False})
    answer.headers["GS1-EPCIS-Version"] = VERSION
    answer.headers["GS1-CBV-Version"] = VERSION
    return answer


def _value(request: HttpRequest, name: str) -> str:
    value = request.GET[name]
    if not value or len(value) > 2_000 or "\x00" in value:
        raise _bad(name)
    return value


def _bad(name: str) -> BadQuery:
    return BadQuery(errors=[{"at": ["query", name], "message": "not a value of this filter"}])


def _moment(request: HttpRequest, name: str) -> datetime:
    try:
        found = datetime.fromisoformat(_value(request, name).replace(" ", "+"))
    except ValueError:
        raise _bad(name) from None
    if found.tzinfo is None or not 1900 < found.year < 9998:
        raise _bad(name)
    return found


def _number(request: HttpRequest, name: str, default: int, most: int) -> int:
    text = request.GET.get(name, str(default))
    if not (text.isascii() and text.isdecimal() and 0 < int(text[:9]) <= most):
        raise _bad(name)
    return int(text[:9])


def _flag(request: HttpRequest, name: str) -> bool:
    value = request.GET.get(name, "0")
    if value not in {"0", "1"}:
        raise _bad(name)
    return value == "1"


_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _token(request: HttpRequest) -> tuple[datetime, int, int]:
    """Return after which moment and event to go on, and with which part of that event (0: with the next event)."""
    parts = _value(request, "nextPageToken").split("-")
    if len(parts) not in {2, 3} or not all(one.isascii() and one.isdecimal() and len(one) < 18 for one in parts):
        raise _bad("nextPageToken")
    micros, pk, after = (*map(int, parts), 0)[:3]
    return _EPOCH + timedelta(microseconds=micros), pk, after


def _refuse(constant: str) -> Any:
    raise ValueError(constant)
