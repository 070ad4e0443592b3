"""The figures of redemption, each a ratio taken in turns with pgbench's TPC-B on the same durable server.

Everything runs on one machine: server, web process and load. Attempts name a known member, one of 200 retailers and one
of 200 promoters, and draw on a campaign with a budget, so that each is a full redemption: request, redemption, budget,
three transfers, balances, lots and scan.
"""

import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from bench.engines import WORKERS, Engines, Run, engines, in_threads
from bench.frame import ROUNDS, Figure, cpu_s_of
from bench.load import Report, drive, post
from bench.replay import Replay
from bench.server import BRAND, PGBENCH_CLIENTS, PGBENCH_SCALE, ROOT, Bench, running
from config import embedded

LABELS = 1_000_000
CLIENTS = 64
BATCH, BATCHES_AT_ONCE = 256, 2 * WORKERS
REPLAYED = 160  # batches, in each round
ROUND_S = 4.0
BULK = 500
BRANDS = 100
BRAND_CLIENTS = {640: 120, BRANDS * CLIENTS: 240}  # at once, in all: how many codes each brand redeems in a round
HOST = "bench.localhost"
WEB_WORKERS = WORKERS


def figures() -> Iterator[Figure]:
    """Start the servers, measure every row in turns, and yield the figures."""
    with running() as bench:
        os.environ.update(bench.environment)
        import django

        django.setup()
        from bench.stock import stock_up
        from common.garbage import collect_seldom

        stock = stock_up(BRAND, labels=LABELS)
        collect_seldom()  # as a web process does
        replay = Replay(bench, stock, rounds=ROUNDS, batches=REPLAYED, size=BATCH)
        with engines() as processes:
            yield from Turns(bench, stock, processes, replay).figures()
            yield from sizes(bench)
            yield from brands(bench, stock, processes)


