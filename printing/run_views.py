"""The pages of packs and coupons, and the list of all prints but those of unit labels."""

import uuid
from typing import Any

from django.contrib import messages
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from labels.models import Batch
from printing import runs
from printing.forms import CouponForm, PackForm
from printing.models import Run, Template
from printing.symbols import ProofFailed
from staff import audit
from staff.permissions import allowed, staff_view

_SHOWN = 12


@staff_view("templates.read")
def run_list(request: HttpRequest) -> HttpResponse:
    """List the prints, newest first."""
    kind = request.GET.get("kind", "")
    found = Run.objects.select_related("version__template", "batch__product")
    if kind in Template.Kind.values:
        found = found.filter(kind=kind)
    if wants_csv(request):
        columns: list[Column] = [
            (_("Print"), "public_id"),
            (_("Kind"), lambda row: row.get_kind_display()),
            (_("Template"), lambda row: str(row.version)),
            (_("Pieces"), "count"),
            (_("Batch"), lambda row: row.batch.number if row.batch else ""),
            (_("Asked at"), "created_at"),
            (_("Asked by"), "created_by"),
        ]
        return csv_response(found.order_by("-created_at", "-id"), columns, "prints")
    context = {
        "page": keyset_page(found, request, order=("-created_at", "-id")),
        "kind": kind,
        "kinds": [(value, label) for value, label in Template.Kind.choices if value != "unit"],
        "may_print": allowed(request.user, "templates.print"),
        "has_people": allowed(request.user, "members.export"),
    }
    return render(request, "printing/runs.html", context)


@staff_view("templates.print")
def packs_new(request: HttpRequest) -> HttpResponse:
    """Number packs for the labels of a batch."""
    batch = Batch.objects.filter(public_id=_asked(request, "batch")).first()
    initial: dict[str, Any] = {"per_pack": 24, "first": 1, "order_key": uuid.uuid4().hex}
    if batch is not None:
        initial |= {"batch": batch, "last": batch.count}
    form = PackForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        new = runs.NewPacks(data["batch"], data["first"], data["last"], data["per_pack"], data["lot"])
        try:
            run = runs.order_packs(
                data["template"].newest,
                new,
                order_key=data["order_key"],
                note=data["note"],
                at=now(),
                asked_by=request.user.get_username(),
            )
        except DomainError as error:
            form.add_error("per_pack" if isinstance(error, runs.NotToRun) else None, error.detail)
        else:
            messages.success(request, _("The packs are numbered. Their file is ready."))
            return redirect(f"/console/runs/{run.public_id}")
    context = {"form": form, "prefix": connection.tenant.gs1_prefix}
    return render(request, "printing/packs_new.html", context, status=422 if form.errors else 200)


@staff_view("templates.print")
def coupons_new(request: HttpRequest) -> HttpResponse:
    """Take numbers for coupons."""
    form = CouponForm(request.POST or None, initial={"count": 1_000, "order_key": uuid.uuid4().hex})
    if request.method == "POST" and form.is_valid():
        data = form.cleaned_data
        try:
            run = runs.order_coupons(
                data["template"].newest,
                data["count"],
                order_key=data["order_key"],
                note=data["note"],
                at=now(),
                asked_by=request.user.get_username(),
            )
        except DomainError as error:
            form.add_error("count", error.detail)
        else:
            messages.success(request, _("The coupons have their numbers. Their file is ready."))
            return redirect(f"/console/runs/{run.public_id}")
    return render(request, "printing/coupons_new.html", {"form": form}, status=422 if form.errors else 200)


@staff_view("templates.read")
def run_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a print: what it is of, its numbers, its files."""
    run = _run(public_id)
    is_pack = run.kind in Run.PACKS
    context = {
        "run": run,
        "is_pack": is_pack,
        "packs": [runs.pack_at(run, seq) for seq in range(1, min(run.count, _SHOWN) + 1)] if is_pack else [],
        "more": max(0, run.count - _SHOWN),
        "may_print": allowed(request.user, "templates.print"),
        "may_activate": is_pack and run.cancelled_at is None and allowed(request.user, "labels.activate"),
        "with_zpl": run.kind in {*Run.PACKS, "coupon"},
    }
    return render(request, "printing/run.html", context)


@staff_view("templates.print")
@require_POST
def run_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give up a print: the labels can go into other packs; numbers stay used."""
    run = _run(public_id)
    if request.POST.get("typed", "").strip() != run.public_id:
        messages.error(request, _("That is not the number of this print. Nothing was changed."))
        return redirect(f"/console/runs/{public_id}")
    try:
        runs.cancel(run, at=now())
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The print is cancelled. Its numbers are not given out again."))
    return redirect(f"/console/runs/{public_id}")


@staff_view("templates.print")
def run_pdf(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send the file of packs or coupons, proved."""
    run = _run(public_id)
    if run.kind in {"talker", "card"}:
        return redirect(f"/console/prints-of-people/{public_id}.pdf")
    return file_of(request, run, lambda: runs.pdf(run, runs.records_of(run)), "pdf")


@staff_view("templates.print")
def run_zpl(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send the file for a label printer."""
    run = _run(public_id)
    return file_of(request, run, lambda: runs.zpl_of(run, runs.records_of(run)), "zpl")


def file_of(request: HttpRequest, run: Run, make: Any, kind: str) -> HttpResponse:
    """Send a file of a run; that it was taken is audited. What cannot be made is said on the run's page."""
    try:
        if run.cancelled_at is not None:
            raise runs.NotToRun(_("The print is cancelled."))
        data = make()
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect(f"/console/runs/{run.public_id}")
    except ProofFailed as error:
        messages.error(request, _("The file was made and failed its proof: {fault}.").format(fault=error))
        return redirect(f"/console/runs/{run.public_id}")
    audit.record(
        "export", at=now(), table=Run._meta.db_table, row_id=str(run.pk), facts={"file": kind, "run": run.public_id}
    )
    media = "application/pdf" if kind == "pdf" else "text/plain; charset=utf-8"
    headers = {"Content-Disposition": f'attachment; filename="{run.public_id}.{kind}"', "Cache-Control": "no-store"}
    return HttpResponse(data, content_type=media, headers=headers)


def _run(public_id: str) -> Run:
    found = Run.objects.select_related("version__template", "batch__product", "inside")
    return get_object_or_404(found, public_id=public_id)


def _asked(request: HttpRequest, name: str) -> str:
    return request.GET.get(name, "")[:26].replace("\x00", "")
