"""A short way to the webhooks: Django's request, since carriers' adapters read it, and nothing that stands before a view.

Middleware, signals and looking up the address would cost more than the rest of what they do. Messages wait for their
batch on the event loop, without a thread (`answer_meanwhile`).
"""

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import Any, cast

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIRequest
from django.db import connection
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve, set_urlconf

from sms_gateway import webhooks

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]
SOON_READ = 16_384  # bytes of a body; while the event loop reads, it does nothing else


class WebhookDoor:
    """Webhooks straight from WSGI to their views; files, bodies too large and unknown addresses by ``long_way``."""

    def __init__(self, long_way: Application) -> None:
        self.long_way = long_way

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one call."""
        match = _webhook_at(environ["PATH_INFO"])
        if match is None or not _is_small_form(environ, settings.DATA_UPLOAD_MAX_MEMORY_SIZE):
            return self.long_way(environ, start_response)
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        set_urlconf(settings.ROOT_URLCONF)  # whatever this thread answered before
        request = WSGIRequest(environ)
        request.resolver_match = match
        response = _with_length(_viewed(request))
        start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
        return [response.content]


def may_bring_message(method: str, path: str, headers: Mapping[str, str]) -> bool:
    """Return whether a request may be one for `answer_meanwhile`: what it has of a body is declared and soon read."""
    match = _webhook_at(path)
    return (
        match is not None
        and match.func is webhooks.sms
        and (method == "GET" or (method == "POST" and "CONTENT_LENGTH" in headers))
        and "HTTP_TRANSFER_ENCODING" not in headers
        and _is_small_form(headers, SOON_READ)
    )


async def answer_meanwhile(environ: dict[str, Any], in_thread: webhooks.InThread) -> HttpResponse | None:
    """Answer a message on an event loop, see `sms_gateway.webhooks.sms_meanwhile`; None: that is for the door."""
    match = _webhook_at(environ["PATH_INFO"])
    if match is None:
        return None
    response = await webhooks.sms_meanwhile(WSGIRequest(environ), in_thread=in_thread, **match.kwargs)
    return response and _with_length(response)


def _is_small_form(headers: Mapping[str, str], most: int) -> bool:
    length = headers.get("CONTENT_LENGTH") or "0"
    return length.isdecimal() and int(length) <= most and not headers.get("CONTENT_TYPE", "").startswith("multipart/")


def _with_length(response: HttpResponse) -> HttpResponse:
    response.headers["Content-Length"] = str(len(response.content))
    return response


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
