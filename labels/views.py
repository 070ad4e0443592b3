"""The pages of products and batches."""

from django.contrib import messages
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common import jobs
from common.charts import share
from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from labels import queries, services
from labels.codes.forms import FORMS
from labels.forms import OFFERED, ProductForm
from labels.models import Batch, Product, Roll
from staff.permissions import allowed, staff_view

# --- products ------------------------------------------------------------------------------------------------------


@staff_view("labels.read")
def product_list(request: HttpRequest) -> HttpResponse:
    """List the products."""
    state, text = request.GET.get("state", ""), request.GET.get("q", "").strip()[:80].replace("\x00", "")
    found = Product.objects.all()
    if state in {"used", "unused"}:
        found = found.filter(is_active=state == "used")
    if text:
        found = found.filter(
            Q(name__icontains=text) | Q(name_zh__icontains=text) | Q(gtin__contains=text) | Q(sku__icontains=text)
        )
    if wants_csv(request):
        columns: list[Column] = [
            (_("GTIN"), "gtin"),
            (_("Article number"), "sku"),
            (_("Name in English"), "name"),
            (_("Name in Chinese"), "name_zh"),
            (_("Made"), "created_at"),
        ]
        return csv_response(found.order_by("-created_at", "-id"), columns, "products")
    used = Product.objects.filter(is_active=True).count()
    total = Product.objects.count()
    counts = {"used": used, "unused": total - used}
    context = {"page": keyset_page(found, request), "state": state, "q": text, "counts": counts, "total": total}
    return render(request, "labels/products.html", {**context, **_may(request, "labels.product")})


