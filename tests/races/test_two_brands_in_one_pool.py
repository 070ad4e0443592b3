"""One pool of threads serves two brands in turns, with errors and aborted transactions: no row in the wrong schema."""

import json
import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pytest
from django.db import IntegrityError, connection, transaction
from django.test import Client
from django_tenants.utils import get_tenant_model, tenant_context

from brands.models import Brand
from common.clock import now
from redemption.models import FailedInput, Request, Scan, Visitor
from tests.environment import BRAND, STRANGER
from tests.races.world import World, make_world

pytestmark = pytest.mark.races

THREADS = 8
HOSTS = {BRAND: "brand.localhost", STRANGER: "stranger.localhost"}


def spoil(chance: random.Random) -> None:
    """Leave the thread's connection as a view that failed might."""
    kind = chance.randrange(3)
    if kind == 0:
        with pytest.raises(IntegrityError), transaction.atomic():
            Request.objects.create(scan_id=1, door="api", client_id=1, request_id="spoilt", content_mac=None)
    elif kind == 1:
        with suppress(ZeroDivisionError), transaction.atomic():
            Visitor.objects.create(created_at=now())
            raise ZeroDivisionError
    else:
        connection.close()


@contextmanager
def pool(work: object, threads: int = THREADS) -> Iterator[list[BaseException]]:
    errors: list[BaseException] = []

    def guarded(number: int) -> None:
        try:
            work(number)
        except BaseException as error:
            errors.append(error)
        finally:
            connection.close()

    workers = [threading.Thread(target=guarded, args=(number,)) for number in range(threads)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    yield errors


@pytest.mark.parametrize("requests", [3_000, pytest.param(10_000, marks=pytest.mark.torture)])
def test_requests_of_two_brands_in_turns(real_commits: Brand, requests: int) -> None:
    brands = {name: get_tenant_model().objects.get(schema_name=name) for name in HOSTS}
    worlds: dict[str, World] = {}
    for name, row in brands.items():
        with tenant_context(row):
            worlds[name] = make_world(labels=50)
    sent: Counter[str] = Counter()
    statuses: Counter[int] = Counter()
    lock = threading.Lock()

    def work(number: int) -> None:
        chance = random.Random(number)
        for n in range(requests // THREADS):
            name = BRAND if (n + number) % 2 else STRANGER
            token = worlds[name].token
            client = Client(HTTP_HOST=HOSTS[name], headers={"Authorization": f"Bearer {token}"})
            kind = n % 10
            if kind == 9:
                spoil(chance)
            if kind in {0, 1}:  # a code of this brand, or of the other: then it is unknown here
                whose = worlds[name if kind == 0 else BRAND if name == STRANGER else STRANGER]
                path, body = "/api/v1/redemptions", {"code": chance.choice(whose.secrets), "asker": f"{name}/{number}"}
            elif kind == 2:
                path, body = "/api/v1/checks", {"code": f"{name} types nonsense", "asker": f"{name}/{number}"}
            else:
                path, body = "/api/v1/redemptions", {"code": "1", "asker": "a", "phone": "b"}
            key = f"{name}/{number}/{n}"
            answer = client.post(
                path, json.dumps(body), content_type="application/json", headers={"Idempotency-Key": key}
            )
            with lock:
                statuses[answer.status_code] += 1
                if answer.status_code in {200, 201}:
                    sent[name] += 1

    with pool(work) as errors:
        assert errors == []

    assert statuses[422] > 0
    assert set(statuses) <= {200, 201, 422}, statuses
    for name, row in brands.items():
        with tenant_context(row):
            keys = list(Request.objects.values_list("request_id", flat=True))
            assert len(keys) == sent[name] > 100
            assert all(key.startswith(f"{name}/") for key in keys)
            assert Scan.objects.count() == sent[name]
            # What was typed is kept masked (first four, last two): that of the other brand never is here.
            nonsense = [text.lower() for text in FailedInput.objects.values_list("masked", flat=True)]
            assert any(text.startswith(name[:4]) for text in nonsense), [t for t in nonsense if not t[0].isdigit()][:5]
            other = BRAND if name == STRANGER else STRANGER
            assert not any(text.startswith(other[:4]) for text in nonsense)
