"""/dev/phone in a real browser, and the card that opens on a console while somebody calls."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from playwright.sync_api import Locator, Page, expect

from brands.models import Brand
from brands.phone_numbers import forget_numbers
from members.models import Member
from redemption.models import CallNote, Redemption
from sms_gateway.models import OutboundMessage
from staff.models import User
from tests.browser.conftest import DESK, PHONE, looked_at
from tests.makers import make_active_batch, make_campaign, make_member, secrets_of
from tests.sms_gateway.world import make_twilio

Visit = Callable[..., Page]


@pytest.fixture
def codes(live: str, real_commits: Brand) -> list[str]:
    """Hidden codes on sale; the brand has a number of the simulator, told the address of this server."""
    at = datetime.now(UTC) - timedelta(days=2)
    make_twilio(
        Brand.objects.get(pk=real_commits.pk), at, carrier="simulator", takes_calls=True, base_url=live,
        languages=["en", "zh-hans"],
    )  # fmt: skip
    forget_numbers()
    make_campaign(at=at)
    make_member(at=at)
    return secrets_of(make_active_batch(10, at=at))


def unit(page: Page, number: int) -> Locator:
    return page.locator(f'[data-phone="{number}"]')


def send(phone: Locator, body: str) -> None:
    phone.locator("[data-body]").fill(body)
    phone.locator("[data-compose] button").click()


def press(phone: Locator, keys: str) -> None:
    for key in keys:
        phone.locator(f'[data-key="{key}"]').click()


def test_a_message_goes_through_the_real_webhook_and_its_delivery_is_reported(codes: list[str], visit: Visit) -> None:
    page = visit()
    page.goto("/dev/phone")
    phone = unit(page, 1)

    send(phone, f"redeem {codes[0]}")

    bubble = phone.locator(".bubble.in")
    expect(bubble).to_contain_text("GENUINE. Spring Tea. +100 points, balance 100.")
    expect(bubble.locator(".about")).to_contain_text("GSM-7")
    expect(bubble.locator(".ticks")).to_have_text("✓✓")
    expect(phone.locator(".bubble.out .ticks")).to_have_text("✓")
    assert OutboundMessage.objects.get().state == "delivered"
    assert Redemption.objects.count() == 1
    last = page.locator("[data-trace] details").last
    last.locator("summary").click()
    last.get_by_role("button", name="Replay", exact=True).click()
    expect(last.locator("[role=status]")).to_have_text("the same answer")
    last.get_by_role("button", name="Replay unsigned").click()
    expect(last.locator("[role=status]")).to_contain_text("403")
    assert Redemption.objects.count() == OutboundMessage.objects.count() == 1


@pytest.mark.parametrize(
    ("fault", "state", "tick"),
    [("fail", "undelivered", "✗"), ("twice", "delivered", "✓✓"), ("out_of_order", "delivered", "✓✓")],
)
def test_a_telephone_that_misbehaves_shows_as_such(
    codes: list[str], visit: Visit, fault: str, state: str, tick: str
) -> None:
    page = visit()
    page.goto("/dev/phone")
    phone = unit(page, 1)
    phone.locator("[data-fault]").select_option(fault)

    send(phone, f"redeem {codes[0]}")

    expect(phone.locator(".bubble.in .ticks")).to_have_text(tick)
    if fault == "twice":
        expect(phone.locator(".bubble.out .about")).to_contain_text("sent twice: same answer")
    expect(page.locator("[data-trace] li").nth(2)).to_be_attached()
    assert OutboundMessage.objects.get().state == state
    assert Redemption.objects.count() == 1


def test_what_the_webhook_refuses_is_not_shown_as_sent(codes: list[str], visit: Visit) -> None:
    page = visit()
    page.route("**/dev/phone/sign", lambda route: route.fulfill(json={"url": "x", "signature": "forged"}))
    page.goto("/dev/phone")
    phone = unit(page, 1)

    send(phone, codes[0])

    expect(phone.locator(".bubble.out.bad .about")).to_contain_text("refused: 403")
    expect(phone.locator(".bubble.in")).to_have_count(0)
    assert not Redemption.objects.exists()


def test_a_call_is_led_by_the_twiml_with_its_verb_marked(codes: list[str], visit: Visit) -> None:
    page = visit()
    page.goto("/dev/phone")
    phone = unit(page, 2)
    phone.locator('[data-tab="call"]').click()
    phone.locator("[data-dial]").click()
    expect(phone.locator("[data-heard]")).to_contain_text("For English press 1.")
    expect(phone.locator("[data-twiml] .active")).to_contain_text("<Gather")

    press(phone, "1")
    expect(phone.locator("[data-heard]")).to_contain_text("Please enter the code")
    expect(phone.locator("[data-wait]")).to_be_visible()
    press(phone, codes[0])

    expect(phone.locator("[data-heard]")).to_contain_text("Genuine. Spring Tea. plus 100 points, balance 100.")
    expect(phone.locator(".keyed").last).to_have_text(codes[0])
    phone.locator("[data-hang]").click()
    expect(phone.locator("[data-state]")).to_have_text("Call ended")
    assert Redemption.objects.count() == 1


def test_silence_runs_out_and_is_told(codes: list[str], visit: Visit) -> None:
    page = visit()
    page.goto("/dev/phone")
    phone = unit(page, 1)
    phone.locator('[data-tab="call"]').click()
    phone.locator("[data-withheld]").check()
    phone.locator("[data-dial]").click()
    expect(phone.locator("[data-wait]")).to_be_visible()

    expect(phone.locator("[data-heard]")).to_contain_text("Your number is withheld", timeout=15_000)


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("zh-CN", True)])
def test_the_page_is_fit_to_be_seen(codes: list[str], visit: Visit, language: str, dark: bool) -> None:
    for answers, size in enumerate((DESK, PHONE), start=1):
        page = visit(language=language, dark=dark, size=size)
        page.goto("/dev/phone")
        phone = unit(page, 1)
        send(phone, f"查 {codes[1]}")
        expect(phone.locator(".bubble.in .ticks")).to_have_text(["✓✓"] * answers)  # the telephone keeps those it had
        looked_at(page, f"phone-sms-{language}-{size['width']}")
        phone.locator('[data-tab="call"]').click()
        phone.locator("[data-dial]").click()
        expect(phone.locator("[data-wait]")).to_be_visible()
        looked_at(page, f"phone-call-{language}-{size['width']}")


# --- the card -----------------------------------------------------------------------------------------------------------


def console_of(role: str) -> Client:
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.create_user(f"the-{role}", password="x", role=role))
    return client


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("zh-CN", True)])
def test_a_call_opens_a_card_on_support_s_console_by_itself(
    codes: list[str], visit: Visit, language: str, dark: bool
) -> None:
    support = visit(client=console_of("support"), language=language, dark=dark)
    marketer = visit(client=console_of("marketer"))
    for page in (support, marketer):
        page.goto("/console/members")
    telephone = visit()
    telephone.goto("/dev/phone")
    phone = unit(telephone, 1)
    phone.locator('[data-tab="call"]').click()
    phone.locator("[data-dial]").click()

    card = support.locator(".call-card")
    expect(card).to_be_visible()
    expect(card).to_contain_text("138****8000")
    looked_at(support, f"call-card-{language}")
    card.locator("[name=text]").fill("asks about points")
    press(phone, "1")
    expect(phone.locator("[data-heard]")).to_contain_text("Please enter the code")
    press(phone, codes[0])
    expect(card.locator(".call-list").first).to_contain_text("Spring Tea" if language == "en" else "明前春茶")
    expect(card.locator("[name=text]")).to_have_value("asks about points")
    card.locator("[name=kind][value=points]").click()
    expect(support.locator(".call-card")).to_have_count(0)
    note = CallNote.objects.get()
    assert (note.kind, note.text, note.member_id) == ("points", "asks about points", Member.objects.get().pk)
    assert marketer.locator("#calls").count() == 0
