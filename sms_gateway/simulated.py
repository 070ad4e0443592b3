"""A stand-in for the carrier behind the simulator: the part of Twilio's REST API that sends, and its delivery reports.

It fakes no success: what it accepts it reports to our own webhook over HTTP, signed as the carrier would sign, and a
report that is refused there stays refused. `set_fault` makes one telephone behave badly.
"""

import re
import secrets
import time
from base64 import b64decode
from collections.abc import Mapping
from datetime import datetime
from email.utils import format_datetime
from enum import StrEnum
from typing import Any

import requests
from django.conf import settings
from django.core.cache import cache
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_GET, require_POST
from twilio.request_validator import RequestValidator

from brands.phone_numbers import Number, brand_with_schema, number_called
from common.clock import now
from common.phone import BadPhone, parse_phone
from sms_gateway.carriers import carrier_named
from sms_gateway.carriers.simulator import ACCOUNT_SID, Simulator
from sms_gateway.segments import parts_of

KEPT_S = 3600
BODY_LENGTH = 1600
_SID = re.compile(r"SM[0-9a-f]{32}")
LATE_S = 30.0
STEP_S = 0.5
UNREACHABLE = "30003"


class Fault(StrEnum):
    """How a telephone misbehaves."""

    REJECT = "reject"
    FAIL = "fail"
    LATE = "late"
    TWICE = "twice"
    OUT_OF_ORDER = "out_of_order"


def set_fault(phone: str, fault: Fault | None) -> None:
    """Let a telephone of this brand (E.164) misbehave from now on, for an hour; None: behave."""
    if fault is None:
        cache.delete(f"simulated-fault:{phone}")
    else:
        cache.set(f"simulated-fault:{phone}", str(fault), KEPT_S)


def fault_of(phone: str) -> Fault | None:
    """Return how a telephone misbehaves."""
    found = cache.get(f"simulated-fault:{phone}")
    return Fault(found) if found else None


def token_of(number: Number) -> str:
    """Return the token with which the simulator signs for a number."""
    return str(number.account.secrets["tokens"][0])


def signature(number: Number, url: str, fields: Mapping[str, str]) -> str:
    """Return the value of `X-Twilio-Signature` for a form post to ``url``."""
    return str(RequestValidator(token_of(number)).compute_signature(url, dict(fields)))


# --- the API -----------------------------------------------------------------------------------------------------------


def _error(status: int, code: int, message: str) -> HttpResponse:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return JsonResponse({"code": code, "message": message, "more_info": more, "status": status}, status=status)


def _authenticated(request: HttpRequest, number: Number | None) -> bool:
    kind, _, encoded = request.headers.get("Authorization", "").partition(" ")
    try:
        user, _, password = b64decode(encoded, validate=True).decode().partition(":")
    except ValueError:
        return False
    given = password.encode()
    return (
        kind == "Basic"
        and user == ACCOUNT_SID
        and number is not None
        and secrets.compare_digest(given, token_of(number).encode())
    )


@csrf_exempt
@require_POST
def create_message(request: HttpRequest, sid: str) -> HttpResponse:
    """Take a message as Twilio's API does: 201 and the resource, or an error of its."""
    if carrier_named(Simulator.name) is None:
        raise Http404
    fields = request.POST
    number = number_called(Simulator.name, fields.get("From", ""))
    if not _authenticated(request, number) or number is None:
        return _error(401, 20003, "Authenticate")
    if sid != ACCOUNT_SID:
        return _error(404, 20404, f"The requested resource /2010-04-01/Accounts/{sid}/Messages.json was not found")
    body = fields.get("Body", "")
    try:
        to = parse_phone(fields.get("To", ""))
    except BadPhone:
        return _error(400, 21211, "Invalid 'To' Phone Number")
    if not body or len(body) > BODY_LENGTH:
        return _error(400, 21602 if not body else 21617, "The message body is missing or too long")
    callback = fields.get("StatusCallback", "")
    _point_at_brand(number, callback)
    if fault_of(to) is Fault.REJECT:
        return _error(400, 21610, "Attempt to send to unsubscribed recipient")
    message = _resource(f"SM{secrets.token_hex(16)}", number.e164, to, body, at=now())
    cache.set(f"simulated:{message['sid']}", message, KEPT_S)
    if callback:
        schedule_reports(number, to=to, sid=message["sid"], callback=callback, segments=message["num_segments"])
    return JsonResponse(message, status=201)


