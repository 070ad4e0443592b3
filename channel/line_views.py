"""Product lines on the console, and the days of a territory."""

from django.contrib import messages
from django.db.models import Count
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods

from channel import services
from channel.forms import LineForm, TerritoryDaysForm
from channel.models import ProductLine, Territory
from common.clock import now
from common.errors import DomainError
from common.tables import keyset_page
from labels.queries import local_date
from staff.permissions import allowed, staff_view


@staff_view("channel.read")
@require_GET
def lines(request: HttpRequest) -> HttpResponse:
    """List product lines by name, with how many products each has."""
    found = ProductLine.objects.annotate(count=Count("products"))
    context = {
        "page": keyset_page(found, request, order=("name", "id")),
        "may_edit": allowed(request.user, "channel.edit"),
    }
    return render(request, "channel/lines.html", context)


@staff_view("channel.read")
@require_GET
def line(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a product line: what belongs to it, and whose territories are of it alone."""
    found = _line(public_id)
    territories = Territory.objects.filter(line=found).select_related("partner", "region")
    context = {
        "line": found,
        "products": found.products.order_by("name", "pk"),
        "territories": territories.order_by("region__code", "-valid_from", "id")[:500],
        "today": local_date(now()),
        "may_edit": allowed(request.user, "channel.edit"),
    }
    return render(request, "channel/line.html", context)


@staff_view("channel.edit")
@require_http_methods(["GET", "POST"])
def new_line(request: HttpRequest) -> HttpResponse:
    """Make a product line."""
    return _form(request, None)


@staff_view("channel.edit")
@require_http_methods(["GET", "POST"])
def edit_line(request: HttpRequest, public_id: str) -> HttpResponse:
    """Rename a product line, or change what belongs to it."""
    return _form(request, _line(public_id))


def _form(request: HttpRequest, row: ProductLine | None) -> HttpResponse:
    initial = {"name": row.name, "name_zh": row.name_zh, "products": row.products.all()} if row else {}
    form = LineForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            kept = services.keep_line(row, **form.cleaned_data)
        except DomainError as error:
            form.add_error("name", error.detail)
        else:
            messages.success(request, _("The product line is kept."))
            return redirect(f"/console/product-lines/{kept.public_id}")
    context = {"form": form, "line": row, "shown": ProductLine.objects.get(pk=row.pk) if row else None}
    return render(request, "channel/line_form.html", context, status=422 if form.is_bound else 200)


@staff_view("channel.edit")
@require_http_methods(["GET", "POST"])
def territory(request: HttpRequest, public_id: str, pk: int) -> HttpResponse:
    """End a territory, or change its days."""
    found = Territory.objects.select_related("partner", "region", "line")
    row = found.filter(partner__public_id=public_id, pk=pk).first()
    if row is None:
        raise Http404
    initial = {"valid_from": row.valid_from, "valid_to": row.valid_to, "is_shared": row.is_shared}
    form = TerritoryDaysForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.change_territory(row, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("The territory is changed."))
            return redirect(f"/console/partners/{public_id}")
    context = {"form": form, "territory": row}
    return render(request, "channel/territory.html", context, status=422 if form.is_bound else 200)


def _line(public_id: str) -> ProductLine:
    found = ProductLine.objects.filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found
