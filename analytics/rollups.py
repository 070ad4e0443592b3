"""Scans counted by hour and by day: kept up as hours are touched, and the report that is read from them.

`touch` marks what has to be counted again; `refresh` counts it from the scans themselves, so that a roll-up may be
thrown away and made anew at any time. Whose market a scan was made in is judged by the territories of its own day.
"""

from collections import Counter, defaultdict
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from analytics.models import RegionDay, ScanHour, Touched
from channel.queries import owners_of
from common.clock import now
from common.derived import Compared
from labels.queries import local_date
from redemption.models import OUTCOMES, Scan
from redemption.rules import Outcome

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
NOBODY = 0
AT_ONCE = 48
"""Hours (or days) that one transaction counts."""
LENGTH = {Touched.Grain.HOUR: HOUR, Touched.Grain.DAY: DAY}

# The best place of each scan: a fix, else an address, else a number.
_COUNTED = """
SELECT date_trunc(%(grain)s, s.at) AS start, coalesce(r.distributor_id, 0), coalesce(s.product_id, 0),
       coalesce(p.region, ''), coalesce(p.source, ''),
       count(*), count(*) FILTER (WHERE s.earlier_count = 0), count(*) FILTER (WHERE s.outcome = %(redeemed)s)
  FROM redemption_scan s
  LEFT JOIN redemption_scanroute r ON r.scan_id = s.id
  LEFT JOIN LATERAL (
       SELECT q.region, q.source FROM redemption_scanplace q WHERE q.scan_id = s.id AND q.region <> ''
        ORDER BY CASE q.source WHEN 'gps' THEN 0 WHEN 'ip' THEN 1 ELSE 2 END LIMIT 1) p ON true
 WHERE s.label_no IS NOT NULL AND s.at >= %(since)s AND s.at < %(until)s
 GROUP BY 1, 2, 3, 4, 5
"""


class Counted(NamedTuple):
    """Scans of one hour or day, distributor, product and place."""

    start: datetime
    distributor_id: int
    product_id: int
    region: str
    source: str
    scans: int
    first_scans: int
    redemptions: int


@dataclass(frozen=True)
class ReportRow:
    """Scans of one distributor's goods in one owner's market in one month; 0 is nobody."""

    month: datetime
    distributor_id: int
    owner_id: int
    scans: int
    placed: int
    redemptions: int


def touch(moments: Iterable[datetime]) -> None:
    """Mark the hours and days of these moments to be counted again."""
    starts: set[tuple[str, datetime]] = set()
    for at in moments:
        hour = at.replace(minute=0, second=0, microsecond=0)
        starts |= {(Touched.Grain.HOUR, hour), (Touched.Grain.DAY, hour.replace(hour=0))}
    if not starts:
        return
    grains, times = zip(*sorted(starts), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO analytics_touched (grain, start, n)"
            " SELECT grain, start, 1 FROM unnest(%s::text[], %s::timestamptz[]) AS t (grain, start) ORDER BY 1, 2"
            " ON CONFLICT (grain, start) DO UPDATE SET n = analytics_touched.n + 1",
            [list(grains), list(times)],
        )


def touch_scans(scan_ids: Collection[int]) -> None:
    """Mark the hours and days of these scans."""
    touch(Scan.objects.filter(pk__in=scan_ids).values_list("at", flat=True))


def refresh(grain: str, *, limit: int = 24 * 366) -> int:
    """Count again the hours (or days) that were touched, newest first; return how many. May run twice at once."""
    done = 0
    while done < limit:
        waiting = list(Touched.objects.filter(grain=grain).order_by("-start").values_list("start", "n")[:AT_ONCE])
        if not waiting:
            break
        with transaction.atomic():
            with connection.cursor() as cursor:
                cursor.execute("SET LOCAL statement_timeout = 0")
                # One counter at a time: another would insert the same rows.
                cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema()), hashtext(%s))", [grain])
            count(grain, [start for start, _n in waiting])
            for start, n in waiting:
                Touched.objects.filter(grain=grain, start=start, n=n).delete()
        done += len(waiting)
    return done


def count(grain: str, starts: Sequence[datetime]) -> None:
    """Replace the roll-up rows of these hours (or days) by what the scans tell now. Inside a transaction."""
    if grain == Touched.Grain.HOUR:
        ScanHour.objects.filter(hour__in=starts).delete()
        ScanHour.objects.bulk_create(_by_hour(_counted(grain, starts)), batch_size=2_000)
    else:
        RegionDay.objects.filter(day__in=[start.date() for start in starts]).delete()
        RegionDay.objects.bulk_create(_by_region(_counted(grain, starts)), batch_size=2_000)


