"""Real processes that a test may kill: a web server, a PostgreSQL cluster; and a client that knows what it does not know."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from django.conf import settings
from django.db import connections

from config import embedded
from tests import environment

READY_S = 60


class Web:
    """One granian process that serves `config.gateway` on a loopback port of its own; what it logs is kept in a file."""

    application = "config.gateway:application"

    def __init__(self, log: Path, variables: dict[str, str] | None = None, threads: int = 32) -> None:
        self.port = embedded.free_port()
        self.log = log
        self.variables = {
            "PORT": str(self.port),
            "COLLECTOR_ENABLED": "1",
            "WEB_THREADS": str(threads),
            **(variables or {}),
        }
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> "Web":
        """Start the process and return once `/readyz` says yes."""
        cluster = environment.CLUSTER
        environment_variables = {
            **os.environ,
            **environment.child_environment(cluster, str(settings.DATABASES["default"]["NAME"])),
            **self.variables,
        }
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "granian", "--interface", "asginl", "--host", "127.0.0.1"),
                    *("--port", str(self.port), "--workers", "1", "--loop", "uvloop"),
                    *("--backlog", "1024", "--no-ws", self.application),
                ],
                cwd=environment.ROOT,
                env=environment_variables,
                stdout=log,
                stderr=log,
                start_new_session=True,  # so that the worker dies with its parent
            )
        self.wait_ready()
        return self

    def wait_ready(self) -> None:
        """Return once the process reaches its database; fail with the end of its log if it never does."""
        until = time.monotonic() + READY_S
        client = Client(self.port, timeout_s=2)
        while True:
            answer = client.call("GET", "/readyz")
            if answer.status == 200:
                client.close()
                return
            if time.monotonic() > until or (self.process is not None and self.process.poll() is not None):
                raise AssertionError(f"the web process is not ready:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.05)

    def kill(self) -> None:
        """End the process and its worker as a power cut would: SIGKILL, nothing flushed, nothing closed."""
        assert self.process is not None
        workers = children_of(self.process.pid)
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        wait_gone(workers)

    def stop(self) -> None:
        """Ask the process to end; kill it if it does not."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(timeout=20)
        except subprocess.TimeoutExpired:
            self.kill()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class Postgres:
    """A PostgreSQL of the test's own: a copy of the migrated template with durable settings, for killing."""

    def __init__(self, folder: Path, options: dict[str, str] | None = None) -> None:
        self.cluster = environment.copy_cluster(folder)
        self.options = options
        self.server: subprocess.Popen[bytes] | None = None

    def start(self) -> "Postgres":
        """Start the server (it recovers from its log after a kill) and return once it answers."""
        self.server = embedded.start(self.cluster, self.options)
        return self

    def kill(self) -> None:
        """SIGKILL the postmaster and every backend, as a power cut would; what was not fsynced is the kernel's still."""
        assert self.server is not None
        family = [self.server.pid, *children_of(self.server.pid)]
        for pid in family:
            _kill(pid)
        for pid in children_of(self.server.pid):  # forked between the look and the kill
            _kill(pid)
        self.server.wait()
        wait_gone(family)

    def stop(self) -> None:
        """End it in good order."""
        if self.server is not None:
            embedded.stop(self.server)

    @contextmanager
    def connected(self) -> Iterator[None]:
        """Point this process's Django connections, and the environment of its children, at this server."""
        usual, usual_cluster = settings.DATABASES["default"]["PORT"], environment.CLUSTER
        connections.close_all()
        environment.CLUSTER = self.cluster
        _use_port(str(self.cluster.port))
        try:
            yield
        finally:
            connections.close_all()
            environment.CLUSTER = usual_cluster
            _use_port(usual)

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.stop()


