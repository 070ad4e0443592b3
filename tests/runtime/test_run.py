"""`make run` itself, on a data folder and ports of its own: it answers, survives kills, and keeps its data."""

import http.client
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from config import embedded
from config.supervise import started_at
from tests.environment import ROOT

GUARD_S = 120
SERVERS = {"MODE", "KEK", "DATABASE_URL", "DATABASE_OWNER_URL", "CACHE_URL", "BROKER_URL", "COLLECTOR_ENABLED", "PORT"}


class Run:
    """One `python -m config.run`, with what it prints."""

    def __init__(self, var: Path, port: int) -> None:
        self.var, self.port = var, port
        self.environment = {name: value for name, value in os.environ.items() if name not in SERVERS}
        self.environment.pop("FAILURE_BUDGET_SCALE", None)
        self.environment |= {"VAR": str(var), "PORT": str(port), "DEMO_SCALE": "0.01"}
        self.output = var.parent / f"{var.name}.out"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start, and return once everything is announced."""
        with self.output.open("wb") as output:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "config.run"], cwd=ROOT, env=self.environment, stdout=output, stderr=output
            )
        until = time.monotonic() + GUARD_S
        while "Stop with Ctrl-C" not in self.output.read_text():
            assert self.process.poll() is None, self.output.read_text()[-4000:]
            assert time.monotonic() < until, self.output.read_text()[-4000:]
            time.sleep(0.05)

    def end(self, number: int) -> int:
        """Send the launcher a signal; return its status."""
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(timeout=GUARD_S)

    def refused(self) -> str:
        """Start where it must not go; return the one line."""
        done = subprocess.run(
            [sys.executable, "-m", "config.run"],
            cwd=ROOT,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=GUARD_S,
        )
        assert done.returncode == 1
        return done.stderr.strip()

    def pids(self) -> dict[str, int]:
        return {name: pid for name, pid, _start in json.loads((self.var / "pids.json").read_text())}

    def get(self, path: str, host: str = "localhost") -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path, headers={"Host": host})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except (OSError, http.client.HTTPException):
            return 0, b""
        finally:
            connection.close()

    def wait_for_another(self, name: str, before: int) -> None:
        """Return once another process stands for ``name`` and the system is ready."""
        until = time.monotonic() + GUARD_S
        while self.pids().get(name, before) == before or self.get("/readyz")[0] != 200:
            assert time.monotonic() < until, self.output.read_text()[-4000:]
            time.sleep(0.05)

    def manage(self, *arguments: str) -> str:
        """Run a command from the project's folder, with nothing but VAR and PORT to go by."""
        return subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT,
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        ).stdout

    def database(self) -> str:
        return str(json.loads((self.var / "local.json").read_text())["DATABASE_OWNER_URL"])


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder that PostgreSQL's user can enter."""
    made = Path(tempfile.mkdtemp(prefix="zhenbiao-run-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made, ignore_errors=True)


@pytest.fixture(scope="module")
def run(folder: Path) -> Iterator[Run]:
    """The running system."""
    started = Run(folder / "var", embedded.free_port())
    started.start()
    yield started
    if started.process is not None and started.process.poll() is None:
        started.end(signal.SIGTERM)


def test_every_host_says_that_it_lives(run: Run) -> None:
    for host in (
        "localhost",
        "second.localhost",
        "platform.localhost",
        f"127.0.0.1:{run.port}",
        "[::1]",
        "nobody.example",
    ):
        assert run.get("/healthz", host)[0] == 200
        assert run.get("/readyz", host)[0] == 200
    assert run.get("/", "nobody.example")[0] == 404


def test_what_it_keeps_is_for_its_owner_alone(run: Run) -> None:
    for name in ("local.json", "kek", "demo.json"):
        assert (run.var / name).stat().st_mode & 0o077 == 0, name
    shown = subprocess.run(["ps", "-eo", "args"], capture_output=True, text=True, check=True).stdout
    kept = json.loads((run.var / "local.json").read_text())
    assert "granian" in shown
    assert kept["VALKEY_PASSWORD"] not in shown
    assert kept["postgres"]["app_password"] not in shown


def test_a_killed_web_process_comes_back(run: Run) -> None:
    before = run.pids()["web"]

    os.kill(before, signal.SIGKILL)

    run.wait_for_another("web", before)
    assert started_at(before) == ""


def test_a_killed_database_server_comes_back(run: Run) -> None:
    before = run.pids()
    with psycopg.connect(run.database(), autocommit=True) as connection:
        connection.execute("CREATE TABLE public.kept (word text)")
        connection.execute("INSERT INTO public.kept VALUES ('acknowledged')")

    os.kill(before["postgres"], signal.SIGKILL)

    run.wait_for_another("postgres", before["postgres"])
    assert run.pids()["web"] == before["web"]


def test_a_second_one_is_refused_in_one_line(run: Run, folder: Path) -> None:
    in_use = Run(run.var, embedded.free_port()).refused()
    taken = Run(folder / "other", run.port).refused()

    assert in_use.splitlines() == [in_use]
    assert f"is in use by another make run (process {run.process.pid})" in in_use  # type: ignore[union-attr]
    assert taken.splitlines() == [taken]
    assert f"port {run.port} is taken" in taken


def test_a_stop_and_a_kill_and_a_start_keep_the_data(run: Run) -> None:
    info = run.manage("demo_info", "--json")
    servers = {name: started_at(pid) for name, pid in run.pids().items()}
    assert all(servers.values())

    pids = run.pids().values()
    assert run.end(signal.SIGINT) == 0
    assert [started_at(pid) for pid in pids] == [""] * len(pids)
    run.start()
    orphans = run.pids().values()
    run.end(signal.SIGKILL)
    assert all(started_at(pid) for pid in orphans)
    run.start()

    assert "Ended what an earlier run left behind" in run.output.read_text()
    assert run.manage("demo_info", "--json") == info
    with psycopg.connect(run.database()) as connection:
        assert connection.execute("SELECT word FROM public.kept").fetchall() == [("acknowledged",)]
