"""What the demo's pages ask of the demo: a label to try."""

from django.conf import settings
from django.core.management import CommandError
from django.db import connection
from django.http import Http404, HttpRequest, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from config.management.commands.demo_labels import hand_out


@require_POST
def label(request: HttpRequest) -> JsonResponse:
    """Hand out one active label with its hidden code, each once. Not in production."""
    if settings.PRODUCTION:
        raise Http404
    try:
        [found] = hand_out(connection.schema_name, "active", 1)
    except CommandError:
        return JsonResponse({"error": _("No label is left to hand out.")}, status=404)
    return JsonResponse(found)
