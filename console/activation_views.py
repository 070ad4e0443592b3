"""Putting labels on sale: by their places, by rolls, or by the cases and pallets that they are in."""

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from console.packs import ActivateForm, asked_pack
from labels import queries, services
from labels.range_views import asked_range, facts_of
from staff.models import User
from staff.permissions import staff_view


@staff_view("labels.activate")
def activation_new(request: HttpRequest) -> HttpResponse:
    """Put labels on sale; above the brand's limit, once another person has approved exactly this."""
    at = now()
    form = ActivateForm(request.POST or None, today=queries.local_date(at), initial=_asked(request))
    if request.method == "POST" and form.is_valid():
        data = {name: form.cleaned_data[name] for name in ("lot", "expires_on", "market", "valid_until", "document")}
        batch, label_ranges = form.cleaned_data["batch"], form.label_ranges()
        what = {"label_ranges": label_ranges, "product": batch.product, "at": at, **data}
        try:
            services.activate_ranges(asked_by=request.user.get_username(), **what)
        except services.NeedsSecondPerson:
            approval = services.request_activation(by=_user(request), **what)
            messages.success(request, _("Another person has to approve this. The request is made."))
            return redirect(f"/console/approvals/{approval.pk}")
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            count = sum(end - first for first, end in label_ranges)
            messages.success(request, _("%(count)s labels are on sale.") % {"count": f"{count:,}"})
            return redirect(f"/console/batches/{batch.public_id}")
    context = {"form": form, **facts_of(form)}
    return render(request, "labels/activate.html", context, status=422 if form.errors else 200)


@staff_view("labels.activate")
@require_POST
def activation_preview(request: HttpRequest) -> HttpResponse:
    """Return the box of counts for the range typed so far."""
    form = ActivateForm(request.POST, today=queries.local_date(now()))
    return render(request, "labels/range_facts.html", {"form": form, "act": "activate", **facts_of(form)})


def _asked(request: HttpRequest) -> dict[str, Any]:
    """Return what the form starts with: the labels and the lot of ``?pack=``, or what `asked_range` finds."""
    pack = asked_pack(request)
    return {**pack.places(), "lot": pack.run.lot} if pack else asked_range(request)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - staff_view let nobody else in
    return request.user
