"""The pages of slots: how full each key space is, and how easily a code is guessed. Never key material."""

from dataclasses import dataclass

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.charts import share
from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from labels import queries
from labels.codes.forms import FORMS, Form
from labels.models import Batch, Slot
from labels.services.retiring import close_slot, retire_slot
from labels.services.slots import HARD_MAX_ODDS, max_odds_of_brand, odds
from staff.models import BrandKey
from staff.permissions import allowed, staff_view


@dataclass(frozen=True, slots=True)
class Fill:
    """How full a slot is. ``room``: labels that may live in it; ``one_in`` and ``one_in_full``: guesses to one hit."""

    slot: Slot
    form: Form
    live: int
    batches: int
    room: int
    one_in: int | None
    one_in_full: int
    width: float


def _fills(slots: list[Slot]) -> list[Fill]:
    at, limits = now(), {"secret": max_odds_of_brand(), "serial": HARD_MAX_ODDS}
    live: dict[int, int] = {}
    for purpose, name in {(slot.purpose, slot.form) for slot in slots}:
        live |= queries.live_labels(purpose, name, at)
    found = []
    for slot in slots:
        form, count, limit = FORMS[slot.form], live.get(slot.pk, 0), limits[slot.purpose]
        room = int(limit * form.space)
        one_in = round(1 / odds(form, count)) if count else None
        batches = getattr(slot, "batches", 0)
        found.append(Fill(slot, form, count, batches, room, one_in, round(1 / limit), share(min(count, room), room)))
    return found


def _slots() -> list[Slot]:
    return list(Slot.objects.order_by("purpose", "form", "number", "generation"))


def _counted(slots: list[Slot]) -> list[Slot]:
    counts: dict[int, int] = {}
    for name in ("secret_slot", "serial_slot"):
        counts |= dict(Batch.objects.values_list(name).annotate(Count("pk")))
    for slot in slots:
        slot.batches = counts.get(slot.pk, 0)  # type: ignore[attr-defined]  # read by `_fills`
    return slots


@staff_view("labels.read")
def slot_list(request: HttpRequest) -> HttpResponse:
    """List the slots with their odds."""
    rows = _fills(_counted(_slots()))
    if wants_csv(request):
        columns: list[Column] = [
            (_("Slot"), lambda row: str(row.slot)),
            (_("For"), lambda row: row.slot.get_purpose_display()),
            (_("Symbols"), lambda row: row.form.length),
            (_("Live labels"), "live"),
            (_("Room"), "room"),
            (_("Guesses to one hit, now"), "one_in"),
            (_("Guesses to one hit, full"), "one_in_full"),
            (_("Generation"), lambda row: row.slot.generation),
            (_("State"), lambda row: row.slot.get_state_display()),
        ]
        return csv_response(rows, columns, "slots")
    return render(request, "labels/slots.html", {"rows": rows})


@staff_view("labels.read")
def slot_detail(request: HttpRequest, pk: int) -> HttpResponse:
    """Show one slot: form, room, odds, the version of its root key, its batches."""
    slot = get_object_or_404(Slot, pk=pk)
    batches = Batch.objects.filter(Q(secret_slot=slot) | Q(serial_slot=slot)).select_related("product")
    root = BrandKey.objects.filter(kind=BrandKey.Kind.ROOT, version=slot.root_version).first()
    context = {
        "fill": _fills(_counted([slot]))[0],
        "page": keyset_page(batches, request),
        "root": root,
        "generations": Slot.objects.filter(purpose=slot.purpose, form=slot.form, number=slot.number)
        .exclude(pk=slot.pk)
        .order_by("generation"),
        "may_retire": allowed(request.user, "labels.slot") and not slot.is_test,
    }
    return render(request, "labels/slot.html", context)


@staff_view("labels.slot")
@require_POST
def slot_change(request: HttpRequest, pk: int) -> HttpResponse:
    """Retire an open slot, or close a retired one; its name must be typed."""
    slot = get_object_or_404(Slot, pk=pk)
    if request.POST.get("typed", "").strip() != str(slot):
        messages.error(request, _("That is not the name of this slot."))
        return redirect(f"/console/slots/{pk}")
    try:
        if slot.state == Slot.State.OPEN:
            retire_slot(pk)
            messages.success(request, _("The slot is retired: no order takes it any more."))
        else:
            close_slot(pk, at=now())
            messages.success(request, _("The slot is closed."))
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect(f"/console/slots/{pk}")
