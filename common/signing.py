"""Signatures that others can check without us: strict Ed25519 (RFC 8032) over ``tag ‖ 00 ‖ SHA-256(content)``.

Strict: a key has one encoding and is no point of small order, under which anybody could sign anything; the signature's
``S`` is below the group's order and ``R`` has one encoding (both seen to by the library).
"""

import hashlib

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

_P = 2**255 - 19
# The y of the eight points whose order divides 8.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _P - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    }
)


def message(tag: str, content: bytes) -> bytes:
    """Return what is signed: the tag says for what a signature is good, so that none can be used elsewhere."""
    return message_of_hash(tag, hashlib.sha256(content).digest())


def message_of_hash(tag: str, digest: bytes) -> bytes:
    """Return what is signed where only the content's SHA-256 is at hand."""
    return tag.encode("ascii") + b"\x00" + digest


def sign(key: bytes, tag: str, content: bytes) -> bytes:
    """Return the 64 bytes of a signature under a private key of 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(key).sign(message(tag, content))


def public_of(key: bytes) -> bytes:
    """Return the public key of a private one, 32 bytes."""
    return Ed25519PrivateKey.from_private_bytes(key).public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def is_signed(public: bytes, tag: str, content: bytes, signature: bytes) -> bool:
    """Return whether a signature is of this content, for this tag, under this public key."""
    if not is_sound_key(public):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message(tag, content))
    except InvalidSignature:
        return False
    return True


def is_sound_key(public: bytes) -> bool:
    """Return whether these are the 32 bytes of a key: encoded in the one way, and of no small order."""
    y = int.from_bytes(public, "little") & (2**255 - 1)
    return len(public) == 32 and y < _P and y not in _SMALL_ORDER
