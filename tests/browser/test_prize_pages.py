"""The pages of prizes as people see them: clerks at a desk and on a phone, winners, and everybody who reads the lists."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from common.clock import now
from ledger.services import seal
from lottery.models import Claim
from lottery.services import claiming, stock
from staff.keys import sign_key
from tests.browser.conftest import DESK, PHONE, SHOTS, looked_at
from tests.browser.test_console_pages import EVERY_LOOK, signed_in
from tests.browser.world import populate
from tests.redemption.test_web_wallet import signed_in as at_the_door
from tests.redemption.web import Person

VISIT = Callable[..., Page]
CONSOLE = {
    "claims": "/console/claims",
    "claims-empty": "/console/claims?state=paid",
    "claim-won": "/console/claims/{won}",
    "claim-claimed": "/console/claims/{claimed}",
    "claim-checked": "/console/claims/{checked}",
    "claim-approved": "/console/claims/{approved}",
    "claim-unpaid": "/console/claims/{unpaid}",
    "claim-voucher": "/console/claims/{voucher}",
    "claim-sent": "/console/claims/{sent}",
    "parcels": "/console/claims/parcels",
    "prize-codes": "/console/prize-codes",
}
DOOR = {
    "wallet-prize": "/me",
    "prizes": "/me/prizes",
    "prize-won": "/me/prizes/{won}",
    "prize-claimed": "/me/prizes/{claimed}",
    "prize-unpaid": "/me/prizes/{unpaid}",
    "prize-sent": "/me/prizes/{sent}",
    "entries-statement": "/me/entries",
    "winners": "/rules/{drawn}/winners",
    "seals": "/seals",
}
LOOKS = EVERY_LOOK if SHOTS else [EVERY_LOOK[0], EVERY_LOOK[7]]


def look(page: Page, pages: dict[str, str], ids: dict[str, str], ending: str) -> None:
    for name, path in pages.items():
        answer = page.goto(path.format(**ids))
        assert answer is not None
        assert answer.status == 200, path
        looked_at(page, f"{name}-{ending}")


@pytest.mark.parametrize(("language", "dark", "size"), LOOKS)
def test_pages_of_prizes(live: str, visit: VISIT, language: str, dark: bool, size: dict[str, int]) -> None:
    ids = populate()
    seal(key=sign_key(at=now()), at=now())
    ending = f"{size['width']}-{language[:2]}-{'dark' if dark else 'light'}"
    look(visit(language=language, dark=dark, size=size, client=signed_in()), CONSOLE, ids, ending)
    person = at_the_door(Person(language=language))
    look(visit(language=language, dark=dark, size=size, client=person), DOOR, ids, ending)


def test_a_winner_claims_and_a_clerk_sends(live: str, visit: VISIT) -> None:
    ids = populate()
    won = Claim.objects.get(public_id=ids["won"])
    winner = visit(size=PHONE, client=at_the_door(Person()))
    winner.goto(f"/me/prizes/{ids['won']}")
    for field, value in (
        ("name", "王小明"),
        ("phone", "138"),
        ("region", "浙江"),
        ("address", "文三路"),
        ("postcode", ""),
    ):
        winner.fill(f"[name={field}]", value)
    winner.click("text=Claim my prize")
    expect(winner.locator("main")).to_contain_text("we are checking what you sent")

    clerk = visit(size=DESK, client=signed_in())
    clerk.goto(f"/console/claims/{ids['won']}")
    clerk.click("button:has-text('Show it')")
    expect(clerk.locator("main")).to_contain_text("文三路")
    looked_at(clerk, "claim-told-1280-en-light")
    clerk.click("button:has-text('The winner is checked')")
    clerk.click("button:has-text('Approve the prize')")
    clerk.fill("[name=courier]", "SF")
    clerk.fill("[name=tracking_no]", "SF-1")
    clerk.click("button:has-text('It is sent')")
    expect(clerk.locator("main")).to_contain_text("It has arrived")

    winner.reload()
    expect(winner.locator("main")).to_contain_text("SF-1")
    winner.click("text=I have received it")
    expect(winner.locator("main")).to_contain_text("received")
    won.refresh_from_db()
    assert won.state == "done"


def test_a_code_is_shown_when_the_winner_asks(live: str, visit: VISIT) -> None:
    ids = populate()
    claim = Claim.objects.get(public_id=ids["voucher"])
    page = visit(size=PHONE, client=at_the_door(Person()))
    stock.add(claim.tier_id, "TEA-2026-8Q4K-11", by="ada", at=now())
    claiming.hand_out_due(at=now())
    page.goto(f"/me/prizes/{ids['voucher']}")
    page.click("text=Show my code")

    expect(page.locator("main")).to_contain_text("TEA-2026-8Q4K-11")
    looked_at(page, "prize-code-360-en-light")
