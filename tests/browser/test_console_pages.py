"""Every page of the console as people see it: both languages, light and dark, phone and desk; axe, no sideways scroll."""

from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page

from staff.models import User
from tests.browser.conftest import DESK, LANGUAGES, PHONE, looked_at
from tests.browser.world import people, populate

PAGES = {
    "today": "/console/",
    "search": "/console/search",
    "label-find": "/console/labels",
    "label": "/console/labels/{serial}",
    "label-asleep": "/console/labels/{asleep}",
    "label-filter-empty": "/console/labels/{asleep}?show=points",
    "label-reverse": "/console/labels/{serial}/reverse",
    "receipts": "/console/receipts",
    "receipts-empty": "/console/receipts?outcome=RECALLED",
    "receipt": "/console/receipts/{receipt}",
    "reports": "/console/reports",
    "campaigns": "/console/campaigns",
    "campaigns-empty": "/console/campaigns?state=closed",
    "campaign": "/console/campaigns/{campaign}",
    "campaign-draft": "/console/campaigns/{draft}",
    "campaign-halted": "/console/campaigns/{halted}",
    "campaign-new": "/console/campaigns/new",
    "campaign-edit": "/console/campaigns/{draft}/edit",
    "jobs": "/console/jobs",
    "job": "/console/jobs/{job}",
    "brand": "/console/brand",
    "staff": "/console/staff",
    "staff-new": "/console/staff/new",
    "staff-person": "/console/staff/3",
    "roles": "/console/staff/roles",
    "keys": "/console/keys",
    "key-new": "/console/keys/new",
    "key": "/console/keys/{key}",
    "approvals": "/console/approvals",
    "approval": "/console/approvals/1",
    "audit": "/console/audit",
    "audit-empty": "/console/audit?actor=nobody",
    "second-factor": "/console/account/second-factor",
    "password": "/console/account/password",
}
EMPTY = ("today", "label-find", "receipts", "reports", "campaigns", "jobs", "approvals", "keys")


def signed_in() -> Client:
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.get(username="ada"))
    return client


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("dark", [False, True])
def test_pages(live: str, visit: Callable[..., Page], language: str, dark: bool) -> None:
    ids = populate()
    for size in (DESK, PHONE):
        page = visit(language=language, dark=dark, size=size, client=signed_in())
        for name, path in PAGES.items():
            answer = page.goto(path.format(**ids))
            assert answer is not None
            assert answer.status == 200, path
            looked_at(page, f"{name}-{size['width']}-{language[:2]}-{'dark' if dark else 'light'}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_empty_pages(live: str, visit: Callable[..., Page], language: str) -> None:
    User.objects.create_user("ada", password="x", role="owner")
    page = visit(language=language, size=PHONE, client=signed_in())
    for name in EMPTY:
        page.goto(PAGES[name])
        looked_at(page, f"{name}-nothing-360-{language[:2]}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_error_pages(live: str, visit: Callable[..., Page], language: str) -> None:
    people(__import__("datetime").datetime.now(__import__("datetime").UTC))
    User.objects.create_user("lee", password="x", role="warehouse")
    page = visit(language=language, size=PHONE, client=signed_in())
    for name, path, status in (("404", "/console/nowhere", 404), ("404-consumer", "/nowhere", 404)):
        answer = page.goto(path)
        assert answer is not None
        assert answer.status == status
        looked_at(page, f"{name}-360-{language[:2]}")
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.get(username="lee"))
    page = visit(language=language, client=client)
    answer = page.goto("/console/keys")
    assert answer is not None
    assert answer.status == 403
    looked_at(page, f"403-1280-{language[:2]}")
