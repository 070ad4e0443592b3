"""The console's pages of a product's links."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client

from brands.models import Brand
from labels.links import NewLink, add_link
from labels.models import Product, ProductLink
from staff.models import Audit, User

FIELDS = {
    "link_type": "pip",
    "href": "https://tea.example/oolong?a=1",
    "title": "Our oolong",
    "title_zh": "我们的乌龙茶",
    "language": "zh-hans",
    "media_type": "text/html",
    "is_default": "on",
}


@pytest.fixture
def client_of(brand: Brand) -> Callable[[str], Client]:
    def make(role: str) -> Client:
        client = Client(HTTP_HOST="brand.localhost")
        client.force_login(User.objects.create_user(f"{role}-1", password="x", role=role))
        return client

    return make


def test_a_link_is_added_shown_changed_and_removed(client_of: Callable[[str], Client], product: Product) -> None:
    owner, here = client_of("owner"), f"/console/products/{product.public_id}"
    assert "Other pages can be told as well." in owner.get(here).content.decode()

    added = owner.post(f"{here}/links/new", FIELDS)
    link = ProductLink.objects.get()
    shown = owner.get(here).content.decode()
    form = owner.get(f"{here}/links/{link.pk}")
    changed = owner.post(f"{here}/links/{link.pk}", {**FIELDS, "title": "Tea <b>", "is_default": ""})

    assert (added.status_code, added.headers["Location"]) == (302, here)
    assert (link.language, link.is_default) == ("zh-Hans", True)
    assert 'href="https://tea.example/oolong?a=1"' in shown
    assert "opens on scanning" in shown
    assert 'value="https://tea.example/oolong?a=1"' in form.content.decode()
    assert changed.status_code == 302
    assert "Tea &lt;b&gt;" in owner.get(here).content.decode()

    assert owner.post(f"{here}/links/{link.pk}/remove").status_code == 302
    assert not ProductLink.objects.exists()
    trail = Audit.objects.filter(table_name="labels_productlink").order_by("id")
    assert [(row.act, row.actor) for row in trail] == [(act, "owner-1") for act in ("insert", "update", "delete")]


@pytest.mark.parametrize(
    ("field", "value", "said"),
    [
        ("href", "http://tea.example/", "begins with https://"),
        ("href", "javascript:alert(1)", "begins with https://"),
        ("link_type", "nothing", "Select a valid choice"),
        ("language", "no language", "such as en, zh-Hans"),
        ("title", "", "required"),
    ],
)
def test_a_wrong_field_is_named_and_what_was_typed_stays(
    client_of: Callable[[str], Client], product: Product, field: str, value: str, said: str
) -> None:
    page = client_of("owner").post(f"/console/products/{product.public_id}/links/new", {**FIELDS, field: value})

    assert page.status_code == 422
    assert any(said in str(error) for error in page.context["form"].errors[field])
    assert "我们的乌龙茶" in page.content.decode()
    assert not ProductLink.objects.exists()


def test_a_second_default_of_a_language_is_a_conflict(
    client_of: Callable[[str], Client], product: Product, at: datetime
) -> None:
    add_link(product, NewLink("dpp", "https://tea.example/dpp", "Passport", "护照", "zh-Hans", is_default=True), at=at)

    page = client_of("owner").post(f"/console/products/{product.public_id}/links/new", FIELDS)

    assert page.status_code == 422
    assert "opens on scanning in this language already" in page.content.decode()


def test_who_may_only_read_sees_links_and_changes_none(
    client_of: Callable[[str], Client], product: Product, other_product: Product, at: datetime
) -> None:
    link = add_link(product, NewLink("pip", "https://tea.example/", "Our oolong", "乌龙"), at=at)
    here, auditor = f"/console/products/{product.public_id}", client_of("auditor")

    assert "Our oolong" in auditor.get(here).content.decode()
    assert "/links/" not in auditor.get(here).content.decode()
    for path in (f"{here}/links/new", f"{here}/links/{link.pk}", f"{here}/links/{link.pk}/remove"):
        assert auditor.post(path, FIELDS).status_code == 403
    owner = client_of("owner")
    assert owner.post(f"/console/products/{other_product.public_id}/links/{link.pk}/remove").status_code == 404
    assert owner.get(f"{here}/links/{link.pk}/remove").status_code == 405
    assert ProductLink.objects.get() == link
