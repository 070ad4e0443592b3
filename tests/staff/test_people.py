from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from django.test import Client

from staff import approvals, services
from staff.models import Approval, User


def test_an_owner_invites_and_the_password_works_once_shown(owner: User, browse: Callable[..., Client]) -> None:
    page = browse(owner).post("/console/staff/new", {"username": "bob", "role": "finance", "language": ""})

    assert page.status_code == 200
    assert page["Cache-Control"].find("no-store") >= 0
    answer = browse().post("/console/sign-in", {"login": "bob", "password": page.context["password"]})
    assert answer.status_code == 302


def test_a_name_is_given_once(owner: User, browse: Callable[..., Client]) -> None:
    page = browse(owner).post("/console/staff/new", {"username": "ADA", "role": "finance", "language": ""})

    assert page.status_code == 422
    assert User.objects.count() == 1


def test_the_last_owner_stays(owner: User, browse: Callable[..., Client]) -> None:
    page = browse(owner).post(f"/console/staff/{owner.pk}", {"role": "support", "language": "", "is_active": "on"})

    owner.refresh_from_db()
    assert page.status_code == 422
    assert owner.role == "owner"


def test_only_an_owner_changes_roles(owner: User, browse: Callable[..., Client]) -> None:
    kim = User.objects.create_user("kim", role="auditor")
    assert browse(kim).get(f"/console/staff/{kim.pk}").status_code == 200

    page = browse(kim).post(f"/console/staff/{kim.pk}", {"role": "owner", "language": "", "is_active": "on"})

    kim.refresh_from_db()
    assert page.status_code == 403
    assert kim.role == "auditor"


def test_whoever_may_not_sign_in_is_out_at_once(owner: User, browse: Callable[..., Client]) -> None:
    bob = User.objects.create_user("bob", role="support")
    client = browse(bob)
    assert client.get("/console/").status_code == 200

    browse(owner).post(f"/console/staff/{bob.pk}", {"role": "support", "language": ""})

    assert client.get("/console/").status_code == 302


def test_a_person_reads_the_own_language_until_another_is_chosen(owner: User, browse: Callable[..., Client]) -> None:
    owner.language = "zh-hans"
    owner.save()
    client = browse(owner)
    assert 'lang="zh-hans"' in client.get("/console/").content.decode()

    client.post("/language", {"language": "en", "next": "/console/"})

    assert 'lang="en"' in client.get("/console/").content.decode()


@pytest.fixture
def two_owners(owner: User) -> tuple[User, User]:
    return owner, User.objects.create_user("bo", role="owner", password="x")


def make_owner(client: Client, user: User):
    return client.post(f"/console/staff/{user.pk}", {"role": "owner", "language": "", "is_active": "on"})


@pytest.mark.django_db(transaction=False)
def test_a_third_owner_needs_two_persons(two_owners: tuple[User, User], at: datetime) -> None:
    ada, bo = two_owners
    kim = User.objects.create_user("kim", role="auditor")
    change = {"role": "owner", "is_active": True, "language": "", "by": ada, "at": at}

    with pytest.raises(approvals.NeedsApproval) as asked:
        services.change_staff(kim, **change)
    kim.refresh_from_db()
    assert kim.role == "auditor"

    approvals.decide(asked.value.approval.pk, approved=True, by=bo, at=at)
    services.change_staff(kim, **change)

    kim.refresh_from_db()
    assert kim.role == "owner"
    assert Approval.objects.get().consumed_at == at


def test_an_invited_owner_waits_as_auditor(two_owners: tuple[User, User], at: datetime) -> None:
    user, _ = services.create_staff(username="kim", role="owner", by=two_owners[0], at=at + timedelta(hours=1))

    assert user.role == "auditor"
    assert Approval.objects.get().payload == {"user": user.pk, "username": "kim"}
