"""The consumer's web door in a real browser: seen, pressed and measured as a person with a telephone would."""

import re
from collections.abc import Callable
from datetime import timedelta
from itertools import islice
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from playwright.sync_api import Page, expect

from brands.models import Brand
from common.clock import now
from labels.models import Batch
from labels.queries import Status, resolve
from redemption import budgets
from redemption.models import Redemption, Scan
from redemption.services import redeem
from tests.browser.conftest import LANGUAGES, axe_faults, looked_at, overflow_px
from tests.makers import (
    CONSUMER,
    POINTS_PER_LABEL,
    STRANGER_PHONE,
    labels_of,
    make_active_batch,
    make_attempt,
    make_batch,
    make_campaign,
    make_partner,
    secret_of,
    serial_of,
)

PHONE = {"width": 360, "height": 780}
SMALL = {"width": 320, "height": 640}
LOOKS = [(language, dark) for language in LANGUAGES for dark in (False, True)]
WORDS = {
    "en": {"send": "Send me a one-time code", "claim": "Get the points"},
    "zh-CN": {"send": "获取验证码", "claim": "领取积分"},
}
VISIT = Callable[..., Page]


@pytest.fixture
def batch(real_commits: Brand) -> Batch:
    at = now() - timedelta(days=3)
    batch = make_active_batch(20, at=at)
    make_campaign(product=batch.product, expires_after_months=1, at=at)
    return batch


def address(batch: Batch, place: int = 0) -> str:
    return f"/01/{batch.product.gtin}/21/{serial_of(labels_of(batch)[place])}"


def secret(batch: Batch, place: int = 0) -> str:
    return secret_of(labels_of(batch)[place])


def on_phone(visit: VISIT, language: str = "en", **more: object) -> Page:
    return visit(
        language=language, **({"size": PHONE, "is_mobile": True, "has_touch": True, "device_scale_factor": 2} | more)
    )


def one_time_code(page: Page, phone: str = CONSUMER) -> str:
    """Read the newest code from the telephone's page, as a script would."""
    here = urlsplit(page.url)
    answer = httpx.get(
        f"http://127.0.0.1:{here.port}/dev/phone", params={"to": phone, "format": "json"}, headers={"Host": here.netloc}
    )
    return str(re.search(r"(?<!\d)(\d{6})(?!\d)", answer.json()["messages"][0]["body"])[1])


def ask_for_code(page: Page, language: str = "en", phone: str = CONSUMER) -> str:
    page.fill("[name=phone]", phone)
    page.click(f"text={WORDS[language]['send']}")
    expect(page.locator("#sent")).not_to_be_empty()
    return one_time_code(page, phone)


def sign_in(page: Page, language: str = "en", phone: str = CONSUMER) -> None:
    page.goto("/me/sign-in")
    page.fill("[name=one_time_code]", ask_for_code(page, language, phone))
    page.click("button[value=enter]")
    page.wait_for_url("**/me")


def looked_at_small(page: Page) -> None:
    """At 320 px, and with text twice as large at 360 px, nothing goes out of the window."""
    usual = page.viewport_size
    page.set_viewport_size(SMALL)
    assert overflow_px(page) <= 0
    page.set_viewport_size(PHONE)
    page.evaluate("document.documentElement.style.fontSize = '200%'")
    assert overflow_px(page) <= 0
    assert cut_off(page) == []
    page.evaluate("document.documentElement.style.fontSize = ''")
    assert with_longer_texts(page) <= 0
    assert small_targets(page) == []
    page.set_viewport_size(usual)


def with_longer_texts(page: Page) -> int:
    """Return by how much the page is wider than its window when each text is 40 % longer, as another language's."""
    return page.evaluate("""() => {
        const walk = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT), kept = [];
        while (walk.nextNode()) kept.push([walk.currentNode, walk.currentNode.nodeValue]);
        for (const [node, text] of kept) {
            const more = Math.ceil(text.trim().length * .4);
            if (more && !node.parentNode.closest('.code,.num,script')) node.nodeValue = text + ' ' + 'ließen '.repeat(more).slice(0, more);
        }
        const root = document.documentElement, wider = root.scrollWidth - root.clientWidth;
        for (const [node, text] of kept) node.nodeValue = text;
        return wider;
    }""")


