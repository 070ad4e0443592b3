"""The WSGI application that granian serves."""

import gc
import os
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from django.conf import settings
from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
_whole = get_wsgi_application()

from config.checks import refuse_unsafe  # noqa: E402 - the apps must be loaded first

refuse_unsafe()

from config.lean import ApiDoor, LeanHandler, WebhookDoor  # noqa: E402 - likewise
from redemption import door  # noqa: E402 - likewise

_lean = LeanHandler()
_api, _webhooks = ApiDoor(_lean), WebhookDoor(_lean)
import_module(settings.ROOT_URLCONF)  # now, so that the first scan does not wait for it
door.prepare()
gc.freeze()  # what was loaded stays: collecting garbage need not walk through it again and again


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer by a short way where machines call often, else by the whole stack."""
    path = environ.get("PATH_INFO", "")
    if path.startswith("/webhooks/"):
        return _webhooks(environ, start_response)
    return (_api if path in settings.LEAN_PATHS else _whole)(environ, start_response)
