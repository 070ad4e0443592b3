"""What all portal pages share: who may come in, for which partner, and the frame around a page.

A page is compressed for the same reasons, and with the same care, as the consumer's (`redemption.door`).
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import wraps
from typing import Any, TypeVar, cast
from urllib.parse import quote

from django.db import connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _, gettext_lazy, pgettext_lazy
from django.views.decorators.gzip import gzip_page

from channel.models import Partner
from portal.queries import partner_of
from staff.models import Role, User
from staff.permissions import HOMES, TABLE, needs_second_factor

HOME = HOMES[Role.PARTNER]
SIGN_IN = "/portal/sign-in"
SECOND_FACTOR = "/portal/account/second-factor/app"


class PortalRequest(HttpRequest):
    """A request of somebody who acts for a partner."""

    partner: Partner
    user: User


@dataclass(frozen=True, slots=True)
class Section:
    """A tab at the foot of every page."""

    name: str
    label: Any
    path: str
    icon: str


SECTIONS = (
    Section("ship", gettext_lazy("Ship out"), "/portal/ship", "truck"),
    Section("receive", gettext_lazy("Receive"), "/portal/receive", "inbox"),
    Section("return", pgettext_lazy("goods", "Return"), "/portal/return", "undo"),
    Section("stock", gettext_lazy("Stock"), "/portal/stock", "box"),
    Section("points", gettext_lazy("My points"), "/portal/points", "coin"),
    Section("report", pgettext_lazy("portal", "Report"), "/portal/report", "chart"),
)
View = TypeVar("View", bound=Callable[..., HttpResponseBase])


def portal_view(operation: str) -> Callable[[View], View]:
    """Let in who acts for a partner with this operation; others sign in, or are told where they belong."""
    TABLE[operation]  # an unknown name fails at import

    def decorate(view: View) -> View:
        @wraps(view)
        def guarded(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponseBase:
            user = request.user
            if not isinstance(user, User) or not user.is_active:
                return _sent(request, f"{SIGN_IN}?next={quote(request.get_full_path())}", status=401)
            partner = partner_of(user) if user.role in TABLE[operation] else None
            if partner is None:
                return page(request, "denied.html", status=403, title=_("Not allowed"))
            if needs_second_factor(user):
                return _sent(request, SECOND_FACTOR, status=403)
            known = cast("PortalRequest", request)
            known.partner = partner
            response = view(known, *args, **kwargs)
            response.headers["Cache-Control"] = "no-store"
            return response

        guarded.operation = operation  # type: ignore[attr-defined]
        return gzip_page(guarded)  # type: ignore[return-value]

    return decorate


def page(request: HttpRequest, template: str, *, status: int = 200, **context: Any) -> HttpResponse:
    """Render a page of the portal; `frame` adds what stands around it."""
    return render(request, f"portal/{template}", context, status=status)


def wants_json(request: HttpRequest) -> bool:
    """Return whether the page's own script asks."""
    return request.headers.get("Accept") == "application/json"


def frame(request: HttpRequest) -> dict[str, Any]:
    """Return what every page of the portal shows around itself; a context processor."""
    if not request.path.startswith(HOME):
        return {}
    from portal.style import style_of

    partner = getattr(request, "partner", None)
    if partner is None and isinstance(user := getattr(request, "user", None), User):
        partner = partner_of(user)
    return {
        "layout": "portal/base.html",
        "layout_gate": "portal/gate.html",
        "style": style_of(connection.tenant),
        "partner": partner,
        "sections": sections_of(partner, request.path) if partner else [],
    }


def sections_of(partner: Partner, path: str) -> list[tuple[Section, bool]]:
    """Return the tabs of a partner, each with whether it is open now. Who only recommends holds no goods."""
    holds_goods = partner.kind != Partner.Kind.PROMOTER
    return [
        (section, path == section.path or path.startswith(f"{section.path}/"))
        for section in SECTIONS
        if holds_goods or section.name == "points"
    ]


def _sent(request: HttpRequest, url: str, *, status: int) -> HttpResponseBase:
    """Send the browser elsewhere, or tell the page's own script."""
    if wants_json(request):
        return JsonResponse({"go": url}, status=status)
    return redirect(url)
