"""Keys of the REST API: 256 random bits, shown once, kept as SHA-256, found through a cache of ten seconds."""

import hashlib
import secrets
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from threading import Lock

from django.db.models import Q
from django.utils.translation import gettext as _

from common.clock import now
from common.db import schema_name
from common.errors import Invalid
from staff.models import ApiKey, User

KEEP_S = 10.0
_USED_EVERY = timedelta(hours=1)
_PREFIX_LENGTH = 14  # "ak_live_" and six more
_MOST_KEPT = 10_000
_cache: dict[tuple[str, bytes], tuple[float, "KeyRef"]] = {}
_lock = Lock()


class BadScope(Invalid):
    """An API key needs a name and at least one scope, and only scopes that exist."""

    code = "bad_scope"


@dataclass(frozen=True, slots=True)
class KeyRef:
    """Who calls the API, and what the key may do."""

    id: int
    prefix: str
    scopes: frozenset[str]
    is_test: bool
    expires_at: datetime | None


def create_key(
    name: str,
    scopes: Iterable[str],
    *,
    at: datetime,
    is_test: bool = False,
    expires_at: datetime | None = None,
    created_by: User | None = None,
) -> tuple[ApiKey, str]:
    """Make a key; return its row and the token, which is never readable again. Raises `BadScope`."""
    wanted = sorted(set(scopes))
    if not wanted or not name.strip() or not set(wanted) <= set(ApiKey.Scope.values):
        raise BadScope(_("Give the key a name and at least one scope."))
    token = f"ak_{'test' if is_test else 'live'}_{secrets.token_urlsafe(32)}"
    key = ApiKey.objects.create(
        name=name.strip(),
        prefix=token[:_PREFIX_LENGTH],
        digest=_digest(token),
        scopes=wanted,
        is_test=is_test,
        created_by=created_by,
        created_at=at,
        expires_at=expires_at,
    )
    return key, token


def revoke_key(key: ApiKey, *, at: datetime) -> None:
    """End a key. Every process has forgotten it after at most ten seconds, this one at once."""
    ApiKey.objects.filter(pk=key.pk, revoked_at=None).update(revoked_at=at)
    forget_keys()


def authenticate(token: str, *, at: datetime | None = None) -> KeyRef | None:
    """Return whose token that is, or None for one that is unknown, revoked or expired."""
    at = at or now()
    ident = (schema_name(), _digest(token))
    found = _cache.get(ident)
    if found is None or found[0] <= time.monotonic():
        ref = _look_up(ident[1], at)
        if ref is None:
            return None
        with _lock:
            if len(_cache) >= _MOST_KEPT:
                _cache.clear()
            _cache[ident] = found = (time.monotonic() + KEEP_S, ref)
    ref = found[1]
    return ref if ref.expires_at is None or ref.expires_at > at else None


def forget_keys() -> None:
    """Drop what this process keeps."""
    with _lock:
        _cache.clear()


def _look_up(digest: bytes, at: datetime) -> KeyRef | None:
    key = ApiKey.objects.filter(digest=digest, revoked_at=None).first()
    if key is None:
        return None
    unused = Q(last_used_at=None) | Q(last_used_at__lt=at - _USED_EVERY)
    ApiKey.objects.filter(unused, pk=key.pk).update(last_used_at=at)  # to the hour: that is what people ask
    return KeyRef(key.pk, key.prefix, frozenset(key.scopes), key.is_test, key.expires_at)


def _digest(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
