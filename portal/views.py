"""The portal's pages: start, stock, documents, points, report."""

from datetime import date
from pathlib import Path
from typing import Any
from uuid import uuid4

from django.conf import settings
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _, pgettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from channel import acts as goods, taking_back
from channel.acts import Item
from channel.models import Document, Line
from common.charts import share
from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from ledger import queries as ledger
from portal import acts, points, questions, replies, report, scan_views, stock
from portal.door import HOME, PortalRequest, page, portal_view
from redemption.wallet import expiring


@portal_view("portal.read")
@require_safe
def home(request: PortalRequest) -> HttpResponse:
    """Show what waits for this partner."""
    partner = request.partner
    found = stock.rows(partner, list(stock.documents(partner).order_by("-recorded_at", "-id")[:5]))
    context: dict[str, Any] = {
        "expected": stock.expected(partner),
        "asked": stock.asked(partner),
        "units": sum(one.units for one in stock.holdings(partner)),
        "balance": ledger.balance(partner.account_id),
        "rows": found,
        "questions": questions.open_questions(partner.pk, at=now()),
        "any_questions": replies.all_of(partner).exists(),
    }
    return page(request, "home.html", **context)


@portal_view("portal.read")
@require_safe
def holdings(request: PortalRequest) -> HttpResponse:
    """Show what the partner has now, by product."""
    found = stock.holdings(request.partner)
    if wants_csv(request):
        columns: list[Column] = [
            (_("Product"), "product"),
            (_("Cases"), "cases"),
            (_("Units"), "units"),
            (_("of these damaged"), "damaged"),
            (_("of these to be inspected"), "to_inspect"),
            (_("On the way"), "coming"),
        ]
        return csv_response(found, columns, "stock")
    names = ("cases", "units", "coming")
    sums = {name: sum(getattr(one, name) for one in found) for name in names}
    return page(request, "stock.html", holdings=found, sums=sums)


# --- documents ---------------------------------------------------------------------------------------------------------


@portal_view("portal.read")
@require_http_methods(["GET", "HEAD", "POST"])
def documents(request: PortalRequest) -> HttpResponse:
    """List the partner's documents, newest first; or record one that a device sends."""
    if request.method == "POST":
        return scan_views.record(request)
    found = stock.documents(request.partner)
    if wants_csv(request):
        listed = stock.rows(request.partner, list(found.order_by("-recorded_at", "-id")[:10_000]))
        columns: list[Column] = [
            (_("Day"), lambda row: row.document.happened_at),
            (_("What"), "title"),
            (_("Other side"), "other"),
            (_("Items"), "labels"),
            (_("State"), "state"),
            (_("Number"), "number"),
        ]
        return csv_response(listed, columns, "documents")
    one_page = keyset_page(found, request, order=("-recorded_at", "-id"), limit=20)
    return page(request, "documents.html", page=one_page, rows=stock.rows(request.partner, one_page.rows))


@portal_view("portal.read")
@require_safe
def document(request: PortalRequest, public_id: str) -> HttpResponse:
    """Show a document with the answer to each of its lines; a shipment that is under way can be confirmed here."""
    found = _document(request, public_id)
    lines = stock.lines_of(request.partner, found)
    if wants_csv(request):
        columns: list[Column] = [
            (pgettext("portal", "Line"), "item"),
            (_("Product"), "product"),
            (_("Items"), "labels"),
            (_("Answer"), "outcome"),
            (_("Why"), "said"),
        ]
        return csv_response(lines, columns, found.public_id)
    row = stock.row(request.partner, found)
    confirms = row.waits and found.kind == Document.Kind.SHIPMENT
    context: dict[str, Any] = {
        "row": row,
        "lines": lines,
        "own": found.issuer_id == request.partner.pk,
        "expected": stock.expected_of(request.partner, found) if confirms else None,
        "conditions": [(value, label) for value, label in Line.Condition.choices if value != Line.Condition.OVER],
        "key": f"page-{uuid4()}",
        "undoes": stock.can_be_undone(request.partner, found, by=request.user.get_username(), at=now()),
    }
    return page(request, "document.html", **context)


