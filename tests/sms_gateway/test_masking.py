"""Codes are hidden, letter for letter; words and the text's length stay."""

import pytest
from hypothesis import given, strategies as st

from sms_gateway.masking import mask_codes


@pytest.mark.parametrize(
    ("text", "masked"),
    [
        ("1234 5678 9012 3456", "•••• •••• •••• ••••"),
        ("my code: 1234567890123456!", "my code: ••••••••••••••••!"),
        ("ABCD-EFG2-HJKM", "••••-••••-••••"),
        ("check 1234567890123456 please", "check •••••••••••••••• please"),
        ("１２３４５６７８９０１２３４５６", "•" * 16),
        ("查 一二三四五六七八九〇一二", "查 ••••••••••••"),
        ("BALANCE", "BALANCE"),
        ("see you at 12:30", "see you at 12:30"),
        ("", ""),
    ],
)
def test_what_may_be_a_code_is_hidden(text: str, masked: str) -> None:
    assert mask_codes(text) == masked


@given(st.text())
def test_every_place_stays_itself_or_is_hidden(text: str) -> None:
    masked = mask_codes(text)

    assert len(masked) == len(text)
    assert all(new in {old, "•"} for old, new in zip(text, masked, strict=True))
