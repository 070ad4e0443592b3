"""The tree of regions as the file has it."""

import re

import pytest
from django.core.management import CommandError, call_command

from brands.models import Brand
from channel.models import Region, Territory
from channel.queries import owner_of
from channel.regions import UnknownCountry, load
from common.geo import provinces_of_china
from tests.channel.goods import NOW, TODAY
from tests.makers import make_partner


@pytest.fixture
def china(brand: Brand) -> int:
    return load(["CN", "SG"])


def test_china_is_whole(china: int) -> None:
    kinds = {kind: set(Region.objects.filter(kind=kind, code__startswith="CN-")) for kind in ("city", "county")}

    assert {one.code for one in provinces_of_china()} <= set(Region.objects.values_list("code", flat=True))
    assert (len(kinds["city"]) > 330, len(kinds["county"]) > 2_800) == (True, True)
    assert all(re.fullmatch(r"CN-\d{4}00|CN-\d{6}", one.code) for one in kinds["city"])
    placed = [one for one in kinds["city"] if one.lat is not None and one.population]
    assert len(placed) >= 0.93 * len(kinds["city"])
    city = Region.objects.get(code="CN-440100")
    assert (city.name, city.name_zh, city.parent.code) == ("Guangzhou", "广州市", "CN-GD")
    assert abs(city.lat - 23.13) < 0.1
    assert abs(city.lon - 113.26) < 0.1
    assert Region.objects.get(code="CN-440106").parent == city
    assert Region.objects.filter(code="SG").exists()
    assert not Region.objects.filter(code="US").exists()


def test_an_abolished_code_leads_to_what_replaced_it(china: int) -> None:
    old = Region.objects.get(code="CN-371200")
    partner = make_partner("distributor")
    Territory.objects.create(
        partner=partner, region=Region.objects.get(code="CN-370100"), valid_from=TODAY.replace(year=2020)
    )

    assert str(old.valid_to) == "2019-01-08"
    assert owner_of("CN-371200", None, NOW) == partner.pk


def test_loading_again_changes_nothing(china: int) -> None:
    before = list(Region.objects.order_by("id").values_list())

    assert load(["CN"]) < china
    assert list(Region.objects.order_by("id").values_list()) == before
    with pytest.raises(UnknownCountry):
        load(["CN", "QQ"])


def test_the_command_names_its_faults(brand: Brand, capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(CommandError, match="QQ"):
        call_command("load_regions", countries="QQ", brand=brand.schema_name)
    with pytest.raises(CommandError, match="brand"):
        call_command("load_regions", countries="SG", brand="nobody")

    call_command("load_regions", countries="SG", brand=brand.schema_name)

    assert "brand_a: " in capsys.readouterr().out
