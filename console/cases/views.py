"""Files of investigations: the list, one file, and what is done with it."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import date
from typing import Any, cast

from django import forms
from django.contrib import messages
from django.db.models import Count, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _, pgettext
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST, require_safe

from analytics import case_queries, casework
from analytics.case_models import MOVES
from analytics.models import Case, CaseEntry
from brands.queries import brand_date
from channel.items import units_by_sscc
from channel.models import Document, Partner
from common.clock import now
from common.errors import Conflict, DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from common.templatetags.show import day
from console.cases.forms import AppealForm, CautionForm, ChargeForm, DecideForm, LiftForm, NoteForm, OpenForm, PhotoForm
from console.packs import sscc_in
from staff.models import Role, User
from staff.permissions import allowed, staff_view

LOG_ROWS = 200
LOOKS = {"new": "info", "watch": "wait", "field_check": "wait", "confirmed": "no", "rejected": "ok", "explained": "ok"}
_ICONS = {
    "opened": "file", "assigned": "user", "due": "calendar", "moved": "right", "note": "pencil", "photo": "eye",
    "field_check": "pin", "asked": "message", "answered": "message", "decided": "seal", "appealed": "undo",
    "caution": "lock", "lifted": "key", "exported": "export",
}  # fmt: skip


@dataclass(frozen=True)
class Shown:
    """A file with what it is about, for a line of the list or the head of its page."""

    case: Case
    distributor: Partner | None
    dest: Partner | None
    shipment: Document | None
    late: bool

    @property
    def look(self) -> str:
        """The colour of the state."""
        return LOOKS.get(self.case.state, "")


def _user(request: HttpRequest) -> User:
    return cast("User", request.user)


def find(request: HttpRequest, public_id: str) -> Case:
    """Return a file that this person may see, or answer 404."""
    return get_object_or_404(case_queries.files_for(_user(request), at=now()), public_id=public_id)


def shown(cases: list[Case]) -> list[Shown]:
    """Return files with partners and shipments, in three queries."""
    dest = {case.pk: case.finding.dest_id for case in cases if case.finding}
    wanted = {case.distributor_id for case in cases} | {one for one in dest.values() if one}
    partners = Partner.objects.in_bulk(wanted)
    papers = Document.objects.in_bulk([case.shipment_id for case in cases])
    today = brand_date(now())
    return [
        Shown(
            case,
            partners.get(case.distributor_id),
            partners.get(dest.get(case.pk) or 0),
            papers.get(case.shipment_id),
            case.state != Case.State.CLOSED and case.due_on is not None and case.due_on < today,
        )
        for case in cases
    ]


# --- the list ----------------------------------------------------------------------------------------------------------


@staff_view("cases.read")
@require_safe
def case_list(request: HttpRequest) -> HttpResponse:
    """List the files, newest first: by state, by who is in charge, and those that are late."""
    context = _listed(request)
    return _csv(context["found"]) if wants_csv(request) else render(request, "console/cases/list.html", context)


def _listed(request: HttpRequest) -> dict[str, Any]:
    at, user = now(), _user(request)
    mine = case_queries.files_for(user, at=at)
    state, charge = request.GET.get("state", "open"), request.GET.get("charge", "")[:150].replace("\x00", "")
    late = request.GET.get("late") == "1"
    found = _filtered(mine, state, charge)
    if late:
        found = case_queries.late(found, at=at)
    page = keyset_page(found, request, order=("-opened_at", "-id"))
    counts = dict(mine.order_by().values_list("state").annotate(Count("pk")))
    total = sum(counts.values())
    states = [("open", _("Open"), total - counts.get("closed", 0)), ("all", _("All"), total)]
    return {
        "found": found,
        "page": page,
        "rows": shown(page.rows),
        "state": state,
        "charge": charge,
        "late": late,
        "late_count": case_queries.late(mine, at=at).count(),
        "states": states + [(value, label, counts.get(value, 0)) for value, label in Case.State.choices],
        "people": _in_charge(mine),
        "may_open": allowed(user, "cases.open"),
        "open_form": OpenForm(),
    }


def _filtered(found: QuerySet[Case], state: str, charge: str) -> QuerySet[Case]:
    if state in Case.State.values:
        found = found.filter(state=state)
    elif state != "all":
        found = found.exclude(state=Case.State.CLOSED)
    if charge == "-":
        return found.filter(assignee=None)
    return found.filter(assignee__username=charge) if charge else found


def _in_charge(found: QuerySet[Case]) -> list[str]:
    names = found.exclude(assignee=None).order_by("assignee__username").values_list("assignee__username", flat=True)
    return list(names.distinct())


def _csv(found: QuerySet[Case]) -> HttpResponse:
    rows = shown(list(found.order_by("-opened_at", "-id")[:10_000]))
    columns: list[Column] = [
        (pgettext("investigation", "File"), lambda row: row.case.number),
        (_("Distributor"), lambda row: row.distributor.display_name if row.distributor else ""),
        (_("Goods went to"), lambda row: row.dest.display_name if row.dest else ""),
        (_("Shipment"), lambda row: row.shipment.number if row.shipment else ""),
        (_("Probability"), lambda row: f"{row.case.finding.probability:.4f}" if row.case.finding else ""),
        (_("State"), lambda row: row.case.get_state_display()),
        (_("In charge"), lambda row: row.case.assignee or ""),
        (_("Due on"), lambda row: row.case.due_on),
        (_("Late"), lambda row: _("yes") if row.late else _("no")),
        (_("Opened"), lambda row: row.case.opened_at),
    ]
    return csv_response(rows, columns, "files")


@staff_view("cases.open")
@require_POST
def case_open(request: HttpRequest) -> HttpResponse:
    """Open the file about a shipment, or go to the one that is open. An investigator takes charge of it."""
    form, user, at = OpenForm(request.POST), _user(request), now()
    if form.is_valid():
        shipment = form.cleaned_data["shipment"]
        if user.role == Role.REGIONAL and shipment.destination_id not in case_queries.partners_in(
            user.regions.split(), on=brand_date(at)
        ):
            form.add_error("shipment", _("That shipment went to none of your regions."))
    if form.is_valid():
        own = user if user.role == Role.INVESTIGATOR else None
        try:
            case = casework.open_case(
                shipment.pk, at=at, by=user.username, assignee=own, text=form.cleaned_data["text"]
            )
        except DomainError as error:
            form.add_error("shipment", error.detail)
        else:
            if case_queries.files_for(user, at=at).filter(pk=case.pk).exists():
                return redirect("case-file", public_id=case.public_id)
            form.add_error("shipment", _("The file about this shipment is in somebody else's charge."))
    return render(request, "console/cases/list.html", _listed(request) | {"open_form": form}, status=422)


# --- one file ----------------------------------------------------------------------------------------------------------


@staff_view("cases.read")
@never_cache
@require_safe
def case_file(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a file with all that is in it."""
    return page(request, find(request, public_id))


