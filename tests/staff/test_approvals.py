from datetime import datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from staff import approvals
from staff.approvals import NoSuchApproval, NotApproved, SamePerson
from staff.models import User

PAYLOAD = {"batch": "bat_1", "labels": 500_000}


@pytest.fixture
def bo(owner: User) -> User:
    return User.objects.create_user("bo", role="owner")


def test_what_was_approved_is_consumed_once(owner: User, bo: User, at: datetime) -> None:
    asked = approvals.request("labels.void", PAYLOAD, by=owner, at=at)
    approvals.decide(asked.pk, approved=True, by=bo, at=at)

    approvals.consume(asked.pk, "labels.void", PAYLOAD, at=at)

    with pytest.raises(NotApproved):
        approvals.consume(asked.pk, "labels.void", PAYLOAD, at=at)


@pytest.mark.parametrize(
    ("kind", "payload", "hours"),
    [
        ("labels.void", {**PAYLOAD, "labels": 500_001}, 0),
        ("labels.activate", PAYLOAD, 0),
        ("labels.void", PAYLOAD, 72),
    ],
)
def test_nothing_else_and_not_later(owner: User, bo: User, at: datetime, kind: str, payload: dict, hours: int) -> None:
    asked = approvals.request("labels.void", PAYLOAD, by=owner, at=at)
    approvals.decide(asked.pk, approved=True, by=bo, at=at)

    with pytest.raises(NotApproved):
        approvals.consume(asked.pk, kind, payload, at=at + timedelta(hours=hours))

    approvals.consume(asked.pk, "labels.void", PAYLOAD, at=at + timedelta(hours=71))


def test_who_asks_cannot_approve(owner: User, at: datetime) -> None:
    asked = approvals.request("labels.void", PAYLOAD, by=owner, at=at)

    with pytest.raises(SamePerson):
        approvals.decide(asked.pk, approved=True, by=owner, at=at)
    asked.decided_by = owner
    with pytest.raises(IntegrityError, match="approver_is_not_the_requester"), transaction.atomic():
        asked.save()


def test_a_refusal_stands(owner: User, bo: User, at: datetime) -> None:
    asked = approvals.request("labels.void", PAYLOAD, by=owner, at=at)
    approvals.decide(asked.pk, approved=False, by=bo, at=at)

    with pytest.raises(NoSuchApproval):
        approvals.decide(asked.pk, approved=True, by=bo, at=at)
    with pytest.raises(NotApproved):
        approvals.consume(asked.pk, "labels.void", PAYLOAD, at=at)


def test_asking_twice_is_one_request(owner: User, at: datetime) -> None:
    first = approvals.request("labels.void", PAYLOAD, by=owner, at=at)

    assert approvals.request("labels.void", dict(reversed(PAYLOAD.items())), by=owner, at=at) == first
