"""Goods on the console: documents line by line, units with their history, regions, and what is recorded by hand."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _, pgettext
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channel import acts, services, taking_back
from channel.acts import Answer, Item, Paper
from channel.forms import ContractForm, GoodsForm, TerritoryForm
from channel.goods import custodies_at, owners_of
from channel.items import contents, units_by_sscc
from channel.models import Document, Line, Partner, Region
from channel.packing import know
from channel.papers import UnknownPartner
from channel.reasons import reason_text
from channel.sheets import sheet
from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from staff.models import User
from staff.permissions import allowed, staff_view

PARTIES = ("issuer", "source", "destination")


@staff_view("channel.read")
@require_GET
def documents(request: HttpRequest) -> HttpResponse:
    """List documents of goods, newest first, by kind, by partner, or those with lines that the desk must look at."""
    kind, text = request.GET.get("kind", ""), request.GET.get("q", "").strip().replace("\x00", "")[:80]
    found = Document.objects.select_related(*PARTIES)
    if kind == "desk":
        found = found.filter(lines__reason="held_by_other").distinct()
    elif kind in Document.Kind.values:
        found = found.filter(kind=kind)
    if text:
        named = Q(number__istartswith=text) | Q(source__number=text.upper()) | Q(destination__number=text.upper())
        found = found.filter(named)
    if wants_csv(request):
        columns: list[Column] = [
            (_("Number"), "number"),
            (_("Kind"), lambda row: row.get_kind_display()),
            (pgettext("goods", "From"), lambda row: row.source.number if row.source else ""),
            (pgettext("goods", "To"), lambda row: row.destination.number if row.destination else ""),
            (_("Result"), lambda row: row.get_status_display()),
            (_("Labels"), "labels"),
            (_("Happened at"), "happened_at"),
            (_("Recorded at"), "recorded_at"),
        ]
        return csv_response(found.order_by("-recorded_at", "-id"), columns, "documents")
    context = {
        "page": keyset_page(found, request, order=("-recorded_at", "-id")),
        "kind": kind,
        "kinds": Document.Kind.choices,
        "q": text,
        "may_edit": allowed(request.user, "channel.goods"),
        "may_recall": allowed(request.user, "labels.recall"),
    }
    return render(request, "channel/documents.html", context)


@staff_view("channel.read")
@require_GET
def document(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a document and what became of each line."""
    found = _document(public_id)
    lines = found.lines.select_related("unit", "held_by").order_by("place")[:500]
    context = {
        "document": found,
        "lines": [(line, reason_text(line.reason)) for line in lines],
        "hash": bytes(found.content_hash).hex(),
        "may_edit": allowed(request.user, "channel.goods"),
        "referring": found.referring.order_by("id"),
    }
    return render(request, "channel/document.html", context)


@staff_view("channel.goods")
@require_POST
def decide(request: HttpRequest, public_id: str) -> HttpResponse:
    """Agree to a transfer or refuse it for the brand; cancel a document."""
    found, act = _document(public_id), request.POST.get("act", "")
    try:
        if act == "agree":
            acts.agree(found, side="brand", at=now())
        elif act == "refuse":
            acts.refuse(found, at=now(), reason=request.POST.get("reason", ""))
        else:
            page = Paper(f"cancel-{public_id}", found.issuer, None, now(), _by(request), reason=_("on the console"))
            taking_back.cancel(page, found)
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("That is recorded."))
    return redirect(f"/console/goods/{public_id}")


@staff_view("channel.read")
@require_GET
def unit(request: HttpRequest, sscc: str) -> HttpResponse:
    """Show a pack, case or pallet: what is in it, what it is in, and where it went."""
    know([sscc])
    found = units_by_sscc([sscc]).get(sscc)
    if found is None:
        raise Http404
    at = now()
    parts, _below = contents([found.pk], at)[found.pk]
    [held] = custodies_at([parts[0][0]], [at]) if parts else [None]
    context = {
        "unit": found,
        "may_edit": allowed(request.user, "channel.goods"),
        "count": sum(end - first for first, end in parts),
        "holder": Partner.objects.filter(pk=held.partner_id).first() if held and held.partner_id else None,
        "held": held,
        "ranges": found.ranges.order_by("-opened_at", "label_range")[:200],
        "children": found.children.select_related("child").order_by("-opened_at", "child__sscc")[:200],
        "parents": found.parents.select_related("parent").order_by("-opened_at"),
        "aliases": found.aliases.order_by("replaced_at"),
        "lines": Line.objects.filter(unit=found)
        .select_related("document")
        .order_by("-document__happened_at", "-id")[:100],
    }
    return render(request, "channel/unit.html", context)


