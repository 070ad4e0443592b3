"""Who may do what: the role × operation table, as data, and the decorator that asks it."""

import time
from collections.abc import Callable
from functools import wraps
from typing import Any, TypeVar
from urllib.parse import quote

from allauth.account import app_settings
from allauth.account.internal.flows.login import get_authentication_records
from allauth.account.internal.flows.reauthentication import suspend_request
from django.conf import settings
from django.contrib.auth.models import AnonymousUser
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.shortcuts import redirect, render
from django.urls import reverse

from staff.models import Role, User

# People outside the brand, and the one place where each kind of them is at home.
HOMES = {Role.PRESS: "/console/press", Role.PARTNER: "/portal/"}
OUTSIDE = frozenset(HOMES)
_ALL = frozenset(Role) - OUTSIDE
_R = Role

# Every operation of the console, and the roles that have it. An auditor reads all and changes nothing.
TABLE: dict[str, frozenset[Role]] = {
    "console.read": _ALL,
    "labels.read": _ALL,
    "labels.product": frozenset({_R.OWNER, _R.MARKETER, _R.PRODUCTION}),
    "labels.order": frozenset({_R.OWNER, _R.PRODUCTION}),
    "labels.activate": frozenset({_R.OWNER, _R.PRODUCTION, _R.WAREHOUSE}),
    "labels.receive": frozenset({_R.OWNER, _R.PRODUCTION, _R.WAREHOUSE}),
    "labels.block": frozenset({_R.OWNER, _R.PRODUCTION, _R.INVESTIGATOR, _R.LEGAL}),
    "labels.recall": frozenset({_R.OWNER, _R.LEGAL}),
    "labels.void": frozenset({_R.OWNER, _R.PRODUCTION, _R.LEGAL}),
    "labels.slot": frozenset({_R.OWNER}),
    "printing.read": frozenset({_R.OWNER, _R.PRODUCTION, _R.WAREHOUSE, _R.LEGAL, _R.AUDITOR}),
    "printing.press": frozenset({_R.OWNER, _R.PRODUCTION}),
    "printing.request": frozenset({_R.OWNER, _R.PRODUCTION}),
    "printing.sign_off": frozenset({_R.OWNER, _R.PRODUCTION, _R.LEGAL}),
    "printing.approve": frozenset({_R.OWNER, _R.PRODUCTION, _R.LEGAL}),
    "printing.fetch": frozenset({_R.PRESS}),
    "templates.read": _ALL,
    "templates.edit": frozenset({_R.OWNER, _R.MARKETER, _R.PRODUCTION}),
    "templates.print": frozenset({_R.OWNER, _R.MARKETER, _R.PRODUCTION, _R.REGIONAL}),
    "redemption.read": _ALL - {_R.PRODUCTION, _R.WAREHOUSE},
    "redemption.reverse": frozenset({_R.OWNER, _R.FINANCE}),
    "lottery.read": _ALL - {_R.WAREHOUSE},
    "lottery.edit": frozenset({_R.OWNER, _R.MARKETER}),
    "lottery.publish": frozenset({_R.OWNER, _R.MARKETER}),
    "lottery.approve": frozenset({_R.OWNER, _R.MARKETER, _R.LEGAL}),
    "lottery.sign_off": frozenset({_R.LEGAL}),
    "claims.read": frozenset(
        {_R.OWNER, _R.MARKETER, _R.ANALYST, _R.WAREHOUSE, _R.SUPPORT, _R.FINANCE, _R.LEGAL, _R.AUDITOR}
    ),
    "claims.check": frozenset({_R.OWNER, _R.SUPPORT, _R.LEGAL}),
    "claims.approve": frozenset({_R.OWNER, _R.FINANCE, _R.LEGAL}),
    "claims.send": frozenset({_R.OWNER, _R.SUPPORT, _R.WAREHOUSE, _R.FINANCE}),
    "claims.stock": frozenset({_R.OWNER, _R.MARKETER}),
    "ledger.read": frozenset({_R.OWNER, _R.MARKETER, _R.ANALYST, _R.SUPPORT, _R.FINANCE, _R.LEGAL, _R.AUDITOR}),
    "ledger.reverse": frozenset({_R.OWNER, _R.FINANCE}),
    "members.read": frozenset({_R.OWNER, _R.MARKETER, _R.ANALYST, _R.SUPPORT, _R.FINANCE, _R.LEGAL, _R.AUDITOR}),
    "members.export": frozenset({_R.OWNER, _R.LEGAL, _R.SUPPORT}),
    "members.unlock": frozenset({_R.OWNER, _R.SUPPORT}),
    "members.erase": frozenset({_R.OWNER, _R.LEGAL}),
    "channel.read": _ALL,
    "channel.goods": frozenset({_R.OWNER, _R.WAREHOUSE}),
    "channel.edit": frozenset({_R.OWNER, _R.MARKETER, _R.REGIONAL}),
    "diversion.read": frozenset({_R.OWNER, _R.INVESTIGATOR, _R.ANALYST, _R.REGIONAL, _R.LEGAL, _R.AUDITOR}),
    "diversion.caution": frozenset({_R.OWNER, _R.INVESTIGATOR, _R.LEGAL}),
    "cases.read": frozenset({_R.OWNER, _R.INVESTIGATOR, _R.ANALYST, _R.REGIONAL, _R.LEGAL, _R.AUDITOR}),
    "cases.open": frozenset({_R.OWNER, _R.INVESTIGATOR, _R.REGIONAL, _R.LEGAL}),
    "cases.assign": frozenset({_R.OWNER, _R.REGIONAL, _R.LEGAL}),
    "cases.work": frozenset({_R.OWNER, _R.INVESTIGATOR, _R.REGIONAL, _R.LEGAL}),
    "cases.ask": frozenset({_R.OWNER, _R.INVESTIGATOR, _R.LEGAL}),
    "cases.decide": frozenset({_R.OWNER, _R.LEGAL}),
    "cases.export": frozenset({_R.OWNER, _R.LEGAL}),
    "portal.invite": frozenset({_R.OWNER, _R.REGIONAL}),
    "portal.read": frozenset({_R.PARTNER}),
    "portal.move": frozenset({_R.PARTNER}),
    "messages.read": frozenset({_R.OWNER, _R.SUPPORT, _R.AUDITOR}),
    "messages.replay": frozenset({_R.OWNER, _R.SUPPORT}),
    "messages.budget": frozenset({_R.OWNER, _R.FINANCE}),
    "messages.money.read": frozenset({_R.OWNER, _R.SUPPORT, _R.FINANCE, _R.AUDITOR}),
    "messages.numbers": frozenset({_R.OWNER}),
    "texts.read": frozenset({_R.OWNER, _R.MARKETER, _R.LEGAL, _R.SUPPORT, _R.AUDITOR}),
    "texts.edit": frozenset({_R.OWNER, _R.MARKETER}),
    "calls.answer": frozenset({_R.OWNER, _R.SUPPORT}),
    "jobs.read": _ALL,
    "jobs.cancel": frozenset({_R.OWNER, _R.PRODUCTION}),
    "approvals.read": _ALL,
    "approvals.decide": _ALL - {_R.AUDITOR, _R.ANALYST, _R.SUPPORT},
    "staff.read": frozenset({_R.OWNER, _R.AUDITOR}),
    "staff.edit": frozenset({_R.OWNER}),
    "keys.read": frozenset({_R.OWNER, _R.AUDITOR}),
    "keys.edit": frozenset({_R.OWNER}),
    "audit.read": frozenset({_R.OWNER, _R.LEGAL, _R.FINANCE, _R.AUDITOR}),
    "brand.read": _ALL,
    "brand.edit": frozenset({_R.OWNER, _R.MARKETER}),
}
WRITING = frozenset(operation for operation in TABLE if not operation.endswith(".read"))

