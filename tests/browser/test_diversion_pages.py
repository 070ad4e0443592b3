"""Findings, a shipment, copied and harvested codes in a real browser: under the strict policy, with axe, at both sizes."""

from collections.abc import Callable

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from analytics.models import CodeFinding, FarmFinding
from brands.models import Brand
from redemption.models import Caution
from staff.models import User
from tests.browser.conftest import DESK, PHONE, looked_at
from tests.conftest import NOW
from tests.console.found import Found, make_found


@pytest.fixture
def found(live: str, real_commits: Brand) -> tuple[Client, Found]:
    made = make_found()
    first, last = made.goods.labels(0)[0], made.goods.labels(0)[-1]
    CodeFinding.objects.create(
        run=made.run, label_no=first, kind="copied", score=4.0, follow_ups=3, found_at=NOW
    )  # fmt: skip
    FarmFinding.objects.create(
        run=made.run, kind="sequence", asker=1, first_label=first, last_label=last, redeemed=4, labels=4, found_at=NOW
    )  # fmt: skip
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.create_user("ines", password="x", role="investigator"))
    return client, made


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("zh-CN", True)])
def test_pages(found: tuple[Client, Found], visit: Callable[..., Page], language: str, dark: bool) -> None:
    client, made = found
    for size in (DESK, PHONE):
        page = visit(language=language, dark=dark, size=size, client=client)
        for name, path in {
            "findings": "/console/diversion",
            "findings-none": "/console/diversion?level=watch",
            "shipment": f"/console/diversion/shipments/{made.shipment.public_id}",
            "codes": "/console/diversion/codes",
            "farms": "/console/diversion/farms",
        }.items():
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            looked_at(page, f"{name}-{size['width']}-{language[:2]}-{'dark' if dark else 'light'}")


def test_a_copy_is_confirmed_from_the_list(found: tuple[Client, Found], visit: Callable[..., Page]) -> None:
    client, _made = found
    page = visit(client=client)
    page.goto("/console/diversion/codes")

    page.get_by_text("Decide", exact=True).click()
    page.get_by_label("What was found out").fill("bought in Foshan")
    page.get_by_role("button", name="It was copied: stop its points").click()

    expect(page.get_by_text("points stopped")).to_be_visible()
    assert Caution.objects.filter(reason="clone", lifted_at=None).count() == 1
