"""What a campaign comes to before it begins: worst and expected cost, odds, liability in points, the day the budget ends.

Pure arithmetic on what was typed so far; money in minor units of one currency, shares from 0 to 1. docs/algorithms/draws.md
says how each figure is reckoned.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from fractions import Fraction

LOW, HIGH = Fraction(2, 3), Fraction(3, 2)  # how far the share of redeemed labels may be off
MOST_POINTS = 61  # of a drawn line


@dataclass(frozen=True, slots=True, kw_only=True)
class Prize:
    """One tier. ``quantity``: of all draws together; ``each``: unit cost, delivery and withheld tax."""

    use: str
    quantity: int
    each: int
    points: int = 0

    @property
    def cost(self) -> int:
        """What all units of it cost."""
        return self.quantity * self.each


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What figures are reckoned from. ``labels``: of all pools; ``reserve``: prizes nobody won are drawn later."""

    prizes: Sequence[Prize]
    labels: int
    redeemed: Fraction
    claimed: Fraction
    points_per_code: int = 0
    reserve: bool = False
    budget: int | None = None
    first: date | None = None
    last: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """The figures. ``odds``: units of instant prizes and labels that share them; ``points``: owed at most."""

    worst: int
    expected: int
    low: int
    high: int
    units: int
    labels: int
    points: int
    ends_on: date | None
    ends_early_on: date | None
    short: int


def figures(basis: Basis) -> Figures:
    """Return the figures.

    Worst: Σ quantity × (unit cost + delivery + tax). Expected: instant prizes × share of labels redeemed × share of prizes
    claimed; drawn ones are all drawn, so × share claimed alone, and with a second-chance draw the instant ones too.
    """
    worst = sum(prize.cost for prize in basis.prizes)
    units = sum(prize.quantity for prize in basis.prizes if prize.use == "instant")
    points = sum(prize.quantity * prize.points for prize in basis.prizes) + basis.labels * basis.points_per_code
    middle, low, high = (_expected(basis, share) for share in _shares(basis))
    return Figures(
        worst=worst,
        expected=middle,
        low=low,
        high=high,
        units=units,
        labels=basis.labels,
        points=points,
        ends_on=_ends_on(basis, middle),
        ends_early_on=_ends_on(basis, high),
        short=max(0, worst - basis.budget) if basis.budget is not None else 0,
    )


def _shares(basis: Basis) -> tuple[Fraction, Fraction, Fraction]:
    return basis.redeemed, basis.redeemed * LOW, min(basis.redeemed * HIGH, Fraction(1))


def _expected(basis: Basis, redeemed: Fraction) -> int:
    instant = sum(prize.cost for prize in basis.prizes if prize.use == "instant")
    drawn = sum(prize.cost for prize in basis.prizes if prize.use != "instant")
    return round((instant * (1 if basis.reserve else redeemed) + drawn) * basis.claimed)


def _ends_on(basis: Basis, spent: int) -> date | None:
    """Return the day on which the budget ends if so much is spent evenly from the first day to the last, or None."""
    if basis.budget is None or basis.first is None or basis.last is None or spent <= basis.budget or not spent:
        return None
    days = max((basis.last - basis.first).days, 1)
    return basis.first + timedelta(days=int(Fraction(basis.budget, spent) * days))


@dataclass(frozen=True, slots=True)
class Spent:
    """What has been spent by a day: at the expected share of redeemed labels, at a low and at a high one."""

    on: date
    middle: int
    low: int
    high: int


def spending(basis: Basis) -> list[Spent]:
    """Return the expected way of the cost from the first day to the last, evenly; empty while days are missing."""
    if basis.first is None or basis.last is None or basis.last <= basis.first:
        return []
    days = (basis.last - basis.first).days
    ends = [_expected(basis, share) for share in _shares(basis)]
    step = max(1, -(-days // (MOST_POINTS - 1)))
    marks = [*range(0, days, step), days]
    return [
        Spent(basis.first + timedelta(days=day), *(round(Fraction(end * day, days)) for end in ends)) for day in marks
    ]
