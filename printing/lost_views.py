"""The pages of files that got lost: reporting, and asking for them again."""

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from printing import lost, services
from printing.forms import LostForm
from printing.models import Handover
from staff.models import User
from staff.permissions import staff_view


@staff_view("printing.request")
def lost_new(request: HttpRequest, public_id: str) -> HttpResponse:
    """Report a file as lost; where it may be in wrong hands, its roll is blocked."""
    one, form = _handover(public_id), LostForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            lost.report(one.pk, **form.cleaned_data, at=now(), asked_by=request.user.get_username())
        except DomainError as error:
            services.refused(error, what="lost", row=one, at=now())
            form.add_error(None, error.detail)
        else:
            messages.success(request, _("The file is reported lost: its link has ended."))
            return redirect(f"/console/handovers/{public_id}")
    context = {"one": one, "form": form}
    return render(request, "printing/lost_form.html", context, status=422 if form.errors else 200)


@staff_view("printing.request")
@require_POST
def issue_again(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask for a lost file again; another person has to approve."""
    one = _handover(public_id)
    try:
        row = lost.issue_again(one, by=_user(request), at=now())
    except DomainError as error:
        services.refused(error, what="issue_again", row=one, at=now())
        messages.error(request, error.detail)
        return redirect(f"/console/handovers/{public_id}")
    messages.success(request, _("Another person has to approve this. The request is made."))
    return redirect(f"/console/prints/{row.public_id}")


def _handover(public_id: str) -> Handover:
    found = Handover.objects.select_related("roll__batch", "print_job__press")
    return get_object_or_404(found, public_id=public_id)


def _user(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # noqa: S101 - staff_view let nobody else in
    return request.user
