"""Acts on many labels that must say how many were redeemed: recalls, voiding, closing, binding anew."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from common.tables import csv_response, keyset_page, wants_csv
from console.range_forms import RebindForm, RecallForm
from labels import recalls
from labels.models import Batch, Recall
from labels.queries import local_date, range_facts, serials_of
from redemption import batches, holders
from redemption.models import Redemption
from staff.models import User
from staff.permissions import allowed, staff_view

# --- recalls -------------------------------------------------------------------------------------------------------


@staff_view("labels.read")
def recall_list(request: HttpRequest) -> HttpResponse:
    """List the recalls, newest first."""
    found = Recall.objects.select_related("product")
    if wants_csv(request):
        columns: list[Any] = [
            (_("Product"), lambda row: row.product or ""),
            (_("Lot"), "lot"),
            (_("Labels"), "labels"),
            (_("Note"), "note"),
            (_("Recalled"), "opened_at"),
            (_("Recalled by"), "opened_by"),
            (_("Lifted"), "lifted_at"),
        ]
        return csv_response(found.order_by("-opened_at", "-id"), columns, "recalls")
    page = keyset_page(found, request, order=("-opened_at", "-id"))
    rows = [(row, _of(row)) for row in page.rows]
    context = {"page": page, "rows": rows, "may_recall": allowed(request.user, "labels.recall")}
    return render(request, "console/recalls.html", context)


def _of(row: Recall) -> str:
    if row.label_range is None:
        return ""
    batch = Batch.objects.filter(label_range__contains=row.label_range.lower).first()
    if batch is None:
        return ""
    first = batch.label_range.lower
    return f"{batch.number} · {row.label_range.lower - first + 1:,} – {row.label_range.upper - first:,}"


@staff_view("labels.read")
def recall(request: HttpRequest, pk: int) -> HttpResponse:
    """Show a recall with the labels redeemed in it."""
    row = get_object_or_404(Recall.objects.select_related("product"), pk=pk)
    parts = [(one.label_range.lower, one.label_range.upper) for one in row.blocks.all()]
    context = {
        "recall": row,
        "of": _of(row),
        "counts": batches.count(parts),
        "sums": holders.sums(parts),
        "partners": holders.partners(parts)[:20],
        "may_see_holders": allowed(request.user, "members.read"),
        "blocks": row.blocks.select_related("batch").order_by("batch_id", "label_range")[:200],
        "may_recall": allowed(request.user, "labels.recall"),
    }
    return render(request, "console/recall.html", context)


@staff_view("members.read")
@never_cache
def recall_holders(request: HttpRequest, pk: int) -> HttpResponse:
    """List who redeemed labels of a recall, so that they can be told; the list is audited when it leaves as a file."""
    row = get_object_or_404(Recall.objects.select_related("product"), pk=pk)
    found = holders.redemptions_of([(one.label_range.lower, one.label_range.upper) for one in row.blocks.all()])
    if wants_csv(request):
        rows = _with_serials(list(found.order_by("label_no")[:10_000]))
        columns: list[Any] = [
            (_("Serial"), lambda one: one[1]),
            (_("Redeemed"), lambda one: one[0].at),
            (_("Member"), lambda one: one[0].member.public_id if one[0].member else ""),
            (_("Telephone"), lambda one: one[0].member.masked_phone if one[0].member else ""),
            (_("Retailer"), lambda one: one[0].retailer or ""),
            (_("Promoter"), lambda one: one[0].promoter or ""),
        ]
        return csv_response(rows, columns, f"recall-{pk}-holders")
    page = keyset_page(found, request, order=("label_no",))
    return render(
        request, "console/recall_holders.html", {"recall": row, "page": page, "rows": _with_serials(page.rows)}
    )


def _with_serials(rows: list[Redemption]) -> list[tuple[holders.Holder, str]]:
    serials = serials_of([row.pk for row in rows]) if rows else []
    return list(zip(holders.holders(rows), serials, strict=True))


@staff_view("labels.recall")
def recall_new(request: HttpRequest) -> HttpResponse:
    """Recall, after the exact counts have been shown and the number of labels typed."""
    form = RecallForm(request.POST or None)
    context: dict[str, Any] = {"form": form}
    if request.method == "POST" and form.is_valid():
        scope = form.scope()
        assert scope is not None  # noqa: S101 - the form is valid
        counts = batches.count(scope.parts())
        typed = request.POST.get("typed")
        context |= {"counts": counts, "wrong": typed is not None and typed != str(counts.labels)}
        if typed == str(counts.labels):
            try:
                row = recalls.recall(
                    scope, at=now(), note=form.cleaned_data["note"], asked_by=request.user.get_username()
                )
            except DomainError as error:
                form.add_error(None, error.detail)
            else:
                messages.success(request, _("%(count)s labels are recalled.") % {"count": f"{row.labels:,}"})
                return redirect(f"/console/recalls/{row.pk}")
        elif not counts.labels:
            form.add_error(None, _("No label on sale is of that product, lot or range."))
        else:
            return render(request, "console/recall_confirm.html", context, status=422 if context["wrong"] else 200)
    return render(request, "console/recall_form.html", context, status=422 if form.errors else 200)


@staff_view("labels.recall")
@require_POST
def recall_lift(request: HttpRequest, pk: int) -> HttpResponse:
    """End a recall."""
    row = get_object_or_404(Recall, pk=pk)
    recalls.lift_recall(row, at=now(), asked_by=request.user.get_username())
    messages.success(request, _("The recall has ended: its labels are as they were before."))
    return redirect(f"/console/recalls/{pk}")


# --- voiding and closing a batch -------------------------------------------------------------------------------------

_ACTS: dict[str, tuple[str, Callable[..., Batch]]] = {
    "void": (batches.VOID_ACT, batches.void_batch),
    "close": (batches.CLOSE_ACT, batches.close_batch),
}


@staff_view("labels.void")
def batch_end(request: HttpRequest, public_id: str, act: str) -> HttpResponse:
    """Ask for a second person's word on voiding or closing a batch; once approved, do it."""
    batch = get_object_or_404(Batch.objects.select_related("product"), public_id=public_id)
    kind, end = _ACTS[act]
    asked = batches.open_request(kind, batch, at=now())
    error, reason = "", request.POST.get("reason", "").replace("\x00", "")
    if request.method == "POST":
        try:
            if asked is not None and asked.approved:
                if request.POST.get("typed") == batch.number:
                    end(asked.pk, at=now(), asked_by=request.user.get_username())
                    messages.success(request, _("Batch %(number)s is over.") % {"number": batch.number})
                    return redirect(f"/console/batches/{public_id}")
                error = _("That is not the number of this batch.")
            elif asked is None:
                approval = batches.request(kind, batch, reason=reason, by=_user(request), at=now())
                messages.success(request, _("Another person has to approve this. The request is made."))
                return redirect(f"/console/approvals/{approval.pk}")
        except DomainError as refused:
            error = refused.detail
    counts = batches.count([batch.goods])
    facts = range_facts(*batch.goods)
    context = {"batch": batch, "act": act, "asked": asked, "counts": counts, "facts": facts, "reason": reason}
    return render(request, "console/batch_end.html", {**context, "error": error}, status=422 if error else 200)


# --- binding anew --------------------------------------------------------------------------------------------------


@staff_view("labels.activate")
def rebind(request: HttpRequest) -> HttpResponse:
    """Bind labels on sale to another lot, date or market, as long as none is redeemed."""
    at = now()
    asked = Batch.objects.filter(public_id=request.GET.get("batch", "")[:26].replace("\x00", "")).first()
    form = RebindForm(request.POST or None, today=local_date(at), initial={"batch": asked.public_id if asked else None})
    if request.method == "POST" and form.is_valid():
        names = ("lot", "expires_on", "market", "valid_until", "document")
        batch, label_range = form.cleaned_data["batch"], form.label_range()
        assert label_range is not None  # noqa: S101 - the form is valid
        try:
            batches.rebind(
                label_range=label_range,
                product=batch.product,
                at=at,
                asked_by=request.user.get_username(),
                **{name: form.cleaned_data[name] for name in names},
            )
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            count = label_range[1] - label_range[0]
            messages.success(request, _("%(count)s labels are bound anew.") % {"count": f"{count:,}"})
            return redirect(f"/console/batches/{batch.public_id}")
    return render(request, "console/rebind.html", {"form": form}, status=422 if form.errors else 200)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - staff_view let nobody else in
    return request.user
