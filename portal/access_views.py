"""Who may act for a partner: invited, closed and given keys by the brand, on the console."""

from django.contrib import messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET, require_http_methods, require_POST

from channel.models import Partner
from common.clock import now
from common.errors import DomainError
from portal import queries, services
from portal.forms import InviteForm, KeyForm
from portal.models import Account, Invitation
from staff.models import User
from staff.permissions import allowed, staff_view
from staff.services import new_password


@staff_view("channel.read")
@require_GET
def access(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show who may act for a partner: people, open invitations, API keys."""
    partner = _partner(public_id)
    context = {
        "partner": partner,
        "people": queries.people_of(partner),
        "invitations": list(queries.invitations_of(partner)),
        "keys": list(queries.keys_of(partner)),
        "at": now(),
        "may_invite": allowed(request.user, "portal.invite") and partner.state == Partner.State.ACTIVE,
        "may_close": allowed(request.user, "portal.invite"),
        "may_make_keys": allowed(request.user, "keys.edit") and partner.state == Partner.State.ACTIVE,
        "may_read_keys": allowed(request.user, "keys.read"),
    }
    return render(request, "portal/console/access.html", context)


@staff_view("portal.invite")
@require_http_methods(["GET", "POST"])
@never_cache
def invite(request: HttpRequest, public_id: str) -> HttpResponse:
    """Invite somebody of a partner, and show the link, once."""
    partner = _partner(public_id)
    form = InviteForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        try:
            row, token = services.invite(partner, **form.cleaned_data, at=now(), asked_by=request.user.get_username())
        except DomainError as error:
            form.add_error("username", error.detail)
        else:
            link = f"{request.build_absolute_uri('/portal/join')}#{token}"
            return render(request, "portal/console/invited.html", {"partner": partner, "invitation": row, "link": link})
    context = {"partner": partner, "form": form}
    return render(request, "portal/console/invite.html", context, status=422 if form.is_bound else 200)


@staff_view("portal.invite")
@require_POST
def withdraw(request: HttpRequest, public_id: str, invitation: str) -> HttpResponse:
    """End an invitation that nobody has used."""
    row = get_object_or_404(Invitation, public_id=invitation, partner__public_id=public_id)
    if services.withdraw(row, at=now()):
        messages.success(request, _("The invitation is withdrawn."))
    return redirect(f"/console/partners/{public_id}/access")


@staff_view("portal.invite")
@require_POST
@never_cache
def person(request: HttpRequest, public_id: str, pk: int) -> HttpResponse:
    """Give somebody of a partner a new password, or close or open the account."""
    found = get_object_or_404(Account.objects.select_related("partner", "user"), pk=pk, partner__public_id=public_id)
    if "password" in request.POST:
        context = {"partner": found.partner, "person": found.user, "password": new_password(found.user)}
        return render(request, "portal/console/password.html", context)
    is_active = request.POST.get("use") == "yes"
    services.set_in_use(found, is_active=is_active)
    messages.success(request, _("The account is open.") if is_active else _("The account is closed."))
    return redirect(f"/console/partners/{public_id}/access")


@staff_view("keys.edit")
@require_http_methods(["GET", "POST"])
@never_cache
def key_new(request: HttpRequest, public_id: str) -> HttpResponse:
    """Make an API key that acts for a partner, and show its token, once."""
    partner = _partner(public_id)
    form = KeyForm(request.POST or None)
    if request.method == "POST" and form.is_valid():
        assert isinstance(request.user, User)  # noqa: S101 - staff_view let nobody else in
        try:
            key, token = services.make_key(partner, name=form.cleaned_data["name"], at=now(), created_by=request.user)
        except DomainError as error:
            form.add_error(None, error.detail)
        else:
            return render(request, "staff/key_made.html", {"key": key, "token": token})
    context = {"partner": partner, "form": form}
    return render(request, "portal/console/key_new.html", context, status=422 if form.is_bound else 200)


def _partner(public_id: str) -> Partner:
    found = Partner.objects.select_related("account").filter(public_id=public_id).first()
    if found is None:
        raise Http404
    return found
