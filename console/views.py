"""Pages that see several apps: today, search, label history, receipts, jobs, the brand's settings."""

from collections.abc import Callable
from datetime import timedelta
from operator import itemgetter
from typing import Any

from django.contrib import messages
from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from brands.services import change_brand
from common.clock import now
from common.errors import DomainError
from common.jobs import ask_cancel
from common.models import Job
from common.tables import Column, csv_response, keyset_page, wants_csv
from console import history, navigation, today as figures
from console.diversion import code_views
from console.diversion.alarms import finding_alarms
from console.events import CHECKS, LABEL, POINTS
from console.forms import BrandForm
from console.outcomes import DOORS, LOOKS, look_of
from console.scanned import hides, readings
from console.search import cleaned, kinds, label_no_of, search
from labels import queries as labels
from members.models import Member
from redemption.messages import say
from redemption.models import ConsumerReport, Scan, ScanPlace, WasThatYou
from redemption.receipts import receipts_of
from redemption.rules import AskerKind, Detail, Outcome, asker_of
from redemption.services import take_back
from staff import audit
from staff.approvals import NeedsApproval
from staff.models import Role, User
from staff.permissions import allowed, staff_view

# --- today ---------------------------------------------------------------------------------------------------------


@staff_view("console.read")
def today(request: HttpRequest) -> HttpResponse:
    """Show today against the same weekday a week ago."""
    found = figures.today(now())
    tables: dict[str, Callable[[], list[figures.Row]]] = {
        "answers": lambda: figures.answer_rows(found),
        "doors": lambda: figures.door_rows(found),
        "cities": lambda: figures.city_rows(found),
        "funnel": lambda: figures.funnel_rows(found),
    }
    of = request.GET.get("of", "hours")
    if wants_csv(request):
        if of in tables:
            columns: list[Column] = [(_("Name"), "name"), (_("Count"), "count"), (_("A week ago"), "before")]
            return csv_response(tables[of](), columns, f"today-{of}")
        return csv_response(
            _hours(found),
            [(_("Hour"), itemgetter(0)), (_("Today"), itemgetter(1)), (_("A week ago"), itemgetter(2))],
            "today-hours",
        )
    context = {name: make() for name, make in tables.items()}
    return render(
        request,
        "console/today.html",
        {
            "found": found,
            "week_ago": found.start - timedelta(days=figures.DAYS),
            "chart": figures.chart(found),
            "hours": _hours(found),
            "alarms": [*figures.alarms(found), *finding_alarms(_user(request))],
            "jobs": Job.objects.order_by("-created_at", "-id")[:5],
            "total": sum(found.hours_now),
            **context,
        },
    )


def _hours(found: figures.Today) -> list[tuple[str, int | None, int]]:
    ahead = [None] * (24 - len(found.hours_now))
    pairs = zip([*found.hours_now, *ahead], found.hours_before, strict=True)
    return [(f"{hour:02}:00", now_count, before) for hour, (now_count, before) in enumerate(pairs)]


# --- search and labels ---------------------------------------------------------------------------------------------


@staff_view("console.read")
@never_cache
def find(request: HttpRequest) -> HttpResponse:
    """Try what was typed as every kind of number; by POST, since codes and phone numbers never stand in a URL."""
    typed = cleaned(request.POST.get("q", ""))
    read = readings(typed) if typed else []
    hits = search(typed, read, _user(request))
    if len(hits) == 1 and not any(reading.notes and not reading.bare for reading in read):
        for reading in read:
            if len(reading.parts) > 1:
                messages.info(request, reading.line())
        return redirect(hits[0].href)
    shown = "" if typed and hides(typed, read) else typed
    context = {"hits": hits, "search_text": shown, "read": read, "kinds": kinds(), "asked": bool(typed)}
    return render(request, "console/search.html", context)


@staff_view("labels.read")
@never_cache
def label_find(request: HttpRequest) -> HttpResponse:
    """Ask for a label by serial, hidden code or link."""
    typed, error = request.POST.get("code", ""), ""
    if request.method == "POST":
        label_no = label_no_of(typed)
        if label_no is not None:
            return redirect(f"/console/labels/{labels.serials_of([label_no])[0]}")
        error = _why_not(typed)
    context = {"typed": typed, "error": error, "recent": _recent_labels()}
    return render(request, "console/label_find.html", context, status=422 if error else 200)


def _why_not(typed: str) -> str:
    found = labels.resolve(typed.strip()[:300].replace("\x00", ""), purpose="secret")
    if found.status is labels.Status.MALFORMED:
        return _("That is neither a serial nor a code: compare its length with the label.")
    if found.status is labels.Status.TYPO:
        return _("One digit seems wrong: the check symbol does not fit.")
    return _("No label of this brand has that number.")


def _recent_labels() -> list[tuple[str, Scan, Any]]:
    scans = list(Scan.objects.filter(label_no__isnull=False).order_by("-id")[:10])
    serials = labels.serials_of([scan.label_no for scan in scans if scan.label_no is not None])
    return [(serial, scan, look_of(scan.outcome, scan.by)) for serial, scan in zip(serials, scans, strict=True)]


