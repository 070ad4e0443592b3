"""The pages of recalls, of ending a batch, and of binding anew."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import transaction
from django.test import Client

from common.clock import now
from labels.models import Activation, Batch, Block, Recall
from redemption.services import redeem
from staff import approvals
from staff.models import Approval, User
from tests.makers import labels_of, make_active_batch, make_attempt, make_batch, make_campaign, secret_of, serial_of

Browse = Callable[..., Client]


@pytest.fixture
def at() -> datetime:
    return now()


@pytest.fixture
def batch(browse: Browse, at: datetime) -> Batch:
    found = make_active_batch(10, lot="L1", at=at)
    make_campaign(at=at)
    redeem(make_attempt(secret_of(labels_of(found)[2]), at=at))
    return found


def test_a_lot_is_recalled_after_its_counts_and_ends_again(browse: Browse, batch: Batch) -> None:
    owner, fields = browse(), {"of": "lot", "product": batch.product_id, "lot": "L1", "note": "glass"}
    assert owner.get("/console/recalls/new").status_code == 200
    counted = owner.post("/console/recalls/new", fields)
    assert (counted.status_code, Recall.objects.count()) == (200, 0)
    assert "<dd>1</dd>" in counted.content.decode()  # one of them is redeemed
    assert owner.post("/console/recalls/new", {**fields, "typed": "11"}).status_code == 422

    done = owner.post("/console/recalls/new", {**fields, "typed": "10"})

    row = Recall.objects.get()
    assert (done["Location"], row.labels) == (f"/console/recalls/{row.pk}", 10)
    assert batch.number in browse("auditor").get(done["Location"]).content.decode()
    assert "L1" in browse("auditor").get("/console/recalls").content.decode()
    assert "L1" in owner.get("/console/recalls?format=csv").content.decode()
    owner.post(f"/console/recalls/{row.pk}/lift")
    assert not Block.objects.filter(reason="recalled", lifted_at=None).exists()


@pytest.mark.parametrize(
    "fields", [{}, {"of": "lot"}, {"of": "product"}, {"of": "range", "first": 1}, {"of": "x"}, {"of": "lot", "lot": "L1"}]
)  # fmt: skip
def test_a_recall_of_nothing_in_particular_is_refused(browse: Browse, batch: Batch, fields: dict[str, str]) -> None:
    assert browse().post("/console/recalls/new", {**fields, "typed": "10"}).status_code == 422
    assert Recall.objects.count() == 0


def test_a_range_is_recalled(browse: Browse, batch: Batch) -> None:
    fields = {"of": "range", "batch": batch.public_id, "first": 2, "last": 4, "typed": "3"}

    assert browse("legal").post("/console/recalls/new", fields).status_code == 302

    shown = browse().get("/console/recalls").content.decode()
    assert f"{batch.number} · 2 – 4" in shown


def test_only_some_may_recall(browse: Browse, batch: Batch) -> None:
    assert browse("production").get("/console/recalls/new").status_code == 403
    assert "/console/recalls/new" not in browse("production").get("/console/recalls").content.decode()


@pytest.mark.parametrize(("act", "state"), [("void", "void"), ("close", "closed")])
def test_a_batch_ends_by_two_persons(browse: Browse, batch: Batch, at: datetime, act: str, state: str) -> None:
    path, asker = f"/console/batches/{batch.public_id}/{act}", browse("production")
    assert asker.post(path, {"reason": ""}).status_code == 422
    assert asker.post(path, {"reason": "burnt"}).status_code == 302
    approval = Approval.objects.get()
    assert f"/console/approvals/{approval.pk}" in asker.get(path).content.decode()
    asker.post(path, {"typed": batch.number})
    assert Batch.objects.get().state == "active"

    with transaction.atomic():
        approvals.decide(approval.pk, approved=True, by=User.objects.create_user("ola", role="owner"), at=at)
    assert asker.post(path, {"typed": "another"}).status_code == 422
    assert asker.post(path, {"typed": batch.number}).status_code == 302

    assert Batch.objects.get().state == state
    assert browse("warehouse").get(path).status_code == 403


def test_labels_are_bound_anew(browse: Browse, batch: Batch) -> None:
    warehouse, path = browse("warehouse"), f"/console/activations/rebind?batch={batch.public_id}"
    assert batch.number in warehouse.get(path).content.decode()
    fields = {"batch": batch.public_id, "first": 2, "last": 4, "lot": "L2"}
    assert warehouse.post(path, fields).status_code == 422  # the third is redeemed

    assert warehouse.post(path, {**fields, "first": 4}).status_code == 302
    assert Activation.objects.get(lot="L2").count == 1


def test_the_holders_of_a_recall_are_counted_and_listed(browse: Browse, batch: Batch) -> None:
    fields = {"of": "lot", "product": batch.product_id, "lot": "L1", "typed": "10"}
    page = browse().post("/console/recalls/new", fields)["Location"]
    serial = serial_of(labels_of(batch)[2])

    shown = browse("auditor").get(f"{page}/holders").content.decode()
    lines = browse("support").get(f"{page}/holders?format=csv").content.decode()

    assert serial[:4] in shown
    assert "138****8000" in shown
    assert serial in lines
    assert lines.count("\n") == 2
    assert browse("warehouse").get(f"{page}/holders").status_code == 403
    assert f"{page}/holders" not in browse("warehouse").get(page).content.decode()
    assert f"{page}/holders" in browse("auditor").get(page).content.decode()


def test_all_rolls_are_listed_by_state_and_batch(browse: Browse, at: datetime) -> None:
    batch = make_batch(count=30, roll_labels=10, at=at)
    warehouse = browse("warehouse")

    assert warehouse.get("/console/rolls").content.decode().count(f"{batch.number}/") >= 3
    assert f"{batch.number}/" not in warehouse.get("/console/rolls?state=received").content.decode()
    assert f"{batch.number}/" not in warehouse.get("/console/rolls?q=9999-Z").content.decode()
    lines = warehouse.get(f"/console/rolls?q={batch.number}&format=csv").content.decode().splitlines()
    assert len(lines) == 4
