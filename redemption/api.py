"""The REST door: translates a request, makes one call, and translates the answer."""

import logging
import re
from collections.abc import Callable, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, NamedTuple, TypeVar, cast

from django.conf import settings
from django.db import InterfaceError, OperationalError
from django.http import HttpRequest, HttpResponse
from django.utils.translation import get_supported_language_variant, gettext as _
from django.utils.translation.trans_real import parse_accept_lang_header
from ninja import Router
from pydantic import BaseModel, ValidationError
from pydantic_core import to_json

from brands.models import Brand
from common.clock import now
from common.collector import Collector
from common.errors import DomainError, Invalid, NotFound
from common.geo import from_gcj02
from common.phone import parse_phone
from common.problems import BadRequest, fields_of, problem, problem_of
from lottery.bundles import entry_receipt
from lottery.told import PlayTold
from redemption import collector, queries, services
from redemption.messages import say
from redemption.rules import Attempt, Door, Outcome, Place, Receipt
from redemption.schemas import BulkIn, BulkItem, BulkOut, CheckIn, PlaceIn, Problem, ReceiptOut, RedeemIn
from staff.apikeys import KeyRef
from staff.bearer import ApiKeyAuth
from staff.keys import sign_key

STATUS_OF = {Outcome.REDEEMED: 201, Outcome.TOO_MANY_TRIES: 429}
WRITE_PROBLEMS = dict.fromkeys((400, 401, 403, 409, 413, 415, 422, 503), Problem)
READ_PROBLEMS = dict.fromkeys((401, 403, 404, 503), Problem)
MOST_KEY = 200
In = TypeVar("In", bound=BaseModel)
log = logging.getLogger(__name__)
router = Router(tags=["labels"])


class KeyMissing(BadRequest):
    """Send an Idempotency-Key header: the same key with the same body redeems once and gets the same answer."""

    code = "key_missing"


class BadKey(BadRequest):
    """An idempotency key has from 1 to 200 visible ASCII characters."""

    code = "bad_key"


class BadJson(BadRequest):
    """The body is not JSON."""

    code = "bad_json"


class NotValid(Invalid):
    """The request does not have the shape that is asked for."""

    code = "invalid"


def _key_parameter(*, required: bool) -> dict[str, Any]:
    return {
        "name": "Idempotency-Key",
        "in": "header",
        "required": required,
        "description": "Names this request: sent again with the same body it gets the first answer, for ever.",
        "schema": {"type": "string", "minLength": 1, "maxLength": MOST_KEY, "pattern": r"^[\x21-\x7e]+$"},
    }


def _takes(schema: type[BaseModel], *, key_required: bool | None = None) -> dict[str, Any]:
    """Describe the body (and the key) of an operation that reads them itself."""
    described: dict[str, Any] = {
        "requestBody": {
            "required": True,
            "content": {"application/json": {"schema": {"$ref": f"#/components/schemas/{schema.__name__}"}}},
        }
    }
    if key_required is not None:
        described["parameters"] = [_key_parameter(required=key_required)]
    return described


@router.post(
    "/checks",
    auth=ApiKeyAuth("check", "redeem"),
    response={200: ReceiptOut, 429: ReceiptOut, **WRITE_PROBLEMS},
    openapi_extra=_takes(CheckIn, key_required=False),
)
def check_label(request: HttpRequest) -> HttpResponse:
    """Check a label by its open serial or its hidden code. Nothing is used up."""
    call = _call(request)
    return _respond(_reply(collector.verify(_check(call)), call.accept))


@router.post(
    "/redemptions",
    auth=ApiKeyAuth("redeem"),
    response={201: ReceiptOut, 200: ReceiptOut, 429: ReceiptOut, **WRITE_PROBLEMS},
    openapi_extra=_takes(RedeemIn, key_required=True),
)
def redeem_code(request: HttpRequest) -> HttpResponse:
    """Redeem the code under the scratch layer, once."""
    call = _call(request)
    return _respond(_reply(collector.redeem(_redemption(call)), call.accept))


