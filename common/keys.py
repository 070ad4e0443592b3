"""Key encryption and key derivation: who may unwrap a key, and how one key becomes many.

A `KekProvider` wraps and unwraps keys; `hkdf` is HKDF-SHA256 (RFC 5869). Wrapped keys are rows of ``staff.BrandKey``.
"""

import base64
import os
import stat
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hmac import HMAC
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from django.conf import settings
from django.core.exceptions import ImproperlyConfigured
from django.utils.module_loading import import_string

KEY_BYTES = 32
_NONCE_BYTES = 12


class KekProvider(Protocol):
    """Whoever holds the key-encryption key."""

    kek_id: str

    def wrap(self, plain: bytes, aad: bytes) -> bytes:
        """Return ``01 ‖ nonce (12) ‖ AES-256-GCM`` of ``plain`` bound to ``aad``."""

    def unwrap(self, blob: bytes, aad: bytes) -> bytes:
        """Return the plain key. Raises ``cryptography.exceptions.InvalidTag`` if blob, key or ``aad`` is not the one."""


class LocalKek:
    """A key-encryption key held in this process."""

    def __init__(self, key: bytes) -> None:
        if len(key) != KEY_BYTES:
            raise ImproperlyConfigured("the KEK must be the base64 of exactly 32 bytes")
        digest = hashes.Hash(hashes.SHA256())
        digest.update(b"kek-id/v1\x00" + key)
        self.kek_id = digest.finalize()[:8].hex()
        self._aead = AESGCM(key)

    def wrap(self, plain: bytes, aad: bytes) -> bytes:
        """See `KekProvider.wrap`."""
        nonce = os.urandom(_NONCE_BYTES)
        return b"\x01" + nonce + self._aead.encrypt(nonce, plain, aad)

    def unwrap(self, blob: bytes, aad: bytes) -> bytes:
        """See `KekProvider.unwrap`."""
        if blob[:1] != b"\x01":
            raise ValueError("unknown version of a wrapped key")
        return self._aead.decrypt(blob[1 : 1 + _NONCE_BYTES], blob[1 + _NONCE_BYTES :], aad)


def _from_file(name: str) -> LocalKek:
    path = Path(name)
    if not path.is_file():
        raise ImproperlyConfigured(f"KEK_FILE {name} does not exist")
    if stat.S_IMODE(path.stat().st_mode) & 0o177:
        raise ImproperlyConfigured(f"KEK_FILE {name} can be read by others: run `chmod 600 {name}`")
    return LocalKek(base64.b64decode(path.read_text().strip()))


@cache
def kek_provider() -> KekProvider:
    """Return the provider that the settings name: ``KEK_BACKEND``, else ``KEK``, else ``KEK_FILE``."""
    backend = getattr(settings, "KEK_BACKEND", "")
    if backend:
        return import_string(backend)()  # type: ignore[no-any-return]
    if settings.KEK:
        return LocalKek(base64.b64decode(settings.KEK))
    if settings.KEK_FILE:
        return _from_file(settings.KEK_FILE)
    raise ImproperlyConfigured("set KEK, KEK_FILE or KEK_BACKEND: without one no key can be unwrapped")


def hkdf(key: bytes, *, salt: bytes, info: bytes, length: int = KEY_BYTES) -> bytes:
    """Derive ``length`` bytes by HKDF-SHA256 (RFC 5869)."""
    return HKDF(algorithm=hashes.SHA256(), length=length, salt=salt, info=info).derive(key)


def mac_under(key: bytes) -> Callable[[bytes], bytes]:
    """Return the function that makes HMAC-SHA256 under a key: keyed once, then a third of what `hmac.digest` takes."""
    keyed = HMAC(key, hashes.SHA256())

    def mac(data: bytes) -> bytes:
        one = keyed.copy()
        one.update(data)
        return one.finalize()

    return mac
