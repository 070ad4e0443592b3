"""The jurisdiction checklist: what the law of a chosen country asks for before a campaign may be published.

Items are data (``<country>.json`` beside this file: text, kind, source, as-of date); the rules that compute are here.
General information, not legal advice: a named person signs. Money is in minor units; equality with a limit passes.
"""

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lottery.rules import share

if TYPE_CHECKING:
    from lottery.models import Campaign

PLACES = ("cn", "uk", "us", "jp")


@dataclass(frozen=True, slots=True)
class Tier:
    """A prize as the law sees it. ``units``: of all draws of a series together."""

    use: str
    kind: str
    name: str
    units: int
    price: int
    currency: str


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a campaign. ``fields``: what the wizard asked, by country; ``sales``, ``purchase`` in minor units."""

    places: Sequence[str]
    tiers: Sequence[Tier]
    has_instant: bool
    has_draws: bool
    days_ahead: int
    pool_sizes: Sequence[int]
    pool_quantities: Sequence[Sequence[int]]
    tier_quantities: Sequence[int]
    regions: Sequence[str]
    waves: int
    insiders_excluded: bool
    reserve_is_drawn: bool
    free_weight: int
    paid_weights: Sequence[int]
    beacon: str
    purchase: int | None
    sales: int | None
    fields: Mapping[str, Mapping[str, str]]


@dataclass(frozen=True, slots=True)
class Item:
    """One line of the checklist: does it apply, is it fulfilled, and by whose word."""

    id: str
    place: str
    kind: str
    text: Mapping[str, str]
    source: str
    as_of: str
    applies: bool
    fulfilled: bool
    by: str = ""
    due_days: int | None = None
    before_days: int | None = None
    field: str = ""
    currency: str = ""

    @property
    def is_open(self) -> bool:
        """Whether it keeps the campaign from being published."""
        return self.applies and not self.fulfilled


@cache
def country(place: str) -> dict[str, Any]:
    """Return a country's data. Raises KeyError for one that is not there."""
    if place not in PLACES:
        raise KeyError(place)
    found: dict[str, Any] = json.loads((Path(__file__).parent / f"{place}.json").read_text(encoding="utf-8"))
    return found


def check(facts: Facts, *, sign_offs: Mapping[str, str], documents: Collection[str] = frozenset()) -> list[Item]:
    """Return every item of the chosen countries. ``sign_offs``: item id → the person who stands for it.

    ``documents``: items whose paper was brought; such an item needs both. A country without data needs a text of its own (``fields[place]["text"]``) and a sign-off.
    """
    items: list[Item] = []
    for place in facts.places:
        if place in PLACES:
            data = country(place)
            items += [_item(place, data["as_of"], row, facts, sign_offs) for row in data["items"]]
        else:
            items += _elsewhere(place, facts, sign_offs)
    return [
        replace(item, fulfilled=False) if item.kind == "document" and item.id not in documents else item
        for item in items
    ]


def _item(place: str, as_of: str, row: Mapping[str, Any], facts: Facts, sign_offs: Mapping[str, str]) -> Item:
    name, by = str(row["id"]), sign_offs.get(str(row["id"]), "")
    applies = "when" not in row or _WHEN[row["when"]](facts, row)
    if row["kind"] == "computed":
        fulfilled = _RULES[row["rule"]](facts, row)
    elif row["kind"] == "field":
        fulfilled = bool(str(facts.fields.get(place, {}).get(row["field"], "")).strip())
    else:
        fulfilled = bool(by)
    return Item(
        name,
        place,
        row["kind"],
        row["text"],
        row["source"],
        as_of,
        applies,
        fulfilled,
        by,
        row.get("due_days"),
        row.get("before_days"),
        row.get("field", ""),
        row.get("currency", ""),
    )


def _elsewhere(place: str, facts: Facts, sign_offs: Mapping[str, str]) -> list[Item]:
    text = facts.fields.get(place, {}).get("text", "").strip()
    asked = {"en": "What the law of this place asks for, in your own words.", "zh": "用自己的话写明当地法律的要求。"}
    stood = {"en": "A named person stands for it.", "zh": "由具名人员确认。"}
    name = f"{place}.sign_off"
    by = sign_offs.get(name, "")
    return [
        Item(f"{place}.text", place, "field", asked, "", "", applies=True, fulfilled=bool(text), field="text"),
        Item(name, place, "sign-off", stood, "", "", applies=True, fulfilled=bool(by), by=by),
    ]


# --- rules -------------------------------------------------------------------------------------------------------------

Rule = Callable[[Facts, Mapping[str, Any]], bool]


def _in(currency: str, facts: Facts) -> bool:
    """Return whether every prize is priced in a currency: what is not cannot be compared, and stays open."""
    return all(tier.currency == currency for tier in facts.tiers)


def _dearest(facts: Facts, use: str) -> int:
    return max((tier.price for tier in facts.tiers if tier.use == use and tier.units), default=0)


