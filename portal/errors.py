"""What partners' people are answered when no view does."""

from django.http import HttpRequest, HttpResponseBase, JsonResponse
from django.utils.translation import gettext as _

from portal.door import page, wants_json


def not_found(request: HttpRequest) -> HttpResponseBase:
    """Answer 404."""
    return _told(request, 404, _("Nothing is here"), _("There is no such page, or it is not yours to open."))


def csrf_failed(request: HttpRequest) -> HttpResponseBase:
    """Answer a form that stood open too long, or was sent from elsewhere."""
    return _told(
        request, 403, _("Please try again"), _("This page was open for too long. Nothing was sent: load it again.")
    )


def _told(request: HttpRequest, status: int, title: str, text: str) -> HttpResponseBase:
    if wants_json(request):
        return JsonResponse({"said": f"{title}. {text}"}, status=status)
    return page(request, "error.html", status=status, title=title, text=text)