def page(request: HttpRequest, case: Case, *, status: int = 200, **bound: forms.Form) -> HttpResponse:
    """Answer with the page of a file; ``bound``: forms as they were sent, in place of empty ones."""
    at, user = now(), _user(request)
    may = {name: allowed(user, f"cases.{name}") for name in ("work", "assign", "ask", "decide", "export")}
    may["caution"] = allowed(user, "diversion.caution")
    cautions = list(casework.cautions_of(case))
    investigators = case_queries.investigators(case)
    waiting = case_queries.waiting_question(case, at=at)
    heard = case_queries.heard(case, at=at)
    moves = [one for one in MOVES[case.state] if one in {"watch", "field_check"}]
    photos = case.photos.filter(answer=None, check_of=None).order_by("pk")
    context = {
        **vars(shown([case])[0]),
        "look": LOOKS.get(case.state, ""),
        "finding": case.finding,
        "may": may,
        "closed": case.state == Case.State.CLOSED,
        "decided": case.state in Case.DECIDED,
        "moves": []
        if case.state in {*Case.DECIDED, Case.State.CLOSED}
        else [(one, Case.State(one).label) for one in moves],
        "entries": [(row, _ICONS[row.kind], _told(row)) for row in case.entries.order_by("-pk")[:LOG_ROWS]],
        "checks": case.checks.order_by("-pk").prefetch_related("photos"),
        "photos": photos.exclude(content=None),
        "photos_gone": photos.filter(content=None),
        "questions": case.questions.order_by("-pk").prefetch_related("answers__uploads"),
        "waiting": waiting,
        "heard": heard,
        "decisions": case.decisions.order_by("-pk").select_related("heard"),
        "investigators": investigators,
        "investigated": user.username in investigators,
        "cautions": cautions,
        "cautions_open": sum(one.lifted_at is None for one in cautions),
        "scan_rate": 100 * case.finding.scans / case.finding.shipped_labels
        if case.finding and case.finding.shipped_labels
        else None,
        "charge_form": ChargeForm(
            initial={"to": case.assignee.username if case.assignee else None, "due_on": case.due_on}
        ),
        "note_form": NoteForm(),
        "decide_form": DecideForm(),
        "appeal_form": AppealForm(),
        "caution_form": CautionForm(),
        "lift_form": LiftForm(),
        "photo_form": PhotoForm(),
        **bound,
    }
    return render(request, "console/cases/file.html", context, status=status)


def _told(row: CaseEntry) -> str:
    """Return what a line of the log says beside its text."""
    data, kind = row.data, row.kind
    if kind == CaseEntry.Kind.MOVED:
        return str(Case.State(data["after"]).label)
    if kind == CaseEntry.Kind.ASSIGNED:
        return str(data["assignee"] or _("nobody"))
    if kind == CaseEntry.Kind.DUE:
        return day(date.fromisoformat(data["due_on"])) if data["due_on"] else _("no day")
    if kind == CaseEntry.Kind.DECIDED:
        return str(Case.State(data["decision"]).label)
    if kind == CaseEntry.Kind.PHOTO:
        return f"SHA-256 {data['sha256'][:12]}…"
    if kind == CaseEntry.Kind.ASKED:
        return _("until %(day)s") % {"day": day(date.fromisoformat(data["answer_by"]))}
    return ""


