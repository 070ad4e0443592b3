"""Strict Ed25519: a published vector, and keys under which anything would be signed."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from common.signing import is_signed, is_sound_key, message, public_of, sign

KEY = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")  # RFC 8032, 7.1, TEST 1
PUBLIC = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a"
P = 2**255 - 19
ORDER = 2**252 + 27742317777372353535851937790883648493
WEAK = [0, 1, P - 1, P, P + 1, 2**255 - 1, 2707385501144840649318225287225658788936804267575313519463743609750303402022]


def test_the_key_is_the_rfcs() -> None:
    assert public_of(KEY).hex() == PUBLIC


def test_a_signature_is_good_for_its_tag_content_and_key_only() -> None:
    signature = sign(KEY, "draw/v1", b"content")
    public = public_of(KEY)

    assert is_signed(public, "draw/v1", b"content", signature)
    assert not is_signed(public, "draw/v2", b"content", signature)
    assert not is_signed(public, "draw/v1", b"other", signature)
    assert not is_signed(public_of(bytes(32)), "draw/v1", b"content", signature)
    assert not is_signed(public, "draw/v1", b"content", signature[:-1])
    assert not is_signed(public[:-1], "draw/v1", b"content", signature)


def test_a_signature_has_one_form() -> None:
    signature = sign(KEY, "draw/v1", b"content")
    second_form = signature[:32] + (int.from_bytes(signature[32:], "little") + ORDER).to_bytes(32, "little")

    assert not is_signed(public_of(KEY), "draw/v1", b"content", second_form)


@pytest.mark.parametrize("y", WEAK)
def test_a_key_of_small_order_or_second_encoding_is_refused(y: int) -> None:
    assert is_sound_key(public_of(KEY))
    assert not is_sound_key(y.to_bytes(32, "little"))
    assert not is_sound_key((y | 1 << 255).to_bytes(32, "little"))


def test_the_library_alone_would_accept_a_key_of_small_order() -> None:
    one = (1).to_bytes(32, "little")
    anything = one + bytes(32)

    Ed25519PublicKey.from_public_bytes(one).verify(anything, message("draw/v1", b"whatever"))
    assert not is_signed(one, "draw/v1", b"whatever", anything)
