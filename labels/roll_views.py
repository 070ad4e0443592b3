"""The pages of rolls: which there are, and the receipt of one in the warehouse."""

from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _

from brands.models import Brand
from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from labels import rolls
from labels.forms import ReceiveForm
from labels.models import Batch, Roll
from staff.permissions import allowed, staff_view


@staff_view("labels.read")
def roll_list(request: HttpRequest, public_id: str) -> HttpResponse:
    """List the rolls of a batch."""
    batch = get_object_or_404(Batch.objects.select_related("product"), public_id=public_id)
    state = request.GET.get("state", "")
    found = batch.rolls.select_related("batch")
    if state in Roll.State.values:
        found = found.filter(state=state)
    if wants_csv(request):
        columns: list[Column] = [
            (_("Roll"), "number"),
            (_("From label"), "first"),
            (_("To label"), "last"),
            (_("State"), lambda roll: roll.get_state_display()),
            (_("Lines"), "lines"),
            (_("Good"), "good"),
            (_("Spoiled"), "spoiled"),
            (_("Missing"), "unaccounted"),
            (_("Set-up strips"), "set_up"),
            (_("Delivery note"), "document"),
            (_("Received"), "received_at"),
        ]
        return csv_response(found.order_by("number"), columns, f"rolls-{batch.number}")
    counts = {value: batch.rolls.filter(state=value).count() for value in Roll.State.values}
    context = {
        "batch": batch,
        "page": keyset_page(found, request, order=("number", "id")),
        "state": state,
        "chips": [(value, label, counts[value]) for value, label in Roll.State.choices if counts[value]],
        "total": sum(counts.values()),
        "needs_receipt": connection.tenant.activation_requires == Brand.ActivationRequires.RECEIVED,
        "may_receive": allowed(request.user, "labels.receive"),
        "may_activate": allowed(request.user, "labels.activate"),
    }
    return render(request, "labels/rolls.html", context)


@staff_view("labels.receive")
def roll_receive(request: HttpRequest, pk: int) -> HttpResponse:
    """Take a roll into the warehouse with its counts."""
    roll = get_object_or_404(Roll.objects.select_related("batch__product"), pk=pk)
    form = ReceiveForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            rolls.receive(roll.pk, **form.cleaned_data, at=now(), asked_by=request.user.get_username())
        except DomainError as error:
            form.add_error(_field_of(error), error.detail)
        else:
            messages.success(request, _("Roll %(roll)s is received.") % {"roll": roll})
            return redirect(f"/console/batches/{roll.batch.public_id}/rolls")
    context = {"roll": roll, "form": form, "first_line": roll.head + 1, "last_line": roll.head + roll.count}
    return render(request, "labels/roll_receive.html", context, status=422 if form.errors else 200)


def _field_of(error: DomainError) -> str | None:
    return {"counts_do_not_agree": "good", "not_of_this_roll": "samples"}.get(error.code)
