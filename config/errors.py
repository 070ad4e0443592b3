"""What is answered when no view does: consumers get the brand's page, everyone else what `console.errors` says."""

from django.http import HttpRequest, HttpResponseBase

from brands.queries import is_public
from console import errors
from portal import errors as portal_errors
from redemption import care_views

NOT_FOR_CONSUMERS = ("/api/", "/console", "/dev/", "/portal", "/static/", "/webhooks/")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """Answer 404."""
    if _is_portals(request):
        return portal_errors.not_found(request)
    return care_views.not_found(request) if _is_consumers(request) else errors.not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponseBase:
    """Answer 500, without the database."""
    return care_views.failed(request) if _is_consumers(request) else errors.server_error(request)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Answer 403 to a form without its token."""
    if _is_portals(request):
        return portal_errors.csrf_failed(request)
    return care_views.csrf_failed(request) if _is_consumers(request) else errors.csrf_failed(request, reason)


def _is_consumers(request: HttpRequest) -> bool:
    return not is_public() and not request.path.startswith(NOT_FOR_CONSUMERS)


def _is_portals(request: HttpRequest) -> bool:
    return not is_public() and request.path.startswith("/portal/")
