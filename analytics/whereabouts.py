"""Where goods were seen, week by week, from the roll-ups; beside it what honest travel alone would have shown there.

Weeks begin on Monday, days are those of `RegionDay` (UTC). Each scan counts once, by its best source: a fix, else an
address, else a number.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, NamedTuple

from django.db import connection

from analytics import travel
from analytics.models import FitRun
from analytics.rescoring import State
from analytics.services import from_state, newest_run
from analytics.travel import MOST_CELLS, SOURCES
from channel.queries import owners_of


class Seen(NamedTuple):
    """Scans of one week in one region that one source placed. ``own``: in the market of whose goods they are."""

    week: date
    distributor_id: int
    region: str
    source: str
    own: bool
    scans: int


class Expected(NamedTuple):
    """How many scans of honest goods one source would place in a region outside their market, in one week."""

    week: date
    region: str
    source: str
    scans: float


@dataclass(frozen=True)
class Rate:
    """How much is known of a distributor's goods: labels shipped, and how many of them were scanned at all."""

    shipped: int = 0
    seen: int = 0

    @property
    def share(self) -> float:
        """Labels seen per label shipped."""
        return self.seen / self.shipped if self.shipped else 0.0


def monday_of(day: date) -> date:
    """Return the Monday of the week of ``day``."""
    return day - timedelta(days=day.weekday())


def start_of(day: date) -> datetime:
    """Return the beginning of a day, UTC."""
    return datetime.combine(day, time(), UTC)


_SEEN = """
SELECT date_trunc('week', day)::date, distributor_id, region, source, owner_id = distributor_id, sum(scans)
  FROM analytics_regionday
 WHERE day >= %(since)s AND day < %(until)s AND distributor_id <> 0
   AND (%(distributor)s::bigint IS NULL OR distributor_id = %(distributor)s)
 GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5
"""


def seen(*, since: date, until: date, distributor_id: int | None = None) -> list[Seen]:
    """Return what was seen from ``since`` until ``until`` (excluded): of one distributor's goods, or of all."""
    with connection.cursor() as cursor:
        cursor.execute(_SEEN, {"since": since, "until": until, "distributor": distributor_id})
        return [Seen(week, who, region, source, own, int(n)) for week, who, region, source, own, n in cursor.fetchall()]


# --- what honest travel would show -------------------------------------------------------------------------------------


def expected_away(run: FitRun | None, sightings: Collection[Seen]) -> list[Expected] | None:
    """Return where, of as many scans as were seen, honest ones would lie outside their market; None where it is not known.

    Travel, wrong addresses and numbers that were issued elsewhere, as the fit learned them. Scans placed no finer than a
    country are left out, and so are goods of who has no market.
    """
    if run is None:
        return None
    state = from_state(run)
    if len(state.geography.codes) > MOST_CELLS:
        return None
    levels = {region.code: region.level for region in state.regions}
    grains = {
        "cell": travel.base_of(state, state.geography.codes),
        "province": travel.base_of(state, [code for code, level in levels.items() if level == "province"]),
    }
    weeks = sorted({one.week for one in sightings})
    counts = _counts(state, levels, sightings, weeks)
    owners = _owners(state, [code for base in grains.values() for code in base.codes], weeks)
    sums: dict[tuple[date, str, str], float] = defaultdict(float)
    number = {partner: place for place, partner in enumerate(state.partners)}
    scanned = {
        partner: travel.scanned_in(state, number[partner], weeks)
        for partner in sorted({partner for partner, _grain, _source in counts if partner in number})
    }
    for (partner, grain, source), made in sorted(counts.items()):
        if partner not in scanned:
            continue
        base = grains[grain]
        shares = travel.spread(base, source, scanned[partner])
        for column, week in enumerate(weeks):
            if not made[column]:
                continue
            for row, code in enumerate(base.codes):
                if owners[code, week] != partner and shares[row, column] > 0:
                    sums[week, code, source] += made[column] * float(shares[row, column])
    return [Expected(*key, scans) for key, scans in sorted(sums.items())]


def _counts(
    state: State, levels: Mapping[str, str], sightings: Collection[Seen], weeks: Sequence[date]
) -> dict[tuple[int, str, str], list[int]]:
    """Return scans by (partner, grain, source), one number a week."""
    cells = set(state.geography.codes)
    column = {week: place for place, week in enumerate(weeks)}
    found: dict[tuple[int, str, str], list[int]] = defaultdict(lambda: [0] * len(weeks))
    for one in sightings:
        level = levels.get(one.region)
        if one.source not in SOURCES or level in {None, "country"}:
            continue
        grain = "province" if level == "province" and one.region not in cells else "cell"
        found[one.distributor_id, grain, one.source][column[one.week]] += one.scans
    return found


