"""A WSGI handler with a short list of middleware, for the few addresses that must be fast."""

from collections.abc import Callable
from typing import Any

from django.conf import settings
from django.core.handlers.exception import convert_exception_to_response
from django.core.handlers.wsgi import WSGIHandler
from django.utils.module_loading import import_string


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