@staff_view("channel.goods")
@require_http_methods(["GET", "POST"])
def record(request: HttpRequest) -> HttpResponse:
    """Record what happened to goods: lines typed, pasted or from a file; the answer names what became of each."""
    form = GoodsForm(request.POST or None, request.FILES or None)
    if request.method == "POST" and form.is_valid():
        try:
            answer = _recorded(request, form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            return redirect(f"/console/goods/{answer.document.public_id}")
    return render(request, "channel/record.html", {"form": form}, status=422 if form.is_bound else 200)


@staff_view("channel.read")
@require_GET
def regions(request: HttpRequest) -> HttpResponse:
    """Show the regions in one, or those of a name, and whose they are today."""
    code, text = (request.GET.get(name, "").strip().replace("\x00", "")[:80] for name in ("in", "q"))
    place = Region.objects.select_related("parent").filter(code=code).first() if code else None
    found = Region.objects.select_related("replaced_by")
    found = found.filter(parent=place) if place or not text else found
    if text:
        found = found.filter(Q(code__istartswith=text) | Q(name__icontains=text) | Q(name_zh__icontains=text))
    page = keyset_page(found, request, order=("code",))
    owners = owners_of([(row.code, None, now()) for row in page.rows])
    names = {one.pk: one for one in Partner.objects.filter(pk__in={pk for some in owners for pk in some})}
    above: list[Region] = []
    while place is not None:
        above.insert(0, place)
        place = place.parent
    context = {
        "page": page,
        "rows": [(row, [names[pk] for pk in some]) for row, some in zip(page.rows, owners, strict=True)],
        "above": above,
        "q": text,
    }
    return render(request, "channel/regions.html", context)


@staff_view("channel.edit")
@require_http_methods(["GET", "POST"])
def territories(request: HttpRequest, public_id: str) -> HttpResponse:
    """Give a partner a territory."""
    return _right(request, public_id, TerritoryForm, services.give_territory, _("Give a territory"))


@staff_view("channel.edit")
@require_http_methods(["GET", "POST"])
def contracts(request: HttpRequest, public_id: str) -> HttpResponse:
    """Note a contract with a partner."""
    return _right(request, public_id, ContractForm, services.add_contract, _("Note a contract"))


def _right(request: HttpRequest, public_id: str, form_class: Any, act: Callable[..., Any], title: str) -> HttpResponse:
    partner = Partner.objects.filter(public_id=public_id).first()
    if partner is None:
        raise Http404
    form = form_class(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            act(partner, **form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("That is recorded."))
            return redirect(f"/console/partners/{public_id}")
    context = {"partner": partner, "form": form, "title": title}
    return render(request, "channel/right.html", context, status=422 if form.is_bound else 200)


def _recorded(request: HttpRequest, data: dict[str, Any]) -> Answer:
    items = _items(data["items"], data["file"])
    partner, giver = (
        Partner.objects.filter(number=data[name].strip().upper()).first() for name in ("partner", "giver")
    )
    act = data["act"]
    if (partner is None and act in {"ship", "receive", "return", "transfer"}) or (giver is None and act == "transfer"):
        raise UnknownPartner
    issuer = partner if act in {"receive", "return"} else None
    page = Paper(data["number"].strip(), issuer, data["happened_at"], now(), _by(request), "", data["reason"])
    if act == "ship" and partner:
        return acts.ship(page, items, source=None, destination=partner)
    if act == "receive" and partner:
        return acts.receive(page, items, receiver=partner)
    if act == "return" and partner:
        return acts.give_back(page, items, source=partner)
    if act == "transfer" and partner and giver:
        return acts.propose_transfer(page, items, source=giver, destination=partner)
    if act in {"release", "destroy"}:
        return acts.inspect(page, items, holder=None, resale=act == "release")
    return acts.steal(page, items)


def _items(text: str, file: UploadedFile | None) -> list[Item]:
    """Read lines as typed, and of a CSV file the columns item and condition. Raises `BadPaper`."""
    found = []
    for line in filter(None, map(str.strip, text.splitlines())):
        item, _comma, condition = line.rpartition(",")
        known = condition.strip() in Line.Condition.values
        found.append(Item(item.strip(), condition.strip()) if known else Item(line))
    if file is None:
        return found
    return found + [Item(row["item"], row.get("condition", "")) for row in sheet(file, "item")]


def _document(public_id: str) -> Document:
    found = Document.objects.select_related(*PARTIES, "refers", "market").filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found


def _by(request: HttpRequest) -> str:
    return request.user.username if isinstance(request.user, User) else ""
