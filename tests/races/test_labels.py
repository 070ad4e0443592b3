"""Labels under real threads and real commits; generation under kill -9."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from itertools import pairwise
from threading import Barrier, Thread
from typing import Any

import pytest
from django.conf import settings
from django.db import connection
from django.test import Client

from brands.models import Brand
from common.models import Job
from labels import services
from labels.models import Activation, Batch, LabelCounter, Product, Recall
from labels.queries import Status, states
from labels.recalls import Scope, recall
from labels.services import activate, create_product, generate_batch, order_batch
from staff.models import User
from tests.environment import BRAND, CLUSTER, ROOT, child_environment

pytestmark = pytest.mark.races
THREADS = 8


@pytest.fixture
def product(real_commits: Brand, at: datetime) -> Product:
    return create_product(gtin="09501101530003", name="Oolong", name_zh="乌龙", at=at)


def at_once(brand: Brand, work: Callable[[int], Any]) -> list[Any]:
    """Run ``work(0..7)`` in threads that start together; return what each returned or raised."""
    barrier, answers = Barrier(THREADS), [None] * THREADS

    def run(number: int) -> None:
        connection.set_tenant(brand)
        try:
            barrier.wait(timeout=30)
            answers[number] = work(number)
        except Exception as error:
            answers[number] = error  # type: ignore[call-overload]
        finally:
            connection.close()

    threads = [Thread(target=run, args=(number,)) for number in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    return answers


def test_eight_activations_at_once_never_overlap(real_commits: Brand, product: Product, at: datetime) -> None:
    batch = order_batch(order_key="k", product=product, count=1000, at=at)
    generate_batch(batch.pk, clock=lambda: at)
    ranges = [(1 + 100 * (number // 2), 151 + 100 * (number // 2)) for number in range(THREADS)]

    answers = at_once(real_commits, lambda number: activate(label_range=ranges[number], product=product, at=at))

    won = [answer for answer in answers if isinstance(answer, Activation)]
    lost = [answer for answer in answers if isinstance(answer, services.AlreadyActive)]
    assert len(won) + len(lost) == THREADS
    assert won
    assert lost
    spans = sorted((part.lower, part.upper) for part in Activation.objects.values_list("label_range", flat=True))
    assert all(before[1] <= after[0] for before, after in pairwise(spans))
    assert len(spans) == len(won)


def test_two_operators_and_one_range_one_wins_and_the_other_hears_why(
    real_commits: Brand, product: Product, at: datetime
) -> None:
    batch = order_batch(order_key="k", product=product, count=1000, at=at)
    generate_batch(batch.pk, clock=lambda: at)
    for name in ("one", "two"):
        User.objects.create_user(name, role="warehouse")
    barrier, pages = Barrier(2), {}

    def press_the_button(name: str, first: int, last: int) -> None:
        connection.set_tenant(real_commits)
        try:
            client = Client(HTTP_HOST="brand.localhost")
            client.force_login(User.objects.get(username=name))
            form = {"batch": batch.public_id, "first": first, "last": last}
            barrier.wait(timeout=30)
            pages[name] = client.post("/console/activations/new", form)
        finally:
            connection.close()

    operators = [Thread(target=press_the_button, args=args) for args in (("one", 1, 600), ("two", 500, 1000))]
    for operator in operators:
        operator.start()
    for operator in operators:
        operator.join(timeout=60)

    lost = next(page for page in pages.values() if page.status_code != 302)
    assert sorted(page.status_code for page in pages.values()) == [302, 422]
    assert "Some labels of the range are active already." in lost.content.decode()
    only = Activation.objects.get()
    assert (only.first, only.last) in {(1, 600), (500, 1000)}
    assert only.activated_by == next(name for name, page in pages.items() if page.status_code == 302)


def test_a_recall_and_an_activation_at_once_leave_nothing_on_sale(
    real_commits: Brand, product: Product, at: datetime
) -> None:
    batch = order_batch(order_key="k", product=product, count=1000, at=at)
    generate_batch(batch.pk, clock=lambda: at)
    activate(label_range=(1, 2), product=product, lot="L1", at=at)

    def act(number: int) -> Any:
        if number == 0:
            return recall(Scope(product=product, lot="L1"), at=at)
        first = 2 + 100 * number
        return activate(label_range=(first, first + 100), product=product, lot="L1", at=at)

    answers = at_once(real_commits, act)

    assert isinstance(answers[0], Recall)
    assert all(isinstance(answer, Activation | services.UnderRecall) for answer in answers[1:])
    active = Activation.objects.filter(cancelled_at=None)
    recalled = states([int(row.label_range.lower) for row in active], at)
    assert {state.status for state in recalled.values()} == {Status.RECALLED}
    assert sum(isinstance(answer, Activation) for answer in answers) + 1 == active.count()


def test_one_order_key_at_once_is_one_batch(real_commits: Brand, product: Product, at: datetime) -> None:
    def order(_number: int) -> int:
        return order_batch(order_key="k", product=product, count=1000, at=at).pk

    answers = at_once(real_commits, order)

    assert len(set(answers)) == 1
    assert Batch.objects.count() == Job.objects.count() == 1
    assert LabelCounter.objects.get().next == 1001


def test_different_orders_at_once_never_share_a_number(real_commits: Brand, product: Product, at: datetime) -> None:
    def order(number: int) -> Batch:
        return order_batch(order_key=f"k{number}", product=product, count=100 + number, at=at)

    batches = at_once(real_commits, order)

    assert len({batch.number for batch in batches}) == THREADS
    assert LabelCounter.objects.get().next == 1 + sum(batch.count for batch in batches)
    assert len({batch.secret_slot_id for batch in batches}) == 1


# --- kill -9 --------------------------------------------------------------------------------------------------------

COUNT = 6_000_000
WORKER = """
import sys, django
django.setup()
from django.db import connection
from django_tenants.utils import get_tenant_model
connection.set_tenant(get_tenant_model().objects.get(schema_name=sys.argv[1]))
from labels.tasks import generate
print("ready", flush=True)
generate(int(sys.argv[2]))
"""


def start_worker(batch: Batch) -> "subprocess.Popen[str]":
    environment = {**os.environ, **child_environment(CLUSTER, settings.DATABASES["default"]["NAME"])}
    environment |= {"DJANGO_SETTINGS_MODULE": "config.settings", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", WORKER, BRAND, str(batch.pk)]
    worker = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert worker.stdout is not None
    assert worker.stdout.readline() == "ready\n"
    return worker


def wait_for(done: int, job_id: int, seen: list[int]) -> None:
    deadline = time.monotonic() + 120
    while time.monotonic() < deadline:
        seen.append(Job.objects.get(pk=job_id).done)
        if seen[-1] >= done:
            return
        time.sleep(0.005)
    pytest.fail("the job did not come that far")


def test_generation_survives_kill_9_at_30_and_at_70_percent(
    real_commits: Brand, product: Product, at: datetime
) -> None:
    batch = order_batch(order_key="k", product=product, count=COUNT, at=at)
    assert batch.job_id is not None
    seen: list[int] = []
    killed_at = []

    for share in (0.3, 0.7):
        with start_worker(batch) as worker:
            wait_for(int(COUNT * share), batch.job_id, seen)
            worker.send_signal(signal.SIGKILL)
        job = Job.objects.get(pk=batch.job_id)
        seen.append(job.done)
        killed_at.append(job.done)
        assert (job.state, worker.returncode) == ("running", -signal.SIGKILL)
        assert job.done < COUNT
    with start_worker(batch) as last:
        wait_for(COUNT, batch.job_id, seen)
    assert last.returncode == 0

    assert seen == sorted(seen)
    assert killed_at[0] >= 0.3 * COUNT
    assert killed_at[1] >= 0.7 * COUNT
    job = Job.objects.get(pk=batch.job_id)
    assert (job.state, job.done, job.error) == ("done", COUNT, "")
    batch.refresh_from_db()
    assert batch.state == "generated"
