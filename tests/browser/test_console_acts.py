"""What people do in the console, done with a keyboard and a mouse."""

from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from common.models import Job
from console.search import label_no_of
from labels.models import Product
from redemption.models import Reversal
from staff.models import ApiKey, User
from tests.browser.conftest import Watch
from tests.browser.world import populate


@pytest.fixture
def ids(live: str) -> dict[str, str]:
    return populate()


@pytest.fixture
def page(ids: dict[str, str], visit: Callable[..., Page]) -> Page:
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.get(username="ada"))
    return visit(client=client)


def test_one_box_finds_a_label_by_keyboard_alone(page: Page, ids: dict[str, str]) -> None:
    page.goto("/console/")

    page.keyboard.press("Control+k")
    page.keyboard.type(ids["serial"].lower())
    page.keyboard.press("Enter")

    expect(page).to_have_url(f"/console/labels/{ids['serial']}")
    expect(page.locator(".tl li")).to_have_count(6)


def test_the_box_reads_what_a_scanner_types_and_says_so(page: Page, ids: dict[str, str]) -> None:
    gtin = Product.objects.get(batches__label_range__contains=label_no_of(ids["serial"])).gtin
    page.goto("/console/")

    page.keyboard.press("Control+k")
    page.keyboard.type(f"]d201{gtin}21{ids['serial']}")
    page.keyboard.press("Enter")
    expect(page).to_have_url(f"/console/labels/{ids['serial']}")
    expect(page.locator("body")).to_contain_text(f"GTIN {gtin}")

    page.keyboard.press("Control+k")
    page.keyboard.type(f"(01){gtin}(21){ids['serial']}(17)261399")
    page.keyboard.press("Enter")
    expect(page.locator("body")).to_contain_text("There is no such date.")
    expect(page.locator(f"a[href='/console/labels/{ids['serial']}']")).to_be_visible()


def test_rows_are_walked_by_j_and_k(page: Page) -> None:
    page.goto("/console/receipts")

    page.keyboard.press("j")
    page.keyboard.press("j")
    page.keyboard.press("k")
    page.keyboard.press("Enter")

    expect(page.locator("main blockquote")).to_be_visible()


def test_points_go_back_only_after_the_serial_is_typed(page: Page, ids: dict[str, str]) -> None:
    before = Reversal.objects.count()
    page.goto(f"/console/labels/{ids['serial']}")
    page.get_by_role("link", name="Take the points back").click()
    page.get_by_role("button", name="Take the points back").click()
    expect(page.locator(".err")).to_have_count(2)
    expect(page.locator(".field.bad textarea")).to_be_focused()
    assert Reversal.objects.count() == before

    page.locator("#reason").fill("Scanned for a display pack")
    page.locator("#typed").fill(ids["serial"])
    page.get_by_role("button", name="Take the points back").click()

    expect(page.get_by_role("status")).to_contain_text("taken back")
    assert Reversal.objects.count() == before + 1


def test_long_work_is_seen_from_every_page_and_ends_by_itself(page: Page, ids: dict[str, str]) -> None:
    page.goto("/console/staff")
    page.get_by_role("link", name="Job running").click()
    expect(page.locator("progress")).to_have_attribute("value", "620000")

    Job.objects.filter(public_id=ids["job"]).update(state="done", done=1_000_000)

    expect(page.locator("main .badge.ok")).to_be_visible(timeout=15_000)
    expect(page.locator("progress")).to_have_count(0)


def test_the_cost_of_a_campaign_follows_what_is_typed(page: Page) -> None:
    page.goto("/console/campaigns/new")

    page.get_by_label("Consumer", exact=False).first.fill("100")
    page.locator("[name=awards-0-retailer]").fill("25")
    page.locator("[name=budget]").fill("1000")

    expect(page.locator("#preview")).to_contain_text("125")
    expect(page.locator("#preview dd").last).to_have_text("8")


def test_a_key_is_made_shown_once_and_revoked(page: Page) -> None:
    page.goto("/console/keys/new")
    page.get_by_label("Name").fill("Kiosk")
    page.get_by_label("check labels").check()
    page.get_by_role("button", name="Make the key").click()
    token = page.locator(".once .id").inner_text()
    key = ApiKey.objects.get(name="Kiosk")
    assert token.startswith(key.prefix)

    page.get_by_role("link", name="I have kept it").click()
    assert token not in page.content()
    page.get_by_role("button", name="Revoke the key").click()
    expect(page.locator(".err")).to_be_visible()
    page.locator("#typed").fill(key.prefix)
    page.get_by_role("button", name="Revoke the key").click()

    expect(page.get_by_role("status")).to_contain_text("revoked")


def test_the_language_is_switched_in_sight(page: Page) -> None:
    page.goto("/console/receipts")

    page.get_by_role("button", name="中文").click()

    expect(page).to_have_url("/console/receipts")
    expect(page.locator("html")).to_have_attribute("lang", "zh-hans")
    expect(page.locator("h1")).to_have_text("查验与回执")


def test_csv_comes_as_a_file(page: Page) -> None:
    page.goto("/console/receipts?outcome=REDEEMED")

    with page.expect_download() as download:
        page.get_by_role("link", name="CSV").click()

    assert download.value.suggested_filename == "receipts.csv"


def test_a_failed_poll_says_so_and_changes_nothing(page: Page, ids: dict[str, str], watch: Watch) -> None:
    page.route("**/console/jobs/*/progress", lambda route: route.fulfill(status=500, body="x"))
    page.goto(f"/console/jobs/{ids['job']}")

    expect(page.locator(".toast")).to_be_visible(timeout=15_000)
    expect(page.locator("progress")).to_have_attribute("value", "620000")
    page.close()
    assert all("Code 500" in fault for fault in watch.faults)
    watch.faults.clear()
