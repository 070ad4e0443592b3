"""Where labels were and when, worked out from what was done with them. Pure.

Every label has a chain of steps in the order of their moments; each begins where the one before it ended. Labels with
the same chain stand side by side, so chains are kept per part of the range of numbers that no step cuts.
"""

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from datetime import datetime
from itertools import pairwise
from typing import NamedTuple


class Step(NamedTuple):
    """Labels ``first`` … ``end − 1`` that went from ``source`` to ``holder`` (None: the brand) at a moment.

    ``order`` tells apart steps of one moment; ``key`` names what was recorded. ``brings``: the holder or the market
    changes, so that what comes after is counted from here.
    """

    at: datetime
    order: int
    first: int
    end: int
    source: int | None
    holder: int | None
    state: str
    document: int
    key: int
    brings: bool


class Span(NamedTuple):
    """Labels that lay where ``step`` had brought them, until a moment (None: until now); ``since`` is the step's.

    ``bringing`` is the last step that counts for holder and market: ``step`` itself or one before it.
    """

    first: int
    end: int
    step: Step
    bringing: Step | None
    until: datetime | None


def _moment(step: Step) -> tuple[datetime, int]:
    return step.at, step.order


class Chains:
    """The chains of the labels of some half-open ranges (in order, apart from each other), cut where asked."""

    def __init__(self, parts: Iterable[tuple[int, int]], cuts: Iterable[int] = ()) -> None:
        self._parts: list[tuple[int, int]] = []
        edges = sorted(set(cuts))
        for first, end in parts:
            inner = edges[bisect_right(edges, first) : bisect_left(edges, end)]
            self._parts += pairwise([first, *inner, end])
        self._ends = [end for _first, end in self._parts]
        self._chains: list[list[Step]] = [[] for _ in self._parts]

    def add(self, step: Step) -> None:
        """Put a step into its chains; its ends must be among the cuts. What lies outside the ranges is left out."""
        for place in self._places(step.first, step.end):
            insort(self._chains[place], step, key=_moment)

    def remove(self, first: int, end: int, document: int) -> None:
        """Take the steps of a document out of the chains of some labels."""
        for place in self._places(first, end):
            self._chains[place] = [step for step in self._chains[place] if step.document != document]

    def around(self, first: int, end: int, at: datetime) -> Iterator[tuple[int, int, Step | None, Step | None]]:
        """Yield the parts of ``first`` … ``end − 1`` with the last step at or before a moment, and the next one."""
        for place in self._places(first, end):
            chain = self._chains[place]
            now = next((number for number, step in enumerate(chain) if step.at > at), len(chain))
            behind = chain[now] if now < len(chain) else None
            yield *self._parts[place], chain[now - 1] if now else None, behind

    def steps_of(self, document: int) -> Iterator[tuple[int, int, Step, Step | None]]:
        """Yield the parts that a document moved, each with its step and the one behind it."""
        for place, chain in enumerate(self._chains):
            for number, step in enumerate(chain):
                if step.document == document:
                    behind = chain[number + 1] if number + 1 < len(chain) else None
                    yield *self._parts[place], step, behind

    def spans(self) -> Iterator[Span]:
        """Yield who held what from when to when; neighbours with the same chain come as one."""
        place = 0
        while place < len(self._parts):
            last = place
            while self._goes_on(last, self._chains[place]):
                last += 1
            yield from _spans(self._parts[place][0], self._parts[last][1], self._chains[place])
            place = last + 1

    def _goes_on(self, place: int, chain: list[Step]) -> bool:
        behind = place + 1
        joined = behind < len(self._parts) and self._parts[behind][0] == self._parts[place][1]
        return joined and self._chains[behind] == chain

    def _places(self, first: int, end: int) -> range:
        from_here = bisect_right(self._ends, first)
        count = bisect_left(self._parts, (end,), lo=from_here) - from_here
        return range(from_here, from_here + count)


def _spans(first: int, end: int, chain: list[Step]) -> Iterator[Span]:
    brought: Step | None = None
    for number, step in enumerate(chain):
        if step.state == "missing":  # back with whoever sent it, as it was before
            brought = next((one for one in reversed(chain[:number]) if one.brings and one.holder == step.holder), None)
        elif step.brings:
            brought = step
        until = chain[number + 1].at if number + 1 < len(chain) else None
        if until is None or until > step.at:
            yield Span(first, end, step, brought, until)


def merged(parts: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return half-open ranges in order, those that touch or overlap made one."""
    found: list[tuple[int, int]] = []
    for first, end in sorted(parts):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], end))
        else:
            found.append((first, end))
    return found


def without(part: tuple[int, int], holes: Iterable[tuple[int, int]]) -> Iterator[tuple[int, int]]:
    """Yield what is left of a half-open range without some others (in order, not overlapping)."""
    first, end = part
    for hole_first, hole_end in holes:
        if hole_end <= first or hole_first >= end:
            continue
        if first < hole_first:
            yield first, hole_first
        first = max(first, hole_end)
    if first < end:
        yield first, end
