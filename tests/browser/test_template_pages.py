"""The editor of templates: preview and warnings as one types, true size by a bank card, keyboard, telephone, both languages."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from printing import starters
from printing.designs import create_template
from printing.models import Art, Template
from staff.models import User
from tests.browser.conftest import DESK, PHONE, looked_at
from tests.printing.test_art import picture

CARD_MM = 85.6


@pytest.fixture
def design(live: str) -> Template:
    User.objects.create_user("ada", password="x", role="owner")
    made = create_template(
        name="Oolong 50 × 30", kind="unit", layout=starters.layout("unit"), at=datetime.now(UTC), asked_by="ada"
    )
    return made.template


@pytest.fixture
def staff() -> Callable[[], Client]:
    def sign_in() -> Client:
        client = Client(HTTP_HOST="brand.localhost")
        client.force_login(User.objects.get(username="ada"))
        return client

    return sign_in


def test_preview_and_warnings_follow_what_is_typed(
    design: Template, staff: Callable[[], Client], visit: Callable[..., Page]
) -> None:
    page = visit(client=staff())
    page.goto(f"/console/templates/{design.public_id}")
    warnings = page.locator("#warnings")
    expect(warnings).to_contain_text("No warnings")
    expect(warnings).to_contain_text("The sample was decoded and says what was put in.")

    page.locator("details.el[id]:has-text('QR code') > summary").click()
    dots = page.locator("details.el[open] input[name$=-dots]")
    dots.fill("2")
    expect(warnings).to_contain_text("a module is 0.169 mm")
    dots.evaluate(
        "one => { one.type = 'text'; one.value = 'many'; one.dispatchEvent(new Event('input', {bubbles: true})) }"
    )
    expect(page.locator("#preview")).to_contain_text("That is not a whole number.")
    dots.evaluate("one => { one.value = '4'; one.dispatchEvent(new Event('input', {bubbles: true})) }")
    expect(warnings).to_contain_text("No warnings")
    page.get_by_label("the longest").check()
    expect(warnings).to_contain_text("“text” and “text” overlap.")
    assert design.versions.count() == 1


def test_elements_are_added_moved_and_kept_by_keyboard_alone(
    design: Template, staff: Callable[[], Client], visit: Callable[..., Page]
) -> None:
    page = visit(client=staff())
    page.goto(f"/console/templates/{design.public_id}")
    before = page.locator("details.el[id]").count()

    page.locator("button[value='add:text']").focus()
    page.keyboard.press("Enter")
    expect(page.locator("details.el[id]")).to_have_count(before + 1)
    expect(page.locator("details.el[open] input[name$=-x]")).to_be_focused()
    page.keyboard.press("Control+a")
    page.keyboard.type("20")
    with page.expect_response("**/preview"):
        page.locator("details.el[open] input[name$=-text]").fill("Batch tea 春茶")
    expect(page.locator(".stage [data-element]")).to_have_count(before + 1)
    page.locator("details.el[open] input[name$=-text]").press("Enter")

    expect(page.get_by_role("status").first).to_contain_text("Version 2 is kept.")
    kept = design.newest.layout["elements"][-1]
    assert (kept["type"], kept["text"]) == ("text", "Batch tea 春茶")


def test_a_bank_card_makes_the_preview_true_to_size(
    design: Template, staff: Callable[[], Client], visit: Callable[..., Page]
) -> None:
    page = visit(client=staff())
    page.goto(f"/console/templates/{design.public_id}")
    page.get_by_role("button", name="true size").click()

    page.locator("#card-number").fill("500")
    page.locator("#card-number").blur()

    scale = 500 / CARD_MM
    shown = page.locator("svg.stage").bounding_box()
    viewed = page.locator("svg.stage").get_attribute("viewBox")
    assert shown is not None
    assert viewed is not None
    assert shown["width"] == pytest.approx(float(viewed.split()[2]) * scale, abs=0.6)
    outline = page.locator("#card").bounding_box()
    assert outline is not None
    assert outline["width"] == pytest.approx(500, abs=0.6)
    page.locator("#card-px").press("ArrowRight")
    assert page.locator("#card-number").input_value() == "500.5"
    page.reload()
    expect(page.locator("#card-number")).to_have_value("500.5")
    page.get_by_role("button", name="Forget it").click()
    assert page.evaluate("localStorage.getItem('zhenbiao.px-per-mm')") is None


def test_a_picture_is_sent_and_a_script_is_refused(
    design: Template, staff: Callable[[], Client], visit: Callable[..., Page]
) -> None:
    page = visit(client=staff())
    page.goto(f"/console/templates/{design.public_id}")
    bad = {
        "name": "x.svg",
        "mimeType": "image/svg+xml",
        "buffer": b"<svg xmlns='http://www.w3.org/2000/svg'><script/></svg>",
    }
    page.locator("#file").set_input_files(bad)  # type: ignore[arg-type]
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#art")).to_contain_text("not a shape")
    assert not Art.objects.exists()

    good = {"name": "seal.png", "mimeType": "image/png", "buffer": picture("PNG")}
    page.locator("#file").set_input_files(good)  # type: ignore[arg-type]
    page.get_by_role("button", name="Send").click()
    expect(page.locator("#art")).to_contain_text("“seal.png” is kept, 60 × 40 pixels.")
    page.locator("button[value='add:image']").click()
    page.locator("details.el[open] select[name$=-data]").select_option(label="seal.png")
    expect(page.locator(".stage image")).to_have_count(1)


@pytest.mark.parametrize(
    ("language", "size", "dark"), [("en", DESK, False), ("zh-CN", PHONE, True)], ids=["desk", "phone"]
)
def test_pages_of_templates_look_right(
    design: Template,
    staff: Callable[[], Client],
    visit: Callable[..., Page],
    language: str,
    size: dict[str, int],
    dark: bool,
) -> None:
    page = visit(client=staff(), language=language, size=size, dark=dark)
    tag = f"{language}-{size['width']}"
    for name, path in (
        ("templates", "/console/templates"),
        ("template-new", "/console/templates/new"),
        ("template", f"/console/templates/{design.public_id}"),
        ("runs", "/console/runs"),
        ("packs", "/console/runs/packs"),
    ):
        page.goto(path)
        looked_at(page, f"{name}-{tag}")
