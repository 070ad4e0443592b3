"""Canonical JSON ``C(x)``: one byte string for one value (RFC 8785, restricted to what we store and sign).

Strings, integers of magnitude below 2^53, booleans, null, lists, and objects with ASCII keys. With these alone
RFC 8785's rules for fractions are never needed, and its order of keys (UTF-16 code units) is the order of bytes.
"""

import json
from typing import Any

LIMIT = 2**53


def canonical(value: Any) -> bytes:
    """Return ``value`` as UTF-8 JSON with sorted keys and no spare blanks.

    Raises TypeError for what has no place in it (a float, bytes, a key that is no ASCII text), ValueError for an
    integer that JSON readers would round, or text that is no Unicode (half of a surrogate pair).
    """
    _refuse_others(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def _refuse_others(value: Any) -> None:
    if value is None or isinstance(value, str | bool):
        return
    if isinstance(value, int):
        if not -LIMIT < value < LIMIT:
            raise ValueError("canonical JSON holds integers below 2^53; write a larger one as a string")
    elif isinstance(value, dict):
        for key, item in value.items():
            if not (isinstance(key, str) and key.isascii()):
                raise TypeError("canonical JSON has ASCII keys only")
            _refuse_others(item)
    elif isinstance(value, list | tuple):
        for item in value:
            _refuse_others(item)
    else:
        raise TypeError(f"canonical JSON holds no {type(value).__name__}; scale a fraction, write bytes as hex")
