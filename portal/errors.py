"""What partners' people are answered when no view does."""

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _

from portal.door import page, wants_json


def not_found(request: HttpRequest) -> HttpResponseBase:
    """Answer 404."""
    text = _("There is no such page, or it is not yours to open.")
    return _told(request, 404, "not_found", _("Nothing is here"), text)


def csrf_failed(request: HttpRequest) -> HttpResponseBase:
    """Answer a form that stood open too long, or was sent from elsewhere; a script asks for a new token by the code."""
    text = _("This page was open for too long. Nothing was sent: load it again.")
    return _told(request, 403, "stale_token", _("Please try again"), text)


def _told(request: HttpRequest, status: int, code: str, title: str, text: str) -> HttpResponseBase:
    if wants_json(request):
        return JsonResponse({"code": code, "said": f"{title}. {text}"}, status=status)
    return page(request, "error.html", status=status, title=title, text=text)
