"""A partner's own area as a drawing: a dot for each of its cities, a bubble where others' goods were seen. Pure.

An equirectangular projection about the middle latitude, no outlines: bubbles stand on the centroids of cities. The same
figures stand in a table beside it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sqrt

WIDTH, LEAST_HEIGHT, MOST_HEIGHT = 320.0, 150.0, 400.0
EDGE, LARGEST = 26.0, 16.0
LETTER, LINE = 6.4, 13.0
"""Width of a letter (a Chinese one counts twice) and height of a line, in the drawing's units."""
MOST_NAMED = 8


@dataclass(frozen=True, slots=True)
class Place:
    """A city of the area, degrees. ``packs``: others' goods seen there, as far as that may be told; 0: nothing told."""

    code: str
    name: str
    lat: float
    lon: float
    packs: int = 0
    population: int = 0


@dataclass(frozen=True, slots=True)
class Dot:
    """A place in the drawing. ``radius`` 0: no bubble; ``named``: its name is written at (``name_x``, ``y``)."""

    place: Place
    x: float
    y: float
    radius: float
    named: bool = False
    name_x: float = 0.0
    turned: bool = False
    """The name ends at ``name_x`` rather than beginning there."""


@dataclass(frozen=True, slots=True)
class Drawing:
    width: float
    height: float
    dots: tuple[Dot, ...]


def draw(places: Sequence[Place]) -> Drawing | None:
    """Lay the places out; None for fewer than two: there is nothing to draw. Bubbles' areas are as their packs."""
    if len(places) < 2:
        return None
    south, north = min(one.lat for one in places), max(one.lat for one in places)
    west, east = min(one.lon for one in places), max(one.lon for one in places)
    shrink = cos(radians((south + north) / 2))
    wide, high = max((east - west) * shrink, 0.2), max(north - south, 0.2)
    scale = min((WIDTH - 2 * EDGE) / wide, (MOST_HEIGHT - 2 * EDGE) / high)
    height = round(max(high * scale + 2 * EDGE, LEAST_HEIGHT), 1)
    top = max((one.packs for one in places), default=0)

    def dot(one: Place) -> Dot:
        x = WIDTH / 2 + (one.lon - (west + east) / 2) * shrink * scale
        y = height / 2 - (one.lat - (south + north) / 2) * scale
        return Dot(one, round(x, 1), round(y, 1), round(LARGEST * sqrt(one.packs / top), 1) if one.packs else 0.0)

    ranked = sorted(map(dot, places), key=lambda one: (-one.place.packs, -one.place.population, one.place.code))
    return Drawing(WIDTH, height, tuple(_named(ranked)))


def _named(dots: Sequence[Dot]) -> list[Dot]:
    """Write names at the weightiest dots, each where it covers no other name, dot or bubble."""
    taken = [(dot.x - size, dot.y - size, dot.x + size, dot.y + size) for dot in dots if (size := max(dot.radius, 3.0))]
    found: list[Dot] = []
    left = MOST_NAMED
    for dot in dots:
        length = LETTER * sum(2 if ord(letter) > 0x2E80 else 1 for letter in dot.place.name)
        gap = max(dot.radius, 3.0) + 3
        turned = dot.x + gap + length > WIDTH
        start = dot.x - gap - length if turned else dot.x + gap
        box = (start, dot.y - LINE / 2, start + length, dot.y + LINE / 2)
        named = left > 0 and start >= 0 and not any(_meet(box, other) for other in taken)
        if named:
            taken.append(box)
            left -= 1
        name_x = round(dot.x - gap if turned else dot.x + gap, 1)
        found.append(Dot(dot.place, dot.x, dot.y, dot.radius, named=named, name_x=name_x, turned=turned))
    return found


def _meet(one: tuple[float, float, float, float], other: tuple[float, float, float, float]) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
