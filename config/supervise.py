"""Keeping the processes of the Procfile alive: start in order, restart what ends, stop in reverse order.

honcho reads the Procfile and prints the output; its own manager ends everything when one process ends, which is not
what a killed database server calls for (docs/decisions/0003-own-supervisor.md).
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from honcho.environ import parse_procfile
from honcho.printer import Message, Printer

FIRST_DELAY_S, LONGEST_DELAY_S = 0.2, 5.0
STEADY_S = 20.0  # a process that ran this long starts again without delay
STOP_LIMIT_S = 25.0
LOG_LIMIT_BYTES = 20_000_000
# PostgreSQL calls SIGINT the fast shutdown: clients are sent away, nothing is lost. SIGTERM would wait for them.
STOP_SIGNALS = {"postgres": signal.SIGINT}
COLOURS = ("36", "33", "32", "35", "34", "31")


def started_at(pid: int) -> str:
    """Return what tells this process from a later one with the same number, or "" if there is none."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        if Path("/proc/self").exists():
            return ""
    else:
        fields = stat.rpartition(")")[2].split()
        return "" if fields[0] == "Z" else fields[19]
    shown = subprocess.run(["ps", "-o", "lstart=", "-p", str(pid)], check=False, capture_output=True, text=True)
    return shown.stdout.strip()


def end_orphans(pid_file: Path) -> list[str]:
    """End what a killed run left behind, as written in ``pid_file``; return the names of what was still there."""
    try:
        entries = json.loads(pid_file.read_text())
    except (FileNotFoundError, json.JSONDecodeError):
        return []
    alive = [(name, pid, start) for name, pid, start in entries if start and started_at(pid) == start]
    for name, pid, _start in reversed(alive):
        _signal_group(pid, STOP_SIGNALS.get(name, signal.SIGTERM), alone=name in STOP_SIGNALS)
    until = time.monotonic() + STOP_LIMIT_S
    for _name, pid, start in alive:
        while started_at(pid) == start:
            if time.monotonic() > until:
                _signal_group(pid, signal.SIGKILL)
                break
            time.sleep(0.05)
    pid_file.unlink(missing_ok=True)
    return [name for name, _pid, _start in alive]


def _signal_group(pid: int, number: int, *, alone: bool = False) -> None:
    with suppress(ProcessLookupError):
        if alone:
            os.kill(pid, number)
        else:
            os.killpg(pid, number)


@dataclass
class Child:
    """One process of the Procfile."""

    name: str
    command: str
    colour: str
    process: "subprocess.Popen[bytes] | None" = None
    started: float = 0.0
    failures: int = 0
    due: float = 0.0
    reader: threading.Thread | None = None
    last_lines: list[str] = field(default_factory=list)


class Supervisor:
    """The processes of one `make run`. Call `start`, then `watch` until `stop`."""

    def __init__(self, procfile: Path, environment: Mapping[str, str], folder: Path) -> None:
        self.environment = dict(environment)
        self.pid_file = folder / "pids.json"
        self.logs = folder / "log"
        self.logs.mkdir(exist_ok=True)
        processes = parse_procfile(procfile.read_text()).processes
        self.children = {
            name: Child(name, command, COLOURS[number % len(COLOURS)])
            for number, (name, command) in enumerate(processes.items())
        }
        self.running: list[Child] = []
        self.stopping = threading.Event()
        self._printer = Printer(sys.stdout, width=max(map(len, self.children), default=0))
        self._printing = threading.Lock()

    def say(self, name: str, line: str, colour: str = "") -> None:
        """Print one line of a process; a closed terminal is no reason to end."""
        with suppress(OSError, ValueError), self._printing:
            self._printer.write(Message("line", line, datetime.now(UTC).astimezone(), name, colour))

    def start(self, names: Iterable[str]) -> None:
        """Start these processes, in the order given."""
        for name in names:
            child = self.children[name]
            self.running.append(child)
            self._launch(child)

    def _launch(self, child: Child) -> None:
        child.process = subprocess.Popen(
            ["/bin/sh", "-c", child.command],
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C reaches us alone, and we stop the others in order
        )
        child.started = time.monotonic()
        child.reader = threading.Thread(target=self._read, args=(child, child.process), daemon=True)
        child.reader.start()
        self._remember()

    def _read(self, child: Child, process: "subprocess.Popen[bytes]") -> None:
        path = self.logs / f"{child.name}.log"
        if path.exists() and path.stat().st_size > LOG_LIMIT_BYTES:
            path.replace(path.with_suffix(".log.1"))
        assert process.stdout is not None  # noqa: S101 - a pipe was asked for
        with process.stdout, path.open("ab", buffering=0) as log:
            for line in process.stdout:
                text = line.decode(errors="replace").rstrip()
                child.last_lines = [*child.last_lines[-4:], text]
                self.say(child.name, text, child.colour)
                try:
                    log.write(line)
                except OSError:
                    continue  # the disk is full: go on reading, or the process would stand still

    def _remember(self) -> None:
        entries = [
            [child.name, child.process.pid, started_at(child.process.pid)]
            for child in self.running
            if child.process is not None and child.process.poll() is None
        ]
        temporary = self.pid_file.with_suffix(".new")
        temporary.write_text(json.dumps(entries))
        temporary.replace(self.pid_file)

    def ended(self, name: str) -> str | None:
        """Return the last line of a process that has ended, or None while it runs."""
        child = self.children[name]
        if child.process is None or child.process.poll() is None:
            return None
        if child.reader is not None:
            child.reader.join(timeout=2)
        return child.last_lines[-1] if child.last_lines else f"ended with status {child.process.returncode}"

    def watch(self) -> None:
        """Restart whatever ends, until `stopping` is set: at once the first time, then with growing delay."""
        while not self.stopping.wait(0.1):
            for child in self.running:
                self._mend(child)

    def _mend(self, child: Child) -> None:
        now = time.monotonic()
        if child.process is not None:
            if child.process.poll() is None:
                return
            if now - child.started > STEADY_S:
                child.failures = 0
            delay = min(LONGEST_DELAY_S, FIRST_DELAY_S * 2**child.failures)
            child.failures += 1
            self.say("system", f"{child.name} ended with status {child.process.returncode}; starting it again")
            _signal_group(child.process.pid, signal.SIGKILL)  # what it left behind of its own processes
            child.process, child.due = None, now + delay
        elif now >= child.due:
            try:
                self._launch(child)
            except OSError as error:
                child.due = now + LONGEST_DELAY_S
                self.say("system", f"{child.name} cannot start: {error}")

    def stop(self) -> None:
        """Stop every process, the last started first, the two servers after all others."""
        self.stopping.set()
        servers = [child for child in self.running if child.name in {"postgres", "valkey"}]
        for group in ([child for child in self.running if child not in servers], servers):
            for child in reversed(group):
                if child.process is not None and child.process.poll() is None:
                    alone = child.name in STOP_SIGNALS
                    _signal_group(child.process.pid, STOP_SIGNALS.get(child.name, signal.SIGTERM), alone=alone)
            until = time.monotonic() + STOP_LIMIT_S
            for child in group:
                if child.process is None:
                    continue
                with suppress(subprocess.TimeoutExpired):
                    child.process.wait(timeout=max(0.1, until - time.monotonic()))
                _signal_group(child.process.pid, signal.SIGKILL)
                child.process.wait()
                if child.reader is not None:
                    child.reader.join(timeout=2)
        self.pid_file.unlink(missing_ok=True)
