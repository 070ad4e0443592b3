"""The wizard of games, from goal to an open campaign, and what it refuses."""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from brands.models import Brand
from lottery import keys, private_chain
from lottery.models import (
    Campaign,
    Pool,
    PrizeTier,
)
from lottery.services import arming, beaconing
from tests.console import games
from tests.makers import make_batch

START = datetime(2026, 11, 25, 2, 0, tzinfo=UTC)
OPENS = START + timedelta(days=2)


class Clock:
    """The pages' clock, which a test turns."""

    def __init__(self) -> None:
        self.at = START

    def __call__(self) -> datetime:
        return self.at


@pytest.fixture
def clock(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> Iterator[Clock]:
    turned = Clock()
    for module in ("console.games.wizard_views", "console.games.life_views", "common.clock"):
        monkeypatch.setattr(f"{module}.now", turned)
    keys.forget()
    yield turned
    keys.forget()


@pytest.fixture
def ready(clock: Clock) -> Callable[..., Campaign]:
    """Return a function that types a plan of one pool of 200 labels, and signs what the law wants signed."""

    def typed(**steps: Any) -> Campaign:
        batch = make_batch(count=200)
        campaign = games.plan(games.client_of("mia"), [batch], OPENS, **steps)
        games.sign_all(games.client_of("leo", "legal"), campaign)
        return campaign

    return typed


def published(campaign: Campaign, clock: Clock) -> Campaign:
    client = games.client_of("mia")
    page = f"/console/games/{campaign.public_id}"
    asked = client.post(f"{page}/publish")
    assert asked["Location"].startswith("/console/approvals/"), [
        str(m) for m in client.get(games.step(campaign, "publish")).context["messages"]
    ]
    games.client_of("ola", "owner")
    games.approve("ola", at=clock.at)
    games.make_manifests()
    done = client.post(f"{page}/publish")
    assert done["Location"] == page
    campaign.refresh_from_db()
    return campaign


def armed(campaign: Campaign, clock: Clock) -> Campaign:
    client = games.client_of("mia")
    page = f"/console/games/{campaign.public_id}"
    clock.at += timedelta(hours=1)
    _commitment, value = arming.first_commitment(campaign)
    round_no = value["beacon"]["round"]
    beaconing.store(private_chain.beacon(), round_no, private_chain.sign(round_no), at=clock.at)
    client.post(f"{page}/arm")
    games.approve("ola", at=clock.at)
    client.post(f"{page}/arm")
    campaign.refresh_from_db()
    return campaign


def test_from_goal_to_an_open_campaign(ready: Callable[..., Campaign], clock: Clock) -> None:
    campaign = ready()
    client = games.client_of("mia")
    page = f"/console/games/{campaign.public_id}"
    assert client.get(page)["Location"] == games.step(campaign, "publish")

    assert published(campaign, clock).state == "published"
    assert armed(campaign, clock).state == "armed"
    clock.at = OPENS
    arming.open_due(at=clock.at)

    campaign.refresh_from_db()
    assert campaign.state == "open"
    assert client.get(page).status_code == 200
    live = client.get(f"{page}/live")
    assert [one.left for one in live.context["found"].prizes] == [2]
    pool = Pool.objects.get()
    assert (pool.eligible, pool.quantities) == (200, [2])
    assert PrizeTier.objects.get().market_price == 12_800
    assert client.get(games.step(campaign, "goal"))["Location"] == page  # no step of a published plan opens again
