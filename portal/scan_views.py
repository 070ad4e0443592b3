"""Continuous scanning: the pages, what a line would become, and the documents that devices send, each once."""

import re
from typing import Any

from csp.decorators import csp_update
from django.http import HttpResponse, JsonResponse
from django.middleware.csrf import get_token
from django.templatetags.static import static
from django.utils.translation import gettext as _, pgettext
from django.views.decorators.http import require_POST, require_safe
from pydantic import ValidationError

from channel.papers import InProgress
from common.clock import now
from common.errors import Conflict, DomainError, Forbidden, NotFound
from portal import acts, stock, told
from portal.door import PortalRequest, page, portal_view
from portal.schemas import DocumentIn

KEY = re.compile(r"[A-Za-z0-9_-]{16,64}")
# What the scan pages' reader needs, and no other page has.
WASM: Any = csp_update({"script-src": ["'wasm-unsafe-eval'"]})


@portal_view("portal.move")
@WASM
@require_safe
def ship(request: PortalRequest) -> HttpResponse:
    """Scan what leaves for a partner below."""
    partners = acts.destinations(request.partner)
    choices = [(one.number, f"{one.display_name} ({one.get_kind_display()})") for one in partners]
    return _scan_page(request, "ship", _("Ship out"), to_label=pgettext("portal", "To"), choices=choices)


@portal_view("portal.move")
@WASM
@require_safe
def receive(request: PortalRequest) -> HttpResponse:
    """Scan what has arrived, against what was sent."""
    expected = [stock.as_json(one) for one in stock.expected(request.partner)]
    choices = [(one["id"], one["name"]) for one in expected]
    return _scan_page(request, "receive", _("Receive"), to_label=_("Shipment"), choices=choices, expected=expected)


@portal_view("portal.move")
@WASM
@require_safe
def give_back(request: PortalRequest) -> HttpResponse:
    """Scan what goes back."""
    above = request.partner.parent
    choices = [("", request.tenant.display_name)]  # type: ignore[attr-defined]
    if above is not None and above.state == above.State.ACTIVE:
        choices.insert(0, (above.number, above.display_name))
    return _scan_page(
        request, "return", pgettext("goods", "Return"), to_label=pgettext("portal", "To"), choices=choices
    )


def _scan_page(
    request: PortalRequest,
    act: str,
    title: str,
    *,
    to_label: str,
    choices: list[tuple[str, str]],
    expected: list[dict[str, Any]] | None = None,
) -> HttpResponse:
    settings = {
        "act": act,
        "partner": request.partner.public_id,
        "expected": expected or [],
        "reader": static("build/zxing-reader.js"),
        "wasm": static("build/zxing-reader.wasm"),
        "words": _words(act),
    }
    wanted = request.GET.get("shipment", "")
    context: dict[str, Any] = {"act": act, "title": title, "to_label": to_label, "choices": choices, "wanted": wanted}
    return page(request, "scan.html", scan=settings, **context)


def _words(act: str) -> dict[str, str]:
    """Return what the page's script says; {n} and the like are filled in there."""
    finish = {"ship": _("Send {n}"), "receive": _("Confirm {n}"), "return": _("Give back {n}")}[act]
    return {
        "case": told.kind_word("case"),
        "pallet": told.kind_word("pallet"),
        "inner": told.kind_word("inner"),
        "label": told.kind_word("label"),
        "items": _("{n} items"),
        "pack": _("package"),
        "packs": _("packages"),
        "scanned": _("Scanned: {what}"),
        "twice": _("You have scanned this just now. It is counted once."),
        "duplicate": _("twice"),
        "refused": _("not taken"),
        "waiting": _("will be checked once there is a connection"),
        "unread": _("This is no number of a case or a label."),
        "remove": _("Remove {what}"),
        "finish": finish,
        "empty": _("Scan or type the first one."),
        "kept": _("Kept on this device. It is sent as soon as there is a connection."),
        "damaged": _("damaged"),
        "full": _("in good order"),
        "extra": _("Take in as extra"),
        "missing": _("{n} of this shipment are not scanned. Report them as missing"),
        "camera": _("No camera can be used here. Type the number, or use a scanner that types."),
        "loading": _("Starting the camera …"),
        "on": _("Sound is on"),
        "off": _("Sound is off"),
    }


# --- what devices ask ------------------------------------------------------------------------------------------------


@portal_view("portal.read")
@require_safe
def session(request: PortalRequest) -> HttpResponse:
    """Tell a page that may come from the device's own store who is signed in, and give it a token for forms."""
    return JsonResponse({"partner": request.partner.public_id, "csrf": get_token(request)})


@portal_view("portal.move")
@require_POST
def look(request: PortalRequest) -> HttpResponse:
    """Say what would become of lines."""
    try:
        new = DocumentIn.model_validate_json(request.body).read()
        lines = acts.look(request.partner, new, at=now())
    except ValidationError as error:
        return _unreadable(error)
    except DomainError as error:
        return _refused(error)
    return JsonResponse({"lines": told.as_json(told.told(lines, act=new.act))})


def record(request: PortalRequest) -> HttpResponse:
    """Record a document that a device sends, once for its key."""
    key = request.headers.get("Idempotency-Key", "")
    if not KEY.fullmatch(key):
        return JsonResponse({"code": "key_missing", "said": _("The document has no key of its own.")}, status=400)
    try:
        new = DocumentIn.model_validate_json(request.body).read()
        answer = acts.record(request.partner, new, key=key, at=now(), by=request.user.get_username())
    except ValidationError as error:
        return _unreadable(error)
    except DomainError as error:
        return _refused(error)
    lines = told.told(answer.lines, act=new.act)
    document = answer.document
    return JsonResponse(
        {
            "status": document.status,
            "url": f"/portal/documents/{document.public_id}",
            "accepted": document.accepted,
            "rejected": document.rejected,
            "labels": document.labels,
            "said": stock.summary(document),
            "lines": told.as_json([line for line in lines if line.look != "ok"]),
        },
        status=201,
    )


def _refused(error: DomainError) -> JsonResponse:
    """Answer an error of a service; a document being worked on is sent again by itself."""
    kinds: tuple[tuple[type[DomainError], int], ...] = (
        (InProgress, 503),
        (NotFound, 404),
        (Conflict, 409),
        (Forbidden, 403),
    )
    status = next((status for kind, status in kinds if isinstance(error, kind)), 422)
    return JsonResponse({"code": error.code, "said": str(error.detail)}, status=status)


def _unreadable(error: ValidationError) -> JsonResponse:
    faults = [{"at": list(fault["loc"]), "message": fault["msg"]} for fault in error.errors(include_url=False)]
    said = _("The document does not have the shape that is asked for.")
    return JsonResponse({"code": "invalid", "said": said, "errors": faults[:20]}, status=422)
