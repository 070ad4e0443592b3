"""A short way to the webhooks: Django's request, since carriers' adapters read it, and nothing that stands before a view.

Middleware, signals and looking up the address would cost more than the rest of what they do.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import Any, cast

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve, set_urlconf

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class WebhookDoor:
    """Webhooks straight from WSGI to their views; files, bodies too large and unknown addresses by ``long_way``."""

    def __init__(self, long_way: Application) -> None:
        self.long_way = long_way

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one call."""
        match = _webhook_at(environ["PATH_INFO"])
        length = environ.get("CONTENT_LENGTH") or "0"
        if (
            match is None
            or not length.isdecimal()
            or int(length) > settings.DATA_UPLOAD_MAX_MEMORY_SIZE
            or environ.get("CONTENT_TYPE", "").startswith("multipart/")
        ):
            return self.long_way(environ, start_response)
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        set_urlconf(settings.ROOT_URLCONF)  # whatever this thread answered before
        request = WSGIRequest(environ)
        request.resolver_match = match
        response = _viewed(request)
        headers = [*response.items(), ("Content-Length", str(len(response.content)))]
        start_response(f"{response.status_code} {response.reason_phrase}", headers)
        return [response.content]


@lru_cache(maxsize=256)
def _webhook_at(path: str) -> ResolverMatch | None:
    try:
        return resolve(path, settings.ROOT_URLCONF) if path.isascii() else None
    except Resolver404:
        return None


def _by_view(request: HttpRequest) -> HttpResponse:
    match = request.resolver_match
    return match.func(request, *match.args, **match.kwargs)  # type: ignore[no-any-return,union-attr]


_viewed = cast("Callable[[HttpRequest], HttpResponse]", convert_exception_to_response(_by_view))
