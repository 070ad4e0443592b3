"""The pages of a press: its own files, and nothing else."""

from allauth.account.decorators import reauthentication_required
from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from common.tables import keyset_page
from printing import accounts, sending, services
from printing.forms import HashForm
from printing.models import Handover
from staff.middleware import acting_in
from staff.models import User
from staff.permissions import staff_view


@staff_view("printing.fetch")
def own_files(request: HttpRequest) -> HttpResponse:
    """List the files of one's own press: what waits to be fetched or acknowledged first."""
    press = accounts.press_of(_user(request))
    found = accounts.files_of(press) if press else Handover.objects.none()
    waiting = found.filter(state__in=["ready", "downloaded"])
    page = keyset_page(found.exclude(state__in=["ready", "downloaded"]), request, order=("-id",))
    context = {
        "press": press,
        "waiting": waiting.order_by("roll__batch_id", "roll__number", "id")[:2_000],
        "page": page,
    }
    return render(request, "printing/press_files.html", context)


@staff_view("printing.fetch")
@never_cache
def own_file(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show one file with what goes with it."""
    one = _own(request, public_id, what="look")
    context = {"one": one, "form": HashForm(), "at": now(), "public_key": sending.public_key()}
    return render(request, "printing/press_file.html", context)


@staff_view("printing.fetch")
@never_cache
@reauthentication_required
def own_download(request: HttpRequest, public_id: str) -> HttpResponseBase:
    """Send the encrypted file, once, after a fresh password or second factor."""
    return sending.file_of(request, _own(request, public_id, what="download"), by=_user(request))


@staff_view("printing.fetch")
@require_POST
@never_cache
def own_acknowledge(request: HttpRequest, public_id: str) -> HttpResponse:
    """Take the hash of what was decrypted: the press has the whole file."""
    one, form = _own(request, public_id, what="acknowledge"), HashForm(request.POST)
    if form.is_valid():
        try:
            services.acknowledge(one.pk, at=now(), **form.cleaned_data)
        except DomainError as error:
            services.refused(error, what="acknowledge", row=one, at=now())
            form.refuse(error)
        else:
            messages.success(request, _("Thank you: the file is whole, and ours is deleted."))
            return redirect(f"/console/press/files/{public_id}")
    context = {"one": one, "form": form, "at": now(), "public_key": sending.public_key()}
    return render(request, "printing/press_file.html", context, status=422)


@staff_view("printing.fetch")
def own_manifest(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send the manifest."""
    return sending.manifest_of(_own(request, public_id, what="manifest"))


@staff_view("printing.fetch")
def own_signature(request: HttpRequest, public_id: str) -> HttpResponse:
    """Send the manifest's signature."""
    return sending.signature_of(_own(request, public_id, what="signature"))


@staff_view("printing.fetch")
def own_verifier(request: HttpRequest) -> HttpResponse:
    """Send the checking program."""
    return sending.verifier()


def _own(request: HttpRequest, public_id: str, *, what: str) -> Handover:
    """Return a file of one's own press. Another press's is answered as one that is not there, and the try is kept."""
    found = Handover.objects.select_related("roll__batch", "print_job__press")
    one = found.filter(public_id=public_id, ready_at__isnull=False).first()
    if one is None:
        raise Http404
    try:
        accounts.refuse_strangers(one, by=_user(request))
    except DomainError as error:
        with acting_in(request):
            services.refused(error, what=what, row=one, at=now())
        raise Http404 from error
    return one


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - staff_view let nobody else in
    return request.user