@portal_view("portal.move")
@require_POST
def confirm(request: PortalRequest, public_id: str) -> HttpResponse:
    """Confirm a shipment line by line: in full, missing, damaged. The form's key names the receipt."""
    found = _document(request, public_id)
    key = request.POST.get("key", "")
    given = zip(request.POST.getlist("text"), request.POST.getlist("condition"), strict=False)
    lines = tuple(Item(text[:300], condition) for text, condition in list(given)[:5_000])
    if not scan_views.KEY.fullmatch(key) or not lines:
        messages.error(request, _("This page was open for too long. Nothing was sent: load it again."))
        return redirect(f"/portal/documents/{public_id}")
    new = acts.NewDocument(act="receive", lines=lines, shipment=found.public_id)
    try:
        answer = acts.record(request.partner, new, key=key, at=now(), by=request.user.get_username())
    except DomainError as error:
        messages.error(request, str(error.detail))
        return redirect(f"/portal/documents/{public_id}")
    messages.success(request, stock.summary(answer.document))
    return redirect(f"/portal/documents/{answer.document.public_id}")


@portal_view("portal.move")
@require_POST
def decide(request: PortalRequest, public_id: str) -> HttpResponse:
    """Agree to a transfer that somebody proposed, or refuse it."""
    found = _document(request, public_id)
    side = "source" if found.source_id == request.partner.pk else "destination"
    if found.kind != Document.Kind.TRANSFER:
        raise Http404
    try:
        if request.POST.get("decision") == "yes":
            goods.agree(found, side=side, at=now())
        else:
            goods.refuse(found, at=now())
    except DomainError as error:
        messages.error(request, str(error.detail))
    else:
        messages.success(request, _("Your answer is recorded."))
    return redirect(f"/portal/documents/{public_id}")


@portal_view("portal.move")
@require_POST
def undo(request: PortalRequest, public_id: str) -> HttpResponse:
    """Take back what one has recorded at the portal oneself, within ten days, with a reason."""
    found = _document(request, public_id)
    reason, by = request.POST.get("reason", "").replace("\x00", ""), request.user.get_username()
    if not reason.strip():
        messages.error(request, _("Say in a few words why you take it back."))
        return redirect(f"/portal/documents/{public_id}")
    try:
        answer = taking_back.undo(found, at=now(), by=by, site=acts.SITE, reason=reason)
    except DomainError as error:
        messages.error(request, str(error.detail))
        return redirect(f"/portal/documents/{public_id}")
    messages.success(request, _("It is taken back: the goods are again where they were before."))
    return redirect(f"/portal/documents/{answer.document.public_id}")


def _document(request: PortalRequest, public_id: str) -> Document:
    found = stock.document(request.partner, public_id)
    if found is None:
        raise Http404
    return found


# --- points and report ----------------------------------------------------------------------------------------------------


@portal_view("portal.read")
@require_safe
def my_points(request: PortalRequest) -> HttpResponse:
    """Show the balance and the statement: by day, never by consumer."""
    account = request.partner.account
    if wants_csv(request):
        columns: list[Column] = [
            (_("Day"), "day"),
            (_("What"), "title"),
            (_("How many"), "count"),
            (_("Points"), "points"),
        ]
        return csv_response(points.all_days(account.pk), columns, "points")
    cursor = request.GET.get("cursor", "")
    entries, older = points.days(account.pk, cursor=int(cursor) if _is_id(cursor) else None)
    context: dict[str, Any] = {
        "balance": ledger.balance(account.pk),
        "held": account.held,
        "entries": entries,
        "older": older,
        "lots": expiring(account.pk, now()),
    }
    return page(request, "points.html", **context)


