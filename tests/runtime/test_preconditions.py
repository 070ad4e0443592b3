"""A broken precondition is one line that says what to do."""

import os
import shutil
import socket
import sys
from pathlib import Path

import pytest

from config import bootstrap, embedded, run
from config.embedded import Precondition


def test_a_free_port_is_taken_as_it_is() -> None:
    port = embedded.free_port()
    assert run.chosen_port({"PORT": str(port)}) == port


def test_a_taken_port_is_told_with_the_next_one() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(Precondition, match=rf"port {port} is taken: .*make run PORT={port + 1}"):
            run.chosen_port({"PORT": str(port)})


def keep(port: int) -> None:
    with run.port_kept(port):
        pass


def test_two_first_starts_do_not_share_a_port() -> None:
    port = embedded.free_port()
    with run.port_kept(port), pytest.raises(Precondition, match=f"starting on port {port}: .*PORT={port + 1}"):
        keep(port)

    keep(port)


@pytest.mark.parametrize("text", ["0", "65536", "-1", "http", "８０００", "80 80"])
def test_what_is_no_port_is_told(text: str) -> None:
    with pytest.raises(Precondition, match="is no port number"):
        run.chosen_port({"PORT": text})


def test_an_address_that_is_not_ours_is_told() -> None:
    with pytest.raises(Precondition, match=r"cannot listen on HOST=192\.0\.2\.1"):
        run.chosen_port({"PORT": str(embedded.free_port()), "HOST": "192.0.2.1"})


def enter(path: Path) -> None:
    with run.data_folder(path):
        pass


def test_the_data_folder_is_made_and_locked(tmp_path: Path) -> None:
    folder = tmp_path / "a" / "b"
    with run.data_folder(folder), pytest.raises(Precondition, match=f"in use by .*process {os.getpid()}"):
        enter(folder)

    enter(folder)


def test_a_file_is_no_data_folder(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for path in (tmp_path / "file", tmp_path / "file" / "below"):
        with pytest.raises(Precondition, match="is not a folder"):
            enter(path)


def test_a_folder_that_cannot_be_written_is_told() -> None:
    with pytest.raises(Precondition, match="cannot write in VAR=/proc/zhenbiao"):
        enter(Path("/proc/zhenbiao"))


def test_a_full_disk_is_told_before_anything_is_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)._replace(free=5_000_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: usage)
    with pytest.raises(Precondition, match=r"has 5 MB left, \d+ MB are needed"):
        enter(tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif(os.geteuid() != 0, reason="only root drops to another user")
def test_a_folder_out_of_the_servers_reach_is_told(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(Precondition, match=r"started as root, PostgreSQL runs as user '\w+', who cannot reach .*VAR="):
        embedded.create(tmp_path / "postgres", embedded.free_port())
    assert not (tmp_path / "postgres" / "PG_VERSION").exists()


def test_a_cluster_and_its_passwords_belong_together(tmp_path: Path) -> None:
    (tmp_path / "PG_VERSION").write_text("18")
    with pytest.raises(Precondition, match="knows no password"):
        embedded.open_or_create(tmp_path, None)
    kept = {"data": "", "port": 1, "superuser_password": "", "owner_password": "", "app_password": ""}
    with pytest.raises(Precondition, match="is gone"):
        embedded.open_or_create(tmp_path / "elsewhere", kept)


def test_a_python_without_venv_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bootstrap, "VENV_PYTHON", tmp_path / "nothing")
    monkeypatch.setitem(sys.modules, "ensurepip", None)
    with pytest.raises(SystemExit, match=r"no venv module: .*apt-get install python3\.\d+-venv"):
        bootstrap.create_venv()


def test_an_old_python_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    with pytest.raises(SystemExit, match=r"Python 3\.9 is too old"):
        bootstrap.main()
