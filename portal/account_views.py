"""Sign-in, invitation and own account of a partner's people."""

from typing import Any

from allauth.mfa.base.views import AuthenticateView
from allauth.mfa.utils import is_mfa_enabled
from django.contrib import messages
from django.contrib.auth import logout
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_http_methods, require_POST

from common.budgets import Budget
from common.clock import now
from common.errors import DomainError
from common.net import client_ip, ip_prefix
from portal import services
from portal.door import SIGN_IN, PortalRequest, page, portal_view
from portal.forms import JoinForm, TokenForm
from staff import sessions
from staff.views import SignInView

INVITATIONS = Budget("portal-invitation", per_hour=30, per_day=300)


class PartnerSignInView(SignInView):
    """Sign-in of partners' people, on a page of their own."""

    template_name = "portal/sign_in.html"

    def form_valid(self, form: Any) -> HttpResponse:
        """Ask for the second factor here, too."""
        response: HttpResponse = super().form_valid(form)
        if response.headers.get("Location") == reverse("mfa_authenticate"):
            return HttpResponseRedirect(f"{SIGN_IN}/code")
        return response


class PartnerCodeView(AuthenticateView):  # type: ignore[misc]  # allauth has no type stubs
    """The second factor of a sign-in."""

    template_name = "portal/code.html"


@require_POST
def sign_out(request: HttpRequest) -> HttpResponse:
    """Sign out; what waits to be sent stays on the device, for the same partner."""
    logout(request)
    return redirect(f"{SIGN_IN}?out=1")


@require_http_methods(["GET", "POST"])
@never_cache
def join(request: HttpRequest) -> HttpResponse:
    """Open the account that an invitation stands for; its secret comes from behind the # and is in no log."""
    if request.method != "POST":
        return page(request, "join.html", form=TokenForm())
    network = ip_prefix(client_ip(request))
    form: TokenForm = JoinForm(request.POST) if "password" in request.POST else TokenForm(request.POST)
    named = TokenForm(request.POST)
    if not named.is_valid():
        return page(request, "join.html", form=named, status=422)
    token = named.cleaned_data["token"]
    try:
        if INVITATIONS.is_empty(network):
            raise services.NoInvitation
        invitation = services.invitation_of(token, at=now())
        if isinstance(form, JoinForm) and form.is_valid():
            services.accept(token, password=form.cleaned_data["password"], at=now())
            messages.success(request, _("Your account is open. Sign in with your new password."))
            return redirect(SIGN_IN)
    except services.PoorPassword as error:
        form.add_error("password", error.detail)
    except DomainError as error:
        INVITATIONS.charge(network)
        named.add_error("token", error.detail)
        return page(request, "join.html", form=named, status=422)
    if not isinstance(form, JoinForm):
        form = JoinForm(initial={"token": token})
    return page(request, "join.html", form=form, invitation=invitation, status=422 if form.is_bound else 200)


@portal_view("portal.read")
@require_http_methods(["GET", "POST"])
def account(request: PortalRequest) -> HttpResponse:
    """Show who is signed in, for whom, and where else; end a session."""
    if request.method == "POST":
        if sessions.end(request.user, request.POST.get("session", ""), at=now()):
            messages.success(request, _("That session has ended."))
        return redirect("/portal/account")
    found = sessions.of(request.user, here=request.session.session_key or "", at=now())
    return page(request, "account.html", sessions=found, has_second_factor=is_mfa_enabled(request.user))
