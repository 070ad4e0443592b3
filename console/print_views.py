"""Prints that name people: shelf talkers of partners, cards of members. `printing` knows neither; here both are called."""

import uuid
from collections.abc import Sequence

from django import forms
from django.contrib import messages
from django.db import connection
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _, gettext_lazy

from channel.models import Partner
from common.clock import now
from common.errors import DomainError
from members.card_numbers import card_numbers, member_id_of
from members.models import Member
from printing import runs
from printing.cards import CardRecord
from printing.forms import TemplateForm
from printing.models import Run
from printing.run_views import file_of
from printing.runs import Subject
from redemption.visitor import role_of
from staff import audit
from staff.permissions import allowed, denied, staff_view

_OFFERED = 500
LONGEST_NAME = 26


class _PeopleForm(TemplateForm):
    """Somebody of a list, and the template."""

    subjects = forms.MultipleChoiceField(label="", widget=forms.CheckboxSelectMultiple)
    field_order: tuple[str, ...] = ("order_key", "template", "note", "subjects")


class TalkerForm(_PeopleForm):
    """Shelf talkers for shops and promoters."""

    kinds = ("talker",)

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["subjects"].label = gettext_lazy("Shops and promoters")
        self.fields["subjects"].choices = [  # type: ignore[attr-defined]
            (one.public_id, f"{one.number} · {one.display_name} · {one.get_kind_display()}") for one in _partners()
        ]


class CardForm(_PeopleForm):
    """Cards of members, by their ids: ticked, or pasted one a line."""

    kinds = ("card",)
    ids = forms.CharField(
        label=gettext_lazy("Or by id or card number, one a line"),
        required=False,
        max_length=60_000,
        widget=forms.Textarea(attrs={"rows": 4, "class": "id", "spellcheck": "false"}),
    )
    field_order = ("order_key", "template", "note", "subjects", "ids")

    def __init__(self, *args: object, **kwargs: object) -> None:
        super().__init__(*args, **kwargs)
        self.fields["subjects"].required = False
        self.fields["subjects"].label = gettext_lazy("The newest members")
        self.fields["subjects"].choices = [  # type: ignore[attr-defined]
            (one.public_id, f"{one.name or one.masked_phone} · {one.public_id}")
            for one in _members().order_by("-created_at", "-id")[:60]
        ]

    def clean(self) -> dict[str, object]:
        """Put what is ticked and what is pasted together; name what is no member."""
        data = super().clean() or {}
        pasted = [line.strip() for line in str(data.get("ids", "")).splitlines() if line.strip()]
        wanted = list(dict.fromkeys([*data.get("subjects", []), *pasted]))
        if not wanted:
            self.add_error("subjects", _("Choose at least one member."))
            return data
        by_number = _ids_by_number(wanted)
        wanted = [by_number.get("".join(one.split()), one) for one in wanted]
        known = set(_members().filter(public_id__in=wanted).values_list("public_id", flat=True))
        unknown = [one for one in wanted if one not in known]
        if unknown:
            self.add_error("ids", _("There is no member %(id)s.") % {"id": unknown[0][:30]})
        data["subjects"] = list(dict.fromkeys(wanted))
        return data


def _ids_by_number(wanted: Sequence[str]) -> dict[str, str]:
    rows = {number: member_id_of(number) for number in ("".join(one.split()) for one in wanted)}
    found = dict(Member.objects.filter(pk__in=[pk for pk in rows.values() if pk]).values_list("pk", "public_id"))
    return {number: found[pk] for number, pk in rows.items() if pk in found}


def _partners() -> list[Partner]:
    found = Partner.objects.filter(state=Partner.State.ACTIVE, kind__in=("retailer", "promoter")).order_by("number")
    return list(found[:_OFFERED])


def _members() -> QuerySet[Member]:
    return Member.objects.exclude(state=Member.State.ERASED)


