"""The law of each country: every computed item at its boundary and one unit beyond, and what keeps it from publishing."""

from dataclasses import replace

import pytest

from lottery import keys, law
from lottery.errors import LawOpen
from lottery.services import bring_document, checklist, sign_off
from tests.conftest import NOW
from tests.lottery import world
from tests.makers import make_batch


def prize(use="instant", kind="goods", units=1, price=100, currency="CNY"):
    return law.Tier(use, kind, "A prize", units, price, currency)


SOUND = law.Facts(
    places=["cn"], tiers=[prize()], has_instant=True, has_draws=True, days_ahead=40, pool_sizes=[3, 1],
    pool_quantities=[[], []], tier_quantities=[4], regions=[], waves=1, insiders_excluded=True, reserve_is_drawn=True,
    free_weight=1, paid_weights=[1], beacon="drand", purchase=100_000, sales=10**9, fields={},
)  # fmt: skip


def fulfilled(item, **facts):
    place = item.partition(".")[0]
    found = law.check(replace(SOUND, places=[place], **facts), sign_offs={})
    return next(one for one in found if one.id == item).fulfilled


def applies(item, **facts):
    place = item.partition(".")[0]
    found = law.check(replace(SOUND, places=[place], **facts), sign_offs={})
    return next(one for one in found if one.id == item).applies


BOUNDARIES = {
    "cn.top_prize": (
        {"tiers": [prize(price=4_000_000), prize("draw", price=1_000_000)]},
        {"tiers": [prize(price=4_000_000), prize("draw", price=1_000_001)]},
    ),
    "cn.pools": ({"pool_quantities": [[3], [1]]}, {"pool_quantities": [[2], [2]]}),
    "cn.no_region": ({"regions": []}, {"regions": ["Zhejiang"]}),
    "cn.at_once": ({"waves": 1}, {"waves": 2}),
    "cn.insiders": ({"insiders_excluded": True}, {"insiders_excluded": False}),
    "cn.reserve": ({"reserve_is_drawn": True}, {"reserve_is_drawn": False}),
    "cn.prizes_stated": ({"tiers": [prize(units=1)]}, {"tiers": [prize(units=0)]}),
    "uk.verifiable": ({"beacon": "manual"}, {"beacon": "private"}),
    "us.free_draw_entry": ({"free_weight": 2, "paid_weights": [2]}, {"free_weight": 1, "paid_weights": [2]}),
    "us.ny_time": ({"days_ahead": 30}, {"days_ahead": 29}),
    "us.fl_time": ({"days_ahead": 7}, {"days_ahead": 6}),
    "jp.prize": (
        {"purchase": 4_999, "tiers": [prize(price=99_980, currency="JPY")]},
        {"purchase": 4_999, "tiers": [prize(price=99_981, currency="JPY")]},
    ),
    "jp.total": (
        {"sales": 5_000, "tiers": [prize(units=2, price=50, currency="JPY")]},
        {"sales": 5_000, "tiers": [prize(units=1, price=101, currency="JPY")]},
    ),
}


@pytest.mark.parametrize("item", BOUNDARIES)
def test_a_computed_item_at_its_boundary_and_beyond(item):
    at, beyond = BOUNDARIES[item]
    assert fulfilled(item, **at)
    assert not fulfilled(item, **beyond)


def test_every_computed_item_is_tested_at_its_boundary():
    computed = {row["id"] for place in law.PLACES for row in law.country(place)["items"] if row["kind"] == "computed"}
    assert computed == set(BOUNDARIES)


def test_japan_from_5000_yen_on():
    assert fulfilled("jp.prize", purchase=5_000, tiers=[prize(price=100_000, currency="JPY")])
    assert not fulfilled("jp.prize", purchase=5_000, tiers=[prize(price=100_001, currency="JPY")])
    assert not fulfilled("jp.prize", purchase=5_000, tiers=[prize(price=1, currency="CNY")])


@pytest.mark.parametrize(
    ("item", "limit", "currency"),
    [("us.ny_bond", 500_000, "USD"), ("us.fl_filing", 500_000, "USD"), ("us.ri_retail", 50_000, "USD")],
)
def test_thresholds_of_the_states(item, limit, currency):
    assert not applies(item, tiers=[prize(price=limit, currency=currency)])
    assert applies(item, tiers=[prize(price=limit + 1, currency=currency)])


def test_claims_are_shown_above_500_yuan():
    assert not applies("cn.claims_shown", tiers=[prize(price=50_000)])
    assert applies("cn.claims_shown", tiers=[prize(price=50_001)])


def test_another_country_needs_words_and_a_person():
    facts = replace(SOUND, places=["fr"], fields={"fr": {"text": "Règlement déposé"}})

    assert [item.is_open for item in law.check(facts, sign_offs={})] == [False, True]
    assert [item.is_open for item in law.check(facts, sign_offs={"fr.sign_off": "A. Juriste"})] == [False, False]


def test_data_names_source_date_and_both_languages():
    for place in law.PLACES:
        assert law.country(place)["as_of"] == "2026-11-01"
        for row in law.country(place)["items"]:
            assert row["source"], row["id"]
            assert set(row["text"]) == {"en", "zh"}, row["id"]


@pytest.mark.parametrize("place", law.PLACES)
def test_an_open_item_keeps_a_campaign_from_being_published(brand, place):
    keys.forget()
    batch = make_batch(count=10)
    campaign = world.instant([(batch.label_range.lower, batch.label_range.upper)], world.tier(1, 1), places=[place])

    with pytest.raises(LawOpen) as refused:
        world.published(campaign)

    assert refused.value.extra["items"]
    assert campaign.places == [place]


def test_a_uk_game_is_published_once_all_is_signed(brand):
    keys.forget()
    batch = make_batch(count=10)
    fields = ("how_to_take_part", "start_and_end", "restrictions", "promoter", "winners_announced")
    terms = {"law": {"uk": dict.fromkeys(fields, "as stated")}}
    spans = [(batch.label_range.lower, batch.label_range.upper)]
    campaign = world.instant(spans, world.tier(1, 1), places=["uk"], terms=terms)
    for item in checklist(campaign, at=NOW):
        if item.is_open and item.kind == "document":
            sign_off(campaign.pk, item.id, name="L. Counsel", signed_by="legal", at=NOW)
            assert next(one for one in checklist(campaign, at=NOW) if one.id == item.id).is_open  # a word is no paper
            bring_document(
                campaign.pk, item.id, file_name="a.pdf", data=b"%PDF-1", name="L. Counsel", brought_by="legal", at=NOW
            )
        elif item.is_open:
            sign_off(campaign.pk, item.id, name="L. Counsel", signed_by="legal", at=NOW)

    assert world.published(campaign).state == "published"
