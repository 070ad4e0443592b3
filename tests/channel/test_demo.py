"""The demo's goods: made twice they are the same."""

from datetime import timedelta

from brands.models import Brand
from channel.models import Document, Region, Territory, Unit
from channel.queries import custody_at
from config.demo.goods import CASES, seed_goods
from tests.channel.goods import NOW
from tests.makers import labels_of, make_active_batch, make_partner


def test_the_demos_goods_are_on_their_way(brand: Brand) -> None:
    china = Region.objects.create(code="CN", kind="country", name="China")
    Region.objects.create(code="CN-GD", kind="province", parent=china, name="Guangdong")
    partners = [make_partner("distributor"), make_partner("distributor"), make_partner("retailer")]
    partners[0].region = "CN-GD"
    began = NOW - timedelta(days=30)
    batch = make_active_batch(800, at=began)

    for _again in range(2):
        seed_goods([batch], partners, began, at=NOW)

    assert set(Document.objects.values_list("status", flat=True)) == {"ACCEPTED"}
    assert (Unit.objects.count(), Territory.objects.count()) == (CASES + 1, 1)
    for label, partner, market in ((0, 0, ("CN-GD",)), (200, 1, ()), (400, 0, ("CN-GD",))):
        held = custody_at(labels_of(batch)[label], NOW)
        assert held is not None
        assert (held.partner_id, held.state, held.market) == (partners[partner].pk, "held", market)
