"""The pages of rolls and of their receipt."""

from datetime import datetime

import pytest
from django.db import transaction
from django.test import Client

from brands.models import Brand
from common.clock import now
from labels import rolls
from labels.models import Batch, Roll
from labels.queries import serials_of
from staff.models import User
from tests.labels.conftest import MakeBatch


@pytest.fixture
def at() -> datetime:
    return now()


@pytest.fixture
def roll(make_batch: MakeBatch, at: datetime) -> Roll:
    batch = make_batch(count=250, roll_labels=100)
    with transaction.atomic():
        rolls.hand_over(batch.rolls.get(number=1).pk, set_up=12, at=at)
    return batch.rolls.get(number=1)


def client(role: str) -> Client:
    found = Client(HTTP_HOST="brand.localhost")
    found.force_login(User.objects.get_or_create(username=role, defaults={"role": role})[0])
    return found


def test_the_list_shows_each_state_and_offers_the_next_step(brand: Brand, roll: Roll) -> None:
    path = f"/console/batches/{roll.batch.public_id}/rolls"
    shown = client("warehouse").get(path).content.decode()
    assert f"/console/rolls/{roll.pk}/receive" in shown
    assert f"/console/rolls/{roll.pk}/receive" not in client("marketer").get(path).content.decode()
    assert client("warehouse").get(path + "?state=ready").content.decode().count("<tr>") == 3
    assert len(client("warehouse").get(path + "?format=csv").content.decode().splitlines()) == 4
    assert path in client("marketer").get(f"/console/batches/{roll.batch.public_id}").content.decode()


def test_the_warehouse_receives_and_puts_on_sale(brand: Brand, roll: Roll) -> None:
    warehouse, path = client("warehouse"), f"/console/rolls/{roll.pk}/receive"
    assert "7 – 106" in warehouse.get(path).content.decode()

    wrong = warehouse.post(path, {"good": 100, "spoiled": "7, 9 – 10"})
    assert (wrong.status_code, "97 must be good" in wrong.content.decode()) == (422, True)
    done = warehouse.post(path, {"good": 97, "spoiled": "7，9–10", "samples": serials_of([50])[0] + "\n"})

    assert done["Location"] == f"/console/batches/{roll.batch.public_id}/rolls"
    roll.refresh_from_db()
    assert (roll.state, roll.spoiled, roll.sampled, roll.received_by) == ("received", 3, 1, "warehouse")
    assert Batch.objects.get().state == "received"
    chosen = warehouse.get(f"/console/activations/new?batch={roll.batch.public_id}&rolls=1&rolls=3&rolls={10**9}")
    assert "<dt>Labels</dt><dd><b>150</b></dd>" in chosen.content.decode()
    form = warehouse.get(f"/console/activations/new?roll={roll.pk}").content.decode()
    assert 'value="100"' in form


@pytest.mark.parametrize("spoiled", ["x", "7-", "7--9", "1234567", "-3"])
def test_what_is_no_line_is_refused(brand: Brand, roll: Roll, spoiled: str) -> None:
    answer = client("warehouse").post(f"/console/rolls/{roll.pk}/receive", {"good": 99, "spoiled": spoiled})

    assert answer.status_code == 422
    assert "neither a line" in answer.content.decode()


def test_only_some_may_receive(brand: Brand, roll: Roll) -> None:
    assert client("marketer").post(f"/console/rolls/{roll.pk}/receive", {"good": 100}).status_code == 403
    assert client("production").post(f"/console/rolls/{roll.pk}/receive", {"good": 100}).status_code == 302
    assert client("production").post(f"/console/rolls/{roll.pk}/receive", {"good": 100}).status_code == 422
