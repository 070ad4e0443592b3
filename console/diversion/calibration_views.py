"""Whether what was told as probable was so: verdicts against probabilities, and how the evidence is tempered."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.formats import date_format
from django.utils.translation import gettext_lazy as _, pgettext
from django.views.decorators.http import require_safe

from analytics import calibration
from analytics.calibration import Band
from analytics.models import Verdict
from analytics.problem import ETA
from analytics.services import current_eta
from common.charts import share
from common.tables import Column, csv_response, wants_csv
from console.diversion.tabs import tabs
from staff.permissions import staff_view

SIDE = 220.0
"""Side of the square in which told and confirmed shares stand against each other; 30 of it are margin."""
LOOKS = {"as_told": "ok", "fewer": "no", "more": "wait", "few": ""}
WORDS = {
    "as_told": _("as told"),
    "fewer": _("fewer than told"),
    "more": _("more than told"),
    "few": _("too few to say"),
}


@dataclass(frozen=True)
class Point:
    """A band in the square: the share that was told against the share confirmed, with its interval."""

    x: float
    y: float
    low_y: float
    high_y: float
    radius: float


@dataclass(frozen=True)
class Line:
    """A band as a row of the table."""

    band: Band
    name: str

    @property
    def word(self) -> Any:
        return WORDS[self.band.word]

    @property
    def look(self) -> str:
        return LOOKS[self.band.word]

    @property
    def told(self) -> str:
        return percent(self.band.told)

    @property
    def share(self) -> str:
        return percent(self.band.share)

    @property
    def interval(self) -> str:
        low, high = self.band.interval
        return f"{percent(low)} – {percent(high)}"


def percent(value: float) -> str:
    """Return a share as whole percent."""
    return f"{100 * value:.0f} %"


def name_of(band: Band) -> str:
    """Return a band by its bounds: "80 – 90 %"."""
    return f"{100 * band.low:.0f} – {100 * band.high:.0f} %"


def points(bands: list[Band]) -> list[Point]:
    """Return where the bands stand in the square."""

    def at(value: float) -> float:
        return round(SIDE - 30 - value * (SIDE - 40), 1)

    return [
        Point(
            round(30 + band.told * (SIDE - 40), 1),
            at(band.share),
            at(band.interval[0]),
            at(band.interval[1]),
            round(3 + min(band.verdicts, 60) / 20, 1),
        )
        for band in bands
        if band.verdicts
    ]


@staff_view("diversion.read")
@require_safe
def verdicts(request: HttpRequest) -> HttpResponse:
    """Show how the verdicts of investigations agree with the probabilities that were told."""
    standing = calibration.standing_verdicts()
    months = calibration.by_month(standing)
    if wants_csv(request):
        return csv_response(list(_rows(months)), _columns(), "diversion-calibration")
    learned = calibration.learning()
    bands = calibration.by_band(standing)
    context: dict[str, Any] = {
        "lines": [Line(band, name_of(band)) for band in bands],
        "points": points(bands),
        "months": [
            (
                month_name(month),
                [Line(band, name_of(band)) for band in parts if band.verdicts],
                sum(one.verdicts for one in parts),
            )
            for month, parts in months
        ],
        "total": len(standing),
        "confirmed": sum(band.confirmed for band in bands),
        "expected": sum(band.told_sum for band in bands),
        "learned": learned,
        "progress": share(min(learned.verdicts, learned.needed), learned.needed),
        "eta": current_eta(),
        "first_eta": ETA,
        "waiting": calibration.waiting(),
        "words": dict(Verdict.Decision.choices),
        "tabs": tabs(request.path),
    }
    return render(request, "console/diversion/calibration.html", context)


def month_name(month: date) -> str:
    """Return a month: "November 2026"."""
    return date_format(month, pgettext("date format", "F Y"))


def _rows(months: list[tuple[date, list[Band]]]) -> Iterator[tuple[str, Band]]:
    for month, bands in months:
        for band in bands:
            if band.verdicts:
                yield month.strftime("%Y-%m"), band


def _columns() -> list[Column]:
    return [
        (_("Month"), lambda row: row[0]),
        (_("Probability from"), lambda row: row[1].low),
        (_("to"), lambda row: row[1].high),
        (_("Verdicts"), lambda row: row[1].verdicts),
        (Verdict.Decision.CONFIRMED.label, lambda row: row[1].confirmed),
        (Verdict.Decision.REJECTED.label, lambda row: row[1].rejected),
        (Verdict.Decision.EXPLAINED.label, lambda row: row[1].explained),
        (_("Told on average"), lambda row: f"{row[1].told:.3f}"),
        (_("Confirmed share"), lambda row: f"{row[1].share:.3f}"),
    ]
