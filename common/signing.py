"""Signatures that others can check without us: Ed25519 (RFC 8032) over ``tag ‖ 00 ‖ SHA-256(content)``."""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def message(tag: str, content: bytes) -> bytes:
    """Return what is signed: the tag says for what a signature is good, so that none can be used elsewhere."""
    return tag.encode("ascii") + b"\x00" + hashlib.sha256(content).digest()


def sign(key: bytes, tag: str, content: bytes) -> bytes:
    """Return the 64 bytes of a signature under a private key of 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(key).sign(message(tag, content))


def public_of(key: bytes) -> bytes:
    """Return the public key of a private one, 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def is_signed(public: bytes, tag: str, content: bytes, signature: bytes) -> bool:
    """Return whether a signature is of this content, for this tag, under this public key."""
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message(tag, content))
    except InvalidSignature:
        return False
    return True
