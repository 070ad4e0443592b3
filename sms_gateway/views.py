"""/dev/phone: what would be on people's telephones, while there is no carrier."""

from dataclasses import asdict

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_GET

from common.phone import BadPhone, parse_phone
from sms_gateway.queries import messages_to, newest_messages

SHOWN = 200


@require_GET
@never_cache
def phone(request: HttpRequest) -> HttpResponse:
    """List the messages, newest first, in clear; ``to`` narrows to one number, ``format=json`` is for scripts.

    Anyone may read it, so in production it does not exist.
    """
    if settings.PRODUCTION:
        raise Http404
    to = request.GET.get("to", "").strip()
    try:
        messages = messages_to(parse_phone(to))[::-1][:SHOWN] if to else newest_messages(SHOWN)
    except BadPhone:
        messages = []
    if request.GET.get("format") == "json":
        return JsonResponse({"messages": [asdict(message) for message in messages]})
    return render(request, "sms_gateway/phone.html", {"messages": messages, "to": to})