def cut_off(page: Page) -> list[str]:
    """Return the texts that stick out of their own box."""
    return page.evaluate("""() => [...document.querySelectorAll('h1,h2,p,a,button,dd,dt,b,label,summary,li')]
        .filter((one) => one.offsetParent && !one.closest('.sr') && one.scrollWidth > one.clientWidth + 1 && one.clientWidth)
        .map((one) => one.tagName + ': ' + one.textContent.trim().slice(0, 40))""")


def small_targets(page: Page) -> list[str]:
    """Return what can be pressed and is under 44 px high, links within sentences left out."""
    return page.evaluate("""() => [...document.querySelectorAll('a,button,summary,input:not([type=hidden])')]
        .filter((one) => one.offsetParent && !one.matches('p a, .sr') && !one.closest('label'))
        .filter((one) => one.getBoundingClientRect().height < 43.5 || one.getBoundingClientRect().width < 43.5)
        .map((one) => one.tagName + ': ' + one.textContent.trim().slice(0, 40))""")


@pytest.mark.parametrize(("language", "dark"), LOOKS)
def test_every_page_is_sound_in_both_languages_light_and_dark(
    visit: VISIT, batch: Batch, language: str, *, dark: bool
) -> None:
    look = f"{language[:2]}-{'dark' if dark else 'light'}"
    page, other = on_phone(visit, language, dark=dark), on_phone(visit, language, dark=dark)

    def see(name: str, *, within: Page = page) -> None:
        looked_at(within, f"consumer-{name}-{look}")
        looked_at_small(within)

    page.goto(address(batch))
    expect(page.locator("#receipt")).to_have_text(re.compile(r"\d{4} \d{4} \d{4}"))
    see("first")
    page.click("a[href='#claim']")
    see("claim")
    page.click(f"text={WORDS[language]['claim']}")  # the browser itself names the first empty field
    page.evaluate("document.querySelectorAll('[required]').forEach((field) => field.required = false)")
    page.click(f"text={WORDS[language]['claim']}")
    expect(page.locator(".err")).to_have_count(3)
    see("claim-errors")
    other.goto(address(batch))
    see("repeat", within=other)
    other.locator("button[value=other]").click()
    see("repeat-not-me", within=other)
    page.goto(address(batch).replace(batch.product.gtin, "09501101530003"))
    see("unknown")
    slip = address(batch)
    page.goto(slip[:-1] + ("2" if slip[-1] != "2" else "3"))
    see("typo")
    page.goto("/01/x/21/y")
    see("bad-link")
    page.goto(address(make_batch(at=now() - timedelta(days=1))))
    see("not-released")
    page.goto("/")
    see("home")
    page.fill("[name=typed]", "3074 1185 9260 4419")
    page.press("[name=typed]", "Enter")
    see("home-refused")
    page.goto("/nothing")
    see("404")
    page.goto("/report")
    see("report")
    page.goto(f"/p/{make_partner(name='West Lake Tea House and Garden').number}")
    see("partner")
    page.goto("/rules")
    see("rules")
    page.locator("main a[href^='/rules/']").click()
    see("campaign")
    page.goto("/privacy")
    see("privacy")
    page.goto("/me/sign-in")
    see("sign-in")
    sign_in(page, language)
    see("wallet-empty")
    for place in range(1, 4):
        page.goto("/claim")
        page.fill("[name=code]", secret(batch, place))
        page.click(f"text={WORDS[language]['claim']}")
        page.wait_for_url("**/r/*")
    see("redeemed")
    page.goto(address(batch, 1))
    see("redeemed-yours")
    other.goto(address(batch, 1))
    see("redeemed-by-another", within=other)
    page.goto("/me")
    see("wallet")
    page.goto("/me/receipts")
    see("receipts")
    page.goto("/me/data")
    see("data")
    page.goto("/me/delete")
    see("delete")


def test_on_a_desk_the_page_stays_one_column(visit: VISIT, batch: Batch) -> None:
    page = visit(size={"width": 1280, "height": 900})

    page.goto(address(batch))
    looked_at(page, "consumer-first-desk")
    assert page.locator("main").bounding_box()["width"] <= 480
    page.goto("/")
    looked_at(page, "consumer-home-desk")
    sign_in(page)
    looked_at(page, "consumer-wallet-desk")


