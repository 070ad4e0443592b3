"""The demo's goods: made twice they are the same; and the story of them, which is planted for the fit to find."""

from collections import Counter
from datetime import timedelta

import pytest

from brands.models import Brand
from channel.models import Document, Partner, Region, Territory, Unit
from channel.queries import custody_at
from config.demo import story, trade
from config.demo.goods import CASES, NEWEST, _send_newest, seed_goods
from config.demo.story import BatchPlan, BlockPlan, BrandPlan, PartnerPlan
from tests.channel.goods import NOW
from tests.makers import labels_of, make_active_batch, make_partner

PLAN = BrandPlan(
    products=(),
    partners=(
        PartnerPlan("distributor", "South", "", "CN-GD", ("CN-GD",)),
        PartnerPlan("distributor", "North", "", "CN-BJ"),
    ),
    campaigns=(),
    batches=(BatchPlan("tea", "tea", 2_000, 0, blocks=(BlockPlan(1_350, 1_360, "stolen", 1, ""),)),),
    sold=(("tea", 1),),
    members=1,
    redemptions=1,
    checks=1,
)


def test_the_demos_goods_are_on_their_way(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("config.demo.goods.KEPT_BACK", 100)
    china = Region.objects.create(code="CN", kind="country", name="China")
    Region.objects.create(code="CN-GD", kind="province", parent=china, name="Guangdong")
    partners = [make_partner("distributor"), make_partner("distributor"), make_partner("retailer")]
    partners[2].region = "CN-GD"
    began = NOW - timedelta(days=30)
    batch = make_active_batch(2_000, at=began)

    for _again in range(2):
        seed_goods(PLAN, {"tea": batch}, partners, began, at=NOW)

    assert set(Document.objects.values_list("status", flat=True)) == {"ACCEPTED"}
    assert Partner.objects.get(pk=partners[2].pk).parent == partners[0], "the shop stands in its territory"
    assert (Unit.objects.count(), Territory.objects.count()) == (CASES + 1, 1)
    for label, partner, market in (
        (0, 0, ("CN-GD",)),  # a part each
        (500, 1, ()),
        (1_000, 0, ("CN-GD",)),  # the pallet
        (1_300, 0, ("CN-GD",)),  # the rest
        (1_899, 0, ("CN-GD",)),
    ):
        held = custody_at(labels_of(batch)[label], NOW)
        assert held is not None
        assert (held.partner_id, held.state, held.market) == (partners[partner].pk, "held", market)
    assert custody_at(labels_of(batch)[1_355], NOW) is None  # stolen
    assert custody_at(labels_of(batch)[1_900], NOW) is None  # kept back


def test_cases_are_opened_where_they_were_sent_but_for_those_that_were_diverted() -> None:
    plan = story.XILAN
    region = {city.name: city.region for city in story.CITIES}
    met: dict[bool, Counter[bool]] = {True: Counter(), False: Counter()}

    for event in story.events(plan, "demo", 1):
        if event.batch != plan.cartons or event.city is None or event.place_in_batch >= trade.LABELS * 36:
            continue
        consignment = trade.CONSIGNMENTS[event.place_in_batch // trade.LABELS]
        case = event.place_in_batch % trade.LABELS // trade.PER_CASE
        at_home = plan.owner_of(region[event.city.name]) == consignment.distributor
        met[case < consignment.strays.cases][at_home] += 1

    assert met[False][True] > 10 * met[False][False] > 0  # honest goods are seen at home, but for travellers
    assert met[True][False] > 5 * met[True][True]


def test_the_story_is_the_same_each_time() -> None:
    assert story.events(story.XILAN, "demo", 0.05) == story.events(story.XILAN, "demo", 0.05)
    numbers = [story.phone_of(person) for person in range(story.XILAN.members)]
    assert len(set(numbers)) == len(numbers)
    assert {len(number) for number in numbers} == {14}


def test_the_newest_cases_wait_to_be_confirmed(brand: Brand) -> None:
    batch = make_active_batch(
        len(trade.CONSIGNMENTS) * trade.LABELS + 2 * NEWEST * trade.PER_CASE, at=NOW - timedelta(days=2)
    )
    distributors = [make_partner("distributor"), make_partner("distributor")]

    for hours in (0, 1):
        _send_newest(batch, distributors, NOW + timedelta(hours=hours))

    assert Document.objects.filter(kind="shipment").count() == 2
    for place, distributor in enumerate(distributors):
        label = batch.goods[0] + len(trade.CONSIGNMENTS) * trade.LABELS + place * NEWEST * trade.PER_CASE
        held = custody_at(label, NOW)
        assert held is not None
        assert (held.partner_id, held.state) == (distributor.pk, "in_transit")