def act(
    request: HttpRequest, case: Case, sent: tuple[str, forms.Form], do: Callable[[dict[str, Any]], object], said: str
) -> HttpResponse:
    """Do something with a file and go back to it; a refusal comes back with the form as it was sent."""
    name, form = sent
    status = 422
    if form.is_valid():
        try:
            do(form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.detail)
            status = 409 if isinstance(error, Conflict) else 422
        else:
            messages.success(request, said)
            return redirect("case-file", public_id=case.public_id)
    case.refresh_from_db()
    return page(request, case, status=status, **{name: form})


@staff_view("cases.assign")
@require_POST
def case_assign(request: HttpRequest, public_id: str) -> HttpResponse:
    """Put somebody in charge, and say by when."""
    case, at, by = find(request, public_id), now(), _user(request).username

    def do(data: dict[str, Any]) -> None:
        casework.assign(case.pk, to=data["to"], at=at, by=by)
        casework.set_due(case.pk, due_on=data["due_on"], at=at, by=by)

    return act(request, case, ("charge_form", ChargeForm(request.POST)), do, _("Saved."))


class _MoveForm(forms.Form):
    seen = forms.CharField(max_length=11)
    to = forms.ChoiceField(choices=[(one, one) for one in (Case.State.WATCH, Case.State.FIELD_CHECK)])
    text = forms.CharField(max_length=2_000, required=False)


@staff_view("cases.work")
@require_POST
def case_move(request: HttpRequest, public_id: str) -> HttpResponse:
    """Move a file on: to be watched, or checked in the field."""
    case = find(request, public_id)
    return act(
        request, case, ("move_form", _MoveForm(request.POST)),
        lambda data: casework.move(case.pk, **data, at=now(), by=_user(request).username), _("The file has moved."),
    )  # fmt: skip


@staff_view("cases.decide")
@require_POST
def case_close(request: HttpRequest, public_id: str) -> HttpResponse:
    """Close a file that is decided."""
    case, seen, at = find(request, public_id), request.POST.get("seen", ""), now()
    return act(
        request, case, ("close_form", forms.Form(request.POST)),
        lambda _data: casework.move(case.pk, seen=seen, to=Case.State.CLOSED, at=at, by=_user(request).username),
        _("The file is closed."),
    )  # fmt: skip


@staff_view("cases.work")
@require_POST
def case_note(request: HttpRequest, public_id: str) -> HttpResponse:
    """Write a note into the log."""
    case = find(request, public_id)
    return act(
        request, case, ("note_form", NoteForm(request.POST)),
        lambda data: casework.note(case.pk, text=data["text"], at=now(), by=_user(request).username),
        _("The note is in the log."),
    )  # fmt: skip


@staff_view("cases.decide")
@require_POST
def case_decide(request: HttpRequest, public_id: str) -> HttpResponse:
    """Decide about a file."""
    case, seen = find(request, public_id), request.POST.get("seen", "")
    return act(
        request, case, ("decide_form", DecideForm(request.POST)),
        lambda data: casework.decide(case.pk, seen=seen, **data, at=now(), by=_user(request).username),
        _("The decision is written. The detector learns from it."),
    )  # fmt: skip


@staff_view("cases.decide")
@require_POST
def case_appeal(request: HttpRequest, public_id: str) -> HttpResponse:
    """Keep an objection that came to the brand by letter or telephone; the file opens again."""
    case = find(request, public_id)
    return act(
        request, case, ("appeal_form", AppealForm(request.POST)),
        lambda data: casework.appeal(case.pk, text=data["text"], at=now(), by=_user(request).username),
        _("The file is open again."),
    )  # fmt: skip


@staff_view("diversion.caution")
@require_POST
def case_caution(request: HttpRequest, public_id: str) -> HttpResponse:
    """Slow the rewards of the shipment's labels, or of one case's."""
    case, form = find(request, public_id), CautionForm(request.POST)
    unit_id = None
    if form.is_valid() and form.cleaned_data["unit"]:
        sscc = sscc_in(form.cleaned_data["unit"]) or ""
        unit = units_by_sscc([sscc]).get(sscc)
        if unit is None:
            form.add_error("unit", _("No case or pallet has that number."))
        else:
            unit_id = unit.pk

    def do(data: dict[str, Any]) -> None:
        casework.open_cautions(
            case.pk, effect=data["effect"], reason=data["reason"], unit_id=unit_id, text=data["text"], at=now(),
            by=_user(request).username,
        )  # fmt: skip

    return act(request, case, ("caution_form", form), do, _("The caution is open. Consumers are told nothing of it."))


@staff_view("diversion.caution")
@require_POST
def case_lift(request: HttpRequest, public_id: str) -> HttpResponse:
    """Lift the cautions of a file."""
    case = find(request, public_id)
    return act(
        request, case, ("lift_form", LiftForm(request.POST)),
        lambda data: casework.lift_cautions(case.pk, outcome=data["outcome"], at=now(), by=_user(request).username),
        _("The cautions of this file are lifted."),
    )  # fmt: skip
