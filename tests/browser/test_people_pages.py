"""Members, partners and the messages on /dev/phone as people see them: both languages, light and dark, phone and desk."""

from collections.abc import Callable
from datetime import UTC, date, datetime

import pytest
from django.db import transaction
from django.test import Client
from playwright.sync_api import Page, expect

from brands.models import Brand
from channel.services import create_partner, pause
from ledger.services import NewTransfer, post, system_account
from members.models import Member
from members.services import grant_consent, members_for_phones, set_name
from members.sign_in import request_code
from staff.models import User
from tests.browser.conftest import DESK, PHONE, looked_at

NOW = datetime.now(UTC)
LONG = "The Old Bluestone Street Tea and Sundries House of the Seven Brothers of West Lake, Ltd."[:80]


@pytest.fixture
def signed_in(live: str, real_commits: Brand) -> Client:
    ada = User.objects.create_user("ada", password="x", role="owner")
    shop = create_partner(kind="retailer", name="Bluestone Street Tea", name_zh="青石街茶庄", region="CN-ZJ", at=NOW)
    long = create_partner(kind="promoter", name=LONG, name_zh="很长的名字" * 8, region="CN-NM", at=NOW)
    pause(long.public_id)
    with transaction.atomic():
        holders = members_for_phones([f"+86138001380{n:02}" for n in range(60)], at=NOW)
        member = Member.objects.get(pk=holders["+8613800138000"].member_id)
        set_name(member.pk, "王小明")
        for purpose in ("terms", "marketing", "precise_place"):
            grant_consent(member.pk, purpose, wording_version="2026-11", at=NOW)
        issuance = system_account("issuance")
        for cause, (account, points) in enumerate(
            [(member.account_id, 120), (member.account_id, 1_250_000), (shop.account_id, 18)]
        ):
            day = date(2027, 12, 31) if cause else None
            post(
                [NewTransfer(issuance, account, points, "award", "redemption", cause + 1, expires_on=day)],
                at=NOW,
            )
    request_code("+8613800138000", at=NOW, language="zh-hans")
    request_code("+8613800138000", at=NOW, language="en")
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(ada)
    return client


def pages() -> dict[str, str]:
    from channel.models import Partner

    member = Member.objects.get(account__posted__gt=1000).public_id
    other = Member.objects.filter(account__posted=0).latest("pk").public_id
    shop, long = Partner.objects.order_by("pk")
    return {
        "members": "/console/members",
        "members-none": "/console/members?state=erased",
        "member": f"/console/members/{member}",
        "member-empty": f"/console/members/{other}",
        "member-erase": f"/console/members/{member}/erase",
        "partners": "/console/partners",
        "partners-none": "/console/partners?q=nobody",
        "partner": f"/console/partners/{shop.public_id}",
        "partner-long": f"/console/partners/{long.public_id}",
        "partner-new": "/console/partners/new",
        "partner-edit": f"/console/partners/{long.public_id}/edit",
        "partner-close": f"/console/partners/{shop.public_id}/close",
        "phone": "/dev/phone",
        "phone-none": "/dev/phone?to=13900139000",
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


def test_faults_are_said_beside_the_field(signed_in: Client, visit: Callable[..., Page]) -> None:
    page = visit(size=PHONE, client=signed_in)
    page.goto("/console/members")
    page.locator("#phone").fill("13900139000")
    page.keyboard.press("Enter")
    expect(page.locator("#phone_error")).to_be_visible()
    looked_at(page, "members-fault")

    page.goto("/console/partners/new")
    page.locator("main form button[type=submit]").click()
    expect(page.locator("main [role=alert]")).to_be_visible()
    looked_at(page, "partner-new-fault")


def test_a_partner_is_taken_on_and_a_member_found_by_keyboard(signed_in: Client, visit: Callable[..., Page]) -> None:
    page = visit(client=signed_in)
    page.goto("/console/partners/new")
    page.locator("[name=name]").fill("Corner Shop")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("Corner Shop")

    page.goto("/console/members")
    page.locator("#phone").fill("138 0013 8000")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("138****8000")
