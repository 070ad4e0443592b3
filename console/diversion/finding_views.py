"""Ranked findings, and the shipment behind each."""

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from analytics.models import Case, Finding
from analytics.services import newest_run
from common.tables import csv_response, keyset_page, wants_csv
from console.diversion import listing
from console.diversion.tabs import tabs
from labels.models import Product
from staff.models import User
from staff.permissions import staff_view

ORDER = ("-priority", "-id")


@staff_view("diversion.read")
@require_safe
def findings(request: HttpRequest) -> HttpResponse:
    """List what the newest fit found, in the order in which it is worth to be worked on."""
    user = _user(request)
    run, asked = newest_run(), listing.asked_in(request.GET)
    rows = listing.found(run, asked, user)
    if wants_csv(request):
        wanted = list(rows.order_by(*ORDER)[: listing.MOST_ROWS])
        return csv_response(listing.rows_of(wanted), listing.columns(), "diversion-findings")
    page = keyset_page(rows, request, order=ORDER)
    context = {
        "run": run,
        "fresh": listing.freshness(run, user) if run else None,
        "page": page,
        "rows": listing.rows_of(page.rows),
        "asked": asked,
        "choices": listing.choices(run, user),
        "levels": Finding.Level.choices,
        "states": [(listing.NO_FILE, _("no file")), *Case.State.choices],
        "priced": Product.objects.filter(margin__isnull=False).exists(),
        "tabs": tabs(request.path),
    }
    return render(request, "console/diversion/findings.html", context)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - staff_view let nobody else in
    return request.user
