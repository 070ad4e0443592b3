"""The pages of templates: list, editor with its live preview, pictures, a sheet for trying a device."""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import Any

from django.contrib import messages
from django.db.models import Count, OuterRef, Subquery
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from labels.models import Product
from printing import art, designs, preflight, preview, starters, trial
from printing.editor import Draft
from printing.models import Art, DefaultTemplate, Template, TemplateVersion
from printing.template import BadTemplate, parse
from staff.permissions import allowed, staff_view

_MOST_PICTURES = 200


@staff_view("templates.read")
def template_list(request: HttpRequest) -> HttpResponse:
    """List the templates, by kind, with a small picture of each."""
    kind = request.GET.get("kind", "")
    newest = TemplateVersion.objects.filter(template=OuterRef("pk")).order_by("-number").values("number")[:1]
    found = Template.objects.annotate(version=Subquery(newest)).order_by("-is_active", "kind", "name")
    counts = dict(Template.objects.order_by().values_list("kind").annotate(Count("id")))
    if kind in Template.Kind.values:
        found = found.filter(kind=kind)
    rows = [(one, _thumbnail(one)) for one in found[:100]]
    defaults: dict[int, list[str]] = defaultdict(list)
    for row in DefaultTemplate.objects.select_related("product"):
        defaults[row.template_id].append(row.product.display_name if row.product else _("all products"))
    context = {
        "rows": [(one, svg, ", ".join(defaults[one.pk])) for one, svg in rows],
        "kind": kind,
        "chips": [(value, label, counts[value]) for value, label in Template.Kind.choices if counts.get(value)],
        "total": sum(counts.values()),
        "may_edit": allowed(request.user, "templates.edit"),
    }
    return render(request, "printing/templates.html", context)


def _thumbnail(one: Template) -> SafeString:
    sample, values = designs.sample(one.kind)
    try:
        drawn = preview.svg(one.as_template(values), sample, mark=False)
    except (BadTemplate, TemplateVersion.DoesNotExist):
        return SafeString()
    return _safe(drawn)


@staff_view("templates.edit")
def template_new(request: HttpRequest) -> HttpResponse:
    """Choose a kind and a start, and give it a name."""
    fault = ""
    if request.method == "POST":
        kind, name = request.POST.get("kind", ""), _typed(request, "name", 60)
        try:
            if kind not in Template.Kind.values or not name:
                raise BadTemplate(_("Choose a kind, and give the template a name."))
            version = designs.create_template(
                name=name, kind=kind, layout=starters.layout(kind), at=now(), asked_by=request.user.get_username()
            )
        except DomainError as error:
            fault = error.detail
        else:
            return redirect(f"/console/templates/{version.template.public_id}")
    starts = [(kind, label, _starter(kind)) for kind, label in Template.Kind.choices]
    context = {
        "starts": starts,
        "fault": fault,
        "name": request.POST.get("name", ""),
        "kind": request.POST.get("kind", "unit"),
    }
    return render(request, "printing/template_new.html", context, status=422 if fault else 200)


def _starter(kind: str) -> SafeString:
    sample, values = designs.sample(kind)
    return _safe(preview.svg(parse(starters.layout(kind)).filled(values), sample, mark=False))


# --- the editor ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Shown:
    """What the preview shows of a draft."""

    svg: SafeString
    wide: float
    high: float
    fault: str
    findings: tuple[preflight.Finding, ...] = ()
    facts: tuple[trial.Fact, ...] = ()