@staff_view("templates.print")
def talkers_new(request: HttpRequest) -> HttpResponse:
    """Print shelf talkers, each with the QR code of its shop or promoter."""
    form = TalkerForm(request.POST or None, initial={"order_key": uuid.uuid4().hex})
    made = _order(request, form)
    title, empty = _("Shelf talkers"), _("No shop and no promoter is active yet.")
    context = {"form": form, "title": title, "empty": empty, "has_any": bool(form.fields["subjects"].choices)}  # type: ignore[attr-defined]
    return made or render(request, "console/people_print.html", context, status=422 if form.errors else 200)


@staff_view("members.export")
def cards_new(request: HttpRequest) -> HttpResponse:
    """Print cards of members, with number, bar code and name."""
    form = CardForm(request.POST or None, initial={"order_key": uuid.uuid4().hex})
    made = _order(request, form)
    title, empty = _("Member cards"), _("There are no members yet.")
    context = {"form": form, "title": title, "empty": empty, "has_any": bool(form.fields["subjects"].choices)}  # type: ignore[attr-defined]
    return made or render(request, "console/people_print.html", context, status=422 if form.errors else 200)


def _order(request: HttpRequest, form: TemplateForm) -> HttpResponse | None:
    if request.method != "POST" or not form.is_valid():
        return None
    data = form.cleaned_data
    try:
        run = runs.order_for(
            data["template"].newest,
            data["subjects"],
            order_key=data["order_key"],
            note=data["note"],
            at=now(),
            asked_by=request.user.get_username(),
        )
    except DomainError as error:
        form.add_error("subjects", error.detail)
        return None
    messages.success(request, _("Their file is ready."))
    return redirect(f"/console/runs/{run.public_id}")


@staff_view("templates.read")
def people_pdf(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send the file of shelf talkers or of cards. Cards hold names: for those who may export members, and audited."""
    found = Run.objects.select_related("version__template").filter(kind__in=("talker", "card"))
    run = get_object_or_404(found, public_id=public_id)
    operation = "members.export" if run.kind == "card" else "templates.print"
    if not allowed(request.user, operation):
        return denied(request, operation)
    if run.kind == "card":
        facts = {"run": run.public_id, "members": run.count}
        audit.record("export", at=now(), table=Member._meta.db_table, facts=facts)
        return file_of(request, run, lambda: runs.pdf(run, cards_of(run)), "pdf")
    return file_of(request, run, lambda: runs.pdf(run, runs.records_of(run, talkers_of(run))), "pdf")


def talkers_of(run: Run) -> list[Subject]:
    """Return for whom a run's shelf talkers are, in order. Raises `printing.runs.NotToRun` for one who is gone."""
    host = connection.tenant.get_primary_domain().domain
    found = {one.public_id: one for one in Partner.objects.filter(public_id__in=run.subjects)}
    chosen = [found.get(public_id) for public_id in run.subjects]
    if any(one is None or one.state == Partner.State.CLOSED or role_of(one) is None for one in chosen):
        raise runs.NotToRun(_("One of these partners is closed, or no longer there."))
    return [Subject(one.number, one.display_name, f"https://{host}/p/{one.number}") for one in chosen if one]


def cards_of(run: Run) -> list[CardRecord]:
    """Return the cards of a run, in order. Raises `printing.runs.NotToRun` for somebody who was forgotten since."""
    found = {one.public_id: one for one in _members().filter(public_id__in=run.subjects)}
    chosen = [found.get(public_id) for public_id in run.subjects]
    if any(one is None for one in chosen):
        raise runs.NotToRun(_("One of these members has been forgotten since: print the others anew."))
    people = [one for one in chosen if one is not None]
    numbers = card_numbers([one.pk for one in people])
    return [
        CardRecord(number, (one.name or one.masked_phone)[:LONGEST_NAME], number)
        for one, number in zip(people, numbers, strict=True)
    ]
