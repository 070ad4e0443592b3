"""The world of the tests: one brand and one stranger brand, one consumer, one retailer, one stranger."""

import itertools
import os
import tempfile
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import hypothesis
import psycopg
import pytest
from django.conf import settings
from django.core.cache import cache
from django.db import connection, connections
from django.utils import timezone, translation
from django_tenants.utils import get_tenant_model

from brands.models import Brand
from brands.queries import forget_hosts
from labels import keys as label_keys, queries as label_queries
from lottery import keys as lottery_keys
from redemption import places, wording
from staff.keys import forget_keys
from tests.environment import BRAND, CLUSTER, DATABASE, STRANGER, TEMPLATE, embedded

# A busy machine is no fault: no example is judged by the time it takes.
hypothesis.settings.register_profile("untimed", deadline=None, suppress_health_check=[hypothesis.HealthCheck.too_slow])
hypothesis.settings.load_profile("untimed")
NOW = datetime(2026, 11, 22, 2, 42, tzinfo=UTC)
# About how many times as long as the usual test one of these takes.
HEAVY = {"runtime/test_run.py": 200, "faults": 20, "races": 20, "browser": 20, "flows": 10, "runtime": 5}
_numbers = itertools.count(1)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put the files that take longest first: one that begins last would run alone to the end."""
    tests = Path(__file__).parent

    def weight(path: Path) -> int:
        inside = path.relative_to(tests) if tests in path.parents else path
        return next((HEAVY[str(part)] for part in (inside, *inside.parents) if str(part) in HEAVY), 1)

    totals = Counter[Path]()
    for item in items:
        totals[item.path] += weight(item.path)
    items.sort(key=lambda item: (-totals[item.path], str(item.path)))


@pytest.fixture(scope="session")
def django_db_setup() -> None:
    """The database stands already: see tests/environment.py."""


@pytest.fixture(autouse=True)
def _fresh_process_state() -> Iterator[None]:
    cache.clear()
    forget_hosts()
    yield
    forget_keys()
    timezone.deactivate()
    translation.activate(settings.LANGUAGE_CODE)
    label_keys.forget()
    label_queries.forget_tables()
    lottery_keys.forget()
    wording.forget()
    places.forget()


@pytest.fixture
def at() -> datetime:
    return NOW


@pytest.fixture
def brand(db: None) -> Iterator[Brand]:
    """The one brand; the connection points at its schema."""
    found = get_tenant_model().objects.get(schema_name=BRAND)
    connection.set_tenant(found)
    yield found
    connection.set_schema_to_public()


@pytest.fixture
def stranger_brand(db: None) -> Brand:
    """Another brand, which must never see the first."""
    return get_tenant_model().objects.get(schema_name=STRANGER)


def _admin(statement: str) -> None:
    with psycopg.connect(CLUSTER.url("postgres", "postgres"), autocommit=True) as admin:
        admin.execute(statement)


@pytest.fixture
def real_commits(django_db_blocker: pytest.FixtureRequest) -> Iterator[Brand]:
    """A database of this test's own, so that threads and processes commit for real; dropped afterwards.

    The connection points at the brand's schema. Child processes reach it by
    ``child_environment(CLUSTER, settings.DATABASES["default"]["NAME"])``.
    """
    name = f"throwaway_{next(_numbers)}"
    _admin(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE} OWNER {embedded.OWNER_ROLE}")
    with django_db_blocker.unblock():
        connections.close_all()
        settings.DATABASES["default"]["NAME"] = connections.settings["default"]["NAME"] = name
        try:
            found = get_tenant_model().objects.get(schema_name=BRAND)
            connection.set_tenant(found)
            yield found
        finally:
            connections.close_all()
            settings.DATABASES["default"]["NAME"] = connections.settings["default"]["NAME"] = DATABASE
            connection.settings_dict["NAME"] = DATABASE
            _admin(f"DROP DATABASE {name} WITH (FORCE)")
    with psycopg.connect(CLUSTER.url("postgres", DATABASE)) as shared:
        late = shared.execute(f"SELECT count(*) FROM {BRAND}.redemption_scan").fetchone()
    assert late == (0,), "something of this test went on after its end and wrote into the shared database"


@pytest.fixture
def reachable_folder() -> Iterator[Path]:
    """A folder that the unprivileged user of PostgreSQL can enter (pytest's own cannot), where the run keeps its data."""
    with tempfile.TemporaryDirectory(prefix="kill-", dir=os.environ["VAR"]) as name:
        Path(name).chmod(0o755)
        yield Path(name)
