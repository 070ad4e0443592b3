"""Printing under kill -9, and two people who start or fetch the same thing at once."""

import hashlib
import os
import signal
import subprocess
import sys
from datetime import datetime
from pathlib import Path
from typing import Any

import pyrage
import pytest
from django.conf import settings
from django.db import transaction

from brands.models import Brand
from common.models import Job
from labels.models import Batch
from labels.services import create_product, generate_batch, order_batch
from printing import building, handover as files, samples, services
from printing.models import Handover, PrintJob
from staff import approvals
from staff.models import User
from tests.environment import BRAND, CLUSTER, ROOT, child_environment
from tests.printing.versions import make_version
from tests.races.test_labels import at_once, wait_for

pytestmark = pytest.mark.races
ROLLS, ROLL = 5, 500
KEY = pyrage.x25519.Identity.generate()
WORKER = """
import sys, django
django.setup()
from django.db import connection
from django_tenants.utils import get_tenant_model
connection.set_tenant(get_tenant_model().objects.get(schema_name=sys.argv[1]))
from printing import building
from printing.tasks import build
building.TELL_EVERY_S = 0.0
print("ready", flush=True)
build(int(sys.argv[2]))
"""


@pytest.fixture(autouse=True)
def _own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)


def approved(brand: Brand, at: datetime, *, rolls: int, size: int) -> PrintJob:
    product = create_product(gtin="09501101530003", name="Oolong", name_zh="乌龙", at=at)
    batch = order_batch(order_key="k", product=product, count=rolls * size, roll_labels=size, at=at)
    generate_batch(batch.pk, clock=lambda: at)
    press = services.create_press(name="Red", recipient=str(KEY.to_public()), at=at)
    services.check_key(press, read_out=press.fingerprint, at=at, asked_by="pia")
    pia, ola = (User.objects.create_user(name, role="owner") for name in ("pia", "ola"))
    batch = Batch.objects.get(pk=batch.pk)
    new = services.NewPrint(batch, 1, rolls, press, output="pdf", version=make_version(at), proof="full")
    row = services.request(new, by=pia, at=at)
    samples.sign_off(row, by=ola, at=at)
    with transaction.atomic():
        approvals.decide(row.approval_id, approved=True, by=ola, at=at)
    return row


def start_worker(row: PrintJob, var: Path) -> "subprocess.Popen[str]":
    environment = {**os.environ, **child_environment(CLUSTER, settings.DATABASES["default"]["NAME"])}
    environment |= {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": str(ROOT), "VAR": str(var)}
    command = [sys.executable, "-c", WORKER, BRAND, str(row.pk)]
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def test_a_print_survives_kill_9_at_30_and_at_70_percent(real_commits: Brand, at: datetime, tmp_path: Path) -> None:
    row = services.start(approved(real_commits, at, rolls=ROLLS, size=ROLL).pk, at=at)
    assert row.job_id is not None
    total, seen, kept = ROLLS * (ROLL + 12), [], {}
    for share in (0.3, 0.7):
        with start_worker(row, tmp_path) as worker:
            wait_for(int(total * share), row.job_id, seen)
            worker.send_signal(signal.SIGKILL)
        job = Job.objects.get(pk=row.job_id)
        seen.append(job.done)
        assert (job.state, worker.returncode, job.done < total) == ("running", -signal.SIGKILL, True)
        for one in Handover.objects.exclude(state="building"):
            assert kept.setdefault(one.pk, one.cipher_hash) == one.cipher_hash
    with start_worker(row, tmp_path) as last:
        wait_for(total, row.job_id, seen)
    assert last.returncode == 0

    assert seen == sorted(seen)
    assert {done for done in seen if done % (ROLL + 12)}, "progress is finer than rolls"
    done = list(Handover.objects.order_by("roll__number"))
    assert [one.state for one in done] == ["ready"] * ROLLS
    assert all(one.cipher_hash == kept.get(one.pk, one.cipher_hash) for one in done)
    assert kept
    assert len({one.canary_range.lower for one in done}) == ROLLS
    assert (PrintJob.objects.count(), Job.objects.filter(kind=building.JOB_KIND).count()) == (1, 1)
    folder = files.folder()
    assert sorted(path.name for path in folder.iterdir()) == sorted(f"{one.public_id}.age" for one in done)
    for one in done:
        assert one.report["texts"] == one.lines == ROLL + 12
        plain = bytes(pyrage.decrypt(files.path_of(one.public_id).read_bytes(), [KEY]))
        assert hashlib.sha256(plain).hexdigest() == one.plain_hash


def test_workers_that_take_up_the_same_print_build_each_file_once(
    real_commits: Brand, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    row = services.start(approved(real_commits, at, rolls=2, size=60).pk, at=at)
    whole, built = files.build, []

    def counted(*args: Any, **more: Any) -> files.Built:
        built.append(more["path"])
        return whole(*args, **more)

    monkeypatch.setattr(files, "build", counted)
    assert at_once(real_commits, lambda _: building.build(row.pk)) == [True] * 8

    assert len(built) == len(set(built)) == 2
    assert {one.state for one in Handover.objects.all()} == {"ready"}
    assert Job.objects.get(pk=row.job_id).state == "done"


def test_a_print_is_started_once_and_a_file_fetched_once(real_commits: Brand, at: datetime) -> None:
    row = approved(real_commits, at, rolls=2, size=10)
    started = at_once(real_commits, lambda _: services.start(row.pk, at=at))
    assert sum(isinstance(answer, PrintJob) for answer in started) == 1
    assert sum(isinstance(answer, services.StartedAlready) for answer in started) == 7
    building.build(row.pk, clock=lambda: at)
    one = Handover.objects.order_by("id")[0]

    fetched = at_once(real_commits, lambda n: services.download(one.pk, at=at, asked_by=f"p{n}"))

    assert sum(isinstance(answer, Handover) for answer in fetched) == 1
    assert sum(isinstance(answer, services.Gone) for answer in fetched) == 7
    services.acknowledge(one.pk, plain_hash=one.plain_hash, at=at)
    assert not files.path_of(one.public_id).exists()