@router.post(
    "/redemptions/bulk",
    auth=ApiKeyAuth("redeem"),
    response={200: BulkOut, **WRITE_PROBLEMS},
    openapi_extra=_takes(BulkIn),
)
def redeem_bulk(request: HttpRequest) -> HttpResponse:
    """Redeem up to 500 codes. Each result has the status that a single call would get."""
    return _respond(redeem_all(_call(request)))


@router.get("/receipts/{number}", auth=ApiKeyAuth("read"), response={200: ReceiptOut, **READ_PROBLEMS})
def read_receipt(request: HttpRequest, number: str) -> HttpResponse:
    """Return the answer that a receipt number names, as it was given."""
    receipt = queries.receipt(number)
    if receipt is None:
        raise NotFound(_("There is no such receipt."))
    content = to_json(receipt_json(receipt, language_of(request.META.get("HTTP_ACCEPT_LANGUAGE"))))
    return _respond(Reply(200, content))


# --- the operations, whoever calls them: the views above, or many at once `answer_together` ----------------------------


class Call(NamedTuple):
    """One authenticated call. ``key``: the Idempotency-Key header; ``accept``: the Accept-Language header."""

    client: KeyRef
    at: datetime
    body: bytes
    key: str | None
    accept: str | None


class Reply(NamedTuple):
    """What is answered; ``status``, JSON and headers."""

    status: int
    content: bytes
    headers: tuple[tuple[str, str], ...] = (("Content-Type", "application/json"),)


def _check(call: Call) -> Attempt:
    asked = _read(CheckIn, call.body)
    if (asked.serial is None) == (asked.code is None):
        raise NotValid(_("Name the label by exactly one of serial and code."))
    return _attempt(asked, call.client, request_id=_key_of(call.key) or "", at=call.at)


def _redemption(call: Call) -> Attempt:
    key = _key_of(call.key)
    if key is None:
        raise KeyMissing(_("Send an Idempotency-Key header."))
    return _attempt(_read(RedeemIn, call.body), call.client, request_id=key, at=call.at)


def redeem_all(call: Call) -> Reply:
    """Answer `redeem_bulk`."""
    items = _read(BulkIn, call.body).attempts
    if not all(isinstance(item.get("request_id"), str) and 0 < len(item["request_id"]) <= MOST_KEY for item in items):
        raise NotValid(_("Each attempt needs a request_id of 1 to 200 characters."))
    read = [_item(item, call.client, call.at) for item in items]
    answers = iter(services.redeem_each([attempt for attempt in read if isinstance(attempt, Attempt)]))
    language = language_of(call.accept)
    results = [
        {**_fields(next(answers) if isinstance(found, Attempt) else found, language), "request_id": item["request_id"]}
        for item, found in zip(items, read, strict=True)
    ]
    return Reply(200, to_json({"results": results}))


def _call(request: HttpRequest) -> Call:
    meta = request.META
    client = cast("KeyRef", request.auth)  # type: ignore[attr-defined]  # set by ninja
    return Call(client, now(), request.body, meta.get("HTTP_IDEMPOTENCY_KEY"), meta.get("HTTP_ACCEPT_LANGUAGE"))


def _reply(receipt: Receipt, accept: str | None) -> Reply:
    reply = Reply(STATUS_OF.get(receipt.outcome, 200), to_json(receipt_json(receipt, language_of(accept))))
    if receipt.retry_after_s is None:
        return reply
    return reply._replace(headers=(*reply.headers, ("Retry-After", str(receipt.retry_after_s))))


def _respond(reply: Reply) -> HttpResponse:
    return HttpResponse(reply.content, status=reply.status, headers=dict(reply.headers))


# --- many calls at once, without a request of Django's: that alone would cost more than all they do ---------------------


class Asked(NamedTuple):
    """A call as it came: its headers Authorization, Idempotency-Key and Accept-Language, and its body."""

    authorization: str
    body: bytes
    key: str | None
    accept: str | None


class Operation(NamedTuple):
    """How calls of one operation are done together."""

    authenticate: ApiKeyAuth
    read: Callable[[Call], Attempt]
    run: Callable[[Sequence[Attempt]], Sequence[services.Answer]]


