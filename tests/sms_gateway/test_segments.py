from typing import Literal

import pytest
from hypothesis import given, strategies as st

from sms_gateway.segments import Parts, fold, parts_of


@pytest.mark.parametrize(
    ("text", "encoding", "units", "count"),
    [
        ("", "GSM-7", 0, 0),
        ("a" * 160, "GSM-7", 160, 1),
        ("a" * 161, "GSM-7", 161, 2),
        ("a" * 306, "GSM-7", 306, 2),
        ("a" * 307, "GSM-7", 307, 3),
        ("€" * 80, "GSM-7", 160, 1),
        ("a" * 152 + "€" + "a" * 152, "GSM-7", 306, 3),  # the pair does not fit the first part's last place
        ("茶" * 70, "UCS-2", 70, 1),
        ("茶" * 71, "UCS-2", 71, 2),
        ("茶" * 134, "UCS-2", 134, 2),
        ("茶" * 66 + "🎁" + "茶" * 66, "UCS-2", 134, 3),
        ("’" * 10, "UCS-2", 10, 1),
    ],
)
def test_parts_are_counted(text: str, encoding: Literal["GSM-7", "UCS-2"], units: int, count: int) -> None:
    assert parts_of(text) == Parts(encoding, units, count)


def test_typographic_marks_cost_nothing() -> None:
    assert parts_of(fold("“You’re right” – it’s\u00a0fine…")).encoding == "GSM-7"


@given(st.text(max_size=400))
def test_parts_hold_all_units(text: str) -> None:
    parts = parts_of(text)

    single, each = (160, 153) if parts.encoding == "GSM-7" else (70, 67)
    if parts.units <= single:
        assert parts.count == (1 if text else 0)
    else:
        assert parts.units <= parts.count * each
