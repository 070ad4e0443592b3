"""Above a brand's limit labels go on sale only with a second person's word; rolls, lots and codes name labels."""

from collections.abc import Callable, Iterator
from datetime import datetime

import pytest
from django.db import transaction
from django.test import Client

from brands.models import Brand
from brands.queries import forget_hosts
from labels import services
from labels.models import Activation, Batch, Block
from labels.queries import secrets_of, serials_of
from labels.services import activate, request_activation
from staff import approvals
from staff.models import Approval, User
from tests.console.conftest import browse  # noqa: F401
from tests.labels.conftest import MakeBatch

Browse = Callable[..., Client]


@pytest.fixture
def batch(make_batch: MakeBatch) -> Batch:
    return make_batch(count=250, roll_labels=100)


@pytest.fixture
def limited(brand: Brand) -> Iterator[Brand]:
    Brand.objects.filter(pk=brand.pk).update(activation_limit=100)
    forget_hosts()
    brand.activation_limit = 100
    yield brand
    brand.activation_limit = None
    forget_hosts()


def test_above_the_limit_exactly_what_was_approved_goes_on_sale_once(
    limited: Brand, batch: Batch, at: datetime
) -> None:
    one, two = (User.objects.create_user(name, role="production") for name in ("one", "two"))
    what = {"product": batch.product, "lot": "L1", "at": at}
    activate(label_range=(1, 101), **what)
    with pytest.raises(services.NeedsSecondPerson):
        activate(label_range=(101, 202), **what)
    asked = request_activation(label_ranges=[(101, 202)], by=one, **what)
    with pytest.raises(services.NeedsSecondPerson):
        activate(label_range=(101, 202), **what)

    approvals.decide(asked.pk, approved=True, by=two, at=at)
    with pytest.raises(services.NeedsSecondPerson):
        activate(label_range=(101, 203), **what)
    with pytest.raises(services.NeedsSecondPerson):
        activate(label_range=(101, 202), **what | {"lot": "L2"})
    made = activate(label_range=(101, 202), **what)
    services.cancel_activation(made, at=at)

    with pytest.raises(services.NeedsSecondPerson):
        activate(label_range=(101, 202), **what)


def test_the_page_asks_for_the_second_person(limited: Brand, batch: Batch, browse: Browse, at: datetime) -> None:  # noqa: F811
    warehouse, form = browse("warehouse"), {"batch": batch.public_id, "rolls": "1-2", "lot": "L1"}
    preview = warehouse.post("/console/activations/preview", form).content.decode()
    assert "second person" in preview
    asked = warehouse.post("/console/activations/new", form)
    approval = Approval.objects.get()
    assert (asked["Location"], Activation.objects.count()) == (f"/console/approvals/{approval.pk}", 0)
    assert approval.payload["labels"] == f"{batch.number}: 1-200"

    with transaction.atomic():
        approvals.decide(
            approval.pk, approved=True, by=User.objects.create_user("ola", role="owner"), at=approval.requested_at
        )
    again = warehouse.get(f"/console/activations/new?approval={approval.pk}").content.decode()
    assert 'value="200"' in again
    assert warehouse.post("/console/activations/new", form).status_code == 302
    assert Activation.objects.get().count == 200


@pytest.mark.parametrize(
    ("fields", "labels"),
    [
        ({"first": 5, "last": 9}, [(5, 9)]),
        ({"rolls": "1"}, [(1, 100)]),
        ({"rolls": "1, 3"}, [(1, 100), (201, 250)]),
        ({"rolls": "3 1–2"}, [(1, 250)]),
    ],
)
def test_rolls_go_on_sale_neighbours_as_one(
    batch: Batch,
    browse: Browse,  # noqa: F811
    fields: dict[str, str],
    labels: list[tuple[int, int]],
) -> None:
    assert browse("warehouse").post("/console/activations/new", {"batch": batch.public_id, **fields}).status_code == 302

    assert [(row.first, row.last) for row in Activation.objects.order_by("label_range")] == labels


@pytest.mark.parametrize(
    "fields",
    [{}, {"rolls": "4"}, {"rolls": "2-1"}, {"rolls": "x"}, {"rolls": "1", "first": 1, "last": 2}, {"first": 1}],
)
def test_labels_that_are_not_there_are_refused(batch: Batch, browse: Browse, fields: dict[str, str]) -> None:  # noqa: F811
    answer = browse("warehouse").post("/console/activations/new", {"batch": batch.public_id, **fields})

    assert (answer.status_code, Activation.objects.count()) == (422, 0)


def test_labels_are_blocked_by_rolls_by_lot_and_by_code(batch: Batch, browse: Browse, at: datetime) -> None:  # noqa: F811
    owner, path = browse(), "/console/blocks/new"
    for first in (11, 101):
        activate(label_range=(first, first + 10), product=batch.product, lot="L9", at=at)
    ways = [
        {"batch": batch.public_id, "rolls": "2-3"},
        {"batch": batch.public_id, "lot": "L9"},
        {"code": serials_of([7])[0]},
        {"code": secrets_of([8])[0]},
    ]
    for way in ways:
        assert owner.post(path, {"reason": "lost", **way}).status_code == 302, way

    blocked = [(row.first, row.last) for row in Block.objects.filter(reason="lost").order_by("id")]
    assert blocked == [(101, 250), (11, 20), (101, 110), (7, 7), (8, 8)]
    for way in ({}, {"batch": batch.public_id, "lot": "none"}, {"code": "5JQ2D4Y8562N"}, {**ways[0], "code": "x"}):
        assert owner.post(path, {"reason": "lost", **way}).status_code == 422, way
    final = owner.post(path, {"reason": "stolen", "code": serials_of([9])[0]})
    assert f"Type “{batch.number}”" in final.content.decode()
    preview = owner.post("/console/blocks/preview", {"reason": "lost", **ways[1]}).content.decode()
    assert "Blocked already" in preview
