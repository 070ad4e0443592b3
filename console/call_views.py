"""Who is calling now: the card that opens by itself on the consoles of support, and the list of calls."""

from uuid import UUID

from django.contrib import messages
from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_POST

from common.clock import now
from common.errors import NotFound
from common.tables import keyset_page
from console.outcomes import look_of
from redemption import calls
from redemption.calls import BadNote, Card
from redemption.models import CallNote
from redemption.queries import receipts_of_member
from sms_gateway.models import Call
from staff.permissions import staff_view

DISMISSED = "calls_dismissed"
MOST_DISMISSED = 50


@staff_view("calls.answer")
@never_cache
@require_GET
def current(request: HttpRequest) -> HttpResponse:
    """Return the cards of the calls that go on; the page asks every two seconds, and gets nothing where nothing is new."""
    found = _open_calls(request)
    seen = _seen(found)
    if request.GET.get("seen", "") == seen:
        return HttpResponse(status=204)
    return _cards(request, found, seen)


def _open_calls(request: HttpRequest) -> list[Call]:
    """Return the calls that this person has not closed."""
    return list(calls.calls_now(at=now()).exclude(pk__in=request.session.get(DISMISSED, []))[: calls.SHOWN_AT_ONCE])


def _seen(found: list[Call]) -> str:
    """Return by what a page knows whether it shows these calls already: which, which turn, and whether over."""
    return "-".join(f"{call.pk}.{call.turns.count()}.{int(call.ended_at is not None)}" for call in found)


def _cards(request: HttpRequest, found: list[Call], seen: str) -> HttpResponse:
    cards = [_shown(calls.card_of(call)) for call in found]
    context = {"cards": cards, "seen": seen, "kinds": calls.KINDS}
    return render(request, "console/calls_now.html", context)


def _shown(card: Card) -> dict[str, object]:
    redeemed = receipts_of_member(card.member.pk, limit=3)[0] if card.member else []
    return {
        "card": card,
        "heard": [
            (receipt, look_of(receipt.outcome, receipt.earlier.by if receipt.earlier else None))
            for receipt in card.heard
        ],
        "redeemed": redeemed,
    }


@staff_view("calls.answer")
@require_POST
def dismiss(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Close a card on this person's consoles."""
    call = _get(uuid)
    _close(request, call)
    return _again(request)


@staff_view("calls.answer")
@require_POST
def note(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Keep a note about a call, by one click; the card closes."""
    call = _get(uuid)
    try:
        with transaction.atomic():
            calls.note_call(
                call,
                kind=request.POST.get("kind", ""),
                text=request.POST.get("text", ""),
                by=request.user.get_username(),
                at=now(),
            )
    except BadNote as error:
        if request.headers.get("HX-Request"):
            return HttpResponse(status=422)
        messages.error(request, str(error.detail))
        return redirect("console:call", uuid=uuid)
    _close(request, call)
    if request.headers.get("HX-Request"):
        return _again(request)
    messages.success(request, _("The note is kept."))
    return redirect("console:call", uuid=uuid)


def _close(request: HttpRequest, call: Call) -> None:
    kept = [pk for pk in request.session.get(DISMISSED, []) if pk != call.pk]
    request.session[DISMISSED] = [*kept, call.pk][-MOST_DISMISSED:]


def _again(request: HttpRequest) -> HttpResponse:
    found = _open_calls(request)
    return _cards(request, found, _seen(found))


@staff_view("calls.answer")
@require_GET
def call_list(request: HttpRequest) -> HttpResponse:
    """List the calls, newest first, with what was noted."""
    page = keyset_page(Call.objects.all(), request, order=("-started_at", "-id"))
    rows = list(page.rows)
    notes: dict[int, list[CallNote]] = {}
    for kept in CallNote.objects.filter(call_id__in=[call.pk for call in rows]).order_by("pk"):
        notes.setdefault(kept.call_id, []).append(kept)
    context = {
        "page": page,
        "rows": [(call, calls.caller_of(call), calls.member_of(call), notes.get(call.pk, [])) for call in rows],
        "kinds": calls.KINDS,
    }
    return render(request, "console/calls.html", context)


@staff_view("calls.answer")
@require_GET
def call(request: HttpRequest, uuid: UUID) -> HttpResponse:
    """Show one call: its caller, what was told, what was noted."""
    context = {"shown": _shown(calls.card_of(_get(uuid))), "kinds": calls.KINDS}
    return render(request, "console/call.html", context)


def _get(uuid: UUID) -> Call:
    try:
        return calls.call_of(uuid)
    except NotFound:
        raise Http404 from None
