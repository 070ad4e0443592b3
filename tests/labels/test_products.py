"""Products and their GTINs."""

from datetime import datetime

import pytest
from django.utils import translation

from brands.models import Brand
from labels import services
from labels.models import Product
from labels.services import change_product, create_product, gtin14


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("9501101530003", "09501101530003"),
        (" 09501101530003 ", "09501101530003"),
        ("96385074", "00000096385074"),
        ("614141000036", "00614141000036"),
    ],
)
def test_gtins_of_any_length_become_14_digits(typed: str, stored: str) -> None:
    assert gtin14(typed) == stored


@pytest.mark.parametrize(
    "typed", ["", "9501101530004", "950110153000", "95011015300030", "９５０１１０１５３０００３", "A501101530003"]
)
def test_what_is_no_gtin_is_refused(typed: str) -> None:
    with pytest.raises(services.BadGtin):
        gtin14(typed)


def test_one_product_a_gtin(product: Product, at: datetime) -> None:
    with pytest.raises(services.GtinTaken):
        create_product(gtin=product.gtin.lstrip("0"), name="Again", name_zh="再", at=at)

    assert Product.objects.count() == 1
    assert product.public_id.startswith("prd_")
    assert len(product.public_id) == 24


def test_a_name_in_each_language(product: Product, brand: Brand) -> None:
    change_product(product, name="Oolong", name_zh="乌龙", description="Tea", description_zh="茶")

    with translation.override("zh-hans"):
        assert (str(product), product.display_description) == ("乌龙", "茶")
    with translation.override("en"):
        assert (str(product), product.display_description) == ("Oolong", "Tea")
