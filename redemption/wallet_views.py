"""The member's pages: sign-in by one-time code, wallet, entries, receipts, consents, export, deletion."""

import functools
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common.clock import now
from ledger import queries as ledger
from members import services as members
from members.models import Consent, Member
from members.queries import consents_now
from redemption import queries, views
from redemption.door import ConsumerRequest, consumer_page, page, wants_json
from redemption.forms import SignInForm

EXPIRING_WITHIN_DAYS = 60
SOON_DAYS = 14
SHOWN = 8
PER_PAGE = 30
WORDING = "2026-11"


def signed_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Send whoever is not signed in to the sign-in page, and back."""

    @functools.wraps(view)
    def answer(request: ConsumerRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.visitor.member is None:
            return _to_sign_in(request)
        return view(request, *args, **kwargs)

    return answer


def freshly_signed_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Ask for a one-time code again where a phone left on the table must not be enough."""

    @functools.wraps(view)
    def answer(request: ConsumerRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.visitor.is_fresh(now()):
            return _to_sign_in(request)
        return view(request, *args, **kwargs)

    return answer


def _to_sign_in(request: ConsumerRequest) -> HttpResponse:
    back = request.path if request.method == "GET" else reverse("consumer:wallet")
    return HttpResponseRedirect(f"{reverse('consumer:sign_in')}?next={back}", status=303)


@require_http_methods(["GET", "HEAD", "POST"])
@consumer_page
def sign_in(request: ConsumerRequest) -> HttpResponse:
    """Sign in by phone number and one-time code; a number that is new becomes a member."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        target = reverse("consumer:wallet")
    if request.method != "POST":
        return _sign_in_page(request, SignInForm(), target)
    sends = request.POST.get("step") == "send"
    form = SignInForm(request.POST, code_needed=not sends)
    valid = form.is_valid()
    said = views.ask_for_code(request, form) if sends and valid else ""
    if sends and wants_json(request):
        return JsonResponse({"said": said or " ".join(form.errors.get("phone", [])), "done": bool(said)})
    if sends or not valid:
        return _sign_in_page(request, form, target, said=said)
    token = views.read_token("sign-in", request.POST.get("sign-in", ""), views.Target(), views.CLAIM_TOKEN_FOR_S)
    if token is None:
        return views.expired(request)
    request.visitor.member = None
    if not views.signed_in(request, form, token):
        return _sign_in_page(request, form, target)
    return HttpResponseRedirect(target, status=303)


def _sign_in_page(request: ConsumerRequest, form: SignInForm, target: str, *, said: str = "") -> HttpResponse:
    return page(
        request,
        "sign_in.html",
        title=_("Sign in"),
        status=400 if form.errors else 200,
        form=form,
        said=said,
        code_sent=bool(said),
        next=target,
        again=request.visitor.member is not None,
        sign_in_token=views.make_token("sign-in"),
    )


@require_POST
@consumer_page
def sign_out(request: ConsumerRequest) -> HttpResponse:
    """Forget the member on this device."""
    request.visitor.sign_out()
    return HttpResponseRedirect(reverse("consumer:home"), status=303)


def _member(request: ConsumerRequest) -> Member:
    assert request.visitor.member is not None  # noqa: S101 - @signed_in
    return request.visitor.member
