from datetime import datetime, timedelta

import pytest
from django.conf import settings

from brands.models import Brand
from config.celery import app
from members import tasks
from members.models import CodeSend, PendingHolder
from members.services import pending_for
from members.sign_in import request_code


def test_what_is_scheduled_exists() -> None:
    app.loader.import_default_modules()

    for name, entry in settings.CELERY_BEAT_SCHEDULE.items():
        assert entry["task"] in app.tasks, name


def test_each_task_does_its_work(brand: Brand, at: datetime, monkeypatch: pytest.MonkeyPatch) -> None:
    pending_for([(1, f"user-{n}") for n in range(5)], at=at)
    request_code("+8613800138000", at=at)
    monkeypatch.setattr(tasks, "now", lambda: at + timedelta(days=180))
    monkeypatch.setattr(tasks, "SLICE", 2)

    tasks.lapse_pending()
    tasks.forget_old_codes()

    assert not PendingHolder.objects.filter(lapsed_at=None).exists()
    assert not CodeSend.objects.exists()
