"""C(x): RFC 8785 for what we store. The reference encoder below follows the RFC's own rules, character by character."""

from typing import Any

import pytest
from hypothesis import given, strategies as st

from common.canonical import LIMIT, canonical

TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-LIMIT + 1, LIMIT - 1) | TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(max_codepoint=127)), inner),
    max_leaves=20,
)
SHORT = {8: "\\b", 9: "\\t", 10: "\\n", 12: "\\f", 13: "\\r", 34: '\\"', 92: "\\\\"}


def reference(value: Any) -> str:
    """RFC 8785, sections 3.2.2 and 3.2.3."""
    if value is None:
        return "null"
    if value is True or value is False:
        return "true" if value else "false"
    if isinstance(value, int):
        return f"{value:d}"
    if isinstance(value, str):
        return '"' + "".join(SHORT.get(ord(c)) or (f"\\u{ord(c):04x}" if ord(c) < 32 else c) for c in value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(map(reference, value)) + "]"
    keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
    return "{" + ",".join(f"{reference(key)}:{reference(value[key])}" for key in keys) + "}"


@given(VALUES)
def test_it_is_what_the_reference_encoder_writes(value: Any) -> None:
    assert canonical(value) == reference(value).encode()


@given(st.dictionaries(st.text(st.characters(max_codepoint=127)), st.integers(0, 9)))
def test_the_order_of_keys_is_of_no_account(value: dict[str, int]) -> None:
    assert canonical(value) == canonical(dict(reversed(value.items())))


@pytest.mark.parametrize("value", [1.0, {"a": [0.5]}, b"bytes", {1: "a"}, {"é": 1}, {"a": {1, 2}}, [object()]])
def test_what_has_no_one_form_is_refused(value: Any) -> None:
    assert canonical({"a": [1]}) == b'{"a":[1]}'
    with pytest.raises(TypeError):
        canonical(value)


@pytest.mark.parametrize("value", [LIMIT, -LIMIT, "\ud800", ["\udfff"]])
def test_what_readers_would_change_is_refused(value: Any) -> None:
    assert canonical(LIMIT - 1) == b"9007199254740991"
    with pytest.raises(ValueError):  # noqa: PT011 - both a plain one and that of the codec
        canonical(value)
