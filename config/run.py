"""`make run`: check what must hold, start the servers, prepare the demo, start the rest, say where everything is.

All that is remembered stands in ``$VAR/local.json`` (`config.local`), so that ``manage.py`` run with the same ``VAR``
finds the same servers. A broken precondition ends in one line that says what to do.
"""

import errno
import fcntl
import http.client
import json
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from config import build, embedded, local, supervise
from config.embedded import Precondition

ROOT = local.ROOT
FIRST_START_BYTES = 1_500_000_000  # a cluster with the demo and its WAL
LATER_START_BYTES = 200_000_000
READY_LIMIT_S = 90.0
ANY_ADDRESS = {"0.0.0.0", "::"}  # noqa: S104 # nosec B104 - compared, not bound
EXTERNAL = ("DATABASE_URL", "DATABASE_OWNER_URL", "BROKER_URL", "CACHE_URL")


def say(line: str) -> None:
    """Print one line of progress."""
    print(line, flush=True)  # noqa: T201 - this is a command


def chosen_port(environment: Mapping[str, str]) -> int:
    """Return the port of the web server. Raises `Precondition` unless it is a free one."""
    text = environment.get("PORT") or "8000"
    if not (text.isascii() and text.isdigit() and 0 < int(text) < 65536):
        raise Precondition(f"PORT={text} is no port number: choose one from 1024 to 65535, make run PORT=8001")
    host = environment.get("HOST") or "127.0.0.1"
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, int(text)))
        except PermissionError:
            raise Precondition(f"port {text} is for root only: choose one above 1023, make run PORT=8001") from None
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                raise Precondition(f"port {text} is taken: choose another, make run PORT={int(text) + 1}") from None
            raise Precondition(f"cannot listen on HOST={host}: {error.strerror}") from None
    return int(text)


@contextmanager
def port_kept(port: int) -> Iterator[None]:
    """Keep a free port for this run until it is served: a first start takes a while. Raises `Precondition`."""
    path = Path(tempfile.gettempdir()) / f"zhenbiao-{os.getuid()}-{port}.lock"
    with os.fdopen(os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600), "r+") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise Precondition(
                f"another make run is starting on port {port}: choose another, make run PORT={port + 1}"
            ) from None
        yield


@contextmanager
def data_folder(var: Path) -> Iterator[None]:
    """Make the data folder and hold its lock. Raises `Precondition`."""
    try:
        var.mkdir(parents=True, exist_ok=True)
        _require_room(var)
        lock = (var / "run.lock").open("a+")
    except (NotADirectoryError, FileExistsError):
        raise Precondition(f"VAR={var} is not a folder: choose another, make run VAR=/path") from None
    except OSError as error:
        raise Precondition(f"cannot write in VAR={var}: {error.strerror}; choose another, make run VAR=/path") from None
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            lock.seek(0)
            holder = lock.read().strip() or "?"
            raise Precondition(f"VAR={var} is in use by another make run (process {holder}): stop it first") from None
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _require_room(var: Path) -> None:
    needed = LATER_START_BYTES if (var / "local.json").exists() else FIRST_START_BYTES
    free = shutil.disk_usage(var).free
    if free < needed:
        raise Precondition(
            f"the disk of VAR={var} has {free // 1_000_000} MB left, {needed // 1_000_000} MB are needed: "
            "make room or choose another folder, make run VAR=/path"
        )


def _kek_file(var: Path) -> Path:
    path = var / "kek"
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w") as file:
            file.write(embedded.new_secret())
    return path


