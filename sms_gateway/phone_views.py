"""/dev/phone: two telephones and their carrier, which drive our own webhooks. Not in production.

The browser posts to the webhooks itself, so that what is shown is what a carrier would get; this server only signs, as
the carrier would, and shows what the gateway keeps about its messages.
"""

import json
import re
from collections.abc import Callable
from dataclasses import asdict
from functools import cache, wraps
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _, pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from brands.phone_numbers import Number, number_called, numbers_for, numbers_of
from common.phone import BadPhone, parse_phone
from sms_gateway.carriers.simulator import ACCOUNT_SID, Simulator
from sms_gateway.models import OutboundMessage
from sms_gateway.queries import Message, messages_to, newest_messages
from sms_gateway.segments import parts_of
from sms_gateway.simulated import Fault, set_fault, signature

SHOWN = 200
EACH = 40
MOST_FIELDS = 20
PHONES = ("+8613800138000", "+8613900139000")
_PATH = re.compile(r"/webhooks/simulator/(sms|status|voice|voice/step)(\?[\x21-\x7e]*)?")

View = Callable[..., HttpResponse]


def only_here(view: View) -> View:
    """Let the page exist only in the demo and in tests: anyone may read it, and it signs for anyone."""

    @never_cache
    @wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if settings.PRODUCTION:
            raise Http404
        return view(request, *args, **kwargs)

    return answer


@require_GET
@only_here
def phone(request: HttpRequest) -> HttpResponse:
    """Show the telephones, and below them the messages sent, newest first, in clear.

    ``to`` narrows these to one number, ``format=json`` is for scripts.
    """
    to = request.GET.get("to", "").strip()
    try:
        messages = messages_to(parse_phone(to))[::-1][:SHOWN] if to else newest_messages(SHOWN)
    except BadPhone:
        messages = []
    if request.GET.get("format") == "json":
        return JsonResponse({"messages": [asdict(message) for message in messages]})
    lines = _lines()
    context = {
        "messages": messages,
        "to": to,
        "phones": PHONES,
        "lines": lines,
        "faults": _fault_names(),
        "tokens": _tokens(),
        "own": {"account": ACCOUNT_SID, "words": _words(), "labels": "/dev/label"},
    }
    return render(request, "sms_gateway/phone.html", context)


@require_POST
@only_here
def sign(request: HttpRequest) -> HttpResponse:
    """Sign a form post to one of our webhooks, as the simulator's carrier does."""
    asked = _json(request)
    path, fields = asked.get("path"), asked.get("fields")
    if (
        not isinstance(path, str)
        or not _PATH.fullmatch(path)
        or not isinstance(fields, dict)
        or not _are_fields(fields)
    ):
        return JsonResponse({"error": _("That cannot be signed.")}, status=400)
    number = next(
        (found for name in ("To", "From") if (found := number_called(Simulator.name, fields.get(name, "")))), None
    )
    if number is None:
        return JsonResponse({"error": _("None of our numbers is named.")}, status=400)
    url = f"{number.base_url}{path}"
    return JsonResponse({"url": url, "signature": signature(number, url, fields)})


@require_POST
@only_here
def kept(request: HttpRequest) -> HttpResponse:
    """Return the newest messages to some telephones, with what the gateway knows about their delivery."""
    numbers = _json(request).get("phones")
    if not isinstance(numbers, list) or len(numbers) > len(PHONES):
        return JsonResponse({"error": _("Name one or two telephones.")}, status=400)
    return JsonResponse({"messages": [_shown(message) for number in numbers for message in _to(number)]})


@require_POST
@only_here
def fault(request: HttpRequest) -> HttpResponse:
    """Let a telephone misbehave, or behave."""
    asked = _json(request)
    try:
        number = parse_phone(str(asked.get("phone", "")))
        wanted = Fault(asked["fault"]) if asked.get("fault") else None
    except (BadPhone, ValueError, TypeError):
        return JsonResponse({"error": _("There is no such telephone or fault.")}, status=400)
    set_fault(number, wanted)
    return JsonResponse({"fault": wanted})


@cache
def _tokens() -> SafeString:
    """Return the design tokens, which are part of other style sheets everywhere else."""
    return mark_safe((Path(settings.BASE_DIR) / "static/src/tokens.css").read_text())  # noqa: S308 - our own file


def _lines() -> list[Number]:
    """Return the numbers that the telephones can reach: the brand's own, then the shared ones."""
    found = {number.e164: number for number in [*numbers_of(connection.tenant), *numbers_for(connection.tenant)]}
    return [number for number in found.values() if number.account.carrier == Simulator.name]


def _to(number: Any) -> list[Message]:
    try:
        return messages_to(parse_phone(str(number)))[-EACH:]
    except BadPhone:
        return []


def _shown(message: Message) -> dict[str, Any]:
    parts = parts_of(message.body)
    state = OutboundMessage.State(message.state)
    return {
        **asdict(message),
        "encoding": parts.encoding,
        "units": parts.units,
        "parts": parts.count,
        "rank": OutboundMessage.RANKS.get(state, 0),
        "purpose_label": message.purpose_label,
        "state_label": message.state_label,
    }


def _json(request: HttpRequest) -> dict[str, Any]:
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _are_fields(fields: dict[Any, Any]) -> bool:
    return len(fields) <= MOST_FIELDS and all(
        isinstance(name, str) and isinstance(value, str) for name, value in fields.items()
    )


def _fault_names() -> list[tuple[str, str]]:
    return [
        ("", _("behaves")),
        (Fault.REJECT.value, _("refuses messages")),
        (Fault.FAIL.value, _("is switched off")),
        (Fault.LATE.value, _("reports late")),
        (Fault.TWICE.value, _("sends and reports twice")),
        (Fault.OUT_OF_ORDER.value, _("reports out of order")),
    ]


def _words() -> dict[str, str]:
    """Return what the page's script says."""
    return {
        "sending": _("sending"),
        "accepted": _("taken by the webhook"),
        "refused": _("refused"),
        "twice": _("sent twice: same answer"),
        "twice_other": _("sent twice: another answer"),
        "part": pgettext("of a message", "part"),
        "parts": pgettext("of a message", "parts"),
        "ready": _("Ready to call"),
        "ringing": _("Calling…"),
        "talking": _("On the line"),
        "ended": _("Call ended"),
        "failed": _("The webhook answered"),
        "press": _("Press keys"),
        "connected": _("Put through to"),
        "silence": _("nothing pressed"),
        "no_label": _("No label is left to hand out."),
        "same": _("the same answer"),
        "other": _("another answer"),
        "replay": _("Replay"),
        "unsigned": _("Replay unsigned"),
        "curl": _("Copy as curl"),
        "copied": _("Copied"),
        "fields": _("Fields"),
        "signature": _("Signature"),
        "answer": _("Answer"),
        "nothing": _("empty"),
        "not_sent": _("not sent"),
    }
