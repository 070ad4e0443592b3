from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from staff.models import User
from tests.browser.conftest import DESK, LANGUAGES, PHONE, looked_at

PASSWORD = "correct horse battery"


@pytest.fixture
def ada(live: str) -> User:
    return User.objects.create_user("ada", password=PASSWORD, role="owner")


@pytest.fixture
def signed_in(ada: User) -> Client:
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(ada)
    return client


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("dark", [False, True])
def test_sign_in_says_what_is_wrong_and_lets_in(
    ada: User, visit: Callable[..., Page], language: str, dark: bool
) -> None:
    page = visit(language=language, dark=dark, size=PHONE)
    page.goto("/console/")
    looked_at(page, f"sign-in-{language}-{dark}")

    page.locator("[name=login]").fill("ada")
    page.locator("[name=password]").fill("wrong")
    page.keyboard.press("Enter")
    expect(page.locator("[role=alert]")).to_be_visible()
    looked_at(page, f"sign-in-error-{language}-{dark}")
    assert page.locator("[name=login]").input_value() == "ada"

    page.locator("[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("main h1")).to_be_visible()
    assert page.url.endswith("/console/")


@pytest.mark.parametrize("size", [PHONE, DESK])
def test_the_menu_is_reachable(signed_in: Client, visit: Callable[..., Page], size: dict[str, int]) -> None:
    page = visit(size=size, client=signed_in)
    page.goto("/console/")

    if size is PHONE:
        expect(page.locator("nav.side")).not_to_be_visible()
        page.locator("details.drawer > summary").click()
    expect(page.locator("nav:visible").get_by_role("link", name="Today").first).to_be_visible()
    looked_at(page, f"menu-{size['width']}")


def test_ctrl_k_finds_the_search_box(signed_in: Client, visit: Callable[..., Page]) -> None:
    page = visit(client=signed_in)
    page.goto("/console/")

    page.keyboard.press("Control+k")

    expect(page.locator("[data-find]")).to_be_focused()


def test_a_page_is_whole_without_scripts(signed_in: Client, visit: Callable[..., Page]) -> None:
    page = visit(client=signed_in, script=False)
    page.goto("/console/")

    expect(page.locator("main h1")).to_be_visible()
    page.locator("details.drop > summary").click()
    page.locator("details.drop form button").click()

    assert "/console/sign-in" in page.url


def test_the_watch_sees_what_the_policy_forbids(live: str, browser: object) -> None:
    from tests.browser.conftest import Watch

    watch = Watch(live)
    context = browser.new_context(base_url=live)  # type: ignore[attr-defined]
    page = watch.over(context.new_page())
    page.goto("/console/sign-in")
    page.evaluate("document.body.insertAdjacentHTML('beforeend', '<p style=color:red>')")
    page.evaluate("fetch('http://elsewhere.localhost/').catch(() => 0)")
    context.close()

    assert any("Content Security Policy" in fault for fault in watch.faults)
