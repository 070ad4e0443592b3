"""Cells, owners and distances: the plane on which diversion is judged. Pure (docs/algorithms/diversion.md).

A *cell* is a city; a city whose counties belong to different distributors is replaced by its counties. Whatever code a
scan names, of any level, stands for the cells below it.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]
Flags = NDArray[np.bool_]

EARTH_RADIUS_KM = 6371.0
LEVELS = ("country", "province", "city", "county")
EVERY_LINE = -1
NOBODY = -1
"""The owner of a cell that no territory covers."""


@dataclass(frozen=True, slots=True)
class Region:
    """One node of the tree. ``level`` is one of `LEVELS`; ``population`` counts people."""

    code: str
    parent: str
    level: str
    lat: float | None
    lon: float | None
    population: float


@dataclass(frozen=True, slots=True)
class Territory:
    """A region given to a distributor (by its number in the list), both days included; no day is no bound.

    ``line``: the product line for which it is given, `EVERY_LINE` for all.
    """

    distributor: int
    region: str
    valid_from: date | None = None
    valid_to: date | None = None
    line: int = -1

    def covers(self, day: date) -> bool:
        return (self.valid_from is None or self.valid_from <= day) and (self.valid_to is None or day <= self.valid_to)


def distance_km(lat: Floats, lon: Floats, other_lat: Floats, other_lon: Floats) -> Floats:
    """Return great-circle distances of points in degrees (haversine); the arguments broadcast."""
    phi, other_phi = np.radians(lat), np.radians(other_lat)
    half = np.sin((other_phi - phi) / 2) ** 2
    half = half + np.cos(phi) * np.cos(other_phi) * np.sin(np.radians(other_lon - lon) / 2) ** 2
    return np.asarray(2 * EARTH_RADIUS_KM * np.arcsin(np.sqrt(np.clip(half, 0, 1))), np.float64)


def rows_to_one(weights: Floats) -> Floats:
    """Return ``weights`` with each row summing to 1; a row of zeros stays."""
    sums = weights.sum(axis=-1, keepdims=True)
    return np.asarray(np.divide(weights, sums, out=np.zeros_like(weights), where=sums > 0), np.float64)


@dataclass(frozen=True)
class Geography:
    """The cells of a market, J of them, and who owned each from which day on, for which products.

    ``owners[e, j]``: the distributor that owns cell j in epoch e, or `NOBODY`. The epochs of the first assortment come
    first, one beginning on each of ``epochs``, then those of the next: `epoch_of` counts them.
    """

    codes: tuple[str, ...]
    lat: Floats
    lon: Floats
    population: Floats
    province: Ints
    """Which province each cell lies in, numbered from 0."""
    members: Mapping[str, Ints]
    """Code of any level → the cells that it stands for."""
    epochs: tuple[date, ...]
    owners: Ints
    assortments: tuple[tuple[int, ...], ...] = ((),)
    """Products that are in the same lines: these lines, the narrowest first."""

    @cached_property
    def share(self) -> Floats:
        """(J,): each cell's share of the people."""
        return rows_to_one(self.population)

    @cached_property
    def distances(self) -> Floats:
        """(J, J), kilometres."""
        return distance_km(self.lat[:, None], self.lon[:, None], self.lat[None, :], self.lon[None, :])

    @cached_property
    def near(self) -> Floats:
        """(J, J): where someone of cell j is met on a short trip; rows sum to 1, the own cell is 0."""
        return self._rows(self.population[None, :] * np.exp(-self.distances / 90))

    @cached_property
    def grav(self) -> Floats:
        """(J, J): the gravity law of longer trips."""
        return self._rows(self.population[None, :] / np.maximum(self.distances, 50))

    @cached_property
    def migration(self) -> Floats:
        """(J, J): where people of cell j moved to or came from: cells of other provinces."""
        weights = self.population[None, :] ** 0.8 / np.sqrt(np.maximum(self.distances, 150))
        return rows_to_one(np.where(self.province[:, None] != self.province[None, :], weights, 0))

    def _rows(self, weights: Floats) -> Floats:
        weights = weights.copy()
        np.fill_diagonal(weights, 0)
        return rows_to_one(weights)

    def epoch_of(self, day: date, assortment: int = 0) -> int:
        """Return the epoch in which ``day`` lies for products of an assortment; days before the first belong to it."""
        return assortment * len(self.epochs) + max(sum(start <= day for start in self.epochs) - 1, 0)

    def membership(self, codes: Sequence[str]) -> Floats:
        """Return (len(codes), J): 1 where the cell belongs to the code."""
        found = np.zeros((len(codes), len(self.codes)))
        for row, code in enumerate(codes):
            found[row, self.members[code]] = 1
        return found