@dataclass
class Turns:
    """The rows that are measured in turns, and what each brought per second in each round."""

    bench: Bench
    stock: Any
    engines: Engines
    replay: Replay
    rates: dict[str, list[float]] = field(default_factory=dict)
    ratios: dict[str, list[float]] = field(default_factory=dict)
    cpu_us: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    batches: list[float] = field(default_factory=list)
    http_batches: list[float] = field(default_factory=list)
    p95_ms: list[float] = field(default_factory=list)
    later: int = 0
    rival_hands: tuple[int, int] = (1, 1)

    def figures(self) -> Iterator[Figure]:
        """Run the rounds and yield the figures."""
        self.rival_hands = prepare_rival(self.bench)
        with web(self.bench) as (port, process):
            self.warm(port)
            for _ in range(ROUNDS):
                self.round(port, process)
        yield from self._results()

    def warm(self, port: int) -> None:
        gathered(self.engines, self.stock, 3000)
        engine(self.stock, 1000)
        drive(port, singles(self.stock, 1000), CLIENTS)

    def round(self, port: int, process: "subprocess.Popen[bytes]") -> None:
        """Measure each row once, with TPC-B before each pair of them."""
        own = os.getpid()
        self.measure("tpcb", self.bench.tpcb_tps)
        self.measure("engine", self.engine)
        self.measure("batches of 256", self.batches_of_256)
        self.measure("sql", lambda: self.replay.round(BATCHES_AT_ONCE), own)
        self.measure("one process", self.one_process, own)
        self.measure("rival", lambda: rival(self.bench, *self.rival_hands))
        self.measure("tpcb", self.bench.tpcb_tps)
        self.measure("http", lambda: self.http(port), process.pid)
        self.measure("checks", lambda: self.checks(port), process.pid)
        self.measure("bulk", lambda: self.bulk(port), process.pid)

    def measure(self, name: str, run: Callable[[], float | tuple[float, int] | Run], client: int | None = None) -> None:
        """Run one row; keep its rate, its ratio to the last TPC-B, and the CPU time of client and server."""
        before = self._cpu_s(client)
        result = run()
        after = self._cpu_s(client)
        if isinstance(result, Run):
            rate, count = result.per_s, result.items
            after = result.cpu_s, after[1]
        else:
            rate, count = result if isinstance(result, tuple) else (result, 0)
        self.rates.setdefault(name, []).append(rate)
        self.ratios.setdefault(name, []).append(rate / self.rates["tpcb"][-1])
        if count:
            self.cpu_us.setdefault(name, []).append(
                ((after[0] - before[0]) / count * 1e6, (after[1] - before[1]) / count * 1e6)
            )

    def _cpu_s(self, client: int | None) -> tuple[float, float]:
        """Return the CPU seconds of the client and of the server, which is a child of this process but no part of it."""
        server = cpu_s_of(self.bench.server.pid)
        if client is None:
            return 0.0, server
        return cpu_s_of(client) - (server if client == os.getpid() else 0.0), server

    def engine(self) -> Run:
        run = gathered(self.engines, self.stock, self._count("engine", 4000))
        self.batches.append(run.items / max(1, run.batches))
        return run

    def batches_of_256(self) -> Run:
        chunks = [self.stock.attempts(BATCH) for _ in range(self._count("batches of 256", 6000) // BATCH + 1)]
        return self.engines.batches(self.stock.schema, chunks, BATCHES_AT_ONCE)

    def one_process(self) -> tuple[float, int]:
        count = self._count("one process", 2500)
        return engine(self.stock, count), count

    def http(self, port: int) -> tuple[float, int]:
        count = self._count("http", 800)
        before = transactions_of_redemptions()
        report = drive(port, singles(self.stock, count), CLIENTS)
        self.later += _expect(report, 201)
        after = transactions_of_redemptions()
        self.http_batches.append(count / max(1, after - before))
        self.p95_ms.append(report.quantile_ms(0.95))
        return report.statuses[201] / report.elapsed_s, count

    def checks(self, port: int) -> tuple[float, int]:
        count = self._count("checks", 1000)
        serials = self.stock.serials(count)
        requests = [
            post("/api/v1/checks", {"serial": serial, "asker": f"asker {n % 500}"}, host=HOST, key=self.stock.token)
            for n, serial in enumerate(serials)
        ]
        report = drive(port, requests, CLIENTS)
        _expect(report, 200)
        return report.per_s, count

    def bulk(self, port: int) -> tuple[float, int]:
        requests = []
        for n in range(self._count("bulk", 2000) // BULK + 1):
            contents = self.stock.contents(BULK)
            attempts = [{"request_id": f"b{time.time_ns()}-{n}-{m}", **body} for m, body in enumerate(contents)]
            requests.append(post("/api/v1/redemptions/bulk", {"attempts": attempts}, host=HOST, key=self.stock.token))
        report = drive(port, requests, 4, keep_bodies=True)
        _expect(report, 200)
        redeemed = sum(body.count(b'"REDEEMED"') for body in report.bodies)
        self.later += len(requests) * BULK - redeemed
        return redeemed / report.elapsed_s, redeemed

    def _count(self, name: str, first_guess: float) -> int:
        """Return how many operations take about as long as a round should."""
        return int(ROUND_S * (self.rates[name][-1] if name in self.rates else first_guess))

    def _results(self) -> Iterator[Figure]:
        tpcb = statistics.median(self.rates["tpcb"])
        yield Figure(
            "pgbench TPC-B", tpcb, unit="tps", note=f"scale {PGBENCH_SCALE}, {PGBENCH_CLIENTS} clients, simple protocol"
        )
        yield self._ratio(f"engine: redeem_many through the collector ({WORKERS} processes) ÷ TPC-B", "engine", 1.7)
        yield self._ratio("SQL of batches of 256 ÷ TPC-B", "sql", 4)
        yield self._ratio(f"redeem_many, batches of 256 ({WORKERS} processes) ÷ TPC-B", "batches of 256", 4)
        yield self._ratio("engine in one process, its clients threads of it ÷ TPC-B", "one process", None)
        yield self._ratio(f"HTTP POST /redemptions ({WEB_WORKERS} workers) ÷ TPC-B", "http", 0.6)
        yield self._ratio("bulk endpoint, attempts/s ÷ TPC-B", "bulk", 3)
        for name, row in (("batches of 256", "batches of 256"), (f"{CLIENTS} clients", "engine")):
            yield Figure(
                f"redemptions/s ({name}) ÷ transfers/s of django-hordak",
                statistics.median(a / b for a, b in zip(self.rates[row], self.rates["rival"], strict=True)),
                10,
                note=f"hordak: {statistics.median(self.rates['rival']):,.0f}/s, with {' × '.join(map(str, self.rival_hands))} processes × threads",
            )
        yield Figure(
            "mean batch at 64 clients", statistics.median(self.batches), 8, "attempts", note="through the collector"
        )
        yield Figure("mean batch at 64 HTTP clients", statistics.median(self.http_batches), unit="attempts")
        yield Figure(
            "verify requests/s ÷ redeem requests/s",
            statistics.median(a / b for a, b in zip(self.rates["checks"], self.rates["http"], strict=True)),
            1.5,
            note=f"{statistics.median(self.rates['checks']):,.0f} checks/s over HTTP",
        )
        yield Figure("HTTP redeem, 95 of 100 answered within", statistics.median(self.p95_ms), 300, "ms", at_most=True)
        yield Figure("HTTP redeem, told to try later", self.later, 0, "requests", at_most=True)

    def _ratio(self, name: str, row: str, target: float | None) -> Figure:
        client, server = (statistics.median(side) for side in zip(*self.cpu_us[row], strict=True))
        return Figure(
            name,
            statistics.median(self.ratios[row]),
            target,
            note=f"{statistics.median(self.rates[row]):,.0f}/s; CPU each: Python {client:,.0f} µs, PostgreSQL {server:,.0f} µs",
        )


def gathered(processes: Engines, stock: Any, count: int, clients: int = CLIENTS) -> Run:
    """Redeem ``count`` codes through the collectors of some processes."""
    return processes.gathered([(stock.schema, attempt) for attempt in stock.attempts(count)], clients)


def engine(stock: Any, count: int, clients: int = CLIENTS) -> float:
    """Redeem ``count`` codes by threads of this process through its collector; return codes per second."""
    from redemption import collector

    return in_threads(stock.attempts(count), _redeemed(collector.redeem), clients, stock.schema)


def _redeemed(redeem: Callable[[Any], Any]) -> Callable[[Any], None]:
    """Return a client that sends an attempt again while it is told to try later."""
    from redemption.services import TryLater

    def checked(attempt: Any) -> None:
        while True:
            try:
                outcome = redeem(attempt).outcome
            except TryLater:
                continue
            if outcome != "REDEEMED":
                raise RuntimeError(f"a redemption of the benchmark was answered {outcome}")
            return

    return checked


def singles(stock: Any, count: int) -> list[bytes]:
    """Return the bytes of single redemptions."""
    return [
        post("/api/v1/redemptions", body, host=HOST, key=stock.token, idempotency_key=f"h{time.time_ns()}-{n}")
        for n, body in enumerate(stock.contents(count))
    ]


def _expect(report: Report, status: int) -> int:
    """Return how many were told to try later (503, nothing written: never counted as done); anything else is a fault."""
    if not set(report.statuses) <= {status, 503}:
        raise RuntimeError(f"the load was answered {dict(report.statuses)}")
    return report.statuses[503]


@contextmanager
def web(bench: Bench) -> Iterator[tuple[int, "subprocess.Popen[bytes]"]]:
    """Run granian beside the server; yield its port once it answers."""
    port = embedded.free_port()
    process = subprocess.Popen(
        [
            *(sys.executable, "-m", "granian", "--interface", "asginl", "--host", "127.0.0.1", "--port", str(port)),
            *(
                "--workers",
                str(WEB_WORKERS),
                "--loop",
                "uvloop",
                "--backlog",
                "1024",
                "--no-ws",
            ),
            *("--log-level", "warning", "config.gateway:application"),
        ],
        cwd=ROOT,
        env={**os.environ, **bench.environment, "PORT": str(port), "WEB_THREADS": str(CLIENTS // WEB_WORKERS)},
    )
    try:
        _wait_for(port)
        yield port, process
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    request = post("/healthz", {}, host=HOST, key="")
    while True:
        try:
            drive(port, [request], 1)
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)
        else:
            return


def prepare_rival(bench: Bench) -> tuple[int, int]:
    """Make django-hordak's database; return the processes and the threads of each with which it does best."""
    from bench.rival import THREADS

    bench.run("createdb", "rival", database="postgres")
    subprocess.run(
        [sys.executable, "-m", "bench.rival", "prepare"], env=_rival_environment(bench), cwd=ROOT, check=True
    )
    every = [(processes, threads) for processes in sorted({1, WORKERS}) for threads in THREADS]
    return max(every, key=lambda hands: rival(bench, *hands))


def rival(bench: Bench, processes: int, threads: int) -> float:
    """Return django-hordak's transfers per second."""
    running = [
        subprocess.Popen(
            [sys.executable, "-m", "bench.rival", "run", str(threads)],
            env=_rival_environment(bench), cwd=ROOT, stdout=subprocess.PIPE, text=True,
        )
        for _ in range(processes)
    ]  # fmt: skip
    return sum(float(process.communicate()[0]) for process in running)


def _rival_environment(bench: Bench) -> dict[str, str]:
    return {**os.environ, "RIVAL_DATABASE_URL": bench.cluster.url("postgres", "rival")}


def transactions_of_redemptions() -> int:
    """Return in how many transactions all redemptions were written."""
    from django.db import connection

    from bench.stock import use_brand

    use_brand(BRAND)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(DISTINCT xmin::text) FROM redemption_redemption")
        return int(cursor.fetchone()[0])


# --- bytes --------------------------------------------------------------------------------------------------------------

APART = ("redemption_request", "members_", "channel_", "django_", "staff_", "common_", "labels_", "auth_", "account_")
SIZED = 20_000


def sizes(bench: Bench) -> Iterator[Figure]:
    """Redeem into fresh brands and see how much the tables and their indexes grew."""
    from bench.stock import stock_up
    from redemption.services import redeem_each

    for schema, parties, target, name in (
        ("bench_one", False, 700, "consumer only"),
        ("bench_three", True, 1200, "three parties"),
    ):
        bench.manage(
            "create_brand",
            schema,
            f"{schema.replace('_', '-')}.localhost",
            "--name=Bench",
            "--name-zh=基准",
            "--activation-requires=generated",
        )
        stock = stock_up(schema, labels=SIZED + 5000)
        warm = stock.attempts(len(stock.phones), parties=parties)  # every member's lot and balance row exists
        for at in range(0, len(warm), 500):
            redeem_each(warm[at : at + 500])
        before = table_bytes(bench, schema)
        attempts = stock.attempts(SIZED - 5000, parties=parties)
        for at in range(0, len(attempts), 64):
            redeem_each(attempts[at : at + 64])
        grown = table_bytes(bench, schema)
        largest = sorted(((grown[t] - before[t]) / len(attempts), t) for t in grown)[-4:]
        yield Figure(
            f"bytes per redemption, request row apart ({name})",
            sum(grown[table] - before[table] for table in grown) / len(attempts),
            target,
            "bytes",
            at_most=True,
            note=", ".join(f"{table.partition('_')[2]} {size:.0f}" for size, table in reversed(largest)),
        )


def table_bytes(bench: Bench, schema: str) -> dict[str, int]:
    """Return the size of every table with its indexes, after a vacuum, leaving out the tables named apart."""
    bench.run("psql", "-qc", "VACUUM", database=embedded.DATABASE)
    output = bench.run(
        "psql",
        "-Atc",
        f"SELECT relname, pg_table_size(oid) + pg_indexes_size(oid) FROM pg_class WHERE relnamespace = '{schema}'::regnamespace AND relkind = 'r'",
        database=embedded.DATABASE,
    )
    rows = (line.split("|") for line in output.splitlines())
    return {table: int(size) for table, size in rows if not table.startswith(APART)}


# --- one brand and a hundred ----------------------------------------------------------------------------------------------


def brands(bench: Bench, stock: Any, processes: Engines) -> Iterator[Figure]:
    """Redeem as many codes at once in one brand as over a hundred of them."""
    from bench.stock import stock_up

    names = [f"bench_{number:03d}" for number in range(BRANDS)]
    copy_brand(bench, "bench_template", names)
    stocks = [stock_up(name, labels=2000, members=100, shops=5) for name in names]
    over_brands(processes, stocks, 3, CLIENTS)  # keys unwrapped, statements prepared
    for clients, each in BRAND_CLIENTS.items():
        one, hundred = [], []
        for _ in range(ROUNDS):
            one.append(gathered(processes, stock, each * BRANDS, clients).per_s)
            hundred.append(over_brands(processes, stocks, each, clients))
        ratio = statistics.median(a / b for a, b in zip(one, hundred, strict=True))
        note = f"{statistics.median(one):,.0f}/s and {statistics.median(hundred):,.0f}/s"
        yield Figure(f"one brand ÷ 100 brands, {clients:,} clients in all", ratio, 0.9, note=note)
        yield Figure(f"100 brands ÷ one brand, {clients:,} clients in all", 1 / ratio, 0.5, note=note)


def over_brands(processes: Engines, stocks: list[Any], each: int, clients: int) -> float:
    """Redeem ``each`` codes of every brand, mixed, through the collectors; return codes per second."""
    mixed = [(stock.schema, attempt) for stock in stocks for attempt in stock.attempts(each)]
    random.Random(1).shuffle(mixed)  # any process gets any brand's
    return processes.gathered(mixed, clients).per_s


def copy_brand(bench: Bench, template: str, names: list[str]) -> None:
    """Make brands by copying the schema of a new one: a hundred migrations would take longer than all that is measured."""
    from django.db import connection
    from django_tenants.utils import get_tenant_model

    from brands.models import Domain
    from brands.queries import forget_hosts
    from common.clock import now
    from staff.keys import create_brand_keys

    bench.manage(
        "create_brand",
        template,
        "template.localhost",
        "--name=Bench",
        "--name-zh=基准",
        "--activation-requires=generated",
    )
    dump = bench.run("pg_dump", "--schema", template, database=embedded.DATABASE)
    brand_model = get_tenant_model()
    for name in names:
        script = bench.folder / "brand.sql"
        script.write_text(dump.replace(template, name))
        bench.run("psql", "-q", "-v", "ON_ERROR_STOP=1", "-f", str(script), database=embedded.DATABASE)
        connection.set_schema_to_public()
        use = brand_model(schema_name=name, name=name, name_zh=name, short_name=name, short_name_zh="基准")
        use.activation_requires = brand_model.ActivationRequires.GENERATED
        use.auto_create_schema = False
        use.save()
        Domain.objects.create(domain=f"{name.replace('_', '-')}.localhost", tenant=use, is_primary=True)
        from bench.stock import use_brand

        use_brand(name)
        bench.run("psql", "-qc", f'TRUNCATE "{name}".staff_brandkey', database=embedded.DATABASE)
        create_brand_keys(at=now())
    forget_hosts()
