"""The pages of presses, requests to print, and hand-overs."""

from typing import Any

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.db.models import F, Q
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from common.tables import keyset_page
from labels.models import Batch
from printing import accounts, handover as files, lost, samples, sending, services
from printing.forms import HashForm, PressForm, PrintForm, SignOffForm
from printing.models import DefaultTemplate, Handover, Press, PrintJob, Template
from staff.models import User
from staff.permissions import allowed, staff_view

# --- presses -------------------------------------------------------------------------------------------------------


@staff_view("printing.read")
def press_list(request: HttpRequest) -> HttpResponse:
    """List the presses, and register one."""
    form = PressForm(request.POST or None)
    may_edit = allowed(request.user, "printing.press")
    if request.method == "POST" and may_edit and form.is_valid():
        try:
            press = services.create_press(**form.cleaned_data, at=now())
        except DomainError as error:
            form.add_error("name" if isinstance(error, services.PressExists) else "recipient", error.detail)
        else:
            messages.success(request, _("The press is registered. Now check its key by telephone."))
            return redirect(f"/console/presses/{press.public_id}")
    context = {"presses": Press.objects.order_by("name"), "form": form, "may_edit": may_edit}
    return render(request, "printing/presses.html", context, status=422 if form.errors else 200)


@staff_view("printing.read")
def press_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a press, its key and the files it got."""
    press = get_object_or_404(Press, public_id=public_id)
    context = {
        "press": press,
        "handovers": Handover.objects.filter(print_job__press=press).select_related("roll__batch").order_by("-id")[:50],
        "accounts": accounts.people_of(press),
        "may_edit": allowed(request.user, "printing.press"),
    }
    return render(request, "printing/press.html", context)


@staff_view("printing.press")
@require_POST
def press_change(request: HttpRequest, public_id: str) -> HttpResponse:
    """Check the key as read out, change it, or take the press in or out of use."""
    press = get_object_or_404(Press, public_id=public_id)
    try:
        if "read_out" in request.POST:
            read_out = request.POST["read_out"]
            services.check_key(press, read_out=read_out, at=now(), asked_by=request.user.get_username())
            messages.success(request, _("The key is checked."))
        elif "recipient" in request.POST:
            services.change_key(press, recipient=request.POST["recipient"])
            messages.success(request, _("The press has a new key. Check it by telephone."))
        else:
            services.set_in_use(press, is_active=request.POST.get("use") == "yes")
    except DomainError as error:
        messages.error(request, error.detail)
    return redirect(f"/console/presses/{public_id}")


# --- requests ------------------------------------------------------------------------------------------------------


@staff_view("printing.read")
def print_list(request: HttpRequest) -> HttpResponse:
    """List what was asked to be printed, newest first."""
    found = PrintJob.objects.select_related("batch", "press", "requester", "approval", "job")
    page = keyset_page(found, request, order=("-requested_at", "-id"))
    return render(request, "printing/prints.html", {"page": page, "at": now()})


@staff_view("printing.request")
def print_new(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for files of a batch's rolls."""
    batch = get_object_or_404(Batch.objects.select_related("product", "secret_slot"), public_id=public_id)
    count = batch.rolls.count()
    form = PrintForm(request.POST or None, initial=_proposed(batch, count) | _named(request))
    if request.method == "POST" and form.is_valid():
        try:
            row = services.request(_asked(batch, form.cleaned_data), by=_user(request), at=now())
        except DomainError as error:
            form.add_error("template" if isinstance(error, samples.BadForBatch) else None, error.detail)
        else:
            messages.success(request, _("Another person has to approve this. The request is made."))
            return redirect(f"/console/prints/{row.public_id}")
    context = {"batch": batch, "form": form, "count": count}
    return render(request, "printing/print_form.html", context, status=422 if form.errors else 200)


def _proposed(batch: Batch, count: int) -> dict[str, Any]:
    unit = DefaultTemplate.objects.filter(Q(product=batch.product) | Q(product=None), kind=Template.Kind.UNIT)
    default = unit.order_by(F("product").asc(nulls_last=True)).first()
    return {"first_roll": 1, "last_roll": min(count, services.MOST_ROLLS), "template": default and default.template_id}


def _named(request: HttpRequest) -> dict[str, Any]:
    """Return the template and the press that the address names: as chosen with the order."""
    asked = {name: request.GET.get(name, "")[:26].replace("\x00", "") for name in ("template", "press")}
    template = Template.objects.filter(public_id=asked["template"]).first()
    press = Press.objects.filter(public_id=asked["press"]).first()
    found = {"template": template and template.pk, "press": press and press.pk}
    return {name: value for name, value in found.items() if value is not None}


def _asked(batch: Batch, data: dict[str, Any]) -> services.NewPrint:
    return services.NewPrint(
        batch=batch,
        first_roll=data["first_roll"],
        last_roll=data["last_roll"],
        press=data["press"],
        output=data["output"],
        version=data["template"] and data["template"].newest,
        proof=PrintJob.Proof.FULL if data["full_proof"] else PrintJob.Proof.SAMPLE,
    )


