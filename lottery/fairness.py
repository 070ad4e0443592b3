"""Statistics of a game's results: were wins spread as chance spreads them? Pure: counts in, probabilities out.

Pearson's chi-square where every expected cell is at least 5, else its exact Monte-Carlo form with a fixed seed; the
Benjamini–Hochberg procedure over all tests of a report; and Mann–Whitney's test for the order in which winners came.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

DRAWS = 10_000
SEED = 20_260_101
LEAST_EXPECTED = 5.0


@dataclass(frozen=True, slots=True)
class Spread:
    """One table of wins against plays. ``p``: how often chance alone spreads wins so unevenly, or more so."""

    statistic: float
    freedom: int
    p: float
    by_simulation: bool


def upper_gamma(a: float, x: float) -> float:
    """Return the regularised upper incomplete gamma function Q(a, x) (DLMF 8.2; series 8.7.1, fraction 8.9.2)."""
    if x <= 0:
        return 1.0
    factor = math.exp(-x + a * math.log(x) - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, 1000):
            term *= x / (a + n)
            total += term
            if term < total * 1e-16:
                break
        return max(0.0, 1 - total * factor)
    b, c = x + 1 - a, 1e300  # the continued fraction by Lentz's method
    d = 1 / b
    h = d
    for n in range(1, 1000):
        step = -n * (n - a)
        b += 2
        d = 1 / (step * d + b)
        c = b + step / c
        h *= d * c
        if abs(d * c - 1) < 1e-15:
            break
    return factor * h


def spread(wins: Sequence[int], plays: Sequence[int]) -> Spread:
    """Test whether wins are spread over cells in proportion to plays. Raises ValueError for more wins than plays."""
    won, played = np.array(wins, dtype=np.int64), np.array(plays, dtype=np.int64)
    if (won > played).any() or (won < 0).any():
        raise ValueError("a cell has more wins than plays")
    won, played = won[played > 0], played[played > 0]
    all_won, all_played = int(won.sum()), int(played.sum())
    freedom = len(played) - 1
    if freedom < 1 or all_won in {0, all_played}:
        return Spread(0.0, max(freedom, 0), 1.0, by_simulation=False)
    expected = played * (all_won / all_played)
    statistic = _chi_square(won, expected, played)
    if min(expected.min(), (played - expected).min()) >= LEAST_EXPECTED:
        return Spread(statistic, freedom, upper_gamma(freedom / 2, statistic / 2), by_simulation=False)
    # Given the totals, wins over cells follow the multivariate hypergeometric law.
    rng = np.random.default_rng(SEED)
    drawn = rng.multivariate_hypergeometric(played, all_won, size=DRAWS)
    above = sum(_chi_square(row, expected, played) >= statistic * (1 - 1e-12) for row in drawn)
    return Spread(statistic, freedom, (int(above) + 1) / (DRAWS + 1), by_simulation=True)


def spread_in_strata(wins: Sequence[Sequence[int]], plays: Sequence[Sequence[int]]) -> Spread:
    """Test the same where odds differ between strata (pools): a row of cells for each, compared within the stratum.

    ``sum (won - expected)^2 / variance`` over the cells' sums, against draws of wins within each stratum. One stratum: `spread`.
    """
    if len(plays) == 1:
        return spread(wins[0], plays[0])
    won, played = np.array(wins, dtype=np.int64), np.array(plays, dtype=np.int64)
    if (won > played).any() or (won < 0).any():
        raise ValueError("a cell has more wins than plays")
    kept = [(w, p) for w, p in zip(won, played, strict=True) if 0 < w.sum() < p.sum()]
    freedom = int((played.sum(axis=0) > 0).sum()) - 1
    if not kept or freedom < 1:
        return Spread(0.0, max(freedom, 0), 1.0, by_simulation=False)
    expected, variance = np.zeros(played.shape[1]), np.zeros(played.shape[1])
    for row_won, row_played in kept:
        total, all_won = row_played.sum(), row_won.sum()
        expected += row_played * (all_won / total)
        # the variance of a hypergeometric count
        variance += row_played * (all_won / total) * (1 - all_won / total) * (total - row_played) / max(total - 1, 1)
    rng = np.random.default_rng(SEED)
    drawn = np.array([rng.multivariate_hypergeometric(p, int(w.sum()), size=DRAWS) for w, p in kept]).sum(axis=0)
    found = np.array([w for w, _p in kept]).sum(axis=0)
    cells = variance > 0
    statistic = _weighted(found[cells], expected[cells], variance[cells])
    simulated = ((drawn[:, cells] - expected[cells]) ** 2 / variance[cells]).sum(axis=1)
    above = int((simulated >= statistic * (1 - 1e-12)).sum())
    return Spread(statistic, freedom, (above + 1) / (DRAWS + 1), by_simulation=True)


def _weighted(won: np.ndarray, expected: np.ndarray, variance: np.ndarray) -> float:
    return float(((won - expected) ** 2 / variance).sum())


def _chi_square(won: np.ndarray, expected: np.ndarray, played: np.ndarray) -> float:
    off = (won - expected) ** 2
    return float((off / expected).sum() + (off / (played - expected)).sum())


def discoveries(p_values: Sequence[float], *, rate: float = 0.05) -> list[bool]:
    """Return which tests of a family stand out, with at most ``rate`` false ones among them (Benjamini–Hochberg 1995)."""
    order = sorted(range(len(p_values)), key=lambda place: p_values[place])
    last = max((k for k, place in enumerate(order, 1) if p_values[place] <= rate * k / len(order)), default=0)
    found = set(order[:last])
    return [place in found for place in range(len(p_values))]


def order_test(winners: Sequence[float], losers: Sequence[float]) -> float:
    """Return how often chance alone lets winners come so much sooner than losers (one-sided Mann–Whitney, with ties).

    Values are waits from activation to redemption, in any unit: an insider who harvests winners comes first.
    """
    n, m = len(winners), len(losers)
    if not n or not m:
        return 1.0
    pooled = np.concatenate([np.array(winners, dtype=float), np.array(losers, dtype=float)])
    _values, inverse, counts = np.unique(pooled, return_inverse=True, return_counts=True)
    upto = np.cumsum(counts)
    ranks = (upto - (counts - 1) / 2)[inverse]
    u = float(ranks[:n].sum()) - n * (n + 1) / 2
    total = n + m
    ties = float((counts.astype(float) ** 3 - counts).sum())
    variance = n * m / 12 * ((total + 1) - ties / (total * (total - 1)))
    if variance <= 0:
        return 1.0
    z = (u - n * m / 2 + 0.5) / math.sqrt(variance)
    return 0.5 * math.erfc(-z / math.sqrt(2))
