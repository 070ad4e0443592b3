"""Short ways to the few addresses that must be fast: a handler with few middleware, and two doors with none.

`ApiDoor` answers plain calls of the three operations that machines call thousands of times a second, without a request
object of Django's: that alone would cost more than all it does. Whatever is not plain goes the long way, and both ways
call the same operation (`redemption.api.LEAN`). `WebhookDoor` keeps Django's request, since carriers' adapters read it,
and leaves out what stands before the view: middleware, signals and looking up the address.
"""

import logging
import time
from collections.abc import Callable, Iterable
from functools import lru_cache
from http import HTTPStatus
from typing import Any, cast

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler, WSGIRequest
from django.db import InterfaceError, OperationalError, connection
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, ResolverMatch, resolve, set_urlconf
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _

from brands.models import Brand
from brands.queries import brand_of_host
from common.errors import DomainError
from common.problems import problem, problem_of
from config.middleware import host_of
from redemption.api import LEAN, Call, Reply

log = logging.getLogger(__name__)
Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class LeanHandler(WSGIHandler):
    """Django's handler with ``settings.LEAN_MIDDLEWARE`` in place of ``settings.MIDDLEWARE``."""

    def load_middleware(self, is_async: bool = False) -> None:
        """Build the chain. None of its middleware has hooks for views, templates or exceptions."""
        del is_async
        self._view_middleware: list[Any] = []
        self._template_response_middleware: list[Any] = []
        self._exception_middleware: list[Any] = []
        chain: Callable[..., Any] = convert_exception_to_response(self._get_response)  # type: ignore[attr-defined]
        for path in reversed(settings.LEAN_MIDDLEWARE):
            chain = convert_exception_to_response(import_string(path)(chain))
        self._middleware_chain = chain


class ApiDoor:
    """Checks and redemptions straight from WSGI; everything else, and every call that is not plain, by ``long_way``."""

    def __init__(self, long_way: Application) -> None:
        self.long_way = long_way

    def __call__(self, environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        """Answer one call."""
        if environ["PATH_INFO"] not in LEAN or not _is_plain(environ) or not (brand := _brand_of(environ)):
            return self.long_way(environ, start_response)
        if connection.tenant is not brand:  # each time costs a statement; `brand_of_host` keeps the object for 10 s
            connection.set_tenant(brand)
        started = time.monotonic()
        reply = _answer(environ)
        if isinstance(reply, Reply):
            status, content, retry_after_s = reply
            headers = [("Content-Type", "application/json")]
            if retry_after_s is not None:
                headers.append(("Retry-After", str(retry_after_s)))
        else:
            status, content, headers = reply.status_code, reply.content, list(reply.items())
        headers.append(("Content-Length", str(len(content))))
        headers.append(("Server-Timing", f"app;dur={(time.monotonic() - started) * 1000:.1f}"))
        start_response(f"{status} {HTTPStatus(status).phrase}", headers)
        return [content]


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


def _is_plain(environ: dict[str, Any]) -> bool:
    """Return whether the call is a POST of JSON of a declared and allowed length."""
    length = environ.get("CONTENT_LENGTH") or ""
    return (
        environ["REQUEST_METHOD"] == "POST"
        and environ.get("CONTENT_TYPE", "").partition(";")[0].strip() == "application/json"
        and length.isdecimal()
        and 0 < int(length) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    )


def _brand_of(environ: dict[str, Any]) -> Brand | None:
    """Return the brand that answers, or None for the platform, an unknown host, and while the database is away."""
    if not connection.in_atomic_block:
        connection.close_if_unusable_or_obsolete()
    try:
        brand = brand_of_host(host_of(environ))
    except (OperationalError, InterfaceError):
        return None
    return brand if brand and brand.schema_name != settings.PUBLIC_SCHEMA_NAME else None


def _answer(environ: dict[str, Any]) -> Reply | HttpResponse:
    authenticate, operation = LEAN[environ["PATH_INFO"]]
    try:
        client = authenticate.key_of(environ.get("HTTP_AUTHORIZATION", ""))
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"]))
        accept = environ.get("HTTP_ACCEPT_LANGUAGE")
        return operation(Call(client, body, environ.get("HTTP_IDEMPOTENCY_KEY"), accept))
    except DomainError as error:
        return problem_of(error)
    except (OperationalError, InterfaceError):
        return problem(503, code="try_later", detail=_("We cannot answer now. Please send the same again in a moment."))
    except Exception as error:
        log.exception("an API call failed", exc_info=error)
        detail = _("Something went wrong on our side. Nothing is known to have been written.")
        return problem(500, code="internal", detail=detail)
