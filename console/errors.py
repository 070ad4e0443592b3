"""Pages for what went wrong, in the shell where there is one; never a trace, never what was typed."""

from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils.translation import gettext as _
from django.views.defaults import server_error as plain_server_error

from staff.models import User


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 404."""
    return _answer(request, 404, _("Not found"))


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 403."""
    return _answer(request, 403, _("Forbidden"))


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Answer 400."""
    return _answer(request, 400, _("Bad request"))


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponse:
    """Answer a form that stood open too long, or was sent from elsewhere."""
    return _answer(request, 403, _("Forbidden"), stale=True)


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, with as little as possible that could fail again."""
    if request.path.startswith("/api/"):
        return _problem(500, _("Server error"))
    return plain_server_error(request)  # type: ignore[return-value]


def _answer(request: HttpRequest, status: int, title: str, **context: Any) -> HttpResponse:
    if request.path.startswith("/api/"):
        return _problem(status, title)
    in_console = request.path.startswith("/console/") and isinstance(getattr(request, "user", None), User)
    template = "console/error.html" if in_console else "error.html"
    return render(request, template, {"status": status, **context}, status=status)


def _problem(status: int, title: str) -> HttpResponse:
    body = {"type": "about:blank", "title": title, "status": status, "code": title.lower().replace(" ", "_")}
    return JsonResponse(body, status=status, content_type="application/problem+json")
