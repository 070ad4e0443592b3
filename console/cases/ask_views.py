"""A question to the distributor of a file: choose what to show, look at it as they will, send it."""

import hashlib
from datetime import date
from typing import Any

from django import forms
from django.conf import settings
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import get_language, gettext as _, gettext_lazy
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods

from analytics import case_evidence, case_queries, release, replies
from analytics.models import Case
from brands.queries import brand_date
from channel.models import Partner
from common.canonical import canonical
from common.clock import now
from common.errors import Conflict, DomainError
from common.templatetags.show import day
from console.cases.views import find
from staff.permissions import staff_view


class AskForm(forms.Form):
    """What is asked; the chosen evidence comes beside it, as ``row``."""

    text = forms.CharField(
        label=gettext_lazy("Question"),
        max_length=2_000,
        help_text=gettext_lazy("The partner reads it as it stands. Name no other partner, no price and no shop."),
        widget=forms.Textarea(attrs={"rows": 4}),
    )

    def __init__(self, *args: Any, partner_id: int, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.partner_id = partner_id

    def clean_text(self) -> str:
        """Refuse a text that names another partner."""
        text = str(self.cleaned_data["text"])
        if name := replies.names_another(text, partner_id=self.partner_id):
            raise forms.ValidationError(_("“%(name)s” is another partner: leave the name out.") % {"name": name})
        return text


@staff_view("cases.ask")
@never_cache
@require_http_methods(["GET", "HEAD", "POST"])
def ask(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show the form, then the preview, then send: nothing but what the preview showed is frozen and sent."""
    case, at = find(request, public_id), now()
    evidence = replies.evidence_of(case, at=at, zone=request.tenant.time_zone)  # type: ignore[attr-defined]
    form = AskForm(request.POST or None, partner_id=case.distributor_id)
    keys = set(request.POST.getlist("row")) if request.method == "POST" else set()
    context: dict[str, Any] = {"evidence": evidence, "keys": keys, "form": form}
    if request.method != "POST" or request.POST.get("step") == "change" or not form.is_valid():
        status = 422 if request.method == "POST" and request.POST.get("step") != "change" else 200
        return _page(request, case, "ask.html", status=status, **context)
    try:
        rows = evidence.chosen(keys)
        text = form.cleaned_data["text"]
        digest = hashlib.sha256(canonical({"text": text, "rows": rows})).hexdigest()
        if request.POST.get("step") == "send" and request.POST.get("digest") != digest:
            raise replies.EvidenceChanged
        if request.POST.get("step") == "send":
            question = case_evidence.ask(
                case.pk, partner_id=case.distributor_id, text=text, released=rows, at=at, by=request.user.get_username()
            )
            said = _("The question is with the partner, who may answer until %(day)s.")
            messages.success(request, said % {"day": day(question.answer_by)})
            return redirect("case-file", public_id=case.public_id)
    except DomainError as error:
        form.add_error(None, error.detail)
        context["keys"] = keys & {one.key for part in _parts(evidence) for one in part}
        return _page(request, case, "ask.html", status=409 if isinstance(error, Conflict) else 422, **context)
    last = case_queries.working_day(brand_date(at), settings.PARTNER_ANSWER_DAYS)
    shown = {kind: [row for row in map(_read, rows) if row["kind"] == kind] for kind in release.FIELDS}
    return _page(request, case, "ask_preview.html", **context, text=text, shown=shown, digest=digest, answer_by=last)


def _page(request: HttpRequest, case: Case, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    context |= {
        "case": case,
        "distributor": Partner.objects.filter(pk=case.distributor_id).first(),
        "days": settings.PARTNER_ANSWER_DAYS,
        "closed": case.state == Case.State.CLOSED,
    }
    return render(request, f"console/cases/{template}", context, status=status)


def _parts(evidence: replies.Evidence) -> list[tuple[replies.Candidate, ...]]:
    return [evidence.seen, evidence.cases, evidence.papers, evidence.pictures]


def _read(row: release.Row) -> dict[str, Any]:
    """Return a row with its days as dates and its names in the reader's language."""
    zh = (get_language() or "").startswith("zh")
    values: dict[str, Any] = dict(row)
    for name in {"first_on", "last_on", "on"} & set(row):
        values[name] = date.fromisoformat(row[name])
    for name in {"city", "product"} & set(row):
        values[name] = (row[f"{name}_zh"] if zh else row[name]) or row[name]
    return values
