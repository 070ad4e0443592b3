"""Goods that went out in cases, and where they were opened: honest trade, and a part of it that surfaced elsewhere. Pure.

Every distributor sells its cases in its own cities: most in one shop, the others broken up among several. Buyers travel. One
distributor sends a part of four consignments to the coast; two others let some cases go, once. Innocent beside them: a
border shop, and a case that a company carried off whole.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random
from typing import NamedTuple

CASES, PER_CASE = 16, 24
LABELS = CASES * PER_CASE
PER_DISTRIBUTOR = 6
FIRST_DAY, EVERY_DAYS = 2, 12
SCANNED_OF_CASE = 4.2  # of its labels, on average
_BROKEN_UP = 0.25
_SALE_DAYS = 13.0
EAST, SOUTH, NORTH, MIN_RIVER, WEST, CENTRAL = DISTRIBUTORS = range(6)


class Strays(NamedTuple):
    """The first cases of a consignment that were sold elsewhere, and in which cities."""

    cases: int
    cities: tuple[str, ...]


STRAYS = {
    (SOUTH, 2): Strays(10, ("Hangzhou", "Shanghai", "Suzhou")),
    (SOUTH, 3): Strays(7, ("Shanghai", "Ningbo")),
    (SOUTH, 4): Strays(2, ("Ningbo", "Shanghai")),
    (SOUTH, 5): Strays(12, ("Hangzhou", "Nanjing", "Shanghai")),
    (NORTH, 3): Strays(9, ("Wuhan", "Changsha")),
    (CENTRAL, 3): Strays(3, ("Guangzhou", "Shenzhen")),
    (EAST, 2): Strays(2, ("Zaozhuang",)),  # a border shop, a few streets beyond Xuzhou
    (WEST, 4): Strays(1, ("Beijing",)),  # a case that a company carried off whole
}


@dataclass(frozen=True, slots=True)
class Consignment:
    """One shipment of full cases to a distributor; ``first``: its first label, as a place in the batch."""

    distributor: int
    number: int

    @property
    def first(self) -> int:
        return (self.distributor * PER_DISTRIBUTOR + self.number) * LABELS

    @property
    def day(self) -> int:
        return FIRST_DAY + self.number * EVERY_DAYS + self.distributor

    @property
    def strays(self) -> Strays:
        return STRAYS.get((self.distributor, self.number), Strays(0, ()))


class Opening(NamedTuple):
    """One unit of a consignment, opened. ``city``: where it was sold, not always where it is opened."""

    minute: int
    place_in_batch: int
    city: str
    redeems: bool


CONSIGNMENTS = tuple(
    Consignment(distributor, number) for distributor in DISTRIBUTORS for number in range(PER_DISTRIBUTOR)
)


def openings(random: Random, markets: dict[int, list[str]], *, last_day: int, share: float) -> Iterator[Opening]:
    """Yield which units were opened, in which city they had been sold. ``markets``: each distributor's cities, by weight."""
    for consignment in CONSIGNMENTS:
        for case in range(CASES):
            strayed = case < consignment.strays.cases
            cities = consignment.strays.cities if strayed else markets[consignment.distributor]
            shop = random.choice(cities)
            broken_up = random.random() < _BROKEN_UP
            count = min(PER_CASE, round(random.expovariate(1 / (SCANNED_OF_CASE * share))))
            for unit in random.sample(range(PER_CASE), count):
                day = consignment.day + 2 + random.expovariate(1 / _SALE_DAYS)
                if day >= last_day:
                    continue
                yield Opening(
                    minute=int(day) * 1440 + random.randrange(8 * 60, 22 * 60),
                    place_in_batch=consignment.first + case * PER_CASE + unit,
                    city=random.choice(cities) if broken_up else shop,
                    redeems=random.random() < 0.3,
                )
