"""Where carriers reach us: prove the origin, route by the number called, keep, decide, answer.

    /webhooks/{carrier}/sms | status | voice | voice/step              carriers that sign
    /webhooks/{carrier}/{secret}/sms | status                          carriers that do not

The host says nothing here: a number names its brand, and on a shared number the code does.
"""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.http import Http404, HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _, override
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_http_methods

from brands.models import Brand
from brands.phone_numbers import Directory, Number, brand_of_slot, directory, keep_unrouted, number_called
from common.budgets import Budget
from common.clock import now
from common.errors import DomainError
from common.phone import mask_phone
from sms_gateway import answering, calls, reports
from sms_gateway.answering import Coming, TwinInFlight
from sms_gateway.calls import Asked
from sms_gateway.carriers import carrier_named
from sms_gateway.carriers.base import BadSignature, Carrier, Inbound, Said, Unreadable, sender_of, text_of
from sms_gateway.doors import START
from sms_gateway.inbound import New
from sms_gateway.language import language_of_text
from sms_gateway.reports import reference_of

log = logging.getLogger(__name__)
View = Callable[[HttpRequest, Carrier, Number | None], HttpResponse]
InThread = Callable[..., Awaitable[Any]]
# A shared number answers strangers at the platform's expense.
UNROUTED_ANSWERS = Budget("unrouted", per_hour=3, per_day=10)
AGAIN_AFTER_S = 2
CALL_ENDS = {"completed", "busy", "failed", "no-answer", "canceled"}
KEYS = set("0123456789*#")
MOST_DIGITS = 60
MOST_STEP = 40


def webhook(view: View) -> Callable[..., HttpResponse]:
    """Prove where a request comes from before anything else; refuse with 403, unreadable ones with 400."""

    @csrf_exempt
    @require_http_methods(["GET", "POST"])
    @wraps(view)
    def answer(request: HttpRequest, carrier: str, secret: str = "") -> HttpResponse:
        kind = carrier_named(carrier)
        if kind is None:
            raise Http404
        try:
            adapter, number = _proven(request, kind, secret, directory())
            return view(request, adapter, number)
        except (BadSignature, Unreadable) as error:
            return _refused(error)
        except (TwinInFlight, OperationalError, InterfaceError) as error:
            return _again(error)

    return answer


def _refused(error: BadSignature | Unreadable) -> HttpResponse:
    return HttpResponse(error.code, status=403 if isinstance(error, BadSignature) else 400, content_type="text/plain")


def _again(error: Exception) -> HttpResponse:
    """Ask the carrier to bring it again; whatever the database was in the middle of is given up."""
    if not isinstance(error, TwinInFlight):
        connection.close()
    headers = {"Retry-After": str(AGAIN_AFTER_S)}
    return HttpResponse("try again", status=503, content_type="text/plain", headers=headers)


def _proven(request: HttpRequest, kind: type[Carrier], secret: str, known: Directory) -> tuple[Carrier, Number | None]:
    """Return the adapter of the account that the request comes from, and our number that it names."""
    if kind.signs == bool(secret):
        raise BadSignature
    if secret:
        account = known.account_of_path(kind.name, secret)
        if account is None:
            raise BadSignature
        number = known.number_called(kind.name, kind.called(request))
        adapter = kind(account)
        adapter.authenticate(request, number)
        return adapter, number if number and number.account.id == account.id else None
    number = known.number_called(kind.name, kind.called(request))
    if number is None:
        raise BadSignature
    adapter = kind(number.account)
    adapter.authenticate(request, number)
    return adapter, number


# --- messages in -------------------------------------------------------------------------------------------------------


@webhook
def sms(request: HttpRequest, carrier: Carrier, number: Number | None) -> HttpResponse:
    """Take messages in and answer them."""
    pairs = []
    for message in carrier.parse_inbound(request, at=now()):
        called = number if number and number.e164 == message.to else number_called(carrier.name, message.to)
        pairs.append((message, _answered(carrier, called, message) if called and called.takes_texts else None))
    return carrier.acknowledge(pairs, number)


def _answered(carrier: Carrier, number: Number, message: Inbound) -> Said | None:
    brand = number.brand
    slot = None
    if brand is None:
        slot = _router()(message.body)
        brand = brand_of_slot(*slot) if slot else None
    if brand is None:
        return _unrouted(carrier, number, message, slot)
    point_at(brand)
    said = answering.answer(_new(carrier, number, message), answering.line_of(number), wait_s=carrier.wait_s)
    return _said(said, brand)


def _new(carrier: Carrier, number: Number, message: Inbound) -> New:
    return New(
        carrier=carrier.name,
        message_id=message.message_id,
        number=number.e164,
        sender=message.sender,
        body=message.body,
        received_at=message.received_at,
        at=now(),
        opt_out=message.opt_out,
        inline=carrier.inline,
    )


def _said(said: answering.Said, brand: Brand) -> Said | None:
    return Said(reference_of(said[0], brand.schema_name), said[1]) if said else None


def point_at(brand: Brand) -> None:
    """Point the connection at a brand; each change costs a statement."""
    if connection.tenant is not brand:
        connection.set_tenant(brand)


def _router() -> Callable[[str], tuple[str, int] | None]:
    return import_string(settings.SMS_ROUTER) if settings.SMS_ROUTER else lambda _text: None


