"""Whether what was told as probable was so: verdicts of investigations against the probabilities that they were given at."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from math import sqrt

from django.db.models import Count

from analytics.models import Finding, Tempering, Verdict
from analytics.services import ENOUGH_VERDICTS
from labels.queries import local_date

BANDS = ((0.0, 0.5), (0.5, 0.8), (0.8, 0.9), (0.9, 0.97), (0.97, 1.0))
"""Bands of probability, the upper bound excluded but for the last."""
FEWEST = 5
"""With fewer verdicts nothing is said of a band."""
_Z = 1.959964  # 95 %


@dataclass(frozen=True)
class Band:
    """Verdicts on shipments that were told with a probability of ``low`` to ``high``."""

    low: float
    high: float
    confirmed: int
    rejected: int
    explained: int
    told_sum: float

    @property
    def verdicts(self) -> int:
        return self.confirmed + self.rejected + self.explained

    @property
    def told(self) -> float:
        """Mean probability that was told."""
        return self.told_sum / self.verdicts if self.verdicts else (self.low + self.high) / 2

    @property
    def share(self) -> float:
        """Share that was confirmed."""
        return self.confirmed / self.verdicts if self.verdicts else 0.0

    @property
    def interval(self) -> tuple[float, float]:
        """Return between what shares the true one lies, 95 %: Wilson, J. Am. Stat. Assoc. 22 (1927) 209."""
        n = self.verdicts
        if not n:
            return 0.0, 1.0
        centre = (self.share + _Z**2 / (2 * n)) / (1 + _Z**2 / n)
        half = _Z / (1 + _Z**2 / n) * sqrt(self.share * (1 - self.share) / n + _Z**2 / (4 * n * n))
        return max(centre - half, 0.0), min(centre + half, 1.0)

    @property
    def word(self) -> str:
        """Return few, as_told, fewer (confirmed than told) or more."""
        low, high = self.interval
        if self.verdicts < FEWEST:
            return "few"
        return "fewer" if self.told > high else "more" if self.told < low else "as_told"


def standing_verdicts() -> list[Verdict]:
    """Return the last verdict on each shipment, oldest first."""
    last = Verdict.objects.order_by("shipment_id", "-decided_at", "-pk").distinct("shipment_id")
    return sorted(last, key=lambda one: (one.decided_at, one.pk))


def by_band(verdicts: Iterable[Verdict]) -> list[Band]:
    """Return one `Band` for each of `BANDS`, lowest first."""
    counts: list[Counter[str]] = [Counter() for _ in BANDS]
    told = [0.0] * len(BANDS)
    for one in verdicts:
        place = next(number for number, (_low, high) in enumerate(BANDS) if one.probability < high or high >= 1)
        counts[place][one.decision] += 1
        told[place] += one.probability
    decision = Verdict.Decision
    return [
        Band(low, high, count[decision.CONFIRMED], count[decision.REJECTED], count[decision.EXPLAINED], sum_)
        for (low, high), count, sum_ in zip(BANDS, counts, told, strict=True)
    ]


def by_month(verdicts: Iterable[Verdict]) -> list[tuple[date, list[Band]]]:
    """Return the bands of each month of the brand in which anything was decided, newest first."""
    months: dict[date, list[Verdict]] = {}
    for one in verdicts:
        months.setdefault(local_date(one.decided_at).replace(day=1), []).append(one)
    return [(month, by_band(months[month])) for month in sorted(months, reverse=True)]


@dataclass(frozen=True)
class Learning:
    """η as it was set, newest first, and how many verdicts there are towards setting it again."""

    history: list[Tempering]
    verdicts: int
    needed: int = ENOUGH_VERDICTS

    @property
    def missing(self) -> int:
        return max(self.needed - self.verdicts, 0)


def learning() -> Learning:
    """Return how far the tempering is learned from verdicts."""
    return Learning(
        list(Tempering.objects.order_by("-set_at", "-pk")), Verdict.objects.values("shipment_id").distinct().count()
    )


def waiting() -> int:
    """Return how many shipments of the newest lists have no verdict yet."""
    newest = Finding.objects.filter(alert=True).order_by("-run_id").values_list("run_id", flat=True).first()
    if newest is None:
        return 0
    alerted = Finding.objects.filter(run_id=newest, alert=True).exclude(
        shipment_id__in=Verdict.objects.values("shipment_id")
    )
    return int(alerted.aggregate(n=Count("shipment_id", distinct=True))["n"])
