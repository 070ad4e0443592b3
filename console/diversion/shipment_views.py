"""The shipment behind a finding: its cases, scans and papers, and why it may not be diversion."""

from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from analytics.casework import open_case
from analytics.explaining import Papers, is_late, papers_of
from analytics.models import Case, Finding, ShipmentScore, Verdict
from channel.models import Document, Partner
from common.charts import Spark, spark
from common.clock import now
from common.errors import DomainError
from common.tables import csv_response, wants_csv
from console.diversion import listing
from console.diversion.doubts import Doubt, doubts_of
from console.diversion.scope import seen_by
from console.diversion.strips import sightings_of, strips_of
from staff.models import Role, User
from staff.permissions import allowed, staff_view

CASES_SHOWN, SCANS_SHOWN, CASES_MOST = 12, 50, 1_000


@staff_view("diversion.read")
@require_safe
def shipment(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a shipment with its newest finding, or with the one that ``?finding=`` names."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - staff_view let nobody else in
    paper = get_object_or_404(Document.objects.select_related("destination", "source"), public_id=public_id)
    history = list(seen_by(user, Finding.objects.filter(shipment_id=paper.pk)).select_related("run"))
    history.sort(key=lambda row: (row.found_at, row.pk), reverse=True)
    score = ShipmentScore.objects.filter(pk=paper.pk).first()
    if not history and (score is None or user.role == Role.REGIONAL):
        raise Http404
    finding = _chosen(history, request.GET.get("finding", ""))
    own = Partner.objects.filter(pk=finding.distributor_id if finding else score.distributor_id if score else 0).first()
    sightings = sightings_of(finding, own.display_name if own else "") if finding else []
    if wants_csv(request):
        return csv_response(sightings, _columns(), f"diversion-{paper.number}")
    whole = request.GET.get("all") == "1"
    strips = strips_of(finding, sightings, CASES_MOST if whole else CASES_SHOWN) if finding else []
    papers = papers_of(paper, finding)
    files = list(Case.objects.filter(shipment_id=paper.pk).order_by("-pk")[:5])
    context = {
        "shipment": paper,
        "finding": finding,
        "row": listing.rows_of([finding])[0] if finding else None,
        "own": own,
        "score": score,
        "strips": strips,
        "sightings": sightings if whole else sightings[:SCANS_SHOWN],
        "scans_count": len(sightings),
        "whole": whole or (len(sightings) <= SCANS_SHOWN and (not finding or finding.cases <= CASES_SHOWN)),
        "papers": papers,
        "trail": [(row, is_late(row)) for row in papers.trail],
        "course": _course(history, score, finding),
        "files": [(row, listing.file_href(row)) for row in files],
        "open_file": any(row.state != Case.State.CLOSED for row in files),
        "may_open": allowed(user, "cases.open"),
        "legend": _legend(),
        "verdicts": Verdict.objects.filter(shipment_id=paper.pk).order_by("-decided_at", "-pk"),
        **_why(finding, papers),
    }
    return render(request, "console/diversion/shipment.html", context)


@staff_view("cases.open")
@require_POST
def open_file(request: HttpRequest, public_id: str) -> HttpResponse:
    """Open the file of a shipment's investigation, or go to the one that is open."""
    user = request.user
    assert isinstance(user, User)  # noqa: S101 - staff_view let nobody else in
    paper = get_object_or_404(Document, public_id=public_id)
    finding = seen_by(user, Finding.objects.filter(shipment_id=paper.pk)).order_by("-found_at", "-pk").first()
    if finding is None:
        raise Http404
    own = user if user.role == Role.INVESTIGATOR else None
    try:
        file = open_case(paper.pk, at=now(), by=user.get_username(), finding=finding, assignee=own)
    except DomainError as error:
        messages.error(request, str(error.detail))
        return redirect(f"/console/diversion/shipments/{public_id}")
    return redirect(listing.file_href(file) or f"/console/diversion/shipments/{public_id}")


def _chosen(history: list[Finding], public_id: str) -> Finding | None:
    if public_id:
        chosen = next((row for row in history if row.public_id == public_id), None)
        if chosen is None:
            raise Http404
        return chosen
    return history[0] if history else None


def _why(finding: Finding | None, papers: Papers) -> dict[str, Any]:
    if finding is None:
        return {"doubts": []}
    doubts = doubts_of(finding, papers, finding.run.alert_from)
    told: list[Doubt] = [one for one in doubts if one.stands is not None]
    return {
        "doubts": doubts,
        "falls": [one for one in told if not one.stands],
        "stands": sum(bool(one.stands) for one in told),
    }


@dataclass(frozen=True, slots=True)
class Course:
    """How P went from run to run: its findings, newest first, and a line of them."""

    rows: list[Finding]
    line: Spark | None
    now: float | None
    shown: Finding | None


def _course(history: list[Finding], score: ShipmentScore | None, shown: Finding | None) -> Course:
    values = [round(1_000 * row.probability) for row in reversed(history)]
    now = score.probability if score else None
    if score and history and score.scored_at > history[0].found_at:
        values.append(round(1_000 * score.probability))
    return Course(history[:12], spark(values[-60:]), now, shown)


def _legend() -> list[tuple[str, str, str]]:
    """Return what the marks mean: the side, the source, and both in words."""
    return [
        ("own", "gps", _("own area, by a fix")),
        ("own", "ip", _("own area, by an address")),
        ("away", "gps", _("elsewhere, by a fix")),
        ("away", "ip", _("elsewhere, by an address")),
        ("away", "phone", _("elsewhere, by a telephone number")),
        ("none", "gps", _("fits both")),
    ]


def _columns() -> list[tuple[Any, Any]]:
    def place(source: str) -> Any:
        return lambda one: next((found.name for found in one.places if found.source == source), "")

    return [
        (_("Time"), "at"),
        (_("Serial"), "serial"),
        (_("Device"), "device"),
        (_("Place by fix"), place("gps")),
        (_("Accuracy in metres"), lambda one: next((p.accuracy_m for p in one.places if p.source == "gps"), "")),
        (_("Place by address"), place("ip")),
        (_("Place by number"), place("phone")),
        (_("log10 of the ratio"), lambda one: f"{one.score:.3f}"),
        (_("In words"), "words"),
    ]
