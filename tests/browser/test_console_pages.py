"""Every page of the console as people see it: both languages, light and dark, phone and desk; axe, no sideways scroll."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.test import Client
from playwright.sync_api import Page

from staff import approvals
from staff.apikeys import create_key
from staff.models import User
from tests.browser.conftest import DESK, LANGUAGES, PHONE, looked_at

NOW = datetime.now(UTC)


@pytest.fixture
def signed_in(live: str) -> Client:
    ada = User.objects.create_user("ada", password="x", role="owner")
    bo = User.objects.create_user("bo.the.second.owner.of.a.long.name@example", password="x", role="owner")
    User.objects.create_user("sam", password="x", role="support", failures=100)
    User.objects.create_user("kim", password="x", role="auditor", is_active=False)
    create_key("Till system of the flagship store", ["check", "redeem", "read"], at=NOW, created_by=ada)
    create_key("Mini-program", ["check"], at=NOW, is_test=True, expires_at=NOW - timedelta(days=1))
    approvals.request("staff.owner", {"user": 3, "username": "sam"}, by=bo, at=NOW)
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(ada)
    return client


PAGES = {
    "staff": "/console/staff",
    "staff-new": "/console/staff/new",
    "staff-person": "/console/staff/3",
    "roles": "/console/staff/roles",
    "keys": "/console/keys",
    "key-new": "/console/keys/new",
    "key": "/console/keys",
    "approvals": "/console/approvals",
    "approval": "/console/approvals/1",
    "audit": "/console/audit",
    "audit-empty": "/console/audit?actor=nobody",
    "second-factor": "/console/account/second-factor",
    "password": "/console/account/password",
}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("dark", [False, True])
def test_pages(signed_in: Client, visit: Callable[..., Page], language: str, dark: bool) -> None:
    for size in (DESK, PHONE):
        page = visit(language=language, dark=dark, size=size, client=signed_in)
        for name, path in PAGES.items():
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            look = "dark" if dark else "light"
            looked_at(page, f"{name}-{size['width']}-{language[:2]}-{look}")