def compare_hours(after: int, *, mends: bool) -> Compared:
    """Compare the hours behind ``after`` (seconds since 1970) with what the scans tell."""
    return _compare(Touched.Grain.HOUR, after, mends=mends)


def compare_days(after: int, *, mends: bool) -> Compared:
    """Compare the days behind ``after`` (seconds since 1970) with what the scans tell."""
    return _compare(Touched.Grain.DAY, after, mends=mends)


def _compare(grain: Touched.Grain, after: int, *, mends: bool) -> Compared:
    """Compare some hours or days. Those that wait to be counted, and the one that runs, are left out."""
    length = LENGTH[grain]
    start = datetime.fromtimestamp(after, UTC) + length if after else _first(grain)
    until = datetime.fromtimestamp(now().timestamp() // length.total_seconds() * length.total_seconds(), UTC) - HOUR
    if start is None or start >= until:
        return Compared(None, 0, 0)
    starts = [one for one in (start + n * length for n in range(AT_ONCE)) if one < until]
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
            cursor.execute("SELECT pg_advisory_xact_lock(hashtext(current_schema()), hashtext(%s))", [grain])
        waiting = set(Touched.objects.filter(grain=grain, start__in=starts).values_list("start", flat=True))
        asked = [one for one in starts if one not in waiting]
        right, stood = _rows(grain, _counted(grain, asked)), _standing(grain, asked)
        wrong = sorted({one[0] for one in right ^ stood})
        if wrong and mends:
            count(grain, wrong)
    upto = int(starts[-1].timestamp()) if starts[-1] + length < until else None
    return Compared(upto, len(right), len(right ^ stood), f"{grain} {wrong[0]:%Y-%m-%d %H:%M}" if wrong else "")


def _first(grain: Touched.Grain) -> datetime | None:
    """Return the first hour or day of which there is a scan or a row."""
    rolled = ScanHour.objects.order_by("hour").values_list("hour", flat=True).first()
    day = RegionDay.objects.order_by("day").values_list("day", flat=True).first()
    scanned = Scan.objects.order_by("pk").values_list("at", flat=True).first()
    known = [rolled, scanned, datetime(day.year, day.month, day.day, tzinfo=UTC) if day else None]
    found = min((one for one in known if one is not None), default=None)
    if found is None:
        return None
    found = found.replace(minute=0, second=0, microsecond=0)
    return found if grain == Touched.Grain.HOUR else found.replace(hour=0)


def _rows(grain: str, rows: Sequence[Counted]) -> set[tuple[Any, ...]]:
    made = _by_hour(rows) if grain == Touched.Grain.HOUR else _by_region(rows)
    return {_row(one) for one in made}


def _standing(grain: str, starts: Sequence[datetime]) -> set[tuple[Any, ...]]:
    if grain == Touched.Grain.HOUR:
        return {_row(one) for one in ScanHour.objects.filter(hour__in=starts)}
    return {_row(one) for one in RegionDay.objects.filter(day__in=[start.date() for start in starts])}


def _row(row: ScanHour | RegionDay) -> tuple[Any, ...]:
    if isinstance(row, ScanHour):
        return (row.hour, row.distributor_id, row.owner_id, row.product_id, row.scans, row.placed, row.first_scans,
                row.redemptions)  # fmt: skip
    start = datetime(row.day.year, row.day.month, row.day.day, tzinfo=UTC)
    return start, row.region, row.distributor_id, row.source, row.owner_id, row.scans


def _counted(grain: str, starts: Sequence[datetime]) -> list[Counted]:
    """Count some hours (or days), those that follow each other by one query.

    Joined to a list of hours the planner does not see how few scans it is about, and reads all there are.
    """
    return [
        row
        for since, until in _runs(sorted(starts), LENGTH[Touched.Grain(grain)])
        for row in _between(grain, since, until)
    ]


def _runs(starts: Iterable[datetime], length: timedelta) -> Iterator[tuple[datetime, datetime]]:
    """Yield from when until when each unbroken run of hours (or days) lasts."""
    since = until = None
    for start in starts:
        if start != until:
            if since and until:
                yield since, until
            since = start
        until = start + length
    if since and until:
        yield since, until


def _between(grain: str, since: datetime, until: datetime) -> list[Counted]:
    values: dict[str, Any] = {
        "grain": str(grain),
        "since": since,
        "until": until,
        "redeemed": OUTCOMES.index(Outcome.REDEEMED),
    }
    with connection.cursor() as cursor:
        cursor.execute(_COUNTED, values)
        return [Counted(*row) for row in cursor.fetchall()]


def _owners(rows: Iterable[Counted]) -> dict[tuple[str, int, datetime], int]:
    """Return who owned each (region, product, start); of sharers, the first."""
    by_day: dict[tuple[str, int, date], list[tuple[str, int, datetime]]] = defaultdict(list)
    days = {start: local_date(start) for start in {row.start for row in rows}}
    for region, product, start in sorted({(row.region, row.product_id, row.start) for row in rows if row.region}):
        by_day[region, product, days[start]].append((region, product, start))
    found = owners_of([(region, product or None, same[0][2]) for (region, product, _day), same in by_day.items()])
    return {
        one: (owners[0] if owners else NOBODY)
        for same, owners in zip(by_day.values(), found, strict=True)
        for one in same
    }


def _by_hour(rows: Sequence[Counted]) -> list[ScanHour]:
    owners = _owners(rows)
    sums: dict[tuple[datetime, int, int, int], Counter[str]] = defaultdict(Counter)
    for row in rows:
        owner = owners.get((row.region, row.product_id, row.start), NOBODY)
        into = sums[row.start, row.distributor_id, owner, row.product_id]
        into["scans"] += row.scans
        into["placed"] += row.scans if row.region else 0
        into["first_scans"] += row.first_scans
        into["redemptions"] += row.redemptions
    return [
        ScanHour(
            hour=hour,
            distributor_id=distributor,
            owner_id=owner,
            product_id=product,
            scans=counts["scans"],
            placed=counts["placed"],
            first_scans=counts["first_scans"],
            redemptions=counts["redemptions"],
        )
        for (hour, distributor, owner, product), counts in sums.items()
    ]


def _by_region(rows: Sequence[Counted]) -> list[RegionDay]:
    owners = _owners(rows)
    sums: Counter[tuple[datetime, str, int, str]] = Counter()
    owned: dict[tuple[str, datetime], int] = {}
    for row in rows:
        if row.region:
            sums[row.start, row.region, row.distributor_id, row.source] += row.scans
            owned.setdefault((row.region, row.start), owners[row.region, row.product_id, row.start])
    return [
        RegionDay(
            day=start.date(),
            region=region,
            distributor_id=distributor,
            source=source,
            owner_id=owned[region, start],
            scans=scans,
        )
        for (start, region, distributor, source), scans in sums.items()
    ]


# --- the report --------------------------------------------------------------------------------------------------------

# Each month by itself: hours are then compared, not cut, and what is grouped by are two numbers.
_REPORT = """
SELECT month, counted.*
  FROM generate_series(date_trunc('month', %(since)s::timestamptz), %(until)s, interval '1 month') AS month
 CROSS JOIN LATERAL (
       SELECT distributor_id, owner_id, sum(scans), sum(placed), sum(redemptions) FROM analytics_scanhour
        WHERE hour >= greatest(month, %(since)s) AND hour < least(month + interval '1 month', %(until)s)
          AND distributor_id <> 0
        GROUP BY 1, 2) AS counted
 ORDER BY 1, 2, 3
"""


def report(*, since: datetime, until: datetime) -> list[ReportRow]:
    """Return whose goods were scanned in whose markets, by month (UTC), from the roll-ups. Whole hours."""
    with connection.cursor() as cursor:
        cursor.execute(_REPORT, {"since": since, "until": until})
        return [ReportRow(month, who, owner, *map(int, counts)) for month, who, owner, *counts in cursor.fetchall()]


def report_from_scans(*, since: datetime, until: datetime) -> list[ReportRow]:
    """Return what `report` does, counted from the scans themselves: what the roll-ups are checked and measured against."""
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        rows = _between("hour", since, until)
    owners = _owners(rows)
    sums: dict[tuple[datetime, int, int], Counter[str]] = defaultdict(Counter)
    for row in rows:
        if row.distributor_id:
            owner = owners.get((row.region, row.product_id, row.start), NOBODY)
            into = sums[row.start.replace(day=1, hour=0), row.distributor_id, owner]
            into["scans"] += row.scans
            into["placed"] += row.scans if row.region else 0
            into["redemptions"] += row.redemptions
    return [
        ReportRow(month, who, owner, counts["scans"], counts["placed"], counts["redemptions"])
        for (month, who, owner), counts in sorted(sums.items())
    ]
