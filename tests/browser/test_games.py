"""The wizard in a real browser, from goal to an open campaign; and its pages at both sizes, in both languages."""

from collections.abc import Callable
from datetime import datetime, timedelta

import pytest
from playwright.sync_api import Page, expect

from common.clock import now
from lottery import keys, private_chain
from lottery.models import Campaign
from lottery.services import arming, beaconing, rehearsing
from tests.browser.conftest import PHONE, looked_at
from tests.console import games
from tests.makers import make_batch


class Clock:
    """The pages' clock, which the test turns."""

    def __init__(self) -> None:
        self.at = now().replace(microsecond=0)

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    turned = Clock()
    for module in ("console.games.wizard_views", "console.games.life_views"):
        monkeypatch.setattr(f"{module}.now", turned)
    keys.forget()
    return turned


def fill(page: Page, typed: games.Typed) -> None:
    """Type into the step that is open."""
    for name, value in typed.items():
        field = page.locator(f"#step [name='{name}']")
        kind = field.first.evaluate("one => one.type") if field.count() else ""
        if kind in {"hidden", ""}:
            continue
        if kind in {"checkbox", "radio"}:
            for one in value if isinstance(value, list) else [value]:
                page.locator(f"#step [name='{name}'][value='{one}']").or_(
                    page.locator(f"#step [name='{name}']:not([value])")
                ).first.check()
        elif kind == "select-one":
            field.select_option(str(value))
        else:
            field.fill(str(value))


def onward(page: Page, name: str) -> None:
    page.locator("button[name=go]").click()
    page.wait_for_url(f"**/{name}")