def remembered(var: Path, port: int, environment: Mapping[str, str]) -> dict[str, Any]:
    """Return what to keep in local.json: kept values, new ones where there were none, external servers as given."""
    values = local.read()
    values.setdefault("SECRET_KEY", secrets.token_urlsafe(50))
    values.setdefault("VALKEY_PASSWORD", secrets.token_urlsafe(24))
    values.update(MODE="demo", PORT=str(port), KEK_FILE=str(_kek_file(var)))
    values.setdefault("FAILURE_BUDGET_SCALE", "1000")
    if environment.get("DATABASE_URL"):
        values["DATABASE_URL"] = environment["DATABASE_URL"]
        values["DATABASE_OWNER_URL"] = environment.get("DATABASE_OWNER_URL") or environment["DATABASE_URL"]
    else:
        cluster = embedded.open_or_create(var / "postgres", values.get("postgres"))
        values["postgres"] = embedded.to_dict(cluster)
        values["DATABASE_URL"] = cluster.url(embedded.APP_ROLE)
        values["DATABASE_OWNER_URL"] = cluster.url(embedded.OWNER_ROLE)
    values["valkey_port"] = embedded.usable_port(values.get("valkey_port"))
    valkey = f"redis://:{values['VALKEY_PASSWORD']}@127.0.0.1:{values['valkey_port']}"
    values["CACHE_URL"] = environment.get("CACHE_URL") or f"{valkey}/0"
    values["BROKER_URL"] = environment.get("BROKER_URL") or f"{valkey}/1"
    return values


def child_environment(var: Path, port: int, environment: Mapping[str, str]) -> dict[str, str]:
    """Return what the processes see: our own programs first on the path; all else is read from local.json."""
    kept = {name: value for name, value in environment.items() if name not in EXTERNAL}
    kept.pop("MODE", None)
    return {
        "HOST": "127.0.0.1",
        "WEB_WORKERS": "1",
        "WEB_THREADS": "64",
        **{name: value for name, value in kept.items() if value},
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', '')}",
        "PYTHONPATH": str(ROOT),
        "PYTHONUNBUFFERED": "1",
        "PYTHONWARNINGS": "ignore:You're running the worker",  # as root: Celery warns at length on each start
        "VAR": str(var),
        "PORT": str(port),
    }


