"""A recall of goods, by what they are packed in, after exact counts of what it would take in."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from channel import recalls
from channel.acts import Item, Paper
from channel.forms import RecallForm
from channel.models import Line, Partner
from channel.reasons import reason_text
from common.clock import now
from common.errors import DomainError
from common.ids import new_public_id
from redemption import batches
from staff.permissions import staff_view


@staff_view("labels.recall")
@require_http_methods(["GET", "POST"])
def recall(request: HttpRequest) -> HttpResponse:
    """Recall units and ranges, once the counts have been shown and the number of labels typed."""
    number = f"RECALL-{now():%y%m%d}-{new_public_id('x')[2:8].upper()}"
    form = RecallForm(request.POST or None, initial={"number": number, "items": request.GET.get("sscc", "")[:18]})
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        data, at = form.cleaned_data, now()
        items = [Item(text) for text in filter(None, map(str.strip, data["items"].splitlines()))]
        typed = request.POST.get("typed")
        try:
            looked = recalls.look_at_recall(items, at=at)
            counts = batches.count(looked.parts)
            if counts.labels and typed == str(counts.labels):
                page = Paper(data["number"].strip(), None, None, at, request.user.get_username(), "", data["reason"])
                answer = recalls.recall(page, items)
                messages.success(request, _("%(count)s labels are recalled.") % {"count": f"{counts.labels:,}"})
                return redirect(f"/console/goods/{answer.document.public_id}")
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            refused = [
                (one.item, reason_text(one.reason)) for one in looked.lines if one.outcome == Line.Outcome.REJECTED
            ]
            context |= {"counts": counts, "wrong": typed is not None, "refused": refused, "held": _held(looked.held)}
            if counts.labels:
                status = 422 if context["wrong"] else 200
                return render(request, "console/recall_goods_confirm.html", context, status=status)
            form.add_error("items", _("None of these lines names labels of this brand."))
    return render(request, "console/recall_goods.html", context, status=422 if form.is_bound else 200)


def _held(counts: dict[int | None, int]) -> list[tuple[Partner | None, int]]:
    """Return who holds how many, the most first; None is the brand."""
    partners = Partner.objects.in_bulk([one for one in counts if one])
    rows = [(partners[who] if who else None, count) for who, count in counts.items()]
    return sorted(rows, key=lambda one: -one[1])
