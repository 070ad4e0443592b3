"""Pages of the fairness report. What they show is kept (`analytics.tasks`): no page counts plays."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _, pgettext
from django.views.decorators.http import require_POST, require_safe

from analytics import fair_play, tasks
from analytics.fair_play import Cell, Comparison, Report
from analytics.models import FairnessReport
from common.clock import now
from common.tables import csv_response, wants_csv
from labels.tasks import push
from lottery.models import Campaign, Play
from lottery.proofs import games
from redemption.door import ConsumerRequest, consumer_page, missing, page
from redemption.draw_views import proof_style
from redemption.page import Verdict
from staff.permissions import allowed, staff_view

MADE_AT_ONCE = 20_000  # plays; with more of them a worker makes the report
LEFT, RIGHT, ROW = 92.0, 300.0, 20.0


@dataclass(frozen=True, slots=True)
class Bar:
    """One cell of a chart: its words, where it stands, how long its bar is, and where the expected wins are."""

    name: str
    cell: Cell
    y: float
    text_y: float
    width: float
    expected_x: float


@dataclass(frozen=True, slots=True)
class Chart:
    """One comparison as a chart in a box of 340 × ``height``."""

    title: str
    of: Comparison
    bars: list[Bar]
    height: float


def chart(one: Comparison) -> Chart:
    """Lay out a comparison: a bar of wins for each cell, with a mark where chance expects it to end."""
    most = max((max(cell.wins, cell.expected) for cell in one.cells), default=0) or 1
    scale = (RIGHT - LEFT) / most
    bars = [
        Bar(
            cell_name(one.by, cell.name),
            cell,
            place * ROW + 3,
            place * ROW + 14,
            round(cell.wins * scale, 1),
            round(LEFT + cell.expected * scale, 1),
        )
        for place, cell in enumerate(one.cells)
    ]
    return Chart(titles()[one.by], one, bars, max(len(bars), 1) * ROW)


def titles() -> dict[str, str]:
    """Return what each comparison is called."""
    return {
        "region": _("By region"),
        "batch": _("By batch"),
        "door": _("By door"),
        "weekday": _("By weekday"),
        "hour": _("By hour"),
        "week": _("By week"),
    }


def cell_name(by: str, name: str) -> str:
    """Return a cell's name in words."""
    if name == fair_play.OTHERS:
        return _("all others")
    if name == "?":
        return pgettext("of a place or batch", "unknown")
    words = {
        "door": {"web": _("web page"), "api": _("app"), "sms": _("text message"), "voice": _("phone call")},
        "weekday": dict(
            zip("1234567", (_("Mon"), _("Tue"), _("Wed"), _("Thu"), _("Fri"), _("Sat"), _("Sun")), strict=True)
        ),
    }
    return words.get(by, {}).get(name, f"{name}:00" if by == "hour" else name)


@staff_view("lottery.read")
@require_safe
def console_report(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the report of a game, running or over."""
    campaign = get_object_or_404(games(), public_id=public_id)
    kept = FairnessReport.objects.filter(campaign=campaign).first()
    if kept is not None and wants_csv(request):
        return _csv(kept, public_id)
    context = {**_context(campaign, kept), "may_make": allowed(request.user, "lottery.edit")}
    return render(request, "console/fairness/report.html", context)


@staff_view("lottery.edit")
@require_POST
def make(request: HttpRequest, public_id: str) -> HttpResponse:
    """Make the report anew: at once, or by a worker where there are very many plays."""
    campaign = get_object_or_404(games(), public_id=public_id)
    if Play.objects.filter(campaign=campaign)[: MADE_AT_ONCE + 1].count() <= MADE_AT_ONCE:
        fair_play.keep(campaign, at=now())
    else:
        push(tasks.report_fairness_of, campaign.pk)
    return redirect(f"/console/campaigns/{public_id}/fairness")


@require_safe
@consumer_page
def public_report(request: ConsumerRequest, public_id: str) -> HttpResponse:
    """Show the report of a game that is over to everybody."""
    campaign = games().filter(public_id=public_id).exclude(state__in=Campaign.BEFORE_THE_END).first()
    kept = FairnessReport.objects.filter(campaign=campaign).first() if campaign else None
    if campaign is None:
        return missing(request)
    if kept is None or not Report.read(kept.content).over:
        soon = Verdict("calm", _("Being made"), _("The fairness report is made within an hour after the game is over."))
        return page(request, "message.html", verdict=soon, again=request.path, again_label=_("Load the page again"))
    if wants_csv(request):
        return _csv(kept, public_id)
    context = {**_context(campaign, kept), "proof_style": proof_style()}
    return page(request, "console/fairness/public.html", title=_("Fairness report"), **context)


def _context(campaign: Campaign, kept: FairnessReport | None) -> dict[str, Any]:
    found = Report.read(kept.content) if kept else None
    names = {tier.tier: tier for tier in campaign.tiers.filter(use="instant")}
    return {
        "campaign": campaign,
        "kept": kept,
        "report": found,
        "charts": [chart(one) for one in found.comparisons] if found else [],
        "tiers": [(names.get(line.tier), line) for line in found.tiers] if found else [],
        "rate": fair_play.RATE,
    }


def _csv(kept: FairnessReport, public_id: str) -> HttpResponse:
    columns = [
        (_("Comparison"), lambda row: row[0]),
        (_("Cell"), lambda row: row[1]),
        (_("Plays"), lambda row: row[2]),
        (_("Wins"), lambda row: row[3]),
        (_("Expected"), lambda row: row[4]),
        (_("Probability by chance"), lambda row: row[5]),
    ]
    return csv_response(list(_rows(Report.read(kept.content))), columns, f"fairness-{public_id}")


def _rows(found: Report) -> Iterator[tuple[str, str, int, int, float, float]]:
    for one in found.comparisons:
        for cell in one.cells:
            name = cell_name(one.by, cell.name)
            yield titles()[one.by], name, cell.plays, cell.wins, cell.expected, one.p
