"""`make bench-large`: how fast redemption is beside ten million redemptions of the same brand.

Two brands of one server are measured in turns: an empty one, and one whose tables were filled by multiplying a thousand
real redemptions with all their rows. The report over ten million scans is measured
by `bench.scans`.
"""

import os
import statistics
import time
from collections.abc import Iterator
from typing import Any

from bench.frame import ROUNDS, Figure
from bench.redeem import CLIENTS, engine
from bench.server import BRAND, Bench, running
from config import embedded

ROWS = int(os.environ.get("BENCH_LARGE_ROWS", "10000000"))
TEMPLATE, STEP = 1000, 1_000_000
FULL = "bench_full"
TABLES = ("redemption_scan", "redemption_redemption", "redemption_request", "ledger_transfer")
SHIFTED = {"id", "scan_id", "label_no", "cause_id", "first_scan_id"}
ROUND = 8000


def figures() -> Iterator[Figure]:
    """Fill one brand, measure both in turns, and yield the figure."""
    with running() as bench:
        os.environ.update(bench.environment)
        import django

        django.setup()
        from bench.stock import stock_up

        bench.manage(
            "create_brand",
            FULL,
            "bench-full.localhost",
            "--name=Bench",
            "--name-zh=基准",
            "--activation-requires=generated",
        )
        empty, full = (stock_up(schema, labels=200_000) for schema in (BRAND, FULL))
        engine(empty, TEMPLATE)
        engine(full, TEMPLATE)
        started = time.perf_counter()
        fill(bench)
        seconds = time.perf_counter() - started
        rates: dict[str, list[float]] = {"empty": [], "full": []}
        for _ in range(ROUNDS):
            rates["empty"].append(engine(empty, ROUND, CLIENTS))
            rates["full"].append(engine(full, ROUND, CLIENTS))
        yield Figure(
            f"throughput at {ROWS:,} existing redemptions ÷ empty",
            statistics.median(b / a for a, b in zip(rates["empty"], rates["full"], strict=True)),
            0.7,
            note=f"{statistics.median(rates['full']):,.0f}/s and {statistics.median(rates['empty']):,.0f}/s; filled in {seconds:,.0f} s",
        )
        yield from reports()


def reports() -> Iterator[Figure]:
    """Time what reads all transfers: they are reports, taken in the background or with patience, not for each page."""
    from django.db import connection

    from bench.stock import use_brand
    from ledger import queries

    use_brand(FULL)
    with connection.cursor() as cursor:
        cursor.execute("SET statement_timeout = 0")
    for name, run in (
        ("trial balance, all transfers read once", queries.trial_balance),
        ("proof of the ledger, every check", lambda: list(queries.verify())),
    ):
        started = time.perf_counter()
        run()
        yield Figure(f"{name}, beside {ROWS:,} redemptions", time.perf_counter() - started, unit="s")


def fill(bench: Bench) -> None:
    """Multiply the redemptions of `FULL`: new ids, labels, causes and request ids; the same accounts and times.

    Indexes are left alone while rows are written, and built anew afterwards.
    """
    for table in TABLES:
        names = _sql(
            bench,
            f"SELECT string_agg(quote_ident(column_name), ',' ORDER BY ordinal_position) FROM information_schema.columns"
            f" WHERE table_schema = '{FULL}' AND table_name = '{table}'",
        ).split(",")
        values = ", ".join(_value(name) for name in names)
        indexes = f"UPDATE pg_index SET indisready = {{}} WHERE indrelid = '{FULL}.{table}'::regclass"
        _sql(bench, indexes.format(False))
        _sql(
            bench,
            f"SET session_replication_role = replica; SET synchronous_commit = off; CREATE TEMP TABLE t AS TABLE {FULL}.{table};"
            f" INSERT INTO {FULL}.{table} ({', '.join(names)})"
            f" SELECT {values} FROM generate_series(1, {ROWS // TEMPLATE}) AS g, t ORDER BY g",
        )
        _sql(bench, indexes.format(True))
        _sql(bench, f"SET maintenance_work_mem = '512MB'; REINDEX TABLE {FULL}.{table}")
        if "id" in names:
            _sql(
                bench, f"SELECT setval(pg_get_serial_sequence('{FULL}.{table}', 'id'), max(id) + 1) FROM {FULL}.{table}"
            )
    bench.run("psql", "-qc", "VACUUM ANALYZE", database=embedded.DATABASE)


def _value(name: str) -> str:
    if name in SHIFTED:
        return f"t.{name} + g * {STEP}::bigint"
    return "t.request_id || '/' || g" if name == "request_id" else f"t.{name}"


def _sql(bench: Bench, statement: str) -> Any:
    return bench.run("psql", "-qAt", "-v", "ON_ERROR_STOP=1", "-c", statement, database=embedded.DATABASE).strip()
