"""All rolls of all batches: which are at the press, in the warehouse, on sale."""

from typing import Any

from django.db.models import Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _

from common.tables import Column, csv_response, keyset_page, wants_csv
from labels.models import Activation, Roll
from printing.models import Handover, Press
from staff.permissions import allowed, staff_view


@staff_view("labels.read")
def rolls(request: HttpRequest) -> HttpResponse:
    """List the rolls, newest first; by state, press, batch, product, delivery note."""
    state, press = request.GET.get("state", ""), request.GET.get("press", "")[:26].replace("\x00", "")
    text = request.GET.get("q", "").strip()[:60].replace("\x00", "")
    found = Roll.objects.select_related("batch__product")
    if state in Roll.State.values:
        found = found.filter(state=state)
    if press:
        found = found.filter(handovers__print_job__press__public_id=press).distinct()
    if text:
        product = Q(batch__product__name__icontains=text) | Q(batch__product__name_zh__icontains=text)
        found = found.filter(product | Q(batch__number__istartswith=text) | Q(document__icontains=text))
    if wants_csv(request):
        rows = list(found.order_by("-id")[:10_000])
        at_press = _presses(rows)
        columns: list[Column] = [
            (_("Batch"), lambda roll: roll.batch.number),
            (_("Roll"), "number"),
            (_("Product"), lambda roll: roll.batch.product),
            (_("From label"), "first"),
            (_("To label"), "last"),
            (_("State"), lambda roll: roll.get_state_display()),
            (_("Press"), lambda roll: at_press.get(roll.pk, "")),
            (_("Good"), "good"),
            (_("Spoiled"), "spoiled"),
            (_("Missing"), "unaccounted"),
            (_("Read as a sample"), "sampled"),
            (_("Delivery note"), "document"),
            (_("Handed over"), "handed_over_at"),
            (_("Received"), "received_at"),
        ]
        return csv_response(rows, columns, "rolls")
    page = keyset_page(found, request, order=("-id",))
    at_press, on_sale = _presses(page.rows), _on_sale(page.rows)
    counts = {value: Roll.objects.filter(state=value).count() for value in Roll.State.values}
    context: dict[str, Any] = {
        "page": page,
        "rows": [(roll, at_press.get(roll.pk, ""), on_sale.get(roll.pk, 0)) for roll in page.rows],
        "state": state,
        "press": press,
        "q": text,
        "presses": Press.objects.order_by("name"),
        "chips": [(value, label, counts[value]) for value, label in Roll.State.choices if counts[value]],
        "total": sum(counts.values()),
        "may_receive": allowed(request.user, "labels.receive"),
        "may_activate": allowed(request.user, "labels.activate"),
    }
    return render(request, "console/rolls.html", context)


def _presses(rolls: list[Roll]) -> dict[int, str]:
    """Return the name of the press that got the newest file of each roll."""
    copies = Handover.objects.filter(roll__in=rolls).exclude(state=Handover.State.CANCELLED).order_by("id")
    return dict(copies.values_list("roll_id", "print_job__press__name"))


def _on_sale(rolls: list[Roll]) -> dict[int, int]:
    """Return how many labels of each roll are on sale."""
    parts = Activation.objects.filter(batch__in={roll.batch_id for roll in rolls}, cancelled_at=None)
    ranges = list(parts.values_list("batch_id", "label_range"))
    return {
        roll.pk: sum(
            max(0, min(part.upper, roll.label_range.upper) - max(part.lower, roll.label_range.lower))
            for batch_id, part in ranges
            if batch_id == roll.batch_id
        )
        for roll in rolls
    }