def _label_no(serial: str) -> int:
    """Return the label of an address. By its serial alone: a hidden code never stands in a URL."""
    label_no = labels.resolve(serial, purpose="serial").label_no
    if label_no is None:
        raise Http404
    return label_no


@staff_view("labels.read")
def label(request: HttpRequest, serial: str) -> HttpResponse:
    """Show the life of one label."""
    label_no = _label_no(serial)
    user = _user(request)
    found = history.history_of(label_no, at=now(), sees_people=allowed(user, "members.read"))
    show = request.GET.get("show", "")
    events = [event for event in found.events if show in ("", event.group)]
    if wants_csv(request):
        names = ("at", "group", "title", "detail", "door", "ref")
        return csv_response(events, [(name, name) for name in names], f"label-{found.serial}")
    groups = ((CHECKS, _("Checks")), (LABEL, _("Label")), (POINTS, _("Points")))
    chips = [(name, word, sum(event.group == name for event in found.events)) for name, word in groups]
    context = {
        "found": found,
        "events": events,
        "show": show,
        "chips": chips,
        "may_block": allowed(user, "labels.block"),
        **(code_views.of_label(label_no, user) if allowed(user, "diversion.read") else {}),
        "may_reverse": allowed(user, "redemption.reverse") and found.redemption and not found.reversal,
    }
    return render(request, "console/label.html", context)


@staff_view("redemption.reverse")
def label_reverse(request: HttpRequest, serial: str) -> HttpResponse:
    """Take the points of a redemption back from all parties, after its serial was typed."""
    label_no = _label_no(serial)
    found = history.history_of(label_no, at=now(), sees_people=allowed(_user(request), "members.read"))
    if found.redemption is None or found.reversal is not None:
        raise Http404
    typed = request.POST.get("typed", "").replace(" ", "").upper()
    reason, errors = request.POST.get("reason", "").strip(), {}
    if request.method == "POST":
        if typed != found.serial:
            errors["typed"] = _("That is not the serial of this label.")
        if not reason:
            errors["reason"] = _("Say why, for the record.")
        if not errors:
            return _reverse(request, found, reason)
    context = {"found": found, "errors": errors, "reason": reason}
    return render(request, "console/label_reverse.html", context, status=422 if errors else 200)


def _reverse(request: HttpRequest, found: history.History, reason: str) -> HttpResponse:
    try:
        take_back(found.label_no, at=now(), by=_user(request), reason=reason)
    except NeedsApproval as asked:
        messages.warning(request, str(asked.detail))
        return redirect(f"/console/approvals/{asked.approval.pk}")
    except DomainError as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("The points are taken back. The code stays used."))
    return redirect(f"/console/labels/{found.serial}")


# --- receipts and reports --------------------------------------------------------------------------------------------


@staff_view("redemption.read")
def receipts(request: HttpRequest) -> HttpResponse:
    """List what was asked and answered, newest first."""
    outcome, door, show = (request.GET.get(name, "") for name in ("outcome", "door", "show"))
    found = Scan.objects.all()
    if outcome in LOOKS:
        found = found.filter(outcome=Outcome(outcome))
    if door in DOORS:
        found = found.filter(door=door)
    if show == "wrong_gtin":
        found = found.filter(detail=Detail.WRONG_GTIN)
    if show == "strangers":
        found = found.filter(pk__in=WasThatYou.objects.filter(yes=False).values("scan_id"))
    if wants_csv(request):
        columns: list[Column] = [
            (_("Receipt"), lambda row: row["number"]),
            (_("Time"), lambda row: row["scan"].at),
            (_("Answer"), lambda row: row["look"].word),
            (_("Door"), lambda row: DOORS[row["scan"].door]),
            (_("Place"), lambda row: row["place"]),
            (_("Points"), lambda row: row["scan"].points),
        ]
        return csv_response(_scan_rows(list(found.order_by("-id")[:10_000])), columns, "receipts")
    page = keyset_page(found, request, order=("-id",))
    context = {
        "page": page,
        "rows": _scan_rows(page.rows),
        "outcome": outcome,
        "door": door,
        "show": show,
        "outcomes": [(name.value, look.word) for name, look in LOOKS.items() if name is not Outcome.TOO_MANY_TRIES],
    }
    return render(request, "console/receipts.html", context)


def _scan_rows(scans: list[Scan]) -> list[dict[str, Any]]:
    ids = [scan.pk for scan in scans]
    numbers = labels.receipt_nos(ids) if ids else []
    places = {place.scan_id: history.city_of(place) for place in ScanPlace.objects.filter(scan_id__in=ids)}
    known = sorted({scan.label_no for scan in scans if scan.label_no is not None})
    serials = dict(zip(known, labels.serials_of(known), strict=True)) if known else {}
    return [
        {
            "scan": scan,
            "number": number,
            "look": look_of(scan.outcome, scan.by),
            "door": DOORS[scan.door],
            "place": places.get(scan.pk, ""),
            "serial": serials.get(scan.label_no or 0, ""),
        }
        for scan, number in zip(scans, numbers, strict=True)
    ]


