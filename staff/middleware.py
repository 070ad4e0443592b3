"""Sessions and language of staff, and who acts in the audit trail."""

import time
from collections.abc import Callable
from contextlib import AbstractContextManager

from django.conf import settings
from django.contrib.auth import logout
from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase
from django.utils import translation
from django.utils.translation.trans_real import get_supported_language_variant, parse_accept_lang_header

from common.clock import now
from common.net import client_ip, ip_prefix
from staff import audit
from staff.models import Role, User
from staff.permissions import HOMES
from staff.sessions import device_of

IDLE_S = 30 * 60
_SEEN_EVERY_S = 60
_PLACES = ("/console/", "/portal/")
_ACCOUNT = ("/console/account/", "/console/sign-out")
_SAFE = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class StaffMiddleware:
    """End staff sessions after 12 hours or 30 idle minutes; name the actor of what they change and export."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith(_PLACES):
            return self.get_response(request)
        self._end_old_session(request)
        if request.path.startswith(_ACCOUNT) and getattr(request.user, "role", "") == Role.PARTNER:
            # the account's pages lead to each other by their names, which are the console's
            home = HOMES[Role.PARTNER].rstrip("/")
            return HttpResponse(status=307, headers={"Location": home + request.get_full_path()[len("/console") :]})
        wished = language_of(request)
        if wished:
            translation.activate(wished)
            request.LANGUAGE_CODE = translation.get_language()
        if request.method in _SAFE:
            response = self.get_response(request)
            return self._exported(request, response)
        with acting_in(request):
            return self.get_response(request)

    @staticmethod
    def _end_old_session(request: HttpRequest) -> None:
        if not isinstance(request.user, User):
            return
        at = int(time.time())
        began = request.session.setdefault("began", at)
        if "device" not in request.session:
            request.session["device"] = device_of(request.headers.get("User-Agent", ""))
            request.session["network"] = ip_prefix(client_ip(request))
        seen = request.session.get("seen", at)
        if at - seen > IDLE_S or at - began > settings.SESSION_COOKIE_AGE:
            logout(request)
        elif "X-Poll" in request.headers:
            return  # a page that asks by itself shows nobody's presence
        elif at - seen > _SEEN_EVERY_S or "seen" not in request.session:
            request.session["seen"] = at

    @staticmethod
    def _exported(request: HttpRequest, response: HttpResponseBase) -> HttpResponseBase:
        if response.status_code == 200 and response.headers.get("Content-Type", "").startswith("text/csv"):
            facts = {"path": request.path, "rows": getattr(response, "row_count", None)}
            with acting_in(request):
                audit.record("export", at=now(), facts=facts)
        return response


def language_of(request: HttpRequest) -> str:
    """Return the language that the switch and the browser leave open: the person's own, else the brand's; "" for none.

    Django has followed the switch's cookie, and Accept-Language, before. A program that names no language gets English.
    """
    if settings.LANGUAGE_COOKIE_NAME in request.COOKIES:
        return ""
    if isinstance(request.user, User) and request.user.language:
        return request.user.language
    asked = [code for code, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    return "" if not asked or any(map(_is_ours, asked)) else str(getattr(connection.tenant, "default_language", ""))


def _is_ours(code: str) -> bool:
    try:
        return bool(get_supported_language_variant(code))
    except LookupError:
        return False


def acting_in(request: HttpRequest) -> AbstractContextManager[None]:
    """Name who acts by a request in the trail: every POST, and a GET that leaves a trace."""
    actor = request.user.username if isinstance(request.user, User) else ""
    return audit.acting(actor, request_id=_request_id(request), ip_prefix=ip_prefix(client_ip(request)))


def _request_id(request: HttpRequest) -> str:
    from structlog.contextvars import get_contextvars

    return str(get_contextvars().get("request_id", "")) or request.headers.get("X-Request-ID", "")
