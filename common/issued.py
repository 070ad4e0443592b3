"""Where a Chinese telephone number was issued, by the tables of the package phonenumbers (Apache 2.0).

They take 100 MB to read, so a process of its own reduces them once (``python -m common.issued``, JSON on standard
output) and the result is kept in ``VAR``. It is where a number was issued, not where a person is. Numbers are not kept.
"""

import json
import sys
from bisect import bisect_right
from functools import cache, lru_cache
from importlib.metadata import version
from typing import Any

LONGEST = 9
"""Digits of a prefix, with the country's."""


def issued_in(e164: str) -> str:
    """Return the place in which a number was issued, in Chinese ("广东省深圳市"), or "" outside China or if unknown."""
    return _issued(e164[1 : 1 + LONGEST]) if e164.startswith("+86") else ""


@lru_cache(maxsize=2**16)
def _issued(digits: str) -> str:
    prefixes, places, names = _table()
    for length in range(len(digits), 3, -1):
        prefix = int(digits[:length])
        at = bisect_right(prefixes, prefix) - 1
        if at >= 0 and prefixes[at] == prefix:
            return str(names[places[at]])
    return ""


@cache
def _table() -> tuple[Any, Any, list[str]]:
    from array import array

    from common.geo import reduced_by

    source = json.loads(reduced_by("common.issued", f"issued-{version('phonenumbers')}.json"))
    return array("q", source["prefixes"]), array("h", source["places"]), source["names"]


def reduced() -> dict[str, list[Any]]:
    """Return the prefixes of China, ascending, and the place of each."""
    from phonenumbers.geodata import GEOCODE_DATA

    rows = sorted((int(prefix), names["zh"]) for prefix, names in GEOCODE_DATA.items()
                  if prefix.startswith("86") and len(prefix) <= LONGEST and "zh" in names)  # fmt: skip
    names = sorted({name for _prefix, name in rows})
    number = {name: place for place, name in enumerate(names)}
    return {
        "prefixes": [prefix for prefix, _name in rows],
        "places": [number[name] for _prefix, name in rows],
        "names": names,
    }


if __name__ == "__main__":
    json.dump(reduced(), sys.stdout)
