"""The harness itself: a killed process is dead, a restarted one answers, a broken call is unknown."""

from pathlib import Path

import psycopg
import pytest

from config import embedded
from tests.environment import BRAND
from tests.servers import Client, Postgres, Web, alive, children_of

pytestmark = pytest.mark.races


def test_a_killed_web_process_leaves_no_worker_and_starts_again(real_commits: object, tmp_path: Path) -> None:
    with Web(tmp_path / "web.log") as web, Client(web.port) as client:
        assert client.call("GET", "/healthz").status == 200
        assert web.process is not None
        workers = children_of(web.process.pid)

        web.kill()

        assert workers
        assert not any(map(alive, workers))
        assert client.call("GET", "/healthz").status == 0
        web.start()
        assert client.call("GET", "/healthz").status == 200


def test_a_killed_postgres_recovers_what_it_committed(reachable_folder: Path) -> None:
    with Postgres(reachable_folder) as postgres:
        url = postgres.cluster.url(embedded.OWNER_ROLE)
        with psycopg.connect(url, autocommit=True) as session:
            session.execute("CREATE TABLE kept AS SELECT 1 AS one")

            postgres.kill()

            with pytest.raises(psycopg.OperationalError):
                session.execute("SELECT 1")
        postgres.start()
        with psycopg.connect(url) as session:
            assert session.execute("SELECT one FROM kept").fetchone() == (1,)


def test_durable_settings_are_on_in_a_server_that_is_to_be_killed(reachable_folder: Path) -> None:
    with Postgres(reachable_folder) as postgres, psycopg.connect(postgres.cluster.url(embedded.APP_ROLE)) as session:
        found = {
            name: session.execute(f"SHOW {name}").fetchone()
            for name in ("fsync", "synchronous_commit", "full_page_writes")
        }

    assert set(found.values()) == {("on",)}


def test_the_connections_of_this_process_follow_the_server(reachable_folder: Path, django_db_blocker: object) -> None:
    from django.db import connection

    with (
        Postgres(reachable_folder) as postgres,
        django_db_blocker.unblock(),
        postgres.connected(),
        connection.cursor() as cursor,
    ):
        cursor.execute("SHOW port")
        assert cursor.fetchone() == (str(postgres.cluster.port),)
        cursor.execute("SELECT count(*) FROM brands_brand WHERE schema_name = %s", [BRAND])
        assert cursor.fetchone() == (1,)
