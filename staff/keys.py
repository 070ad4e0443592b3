"""The brand's own keys: made once, stored wrapped, unwrapped for at most an hour in this process.

Call these outside transactions: unwrapping may ask a remote provider.
"""

import os
import time
from collections import OrderedDict
from datetime import datetime
from threading import Lock
from typing import Any

from django.db import IntegrityError, connection

from common.errors import NotFound
from common.keys import KEY_BYTES, kek_provider
from common.signing import public_of
from staff.models import BrandKey

KEEP_S = 3600.0
KEEP_COUNT = 1024  # some four for a brand: what is not kept costs a query and an unwrapping at every use
_kept: OrderedDict[tuple[Any, ...], tuple[float, bytes]] = OrderedDict()
_lock = Lock()


class KeyDestroyed(NotFound):
    """That key was destroyed: what it protected can no longer be read or checked."""

    code = "key_destroyed"


def brand_uuid() -> bytes:
    """Return the 16 bytes that bind keys and cipher texts to this brand."""
    return bytes(connection.tenant.uuid.bytes)


def _aad(kind: str, version: int) -> bytes:
    return f"{kind}/v1".encode() + brand_uuid() + version.to_bytes(2, "big")


def create_key(kind: str, *, at: datetime, name: str = "", version: int = 0, plain: bytes | None = None) -> BrandKey:
    """Make a random 32-byte key (or keep ``plain``), store it wrapped, return its row."""
    provider = kek_provider()
    return BrandKey.objects.create(
        kind=kind,
        name=name,
        version=version,
        kek_id=provider.kek_id,
        blob=provider.wrap(plain or os.urandom(KEY_BYTES), _aad(kind, version)),
        created_at=at,
    )


def brand_key(kind: str, *, name: str = "", version: int = 0) -> bytes:
    """Return a plain key. Raises `NotFound` if it was never made, `KeyDestroyed` if it was shredded."""
    ident = (connection.schema_name, brand_uuid(), kind, name, version)
    with _lock:
        found = _kept.get(ident)
        if found and found[0] > time.monotonic():
            _kept.move_to_end(ident)
            return found[1]
    row = BrandKey.objects.filter(kind=kind, name=name, version=version).first()
    if row is None:
        raise NotFound(f"this brand has no {kind} key of version {version}")
    if row.destroyed_at is not None:
        raise KeyDestroyed
    plain = kek_provider().unwrap(bytes(row.blob), _aad(kind, version))
    with _lock:
        _kept[ident] = (time.monotonic() + KEEP_S, plain)
        while len(_kept) > KEEP_COUNT:
            _kept.popitem(last=False)
    return plain


def root_key(version: int = 0) -> bytes:
    """Return a root of the label keys. Version 0 serves no slot: the other purposes are derived from it."""
    return brand_key(BrandKey.Kind.ROOT, version=version)


def forget_keys() -> None:
    """Drop every plain key that this process keeps."""
    with _lock:
        _kept.clear()


def create_brand_keys(*, at: datetime) -> None:
    """Make the keys that every brand needs: two roots (purposes; slots), personal data, blind index."""
    create_key(BrandKey.Kind.ROOT, at=at, version=0)
    create_key(BrandKey.Kind.ROOT, at=at, version=1)
    create_key(BrandKey.Kind.DATA, at=at)
    create_key(BrandKey.Kind.INDEX, at=at)


def destroy_key(kind: str, *, version: int, at: datetime, name: str = "") -> None:
    """Destroy a wrapped key for ever: what it protects can no longer be read. Raises `NotFound`."""
    if not BrandKey.objects.filter(kind=kind, name=name, version=version).update(blob=b"", destroyed_at=at):
        raise NotFound
    forget_keys()


def sign_key(*, at: datetime) -> bytes:
    """Return the brand's signing key (Ed25519, 32 bytes), made on first need. Call it outside transactions."""
    try:
        return brand_key(BrandKey.Kind.SIGN)
    except KeyDestroyed:
        raise
    except NotFound:
        try:
            create_key(BrandKey.Kind.SIGN, at=at)
        except IntegrityError:  # another process was faster
            forget_keys()
        return brand_key(BrandKey.Kind.SIGN)


def public_sign_keys() -> list[bytes]:
    """Return the public halves of the brand's signing keys, none if nothing was ever signed."""
    versions = BrandKey.objects.filter(kind=BrandKey.Kind.SIGN, destroyed_at=None).values_list("version", flat=True)
    return [public_of(brand_key(BrandKey.Kind.SIGN, version=version)) for version in versions]