TOGETHER = {
    "/api/v1/checks": Operation(ApiKeyAuth("check", "redeem"), _check, services.verify_each),
    "/api/v1/redemptions": Operation(ApiKeyAuth("redeem"), _redemption, services.redeem_each),
}


async def ask(path: str, asked: Asked, brand: Brand) -> Reply:
    """Answer a call of ``path`` as its view does, together with whatever else waits."""
    return await _gathered.ask(asked, kind=path, tenant=brand, within_s=collector.ANSWER_WITHIN_S)


def answer_together(path: str, calls: Sequence[Asked]) -> list[Reply]:
    """Answer calls of one operation, each as its view does; none fails its neighbours. All are of one moment."""
    operation, at = TOGETHER[path], now()
    clients = {header: _client(operation, header) for header in {asked.authorization for asked in calls}}
    read = [_attempted(operation, asked, clients[asked.authorization], at) for asked in calls]
    answers = iter(operation.run([found for found in read if isinstance(found, Attempt)]))
    return [
        _answered(next(answers) if isinstance(found, Attempt) else found, asked.accept)
        for found, asked in zip(read, calls, strict=True)
    ]


def _client(operation: Operation, header: str) -> KeyRef | Exception:
    try:
        return operation.authenticate.key_of(header)
    except Exception as error:
        return error


def _attempted(operation: Operation, asked: Asked, client: KeyRef | Exception, at: datetime) -> Attempt | Exception:
    if isinstance(client, Exception):
        return client
    try:
        return operation.read(Call(client, at, asked.body, asked.key, asked.accept))
    except Exception as error:
        return error


def _answered(answer: Receipt | Exception, accept: str | None) -> Reply:
    try:
        return _reply(answer, accept) if isinstance(answer, Receipt) else _refused(answer)
    except Exception as error:
        return _refused(error)


def _refused(error: Exception) -> Reply:
    if isinstance(error, OperationalError | InterfaceError):
        error = services.TryLater()
    if isinstance(error, DomainError):
        response = problem_of(error)
    else:
        log.error("an API call failed", exc_info=error)
        detail = _("Something went wrong on our side. Nothing is known to have been written.")
        response = problem(500, code="internal", detail=detail)
    return Reply(response.status_code, response.content, tuple(response.items()))


_gathered: Collector[Asked, Reply] = Collector(
    answer_together,
    name="calls",
    threads=lambda: settings.COLLECTOR_THREADS,
    away=lambda: _refused(services.TryLater()),
    enough=collector.ENOUGH,
)


# --- in ----------------------------------------------------------------------------------------------------------------


def _key_of(key: str | None) -> str | None:
    if key is not None and (not key or len(key) > MOST_KEY or not all("!" <= letter <= "~" for letter in key)):
        raise BadKey(_("An idempotency key has from 1 to 200 visible ASCII characters."))
    return key


def _read(schema: type[In], body: bytes) -> In:
    """Read a JSON body. Raises `BadJson`, or `NotValid` with the places that are wrong; values are never repeated."""
    try:
        return schema.model_validate_json(body)
    except ValidationError as error:
        raise _not_valid(error) from None


def _not_valid(error: ValidationError) -> DomainError:
    faults = error.errors(include_url=False, include_context=False, include_input=False)
    if faults[0]["type"] == "json_invalid":
        return BadJson(_("The body is not JSON."))
    return NotValid(
        _("The request does not have the shape that is asked for."),
        errors=[{"at": [_name(part) for part in fault["loc"]], "message": fault["msg"]} for fault in faults],
    )


def _name(part: str | int) -> str | int:
    """Return a step of a place in the body; the name of a field that is none of ours may be a code or a number."""
    return part if isinstance(part, int) or re.fullmatch("[A-Za-z_]{1,40}", part) else "?"


def _item(item: dict[str, Any], client: KeyRef, at: datetime) -> Attempt | DomainError:
    try:
        return _attempt(BulkItem.model_validate(item), client, request_id=item["request_id"], at=at)
    except ValidationError as error:
        return _not_valid(error)
    except DomainError as error:
        return error


