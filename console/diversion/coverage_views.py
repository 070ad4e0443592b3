"""How much is known: scans that told a place, by what source, and how old the sources are."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db.models import Count
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.translation import gettext as _, gettext_lazy
from django.views.decorators.http import require_safe

from analytics.whereabouts import Coverage, Rate, coverage_by_distributor, coverage_by_week, rates
from channel.models import Partner, Region
from common import ip_places
from common.clock import now
from common.tables import Column, csv_response, wants_csv
from console.diversion.periods import LENGTHS, Asked, asked_for, partners, reader, utc_day, week_name
from console.diversion.tabs import tabs
from staff.permissions import staff_view

OLD = timedelta(days=92)
"""Networks are handed on: after a quarter an address file is said to be old."""
BAR = 1_000


@dataclass(frozen=True)
class Line:
    """A row: scans by source, the length of each part of its bar, and the scan rate beside it."""

    name: str
    coverage: Coverage
    rate: Rate | None = None

    @property
    def parts(self) -> list[tuple[str, float, float]]:
        """The bar: (fill, x, width) of each source, in a box of `BAR`."""
        found, x = [], 0.0
        for fill, count in (("f1", self.coverage.gps), ("f3", self.coverage.ip), ("f2", self.coverage.phone)):
            width = BAR * count / self.coverage.scans if self.coverage.scans else 0.0
            found.append((fill, round(x, 1), round(width, 1)))
            x += width
        return found


@dataclass(frozen=True)
class IpFile:
    """The operator's file of places of addresses. ``state``: none, unreadable, old or good."""

    state: str
    version: str = ""
    built_at: datetime | None = None
    replaced_at: datetime | None = None
    error: str = ""
    days: int = 0


def ip_file(at: datetime) -> IpFile:
    """Return what is known of the file of addresses, as this process has it."""
    file = ip_places.loaded()
    if not file.path:
        return IpFile("none")
    replaced_at = datetime.fromtimestamp(file.modified, UTC) if file.modified else None
    if file.content is None:
        return IpFile("unreadable", replaced_at=replaced_at, error=str(file.error))
    made = file.content.built_at or replaced_at or at
    return IpFile(
        "old" if at - made > OLD else "good",
        file.content.version,
        file.content.built_at,
        replaced_at,
        str(file.error),
        max((at - made).days, 0),
    )


@staff_view("diversion.read")
@require_safe
def coverage(request: HttpRequest) -> HttpResponse:
    """Show which share of scans told a place, and by which source."""
    at = now()
    asked = asked_for(request.GET, reader(request), today=utc_day(at))
    by_distributor = _by_distributor(asked)
    if wants_csv(request):
        return csv_response(by_distributor, _columns(_("Distributor")), "diversion-coverage")
    by_week = coverage_by_week(since=asked.since, until=asked.until, distributor_id=asked.partner_id)
    none = Coverage(0, 0, 0, 0)
    context: dict[str, Any] = {
        "asked": asked,
        "lengths": LENGTHS.items(),
        "partners": partners(asked),
        "lines": by_distributor,
        "weeks": [Line(week_name(one), by_week.get(one, none)) for one in reversed(asked.weeks)],
        "total": _sum(_("All"), by_distributor),
        "file": ip_file(at),
        "regions": _regions(),
        "tabs": tabs(request.path),
        "bar": BAR,
    }
    return render(request, "console/diversion/coverage.html", context)


def _by_distributor(asked: Asked) -> list[Line]:
    counted = coverage_by_distributor(since=asked.since, until=asked.until)
    shipped = rates(since=asked.since, until=asked.until)
    named = Partner.objects.in_bulk([one for one in {*counted, *shipped} if asked.shows(one)])
    none = Coverage(0, 0, 0, 0)
    lines = [Line(named[one].display_name, counted.get(one, none), shipped.get(one, Rate())) for one in named]
    return sorted(lines, key=lambda line: (-line.coverage.scans, line.name))


def _sum(name: str, lines: Iterable[Line]) -> Line:
    found = list(lines)
    parts = zip(*(line.coverage for line in found), strict=True)
    known = [line.rate for line in found if line.rate]
    return Line(
        name,
        Coverage(*(sum(part) for part in parts)) if found else Coverage(0, 0, 0, 0),
        Rate(sum(one.shipped for one in known), sum(one.seen for one in known)),
    )


def _regions() -> list[tuple[Any, int, int]]:
    """Return (kind, how many, how many of them without a position) of the regions that are loaded."""
    counts: Mapping[str, tuple[int, int]] = {
        kind: (count, placed)
        for kind, count, placed in Region.objects.order_by()
        .values_list("kind")
        .annotate(n=Count("id"), placed=Count("lat"))
    }
    return [(kind.label, *_pair(counts.get(kind.value, (0, 0)))) for kind in Region.Kind]


def _pair(counted: tuple[int, int]) -> tuple[int, int]:
    count, placed = counted
    return count, count - placed


def _columns(first: Any) -> list[Column]:
    return [
        (first, "name"),
        (gettext_lazy("Scans"), lambda line: line.coverage.scans),
        (gettext_lazy("By device"), lambda line: line.coverage.gps),
        (gettext_lazy("By network"), lambda line: line.coverage.ip),
        (gettext_lazy("By telephone"), lambda line: line.coverage.phone),
        (gettext_lazy("Without a place"), lambda line: line.coverage.nowhere),
        (gettext_lazy("Labels seen"), lambda line: line.rate.seen),
        (gettext_lazy("Labels shipped"), lambda line: line.rate.shipped),
    ]
