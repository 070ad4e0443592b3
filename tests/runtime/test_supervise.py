"""A process of the Procfile that ends is started again; what a killed run left behind is ended by the next."""

import json
import os
import signal
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from config.supervise import Supervisor, end_orphans, started_at

GUARD_S = 20


def wait_until(ask: Callable[[], bool]) -> None:
    until = time.monotonic() + GUARD_S
    while not ask():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[Supervisor]:
    """Two long sleepers and one that ends at once, watched by a thread."""
    (tmp_path / "Procfile").write_text(
        "postgres: exec sleep 600\nweb: exec sleep 600\nbroken: echo no such file; exit 3\n"
    )
    made = Supervisor(tmp_path / "Procfile", {"PATH": os.environ["PATH"]}, tmp_path)
    made.start(["postgres", "web"])
    watcher = threading.Thread(target=made.watch)
    watcher.start()
    yield made
    made.stopping.set()
    watcher.join()
    made.stop()


def pid_of(supervisor: Supervisor, name: str) -> int:
    process = supervisor.children[name].process
    return 0 if process is None else process.pid


def test_a_killed_process_is_started_again(supervisor: Supervisor) -> None:
    first, neighbour = pid_of(supervisor, "web"), pid_of(supervisor, "postgres")

    os.kill(first, signal.SIGKILL)

    wait_until(lambda: pid_of(supervisor, "web") not in {0, first})
    assert pid_of(supervisor, "postgres") == neighbour
    wait_until(lambda: pid_of(supervisor, "web") in [pid for _, pid, _ in json.loads(supervisor.pid_file.read_text())])


def test_one_that_never_works_is_tried_ever_more_slowly(supervisor: Supervisor) -> None:
    supervisor.start(["broken"])

    wait_until(lambda: supervisor.children["broken"].failures >= 3)

    child = supervisor.children["broken"]
    assert child.last_lines[-1] == "no such file"
    wait_until(lambda: child.process is None)
    assert child.due - time.monotonic() > 0.2
    assert "no such file" in (supervisor.logs / "broken.log").read_text()


def test_stop_ends_all_and_forgets_them(supervisor: Supervisor) -> None:
    pids = [pid_of(supervisor, name) for name in ("postgres", "web")]

    supervisor.stopping.set()
    supervisor.stop()

    assert [started_at(pid) for pid in pids] == ["", ""]
    assert not supervisor.pid_file.exists()


def test_orphans_are_ended_but_not_a_stranger_with_an_old_number(tmp_path: Path) -> None:
    orphan = subprocess.Popen(["sleep", "600"], start_new_session=True)
    stranger = subprocess.Popen(["sleep", "600"], start_new_session=True)
    try:
        pid_file = tmp_path / "pids.json"
        pid_file.write_text(json.dumps([["web", orphan.pid, started_at(orphan.pid)], ["beat", stranger.pid, "17"]]))
        collected = threading.Thread(target=orphan.wait)  # as init would
        collected.start()

        assert end_orphans(pid_file) == ["web"]

        collected.join(GUARD_S)
        assert orphan.returncode == -signal.SIGTERM
        assert stranger.poll() is None
        assert not pid_file.exists()
    finally:
        for process in (orphan, stranger):
            process.kill()
            process.wait()


def test_a_broken_pid_file_is_no_obstacle(tmp_path: Path) -> None:
    assert end_orphans(tmp_path / "pids.json") == []
    (tmp_path / "pids.json").write_text("[[")
    assert end_orphans(tmp_path / "pids.json") == []