def _owners(state: State, codes: Sequence[str], weeks: Sequence[date]) -> dict[tuple[str, date], int]:
    """Return whose each region was on the Mondays; nothing changes within an epoch of the fit."""
    epochs = {week: state.geography.epoch_of(week) for week in weeks}
    first = {epoch: min(week for week in weeks if epochs[week] == epoch) for epoch in epochs.values()}
    asked = [(code, epoch) for epoch in sorted(first) for code in dict.fromkeys(codes)]
    noon = timedelta(hours=12)
    told = owners_of([(code, None, start_of(first[epoch]) + noon) for code, epoch in asked])
    owner = {one: found[0] if found else 0 for one, found in zip(asked, told, strict=True)}
    return {(code, week): owner[code, epoch] for week, epoch in epochs.items() for code in dict.fromkeys(codes)}


def main_places() -> dict[int, str]:
    """Return the region in which most of each distributor's goods are sold, as the newest fit has it."""
    run = newest_run()
    return travel.main_cells(from_state(run)) if run else {}


# --- how much is known -------------------------------------------------------------------------------------------------


class Coverage(NamedTuple):
    """Scans of a distributor's goods, or of a week, by the source that placed them best; the rest have no place."""

    scans: int
    gps: int
    ip: int
    phone: int

    @property
    def placed(self) -> int:
        return self.gps + self.ip + self.phone

    @property
    def nowhere(self) -> int:
        return max(self.scans - self.placed, 0)


_SCANS = """
SELECT distributor_id, sum(scans) FROM analytics_scanhour
 WHERE hour >= %(since)s AND hour < %(until)s AND distributor_id <> 0
   AND (%(distributor)s::bigint IS NULL OR distributor_id = %(distributor)s)
 GROUP BY 1
"""
_SOURCES = """
SELECT distributor_id, source, sum(scans) FROM analytics_regionday
 WHERE day >= %(since)s AND day < %(until)s AND distributor_id <> 0
   AND (%(distributor)s::bigint IS NULL OR distributor_id = %(distributor)s)
 GROUP BY 1, 2
"""
_SCANS_BY_WEEK = _SCANS.replace("SELECT distributor_id", "SELECT date_trunc('week', hour AT TIME ZONE 'UTC')::date")
_SOURCES_BY_WEEK = _SOURCES.replace("SELECT distributor_id", "SELECT date_trunc('week', day)::date")


def coverage_by_distributor(*, since: date, until: date) -> dict[int, Coverage]:
    """Return how scans of each distributor's goods were placed."""
    return _joined(*_read(_SCANS, _SOURCES, since, until, None))


def coverage_by_week(*, since: date, until: date, distributor_id: int | None = None) -> dict[date, Coverage]:
    """Return how scans of each week were placed, of one distributor's goods or of all."""
    return _joined(*_read(_SCANS_BY_WEEK, _SOURCES_BY_WEEK, since, until, distributor_id))


def _read(scans: str, sources: str, since: date, until: date, distributor_id: int | None) -> tuple[Any, Any]:
    values: dict[str, Any] = {"since": since, "until": until, "distributor": distributor_id}
    with connection.cursor() as cursor:
        cursor.execute(scans, {**values, "since": start_of(since), "until": start_of(until)})
        made = cursor.fetchall()
        cursor.execute(sources, values)
        return made, cursor.fetchall()


def _joined(made: Iterable[tuple[Any, int]], told: Iterable[tuple[Any, str, int]]) -> dict[Any, Coverage]:
    """Return what both roll-ups say; they may be counted at different minutes, so the larger sum counts."""
    scans: dict[Any, int] = {key: int(count) for key, count in made}
    placed: dict[Any, dict[str, int]] = defaultdict(dict)
    for of, name, count in told:
        placed[of][name] = int(count)
    found: dict[Any, Coverage] = {}
    for one in sorted({*scans, *placed}):
        by_source = [placed[one].get(source, 0) for source in SOURCES]
        found[one] = Coverage(max(scans.get(one, 0), sum(by_source)), *by_source)
    return found


_SHIPPED = """
SELECT distributor, sum(labels) FROM (
    SELECT c.shipment_id, min(coalesce(c.distributor_id, c.partner_id)) AS distributor, max(d.labels) AS labels
      FROM channel_custody c JOIN channel_document d ON d.id = c.shipment_id
     WHERE c.partner_id IS NOT NULL AND c.shipped_at >= %(since)s AND c.shipped_at < %(until)s
     GROUP BY 1) AS shipment
 GROUP BY 1
"""
_LABELS_SEEN = """
SELECT distributor_id, sum(first_scans) FROM analytics_scanhour
 WHERE hour >= %(since)s AND hour < %(until)s AND distributor_id <> 0 GROUP BY 1
"""


def rates(*, since: date, until: date) -> dict[int, Rate]:
    """Return for each distributor the labels shipped to it in a time, and how many labels of its goods were first seen then."""
    values = {"since": start_of(since), "until": start_of(until)}
    with connection.cursor() as cursor:
        cursor.execute(_SHIPPED, values)
        shipped = {partner: int(count) for partner, count in cursor.fetchall()}
        cursor.execute(_LABELS_SEEN, values)
        first = {partner: int(count) for partner, count in cursor.fetchall()}
    return {one: Rate(shipped.get(one, 0), first.get(one, 0)) for one in sorted({*shipped, *first})}