View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def allowed(user: User | AnonymousUser, operation: str) -> bool:
    """Return whether this person may do it. An unknown operation is a programmer's mistake: KeyError."""
    roles = TABLE[operation]
    return bool(isinstance(user, User) and user.is_active and user.role in roles)


def writes(role: str) -> bool:
    """Return whether a role may change anything."""
    return any(role in TABLE[operation] for operation in WRITING)


def needs_second_factor(user: User) -> bool:
    """Return whether this person must set up a second factor before going on."""
    from allauth.mfa.utils import is_mfa_enabled

    return settings.STAFF_MFA == "required" and writes(user.role) and not is_mfa_enabled(user)


def staff_view(operation: str) -> Callable[[View], View]:
    """Let only staff with this operation in; others are sent to sign in, or told who can grant it."""
    TABLE[operation]  # an unknown name fails at import

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = request.user
            if not isinstance(user, User):
                return go(request, f"{settings.LOGIN_URL}?next={quote(request.get_full_path())}")
            if not allowed(user, operation):
                if user.role in OUTSIDE and request.path == settings.LOGIN_REDIRECT_URL:
                    return go(request, HOMES[Role(user.role)])
                return denied(request, operation)
            if needs_second_factor(user):
                return go(request, reverse("mfa_activate_totp"))
            return view(request, *args, **kwargs)

        guarded.operation = operation  # type: ignore[attr-defined]
        return guarded  # type: ignore[return-value]

    return decorate


def fresh_second_factor(view: View) -> View:
    """Ask for the second factor anew where one is set up, unless it was given moments ago; then go on."""

    @wraps(view)
    def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
        from allauth.mfa.utils import is_mfa_enabled

        if is_mfa_enabled(request.user) and not _gave_second_factor(request):
            return suspend_request(request, reverse("mfa_reauthenticate"))  # type: ignore[no-any-return]
        return view(request, *args, **kwargs)

    return guarded  # type: ignore[return-value]


def _gave_second_factor(request: HttpRequest) -> bool:
    since = time.time() - app_settings.REAUTHENTICATION_TIMEOUT
    records = get_authentication_records(request, request.user)
    return any(one["method"] == "mfa" and one.get("reauthenticated") and one["at"] >= since for one in records)


def denied(request: HttpRequest, operation: str) -> HttpResponse:
    """Return the 403 page that says which roles have the operation and who can grant them."""
    context = {
        "operation": operation,
        "roles": [role.label for role in Role if role in TABLE[operation]],
        "owners": []
        if isinstance(request.user, User) and request.user.role in OUTSIDE  # learns no name
        else list(User.objects.filter(role=Role.OWNER, is_active=True).values_list("username", flat=True)[:5]),
    }
    return render(request, "console/denied.html", context, status=403)


def go(request: HttpRequest, url: str) -> HttpResponse:
    """Redirect the whole page, also when htmx asked for a part of it."""
    if request.headers.get("HX-Request"):
        return HttpResponse(status=401, headers={"HX-Redirect": url})
    return redirect(url)
