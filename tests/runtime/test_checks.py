"""Production starts only with everything in place: each missing or unsafe setting is refused by its own number."""

import os
import re
import subprocess
import sys

import pytest
from django.db import connection
from django.test import override_settings

from config import checks
from tests.environment import CLUSTER, KEK, ROOT, embedded

PROPER = {
    "SECRET_KEY": "k" * 20 + "pX7-_rT2" * 5,
    "KEK": KEK,
    "PUBLIC_BASE_URL": "https://labels.example",
    "DATABASE_URL": "postgresql://app:x@db.example/zhenbiao",
    "DATABASE_OWNER_URL": "postgresql://owner:x@db.example/zhenbiao",
    "BROKER_URL": "redis://broker.example/1",
    "CACHE_URL": "redis://cache.example/0",
}


def check(*arguments: str, **changes: str) -> subprocess.CompletedProcess[str]:
    """Run ``check --deploy`` as production would, with these variables and no others."""
    variables = {"PATH": os.environ["PATH"], "VAR": "/nonexistent/zhenbiao", **PROPER, **changes}
    return subprocess.run(
        [sys.executable, "-W", "ignore", str(ROOT / "manage.py"), "check", "--deploy", *arguments],
        env=variables,
        cwd="/",
        check=False,
        capture_output=True,
        text=True,
    )


def test_a_proper_production_reports_nothing() -> None:
    found = check("--fail-level", "WARNING")

    assert found.returncode == 0, found.stderr
    assert "no issues" in found.stdout


def test_where_nothing_is_set_that_is_all_it_says() -> None:
    found = check(**dict.fromkeys(PROPER, ""))

    assert re.findall(r"zhenbiao\.E\d+", found.stderr) == ["zhenbiao.E013"]
    assert "/nonexistent/zhenbiao/local.json" in found.stderr


@pytest.mark.parametrize(
    ("changes", "number"),
    [
        ({"SECRET_KEY": ""}, "E002"),
        ({"SECRET_KEY": "short"}, "E002"),
        ({"PUBLIC_BASE_URL": "http://labels.example"}, "E003"),
        ({"BROKER_URL": ""}, "E004"),
        ({"CACHE_URL": ""}, "E004"),
        ({"DATABASE_OWNER_URL": ""}, "E005"),
        ({"FAILURE_BUDGET_SCALE": "2"}, "E006"),
        ({"STAFF_MFA": "optional"}, "E007"),
        ({"PAYOUT_ADAPTER": "lottery.payers.Simulator"}, "E012"),
        ({"KEK": ""}, "E008"),
        ({"KEK": "c2hvcnQ="}, "E008"),
        ({"KEK": "", "KEK_FILE": "/nonexistent/kek"}, "E008"),
        ({"MODE": "staging", "STAFF_MFA": "optional"}, "E007"),
    ],
)
def test_what_is_missing_or_unsafe_is_refused(changes: dict[str, str], number: str) -> None:
    found = check(**changes)

    assert found.returncode == 1
    assert f"zhenbiao.{number}" in found.stderr


def test_the_demo_commands_are_refused_in_production() -> None:
    for command in ("demo_info", "demo_labels", "seed_demo", "prepare_demo"):
        done = subprocess.run(
            [sys.executable, "-W", "ignore", str(ROOT / "manage.py"), command],
            env={"PATH": os.environ["PATH"], "VAR": "/nonexistent/zhenbiao", **PROPER},
            check=False,
            capture_output=True,
            text=True,
        )
        assert done.returncode == 1
        assert "refused in production" in done.stderr, done.stderr


def test_a_hook_that_does_not_exist_is_refused() -> None:
    with override_settings(SCAN_HANDLER="common.clock.now"):
        assert checks.check_hooks() == []
    with override_settings(SCAN_HANDLER="common.clock.nothing"):
        assert [fault.id for fault in checks.check_hooks()] == ["zhenbiao.E009"]


def test_one_role_for_everything_is_a_warning_outside_production() -> None:
    assert checks.check_roles() == []
    with override_settings(DATABASE_OWNER_URL=CLUSTER.url(embedded.APP_ROLE)):
        assert [fault.id for fault in checks.check_roles()] == ["zhenbiao.W001"]


@pytest.fixture
def server_setting(db: None) -> None:
    """A session that would lose what it acknowledged."""
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL synchronous_commit = off")


def test_a_durable_server_passes(db: None) -> None:
    assert checks.check_server(databases=["default"]) == []


@pytest.mark.usefixtures("server_setting")
def test_a_server_that_may_lose_writes_is_a_warning_here_and_an_error_in_production() -> None:
    (warned,) = checks.check_server(databases=["default"])
    with override_settings(PRODUCTION=True):
        (refused,) = checks.check_server(databases=["default"])

    assert warned.id == "zhenbiao.W010"
    assert refused.id == "zhenbiao.E010"
    assert "synchronous_commit = off" in refused.msg


def test_a_production_process_ends_when_its_server_is_unsafe(server_setting: None) -> None:
    checks.refuse_unsafe()
    with override_settings(PRODUCTION=True), pytest.raises(SystemExit) as ended:
        checks.refuse_unsafe()
    assert "zhenbiao.E010" in str(ended.value)