@staff_view("printing.read")
def print_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a request: approval, sample sheet, job, files."""
    row = _print(public_id)
    sign_off = samples.sign_off_of(row)
    context = {
        "print": row,
        "handovers": row.handovers.select_related("roll__batch").order_by("roll__number")[:2_000],
        "fingerprint": files.fingerprint(row.recipient),
        "sign_off": sign_off,
        "sign_form": SignOffForm(),
        "may_sign": allowed(request.user, "printing.sign_off") and row.version is not None and sign_off is None,
        "may_start": allowed(request.user, "printing.request")
        and row.job is None
        and bool(sign_off or not row.version),
        "may_cancel": allowed(request.user, "jobs.cancel") and row.job is not None and not row.job.ended,
        "at": now(),
    }
    return render(request, "printing/print.html", context)


@staff_view("printing.request")
@require_POST
def print_start(request: HttpRequest, public_id: str) -> HttpResponse:
    """Use up the approval and build the files."""
    row = _print(public_id)
    try:
        services.start(row.pk, at=now(), asked_by=request.user.get_username())
    except DomainError as error:
        services.refused(error, what="start", row=row, at=now())
        messages.error(request, error.detail)
    return redirect(f"/console/prints/{public_id}")


@staff_view("printing.read")
@never_cache
def print_sample(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send the sample sheet: labels at their true size, with codes that open nothing."""
    try:
        sample = samples.sample_of(_print(public_id))
    except samples.NotDrawn as error:
        raise Http404 from error
    except DomainError as error:
        messages.error(request, error.detail)
        return redirect(f"/console/prints/{public_id}")
    response = HttpResponse(sample.content, content_type="application/pdf")
    response["Content-Disposition"] = f'inline; filename="{public_id}.sample.pdf"'
    return response


@staff_view("printing.sign_off")
@require_POST
def print_sign_off(request: HttpRequest, public_id: str) -> HttpResponse:
    """Record that this person has looked at the sample sheet and finds it right."""
    form = SignOffForm(request.POST)
    note = form.cleaned_data["note"] if form.is_valid() else ""
    try:
        samples.sign_off(_print(public_id), by=_user(request), at=now(), note=note)
    except DomainError as error:
        messages.error(request, error.detail)
    else:
        messages.success(request, _("The sample sheet is signed off."))
    return redirect(f"/console/prints/{public_id}")


# --- hand-overs ----------------------------------------------------------------------------------------------------


@staff_view("printing.read")
def handover(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a hand-over: its file, its manifest, and what the press must tell."""
    one = _handover(public_id)
    may_act = allowed(request.user, "printing.request")
    return render(request, "printing/handover.html", _handover_context(one, HashForm(), may_act=may_act))


@staff_view("printing.request")
@require_POST
@never_cache
def acknowledge(request: HttpRequest, public_id: str) -> HttpResponse:
    """Note that the press has the whole file."""
    one, form = _handover(public_id), HashForm(request.POST)
    if form.is_valid():
        try:
            services.acknowledge(one.pk, at=now(), **form.cleaned_data)
        except DomainError as error:
            services.refused(error, what="acknowledge", row=one, at=now())
            form.refuse(error)
        else:
            messages.success(request, _("The press has the file. Ours is deleted."))
            return redirect(f"/console/handovers/{public_id}")
    return render(request, "printing/handover.html", _handover_context(one, form, may_act=True), status=422)


def _handover_context(one: Handover, form: HashForm, *, may_act: bool) -> dict[str, Any]:
    return {
        "one": one,
        "form": form,
        "may_act": may_act,
        "press_fetches": one.print_job.press.accounts.filter(user__is_active=True).exists(),
        "leak": lost.leak_of(one),
        "reissues": one.reissues.select_related("approval").order_by("id"),
        "copies": one.roll.handovers.exclude(pk=one.pk).order_by("id"),
        "public_key": sending.public_key(),
    }


@staff_view("printing.request")
@never_cache
@reauthentication_required
def download(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Send the encrypted file, once; a broken download goes on by its byte range."""
    return sending.file_of(request, _handover(public_id), by=_user(request))


@staff_view("printing.read")
def manifest(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send the manifest: what the file holds, without any code."""
    return sending.manifest_of(_handover(public_id))


@staff_view("printing.read")
def signature(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send the manifest's signature."""
    return sending.signature_of(_handover(public_id))


@staff_view("printing.read")
def verifier(request: HttpRequest) -> HttpResponse:
    """Send the program by which a press checks manifest and file; the brand's public key is written into it."""
    return sending.verifier()


def _print(public_id: str) -> PrintJob:
    found = PrintJob.objects.select_related(
        "batch__product",
        "batch__secret_slot",
        "press",
        "requester",
        "approver",
        "approval__decided_by",
        "job",
        "version__template",
    )
    return get_object_or_404(found, public_id=public_id)


def _handover(public_id: str) -> Handover:
    found = Handover.objects.select_related("roll__batch", "print_job__press", "requester", "approver")
    return get_object_or_404(found, public_id=public_id)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - staff_view let nobody else in
    return request.user
