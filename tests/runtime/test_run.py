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
from labels.queries import Status
from staff.models import Role
from tests.environment import ROOT

GUARD_S = 400
# Asked of the running system: what does it know of these codes?
ASK = """
import json
from brands.models import Brand
from common.clock import now
from django_tenants.utils import tenant_context
from labels import queries
from redemption.models import Redemption
with tenant_context(Brand.objects.get(schema_name="demo")):
    codes = %r
    found = queries.resolve_many([queries.Typed(code=code, purpose="secret") for code in codes])
    states = queries.states([row.label_no for row in found], now())
    print(json.dumps([
        {"secret": code, "status": states[row.label_no].status,
         "redeemed": Redemption.objects.filter(label_no=row.label_no).exists()}
        for code, row in zip(codes, found)
    ]))
"""
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


def test_the_demo_says_where_it_is(run: Run) -> None:
    first, second = json.loads(run.manage("demo_info", "--json"))["brands"]

    assert (first["schema"], first["host"], first["port"]) == ("demo", "localhost", run.port)
    assert second["base_url"] == f"http://second.localhost:{run.port}"
    assert first["api_key"].startswith("ak_live_")
    assert first["api_key"] != second["api_key"]
    assert {person["role"] for person in first["staff"]} == set(Role.values) - {Role.PARTNER}
    assert all(person["username"] and person["password"] for person in first["staff"] + second["staff"])
    assert {person["kind"] for person in first["portal"]} == {"distributor", "retailer"}
    assert all(person["password"] and person["partner"] for person in first["portal"] + second["portal"])
    assert run.get("/console/sign-in")[0] == 200


def test_labels_are_handed_out_once_and_are_what_they_are_said_to_be(run: Run) -> None:
    wanted = {
        "active": Status.ACTIVE,
        "inactive": Status.NOT_ACTIVE,
        "redeemed": Status.ACTIVE,
        "blocked": Status.BLOCKED,
        "recalled": Status.RECALLED,
    }
    for state, status in wanted.items():
        first, second = (json.loads(run.manage("demo_labels", "--count=3", f"--state={state}", "--json")) for _ in "12")
        labels = first + second
        assert len({label["serial"] for label in labels}) == len({label["secret"] for label in labels}) == 6
        for label in labels:
            assert set(label) == {"serial", "url", "secret", "gtin", "product", "points"}
            assert label["url"] == f"http://localhost:{run.port}/01/{label['gtin']}/21/{label['serial']}"
            assert bool(label["points"]) == (state == "active")
        facts = {
            row["secret"]: row
            for row in json.loads(run.manage("shell", "--no-imports", "--command", ASK % [x["secret"] for x in labels]))
        }
        for label in labels:
            assert facts[label["secret"]] == {
                "secret": label["secret"], "status": status, "redeemed": state == "redeemed"
            }  # fmt: skip


def test_the_story_holds_together(run: Run) -> None:
    """A hundredth of it here: three months, people, every kind of answer, and a ledger that adds up."""
    with psycopg.connect(run.database(), options="-c search_path=demo") as connection:
        one = lambda question: connection.execute(question).fetchone()  # noqa: E731
        days, scans = one("SELECT max(at)::date - min(at)::date, count(*) FROM redemption_scan")
        assert days >= 90
        assert scans > 100
        assert one("SELECT count(*) FROM members_member")[0] >= 40
        assert one("SELECT max(count) FROM labels_batch") == (1_000_000,)
        assert one("SELECT count(DISTINCT outcome) FROM redemption_scan")[0] >= 8
        assert one("SELECT sum(posted) FROM ledger_account WHERE kind <> 'system'")[0] > 0
        assert one("SELECT max((counts->>'shipments')::int) > 30 FROM analytics_fitrun")[0]
    run.manage("verify_ledger", "--schema=demo")


def test_seeding_again_changes_nothing(run: Run) -> None:
    count = "SELECT (SELECT count(*) FROM redemption_scan), (SELECT count(*) FROM ledger_transfer), (SELECT count(*) FROM members_member)"
    with psycopg.connect(run.database(), options="-c search_path=demo", autocommit=True) as connection:
        before = connection.execute(count).fetchone()
        kept = json.loads((run.var / "demo.json").read_text())
        del kept["demo"]["labels"]  # as if it had been interrupted
        (run.var / "demo.json").write_text(json.dumps(kept))

        run.manage("seed_demo")

        assert json.loads((run.var / "demo.json").read_text())["demo"]["labels"]
        assert connection.execute(count).fetchone() == before


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