def manage(environment: Mapping[str, str], *arguments: str) -> str:
    """Run one management command and return what it prints. Raises `Precondition` if it fails."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "manage.py"), *arguments],
        env=dict(environment),
        cwd=ROOT,
        check=False,
        stdout=subprocess.PIPE,
        text=True,
    )
    if done.returncode:
        raise Precondition(f"`manage.py {arguments[0]}` failed: see above")
    return done.stdout


def _wait_for(what: str, ask: Callable[[], bool], dead: Callable[[], str | None], limit_s: float) -> None:
    until = time.monotonic() + limit_s
    while not ask():
        reason = dead()
        if reason is not None:
            raise Precondition(f"{what} does not start: {reason}")
        if time.monotonic() > until:
            raise Precondition(f"{what} does not answer after {limit_s:.0f} s: see its log")
        time.sleep(0.05)


def _postgres_answers(url: str) -> bool:
    import psycopg

    try:
        psycopg.connect(url, connect_timeout=2).close()
    except psycopg.OperationalError:
        return False
    return True


def _valkey_answers(url: str) -> bool:
    import redis

    try:
        with redis.Redis.from_url(url, socket_timeout=2) as client:
            return bool(client.ping())
    except redis.RedisError:
        return False


def _web_answers(port: int, host: str) -> bool:
    connection = http.client.HTTPConnection(host if host not in ANY_ADDRESS else "127.0.0.1", port, timeout=3)
    try:
        connection.request("GET", "/readyz", headers={"Host": "localhost"})
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def uses_own_postgres(values: Mapping[str, Any]) -> bool:
    """Return whether the settings point at the embedded server."""
    own = f"127.0.0.1:{values['postgres']['port']}/{embedded.DATABASE}" if "postgres" in values else ""
    return bool(own) and values["DATABASE_URL"].rpartition("@")[2] == own


def start_servers(supervisor: supervise.Supervisor, values: Mapping[str, Any]) -> None:
    """Start the embedded servers that the settings use, and wait until all servers answer."""
    own_postgres = uses_own_postgres(values)
    own_valkey = any(f":{values['valkey_port']}/" in values[name] for name in ("CACHE_URL", "BROKER_URL"))
    supervisor.start([name for name, own in (("postgres", own_postgres), ("valkey", own_valkey)) if own])
    _wait_for(
        "PostgreSQL" if own_postgres else "the server of DATABASE_URL",
        lambda: _postgres_answers(values["DATABASE_URL"]),
        lambda: supervisor.ended("postgres"),
        60 if own_postgres else 10,
    )
    for name in ("CACHE_URL", "BROKER_URL"):
        _wait_for(
            f"the server of {name}",
            lambda url=values[name]: _valkey_answers(url),  # type: ignore[misc]
            lambda: supervisor.ended("valkey"),
            10,
        )


def prepare(environment: Mapping[str, str], values: dict[str, Any]) -> None:
    """Migrate and make the demo brands and their data, where something is missing; collect changed static files."""
    migrations = build.fingerprint(
        [*ROOT.glob("*/migrations/*.py"), ROOT / "config/management/commands/prepare_demo.py"]
    )
    state = f"{migrations} {values['DATABASE_URL'].rpartition('@')[2]}"
    if values.get("prepared") != state or not (Path(environment["VAR"]) / "demo.json").exists():
        say("Preparing the database")
        manage(environment, "prepare_demo")
        say("Making the demo: a minute or less, once")
        manage(environment, "seed_demo")
        values["prepared"] = state
        local.write(values)
    files = [path for path in [*ROOT.glob("static/**/*"), *ROOT.glob("*/static/**/*")] if path.is_file()]
    static = build.fingerprint([*files, ROOT / "requirements" / "runtime.txt"])
    stamp = Path(environment["VAR"]) / "static" / ".stamp"
    if not build.unchanged(stamp, static):
        say("Collecting the static files")
        # static/src is what static/build is made from
        manage(environment, "collectstatic", "--no-input", "--clear", "--verbosity=0", "--ignore=src")
        stamp.write_text(static)


@contextmanager
def announcement(environment: Mapping[str, str]) -> Iterator[Callable[[], None]]:
    """Find out addresses, sign-ins and a label to scan while the web server starts; yield what prints them."""
    asked = subprocess.Popen(
        [sys.executable, str(ROOT / "manage.py"), "demo_info"],
        env=dict(environment),
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )

    def announce() -> None:
        text, _ = asked.communicate()
        if asked.returncode:
            raise Precondition("`manage.py demo_info` failed: see above")
        say(text.rstrip())
        say(f"\n  Data are in {environment['VAR']}. Stop with Ctrl-C; `make run` starts again with the same data.")

    with asked:
        yield announce


def serve(var: Path, environment: Mapping[str, str]) -> None:
    """Run everything until told to stop."""
    orphans = supervise.end_orphans(var / "pids.json")
    if orphans:
        say(f"Ended what an earlier run left behind: {', '.join(orphans)}")
    port = chosen_port(environment)
    with port_kept(port):
        _serve(var, port, environment)


def _serve(var: Path, port: int, environment: Mapping[str, str]) -> None:
    if not (var / "postgres").exists() and not environment.get("DATABASE_URL"):
        say("Creating the database cluster")
    values = remembered(var, port, environment)
    local.write(values)
    children = child_environment(var, port, environment)
    supervisor = supervise.Supervisor(ROOT / "Procfile", children, var)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _interrupt)
    try:
        start_servers(supervisor, values)
        prepare(children, values)
        supervisor.start(name for name in supervisor.children if name not in {"postgres", "valkey"})
        with announcement(children) as announce:
            _wait_for(
                "the web server",
                lambda: _web_answers(port, children["HOST"]),
                lambda: supervisor.ended("web"),
                READY_LIMIT_S,
            )
            announce()
        supervisor.watch()
    except KeyboardInterrupt:
        pass
    finally:
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, signal.SIG_IGN)  # a second Ctrl-C must not leave servers behind
        say("Stopping")
        supervisor.stop()


def _interrupt(_number: int, _frame: object) -> None:
    raise KeyboardInterrupt


def main() -> None:
    """Run; turn what the operator can mend into one line."""
    var = local.var_dir()
    try:
        with data_folder(var):
            serve(var, os.environ)
    except Precondition as error:
        sys.exit(f"zhenbiao: {error}")
    except json.JSONDecodeError:
        sys.exit(f"zhenbiao: {var / 'local.json'} cannot be read: restore it, or start afresh with another VAR")
    except PermissionError as error:
        sys.exit(f"zhenbiao: no permission for {error.filename}: run as its owner, or choose another VAR")
    except OSError as error:
        if error.errno not in {errno.ENOSPC, errno.EDQUOT}:
            raise
        sys.exit(f"zhenbiao: the disk of VAR={var} is full: make room or choose another folder, make run VAR=/path")


if __name__ == "__main__":
    main()
