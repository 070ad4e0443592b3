"""The servers that the benchmark measures on: PostgreSQL with durable settings, Valkey, brands; all in a folder of its own."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config import embedded

ROOT = Path(__file__).resolve().parent.parent
DURABLE = ("fsync", "synchronous_commit", "full_page_writes")
PGBENCH_SCALE, PGBENCH_CLIENTS, PGBENCH_S = 10, 16, 6
BRAND = "bench"


@dataclass
class Bench:
    """The running servers and the environment with which a child process reaches them."""

    cluster: embedded.Cluster
    server: "subprocess.Popen[bytes]"
    environment: dict[str, str]
    folder: Path

    def run(self, program: str, *arguments: str, database: str = "pgbench", role: str = "postgres") -> str:
        """Run a client program of the server's package and return what it prints."""
        command = [str(embedded.postgres_binary(program)), *arguments]
        variables = {
            **os.environ,
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.cluster.port),
            "PGUSER": role,
            "PGPASSWORD": self.cluster.superuser_password,
            "PGDATABASE": database,
        }
        return subprocess.run(command, env=variables, check=True, capture_output=True, text=True).stdout

    def manage(self, *arguments: str) -> None:
        """Run one of the project's commands as the owner of the database."""
        variables = {**os.environ, **self.environment, "DB_ROLE": "owner"}
        subprocess.run(
            [sys.executable, "manage.py", *arguments], cwd=ROOT, env=variables, check=True, stdout=subprocess.DEVNULL
        )

    def tpcb_tps(self) -> float:
        """Run pgbench's TPC-B for some seconds and return its transactions per second."""
        output = self.run(
            "pgbench", "-n", "-M", "simple", "-c", str(PGBENCH_CLIENTS), "-j", "2", "-T", str(PGBENCH_S)
        )  # fmt: skip
        found = re.search(r"tps = ([\d.]+)", output)
        if found is None:
            raise RuntimeError(output)
        return float(found.group(1))


@contextmanager
def running(variables: dict[str, str] | None = None) -> Iterator[Bench]:
    """Start everything, with one brand and pgbench's tables, in a new folder; stop and remove it at the end."""
    base = Path(os.environ.get("BENCH_FOLDER") or tempfile.gettempdir())
    folder = Path(tempfile.mkdtemp(prefix="zhenbiao-bench-", dir=base))
    folder.chmod(0o755)  # PostgreSQL may run as another user
    cluster = embedded.create(folder / "pg", embedded.free_port())
    server = embedded.start(cluster)
    port = embedded.free_port()
    valkey = subprocess.Popen(
        [str(embedded.valkey_binary()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    environment = {
        "MODE": "test",
        "VAR": str(folder),
        "KEK": embedded.new_secret(),
        "DATABASE_URL": cluster.url(embedded.APP_ROLE),
        "DATABASE_OWNER_URL": cluster.url(embedded.OWNER_ROLE),
        "CACHE_URL": f"redis://127.0.0.1:{port}/0",
        "BROKER_URL": f"redis://127.0.0.1:{port}/1",
        "FAILURE_BUDGET_SCALE": "1000000",
        "COLLECTOR_ENABLED": "1",
        "LOG_LEVEL": "WARNING",
        "DJANGO_SETTINGS_MODULE": "config.settings",
        **(variables or {}),
    }
    bench = Bench(cluster, server, environment, folder)
    try:
        _require_durable(bench)
        bench.manage("prepare_database")
        bench.manage(
            "create_brand",
            BRAND,
            "bench.localhost",
            "--name=Bench",
            "--name-zh=基准",
            "--activation-requires=generated",
        )
        bench.run("createdb", "pgbench", database="postgres")
        bench.run("pgbench", "-i", "-q", "-s", str(PGBENCH_SCALE))
        yield bench
    finally:
        for error, times in _errors(folder / "pg.log").most_common(5):
            print(f"PostgreSQL said {times} times: {error}")
        embedded.stop(server)
        valkey.kill()
        valkey.wait()
        shutil.rmtree(folder, ignore_errors=True)


def _errors(log: Path) -> Counter[str]:
    return Counter(re.findall(r"(?:ERROR|FATAL): +(.*)", log.read_text(errors="replace")))


def _require_durable(bench: Bench) -> None:
    for name in DURABLE:
        value = bench.run("psql", "-Atc", f"SHOW {name}", database="postgres").strip()
        if value != "on":
            raise RuntimeError(f"{name} is {value}: figures without durability mean nothing")
