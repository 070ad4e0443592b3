"""Units by hand on the console: filled, opened, and given a new label."""

from collections.abc import Callable
from typing import Any

from django.contrib import messages
from django.core.files.uploadedfile import UploadedFile
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods

from channel import packing
from channel.acts import Answer, BadPaper, Item, Paper
from channel.forms import OpenForm, PackForm, PackingListForm, RelabelForm
from channel.items import read, units_by_sscc
from channel.models import Document, Unit
from channel.packing import Filling
from channel.sheets import sheet
from common.clock import now
from common.errors import DomainError
from common.ids import new_public_id
from staff.models import User
from staff.permissions import staff_view


@staff_view("channel.goods")
@require_http_methods(["GET", "POST"])
def pack(request: HttpRequest) -> HttpResponse:
    """Put labels and units into a unit, new or known; scanned one below the other, or typed."""
    asked = request.GET.get("sscc", "")[:18]
    known = units_by_sscc([asked]).get(asked) if asked.isdecimal() else None
    initial = {"sscc": known.sscc, "kind": known.kind, "lot": known.lot} if known else {}
    form = PackForm(request.POST or None, initial={"number": _proposed("PACK"), **initial})

    def act(data: dict[str, Any]) -> Answer:
        sscc = data["sscc"] or packing.number_for(Document.Kind.PACKING, data["number"].strip())
        lines = filter(None, map(str.strip, data["items"].splitlines()))
        return packing.pack(_paper(request, data), [Filling(sscc, data["kind"], text, data["lot"]) for text in lines])

    return _page(request, form, act, title=_("Pack by hand"), submit=_("Pack"), back="/console/goods")


@staff_view("channel.goods")
@require_http_methods(["GET", "POST"])
def packing_list(request: HttpRequest) -> HttpResponse:
    """Take in a packing list: which things went into which units."""
    form = PackingListForm(request.POST or None, request.FILES or None, initial={"number": _proposed("LIST")})

    def act(data: dict[str, Any]) -> Answer:
        return packing.pack(_paper(request, data), _fillings(data["file"]))

    return _page(request, form, act, title=_("Packing list"), submit=_("Take in"), back="/console/goods")


@staff_view("channel.goods")
@require_http_methods(["GET", "POST"])
def unpack(request: HttpRequest, sscc: str) -> HttpResponse:
    """Open a unit, or take some of it out."""
    unit = _unit(sscc)
    form = OpenForm(request.POST or None, initial={"number": _proposed("OPEN")})

    def act(data: dict[str, Any]) -> Answer:
        lines = filter(None, map(str.strip, data["items"].splitlines()))
        return packing.unpack(_paper(request, data), unit.sscc, [Item(text) for text in lines])

    return _page(request, form, act, title=_("Open or take out"), submit=_("Record"), unit=unit)


@staff_view("channel.goods")
@require_http_methods(["GET", "POST"])
def relabel(request: HttpRequest, sscc: str) -> HttpResponse:
    """Give a unit a new label; its old number still finds it."""
    unit = _unit(sscc)
    form = RelabelForm(request.POST or None, initial={"number": _proposed("LABEL")})

    def act(data: dict[str, Any]) -> Answer:
        new = data["sscc"] or packing.number_for(Document.Kind.RELABEL, data["number"].strip())
        return packing.relabel(_paper(request, data), unit.sscc, new)

    return _page(request, form, act, title=_("New label"), submit=_("Give the new number"), unit=unit)


def _page(
    request: HttpRequest,
    form: PackForm | PackingListForm | OpenForm | RelabelForm,
    act: Callable[[dict[str, Any]], Answer],
    *,
    title: str,
    submit: str,
    unit: Unit | None = None,
    back: str = "",
) -> HttpResponse:
    """Show a form, or do what it says and show the document; what was typed stays where something is wrong."""
    if request.method == "POST" and form.is_valid():
        try:
            answer = act(form.cleaned_data)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("That is recorded."))
            return redirect(f"/console/goods/{answer.document.public_id}")
    context = {
        "form": form,
        "title": title,
        "submit": submit,
        "unit": unit,
        "back": back or (f"/console/goods/units/{unit.sscc}" if unit else ""),
    }
    return render(request, "channel/unit_form.html", context, status=422 if form.is_bound else 200)


def _fillings(file: UploadedFile) -> list[Filling]:
    """Read a packing list. Raises `BadPaper`, which names the first line that is none."""
    found = []
    for place, row in enumerate(sheet(file, "unit", "item"), 2):
        [unit] = read([Item(row["unit"])])
        kind, lot = row.get("kind", "").lower() or Unit.Kind.CASE, row.get("lot", "")
        if not unit.sscc:
            raise BadPaper(
                _("Line {n}: unit is no SSCC, 18 digits of which the last is the check digit.").format(n=place)
            )
        if kind not in Unit.Kind.values:
            raise BadPaper(_("Line {n}: kind is none of inner, case and pallet.").format(n=place))
        if len(lot) > 20 or "\x00" in lot:
            raise BadPaper(_("Line {n}: a lot has 20 characters at most.").format(n=place))
        found.append(Filling(unit.sscc, kind, row["item"], lot))
    if not found:
        raise BadPaper(_("A document needs at least one line."))
    return found


def _unit(sscc: str) -> Unit:
    packing.know([sscc])
    found = units_by_sscc([sscc]).get(sscc)
    if found is None:
        raise Http404
    return found


def _paper(request: HttpRequest, data: dict[str, Any]) -> Paper:
    by = request.user.username if isinstance(request.user, User) else ""
    return Paper(data["number"].strip(), None, data["happened_at"], now(), by, "", data["reason"])


def _proposed(kind: str) -> str:
    """Return a number that no document has: a day and random symbols."""
    return f"{kind}-{now():%y%m%d}-{new_public_id('x')[2:8].upper()}"
