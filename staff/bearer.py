"""API keys at the REST door."""

import re

from django.http import HttpRequest
from django.utils.translation import gettext as _
from ninja.security import HttpBearer

from common.errors import Forbidden
from common.problems import Unauthorized
from staff.apikeys import KeyRef, authenticate

_TOKEN = re.compile(r"ak_(live|test)_[A-Za-z0-9_-]{43}")


class UnknownKey(Forbidden):
    """There is no such API key here: it is another brand's, or was revoked, or has expired."""

    code = "unknown_key"


class ScopeMissing(Forbidden):
    """The API key may not do this."""

    code = "scope_missing"


class ApiKeyAuth(HttpBearer):
    """An API key of this brand that has one of the scopes asked for; ``request.auth`` is its `KeyRef`."""

    openapi_description = "An API key of the brand: ak_live_… or ak_test_…"

    def __init__(self, *scopes: str) -> None:
        super().__init__()
        self.scopes = frozenset(scopes)

    def __call__(self, request: HttpRequest) -> KeyRef:
        """Return the key of a request: see `key_of`."""
        return self.key_of(request.META.get("HTTP_AUTHORIZATION", ""))

    def key_of(self, header: str) -> KeyRef:
        """Return the key in an Authorization header. Raises `Unauthorized` without one, `UnknownKey`, `ScopeMissing`."""
        kind, _blank, token = header.partition(" ")
        if kind.lower() != "bearer" or not _TOKEN.fullmatch(token.strip()):
            raise Unauthorized(_("Send an API key: Authorization: Bearer ak_live_…"))
        key = authenticate(token.strip())
        if key is None:
            raise UnknownKey(_("There is no such API key here: it is another brand's, or was revoked, or has expired."))
        if not self.scopes & key.scopes:
            raise ScopeMissing(_("The API key may not do this."))
        return key

    def authenticate(self, request: HttpRequest, token: str) -> KeyRef | None:
        """Return the key of a token (`HttpBearer` asks for this; `__call__` does it all)."""
        return authenticate(token)
