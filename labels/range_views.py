"""The pages of activations and blocks: acts on ranges of labels."""

from typing import Any

from django.contrib import messages
from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from labels import queries, services
from labels.forms import RangeForm
from labels.models import Activation, Batch, Block, Roll
from labels.services.activation import needs_second_person
from staff.models import Approval
from staff.permissions import allowed, staff_view


@staff_view("labels.read")
def activation_list(request: HttpRequest) -> HttpResponse:
    """List the activations, newest first."""
    found = Activation.objects.select_related("batch", "product")
    text = _text(request)
    if text:
        found = found.filter(
            Q(lot__istartswith=text) | Q(batch__number__istartswith=text) | Q(document__icontains=text)
        )
    if wants_csv(request):
        return csv_response(found.order_by("-activated_at", "-id"), _activation_columns(), "activations")
    page = keyset_page(found, request, order=("-activated_at", "-id"))
    return render(request, "labels/activations.html", {"page": page, "q": text, **_tabs(request, "activations")})


@staff_view("labels.read")
def block_list(request: HttpRequest) -> HttpResponse:
    """List the blocks, newest first."""
    found = Block.objects.select_related("batch")
    text, reason = _text(request), request.GET.get("reason", "")
    if text:
        found = found.filter(Q(batch__number__istartswith=text) | Q(note__icontains=text))
    if reason in Block.Reason.values:
        found = found.filter(reason=reason)
    if wants_csv(request):
        return csv_response(found.order_by("-opened_at", "-id"), _block_columns(), "blocks")
    page = keyset_page(found, request, order=("-opened_at", "-id"))
    context = {"page": page, "q": text, "reason": reason, "reasons": Block.Reason.choices}
    return render(request, "labels/blocks.html", {**context, **_tabs(request, "blocks")})


def _text(request: HttpRequest) -> str:
    return request.GET.get("q", "").strip()[:60].replace("\x00", "")


def _tabs(request: HttpRequest, tab: str) -> dict[str, Any]:
    return {
        "tab": tab,
        "activation_count": Activation.objects.count(),
        "block_count": Block.objects.count(),
        "may_activate": allowed(request.user, "labels.activate"),
        "may_block": allowed(request.user, "labels.block"),
    }


def _activation_columns() -> list[Column]:
    return [
        (_("Batch"), lambda row: row.batch.number),
        (_("From label"), "first"),
        (_("To label"), "last"),
        (_("Product"), "product"),
        (_("Lot"), "lot"),
        (_("Market"), "market"),
        (_("Best before"), "expires_on"),
        (_("Codes earn until"), "valid_until"),
        (_("Document"), "document"),
        (_("Activated"), "activated_at"),
        (_("Activated by"), "activated_by"),
        (_("Cancelled"), "cancelled_at"),
    ]


def _block_columns() -> list[Column]:
    return [
        (_("Batch"), lambda row: row.batch.number),
        (_("From label"), "first"),
        (_("To label"), "last"),
        (_("Reason"), lambda row: row.get_reason_display()),
        (_("Note"), "note"),
        (_("Blocked"), "opened_at"),
        (_("Blocked by"), "opened_by"),
        (_("Lifted"), "lifted_at"),
    ]


@staff_view("labels.activate")
@require_POST
def activation_cancel(request: HttpRequest, pk: int) -> HttpResponse:
    """Take an activation back."""
    activation = get_object_or_404(Activation, pk=pk)
    services.cancel_activation(activation, at=now(), asked_by=request.user.get_username())
    messages.success(request, _("The activation is cancelled: its labels are not on sale any more."))
    return redirect(f"/console/batches/{activation.batch.public_id}")


@staff_view("labels.block")
@require_POST
def block_lift(request: HttpRequest, pk: int) -> HttpResponse:
    """Lift a reversible block."""
    block = get_object_or_404(Block, pk=pk)
    try:
        services.lift(block, at=now(), asked_by=request.user.get_username())
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The block is lifted."))
    return redirect(f"/console/batches/{block.batch.public_id}")


def asked_range(request: HttpRequest) -> dict[str, Any]:
    """Return the initial range: of ``?rolls=`` of a batch, of ``?batch=``, ``?roll=``, or of label numbers."""
    approval_id = request.GET.get("approval", "")
    if approval_id.isascii() and approval_id.isdecimal() and len(approval_id) < 18:
        return _approved(Approval.objects.filter(pk=approval_id, kind=services.ACTIVATE_ACT).first())
    roll_id = request.GET.get("roll", "")
    if roll_id.isascii() and roll_id.isdecimal() and len(roll_id) < 18:
        roll = Roll.objects.select_related("batch").filter(pk=roll_id).first()
        return {"batch": roll.batch.public_id, "first": roll.first, "last": roll.last} if roll else {}
    batch = Batch.objects.filter(public_id=request.GET.get("batch", "")[:26].replace("\x00", "")).first()
    if batch is not None:
        rolls = [text for text in request.GET.getlist("rolls")[:2_000] if text.isascii() and text.isdecimal()]
        if rolls:
            return {"batch": batch.public_id, "rolls": ", ".join(rolls)}
        return {"batch": batch.public_id, "first": 1, "last": batch.count}
    texts = [request.GET.get(name, "") for name in ("first", "last")]
    if not all(text.isascii() and text.isdecimal() and len(text) <= 14 for text in texts):
        return {}
    first, last = map(int, texts)
    batch = Batch.objects.filter(label_range__contains=first).first()
    if batch is None:
        return {}
    start = batch.label_range.lower
    return {"batch": batch.public_id, "first": first - start + 1, "last": last - start + 1}


def _approved(approval: Approval | None) -> dict[str, Any]:
    """Return the form as it was when a second person was asked, where it named one range."""
    if approval is None:
        return {}
    number, _colon, places = str(approval.payload["labels"]).partition(": ")
    batch = Batch.objects.filter(number=number).first()
    first, _dash, last = places.partition("-")
    if batch is None or not last.isdecimal():
        return {}
    told = {name: approval.payload.get(name) for name in ("lot", "expires_on", "market", "valid_until", "document")}
    return {"batch": batch.public_id, "first": int(first), "last": int(last), **told}


def facts_of(form: RangeForm) -> dict[str, Any]:
    """Return the counts of the labels that the form names, as it stands; ``ranges`` are they."""
    if form.is_bound:
        form.is_valid()
        ranges, batch = form.label_ranges(), form.cleaned_data.get("batch")
        reason = form.cleaned_data.get("reason", "")
    else:
        batch = Batch.objects.filter(public_id=form.initial.get("batch", "")).first()
        reason = form.initial.get("reason", "")
        start = batch.label_range.lower if batch else 0
        has_places = batch is not None and "first" in form.initial
        ranges = [(start + form.initial["first"] - 1, start + form.initial["last"])] if has_places else []
        if batch is not None and "rolls" in form.initial:
            numbers = [int(text) for text in form.initial["rolls"].split(", ") if len(text) < 7]
            parts = batch.rolls.filter(number__in=numbers).values_list("label_range", flat=True)
            ranges = services.merged([(int(part.lower), int(part.upper)) for part in parts])
    if not ranges:
        return {"facts": None, "reason": reason, "ranges": []}
    return {
        "facts": queries.facts_of_ranges(ranges),
        "ranges": ranges,
        "batch": batch or Batch.objects.filter(label_range__contains=ranges[0][0]).first(),
        "reason": reason,
        "is_final": reason in Block.FINAL,
        "spares": reason in Block.VOIDING,
        "needs_second": needs_second_person(ranges),
    }
