"""The map of diversion, its table, and the operator's outlines under it."""

from typing import Any

from defusedcsv import csv
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext_lazy as _
from django.views.decorators.http import require_safe

from analytics.models import RegionDay, Touched
from common.clock import now
from common.tables import Column, csv_response, wants_csv
from console.diversion import base_map
from console.diversion.map_data import Picture, Row, put_together
from console.diversion.periods import LENGTHS, asked_for, partners, reader, utc_day, week_name
from console.diversion.tabs import tabs
from staff.permissions import staff_view

SHOWN = 200


@staff_view("diversion.read")
@require_safe
def diversion_map(request: HttpRequest) -> HttpResponse:
    """Show where goods were scanned, week by week, and beside it what honest travel would show."""
    at = now()
    asked = asked_for(request.GET, reader(request), today=utc_day(at))
    found = put_together(asked, at=at)
    if wants_csv(request):
        return _csv(found)
    context: dict[str, Any] = {
        "found": found,
        "asked": asked,
        "rows": found.rows[:SHOWN],
        "more": max(len(found.rows) - SHOWN, 0),
        "lengths": LENGTHS.items(),
        "weeks": [(one, week_name(one)) for one in asked.weeks],
        "partners": partners(asked),
        "counted": RegionDay.objects.order_by("-day").values_list("day", flat=True).first(),
        "counting": Touched.objects.filter(grain=Touched.Grain.DAY).exists(),
        "tabs": tabs(request.path),
    }
    return render(request, "console/diversion/map.html", context)


@staff_view("diversion.read")
@require_safe
def outlines(_request: HttpRequest) -> HttpResponse:
    """Return the operator's outlines."""
    content = base_map.supplied().content
    if not content:
        raise Http404
    return HttpResponse(content, content_type="application/geo+json")


def _csv(found: Picture) -> HttpResponse:
    asked = found.asked
    first, last = (asked.week, asked.week) if asked.week else (asked.weeks[0], asked.weeks[-1])
    columns: list[Column] = [
        (_("From week"), lambda _row: first),
        (_("To week"), lambda _row: last),
        (_("Distributor"), lambda _row: asked.partner.display_name if asked.partner else _("all")),
        (_("Region code"), "code"),
        (_("Place"), "name"),
        (_("Market of"), "owner"),
        (_("In the own market"), "own"),
        (_("Outside, by device"), "gps"),
        (_("Outside, by address"), "ip"),
        (_("Outside, by number"), "phone"),
        (_("Outside"), "away"),
        (_("Expected outside"), _expected),
    ]
    response = csv_response(found.rows, columns, f"diversion-map-{first.isoformat()}")
    csv.writer(response).writerow([found.base.attribution])
    return response


def _expected(row: Row) -> str:
    return "" if row.expected is None else f"{row.expected:.2f}"
