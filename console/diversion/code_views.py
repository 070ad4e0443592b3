"""Labels that seem to live twice, and signs that codes are harvested: lists, and what people decide about them."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import exp
from typing import Any

from django.contrib import messages
from django.db.models import Exists, Min, OuterRef, Q, QuerySet
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST, require_safe

from analytics import copies
from analytics.models import CodeFinding, CodeVerdict, FarmFinding, FitRun
from analytics.services import newest_run
from channel.models import Unit
from common.clock import now
from common.errors import DomainError
from common.tables import csv_response, keyset_page, wants_csv
from console.diversion.tabs import tabs
from labels.queries import resolve, serials_of
from redemption.models import Caution
from redemption.services import caution, lift_caution
from staff.models import User
from staff.permissions import allowed, staff_view

MOST_ROWS = 10_000
ORDER = ("-found_at", "-id")


# --- copied codes ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Code:
    """One suspected label."""

    finding: CodeFinding
    serial: str
    first_found_at: datetime
    verdict: CodeVerdict | None
    stopped: bool

    @property
    def words(self) -> str:
        """How probable a copy is, in words; a plain sign needs no figure."""
        return odds_words(self.finding)


def odds_words(finding: CodeFinding) -> str:
    """Say z, the log odds that a label was copied, as a probability or as odds."""
    if finding.kind != CodeFinding.Kind.COPIED or finding.score is None:
        return _("plain: no honest buyer can have met it")
    if finding.score >= 50:
        return _("plain: it was never shipped")
    odds = exp(min(finding.score, 23.0))
    if odds >= 1_000:
        return _("more than {n} to 1 that it was copied").format(n=f"{10 ** (len(str(int(odds))) - 1):,}")
    if odds >= 10:
        return _("{n} to 1 that it was copied").format(n=f"{odds:.0f}")
    return _("{percent} % that it was copied").format(percent=f"{100 * odds / (1 + odds):.0f}")


def suspected(run: FitRun | None) -> "QuerySet[CodeFinding]":
    """Return what the newest run suspects, and what was plain at the first scan."""
    return CodeFinding.objects.filter(Q(run=None) | Q(run=run))


@staff_view("diversion.read")
@require_safe
def codes(request: HttpRequest) -> HttpResponse:
    """List the labels that seem to live twice, newest first."""
    kind, state = request.GET.get("kind", ""), request.GET.get("state", "")
    found = suspected(newest_run())
    counts = {name: found.filter(kind=name).count() for name in CodeFinding.Kind.values}
    if kind in CodeFinding.Kind.values:
        found = found.filter(kind=kind)
    decided = CodeVerdict.objects.filter(label_no=OuterRef("label_no"))
    if state == "open":
        found = found.filter(~Exists(decided))
    elif state == "decided":
        found = found.filter(Exists(decided))
    if wants_csv(request):
        return csv_response(rows_of(list(found.order_by(*ORDER)[:MOST_ROWS])), _columns(), "copied-codes")
    page = keyset_page(found, request, order=ORDER)
    context = {
        "page": page,
        "rows": rows_of(page.rows),
        "kind": kind,
        "state": state,
        "kinds": [(value, word, counts[value]) for value, word in CodeFinding.Kind.choices],
        "total": sum(counts.values()),
        "may": allowed(request.user, "diversion.caution"),
        "tabs": tabs(request.path),
    }
    return render(request, "console/diversion/codes.html", context)


def rows_of(findings: Sequence[CodeFinding]) -> list[Code]:
    """Name the labels of some findings, with what was decided about them."""
    labels = sorted({row.label_no for row in findings})
    if not labels:
        return []
    serials = dict(zip(labels, serials_of(labels), strict=True))
    firsts = dict(
        CodeFinding.objects.filter(label_no__in=labels)
        .values_list("label_no")
        .annotate(first=Min("found_at"))
        .values_list("label_no", "first")
    )
    verdicts, stopped = copies.verdicts_of(labels), _stopped(labels)
    return [
        Code(row, serials[row.label_no], firsts[row.label_no], verdicts.get(row.label_no), row.label_no in stopped)
        for row in findings
    ]


def of_label(label_no: int, user: User) -> dict[str, Any]:
    """Return what was found, decided and cautioned about one label, for the page of its life."""
    found = list(suspected(newest_run()).filter(label_no=label_no).order_by(*ORDER))
    return {
        "codes": rows_of(found),
        "code_verdicts": list(CodeVerdict.objects.filter(label_no=label_no).order_by("-pk")[:10]),
        "cautions": list(Caution.objects.filter(label_range__contains=label_no).order_by("-opened_at", "-pk")[:20]),
        "may_caution": allowed(user, "diversion.caution"),
    }


def _stopped(labels: Iterable[int]) -> set[int]:
    """Return those of the labels of which alone the points are stopped."""
    wanted = [(label, label + 1) for label in labels]
    rows = Caution.objects.filter(label_range__in=wanted, effect=Caution.Effect.STOP_POINTS, lifted_at=None)
    return {row.label_range.lower for row in rows}


def _columns() -> list[tuple[Any, Any]]:
    return [
        (_("Serial"), "serial"),
        (_("Indication"), lambda row: row.finding.get_kind_display()),
        (_("How sure"), "words"),
        ("z", lambda row: "" if row.finding.score is None else f"{row.finding.score:.2f}"),
        (_("Checks after the first"), lambda row: row.finding.follow_ups),
        (_("First found"), "first_found_at"),
        (_("Decision"), lambda row: row.verdict.get_decision_display() if row.verdict else ""),
        (_("Points stopped"), lambda row: _("yes") if row.stopped else _("no")),
    ]


@staff_view("diversion.caution")
@require_POST
def code_confirm(request: HttpRequest, serial: str) -> HttpResponse:
    """Say that a label was copied: it pays no points any more."""
    label_no = _label(serial)
    try:
        copies.confirm_copied(label_no, note=_note(request), at=now(), by=request.user.get_username())
    except DomainError as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("Confirmed. This label pays no points; what consumers read stays the same."))
    return redirect(_back(request))


@staff_view("diversion.caution")
@require_POST
def code_clear(request: HttpRequest, serial: str) -> HttpResponse:
    """Say that a label is honest: it pays again."""
    label_no = _label(serial)
    try:
        copies.clear(label_no, note=_note(request), at=now(), by=request.user.get_username())
    except DomainError as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("Noted as honest. Nothing stops the points of this label."))
    return redirect(_back(request))


def _label(serial: str) -> int:
    label_no = resolve(serial, purpose="serial").label_no
    if label_no is None:
        raise Http404
    return label_no


def _note(request: HttpRequest) -> str:
    return request.POST.get("note", "").strip()[:300].replace("\x00", "")


def _back(request: HttpRequest) -> str:
    """Return the page of the label or the list, whichever the form stood on."""
    path = request.POST.get("back", "")
    return path if path.startswith(("/console/labels/", "/console/diversion")) and "//" not in path else _CODES


_CODES = "/console/diversion/codes"
_FARMS = "/console/diversion/farms"


# --- harvested codes -------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Farm:
    """One sign of harvesting."""

    finding: FarmFinding
    first: str
    last: str
    sscc: str
    caution: Caution | None

    @property
    def words(self) -> str:
        """What makes it a sign."""
        row = self.finding
        if row.kind == FarmFinding.Kind.FULL_CASE:
            chance = _("less than 1 in a million") if (row.chance or 0) < 1e-6 else f"{row.chance:.1e}"
            return _("{n} of {all} labels redeemed; by chance: {chance}").format(
                n=row.redeemed, all=row.labels, chance=chance
            )
        return _("{n} labels side by side, by one person within a week").format(n=row.redeemed)


@staff_view("diversion.read")
@require_safe
def farms(request: HttpRequest) -> HttpResponse:
    """List the signs of harvesting that the last night saw."""
    run = newest_run()
    found = FarmFinding.objects.filter(run=run)
    order = ("-redeemed", "-id")
    if wants_csv(request):
        columns: list[tuple[Any, Any]] = [
            (_("Indication"), lambda row: row.finding.get_kind_display()),
            (_("Case"), "sscc"),
            (_("First label"), "first"),
            (_("Last label"), "last"),
            (_("Redeemed"), lambda row: row.finding.redeemed),
            (_("In words"), "words"),
            (_("Rewards held"), lambda row: _("yes") if row.caution else _("no")),
        ]
        return csv_response(_farm_rows(list(found.order_by(*order)[:MOST_ROWS])), columns, "harvested-codes")
    page = keyset_page(found, request, order=order)
    context = {
        "page": page,
        "rows": _farm_rows(page.rows),
        "run": run,
        "may": allowed(request.user, "diversion.caution"),
        "tabs": tabs(request.path),
    }
    return render(request, "console/diversion/farms.html", context)


def _farm_rows(findings: Sequence[FarmFinding]) -> list[Farm]:
    labels = sorted({label for row in findings for label in (row.first_label, row.last_label)})
    serials = dict(zip(labels, serials_of(labels), strict=True)) if labels else {}
    units = dict(Unit.objects.filter(pk__in={row.unit_id for row in findings if row.unit_id}).values_list("pk", "sscc"))
    spans = [row.hold_range for row in findings]
    held = {
        (row.label_range.lower, row.label_range.upper): row
        for row in Caution.objects.filter(
            label_range__in=spans, effect=Caution.Effect.HOLD_REWARD, reason=Caution.Reason.FARM, lifted_at=None
        )
    }
    return [
        Farm(
            row,
            serials[row.first_label],
            serials[row.last_label],
            units.get(row.unit_id or 0, ""),
            held.get(row.hold_range),
        )
        for row in findings
    ]


@staff_view("diversion.caution")
@require_POST
def farm_hold(request: HttpRequest, public_id: str) -> HttpResponse:
    """Hold what the labels of a sign earn from now on; once."""
    row = get_object_or_404(FarmFinding, public_id=public_id)
    if _farm_rows([row])[0].caution is None:
        first, end = row.hold_range
        caution(
            first=first,
            end=end,
            effect=Caution.Effect.HOLD_REWARD,
            reason=Caution.Reason.FARM,
            note=_note(request) or row.get_kind_display(),
            at=now(),
            by=request.user.get_username(),
        )
    messages.success(request, _("What these labels earn from now on is held until somebody lifts it."))
    return redirect(_FARMS)


@staff_view("diversion.caution")
@require_POST
def farm_lift(request: HttpRequest, public_id: str) -> HttpResponse:
    """Lift what holds the rewards of a sign: they are paid out."""
    row = get_object_or_404(FarmFinding, public_id=public_id)
    held = _farm_rows([row])[0].caution
    if held is not None:
        lift_caution(held.public_id, outcome=Caution.Outcome.RELEASED, at=now(), by=request.user.get_username())
    messages.success(request, _("Lifted. What was held is paid out."))
    return redirect(_FARMS)
