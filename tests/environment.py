"""What must stand before Django is loaded: a PostgreSQL cluster and a Valkey of this test run's own.

Loaded first by pytest (``-p tests.environment``). The migrated cluster is built once for each state of the migrations
under ``var/test`` and copied for each run: the copy takes a fraction of a second, and runs never share a server.
"""

import atexit
import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from config import build, embedded  # noqa: E402

TEMPLATE = "zhenbiao_template"
DATABASE = embedded.DATABASE
BRAND, STRANGER = "brand_a", "stranger"
KEK = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def _fingerprint() -> str:
    digest = hashlib.sha256()
    files = [*ROOT.glob("*/migrations/*.py"), *ROOT.glob("*/models.py"), *ROOT.glob("*/models/*.py")]
    files += [ROOT / "common/db.py", ROOT / "config/embedded.py", ROOT / "config/settings.py", Path(__file__)]
    for path in sorted(files):
        digest.update(str(path.relative_to(ROOT)).encode() + path.read_bytes())
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


def _manage(cluster: embedded.Cluster, *arguments: str) -> None:
    environment = {**os.environ, **child_environment(cluster), "DB_ROLE": "owner"}
    subprocess.run([sys.executable, str(ROOT / "manage.py"), *arguments], env=environment, check=True)


def _build(folder: Path) -> None:
    cluster = embedded.create(folder / "pg", embedded.free_port())
    server = embedded.start(cluster, {"fsync": "off"})
    try:
        _manage(cluster, "prepare_database")
        _manage(
            cluster,
            "create_brand",
            BRAND,
            "brand.localhost",
            "--name=Xilan Tea",
            "--name-zh=溪岚茶业",
            "--activation-requires=generated",
        )
        _manage(
            cluster,
            "create_brand",
            STRANGER,
            "stranger.localhost",
            "--name=Stranger",
            "--name-zh=陌生品牌",
            "--activation-requires=generated",
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


def _start_postgres(folder: Path) -> tuple[embedded.Cluster, "subprocess.Popen[bytes]"]:
    cluster = copy_cluster(folder)
    return cluster, embedded.start(cluster)


def _start_valkey(folder: Path) -> tuple[int, "subprocess.Popen[bytes]"]:
    port = embedded.free_port()
    server = subprocess.Popen(
        [str(embedded.valkey_binary()), "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(folder)],
        stdout=subprocess.DEVNULL,
    )
    return port, server


def _start() -> embedded.Cluster:
    build.compile_messages()
    folder = Path(tempfile.mkdtemp(prefix="zhenbiao-test-"))
    folder.chmod(0o755)
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
