"""The partners' pages of the console."""

from datetime import datetime

import pytest
from django.test import Client

from brands.models import Brand
from channel.models import Partner
from channel.services import create_partner, pause
from staff.models import Audit, User

HOST = {"host": "brand.localhost"}


def as_role(role: str) -> Client:
    client = Client(headers=HOST)
    user = User.objects.create(username=f"{role}-1", role=role, language="en")
    client.force_login(user, backend="allauth.account.auth_backends.AuthenticationBackend")
    return client


@pytest.fixture
def owner(brand: Brand) -> Client:
    return as_role("owner")


@pytest.fixture
def shop(brand: Brand, at: datetime) -> Partner:
    return create_partner(kind="retailer", name="Bluestone Street Tea", name_zh="青石街茶庄", region="CN-ZJ", at=at)


def test_the_list_narrows_by_kind_and_by_what_is_typed(owner: Client, shop: Partner) -> None:
    for query, there in (
        ("", True),
        ("?kind=retailer", True),
        ("?kind=promoter", False),
        (f"?q={shop.number.lower()}", True),
        ("?q=青石", True),
        ("?q=nobody", False),
        ("?q=%00", True),
    ):
        assert (shop.number in owner.get(f"/console/partners{query}").content.decode()) is there, query


def test_a_partner_is_taken_on_by_the_form(owner: Client) -> None:
    assert owner.get("/console/partners/new").status_code == 200

    page = owner.post(
        "/console/partners/new", {"kind": "promoter", "name": "Ann", "name_zh": "", "region": "CN-GD"}, follow=True
    )

    partner = Partner.objects.get()
    assert (partner.kind, partner.region_name, partner.region_name_zh) == ("promoter", "Guangdong", "广东")
    assert partner.number in page.content.decode()
    assert Audit.objects.filter(table_name="channel_partner", act="insert", actor="owner-1").exists()


def test_a_form_with_faults_comes_back(owner: Client) -> None:
    answer = owner.post("/console/partners/new", {"kind": "pirate", "name": "", "region": "ZZ"})

    assert answer.status_code == 422
    assert not Partner.objects.exists()


def test_one_page_tells_number_code_and_points(owner: Client, shop: Partner) -> None:
    page = owner.get(f"/console/partners/{shop.public_id}").content.decode()

    for words in (shop.number, "Bluestone Street Tea", "Zhejiang", "<svg", f"http://brand.localhost/p/{shop.number}"):
        assert words in page


def test_the_code_is_a_file_for_print(owner: Client, shop: Partner) -> None:
    answer = owner.get(f"/console/partners/{shop.public_id}/qr.svg")

    assert answer["Content-Type"] == "image/svg+xml"
    assert answer.content.startswith(b"<svg")
    assert b"style" not in answer.content


def test_a_partner_is_changed_paused_and_resumed(owner: Client, shop: Partner) -> None:
    path = f"/console/partners/{shop.public_id}"
    owner.post(f"{path}/edit", {"name": "New Name", "name_zh": "", "region": ""})
    owner.post(f"{path}/state", {"act": "pause"})
    shop.refresh_from_db()
    assert (shop.name, shop.region_name, shop.state) == ("New Name", "", "paused")
    assert "Paused:" in owner.get(path).content.decode()

    owner.post(f"{path}/state", {"act": "resume"})

    shop.refresh_from_db()
    assert shop.state == "active"


def test_a_partner_is_closed_only_when_the_number_is_typed(owner: Client, shop: Partner) -> None:
    path = f"/console/partners/{shop.public_id}"
    assert owner.post(f"{path}/close", {"typed": "R9"}).status_code == 422

    assert owner.post(f"{path}/close", {"typed": shop.number.lower()}).status_code == 302

    shop.refresh_from_db()
    assert shop.state == "closed"
    assert "stays closed" in owner.post(f"{path}/state", {"act": "resume"}, follow=True).content.decode()
    assert owner.post(f"{path}/edit", {"name": "X", "region": ""}).status_code == 422
    assert owner.get(f"{path}/close").status_code == 302


@pytest.mark.parametrize(("role", "edit"), [("owner", 200), ("regional", 200), ("auditor", 403), ("support", 403)])
def test_each_role_does_its_own(shop: Partner, role: str, edit: int) -> None:
    client = as_role(role)

    assert client.get("/console/partners").status_code == 200
    assert client.get(f"/console/partners/{shop.public_id}/edit").status_code == edit
    assert ("Take on a partner" in client.get("/console/partners").content.decode()) is (edit == 200)


def test_what_is_not_there_is_not_found(owner: Client, shop: Partner) -> None:
    pause(shop.public_id)

    for page in ("", "/edit", "/close", "/qr.svg"):
        assert owner.get(f"/console/partners/par_aaaaaaaaaaaaaaaaaaaa{page}").status_code == 404
    assert owner.post("/console/partners/par_aaaaaaaaaaaaaaaaaaaa/state", {"act": "pause"}).status_code == 404
