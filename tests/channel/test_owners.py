"""Whose a place was on a day, and for which market goods were sold."""

from datetime import date, datetime, timedelta

import pytest
from django.db import IntegrityError, transaction

from brands.models import Brand
from channel.models import Partner, ProductLine, Region, Territory
from channel.queries import custody_at, markets_of, owner_of, owners_of
from tests.channel.goods import NOW, ago, make_goods, make_region, send
from tests.makers import make_partner, make_product

TODAY = NOW.date()


@pytest.fixture
def tree(brand: Brand) -> dict[str, Region]:
    country = make_region("CN", kind="country")
    province = make_region("CN-GD", country)
    city = make_region("CN-440100", province, "city")
    county = make_region("CN-440106", city, "county")
    other = make_region("CN-440300", province, "city")
    return {one.code: one for one in (country, province, city, county, other)}


def give(partner: Partner, region: Region, line: ProductLine | None = None, **days: object) -> Territory:
    days.setdefault("valid_from", date(2020, 1, 1))
    return Territory.objects.create(partner=partner, region=region, line=line, **days)


def test_the_most_specific_region_wins(tree: dict[str, Region]) -> None:
    a, b = (make_partner("distributor", name=name) for name in "AB")
    give(a, tree["CN-GD"])
    give(b, tree["CN-440100"])

    found = owners_of([(code, None, NOW) for code in ("CN-440106", "CN-440300", "CN-GD", "CN", "XX")])

    assert found == [(b.pk,), (a.pk,), (a.pk,), (), ()]


def test_the_narrower_line_wins_then_the_later_start(tree: dict[str, Region]) -> None:
    tea, cake, other = make_product(), make_product(), make_product()
    a, b, c, d = (make_partner("distributor", name=name) for name in "ABCD")
    wide, narrow = (ProductLine.objects.create(name=name) for name in ("Wide", "Narrow"))
    wide.products.set([tea, cake])
    narrow.products.set([tea])
    give(a, tree["CN-GD"])
    give(b, tree["CN-GD"], wide)
    give(c, tree["CN-GD"], narrow)
    give(d, tree["CN-GD"], valid_from=date(2026, 1, 1))

    found = owners_of([("CN-GD", product, NOW) for product in (tea.pk, cake.pk, other.pk, None)])

    assert found == [(c.pk,), (b.pk,), (d.pk,), (d.pk,)]
    assert owner_of("CN-GD", None, datetime(2025, 6, 1, tzinfo=NOW.tzinfo)) == a.pk


def test_days_are_the_brands_and_inclusive(tree: dict[str, Region]) -> None:
    a, b = (make_partner("distributor", name=name) for name in "AB")
    give(a, tree["CN-GD"], valid_to=date(2026, 11, 10))
    give(b, tree["CN-GD"], valid_from=date(2026, 11, 11))
    midnight = datetime(2026, 11, 10, 16, tzinfo=NOW.tzinfo)  # in Shanghai

    found = owners_of([("CN-GD", None, midnight - timedelta(seconds=1)), ("CN-GD", None, midnight)])

    assert found == [(a.pk,), (b.pk,)]


def test_equal_rank_is_refused_unless_shared(tree: dict[str, Region]) -> None:
    a, b, c = (make_partner("distributor", name=name) for name in "ABC")
    give(a, tree["CN-GD"])
    with pytest.raises(IntegrityError, match="a_territory_is_one_partners_unless_shared"), transaction.atomic():
        give(b, tree["CN-GD"])

    give(b, tree["CN-440100"], is_shared=True)
    give(c, tree["CN-440100"], is_shared=True)

    assert owners_of([("CN-440100", None, NOW)]) == [(b.pk, c.pk)]


def test_an_abolished_code_is_found_where_it_went(tree: dict[str, Region]) -> None:
    a = make_partner("distributor")
    give(a, tree["CN-440300"])
    old = Region.objects.create(
        code="CN-441900", kind="city", parent=tree["CN"], name="Old", replaced_by=tree["CN-440300"], valid_to=TODAY
    )

    assert owner_of(old.code, None, NOW) == a.pk


def test_a_change_of_territory_leaves_the_market_of_what_was_shipped_before(tree: dict[str, Region]) -> None:
    goods = make_goods()
    give(goods.a, tree["CN-GD"], valid_to=TODAY - timedelta(days=3))
    give(goods.a, tree["CN-440300"], valid_from=TODAY - timedelta(days=2))
    send(goods, goods.a, 0, at=ago(days=5))
    send(goods, goods.a, 1, at=ago(days=1))
    send(goods, goods.shop, 1, at=ago(hours=2), source=goods.a)

    early, late = (custody_at(goods.labels(case)[0], NOW) for case in (0, 1))

    assert early is not None
    assert late is not None
    assert (early.market, early.distributor_id) == (("CN-GD",), goods.a.pk)
    assert (late.market, late.distributor_id, late.partner_id) == (("CN-440300",), goods.a.pk, goods.shop.pk)


def test_a_market_may_be_named_on_the_shipment(tree: dict[str, Region]) -> None:
    from channel.acts import UnknownMarket, ship
    from tests.channel.goods import items, paper

    goods = make_goods()
    give(goods.a, tree["CN-GD"])
    ship(paper(), items(goods.cases[0]), source=None, destination=goods.a, market="CN-440300")

    held = custody_at(goods.labels(0)[0], NOW)

    assert held is not None
    assert held.market == ("CN-440300",)
    assert markets_of([(goods.shop.pk, None, NOW)]) == [(goods.a.pk, ("CN-GD",))]
    with pytest.raises(UnknownMarket):
        ship(paper(), items(goods.cases[1]), source=None, destination=goods.a, market="CN-XX")
