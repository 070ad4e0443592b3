"""Personal data at rest: encrypted text, and a blind index to find it by.

A cipher text is bound to the brand, the field and the row, so that it cannot be moved to another row.
"""

import os
from collections.abc import Iterable
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.keys import mac_under
from staff.keys import brand_key, brand_uuid
from staff.models import BrandKey

_VERSION = b"\x01"
_NONCE_BYTES = 12
INDEX_BYTES = 16


def _aad_of(field: str) -> bytes:
    return brand_uuid() + field.encode() + b"\x00"


def _aad(field: str, row: UUID) -> bytes:
    return _aad_of(field) + row.bytes


def seal(text: str, *, field: str, row: UUID) -> bytes:
    """Encrypt ``text`` by AES-256-GCM for ``field`` ("members.Member.phone") of the row with that uuid."""
    return seal_each([text], [row], field=field)[0]


def seal_bytes(data: bytes, *, field: str, row: UUID) -> bytes:
    """Encrypt what is no text (a picture), as `seal` does."""
    nonce = os.urandom(_NONCE_BYTES)
    return _VERSION + nonce + AESGCM(brand_key(BrandKey.Kind.DATA)).encrypt(nonce, data, _aad(field, row))


def seal_each(texts: Iterable[str], rows: Iterable[UUID], *, field: str) -> list[bytes]:
    """Encrypt the texts of many rows, each as `seal` does; the key is fetched once."""
    encrypt, prefix, texts = AESGCM(brand_key(BrandKey.Kind.DATA)).encrypt, _aad_of(field), list(texts)
    random = os.urandom(_NONCE_BYTES * len(texts))
    nonces = [random[start : start + _NONCE_BYTES] for start in range(0, len(random), _NONCE_BYTES)]
    return [
        _VERSION + nonce + encrypt(nonce, text.encode(), prefix + row.bytes)
        for nonce, text, row in zip(nonces, texts, rows, strict=True)
    ]


def unseal(blob: bytes, *, field: str, row: UUID) -> str:
    """Return the text; raises ``InvalidTag`` if the blob belongs to another field or row."""
    return unseal_bytes(blob, field=field, row=row).decode()


def unseal_bytes(blob: bytes, *, field: str, row: UUID) -> bytes:
    """Return what `seal_bytes` encrypted. Raises as `unseal`."""
    blob = bytes(blob)
    if blob[:1] != _VERSION:
        raise ValueError("unknown version of an encrypted field")
    nonce, cipher = blob[1 : 1 + _NONCE_BYTES], blob[1 + _NONCE_BYTES :]
    return AESGCM(brand_key(BrandKey.Kind.DATA)).decrypt(nonce, cipher, _aad(field, row))


def blind_index(text: str, *, purpose: str = "phone") -> bytes:
    """Return 16 bytes by which equal texts are found without being read: HMAC-SHA256 under the brand's index key."""
    return blind_indexes([text], purpose=purpose)[0]


def blind_indexes(texts: Iterable[str], *, purpose: str = "phone") -> list[bytes]:
    """Return the blind index of each text; the key is fetched once."""
    mac, domain = mac_under(brand_key(BrandKey.Kind.INDEX)), purpose.encode() + b"\x00"
    return [mac(domain + text.encode())[:INDEX_BYTES] for text in texts]
