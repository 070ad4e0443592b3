"""Every page of the console as people see it: both languages, light and dark, phone and desk; axe, no sideways scroll."""

from collections.abc import Callable
from pathlib import Path

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page

from common.clock import now
from staff.models import User
from tests.browser.conftest import DESK, LANGUAGES, PHONE, SHOTS, looked_at
from tests.browser.messages import talk
from tests.browser.world import people, populate, printed

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
    "products": "/console/products",
    "product": "/console/products/{product}",
    "product-new": "/console/products/new",
    "product-edit": "/console/products/{product}/edit",
    "batches": "/console/batches",
    "batch": "/console/batches/{batch}",
    "batch-new": "/console/batches/new",
    "activations": "/console/activations",
    "activation-new": "/console/activations/new?batch={batch}",
    "blocks": "/console/blocks",
    "block-new": "/console/blocks/new?batch={batch}",
    "members": "/console/members",
    "member": "/console/members/{member}",
    "member-erase": "/console/members/{member}/erase",
    "partners": "/console/partners",
    "partner": "/console/partners/{retailer}",
    "partner-new": "/console/partners/new",
    "partner-edit": "/console/partners/{retailer}/edit",
    "ledger": "/console/ledger",
    "accounts": "/console/ledger/accounts",
    "account": "/console/ledger/accounts/{account}",
    "transfer": "/console/ledger/transfers/{transfer}",
    "transfer-reverse": "/console/ledger/transfers/{transfer}/reverse",
    "jobs": "/console/jobs",
    "job": "/console/jobs/{job}",
    "brand": "/console/brand",
    "staff": "/console/staff",
    "staff-new": "/console/staff/new",
    "staff-person": "/console/staff/3",
    "sessions": "/console/account/sessions",
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
PRINTING = {
    "batch-rolled": "/console/batches/{rolled}",
    "roll-list": "/console/batches/{rolled}/rolls",
    "rolls": "/console/rolls",
    "activation-rolled": "/console/activations/new?batch={rolled}&rolls=2",
    "print-form": "/console/batches/{rolled}/print",
    "prints": "/console/prints",
    "print": "/console/prints/{print}",
    "print-unsigned": "/console/prints/{unsigned}",
    "handover-ready": "/console/handovers/{ready}",
    "handover-fetched": "/console/handovers/{fetched}",
    "handover-done": "/console/handovers/{done}",
    "lost": "/console/handovers/{ready}/lost",
    "presses": "/console/presses",
    "press": "/console/presses/{press}",
    "press-log": "/console/presses/{press}/log",
    "recalls": "/console/recalls",
    "recall": "/console/recalls/{recall}",
    "recall-holders": "/console/recalls/{recall}/holders",
    "slots": "/console/slots",
    "slot": "/console/slots/{slot}",
    "packs": "/console/runs/{packs}",
}
OF_PRESS = {
    "own-files": "/console/press",
    "own-file-ready": "/console/press/files/{ready}",
    "own-file-fetched": "/console/press/files/{fetched}",
    "own-file-done": "/console/press/files/{done}",
}
EMPTY = (
    "today", "label-find", "receipts", "reports", "campaigns", "jobs", "approvals", "keys", "products", "batches",
    "activations", "blocks", "members", "partners", "ledger", "accounts",
)  # fmt: skip


def signed_in(name: str = "ada") -> Client:
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.get(username=name))
    return client


EVERY_LOOK = [(language, dark, size) for language in LANGUAGES for dark in (False, True) for size in (DESK, PHONE)]
OPPOSITES = [EVERY_LOOK[0], EVERY_LOOK[7]]  # each choice once; SHOTS takes every look


@pytest.mark.parametrize(("language", "dark", "size"), EVERY_LOOK if SHOTS else OPPOSITES)
def test_pages(live: str, visit: Callable[..., Page], language: str, dark: bool, size: dict[str, int]) -> None:
    ids = populate()
    page = visit(language=language, dark=dark, size=size, client=signed_in())
    for name, path in PAGES.items():
        answer = page.goto(path.format(**ids))
        assert answer is not None
        assert answer.status == 200, path
        looked_at(page, f"{name}-{size['width']}-{language[:2]}-{'dark' if dark else 'light'}")


@pytest.mark.parametrize(("language", "dark", "size"), EVERY_LOOK if SHOTS else OPPOSITES)
def test_pages_of_printing(
    live: str,
    visit: Callable[..., Page],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    language: str,
    dark: bool,
    size: dict[str, int],
) -> None:
    monkeypatch.setattr(settings, "VAR_DIR", tmp_path)
    people(now())
    ids = printed(now())
    for who, pages in (("ada", PRINTING), ("ren", OF_PRESS)):
        page = visit(language=language, dark=dark, size=size, client=signed_in(who))
        for name, path in pages.items():
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
    people(now())
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


MESSAGES = {
    "messages-in": "/console/messages",
    "messages-out": "/console/messages?way=out",
    "messages-none": "/console/messages?way=out&q=13700137000",
    "message-in": "/console/messages/in/{in}",
    "message-parked": "/console/messages/in/{parked}",
    "message-out": "/console/messages/out/{out}",
    "message-failed": "/console/messages/out/{failed}",
    "numbers": "/console/numbers",
    "number": "/console/numbers/{number}",
    "spending": "/console/spending",
    "limit": "/console/spending/{budget}",
    "texts": "/console/texts",
    "text": "/console/texts/spent_other/en",
    "text-zh": "/console/texts/redeemed/zh-hans",
    "recordings": "/console/texts/recordings",
    "recording": "/console/texts/recordings/greeting/zh-hans",
    "calls": "/console/calls",
    "call": "/console/calls/{call}",
}


@pytest.mark.parametrize(("language", "dark", "size"), EVERY_LOOK if SHOTS else OPPOSITES)
def test_pages_of_messages(
    live: str, visit: Callable[..., Page], language: str, dark: bool, size: dict[str, int]
) -> None:
    people(now())
    ids = talk(now())
    page = visit(language=language, dark=dark, size=size, client=signed_in())
    for name, path in MESSAGES.items():
        answer = page.goto(path.format(**ids))
        assert answer is not None
        assert answer.status == 200, path
        looked_at(page, f"{name}-{size['width']}-{language[:2]}-{'dark' if dark else 'light'}")


@pytest.mark.parametrize("language", LANGUAGES)
def test_empty_pages_of_messages(live: str, visit: Callable[..., Page], language: str) -> None:
    User.objects.create_user("ada", password="x", role="owner")
    page = visit(language=language, size=PHONE, client=signed_in())
    for name in ("messages-in", "messages-out", "numbers", "spending", "recordings", "calls"):
        page.goto(MESSAGES[name])
        looked_at(page, f"{name}-nothing-360-{language[:2]}")