@staff_view("redemption.read")
def receipt(request: HttpRequest, number: str) -> HttpResponse:
    """Show one attempt: what was asked, and the very words of the answer."""
    scan_id = labels.scan_id_of(number)
    scan = get_object_or_404(Scan, pk=scan_id or 0)
    row, answer = _scan_rows([scan])[0], receipts_of([scan])[0]
    kind, member_number = asker_of(scan.asker) if scan.asker is not None else (None, 0)
    member = Member.objects.filter(pk=member_number).first() if kind is AskerKind.MEMBER else None
    context = {
        **row,
        "answer": answer,
        "text": say(answer, getattr(request, "LANGUAGE_CODE", "en"), scan.door),
        "member": member if allowed(_user(request), "members.read") else None,
        "kind": kind,
        "said": WasThatYou.objects.filter(scan_id=scan.pk).order_by("-id").first(),
    }
    return render(request, "console/receipt.html", context)


@staff_view("redemption.read")
def reports(request: HttpRequest) -> HttpResponse:
    """List what consumers told about things that are not what they bought."""
    found = ConsumerReport.objects.all()
    if wants_csv(request):
        columns: list[Column] = [
            (_("Time"), "at"),
            (_("What is wrong"), lambda report: report.get_kind_display()),
            (_("Label"), "label"),
            (_("Bought at"), "bought_at"),
            (_("Note"), "note"),
        ]
        return csv_response(found.order_by("-at", "-id"), columns, "reports")
    page = keyset_page(found, request, order=("-at", "-id"))
    numbers = [label_no_of(report.label) if report.label else None for report in page.rows]
    known = sorted({number for number in numbers if number is not None})
    serials = dict(zip(known, labels.serials_of(known), strict=True)) if known else {}
    rows = [(report, serials.get(number or 0, "")) for report, number in zip(page.rows, numbers, strict=True)]
    return render(request, "console/reports.html", {"page": page, "rows": rows})


# --- jobs ----------------------------------------------------------------------------------------------------------


@staff_view("jobs.read")
def jobs(request: HttpRequest) -> HttpResponse:
    """List long work, newest first."""
    found = Job.objects.all()
    state = request.GET.get("state", "")
    if state in Job.State.values:
        found = found.filter(state=state)
    if wants_csv(request):
        names = (
            "public_id",
            "kind",
            "subject",
            "state",
            "done",
            "total",
            "asked_by",
            "created_at",
            "ended_at",
            "error",
        )
        return csv_response(found.order_by("-created_at", "-id"), [(name, name) for name in names], "jobs")
    context = {"page": keyset_page(found, request), "state": state, "states": Job.State.choices}
    return render(request, "console/jobs.html", context)


@staff_view("jobs.read")
def job(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one piece of long work."""
    found = get_object_or_404(Job, public_id=public_id)
    context = {"job": found, "may_cancel": allowed(_user(request), "jobs.cancel") and not found.ended}
    return render(request, "console/job.html", context)


@staff_view("jobs.read")
def job_progress(request: HttpRequest, public_id: str) -> HttpResponse:
    """Return the progress alone; the page asks every two seconds."""
    found = get_object_or_404(Job, public_id=public_id)
    response = render(request, "console/job_progress.html", {"job": found})
    if found.ended:
        response["HX-Refresh"] = "true"
    return response


@staff_view("jobs.read")
def job_indicator(request: HttpRequest) -> HttpResponse:
    """Return the ring in the top bar."""
    found = navigation.running_job()
    context = {"job": found, "job_percent": navigation.percent_of(found)}
    return render(request, "console/jobs_indicator.html", context)


@staff_view("jobs.cancel")
@require_POST
def job_cancel(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask a job to stop at its next step."""
    found = get_object_or_404(Job, public_id=public_id)
    ask_cancel(found.pk, at=now())
    messages.success(request, _("The job is asked to stop. It does so at its next step."))
    return redirect(f"/console/jobs/{public_id}")


# --- the brand -----------------------------------------------------------------------------------------------------


@staff_view("brand.read")
def brand(request: HttpRequest) -> HttpResponse:
    """Show and change names, hotline, colours and logo."""
    tenant = connection.tenant  # type: ignore[attr-defined]
    initial = {name: getattr(tenant, name) for name in BrandForm.base_fields}
    form = BrandForm(request.POST or None, initial=initial, owner=_user(request).role == Role.OWNER)
    if request.method == "POST":
        return _change_brand(request, form)
    return render(request, "console/brand.html", {"form": form, "may_edit": allowed(_user(request), "brand.edit")})


@staff_view("brand.edit")
def _change_brand(request: HttpRequest, form: BrandForm) -> HttpResponse:
    if not form.is_valid():
        return render(request, "console/brand.html", {"form": form, "may_edit": True}, status=422)
    changed = change_brand(connection.tenant, **form.cleaned_data)  # type: ignore[attr-defined]
    if changed:
        audit.record("change_brand", at=now(), table="brands_brand", facts={"changed": sorted(changed)})
    messages.success(request, _("Saved. Every page shows it within ten seconds."))
    return redirect("/console/brand")


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - staff_view let nobody else in
    return request.user
