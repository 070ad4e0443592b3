"""Django as a WSGI application; granian serves it through `config.gateway`."""

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

from common.garbage import collect_seldom  # noqa: E402 - likewise
from config.webhooks import WebhookDoor  # noqa: E402 - likewise
from redemption import door  # noqa: E402 - likewise

_webhooks = WebhookDoor(_whole)
import_module(settings.ROOT_URLCONF)  # now, so that the first scan does not wait for it
door.prepare()
collect_seldom()


def application(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
    """Answer webhooks by a short way, all else by the whole stack."""
    return (_webhooks if environ.get("PATH_INFO", "").startswith("/webhooks/") else _whole)(environ, start_response)