def test_from_goal_to_an_open_campaign(live: str, visit: Callable[..., Page], clock: Clock) -> None:
    batch = make_batch(count=2000)
    opens = clock.at + timedelta(days=2)
    mia = games.client_of("mia")
    page = visit(client=mia)
    page.goto("/console/games/new")
    fill(page, games.goal())
    looked_at(page, "game-goal")
    onward(page, "labels")
    fill(page, {"batches": [str(batch.pk)], "points": "20"})
    expect(page.locator("#points")).to_have_text("40,000")  # reckoned as it is typed
    looked_at(page, "game-labels")
    onward(page, "prizes")
    fill(page, games.prizes(games.prize(quantity="20")))
    expect(page.locator("#worst")).to_have_text("¥ 2,180")
    page.locator("[name='prizes-0-quantity']").fill("40")
    expect(page.locator("#worst")).to_have_text("¥ 4,360")
    expect(page.locator("#chance")).to_have_text("2.0 %")
    page.locator("button[name=add]").click()
    page.wait_for_url("**/prizes#last")
    fill(
        page,
        {
            f"prizes-1-{name}": value
            for name, value in games.prize(name="Tin of tea", name_zh="茶罐", quantity="", market_price="30").items()
        },
    )
    page.locator("button[name=go]").click()
    expect(page.locator(".field.bad label")).to_have_text("Quantity")  # the wrong part, and all else kept
    expect(page.locator("[name='prizes-1-name']")).to_have_value("Tin of tea")
    looked_at(page, "game-prizes-error")
    page.locator("[name='prizes-1-quantity']").fill("200")
    expect(page.locator("#worst")).to_have_text("¥ 26,160")
    looked_at(page, "game-prizes")
    onward(page, "doors")
    fill(page, {"limits-0-most": "5"})
    looked_at(page, "game-doors")
    onward(page, "dates")
    fill(page, games.dates(opens))
    looked_at(page, "game-dates")
    onward(page, "law")
    fill(page, games.law_cn())
    looked_at(page, "game-law")
    onward(page, "texts")
    fill(page, games.texts())
    onward(page, "cost")
    fill(page, games.cost(budget="15000"))
    expect(page.locator("#ends")).to_contain_text("the budget ends on")
    looked_at(page, "game-cost")
    onward(page, "rehearsal")
    page.get_by_role("button", name="Start the dry run").click()
    campaign = Campaign.objects.get()
    job = rehearsing.newest_rehearsal(campaign)
    assert job is not None
    rehearsing.rehearse(job.pk)
    page.goto(games.step(campaign, "rehearsal"))
    expect(page.get_by_text("REHEARSAL").first).to_be_visible()
    looked_at(page, "game-rehearsal")
    leo = visit(client=games.client_of("leo", "legal"))
    leo.goto(games.step(campaign, "law"))
    looked_at(leo, "game-law-legal")
    while (sign := leo.get_by_role("button", name="Sign")).count():
        before = sign.count()
        leo.locator("form[action$='/sign'] input[name=name]").first.fill("Leo Counsel")
        sign.first.click()
        expect(leo.get_by_role("button", name="Sign")).to_have_count(before - 1)
    page.goto(games.step(campaign, "publish"))
    looked_at(page, "game-publish")
    page.get_by_role("button", name="Ask for publication").click()
    page.wait_for_url("**/console/approvals/*")
    games.client_of("ola", "owner")
    games.approve("ola", at=clock.at)  # how approvals are decided is tested with their page
    games.make_manifests()
    page.goto(games.step(campaign, "publish"))
    page.get_by_role("button", name="Publish the rules").click()
    page.wait_for_url(f"**/console/games/{campaign.public_id}")
    looked_at(page, "game-published")
    clock.at += timedelta(hours=1)
    _commitment, value = arming.first_commitment(campaign)
    beaconing.store(
        private_chain.beacon(), value["beacon"]["round"], private_chain.sign(value["beacon"]["round"]), at=clock.at
    )
    page.reload()
    page.get_by_role("button", name="Ask to arm the game").click()
    page.wait_for_url("**/console/approvals/*")
    games.approve("ola", at=clock.at)
    page.goto(f"/console/games/{campaign.public_id}")
    page.get_by_role("button", name="Arm the game").click()
    expect(page.get_by_text("It opens by itself", exact=False).first).to_be_visible()
    clock.at = opens
    arming.open_due(at=clock.at)
    campaign.refresh_from_db()
    assert campaign.state == "open"
    for language, size, dark in (
        ("en", None, False),
        ("zh-CN", PHONE, False),
        ("zh-CN", None, True),
        ("en", PHONE, True),
    ):
        suffix = f"{language}{'-phone' if size else ''}{'-dark' if dark else ''}"
        mobile = visit(language=language, size=size, dark=dark, client=mia)
        for path, name in (("", "game"), ("/live", "live"), ("/change", "change")):
            mobile.goto(f"/console/games/{campaign.public_id}{path}")
            looked_at(mobile, f"{name}-{suffix}")
        mobile.goto(f"/rules/{campaign.public_id}")
        looked_at(mobile, f"rules-{suffix}")
    plain = visit(script=False)
    plain.goto(f"/rules/{campaign.public_id}/v1")
    expect(plain.locator("h1")).to_have_text("Spring scratch")


def test_the_steps_on_a_telephone(live: str, visit: Callable[..., Page], clock: Clock) -> None:
    batch = make_batch(count=200)
    mia = games.client_of("mia")
    campaign = games.plan(
        mia,
        [batch],
        clock.at + timedelta(days=2),
        goal=games.goal(places=["cn", "uk", "us", "jp"], elsewhere="FR"),
        cost=games.cost(budget="100"),
    )
    games.client_of("leo", "legal")
    for language, size, dark in (("zh-CN", PHONE, False), ("zh-CN", None, True)):
        page = visit(language=language, size=size, dark=dark, client=mia)
        for name in ("goal", "labels", "prizes", "doors", "dates", "law", "texts", "cost", "rehearsal", "publish"):
            page.goto(games.step(campaign, name))
            looked_at(page, f"step-{name}-{language}{'-phone' if size else ''}{'-dark' if dark else ''}")
