"""The portal's pages."""

from pathlib import Path

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from portal.door import HOME, PortalRequest, page, portal_view


@portal_view("portal.read")
@require_safe
def home(request: PortalRequest) -> HttpResponse:
    """Show what waits for this partner."""
    return page(request, "home.html")


@require_safe
def manifest(request: HttpRequest) -> HttpResponse:
    """Say how a telephone shows the portal on its first screen."""
    brand = request.tenant  # type: ignore[attr-defined]
    return JsonResponse(
        {
            "name": _("{brand} portal").format(brand=brand.display_name),
            "short_name": brand.display_name[:12],
            "start_url": HOME,
            "scope": HOME,
            "display": "standalone",
            "background_color": brand.colour,
            "theme_color": brand.colour,
            "icons": [{"src": "/brand/logo.svg", "sizes": "any", "type": "image/svg+xml"}] if brand.logo_svg else [],
        },
        content_type="application/manifest+json",
    )


@require_safe
def service_worker(request: HttpRequest) -> HttpResponse:
    """Hand out the service worker, with the names of the files that scanning needs without a network."""
    source = (Path(settings.BASE_DIR) / "static" / "portal" / "sw.js").read_text()
    answer = HttpResponse(source, content_type="text/javascript; charset=utf-8")
    answer["Cache-Control"] = "no-cache"
    return answer
