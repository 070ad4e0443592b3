"""What is answered when no view does: problem+json for machines, the brand's page for people."""

from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _

from brands.queries import is_public
from redemption import care_views

MACHINES = ("/api/", "/webhooks/")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponseBase:
    """Answer 404."""
    if request.path.startswith(MACHINES):
        return _problem(404, "not_found", _("There is no such address."))
    if is_public():
        return HttpResponse(_("There is no such address."), status=404, content_type="text/plain")
    return care_views.not_found(request, exception)


def failed(request: HttpRequest) -> HttpResponseBase:
    """Answer 500, without the database."""
    if request.path.startswith(MACHINES):
        return _problem(500, "internal", _("We cannot answer now. Please try again in a few minutes."))
    if is_public():
        return HttpResponse(_("We cannot answer now."), status=500, content_type="text/plain")
    return care_views.failed(request)


def csrf_failed(request: HttpRequest, reason: str = "") -> HttpResponseBase:
    """Answer 403 to a form that lacks its token."""
    return care_views.csrf_failed(request, reason)


def _problem(status: int, code: str, title: str) -> JsonResponse:
    return JsonResponse(
        {"type": "about:blank", "title": title, "status": status, "code": code, "detail": title},
        status=status,
        content_type="application/problem+json",
    )
