"""What is stored for ever under a key must be found again: the MAC is the standard's, however it is made."""

import hmac

import pytest

from common.keys import mac_under


@pytest.mark.parametrize("key", [b"k" * 32, b"Jefe", b"\xaa" * 131])
def test_a_mac_is_hmac_sha256(key: bytes) -> None:
    mac = mac_under(key)
    texts = [b"", b"what do ya want for nothing?", b"\xdd" * 500]

    assert [mac(text) for text in [*texts, *texts]] == [hmac.digest(key, text, "sha256") for text in [*texts, *texts]]
