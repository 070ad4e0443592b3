"""Counting several acts against caps at once: all are added first, and what goes beyond a cap is given back."""

from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from typing import TypeVar

K = TypeVar("K", bound=Hashable)
Caps = Sequence[tuple[K, int]]  # the counters that one act is counted in, each with its cap


def wanted(acts: Sequence[Caps[K]]) -> Counter[K]:
    """Return what is added for all acts together: one for each act and counter."""
    return Counter(key for caps in acts for key in {key for key, _cap in caps})


def in_turn(acts: Sequence[Caps[K]], used: Mapping[K, int]) -> tuple[list[bool], Counter[K]]:
    """Return which acts, in turn, stay within all their caps, and what of `wanted` is to be given back.

    ``used``: the counters once all was added.
    """
    added = wanted(acts)
    before = {key: count - added[key] for key, count in used.items()}
    allowed, unused = [], Counter[K]()
    for caps in acts:
        fits = all(before[key] < cap for key, cap in caps)
        allowed.append(fits)
        for key in {key for key, _cap in caps}:
            if fits:
                before[key] += 1
            else:
                unused[key] += 1
    return allowed, unused
