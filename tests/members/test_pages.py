"""The members' pages of the console."""

from datetime import date, datetime

import pytest
from django.test import Client
from django_tenants.utils import tenant_context

from brands.models import Brand
from members.models import Member
from members.services import grant_consent, members_for_phones, set_name
from staff.models import Audit, User
from tests.members.conftest import PHONE, Award

HOST = {"host": "brand.localhost"}


def as_role(role: str) -> Client:
    client = Client(headers=HOST)
    user = User.objects.create(username=f"{role}-1", role=role, language="en")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def owner(brand: Brand) -> Client:
    return as_role("owner")


def test_the_list_shows_numbers_masked(owner: Client, member: Member, award: Award) -> None:
    award(member.account_id, 1_234_567)

    page = owner.get("/console/members").content.decode()

    assert "138****8000" in page
    assert "1,234,567" in page
    assert PHONE[3:] not in page


def test_the_list_narrows_to_a_state(owner: Client, member: Member) -> None:
    assert member.public_id in owner.get("/console/members?state=provisional").content.decode()
    assert member.public_id not in owner.get("/console/members?state=active").content.decode()
    assert owner.get("/console/members?state=%00nonsense").status_code == 200


def test_the_file_of_the_list_is_masked_and_audited(owner: Client, member: Member) -> None:
    answer = owner.get("/console/members?format=csv")

    assert "138****8000" in answer.content.decode()
    assert PHONE[3:] not in answer.content.decode()
    assert Audit.objects.filter(act="export", actor="owner-1").exists()


@pytest.mark.parametrize("typed", ["13800138000", "+86 138-0013-8000", "１３８００１３８０００"])
def test_a_member_is_found_by_the_whole_number(owner: Client, member: Member, typed: str) -> None:
    answer = owner.post("/console/members/search", {"phone": typed})

    assert (answer.status_code, answer["Location"]) == (302, f"/console/members/{member.public_id}")


@pytest.mark.parametrize(
    ("typed", "words"),
    [("13900139000", "No member has that number."), ("\x00", "not a telephone number"), ("1" * 500, "not a telephone")],
)
def test_who_is_not_found_is_said_in_words(owner: Client, member: Member, typed: str, words: str) -> None:
    answer = owner.post("/console/members/search", {"phone": typed})

    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_one_page_tells_all_about_a_member(owner: Client, member: Member, award: Award, at: datetime) -> None:
    award(member.account_id, 120, date(2027, 12, 31))
    grant_consent(member.pk, "terms", wording_version="2026-1", at=at)
    set_name(member.pk, "王小明")

    page = owner.get(f"/console/members/{member.public_id}").content.decode()

    for words in ("138****8000", "王小明", "+120", "31 Dec 2027", "programme terms", "2026-1", "allowed"):
        assert words in page


def test_the_export_is_a_file_and_leaves_a_trace(owner: Client, member: Member) -> None:
    answer = owner.post(f"/console/members/{member.public_id}/export")

    assert answer.json()["phone"] == PHONE
    assert "attachment" in answer["Content-Disposition"]
    trace = Audit.objects.get(act="export", table_name="members_member")
    assert (trace.row_id, trace.actor) == (str(member.pk), "owner-1")


def test_a_person_is_forgotten_only_when_the_number_is_typed(owner: Client, member: Member) -> None:
    path = f"/console/members/{member.public_id}/erase"
    assert "138****8000" in owner.get(path).content.decode()
    refused = owner.post(path, {"typed": "138****8001"})
    assert refused.status_code == 422
    assert Member.objects.get().state == "provisional"

    done = owner.post(path, {"typed": "138****8000"}, follow=True)

    assert "This person is forgotten." in done.content.decode()
    assert Member.objects.get().erasure.asked_by == "owner-1"
    assert Audit.objects.get(act="erase").actor == "owner-1"
    assert owner.get(path).status_code == 302


@pytest.mark.parametrize(
    ("role", "read", "export", "erase"),
    [("owner", 200, 200, 200), ("support", 200, 200, 403), ("auditor", 200, 403, 403), ("warehouse", 403, 403, 403)],
)
def test_each_role_does_its_own(brand: Brand, member: Member, role: str, read: int, export: int, erase: int) -> None:
    client, path = as_role(role), f"/console/members/{member.public_id}"

    assert client.get(path).status_code == read
    assert client.post(f"{path}/export").status_code == export
    assert client.get(f"{path}/erase").status_code == erase


def test_without_a_sign_in_there_is_nothing(member: Member) -> None:
    answer = Client(headers=HOST).get("/console/members")

    assert answer.status_code == 302
    assert answer["Location"].startswith("/console/sign-in")


def test_another_brands_member_is_not_there(owner: Client, member: Member, stranger_brand: Brand, at: datetime) -> None:
    with tenant_context(stranger_brand):
        holder = members_for_phones(["+8613900139000"], at=at)["+8613900139000"]
        theirs = Member.objects.get(pk=holder.member_id).public_id
    assert owner.get(f"/console/members/{member.public_id}").status_code == 200

    for path in ("", "/erase"):
        assert owner.get(f"/console/members/{theirs}{path}").status_code == 404
    assert owner.post(f"/console/members/{theirs}/export").status_code == 404
    assert owner.post(f"/console/members/{theirs}/erase", {"typed": "139****9000"}).status_code == 404
    assert owner.post("/console/members/search", {"phone": "13900139000"}).status_code == 422