@require_GET
def fetch_message(request: HttpRequest, sid: str, message_sid: str) -> HttpResponse:
    """Give a message back as Twilio's API does."""
    if carrier_named(Simulator.name) is None:
        raise Http404
    message = cache.get(f"simulated:{message_sid}") if _SID.fullmatch(message_sid) else None
    number = number_called(Simulator.name, message["from"]) if message else None
    if message is None or sid != ACCOUNT_SID:
        return _error(404, 20404, "The requested resource was not found")
    if not _authenticated(request, number):
        return _error(401, 20003, "Authenticate")
    return JsonResponse(message)


def _point_at_brand(number: Number, callback: str) -> None:
    from sms_gateway.webhooks import point_at

    schema = callback.rpartition("message=")[2].partition(".")[0]
    brand = number.brand or brand_with_schema(schema)
    if brand is not None:
        point_at(brand)


def _resource(sid: str, sender: str, to: str, body: str, *, at: datetime) -> dict[str, Any]:
    moment = format_datetime(at, usegmt=False)
    uri = f"/2010-04-01/Accounts/{ACCOUNT_SID}/Messages/{sid}"
    return {
        "account_sid": ACCOUNT_SID,
        "api_version": "2010-04-01",
        "body": body,
        "date_created": moment,
        "date_sent": None,
        "date_updated": moment,
        "direction": "outbound-api",
        "error_code": None,
        "error_message": None,
        "from": sender,
        "messaging_service_sid": None,
        "num_media": "0",
        "num_segments": str(parts_of(body).count),
        "price": None,
        "price_unit": None,
        "sid": sid,
        "status": "queued",
        "subresource_uris": {"media": f"{uri}/Media.json"},
        "to": to,
        "uri": f"{uri}.json",
    }


# --- delivery reports --------------------------------------------------------------------------------------------------


def schedule_reports(number: Number, *, to: str, sid: str, callback: str, segments: str = "1") -> None:
    """Report the delivery of a message in a moment, the way its telephone behaves."""
    from sms_gateway.tasks import push, simulate_reports

    push(simulate_reports, number.e164, to, sid, callback, segments)


def report(e164: str, to: str, sid: str, callback: str, segments: str) -> list[int]:
    """Send the delivery reports of one message to our webhook; return the status of each answer."""
    number = number_called(Simulator.name, e164)
    if number is None:
        return []
    fault = fault_of(to)
    time.sleep(LATE_S if fault is Fault.LATE else STEP_S)
    answers = []
    for status in _statuses(fault):
        fields = {
            "MessageSid": sid,
            "MessageStatus": status,
            "AccountSid": ACCOUNT_SID,
            "From": e164,
            "To": to,
            "NumSegments": segments,
            "ApiVersion": "2010-04-01",
            **({"ErrorCode": UNREACHABLE} if status == "undelivered" else {}),
        }
        answers.append(_post(number, callback, fields))
    return answers


def _statuses(fault: Fault | None) -> list[str]:
    match fault:
        case Fault.FAIL:
            return ["sent", "undelivered"]
        case Fault.TWICE:
            return ["sent", "sent", "delivered", "delivered"]
        case Fault.OUT_OF_ORDER:
            return ["delivered", "sent", "queued"]
        case _:
            return ["sent", "delivered"]


def _post(number: Number, url: str, fields: Mapping[str, str]) -> int:
    """Post to the loopback port of this installation, signed for the address that the carrier was given."""
    path = url.removeprefix(number.base_url)
    try:
        answer = requests.post(
            f"http://127.0.0.1:{settings.PORT}{path}",
            data=dict(fields),
            headers={"X-Twilio-Signature": signature(number, url, fields), "Host": "platform.localhost"},
            timeout=10,
        )
    except requests.RequestException:
        return 0
    return answer.status_code
