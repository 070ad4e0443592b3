"""From whom to whose market goods are expected to have gone: the newest fit, and the fits before it."""

from collections import defaultdict
from typing import NamedTuple

from analytics.models import FitRun, RouteFinding
from analytics.services import newest_run

FITS = 30
"""Fits that a trend looks back; one is made a night."""


class Route(NamedTuple):
    """One way that goods went. ``dest_id`` None: where nobody sells, over a border, or scattered.

    ``trend``: expected cases by each of the last fits, oldest first, the newest last; 0 where a fit did not find it.
    """

    distributor_id: int
    dest_id: int | None
    shipments: float
    cases: float
    trend: tuple[float, ...]


def last_fits(limit: int = FITS) -> list[FitRun]:
    """Return the newest fits, oldest first."""
    return list(FitRun.objects.order_by("-ended_at", "-id")[:limit])[::-1]


def found_routes(run: FitRun | None = None, *, fits: int = FITS) -> list[Route]:
    """Return the routes of a fit (the newest), most cases first."""
    run = run or newest_run()
    if run is None:
        return []
    ids = [one.pk for one in last_fits(fits) if (one.ended_at, one.pk) <= (run.ended_at, run.pk)]
    if run.pk not in ids:
        ids.append(run.pk)
    place = {pk: number for number, pk in enumerate(ids)}
    cases: dict[tuple[int, int | None], list[float]] = defaultdict(lambda: [0.0] * len(ids))
    shipments: dict[tuple[int, int | None], float] = {}
    for row in RouteFinding.objects.filter(run_id__in=ids):
        key = row.distributor_id, row.dest_id
        cases[key][place[row.run_id]] = row.expected_cases
        if row.run_id == run.pk:
            shipments[key] = row.expected_shipments
    found = [Route(*key, shipments[key], trend[-1], tuple(trend)) for key, trend in cases.items() if key in shipments]
    return sorted(found, key=lambda one: (-one.cases, -one.shipments, one.distributor_id, one.dest_id or 0))
