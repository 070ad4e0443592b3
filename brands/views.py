"""What a brand shows of itself to everybody."""

from django.db import connection
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.http import require_safe

_POLICY = "default-src 'none'; sandbox"


@require_safe
def logo(request: HttpRequest) -> HttpResponse:
    """Return the brand's logo, under a policy that lets it do nothing."""
    text = connection.tenant.logo_svg  # type: ignore[attr-defined]
    if not text:
        raise Http404
    response = HttpResponse(text, content_type="image/svg+xml")
    response["Content-Security-Policy"] = _POLICY
    response["Cache-Control"] = "public, max-age=300"
    response._csp_exempt = True  # type: ignore[attr-defined]  # django-csp must not put the pages' policy over ours
    return response