@portal_view("portal.read")
@require_safe
def my_report(request: PortalRequest) -> HttpResponse:
    """Show the partner's own area, how much of its shipments is scanned, and what others' goods do there."""
    at, zone = now(), request.tenant.time_zone  # type: ignore[attr-defined]
    what = request.GET.get("what", "")
    if wants_csv(request) and what == "coverage":
        return _coverage_csv(report.coverage(request.partner, at=at, zone=zone))
    own = report.own_weeks(request.partner, at=at, zone=zone)
    if wants_csv(request) and what == "own":
        return _own_csv(own)
    weeks = report.surfaced(request.partner, at=at, zone=zone)
    if wants_csv(request):
        return _surfaced_csv(weeks)
    new, old = report.split(weeks)
    context: dict[str, Any] = {
        "territories": report.territories(request.partner, at=at),
        "coverage": report.coverage(request.partner, at=at, zone=zone),
        "drawing": report.drawing(request.partner, weeks, at=at),
        "own": _bars([(week.starts_on, week.packs) for week in own]),
        "weeks": _bars([(week.starts_on, week.total) for week in weeks]),
        "cells": new,
        "older": old,
        "questions": questions.open_questions(request.partner.pk, at=at),
    }
    return page(request, "report.html", **context)


def _bars(weeks: list[tuple[date, int | None]]) -> list[tuple[date, int | None, float]]:
    top = max((packs or 0 for _day, packs in weeks), default=0)
    return [(day, packs, share(packs or 0, top)) for day, packs in weeks]


def _own_csv(found: list[report.OwnWeek]) -> HttpResponse:
    columns: list[Column] = [
        (_("Week from"), "starts_on"),
        (_("Scanned, at least"), lambda one: _("too few to say") if one.packs is None else one.packs),
    ]
    return csv_response(found, columns, "own-goods")


def _coverage_csv(found: list[report.Coverage]) -> HttpResponse:
    columns: list[Column] = [
        (_("Day"), lambda one: one.document.happened_at),
        (_("Other side"), "other"),
        (_("Items"), "labels"),
        (_("Scanned, at least"), lambda one: _("too few to say") if one.scanned is None else one.scanned),
    ]
    return csv_response(found, columns, "coverage")


def _surfaced_csv(weeks: list[report.Week]) -> HttpResponse:
    rows: list[tuple[date, str, str, int | str]] = []
    for week in weeks:
        rows += [(cell.week, cell.place, cell.product, cell.packs) for cell in week.cells]
        rows.append((week.starts_on, _("all places"), _("all products"), week.total or _("too few to say")))
    columns: list[Column] = [
        (_("Week from"), lambda row: row[0]),
        (_("City"), lambda row: row[1]),
        (_("Product"), lambda row: row[2]),
        (_("Packs seen"), lambda row: row[3]),
    ]
    return csv_response(rows, columns, "others-goods")


def _is_id(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 19


# --- for the telephone's first screen, and without a network -----------------------------------------------------------------


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """Say how a telephone shows the portal on its first screen."""
    brand = request.tenant  # type: ignore[attr-defined]
    described: dict[str, Any] = {
        "name": _("{brand} portal").format(brand=brand.display_name),
        "short_name": brand.display_name[:12],
        "start_url": HOME,
        "scope": HOME,
        "display": "standalone",
        "background_color": brand.colour,
        "theme_color": brand.colour,
        "icons": [{"src": "/brand/logo.svg", "sizes": "any", "type": "image/svg+xml"}] if brand.logo_svg else [],
    }
    return JsonResponse(described, content_type="application/manifest+json")


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """Hand out the service worker from below /portal/, which is all that it may serve."""
    source = (Path(settings.BASE_DIR) / "static" / "portal" / "sw.js").read_text()
    answer = HttpResponse(source, content_type="text/javascript; charset=utf-8")
    answer["Cache-Control"] = "no-cache"
    return answer
