"""Blocking labels, with what is there already: counts, redemptions and earlier blocks, before anything is done."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from console.packs import BlockForm, asked_pack
from labels import services
from labels.models import Block
from labels.range_views import asked_range, facts_of
from redemption import batches
from staff.permissions import staff_view


@staff_view("labels.block")
def block_new(request: HttpRequest) -> HttpResponse:
    """Block labels. A final reason asks for the batch's number first, beside the exact counts."""
    pack = asked_pack(request)
    asked = pack.places() if pack else asked_range(request)
    form = BlockForm(request.POST or None, initial={"reason": Block.Reason.LOST, **asked})
    if request.method == "POST" and form.is_valid():
        batch, label_ranges = form.batch_of(), form.label_ranges()
        assert batch is not None  # noqa: S101 - the form is valid
        typed = request.POST.get("typed")
        if form.cleaned_data["reason"] in Block.FINAL and typed != batch.number:
            context = {"form": form, "wrong": typed is not None, **_touched(form)}
            return render(request, "labels/block_confirm.html", context, status=422 if typed is not None else 200)
        data = {name: form.cleaned_data[name] for name in ("reason", "spares_redeemed", "note")}
        try:
            services.block_ranges(label_ranges=label_ranges, at=now(), asked_by=request.user.get_username(), **data)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            count = sum(end - first for first, end in label_ranges)
            messages.success(request, _("%(count)s labels are blocked.") % {"count": f"{count:,}"})
            return redirect(f"/console/batches/{batch.public_id}")
    return render(
        request, "labels/block_form.html", {"form": form, **_touched(form)}, status=422 if form.errors else 200
    )


@staff_view("labels.block")
@require_POST
def block_preview(request: HttpRequest) -> HttpResponse:
    """Return the box of counts for the labels and reason typed so far."""
    form = BlockForm(request.POST)
    return render(request, "labels/range_facts.html", {"form": form, "act": "block", **_touched(form)})


def _touched(form: BlockForm) -> dict[str, Any]:
    """Return the exact counts, among them what was redeemed and would be paid back to nobody, and earlier blocks."""
    context = facts_of(form)
    if context["facts"] is None:
        return context
    ranges = context["ranges"]
    open_ones = Block.objects.filter(batch=context["batch"], lifted_at=None).order_by("-id")
    earlier = [
        one
        for one in open_ones[:200]
        if any(one.label_range.lower < end and first < one.label_range.upper for first, end in ranges)
    ]
    return context | {"counts": batches.count(ranges), "earlier": earlier[:10]}