def _ancestors(code: str, regions: Mapping[str, Region]) -> list[str]:
    """Return the code and all above it, nearest first. A ring ends where it closes."""
    found: list[str] = []
    while code in regions and code not in found:
        found.append(code)
        code = regions[code].parent
    return found


def _epochs(territories: Iterable[Territory]) -> tuple[date, ...]:
    days = {date.min}
    for territory in territories:
        if territory.valid_from is not None:
            days.add(territory.valid_from)
        if territory.valid_to is not None and territory.valid_to < date.max:
            days.add(date.fromordinal(territory.valid_to.toordinal() + 1))
    return tuple(sorted(days))


def _owner(
    chain: Sequence[str], day: date, by_region: Mapping[str, Sequence[Territory]], lines: Sequence[int] = ()
) -> int:
    """Return who owns the most specific region of ``chain`` that anybody owns for products of these lines.

    Of two, who has it for the narrower line; then who came later.
    """
    width = {line: place for place, line in enumerate((*lines, EVERY_LINE))}
    for code in chain:
        valid = [
            territory for territory in by_region.get(code, ()) if territory.line in width and territory.covers(day)
        ]
        if valid:
            best = max(valid, key=lambda one: (-width[one.line], one.valid_from or date.min, -one.distributor))
            return best.distributor
    return NOBODY


def build(
    regions: Sequence[Region],
    territories: Sequence[Territory],
    assortments: Sequence[tuple[int, ...]] = ((),),
) -> Geography:
    """Return the cells of these regions. Raises ValueError where no region could be a cell."""
    tree = {region.code: region for region in regions}
    by_region: dict[str, list[Territory]] = {}
    for territory in territories:
        by_region.setdefault(territory.region, []).append(territory)
    epochs = _epochs(territories)
    chains = {code: _ancestors(code, tree) for code in tree}
    children: dict[str, list[str]] = {}
    for region in regions:
        children.setdefault(region.parent, []).append(region.code)

    def placed(code: str) -> bool:
        return tree[code].lat is not None and tree[code].lon is not None

    def split(city: str) -> bool:
        """Whether counties of this city ever belonged to different distributors."""
        counties = [code for code in children.get(city, ()) if tree[code].level == "county"]
        if not counties or not all(placed(code) for code in counties):
            return False
        return any(
            len({_owner(chains[code], day, by_region, lines) for code in counties}) > 1
            for lines in assortments
            for day in epochs
        )

    cells: list[str] = []
    for region in regions:
        if region.level == "city" and placed(region.code):
            counties = [code for code in children.get(region.code, ()) if tree[code].level == "county"]
            cells += counties if split(region.code) else [region.code]
    above = {code for cell in cells for code in chains[cell]}
    cells += [
        code for code, region in tree.items() if region.level == "province" and code not in above and placed(code)
    ]
    if not cells:
        raise ValueError("no city among the regions has a latitude and a longitude")

    number = {code: index for index, code in enumerate(cells)}
    members: dict[str, list[int]] = {}
    for code in tree:
        for over in chains[code]:
            if code in number:
                members.setdefault(over, []).append(number[code])
    for code, chain in chains.items():  # finer than a cell: the cell that it lies in
        inside = next((over for over in chain if over in number), None)
        if code not in members and inside is not None:
            members[code] = [number[inside]]
    provinces: dict[str, int] = {}
    province = [
        provinces.setdefault(
            next((over for over in chains[code] if tree[over].level == "province"), code), len(provinces)
        )
        for code in cells
    ]
    return Geography(
        codes=tuple(cells),
        lat=np.array([tree[code].lat for code in cells], np.float64),
        lon=np.array([tree[code].lon for code in cells], np.float64),
        population=np.maximum([tree[code].population for code in cells], 1.0),
        province=np.array(province, np.int64),
        members={code: np.array(sorted(set(found)), np.int64) for code, found in members.items()},
        epochs=epochs,
        owners=np.array(
            [
                [_owner(chains[code], day, by_region, lines) for code in cells]
                for lines in assortments
                for day in epochs
            ],
            np.int64,
        ),
        assortments=tuple(assortments),
    )
