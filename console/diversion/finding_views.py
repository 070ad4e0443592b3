"""Ranked findings."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.views.decorators.http import require_safe

from analytics.models import Finding
from analytics.services import newest_run
from channel.models import Partner
from common.tables import keyset_page
from console.diversion.tabs import tabs
from staff.permissions import staff_view


@staff_view("diversion.read")
@require_safe
def findings(request: HttpRequest) -> HttpResponse:
    """List what the newest fit found, the likeliest first."""
    run = newest_run()
    page = keyset_page(Finding.objects.filter(run=run), request, order=("-probability", "-id"))
    named = {row.distributor_id for row in page.rows} | {row.dest_id for row in page.rows}
    partners = Partner.objects.in_bulk([one for one in named if one])
    rows = [(row, partners.get(row.distributor_id), partners.get(row.dest_id or 0)) for row in page.rows]
    return render(
        request,
        "console/diversion/findings.html",
        {"run": run, "page": page, "rows": rows, "tabs": tabs(request.path)},
    )