def _all_prizes(facts: Facts) -> int:
    return sum(tier.units * tier.price for tier in facts.tiers)


def _top_prize_at_most(facts: Facts, row: Mapping[str, Any]) -> bool:
    top = _dearest(facts, "instant") + _dearest(facts, "draw")
    return _in(row["currency"], facts) and bool(top <= row["limit"])


def _pools_in_proportion(facts: Facts, _row: Mapping[str, Any]) -> bool:
    if not any(facts.pool_quantities):
        return True  # they are shared by size at publication
    columns = [share(quantity, facts.pool_sizes) for quantity in facts.tier_quantities]
    fair = [[column[place] for column in columns] for place in range(len(facts.pool_sizes))]
    return [list(row) for row in facts.pool_quantities] == fair


def _prize_by_purchase(facts: Facts, row: Mapping[str, Any]) -> bool:
    if facts.purchase is None or not _in(row["currency"], facts):
        return False
    limit = facts.purchase * row["times"] if facts.purchase < row["purchase"] else row["limit"]
    return bool(max((tier.price for tier in facts.tiers if tier.units), default=0) <= limit)


def _share_of_sales(facts: Facts, row: Mapping[str, Any]) -> bool:
    if facts.sales is None or not _in(row["currency"], facts):
        return False
    return bool(_all_prizes(facts) * 100 <= facts.sales * row["percent"])


_RULES: dict[str, Rule] = {
    "top_prize_at_most": _top_prize_at_most,
    "pools_in_proportion": _pools_in_proportion,
    "no_region": lambda facts, _row: not facts.regions,
    "all_at_once": lambda facts, _row: facts.waves <= 1,
    "insiders_excluded": lambda facts, _row: facts.insiders_excluded,
    "reserve_is_drawn": lambda facts, _row: facts.reserve_is_drawn or not facts.has_instant,
    "prizes_stated": lambda facts, _row: (
        bool(facts.tiers) and all(tier.name and tier.price > 0 and tier.units > 0 for tier in facts.tiers)
    ),
    "verifiably_random": lambda facts, _row: facts.beacon != "private",
    "free_entry_weighs_the_same": lambda facts, _row: facts.free_weight >= max(facts.paid_weights, default=1),
    "days_before_start": lambda facts, row: facts.days_ahead >= row["days"],
    "prize_by_purchase": _prize_by_purchase,
    "share_of_sales": _share_of_sales,
}
_WHEN: dict[str, Rule] = {
    "has_instant": lambda facts, _row: facts.has_instant,
    "has_draws": lambda facts, _row: facts.has_draws,
    "beacon_is_public": lambda facts, _row: facts.beacon != "private",
    "beacon_is_private": lambda facts, _row: facts.beacon == "private",
    "has_points_or_coupons": lambda facts, _row: any(tier.kind in {"points", "coupon"} for tier in facts.tiers),
    "has_prize_above": lambda facts, row: (
        not _in(row["currency"], facts) or any(tier.price > row["limit"] for tier in facts.tiers if tier.units)
    ),
    "all_prizes_above": lambda facts, row: not _in(row["currency"], facts) or _all_prizes(facts) > row["limit"],
}


def facts_of(campaign: "Campaign", *, at: datetime) -> Facts:
    """Return the facts of a draft."""
    from lottery.beacon_settings import default_beacon
    from lottery.prf import count
    from lottery.rules import Terms

    terms = Terms.read(campaign.terms, beacon=default_beacon())
    draws = campaign.draws.count()
    rows = list(campaign.tiers.order_by("use", "tier"))
    pools = list(campaign.pools.order_by("number"))
    law = campaign.terms.get("law", {})
    return Facts(
        places=campaign.places,
        tiers=[
            Tier(
                row.use,
                row.kind,
                row.name,
                row.quantity * (draws if row.use == "draw" else 1),
                row.market_price,
                row.currency,
            )
            for row in rows
        ],
        has_instant=campaign.has_instant,
        has_draws=campaign.has_draws,
        days_ahead=(campaign.opens_at - at) // timedelta(days=1),
        pool_sizes=[count([(first, beyond) for first, beyond in pool.ranges]) for pool in pools],
        pool_quantities=[pool.quantities for pool in pools],
        tier_quantities=[row.quantity for row in rows if row.use == "instant"],
        regions=campaign.terms.get("regions", []),
        waves=int(campaign.terms.get("waves", 1)),
        insiders_excluded=bool(campaign.terms.get("insiders_excluded", True)),
        reserve_is_drawn=terms.reserve and draws > 0,
        free_weight=terms.weights["free"],
        paid_weights=[terms.weights[name] for name in ("label", "losing_play") if terms.weights[name]],
        beacon=terms.beacon.source,
        purchase=law.get("purchase_price"),
        sales=law.get("expected_sales"),
        fields={place: values for place, values in law.items() if isinstance(values, dict)},
    )