def test_from_scan_to_wallet(visit: VISIT, batch: Batch) -> None:
    page = on_phone(visit)
    requests: list[str] = []
    page.on("request", lambda request: requests.append(request.url))

    page.goto(address(batch))
    assert len(requests) <= 2  # the page, and by now perhaps its visit
    expect(page.get_by_role("heading", level=1)).to_have_text("Genuine")
    expect(page.locator("#receipt")).to_have_text(re.compile(r"\d{4} \d{4} \d{4}"))
    page.click("a[href='#claim']")
    expect(page.locator("[name=code]")).to_be_focused()
    page.locator("[name=code]").press_sequentially(secret(batch))
    assert re.fullmatch(r"(\d{4} ){3}\d{4}", page.input_value("[name=code]"))
    code = ask_for_code(page)
    expect(page.locator("[name=one_time_code]")).to_be_focused()
    page.fill("[name=one_time_code]", code)
    page.click("text=Get the points")
    page.wait_for_url("**/r/*")
    expect(page.locator(".plus")).to_have_text(f"+{POINTS_PER_LABEL} points")
    number = page.inner_text("#receipt")
    page.reload()
    assert page.inner_text("#receipt") == number
    page.click("text=Open my wallet")

    expect(page.locator(".big")).to_have_text(f"{POINTS_PER_LABEL} points")
    expect(page.locator(".led")).to_contain_text(batch.product.name)
    assert Redemption.objects.count() == 1
    assert secret(batch) not in "".join(requests)


def test_without_javascript_all_can_be_done(visit: VISIT, batch: Batch) -> None:
    page = on_phone(visit, "zh-CN", script=False)

    page.goto(address(batch))
    expect(page.get_by_role("heading", level=1)).to_have_text("正品")
    page.click("text=获取回执")
    expect(page.locator("#receipt")).to_have_text(re.compile(r"\d{4} \d{4} \d{4}"))
    page.click("text=输入号码")
    page.fill("[name=code]", secret(batch))
    page.fill("[name=phone]", "138 0013 8000")
    page.click("text=获取验证码")
    expect(page.locator("#sent")).to_contain_text("验证码已发送")
    assert page.input_value("[name=code]").replace(" ", "") == secret(batch)
    page.fill("[name=one_time_code]", one_time_code(page))
    page.click("text=领取积分")
    page.wait_for_url("**/r/*")
    page.click("text=查看我的积分")

    expect(page.locator(".big")).to_contain_text(str(POINTS_PER_LABEL))


@pytest.mark.parametrize("script", [True, False])
def test_two_quick_presses_and_a_reload_give_one_redemption(visit: VISIT, batch: Batch, *, script: bool) -> None:
    page = on_phone(visit, script=script)
    page.goto("/claim")
    page.fill("[name=code]", secret(batch))
    page.fill("[name=phone]", CONSUMER)
    page.click("text=Send me a one-time code")
    expect(page.locator("#sent")).not_to_be_empty()
    page.fill("[name=one_time_code]", one_time_code(page))

    page.locator("button[value=redeem]").dblclick(no_wait_after=True)
    page.wait_for_url("**/r/*")
    expect(page.locator(".plus")).to_be_visible()
    page.reload()
    expect(page.locator(".plus")).to_be_visible()

    assert Redemption.objects.count() == 1
    assert Scan.objects.filter(outcome="REDEEMED").count() == 1


def test_going_back_shows_that_it_is_yours_and_not_the_form_again(visit: VISIT, batch: Batch) -> None:
    page = on_phone(visit)
    sign_in(page)
    page.goto(address(batch) + "#claim")
    page.fill("[name=code]", secret(batch))
    page.click("text=Get the points")
    page.wait_for_url("**/r/*")

    page.go_back()

    expect(page.locator("#line")).to_contain_text("You")
    expect(page.get_by_role("heading", level=1)).to_have_text("Genuine")
    expect(page.locator("[name=code]")).to_have_count(0)


