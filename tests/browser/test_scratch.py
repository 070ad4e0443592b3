"""The scratch card in a real browser: covered, scratched open or revealed by a button, the same after a refresh."""

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from brands.models import Brand
from common.clock import now
from tests.browser.conftest import DESK, LANGUAGES, PHONE, looked_at
from tests.browser.test_consumer import VISIT, looked_at_small, on_phone
from tests.lottery import world
from tests.makers import labels_of, make_active_batch, make_campaign, secret_of
from tests.redemption.web import Person

SCREENS = [(language, dark, size) for language in LANGUAGES for dark in (False, True) for size in (PHONE, DESK)]


@pytest.fixture
def winner(real_commits: Brand) -> tuple[Person, str]:
    """A person who redeemed a label that won, and the address of the receipt."""
    at = now()
    batch = make_active_batch(2, at=at)
    make_campaign(product=batch.product, at=at)
    world.game_now(batch, world.tier(1, 2), at=at)
    terms = {"enter": {"label": 1, "points": 1, "points_price": 20, "free": 1}}
    world.draw_now(world.tier(1, 2, use="draw"), at=at, terms=terms)
    person = Person()
    done = person.claim(person.get("/claim"), secret_of(labels_of(batch)[0]))
    return person, done.url


def is_covered(page: Page) -> bool:
    return bool(page.evaluate("document.getElementById('result').inert"))


def test_the_result_is_covered_until_the_button_is_pressed(visit: VISIT, winner: tuple[Person, str]) -> None:
    person, address = winner
    page = on_phone(visit, client=person)
    page.goto(address)
    assert is_covered(page)
    expect(page.locator("#told")).to_be_empty()

    page.locator("#reveal").focus()
    page.keyboard.press("Enter")

    assert not is_covered(page)
    expect(page.locator("#told")).to_contain_text("Prize 1")
    page.reload()
    assert not is_covered(page)
    expect(page.locator("#result")).to_contain_text("Prize 1")


def test_scratching_half_of_it_reveals_all(visit: VISIT, winner: tuple[Person, str]) -> None:
    person, address = winner
    page = on_phone(visit, client=person)
    page.goto(address)
    box = page.locator("#win").bounding_box()
    assert box is not None

    page.mouse.move(box["x"] + 4, box["y"] + 4)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 4, box["y"] + 10, steps=20)
    assert is_covered(page)
    for line in range(1, 8):
        y = box["y"] + line * box["height"] / 8
        page.mouse.move(box["x"] + (4 if line % 2 else box["width"] - 4), y, steps=20)
    page.mouse.up()

    assert not is_covered(page)


def test_without_a_script_the_result_stands_there(visit: VISIT, winner: tuple[Person, str]) -> None:
    person, address = winner
    page = on_phone(visit, client=person, script=False)

    page.goto(address)

    expect(page.locator("#result b")).to_be_visible()
    expect(page.locator("#reveal")).to_be_hidden()


@pytest.mark.parametrize(("language", "dark", "size"), SCREENS)
def test_the_pages_of_games_look_right(
    visit: VISIT, winner: tuple[Person, str], language: str, dark: bool, size: dict[str, Any]
) -> None:
    person, address = winner
    page = visit(language=language, dark=dark, size=size, client=person)
    name = f"{language}-{'dark' if dark else 'light'}-{size['width']}"

    page.goto(address)
    looked_at(page, f"scratch-covered-{name}")
    page.click("#reveal")
    page.wait_for_function("getComputedStyle(document.querySelector('#win canvas')).opacity === '0'")
    looked_at(page, f"scratch-open-{name}")
    page.goto("/me/draws")
    looked_at(page, f"draws-{name}")
    page.fill("[name=weight]", "2")
    page.locator(".join .btn").click()
    page.wait_for_url("**/me/draws#mine")
    looked_at(page, f"draws-entered-{name}")
    page.locator(".join [name=weight]").fill("900")
    page.locator(".join .btn").click()
    looked_at(page, f"draws-refused-{name}")
    page.click("a.btn.ghost")
    looked_at(page, f"draws-free-{name}")
    if size is PHONE and not dark:
        for path in (address, "/me/draws"):
            page.goto(path)
            looked_at_small(page)
