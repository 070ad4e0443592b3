"""The map of diversion in a real browser: it draws under the strict policy, asks no other host, and follows its slider."""

import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from analytics.models import Tempering
from brands.models import Brand
from staff.models import User
from tests.browser.conftest import DESK, PHONE, looked_at
from tests.console.trade import Trade, give_verdicts, make_trade


@pytest.fixture
def trade(live: str, real_commits: Brand) -> tuple[Client, Trade]:
    at = datetime.now(UTC)
    made = make_trade(at)
    give_verdicts(
        at,
        [(0.96, "confirmed", 3)] * 11
        + [(0.93, "explained", 40), (0.99, "confirmed", 41)]
        + [(0.86, "rejected", 5)] * 6,
    )
    Tempering.objects.create(eta=0.75, verdicts=52, set_at=at)
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.create_user("ines", password="x", role="investigator"))
    return client, made


INKED = """() => {
  const canvas = document.querySelector("#map canvas");
  const pixels = canvas.getContext("2d").getImageData(0, 0, canvas.width, canvas.height).data;
  const colours = new Set();
  for (let at = 0; at < pixels.length; at += 4) if (pixels[at + 3]) colours.add(pixels[at] << 16 | pixels[at + 1] << 8 | pixels[at + 2]);
  return colours.size;
}"""


def test_the_map_draws_and_follows_its_slider(trade: tuple[Client, Trade], visit: Callable[..., Page]) -> None:
    client, made = trade
    page = visit(client=client)
    page.goto(f"/console/diversion/map?distributor={made.partners[0].public_id}")
    box = page.locator("#map")
    expect(box).to_have_attribute("data-bubbles", re.compile(r"\d+"))
    every = int(box.get_attribute("data-bubbles") or 0)

    page.locator("#map-week").focus()
    page.keyboard.press("ArrowRight")

    assert every > 5
    assert page.evaluate(INKED) > 20
    assert int(box.get_attribute("data-bubbles") or 0) < every
    assert page.locator("#map-week-name").inner_text() in page.locator("select[name=week] option").nth(1).inner_text()
    expect(page.locator("#places h2")).to_have_text(page.locator("#map-week-name").inner_text())  # and without a fault


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("zh-CN", True)])
def test_pages(trade: tuple[Client, Trade], visit: Callable[..., Page], language: str, dark: bool) -> None:
    client, made = trade
    for size in (DESK, PHONE):
        page = visit(language=language, dark=dark, size=size, client=client)
        for name, path in {
            "map-all": "/console/diversion/map",
            "map-one": f"/console/diversion/map?distributor={made.partners[0].public_id}",
            "routes": "/console/diversion/routes",
            "calibration": "/console/diversion/calibration",
            "coverage": "/console/diversion/coverage",
        }.items():
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            if "/map" in path:
                page.wait_for_selector("#map[data-bubbles]")
            looked_at(page, f"{name}-{size['width']}-{language[:2]}-{'dark' if dark else 'light'}")
