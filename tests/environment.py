"""What must stand before Django is loaded: a PostgreSQL cluster and a Valkey of this test run's own.

Loaded first by pytest (``-p tests.environment``). The migrated cluster is built once for each state of the migrations
and copied for each run: the copy takes a fraction of a second, and runs never share a server.
"""

import atexit
import hashlib
import inspect
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
from contextlib import suppress
from dataclasses import asdict, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from config import build, embedded  # noqa: E402

TEMPLATE = "zhenbiao_template"
IN_MEMORY, ROOM_BYTES = Path("/dev/shm"), 8 * 2**30
DATABASE = embedded.DATABASE
BRAND, STRANGER = "brand_a", "stranger"
KEK = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def _fingerprint() -> str:
    digest = hashlib.sha256()
    files = [*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/models.py"), *ROOT.glob("*/models/*.py")]
    files += [ROOT / "common/db.py", ROOT / "config/embedded.py", ROOT / "config/settings.py"]
    for path in sorted(files):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
    for part in (_build, _create_brand):
        digest.update(inspect.getsource(part).encode())
    return digest.hexdigest()[:16]


def child_environment(cluster: embedded.Cluster, database: str = DATABASE) -> dict[str, str]:
    """Return the variables with which a child process reaches this run's servers."""
    return {
        "MODE": "test",
        "VAR": os.environ.get("VAR", ""),
        "KEK": KEK,
        "DATABASE_URL": cluster.url(embedded.APP_ROLE, database),
        "DATABASE_OWNER_URL": cluster.url(embedded.OWNER_ROLE, database),
        "CACHE_URL": os.environ.get("CACHE_URL", ""),
        "BROKER_URL": os.environ.get("BROKER_URL", ""),
        "FAILURE_BUDGET_SCALE": os.environ.get("FAILURE_BUDGET_SCALE", "1000000"),
    }


def _manage(cluster: embedded.Cluster, *commands: list[str]) -> None:
    """Run commands side by side. Raises `CalledProcessError` if one fails."""
    environment = {**os.environ, **child_environment(cluster), "DB_ROLE": "owner"}
    started = [
        subprocess.Popen([sys.executable, str(ROOT / "manage.py"), *command], env=environment) for command in commands
    ]
    for process in started:
        process.wait()
    for process in started:
        if process.returncode:
            raise subprocess.CalledProcessError(process.returncode, process.args)


def _create_brand(schema: str, host: str, name: str, name_zh: str) -> list[str]:
    return ["create_brand", schema, host, f"--name={name}", f"--name-zh={name_zh}", "--activation-requires=generated"]


def _build(folder: Path) -> None:
    cluster = embedded.create(folder / "pg", embedded.free_port())
    server = embedded.start(cluster, {"fsync": "off"})
    try:
        _manage(cluster, ["prepare_database"])
        _manage(
            cluster,
            _create_brand(BRAND, "brand.localhost", "Xilan Tea", "溪岚茶业"),
            _create_brand(STRANGER, "stranger.localhost", "Stranger", "陌生品牌"),
        )
        import psycopg

        with psycopg.connect(cluster.url("postgres", "postgres"), autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {DATABASE} RENAME TO {TEMPLATE}")
            connection.execute(f"CREATE DATABASE {DATABASE} TEMPLATE {TEMPLATE} OWNER {embedded.OWNER_ROLE}")
    finally:
        embedded.stop(server)
    (folder / "cluster.json").write_text(json.dumps({**asdict(cluster), "data": str(cluster.data)}))


def _template() -> Path:
    """Return the folder of the migrated cluster for the migrations as they stand, building it if needed."""
    base = Path(os.environ.get("TEST_TEMPLATES", "/tmp/zhenbiao-test-templates"))
    base.mkdir(parents=True, exist_ok=True)
    base.chmod(0o755)
    folder = base / _fingerprint()
    if not (folder / "cluster.json").exists():
        building = Path(tempfile.mkdtemp(dir=base, prefix="building-"))
        building.chmod(0o755)
        try:
            _build(building)
            building.rename(folder)
        except OSError:  # another run was first
            if not (folder / "cluster.json").exists():
                raise
        finally:
            shutil.rmtree(building, ignore_errors=True)
        for old in sorted(base.glob("*"), key=lambda path: path.stat().st_mtime)[:-40]:
            shutil.rmtree(old, ignore_errors=True)
    return folder


def copy_cluster(folder: Path) -> embedded.Cluster:
    """Copy the migrated cluster into ``folder`` and return how to reach it once it is started."""
    template = _template()
    subprocess.run(["cp", "-a", str(template / "pg"), str(folder / "pg")], check=True)
    values = json.loads((template / "cluster.json").read_text())
    return replace(embedded.Cluster(**values), data=folder / "pg", port=embedded.free_port())


def _data_folder() -> Path:
    """Make the folder of this run: in memory where there is room.

    Hundreds of tests take a database of their own, and each is thousands of small files: on a disk, ten times the work.
    """
    roomy = IN_MEMORY.is_dir() and os.access(IN_MEMORY, os.W_OK) and shutil.disk_usage(IN_MEMORY).free >= ROOM_BYTES
    folder = Path(tempfile.mkdtemp(prefix=f"zhenbiao-test-{os.getpid()}-", dir=IN_MEMORY if roomy else None))
    folder.chmod(0o755)
    return folder


def _remove_what_was_left() -> None:
    """End the servers of runs that were killed, and give back the memory that their folders take."""
    for folder in IN_MEMORY.glob("zhenbiao-test-*-*"):
        if Path(f"/proc/{folder.name.split('-')[2]}").exists():
            continue
        for place in Path("/proc").glob("[0-9]*/cwd"):
            with suppress(OSError):  # it has ended meanwhile
                if place.readlink().is_relative_to(folder):
                    os.kill(int(place.parent.name), signal.SIGKILL)
        shutil.rmtree(folder, ignore_errors=True)


def _start_postgres(folder: Path) -> tuple[embedded.Cluster, "subprocess.Popen[bytes]"]:
    cluster = copy_cluster(folder)
    return cluster, embedded.start(cluster, {"max_wal_size": "512MB"})


def _start_valkey(folder: Path) -> tuple[int, "subprocess.Popen[bytes]"]:
    port = embedded.free_port()
    server = subprocess.Popen(
        [str(embedded.valkey_binary()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    return port, server


def _start() -> embedded.Cluster:
    build.compile_messages()
    _remove_what_was_left()
    folder = _data_folder()
    (folder / "static").mkdir()
    valkey_port, valkey = _start_valkey(folder)
    try:
        cluster, postgres = _start_postgres(folder)
    except BaseException:
        valkey.kill()
        raise

    def end() -> None:
        embedded.stop(postgres)
        valkey.kill()
        valkey.wait()
        shutil.rmtree(folder, ignore_errors=True)

    atexit.register(end)
    os.environ["VAR"] = str(folder)
    os.environ["CACHE_URL"] = f"redis://127.0.0.1:{valkey_port}/0"
    os.environ["BROKER_URL"] = f"redis://127.0.0.1:{valkey_port}/1"
    os.environ.update(child_environment(cluster))
    os.environ["COLLECTOR_ENABLED"] = "0"
    return cluster


CLUSTER = _start()