class SlowCommits:
    """A network between a web process and PostgreSQL on which the answer to each COMMIT is late.

    So there are always transactions that are durable and whose client does not know it yet: what `cut` drops, as a
    power cut drops what has not left the machine.
    """

    def __init__(self, postgres_port: int, delay_s: float) -> None:
        self.postgres_port = postgres_port
        self.delay_s = delay_s
        self.cuts = 0
        self.held = False
        self.pairs: list[tuple[socket.socket, socket.socket]] = []
        self.listener = socket.create_server(("127.0.0.1", 0), backlog=256)
        self.port = int(self.listener.getsockname()[1])
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self) -> None:
        """Deliver no late answer from now on, until all are dropped by `cut`."""
        self.held = True

    def cut(self) -> None:
        """Drop every connection and every answer that is still on its way."""
        self.cuts += 1
        self.held = False
        pairs, self.pairs = self.pairs, []
        for pair in pairs:
            for end in pair:
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)  # closing alone tells nobody while another thread is reading from it
                end.close()

    def close(self) -> None:
        """End the network."""
        self.listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _address = self.listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection(("127.0.0.1", self.postgres_port))
            except OSError:
                client.close()
                continue
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.pairs.append((client, server))
            threading.Thread(target=self._carry, args=(client, server, b""), daemon=True).start()
            threading.Thread(target=self._carry, args=(server, client, b"COMMIT\0"), daemon=True).start()

    def _carry(self, source: socket.socket, target: socket.socket, late: bytes) -> None:
        cuts = self.cuts
        try:
            while data := source.recv(65_536):
                if late and late in data:
                    time.sleep(self.delay_s)
                while self.held and cuts == self.cuts:
                    time.sleep(0.005)
                if cuts != self.cuts:
                    return
                target.sendall(data)
        except OSError:
            pass
        finally:
            for end in (source, target):
                with suppress(OSError):
                    end.shutdown(socket.SHUT_RDWR)
                end.close()


def _use_port(port: str) -> None:
    settings.DATABASES["default"]["PORT"] = connections.settings["default"]["PORT"] = port
    connections["default"].settings_dict["PORT"] = port


def _kill(pid: int) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def wait_gone(pids: list[int]) -> None:
    """Return once none of the processes runs any more (a corpse that nobody has collected yet is gone)."""
    until = time.monotonic() + READY_S
    while any(map(alive, pids)):
        assert time.monotonic() < until, "a killed process does not die"
        time.sleep(0.005)


def alive(pid: int) -> bool:
    """Whether the process runs."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] not in {"Z", "X"}
    except OSError:
        return False


def children_of(pid: int) -> list[int]:
    """Return the direct children of a process."""
    found = []
    for entry in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = entry.read_text().rpartition(")")[2].split()
        except OSError:
            continue
        if int(fields[1]) == pid:
            found.append(int(entry.parent.name))
    return found


@dataclass(frozen=True)
class Answer:
    """What a call brought back. ``status`` 0: unknown, the connection broke, and the work may or may not be done."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    @property
    def known(self) -> bool:
        """Whether the server said what became of it. A 5xx does not: the commit may have gone through."""
        return 0 < self.status < 500

    @property
    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


class Client:
    """One keep-alive connection to a web process, as a brand's host. Not for sharing between threads."""

    def __init__(self, port: int, *, host: str = "brand.localhost", key: str = "", timeout_s: float = 30) -> None:
        self.port = port
        self.timeout_s = timeout_s
        self.headers = {"Host": host, "Accept": "*/*"}
        if key:
            self.headers["Authorization"] = f"Bearer {key}"
        self._connection: http.client.HTTPConnection | None = None

    def call(self, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None) -> Answer:
        """Send one request, once; a broken connection is an answer of status 0, never tried again behind one's back."""
        if self._connection is None:
            self._connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=self.timeout_s)
        try:
            self._connection.request(method, path, body, {**self.headers, **(headers or {})})
            response = self._connection.getresponse()
            answer = Answer(response.status, response.read(), {k.lower(): v for k, v in response.getheaders()})
        except (OSError, http.client.HTTPException):
            self.close()
            return Answer(0)
        if answer.headers.get("connection") == "close":
            self.close()
        return answer

    def post(self, path: str, content: Any, *, idempotency_key: str = "") -> Answer:
        """Post JSON."""
        headers = {"Content-Type": "application/json"}
        if idempotency_key:
            headers["Idempotency-Key"] = idempotency_key
        return self.call("POST", path, json.dumps(content).encode(), headers)

    def close(self) -> None:
        """Drop the connection; the next call makes another."""
        if self._connection is not None:
            self._connection.close()
            self._connection = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
