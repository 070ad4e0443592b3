"""How django-allauth behaves for staff: no sign-up, budgets before any hashing, and a trail of who signed in."""

import base64
from typing import Any
from uuid import UUID

from allauth.account.adapter import DefaultAccountAdapter
from allauth.mfa.adapter import DefaultMFAAdapter
from django.conf import settings
from django.db.models import F
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext_lazy as _

from common.budgets import Budget
from common.clock import now
from common.net import client_ip, ip_prefix
from staff import audit, vault
from staff.models import Role, User
from staff.permissions import HOMES

ACCOUNT = Budget("staff-account", per_hour=10)
NETWORK = Budget("staff-network", per_hour=30, per_day=300)
_MFA_FIELD, _MFA_ROW = "mfa.Authenticator", UUID(int=0)


class StaffAdapter(DefaultAccountAdapter):  # type: ignore[misc]  # allauth has no type stubs
    """Staff are invited by an owner; nobody signs up."""

    error_messages = {
        **DefaultAccountAdapter.error_messages,
        "username_password_mismatch": _("User name or password is not right."),
        "too_many_login_attempts": _("Too many failed sign-ins. Please try again later, or ask an owner to help."),
    }

    def is_open_for_signup(self, request: HttpRequest) -> bool:
        """Return False: there is no open sign-up."""
        return False

    def get_login_redirect_url(self, request: HttpRequest) -> str:
        """Return where a sign-in leads: people outside to where they are at home, staff to today."""
        user = request.user
        return HOMES.get(Role(user.role), settings.LOGIN_REDIRECT_URL) if isinstance(user, User) else settings.LOGIN_URL

    def get_reauthentication_methods(self, user: User) -> list[dict[str, Any]]:
        """Return where somebody gives password or second factor anew: partners' people do so at the portal."""
        methods: list[dict[str, Any]] = super().get_reauthentication_methods(user)
        if user.role == Role.PARTNER:
            return [one | {"url": one["url"].replace("/console/", HOMES[Role.PARTNER], 1)} for one in methods]
        return methods

    def pre_authenticate(self, request: HttpRequest, **credentials: Any) -> None:
        """Refuse before any hashing when name or network failed too often; names that exist not fare alike."""
        name = _name(credentials)
        if ACCOUNT.is_empty(name) or NETWORK.is_empty(_network(request)) or _is_locked(name):
            raise self.validation_error("too_many_login_attempts")

    def authentication_failed(self, request: HttpRequest, **credentials: Any) -> None:
        """Charge the budgets."""
        name = _name(credentials)
        ACCOUNT.charge(name)
        NETWORK.charge(_network(request))
        User.objects.filter(username=name, failures__lt=User.MOST_FAILURES).update(failures=F("failures") + 1)

    def post_login(self, request: HttpRequest, user: User, **kwargs: Any) -> HttpResponse:
        """Note the sign-in and forget the failures before it."""
        User.objects.filter(pk=user.pk).exclude(failures=0).update(failures=0)
        with audit.acting(user.username, ip_prefix=_network(request)):
            audit.record("sign_in", at=now(), table="staff_user", row_id=str(user.pk))
        response: HttpResponse = super().post_login(request, user, **kwargs)
        return response

    def get_client_ip(self, request: HttpRequest) -> str:
        """Return the caller's address as the rest of the product sees it."""
        return client_ip(request)


def _name(credentials: dict[str, Any]) -> str:
    return str(credentials.get("username", "")).strip().replace("\x00", "")


def _network(request: HttpRequest) -> str:
    return ip_prefix(client_ip(request))


def _is_locked(name: str) -> bool:
    return User.objects.filter(username=name, failures__gte=User.MOST_FAILURES).exists()


class StaffMfaAdapter(DefaultMFAAdapter):  # type: ignore[misc]  # allauth has no type stubs
    """Secrets of second factors are kept encrypted under the brand's data key."""

    def encrypt(self, text: str) -> str:
        """Return ``text`` sealed, as base64."""
        return base64.b64encode(vault.seal(text, field=_MFA_FIELD, row=_MFA_ROW)).decode()

    def decrypt(self, encrypted_text: str) -> str:
        """Return what `encrypt` was given."""
        return vault.unseal(base64.b64decode(encrypted_text), field=_MFA_FIELD, row=_MFA_ROW)