@staff_view("templates.read")
def template_edit(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the editor; on POST do what its button says: save, or change the form."""
    template = get_object_or_404(Template, public_id=public_id)
    may_edit = allowed(request.user, "templates.edit")
    version = _version(request, template)
    draft = Draft(template.kind, version.layout)
    fault, act = "", request.POST.get("act", "save")
    if request.method == "POST":
        draft = Draft.of_form(template.kind, request.POST)
        if act == "save":
            fault = _save(request, template, draft, may_edit=may_edit)
            if not fault:
                return redirect(f"/console/templates/{public_id}")
        else:
            draft.act(act)
    shown = _shown(draft, request.POST)
    context = {
        **_form(draft, shown),
        "template": template,
        "version": version,
        "versions": template.versions.order_by("-number")[:20],
        "fault": fault,
        "may_edit": may_edit,
        "products": Product.objects.filter(is_active=True).order_by("name")[:200],
        "product": _product(request.POST),
        "sample": request.POST.get("sample", "usual"),
        "defaults": template.defaults.select_related("product"),
    }
    if request.headers.get("HX-Request"):
        return render(request, "printing/template_work.html", context)
    return render(request, "printing/template_edit.html", context, status=422 if fault else 200)


@staff_view("templates.read")
@require_POST
def template_preview(request: HttpRequest, public_id: str) -> HttpResponse:
    """Return preview and warnings of what stands in the form."""
    template = get_object_or_404(Template, public_id=public_id)
    draft = Draft.of_form(template.kind, request.POST)
    return render(request, "printing/template_preview.html", {"shown": _shown(draft, request.POST), "draft": draft})


def _save(request: HttpRequest, template: Template, draft: Draft, *, may_edit: bool) -> str:
    if not may_edit:
        return _("You can look at templates; production and marketing can change them.")
    if draft.faults:
        return _("Some numbers cannot be read.")
    try:
        before = template.newest.number
        version = designs.save_version(template, layout=draft.layout, at=now(), asked_by=request.user.get_username())
    except DomainError as error:
        return error.detail
    if version.number == before:
        messages.info(request, _("Nothing has changed: version %(number)s stays.") % {"number": version.number})
    else:
        messages.success(request, _("Version %(number)s is kept.") % {"number": version.number})
    return ""


def _form(draft: Draft, shown: Shown) -> dict[str, Any]:
    pictures = list(Art.objects.order_by("-id").values_list("sha256", "name")[:_MOST_PICTURES])
    return {
        "draft": draft,
        "shown": shown,
        "page": draft.page(),
        "sheet": draft.sheet(),
        "rows": list(draft.rows(pictures)),
        "offered": draft.offered().items(),
        "pictures": pictures,
        "acts": [
            ("up", _("Lower"), "down"),
            ("down", _("Higher"), "up"),
            ("copy", _("Copy"), "copy"),
            ("drop", _("Remove"), "cross"),
        ],
    }


def _shown(draft: Draft, posted: Mapping[str, str]) -> Shown:
    if draft.faults:
        return Shown(SafeString(), 1, 1, next(iter(draft.faults.values())))
    sample, values = designs.sample(draft.kind, _product(posted), longest=posted.get("sample") == "longest")
    try:
        template = designs.checked(draft.layout, draft.kind).filled(values)
        findings = tuple(preflight.findings(template, sample))
        drawn = preview.stage(template, sample)
        facts = tuple(trial.facts(template, sample))
    except BadTemplate as error:
        return Shown(SafeString(), 1, 1, error.detail)
    wide, high = preview.stage_size(template)
    return Shown(_safe(drawn), wide, high, "", findings, facts)


def _product(posted: Mapping[str, str]) -> Product | None:
    asked = posted.get("product", "")[:26].replace("\x00", "")
    return Product.objects.filter(public_id=asked).first() if asked else None


def _version(request: HttpRequest, template: Template) -> TemplateVersion:
    asked = request.GET.get("v", "")
    versions = template.versions.select_related("template")
    if asked.isdecimal() and len(asked) < 7:
        return get_object_or_404(versions, number=int(asked))
    return template.newest


# --- other acts ----------------------------------------------------------------------------------------------------


@staff_view("templates.edit")
@require_POST
def template_change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Rename a template, take it in or out of use, or propose it for a product."""
    template = get_object_or_404(Template, public_id=public_id)
    try:
        if "propose" in request.POST:
            designs.propose(template, product=_product(request.POST))
            messages.success(request, _("The template is proposed for these labels from now on."))
        else:
            name = _typed(request, "name", 60) or template.name
            designs.change_template(template, name=name, is_active=request.POST.get("use") == "yes")
            messages.success(request, _("The template is changed."))
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect(f"/console/templates/{public_id}")


@staff_view("templates.edit")
@require_POST
def art_new(request: HttpRequest) -> HttpResponse:
    """Keep a picture; the editor then offers it."""
    sent = request.FILES.get("file")
    fault = _("Choose a file first.")
    if sent is not None:
        try:
            if (sent.size or 0) > art.MOST_BYTES:
                raise art.BadArt(_("The file is larger than 5 MB."))
            made = designs.add_art(
                sent.read(), name=str(sent.name)[:80], at=now(), asked_by=request.user.get_username()
            )
            fault = ""
        except DomainError as error:
            fault = error.detail
    pictures = list(Art.objects.order_by("-id").values_list("sha256", "name", "width", "height", "created_at")[:50])
    context = {"fault": fault, "pictures": pictures, "made": made if not fault else None}
    page = "printing/art_list.html" if request.headers.get("HX-Request") else "printing/art.html"
    return render(request, page, context, status=422 if fault else 200)


@staff_view("templates.read")
def art_file(request: HttpRequest, sha256: str) -> HttpResponse:
    """Send a picture as it is kept."""
    found = get_object_or_404(Art, sha256=sha256.replace("\x00", ""))
    return HttpResponse(
        bytes(found.data),
        content_type=found.media_type,
        headers={"Cache-Control": "private, max-age=86400, immutable", "X-Content-Type-Options": "nosniff"},
    )


@staff_view("templates.read")
def test_page(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send a page with the label at its size, rulers, and bars of one to six dots: for trying a device."""
    template = get_object_or_404(Template, public_id=public_id)
    version = _version(request, template)
    sample, values = designs.sample(template.kind, longest=request.GET.get("sample") == "longest")
    file = BytesIO()
    try:
        trial.write(version.as_template(values), sample, title=str(version), file=file)
    except ValueError as error:
        messages.error(request, _("It cannot be drawn yet: {fault}").format(fault=error))
        return redirect(f"/console/templates/{public_id}")
    name = f"{template.public_id}-v{version.number}-test.pdf"
    headers = {"Content-Disposition": f'attachment; filename="{name}"'}
    return HttpResponse(file.getvalue(), content_type="application/pdf", headers=headers)


def _typed(request: HttpRequest, name: str, longest: int) -> str:
    return request.POST.get(name, "").replace("\x00", "").strip()[:longest]


def _safe(drawn: str) -> SafeString:
    """Mark an SVG of ours as such: its texts are shapes, its colours and numbers are checked by `printing.template.parse`."""
    return mark_safe(drawn)  # noqa: S308
