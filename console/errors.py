"""What is answered when no view does, to everyone but consumers; never a trace, never what was typed.

Machines get problem+json, staff a page of the console, the rest one line.
"""

from typing import Any

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.shortcuts import render
from django.template.loader import render_to_string
from django.utils.translation import gettext as _

from brands.queries import is_public
from staff.models import User

MACHINES = ("/api/", "/webhooks/")
STAFF = "/console/"


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """Answer 400."""
    return _answer(request, 400, "bad_request", _("The request cannot be read."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """Answer 403."""
    return _answer(request, 403, "forbidden", _("That is not allowed."))


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """Answer 404."""
    return _answer(request, 404, "not_found", _("There is no such address."))


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Answer a form that stood open too long, or was sent from elsewhere."""
    return _answer(request, 403, "forbidden", _("That is not allowed."), stale=True)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """Answer 500 with as little as possible that could fail again: no database, no session."""
    if request.path.startswith(STAFF) and not is_public():
        return HttpResponse(render_to_string("console/failed.html"), status=500)
    return _line(request, 500, "internal", _("We cannot answer now. Please try again in a few minutes."))


def _answer(request: HttpRequest, status: int, code: str, title: str, **context: Any) -> HttpResponseBase:
    if not request.path.startswith(STAFF) or is_public():
        return _line(request, status, code, title)
    inside = isinstance(getattr(request, "user", None), User)
    template = "console/error.html" if inside else "console/error_gate.html"
    return render(request, template, {"status": status, **context}, status=status)


def _line(request: HttpRequest, status: int, code: str, title: str) -> HttpResponseBase:
    if request.path.startswith(MACHINES):
        body = {"type": "about:blank", "title": title, "status": status, "code": code, "detail": title}
        return JsonResponse(body, status=status, content_type="application/problem+json")
    return HttpResponse(title, status=status, content_type="text/plain; charset=utf-8")
