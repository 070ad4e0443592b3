"""Partners on the console."""

from django.contrib import messages
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channel import services
from channel.forms import ChangeForm, NewForm
from channel.models import Partner
from channel.qr import qr_path
from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from labels.queries import local_date
from ledger import queries as ledger
from ledger.models import Kind
from staff.permissions import allowed, staff_view


@staff_view("channel.read")
@require_GET
def partners(request: HttpRequest) -> HttpResponse:
    """List the partners, newest first, by kind and by what is typed."""
    kind, text = request.GET.get("kind", ""), request.GET.get("q", "").strip().replace("\x00", "")[:80]
    found = Partner.objects.select_related("account")
    if kind in Partner.Kind.values:
        found = found.filter(kind=kind)
    if text:
        found = found.filter(Q(number__istartswith=text) | Q(name__icontains=text) | Q(name_zh__icontains=text))
    if wants_csv(request):
        columns: list[Column] = [
            (_("Number"), "number"),
            (_("Name"), "display_name"),
            (_("Kind"), lambda row: row.get_kind_display()),
            (_("Region"), "display_region"),
            (_("State"), lambda row: row.get_state_display()),
            (_("Points"), lambda row: row.account.posted),
            (_("Partner since"), "created_at"),
        ]
        return csv_response(found.order_by("-created_at", "-id"), columns, "partners")
    context = {
        "page": keyset_page(found, request),
        "kind": kind,
        "kinds": Partner.Kind.choices,
        "q": text,
        "may_edit": allowed(request.user, "channel.edit"),
    }
    return render(request, "channel/partners.html", context)


@staff_view("channel.edit")
@require_http_methods(["GET", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Take on a partner."""
    form = NewForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        partner = services.create_partner(**form.cleaned_data, at=now())
        messages.success(request, _("The partner is taken on. The number is %(number)s.") % {"number": partner.number})
        return redirect(f"/console/partners/{partner.public_id}")
    return render(request, "channel/new.html", {"form": form}, status=422 if form.is_bound else 200)


@staff_view("channel.read")
@require_GET
def partner(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one partner: number, QR code, and what it earned."""
    found = _get(public_id)
    url = _url(request, found)
    size, path = qr_path(url)
    context = {
        "partner": found,
        "url": url,
        "size": size,
        "path": path,
        "lines": [(line, Kind(line.kind).label) for line in ledger.statement(found.account_id, limit=20).lines],
        "may_edit": allowed(request.user, "channel.edit"),
        "territories": found.territories.select_related("region", "line").order_by("-valid_from", "id"),
        "today": local_date(now()),
        "contracts": found.contracts.order_by("-valid_from", "id"),
    }
    return render(request, "channel/partner.html", context)


@staff_view("channel.read")
@require_GET
def qr(request: HttpRequest, public_id: str) -> HttpResponse:
    """Hand out the QR code as a file for print."""
    found = _get(public_id)
    size, path = qr_path(_url(request, found))
    image = render_to_string("channel/qr.svg", {"size": size, "path": path, "title": found.number})
    answer = HttpResponse(image, content_type="image/svg+xml")
    answer["Content-Disposition"] = f'attachment; filename="{found.number}.svg"'
    return answer


@staff_view("channel.edit")
@require_http_methods(["GET", "POST"])
def edit(request: HttpRequest, public_id: str) -> HttpResponse:
    """Change names and region."""
    found = _get(public_id)
    initial = {
        "name": found.name,
        "name_zh": found.name_zh,
        "region": found.region,
        "parent": found.parent.number if found.parent else "",
        "gln": found.gln,
        "sells_online": found.sells_online,
    }
    form = ChangeForm(request.POST or None, initial=initial)
    if request.method == "POST" and form.is_valid():
        try:
            services.edit_partner(public_id, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("The changes are kept."))
            return redirect(f"/console/partners/{public_id}")
    context = {"partner": found, "form": form}
    return render(request, "channel/edit.html", context, status=422 if form.is_bound else 200)


@staff_view("channel.edit")
@require_POST
def state(request: HttpRequest, public_id: str) -> HttpResponse:
    """Pause or resume a partner."""
    act = services.pause if request.POST.get("act") == "pause" else services.resume
    _get(public_id)
    try:
        act(public_id)
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect(f"/console/partners/{public_id}")


@staff_view("channel.edit")
@require_http_methods(["GET", "POST"])
def close(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for the number, then close the partner for good."""
    found = _get(public_id)
    if found.state == Partner.State.CLOSED:
        return redirect(f"/console/partners/{public_id}")
    fault = ""
    if request.method == "POST":
        if request.POST.get("typed", "").strip().upper() == found.number:
            services.close(public_id)
            messages.success(request, _("The partner is closed."))
            return redirect(f"/console/partners/{public_id}")
        fault = _("That is not the partner's number.")
    return render(request, "channel/close.html", {"partner": found, "fault": fault}, status=422 if fault else 200)


def _get(public_id: str) -> Partner:
    found = Partner.objects.select_related("account", "parent").filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def _url(request: HttpRequest, partner: Partner) -> str:
    """Return the address that the QR code leads to: the consumer's page that names this shop or promoter."""
    return request.build_absolute_uri(f"/p/{partner.number}")
