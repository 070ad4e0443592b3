"""Canonical JSON: one byte string for one value (RFC 8785, restricted to what we store)."""

import json
from typing import Any


def canonical(value: Any) -> bytes:
    """Return ``value`` as UTF-8 JSON with sorted keys and no spare blanks.

    Numbers must be integers: RFC 8785's rules for fractions are then never needed. Raises TypeError for a float.
    """
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _refuse_floats(value: Any) -> None:
    if isinstance(value, float):
        raise TypeError("canonical JSON holds integers only; scale the value first")
    if isinstance(value, dict):
        for item in value.values():
            _refuse_floats(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_floats(item)
