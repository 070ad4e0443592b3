"""Periodic work: every entry names a task that exists, and each is sent once for every brand; queues have workers."""

import re

import pytest
from django.conf import settings
from django.db import connection
from tenant_schemas_celery.scheduler import TenantAwareScheduler

from brands.models import Brand
from config.celery import app
from tests.environment import BRAND, ROOT, STRANGER

ENTRIES = {name: entry["task"] for name, entry in settings.CELERY_BEAT_SCHEDULE.items()}


@pytest.mark.parametrize("name", ENTRIES)
def test_the_task_exists(name: str) -> None:
    app.loader.import_default_modules()

    assert ENTRIES[name] in app.tasks


@pytest.mark.parametrize("task", sorted(set(ENTRIES.values())))
def test_the_task_runs_for_a_brand_that_has_nothing(task: str, real_commits: Brand) -> None:
    app.loader.import_default_modules()

    assert app.tasks[task].apply().successful()


def test_each_is_sent_once_for_every_brand(db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    sent: list[tuple[str, str]] = []
    scheduler = TenantAwareScheduler(app)
    monkeypatch.setattr(
        scheduler, "apply_async", lambda entry, **_: sent.append((entry.task, connection.schema_name)) or entry
    )
    monkeypatch.setattr(type(scheduler.schedule[next(iter(scheduler.schedule))]), "id", "1", raising=False)

    for entry in scheduler.schedule.values():
        if entry.task in ENTRIES.values():
            scheduler.apply_entry(entry)

    assert sorted(sent) == sorted((task, schema) for task in ENTRIES.values() for schema in (BRAND, STRANGER))


def test_each_queue_has_one_worker_and_messages_wait_behind_nothing_else() -> None:
    app.loader.import_default_modules()
    listened = re.findall(
        r"^[\w-]+: exec (?:env \S+ )?celery .*--queues (\S+)", (ROOT / "Procfile").read_text(), re.MULTILINE
    )
    own = [name for name in app.tasks if not name.startswith("celery.")]

    queue_of = {name: app.amqp.router.route({}, name)["queue"].name for name in own}

    routed = {route["queue"] for route in settings.CELERY_TASK_ROUTES.values()}
    assert sorted(listened) == sorted({"celery", *routed, *queue_of.values()})
    messages = {name for name, queue in queue_of.items() if queue == "messages"}
    assert messages == {f"sms_gateway.tasks.{name}" for name in ("send_waiting", "sweep", "simulate_reports")}
