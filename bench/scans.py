"""The report of whose goods surfaced in whose market, from roll-ups and from the scans themselves.

A year of scans is made by the server: 60 distributors with a province's cities each, nine of ten scans at home. With
fewer rows (``BENCH_LARGE_SCANS``) the year is shorter, so that an hour is as full.
"""

import os
import statistics
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

from bench.frame import ROUNDS, Figure
from bench.server import BRAND, running

ROWS = int(os.environ.get("BENCH_LARGE_SCANS", "10000000"))
DISTRIBUTORS, CITIES = 60, 6
SINCE = datetime(2025, 1, 1, tzinfo=UTC)
DAYS = max(365 * ROWS // 10_000_000, 1)
UNTIL = SINCE + timedelta(days=DAYS)

# Raw as lean as it can be: places and routes are joined and counted, and nothing is asked about owners.
_RAW = """
SELECT date_trunc('month', s.at), r.distributor_id, p.region, count(*)
  FROM redemption_scan s
  JOIN redemption_scanroute r ON r.scan_id = s.id
  LEFT JOIN redemption_scanplace p ON p.scan_id = s.id AND p.source = 'gps'
 WHERE s.label_no IS NOT NULL AND s.at >= %s AND s.at < %s GROUP BY 1, 2, 3
"""


def figures() -> Iterator[Figure]:
    """Fill the brand, count the roll-ups, and yield what both ways cost."""
    with running() as bench:
        os.environ.update(bench.environment)
        import django

        django.setup()
        from django.db import connection

        from analytics import rollups
        from bench.stock import use_brand

        use_brand(BRAND)
        with connection.cursor() as cursor:
            cursor.execute("SET statement_timeout = 0")
        owners = make_land()
        seconds = fill(owners)
        started = time.perf_counter()
        hours = DAYS * 24
        for start in range(0, hours, 2_000):
            rollups.touch(SINCE + timedelta(hours=hour) for hour in range(start, min(start + 2_000, hours)))
        rollups.refresh("hour", limit=hours)
        counting = time.perf_counter() - started
        with connection.cursor() as cursor:
            cursor.execute("SELECT count(*) FROM analytics_scanhour")
            [rows] = cursor.fetchone() or (0,)

        def raw() -> float:
            started = time.perf_counter()
            with connection.cursor() as cursor:
                cursor.execute(_RAW, [SINCE, UNTIL])
                cursor.fetchall()
            return time.perf_counter() - started

        def rolled() -> float:
            started = time.perf_counter()
            rollups.report(since=SINCE, until=UNTIL)
            return time.perf_counter() - started

        rolled()
        pairs = [(raw(), rolled()) for _ in range(ROUNDS)]
        yield Figure(
            f"report over {ROWS:,} scans: from the scans ÷ from roll-ups",
            statistics.median(a / b for a, b in pairs),
            50,
            note=f"{statistics.median(a for a, _ in pairs):.2f} s and {statistics.median(b for _, b in pairs) * 1000:.1f} ms"
            f" over {rows:,} rows; filled in {seconds:,.0f} s",
        )
        yield Figure("hours of roll-ups counted anew per second", hours / counting, unit="/s")


def make_land() -> list[int]:
    """Make a country of a province for each distributor; return their ids."""
    from channel.models import Region, Territory
    from channel.services import create_partner

    country = Region.objects.create(code="CN", kind="country", name="CN")
    ids = []
    for number in range(DISTRIBUTORS):
        code = f"CN-X{number:02}"
        province = Region.objects.create(code=code, kind="province", parent=country, name=code)
        Region.objects.bulk_create(
            Region(code=f"{code}-{city}", kind="city", parent=province, name=f"{code}-{city}", lat=30, lon=110)
            for city in range(CITIES)
        )
        partner = create_partner(kind="distributor", name=f"D{number}", at=SINCE)
        Territory.objects.create(partner=partner, region=province, valid_from=SINCE.date() - timedelta(days=1))
        ids.append(partner.pk)
    return ids


def fill(owners: list[int]) -> float:
    """Write the scans, in the order of time, with a route and a fix each; return the seconds that it took."""
    from django.db import connection

    started = time.perf_counter()
    step = f"interval '{DAYS * 86_400 / ROWS:.9f} seconds'"
    who = f"(ARRAY{owners})[1 + mod(n * 7919, {DISTRIBUTORS})]"
    # one of ten surfaces with somebody else
    where = f"mod(n * (CASE WHEN mod(n, 10) = 0 THEN 104729 ELSE 7919 END), {DISTRIBUTORS})"
    with connection.cursor() as cursor:
        cursor.execute("SET synchronous_commit = off")
        for low in range(1, ROWS + 1, 1_000_000):
            series = f"generate_series({low}::bigint, {min(low + 999_999, ROWS)}::bigint) AS n"
            cursor.execute(
                "INSERT INTO redemption_scan (id, at, label_no, points, balance, earlier_count, act, door, outcome,"
                " opens_visit, by_serial, spent)"
                f" SELECT n, %s::timestamptz + n * {step}, n, 0, 0, 0, 0, 0, 0, true, true, false FROM {series}",
                [SINCE],
            )
            cursor.execute(
                "INSERT INTO redemption_scanroute (scan_id, label_no, at, shipment_id, distributor_id, market, as_of)"
                f" SELECT n, n, %s::timestamptz + n * {step}, n / 10000, {who}, '{{}}', %s FROM {series}",
                [SINCE, SINCE],
            )
            cursor.execute(
                "INSERT INTO redemption_scanplace (scan_id, source, region, city, city_zh, confidence, at)"
                f" SELECT n, 'gps', 'CN-X' || lpad({where}::text, 2, '0') || '-' || mod(n / 3, {CITIES}), '', '', 1,"
                f" %s::timestamptz + n * {step} FROM {series}",
                [SINCE],
            )
        cursor.execute("ANALYZE redemption_scan, redemption_scanroute, redemption_scanplace")
    return time.perf_counter() - started
