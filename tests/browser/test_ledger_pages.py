"""The ledger's pages as people see them: both languages, light and dark, phone and desk."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from django.test import Client
from playwright.sync_api import Page

from ledger.models import Account, Kind, Transfer
from ledger.services import NewTransfer, hold, post, reverse, system_account
from staff.models import User
from tests.browser.conftest import DESK, LANGUAGES, PHONE, looked_at
from tests.browser.world import populate


def fill() -> dict[str, str]:
    """Add to the populated brand a grant, spends, a hold, and a debt; return what the addresses need."""
    populate()
    at = datetime.now(UTC)
    consumer = Account.objects.filter(party="consumer", posted__gt=0).earliest("id")
    retailer = Account.objects.filter(party="retailer", posted__gt=0).earliest("id")
    with transaction.atomic():
        issuance, redeemed = system_account("issuance"), system_account("redeemed")
        [grant] = post([NewTransfer(issuance, consumer.pk, 5000, "grant", "manual", 1)], at=at)
        [bonus] = post([NewTransfer(issuance, retailer.pk, 40, "grant", "manual", 2)], at=at)
        post([NewTransfer(consumer.pk, redeemed, 1800, "spend", "order", 1)], at=at - timedelta(hours=3))
        post([NewTransfer(retailer.pk, redeemed, retailer.posted + 40, "spend", "order", 2)], at=at)
        reverse(bonus.pk, at=at)
        hold(account_id=consumer.pk, amount=500, cause_kind="order", cause_id=3, at=at)
    return {
        "consumer": consumer.public_id,
        "retailer": retailer.public_id,
        "issuance": Account.objects.get(pk=issuance).public_id,
        "grant": str(grant.pk),
        "award": str(Transfer.objects.filter(kind=Kind.AWARD, linked__gt=1).earliest("id").pk),
    }


PAGES = {
    "ledger": "/console/ledger",
    "ledger-as-of": "/console/ledger?as_of=2020-01-01T00:00",
    "ledger-bad-moment": "/console/ledger?as_of=yesterday",
    "ledger-reversals": "/console/ledger?kind=11",
    "ledger-accounts": "/console/ledger/accounts",
    "ledger-accounts-empty": "/console/ledger/accounts?party=staff",
    "ledger-account": "/console/ledger/accounts/{consumer}",
    "ledger-account-owing": "/console/ledger/accounts/{retailer}",
    "ledger-account-brand": "/console/ledger/accounts/{issuance}",
    "ledger-transfer": "/console/ledger/transfers/{award}",
    "ledger-reverse": "/console/ledger/transfers/{grant}/reverse",
}


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("zh-CN", True)])
def test_pages(live: str, visit: Callable[..., Page], language: str, dark: bool) -> None:
    ids = fill()
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.get(username="ada"))
    for size in (DESK, PHONE):
        page = visit(language=language, dark=dark, size=size, client=client)
        for name, path in PAGES.items():
            answer = page.goto(path.format(**ids))
            assert answer is not None
            assert answer.status == (422 if "bad" in name else 200), path
            looked_at(page, f"{name}-{size['width']}-{language[:2]}-{'dark' if dark else 'light'}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_empty_ledger(live: str, visit: Callable[..., Page], language: str) -> None:
    User.objects.create_user("ada", password="x", role="owner")
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.get(username="ada"))
    page = visit(language=language, size=PHONE, client=client)

    page.goto("/console/ledger")

    looked_at(page, f"ledger-nothing-360-{language[:2]}")