def _attempt(asked: CheckIn | RedeemIn, client: KeyRef, *, request_id: str, at: datetime) -> Attempt:
    names = asked if isinstance(asked, RedeemIn) else None
    return Attempt(
        door=Door.API,
        at=at,
        request_id=request_id,
        code=asked.code,
        serial=asked.serial,
        gtin=asked.gtin,
        phone=None if asked.phone is None else parse_phone(asked.phone),
        asker=asked.asker,
        client_id=client.id,
        retailer=names.retailer if names else None,
        promoter=names.promoter if names else None,
        place=_place(asked.place),
        test_mode=client.is_test,
    )


def _place(place: PlaceIn | None) -> Place | None:
    if place is None or place.mock:
        return None
    lat, lon = from_gcj02(place.lat, place.lon) if place.datum == "gcj02" else (place.lat, place.lon)
    return Place(lat, lon, place.accuracy_m, datum=place.datum, consent=place.consent)


# --- out ---------------------------------------------------------------------------------------------------------------


@lru_cache(maxsize=500)
def language_of(accept: str | None) -> str:
    """Return the language that an Accept-Language header asks for, English without one."""
    for code, _weight in parse_accept_lang_header(accept or ""):
        try:
            return get_supported_language_variant(code)
        except LookupError:
            continue
    return "en"


def _fields(answer: services.Answer, language: str) -> dict[str, Any]:
    if isinstance(answer, DomainError):
        return fields_of(answer)
    return {"status": STATUS_OF.get(answer.outcome, 200), **receipt_json(answer, language)}


def receipt_json(receipt: Receipt, language: str) -> dict[str, Any]:
    """Return a receipt as `ReceiptOut` describes it."""
    product, earlier, redeemed = receipt.product, receipt.earlier, receipt.redeemed
    chinese = language.startswith("zh")
    return {
        "outcome": receipt.outcome,
        "detail": receipt.detail,
        "receipt": receipt.receipt_no,
        "product": None
        if product is None
        else {"id": product.public_id, "gtin": product.gtin, "name": product.name, "name_zh": product.name_zh},
        "points": receipt.points,
        "balance": receipt.balance,
        "points_offered": receipt.points_offered,
        "earlier": None
        if earlier is None
        else {
            "count": earlier.count,
            "first_at": _time(earlier.first_at),
            "first_place": earlier.first_place[chinese] if earlier.first_place else None,
            "first_door": earlier.first_door,
            "by": earlier.by,
        },
        "redeemed": None
        if redeemed is None
        else {
            "at": _time(redeemed.at),
            "place": redeemed.place[chinese] if redeemed.place else None,
            "door": redeemed.door,
            "by": redeemed.by,
        },
        "want": receipt.want,
        "got": receipt.got,
        "tries_left": receipt.tries_left,
        "ended_on": receipt.ended_on and receipt.ended_on.isoformat(),
        "retry_after_s": receipt.retry_after_s,
        "play": _play_json(receipt.play) if receipt.play else None,
        "entries": _entries_json(receipt) if receipt.entries else [],
        "at": _time(receipt.at),
        "message": say(receipt, language, Door.API),
    }


def _play_json(play: PlayTold) -> dict[str, Any]:
    return {
        "outcome": play.outcome,
        "campaign": play.campaign,
        "prize": play.prize._asdict() if play.prize else None,
        "points": play.points,
        "claim": play.claim,
    }


def _entries_json(receipt: Receipt) -> list[dict[str, Any]]:
    key = sign_key(at=receipt.at)
    return [
        {
            "entry": entry.entry,
            "draw": entry.draw,
            "weight": entry.weight,
            "close_at": _time(entry.close_at),
            "receipt": entry_receipt(entry, key=key),
        }
        for entry in receipt.entries
    ]


@lru_cache(maxsize=1000)  # those of one call are one moment
def _time(moment: datetime) -> str:
    return f"{moment.replace(tzinfo=None).isoformat(timespec='microseconds')}Z"  # stored in UTC
