"""The law through the wizard's page: each item at its boundary may be published, and one unit beyond it may not."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from lottery import keys, law
from lottery.models import Campaign
from staff.models import Approval
from tests.console import games
from tests.console.test_games import START, Clock, clock  # noqa: F401 - a fixture
from tests.makers import make_batch

Steps = dict[str, Any]
DAYS = timedelta(days=2)


def draw_prize(price: str, *, currency: str = "CNY", quantity: str = "1") -> Steps:
    prize = games.prize(use="draw", market_price=price, quantity=quantity, unit_cost="1", delivery_cost="0")
    return {"prizes": games.prizes(prize, currency=currency)}


def both(**dates: str) -> Steps:
    """Return an instant game over one batch, with a second-chance draw unless ``dates`` says otherwise."""
    batch = make_batch(count=40)
    return {
        "goal": {"kind": "both"},
        "labels": {"batches": [str(batch.pk)], "pooling": "one"},
        "prizes": games.prizes(games.prize()),
        "dates": {"reserve": "on", **dates},
    }


def pools(winners: str) -> Steps:
    batches = [make_batch(count=30), make_batch(count=10)]
    return {
        **both(),
        "labels": {"batches": [str(batch.pk) for batch in batches], "pooling": "each", "winners": winners},
        "prizes": games.prizes(games.prize(quantity="4")),
    }


def no_reserve() -> Steps:
    return {**both(reserve=""), "prizes": games.prizes(games.prize(), games.prize(use="draw"))}


def in_us(days: int, price: str = "5000.01", *, free: str = "1") -> Steps:
    opens = START + timedelta(days=days)
    return {
        "goal": {"places": ["us"]},
        **draw_prize(price, currency="USD"),
        "dates": games.dates(opens, reserve=""),
        "doors": {"label": "1", "free": free},
    }


def in_jp(price: str, *, purchase: str = "4999", sales: str = "1000000000") -> Steps:
    return {
        "goal": {"places": ["jp"]},
        **draw_prize(price, currency="JPY"),
        "law": {"purchase_price": purchase, "expected_sales": sales},
    }


def in_uk() -> Steps:
    return {"goal": {"places": ["uk"]}}


def off(name: str) -> Steps:
    return {"doors": {name: ""}}


CASES: dict[str, tuple[Callable[[], Steps], Callable[[], Steps]]] = {
    "cn.top_prize": (lambda: draw_prize("50000.00"), lambda: draw_prize("50000.01")),
    "cn.pools": (lambda: pools("3\n1"), lambda: pools("2\n2")),
    "cn.no_region": (lambda: {"doors": {"regions": ""}}, lambda: {"doors": {"regions": "Zhejiang"}}),
    "cn.at_once": (both, lambda: {**both(), "doors": {"waves": "2"}}),
    "cn.insiders": (dict, lambda: off("insiders_excluded")),
    "cn.reserve": (both, no_reserve),
    "cn.prizes_stated": (lambda: draw_prize("0.01"), lambda: draw_prize("0")),
    "us.free_draw_entry": (lambda: in_us(30), lambda: in_us(30, free="0")),
    "us.ny_time": (lambda: in_us(30), lambda: in_us(29)),
    "us.fl_time": (lambda: in_us(7), lambda: in_us(6)),
    "jp.prize": (lambda: in_jp("99980"), lambda: in_jp("99981")),
    "jp.total": (lambda: in_jp("100", sales="5000"), lambda: in_jp("101", sales="5000")),
    "uk.verifiable": (in_uk, in_uk),  # beyond: a private chain, and nobody who may audit it
}
ALSO_OPEN = {"us.fl_time": {"us.ny_time"}}  # whoever has seven days has not thirty


def asked(campaign: Campaign, client: Client) -> tuple[set[str], bool]:
    """Return the items that the page shows as open, and whether publication could be asked for."""
    page = client.get(games.step(campaign, "publish"))
    open_items = {item.id for place in page.context["laws"] for item in place.items if item.is_open}
    client.post(f"/console/games/{campaign.public_id}/publish")
    return open_items, Approval.objects.filter(payload__campaign=campaign.public_id).exists()


@pytest.mark.parametrize("item", CASES)
def test_an_item_at_its_boundary_and_one_unit_beyond(clock: Clock, item: str) -> None:  # noqa: F811
    keys.forget()
    client = games.client_of("mia")
    named = "uk.independent" if item == "uk.verifiable" else item
    found = []
    for place, steps in enumerate(CASES[item]):
        campaign = games.keep(START + DAYS, START, **steps())
        client.get(games.step(campaign, "law"))  # the rows follow the plan
        games.stand_for_all(campaign, at=START, but=named if place else "")
        found.append(asked(campaign, client))

    assert found[0] == (ALSO_OPEN.get(item, set()), item not in ALSO_OPEN)
    assert named in found[1][0]
    assert not found[1][1]


def test_every_computed_item_is_tried_through_the_page() -> None:
    computed = {row["id"] for place in law.PLACES for row in law.country(place)["items"] if row["kind"] == "computed"}

    assert set(CASES) == computed