def _unrouted(carrier: Carrier, number: Number, message: Inbound, slot: tuple[str, int] | None) -> Said | None:
    """Answer a message that names no brand, without asking any; a few times, since nobody pays for it."""
    connection.set_schema_to_public()
    sender = message.sender or ""
    row, is_new = keep_unrouted(
        carrier=carrier.name,
        message_id=message.message_id,
        number=number.e164,
        sender_masked=mask_phone(sender) if sender else "",
        length=len(message.body),
        slot=slot,
        language=language_of_text(message.body, number.languages[0]),
        answered=bool(sender) and carrier.inline and not message.opt_out and not UNROUTED_ANSWERS.is_empty(sender),
        at=message.received_at,
    )
    if not row.answered:
        return None
    if is_new:
        UNROUTED_ANSWERS.charge(sender)
    with override(row.language):
        text = _("No brand here issued this code. Please send the code under the scratch layer, digit by digit.")
    return Said("", text)


# --- messages in, on an event loop -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class _Brought:
    """A message whose origin is proved, the number that it was sent to, and that number's brand."""

    carrier: Carrier
    number: Number
    brand: Brand
    message: Inbound

    def answer(self, said: answering.Said) -> HttpResponse:
        return self.carrier.acknowledge([(self.message, _said(said, self.brand))], self.number)


async def sms_meanwhile(
    request: HttpRequest, carrier: str, secret: str = "", *, in_thread: InThread
) -> HttpResponse | None:
    """Answer as `sms` does on an event loop, which answers others meanwhile: a message that waits holds no thread.

    None for whatever is not one message to a number of one brand, and for what fails: ask the view, which says why.
    ``in_thread(function, *arguments)`` is awaited for what asks the database: a message that came before, a late answer.
    """
    try:
        brought = _brought(request, carrier, secret)
        if brought is None:
            return None
        new, line = _new(brought.carrier, brought.number, brought.message), answering.line_of(brought.number)
        coming = await answering.take_in(new, line, brought.brand, wait_s=brought.carrier.wait_s)
        return brought.answer(coming.said) if coming.is_decided else await in_thread(_later, brought, coming)
    except (BadSignature, Unreadable) as error:
        return _refused(error)
    except Exception as error:  # whatever it is, the view meets it too, and a message is kept once
        log.warning("a message is left to its view: %s", type(error).__name__)
        return None


def _brought(request: HttpRequest, carrier: str, secret: str) -> _Brought | None:
    kind, known = carrier_named(carrier), directory.at_hand()
    if kind is None or known is None or not settings.COLLECTOR_ENABLED:
        return None
    adapter, number = _proven(request, kind, secret, known)
    if number is None or number.brand is None or not number.takes_texts:
        return None
    messages = adapter.parse_inbound(request, at=now())
    if [message.to for message in messages] != [number.e164]:
        return None
    return _Brought(adapter, number, number.brand, messages[0])


def _later(brought: _Brought, coming: Coming) -> HttpResponse:
    connection.close_if_unusable_or_obsolete()
    try:
        point_at(brought.brand)
        return brought.answer(answering.said_of(coming))
    except (TwinInFlight, OperationalError, InterfaceError) as error:
        return _again(error)


# --- reports -----------------------------------------------------------------------------------------------------------


@webhook
def status(request: HttpRequest, carrier: Carrier, number: Number | None) -> HttpResponse:
    """Take reports in: about a message's delivery, or about the end of a call."""
    if "CallSid" in request.POST:
        return _call_ended(request, carrier, number)
    reports.take_in(carrier, carrier.parse_receipts(request), number, at=now())
    return carrier.acknowledge([], number)


def _call_ended(request: HttpRequest, carrier: Carrier, number: Number | None) -> HttpResponse:
    if number is None or number.brand is None:
        raise Unreadable
    if request.POST.get("CallStatus") in CALL_ENDS:
        point_at(number.brand)
        seconds = request.POST.get("CallDuration", "")
        duration_s = int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 6 else None
        calls.end(carrier.name, text_of(request.POST["CallSid"], 64), duration_s=duration_s, at=now())
    return carrier.acknowledge([], number)


# --- calls -------------------------------------------------------------------------------------------------------------


@webhook
def voice(request: HttpRequest, carrier: Carrier, number: Number | None) -> HttpResponse:
    """Answer a call."""
    return _turn(request, carrier, number, step=START, turn=1, digits=None)


@webhook
def voice_step(request: HttpRequest, carrier: Carrier, number: Number | None) -> HttpResponse:
    """Go on with a call: what the last answer asked for was keyed, or not."""
    turn = request.GET.get("turn", "")
    if not (turn.isascii() and turn.isdigit() and len(turn) < 4):
        raise Unreadable
    digits = request.POST.get("Digits", "")
    if len(digits) > MOST_DIGITS or not set(digits) <= KEYS:
        raise Unreadable
    return _turn(request, carrier, number, step=request.GET.get("step", ""), turn=int(turn), digits=digits)


def _turn(
    request: HttpRequest, carrier: Carrier, number: Number | None, *, step: str, turn: int, digits: str | None
) -> HttpResponse:
    call_id = request.POST.get("CallSid", "")
    if number is None or number.brand is None or not number.takes_calls or not call_id or len(step) > MOST_STEP:
        raise Unreadable
    point_at(number.brand)
    asked = Asked(
        carrier=carrier.name,
        call_id=text_of(call_id, 64),
        number=number.e164,
        caller=sender_of(request.POST.get("From", "")),
        step=text_of(step, MOST_STEP),
        turn=turn,
        digits=digits,
        at=now(),
    )
    try:
        said = calls.answer(asked, answering.line_of(number), step_url=f"/webhooks/{carrier.name}/voice/step")
    except DomainError:
        raise
    except Exception as error:
        # Whatever it was, the turn is open: asked again, it may be answered. The error's text may hold what was keyed.
        log.warning("a call could not be answered: %s", type(error).__name__)
        raise TwinInFlight from error
    return HttpResponse(said, content_type="text/xml; charset=utf-8")