def test_a_budget_that_runs_out_is_told_on_a_page(visit: VISIT, real_commits: Brand) -> None:
    at = now() - timedelta(days=1)
    batch = make_active_batch(2, at=at)
    make_campaign(product=batch.product, retailer=0, promoter=0, budget=POINTS_PER_LABEL, at=at)
    redeem(make_attempt(secret(batch, 0), phone=STRANGER_PHONE, at=now()))
    page = on_phone(visit)
    sign_in(page)

    page.goto("/claim")
    page.fill("[name=code]", secret(batch, 1))
    page.click("text=Get the points")
    page.wait_for_url("**/r/*")

    expect(page.locator("#line")).to_contain_text("Your code stays unused.")
    assert axe_faults(page) == []
    assert Redemption.objects.count() == 1


def test_a_phone_solves_the_puzzle_and_the_page_goes_on(
    visit: VISIT, batch: Batch, settings: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.FAILURE_BUDGET_SCALE = 1
    monkeypatch.setitem(budgets.BUDGETS, "ip", (2, 0))
    page = on_phone(visit)
    numbers = (f"{number:016}" for number in range(1, 10_000))
    unknown = (number for number in numbers if resolve(number, purpose="secret").status is Status.UNKNOWN)
    page.goto("/")
    for code in islice(unknown, 2):
        page.fill("[name=typed]", code)
        page.click("main button")
        expect(page.get_by_role("heading", level=1)).to_have_text("No such code")

    page.fill("[name=typed]", next(unknown))
    page.click("main button")
    expect(page.get_by_role("heading", level=1)).to_have_text("One moment")
    expect(page.locator("#work [role=status]")).to_have_text(
        "Thank you. Please press the button below once more.", timeout=30_000
    )
    looked_at(page, "consumer-puzzle")
    page.click("form:not(#work) button")
    expect(page.get_by_role("heading", level=1)).to_have_text("No such code")

    page.context.clear_cookies(name="proof")
    page.goto(address(batch))
    expect(page.get_by_role("heading", level=1)).to_have_text("Genuine", timeout=30_000)


def test_too_many_tries_are_told_on_a_page(visit: VISIT, batch: Batch, settings: Any) -> None:
    settings.FAILURE_BUDGET_SCALE = 1
    page = on_phone(visit)
    numbers = (f"{number:016}" for number in range(1, 10_000))
    unknown = (number for number in numbers if resolve(number, purpose="secret").status is Status.UNKNOWN)
    page.goto("/")

    for code in islice(unknown, 5):
        page.fill("[name=typed]", code)
        page.click("main button")
        expect(page.get_by_role("heading", level=1)).to_have_text("No such code")
    answer = page.goto(address(batch))

    assert answer
    assert answer.status == 429
    expect(page.get_by_role("heading", level=1)).to_have_text("Please wait")
    looked_at(page, "consumer-too-many")
    looked_at_small(page)


def test_a_page_that_is_not_seen_tells_no_visit(visit: VISIT, batch: Batch) -> None:
    page = on_phone(visit)
    page.add_init_script("Object.defineProperty(document, 'visibilityState', {get: () => window.shown || 'hidden'})")

    page.goto(address(batch))
    page.wait_for_timeout(300)
    assert Scan.objects.count() == 0
    page.evaluate("window.shown = 'visible'; document.dispatchEvent(new Event('visibilitychange'))")
    expect(page.locator("#receipt")).to_have_text(re.compile(r"\d{4} \d{4} \d{4}"))

    assert Scan.objects.count() == 1


def test_the_place_is_asked_for_on_a_tap_only(visit: VISIT, batch: Batch) -> None:
    page = on_phone(visit, geolocation={"latitude": 30.25, "longitude": 120.17}, permissions=["geolocation"])
    page.goto(address(batch))
    expect(page.locator("#receipt")).to_have_text(re.compile(r"\d{4} \d{4} \d{4}"))

    page.click("#place")

    expect(page.locator("#place-said")).to_have_text("The place was added. Thank you.", timeout=30_000)


def test_a_refused_place_costs_nothing(visit: VISIT, batch: Batch) -> None:
    page = on_phone(visit)
    page.goto(address(batch))

    page.click("#place")

    expect(page.locator("#place-said")).to_have_text("No place was added.")
    expect(page.get_by_role("heading", level=1)).to_have_text("Genuine")
