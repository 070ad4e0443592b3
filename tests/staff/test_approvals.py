import re
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from django.db import IntegrityError, transaction
from django.utils.translation import override

from staff import approvals
from staff.acts import ACTS, FACTS, facts_of, name_of
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


# --- how they are called ------------------------------------------------------------------------------------------------

ROOT = Path(__file__).resolve().parents[2]
KIND = re.compile(r'^[A-Z_]+(?:, [A-Z_]+)* = ((?:"[a-z]+\.[a-z_]+"(?:, )?)+)$', re.MULTILINE)


def test_every_act_that_a_second_person_is_asked_about_is_in_the_table() -> None:
    sources = [path.read_text() for app in ("labels", "ledger", "lottery", "printing", "redemption", "sms_gateway", "staff")
               for path in (ROOT / app).rglob("*.py")]  # fmt: skip
    kinds = {
        kind.strip('"')
        for text in sources
        if "approvals" in text
        for group in KIND.findall(text)
        for kind in group.split(", ")
    }

    assert kinds == set(ACTS)


@pytest.mark.parametrize("name", [*(act.name for act in ACTS.values()), *FACTS.values()], ids=[*ACTS, *FACTS])
def test_names_are_in_both_languages(name: object) -> None:
    with override("zh-hans"):
        chinese = str(name)

    assert chinese != str(name)
    assert not chinese.isascii()


def test_what_has_no_name_stands_as_it_is() -> None:
    assert name_of("other.act") == "other.act"
    assert facts_of({"other": 1}) == [("other", "other", 1)]
