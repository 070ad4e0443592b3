"""Products, batches, activations and blocks as people see them: both languages, light and dark, phone and desk."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from brands.models import Brand
from labels.models import Batch, Product
from labels.services import activate, block, cancel_activation, create_product, generate_batch, order_batch
from staff.models import User
from tests.browser.conftest import DESK, PHONE, looked_at

NOW = datetime.now(UTC)
LONG = "Mist Ridge Oolong from the old trees above the seven bends of the river, 250 grams"[:80]


@pytest.fixture
def signed_in(live: str, real_commits: Brand) -> Client:
    ada = User.objects.create_user("ada", password="x", role="owner")
    tea = create_product(gtin="9501101530003", name="Oolong 250 g", name_zh="雾岭乌龙250克", sku="OOL-250", at=NOW)
    long = create_product(
        gtin="9506000134352",
        name=LONG,
        name_zh="很长的产品名称" * 5,
        description="A tea of the high ridges. " * 12,
        description_zh="高山云雾之茶。" * 20,
        at=NOW,
    )
    for place, (product, count, form) in enumerate(
        [(tea, 1_000_000, "N16"), (tea, 20_000, "N20"), (long, 5_000, "B12")]
    ):
        at = NOW - timedelta(days=30 - place)
        batch = order_batch(
            order_key=f"k{place}", product=product, count=count, secret_form=form, at=at, asked_by="lin"
        )
        if count < 10**6:
            generate_batch(batch.pk, clock=lambda: NOW)
    second = Batch.objects.get(count=20_000)
    first = second.label_range.lower
    activate(label_range=(first, first + 12_000), product=tea, at=NOW, lot="L2611", market="CN-53", asked_by="lin")
    extra = activate(label_range=(first + 12_000, first + 13_000), product=tea, at=NOW, lot="L2612")
    cancel_activation(extra, at=NOW, asked_by="lin")
    block(label_range=(first + 500, first + 700), reason="lost", at=NOW, note="cartons 3 and 4", asked_by="lin")
    block(label_range=(first + 800, first + 900), reason="spoiled", at=NOW, asked_by="lin")
    order_batch(order_key="test", product=tea, count=100, test_series=True, at=NOW, asked_by="ada")
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(ada)
    return client


def pages() -> dict[str, str]:
    tea, long = Product.objects.order_by("pk")
    running, sold, plain, _test = Batch.objects.order_by("pk")
    return {
        "products": "/console/products",
        "products-none": "/console/products?q=nothing",
        "product": f"/console/products/{tea.public_id}",
        "product-long": f"/console/products/{long.public_id}",
        "product-new": "/console/products/new",
        "product-edit": f"/console/products/{long.public_id}/edit",
        "batches": "/console/batches",
        "batches-none": "/console/batches?q=nothing",
        "batch-running": f"/console/batches/{running.public_id}",
        "batch": f"/console/batches/{sold.public_id}",
        "batch-plain": f"/console/batches/{plain.public_id}",
        "batch-order": f"/console/batches/new?product={tea.public_id}",
        "activations": "/console/activations",
        "activate": f"/console/activations/new?batch={plain.public_id}",
        "blocks": "/console/blocks",
        "block": f"/console/blocks/new?batch={sold.public_id}",
        "block-empty": "/console/blocks/new",
    }


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("zh-CN", True)])
def test_pages(signed_in: Client, visit: Callable[..., Page], language: str, dark: bool) -> None:
    for size in (DESK, PHONE):
        page = visit(language=language, dark=dark, size=size, client=signed_in)
        for name, path in pages().items():
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            look = "dark" if dark else "light"
            looked_at(page, f"{name}-{size['width']}-{language[:2]}-{look}")


def test_odds_follow_the_number_and_a_refusal_stands_beside_it(signed_in: Client, visit: Callable[..., Page]) -> None:
    page = visit(client=signed_in)
    page.goto("/console/batches/new")
    page.locator("[name=count]").fill("150000000")
    expect(page.locator("#consequences")).to_contain_text("would be refused")
    page.get_by_text("20 digits").click()
    expect(page.locator("#consequences")).not_to_contain_text("would be refused")
    page.get_by_text("16 digits").click()
    expect(page.locator("#consequences")).to_contain_text("would be refused")
    looked_at(page, "batch-order-refused")

    page.locator("[name=product]").select_option(index=1)
    page.get_by_role("button", name="Order labels").click()

    expect(page.locator("[name=count]")).to_have_value("150000000")
    expect(page.locator(".field.bad .err")).to_contain_text("One guess in")
    looked_at(page, "batch-order-fault")


def test_an_order_is_watched_until_it_is_generated(signed_in: Client, visit: Callable[..., Page]) -> None:
    page = visit(client=signed_in)
    page.goto("/console/batches/new")
    page.locator("[name=count]").fill("2000")
    page.locator("[name=product]").select_option(index=1)
    page.get_by_role("button", name="Order labels").click()
    expect(page.locator("h1")).to_contain_text("Batch")
    expect(page.get_by_text("being generated").first).to_be_visible()

    batch = Batch.objects.latest("pk")
    generate_batch(batch.pk)

    expect(page.get_by_role("link", name="Put on sale")).to_be_visible()
    assert "/console/batches/bat_" in page.url


def test_a_final_block_asks_for_the_name(signed_in: Client, visit: Callable[..., Page]) -> None:
    page = visit(size=PHONE, client=signed_in)
    batch = Batch.objects.get(count=20_000)
    page.goto(f"/console/blocks/new?batch={batch.public_id}")
    page.locator("[name=reason]").select_option("destroyed")
    expect(page.locator("#range-facts")).to_contain_text("never be lifted")
    page.get_by_role("button", name="Block labels").click()
    expect(page.locator("main")).to_contain_text("20,000 labels")
    looked_at(page, "block-confirm")
    page.locator("#typed").fill("wrong")
    page.get_by_role("button", name="Block for ever").click()
    expect(page.locator("#typed_error")).to_be_visible()
    looked_at(page, "block-confirm-fault")
    page.locator("#typed").fill(batch.number)
    page.get_by_role("button", name="Block for ever").click()

    expect(page.locator("main")).to_contain_text("20,000 labels are blocked.")
