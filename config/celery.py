"""Celery, with the brand's schema carried in each task (tenant-schemas-celery)."""

import os
from typing import Any

from celery.signals import worker_init
from tenant_schemas_celery.app import CeleryApp

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

app = CeleryApp("zhenbiao")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@worker_init.connect  # type: ignore[untyped-decorator]
def _refuse_unsafe(**_: Any) -> None:
    from config.checks import refuse_unsafe

    refuse_unsafe()
