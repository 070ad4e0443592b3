"""From whom to whose market goods are expected to have gone: a matrix, and each route with its trend."""

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _, gettext_lazy, pgettext_lazy
from django.views.decorators.http import require_safe

from analytics.models import FitRun
from analytics.routes import Route, found_routes, last_fits
from analytics.services import newest_run
from analytics.whereabouts import Rate, rates
from channel.models import Partner
from common.charts import Spark, spark
from common.tables import Column, csv_response, wants_csv
from console.diversion.listing import NOWHERE
from console.diversion.periods import reader, utc_day
from console.diversion.scope import partners_of
from console.diversion.tabs import tabs
from staff.permissions import staff_view

MOST_COLUMNS = 40


@dataclass(frozen=True)
class Way:
    """One route as it is shown."""

    route: Route
    origin: str
    dest: str
    rate: Rate
    href: str
    strength: int
    """0 to 4: how many cases beside the largest route."""

    @property
    def spark(self) -> Spark | None:
        """The expected cases of the last fits, in tenths."""
        return spark([round(10 * cases) for cases in self.route.trend])

    @property
    def change(self) -> float | None:
        """Expected cases more than at the fit before; None where there is none before."""
        trend = self.route.trend
        return trend[-1] - trend[-2] if len(trend) > 1 else None


def _ways(routes: Collection[Route], run: FitRun | None) -> list[Way]:
    partners = Partner.objects.in_bulk(
        {one for route in routes for one in (route.distributor_id, route.dest_id) if one}
    )
    counted = rates(since=utc_day(run.scans_from), until=utc_day(run.scans_until)) if run else {}
    most = max((route.cases for route in routes), default=0.0)
    found = []
    for route in routes:
        origin, dest = partners.get(route.distributor_id), partners.get(route.dest_id or 0)
        query = {
            "distributor": origin.public_id if origin else "",
            "dest": dest.public_id if dest else NOWHERE,
            "watched": 1,
        }
        found.append(
            Way(
                route,
                origin.display_name if origin else _("unknown"),
                dest.display_name if dest else _("elsewhere"),
                counted.get(route.distributor_id, Rate()),
                f"/console/diversion?{urlencode(query)}",
                min(int(5 * route.cases / most), 4) if most else 0,
            )
        )
    return found


@staff_view("diversion.read")
@require_safe
def routes(request: HttpRequest) -> HttpResponse:
    """Show the routes of the newest fit."""
    run = newest_run()
    within = partners_of(reader(request))
    found = [one for one in found_routes(run) if within is None or within & {one.distributor_id, one.dest_id}]
    ways = _ways(found, run)
    if wants_csv(request):
        return csv_response(ways, _columns(), "diversion-routes")
    origins = list(dict.fromkeys(way.origin for way in sorted(ways, key=lambda way: way.origin)))
    dests = _most_first(ways)
    cells = {(way.origin, way.dest): way for way in ways}
    context: dict[str, Any] = {
        "run": run,
        "ways": ways,
        "dests": dests[:MOST_COLUMNS],
        "hidden": max(len(dests) - MOST_COLUMNS, 0),
        "matrix": [(origin, [cells.get((origin, dest)) for dest in dests[:MOST_COLUMNS]]) for origin in origins],
        "fits": len(last_fits()),
        "tabs": tabs(request.path),
    }
    return render(request, "console/diversion/routes.html", context)


def _most_first(ways: Collection[Way]) -> list[str]:
    sums: dict[str, float] = {}
    for way in ways:
        sums[way.dest] = sums.get(way.dest, 0.0) + way.route.cases
    return sorted(sums, key=lambda dest: (dest == _("elsewhere"), -sums[dest], dest))


def _columns() -> list[Column]:
    return [
        (pgettext_lazy("route", "From"), "origin"),
        (gettext_lazy("To the market of"), "dest"),
        (gettext_lazy("Expected cases"), lambda way: f"{way.route.cases:.2f}"),
        (gettext_lazy("Expected shipments"), lambda way: f"{way.route.shipments:.2f}"),
        (gettext_lazy("Labels seen"), lambda way: way.rate.seen),
        (gettext_lazy("Labels shipped"), lambda way: way.rate.shipped),
        (
            gettext_lazy("Expected cases by the fits before, oldest first"),
            lambda way: " ".join(f"{one:.1f}" for one in way.route.trend),
        ),
    ]
