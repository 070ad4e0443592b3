"""Finding the brand from the host, answering health checks everywhere, and a limit on bodies."""

import ipaddress
import time
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.urls import set_urlconf
from django.utils import timezone
from django.utils.translation import gettext as _, gettext_lazy

from brands.queries import brand_of_host
from common.problems import PROBLEM, problem

GetResponse = Callable[[HttpRequest], HttpResponseBase]


class HealthMiddleware:
    """`/healthz` (this process lives) and `/readyz` (it reaches its database), on every host."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path == "/healthz":
            return JsonResponse({"status": "ok"})
        if request.path == "/readyz":
            return self._ready()
        return self.get_response(request)

    @staticmethod
    def _ready() -> HttpResponseBase:
        connection.set_schema_to_public()
        try:
            with connection.cursor() as cursor:
                cursor.execute("SELECT 1")
        except OperationalError:
            connection.close()
            return JsonResponse({"status": "the database does not answer"}, status=503)
        return JsonResponse({"status": "ok"})


def host_of(meta: dict[str, Any]) -> str:
    """Return the host without port, in lower case; a capital Host names the same brand."""
    host = meta.get("HTTP_HOST", "").lower()
    return str(host[: host.rindex("]") + 1]) if host.startswith("[") and "]" in host else host.partition(":")[0]


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host.strip("[]"))
    except ValueError:
        return False
    return True


def _is_nowhere(path: str) -> bool:
    """Whether nothing can have that address: no text of PostgreSQL holds a NUL. Digital Links say so on a page."""
    return "\x00" in path and not path[1:2].isdigit()


class BrandMiddleware:
    """Point the connection at the schema of the host's brand; IP literals and the platform's host are public."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if request.path.startswith("/webhooks/"):  # these find their brand by the number called, on any host
            set_urlconf(settings.ROOT_URLCONF)
            return self.get_response(request)
        host = host_of(request.META)
        try:
            brand = brand_of_host("platform.localhost" if _is_ip(host) else host)
        except (OperationalError, InterfaceError):
            connection.close()
            return problem(503, code="try_later", detail=_("We cannot answer now. Please try again in a moment."))
        if brand is None or _is_nowhere(request.path):
            return HttpResponse(_("No brand answers at this address."), status=404, content_type="text/plain")
        if connection.tenant is not brand:  # each time costs a statement; `brand_of_host` keeps the object for 10 s
            connection.set_tenant(brand)
        request.tenant = brand
        timezone.activate(ZoneInfo(brand.time_zone))
        if brand.schema_name == settings.PUBLIC_SCHEMA_NAME:
            request.urlconf = settings.PUBLIC_SCHEMA_URLCONF
            set_urlconf(settings.PUBLIC_SCHEMA_URLCONF)
        else:
            set_urlconf(settings.ROOT_URLCONF)
        started = time.monotonic()
        response = self.get_response(request)
        response.headers["Server-Timing"] = f"app;dur={(time.monotonic() - started) * 1000:.1f}"
        return response


class BodyLimitMiddleware:
    """Refuse bodies over 1 MB, declared or counted (Django raises at the same limit while reading); pictures have more."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        declared = request.META.get("CONTENT_LENGTH") or "0"
        most = settings.LARGER_BODIES.get(request.path, settings.DATA_UPLOAD_MAX_MEMORY_SIZE)
        if not declared.isdigit() or int(declared) > most:
            return problem(413, code="too_large", detail=_("A request may have 1 MB."))
        return self.get_response(request)


def _has_body(request: HttpRequest) -> bool:
    return request.META.get("CONTENT_LENGTH") not in {None, "", "0"}


class ApiMiddleware:
    """Below /api/ take only JSON bodies, and answer every error as a problem (RFC 9457), whoever made it."""

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        if not request.path.startswith("/api/"):
            return self.get_response(request)
        if request.method == "POST" and request.content_type not in _takes(request.path) and _has_body(request):
            return problem(415, code="not_json", detail=_("Send a JSON body, with Content-Type: application/json."))
        response = self.get_response(request)
        if response.status_code < 400 or response.headers.get("Content-Type") in _API_TYPES:
            return response
        code, detail = _API_ERRORS.get(response.status_code, ("error", _("Something is wrong with the request.")))
        told = problem(response.status_code, code=code, detail=str(detail))
        for name in ("Allow", "Retry-After", "WWW-Authenticate"):
            if name in response.headers:
                told.headers[name] = response.headers[name]
        return told


def _takes(path: str) -> set[str]:
    """Return the types of bodies that an address takes: EPCIS speaks JSON-LD."""
    return {"application/json", "application/ld+json"} if path.startswith("/api/v1/epcis/") else {"application/json"}


_API_TYPES = {PROBLEM, "application/json"}
_API_ERRORS = {
    400: ("bad_request", gettext_lazy("The request cannot be read.")),
    404: ("not_found", gettext_lazy("There is no such thing here.")),
    405: ("method_not_allowed", gettext_lazy("That is not done here: see the Allow header.")),
    413: ("too_large", gettext_lazy("A request may have 1 MB.")),
    500: ("internal", gettext_lazy("Something went wrong on our side. Nothing is known to have been written.")),
}