@staff_view("labels.read")
def product_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a product and its batches."""
    product = get_object_or_404(Product, public_id=public_id)
    batches = product.batches.select_related("secret_slot").order_by("-created_at", "-id")[:20]
    context = {
        "product": product,
        "batches": batches,
        "links": product.links.order_by("-is_default", "link_type", "language"),
        **_may(request, "labels.product", "labels.order"),
    }
    return render(request, "labels/product.html", context)


@staff_view("labels.product")
def product_new(request: HttpRequest) -> HttpResponse:
    """Make a product."""
    form = ProductForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            product = services.create_product(**form.cleaned_data, at=now())
        except DomainError as error:
            form.add_error("gtin", error.detail)
        else:
            messages.success(request, _("The product is ready for labels."))
            return redirect(f"/console/products/{product.public_id}")
    return render(request, "labels/product_form.html", {"form": form}, status=422 if form.errors else 200)


@staff_view("labels.product")
def product_edit(request: HttpRequest, public_id: str) -> HttpResponse:
    """Change what a product is called."""
    product = get_object_or_404(Product, public_id=public_id)
    names = ("sku", "name", "name_zh", "description", "description_zh", "is_active")
    form = ProductForm(request.POST or None, product=product, initial={name: getattr(product, name) for name in names})
    if request.method == "POST" and form.is_valid():
        services.change_product(product, **form.cleaned_data)
        messages.success(request, _("The product is changed."))
        return redirect(f"/console/products/{product.public_id}")
    context = {"form": form, "product": product}
    return render(request, "labels/product_form.html", context, status=422 if form.errors else 200)


# --- batches -------------------------------------------------------------------------------------------------------


@staff_view("labels.read")
def batch_list(request: HttpRequest) -> HttpResponse:
    """List the batches."""
    state, text = request.GET.get("state", ""), request.GET.get("q", "").strip()[:80].replace("\x00", "")
    found = Batch.objects.select_related("product", "secret_slot", "job")
    if state in Batch.State.values:
        found = found.filter(state=state)
    if text:
        product = Q(product__name__icontains=text) | Q(product__name_zh__icontains=text)
        found = found.filter(product | Q(number__istartswith=text) | Q(gtin_printed__contains=text))
    if wants_csv(request):
        return csv_response(found.order_by("-created_at", "-id"), _batch_columns(), "batches")
    page = keyset_page(found, request)
    active = queries.active_labels([batch.pk for batch in page.rows])
    rows = [(batch, active.get(batch.pk, 0), share(active.get(batch.pk, 0), batch.count)) for batch in page.rows]
    counts = queries.batches_by_state()
    context = {
        "page": page,
        "rows": rows,
        "state": state,
        "q": text,
        "total": sum(counts.values()),
        "chips": [(name, label, counts[name]) for name, label in Batch.State.choices if counts.get(name)],
    }
    return render(request, "labels/batches.html", {**context, **_may(request, "labels.order")})


def _batch_columns() -> list[Column]:
    return [
        (_("Batch"), "number"),
        (_("Product"), "product"),
        (_("GTIN"), "gtin_printed"),
        (_("Labels"), "count"),
        (_("Code"), "secret_slot"),
        (_("State"), lambda batch: batch.get_state_display()),
        (_("Ordered"), "created_at"),
        (_("Ordered by"), "ordered_by"),
        (_("Activate by"), "activate_by"),
    ]


@staff_view("labels.read")
def batch_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a batch: progress, what its labels are, activations and blocks."""
    batch = _batch(public_id)
    facts = queries.range_facts(*batch.goods)
    form = FORMS[batch.secret_slot.form]
    live = queries.live_labels("secret", form.name, now()).get(batch.secret_slot_id, 0)
    context = {
        "batch": batch,
        "facts": facts,
        "active_width": share(facts.active, batch.count),
        "odds": services.odds(form, live),
        "one_in": round(form.space / live) if live else None,
        "code_name": OFFERED[form.name][0] if form.name in OFFERED else form.name,
        "activations": batch.activations.select_related("product").order_by("-activated_at", "-id")[:50],
        "blocks": batch.blocks.order_by("-opened_at", "-id")[:50],
        "sample": queries.serials_of([batch.label_range.lower]) if batch.state != Batch.State.DRAFT else [],
        "roll_count": batch.rolls.count() if batch.roll_labels else 0,
        "rolls_received": batch.rolls.filter(state=Roll.State.RECEIVED).count() if batch.roll_labels else 0,
        "can_restart": batch.state == Batch.State.DRAFT and (batch.job is None or batch.job.ended),
    }
    may = _may(request, "labels.order", "labels.activate", "labels.block", "labels.void", "printing.request")
    return render(request, "labels/batch.html", {**context, **may})


@staff_view("labels.read")
def batch_progress(request: HttpRequest, public_id: str) -> HttpResponse:
    """Return the progress of generation; once it has ended, ask for the whole page again."""
    batch = _batch(public_id)
    if batch.job is None or batch.job.ended:
        return HttpResponse(headers={"HX-Refresh": "true"})
    return render(request, "labels/batch_progress.html", {"batch": batch, **_may(request, "labels.order")})


@staff_view("labels.order")
@require_POST
def batch_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    """Stop the generation of a draft."""
    batch = _batch(public_id)
    if batch.job is not None:
        jobs.ask_cancel(batch.job.pk, at=now())
    return redirect(f"/console/batches/{public_id}")


@staff_view("labels.order")
@require_POST
def batch_restart(request: HttpRequest, public_id: str) -> HttpResponse:
    """Generate a draft whose job was stopped."""
    try:
        services.restart_generation(_batch(public_id), at=now(), asked_by=request.user.get_username())
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect(f"/console/batches/{public_id}")


def _batch(public_id: str) -> Batch:
    batches: QuerySet[Batch] = Batch.objects.select_related("product", "secret_slot", "serial_slot", "job")
    return get_object_or_404(batches, public_id=public_id)


def _may(request: HttpRequest, *operations: str) -> dict[str, bool]:
    return {f"may_{operation.partition('.')[2]}": allowed(request.user, operation) for operation in operations}
