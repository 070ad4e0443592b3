"""Faults of transactions, keys, brands and durability, planted: the tests of tests/races must fail.

They are called with the same fixtures and fewer requests.
"""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from django.db import connection
from django_tenants.utils import get_tenant_model

from brands.models import Brand
from tests import environment
from tests.environment import BRAND
from tests.faults import plants
from tests.races import (
    test_collector,
    test_kill,
    test_one_code_pays_once,
    test_same_key,
    test_two_brands_in_one_pool,
    world,
)
from tests.races.test_kill import mortal
from tests.races.test_one_code_pays_once import collecting
from tests.races.world import World
from tests.servers import Postgres, Web

__all__ = ["collecting", "mortal"]
pytestmark = pytest.mark.races


@pytest.fixture
def planted_web(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Plant a fault, by its name, in every web process that the test starts."""

    def plant(name: str) -> None:
        monkeypatch.setattr(Web, "application", "tests.faults.web:application")
        monkeypatch.setenv("PLANTED", name)

    return plant


def test_keys_that_are_forgotten(real_commits: Brand, tmp_path: Path, planted_web: Callable[[str], None]) -> None:
    planted_web("keys_are_forgotten")

    with pytest.raises(AssertionError):
        test_same_key.test_one_effect_and_one_answer_also_after_a_restart(real_commits, tmp_path)


def test_keys_that_answer_for_any_body(real_commits: Brand, tmp_path: Path, planted_web: Callable[[str], None]) -> None:
    planted_web("bodies_are_not_compared")

    with pytest.raises(AssertionError, match="key_reused"):
        test_same_key.test_another_body_under_the_key_is_refused_and_writes_nothing(real_commits, tmp_path)


def test_keys_kept_outside_the_transaction(real_commits: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.keys_outlive_their_transaction(monkeypatch.setattr)

    with pytest.raises(AssertionError):
        test_collector.test_one_poisoned_among_sixty_three_good_fails_alone(real_commits, monkeypatch)


def test_a_poisoned_attempt_that_fails_its_neighbours(real_commits: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.one_fails_its_neighbours(monkeypatch.setattr)

    with pytest.raises(AssertionError):
        test_collector.test_one_poisoned_among_sixty_three_good_fails_alone(real_commits, monkeypatch)


def test_receipts_that_go_down(
    real_commits: Brand, collecting: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plants.receipts_go_down()
    monkeypatch.setattr(test_one_code_pays_once, "CODES", 10)

    with pytest.raises(AssertionError, match=r"order: .* began after scan"):
        test_one_code_pays_once.test_ten_thousand_tries_redeem_a_hundred_codes_once(
            real_commits, collecting, tmp_path, attempts=320
        )


def test_a_connection_that_points_at_the_wrong_brand(real_commits: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    plants.a_schema_is_forgotten(monkeypatch.setattr)

    with pytest.raises(AssertionError):
        test_two_brands_in_one_pool.test_requests_of_two_brands_in_turns(real_commits, requests=400)


@pytest.fixture
def forgetful(reachable_folder: Path, django_db_blocker: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A database server that acknowledges a commit long before it is on the disk."""
    options = {"synchronous_commit": "off", "wal_writer_delay": "10s", "wal_writer_flush_after": "1GB"}
    with Postgres(reachable_folder, options) as postgres, django_db_blocker.unblock(), postgres.connected():
        connection.set_tenant(get_tenant_model().objects.get(schema_name=BRAND))
        yield postgres
        connection.close()


@pytest.fixture
def settled(monkeypatch: pytest.MonkeyPatch) -> None:
    """What the test begins with is on the disk."""

    def make_world(**values: Any) -> World:
        made = world.make_world(**values)
        with psycopg.connect(environment.CLUSTER.url("postgres", "postgres"), autocommit=True) as session:
            session.execute("CHECKPOINT")
        return made

    monkeypatch.setattr(test_kill, "make_world", make_world)


def test_commits_that_are_not_durable(forgetful: Postgres, settled: None, tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match=r"lost: |doubled: "):
        test_kill.test_the_database_is_killed(forgetful, tmp_path, kills=1)


def test_keys_that_are_forgotten_when_the_web_process_dies(
    mortal: Postgres, settled: None, tmp_path: Path, planted_web: Callable[[str], None]
) -> None:
    planted_web("keys_are_forgotten")

    with pytest.raises(AssertionError, match="phantom: "):
        test_kill.test_the_database_is_killed(mortal, tmp_path, kills=2)
