"""What a diverted unit costs: margins of products, weighed by what was shipped."""

import pytest

from analytics.worth import Worth, _mean, usual_margin, worth_of
from brands.models import Brand
from labels.forms import ProductForm
from labels.models import Product
from labels.services import change_product
from tests.channel.goods import make_goods, send


def test_a_shipment_is_worth_the_margin_of_its_products(brand: Brand) -> None:
    goods = make_goods(2)
    shipment = send(goods, goods.a, 0, 1).document
    product = goods.batch.product
    assert worth_of([shipment.pk]) == {shipment.pk: Worth((product.pk,), None, "")}

    change_product(product, name="Oolong", name_zh="乌龙", margin=2850, currency="CNY")

    assert worth_of([shipment.pk]) == {shipment.pk: Worth((product.pk,), 2850.0, "CNY")}
    assert worth_of([]) == {}


def test_margins_are_weighed_by_the_labels_and_not_mixed_between_currencies() -> None:
    parts = [(1, 300), (2, 100), (3, 50)]

    assert _mean(parts, {1: (1000, "CNY"), 2: (2000, "CNY")}) == Worth((1, 2, 3), 1250.0, "CNY")
    assert _mean(parts, {1: (1000, "CNY"), 2: (2000, "USD")}) == Worth((1, 2, 3), None, "")


def test_what_to_work_on_first() -> None:
    assert Worth((1,), 200.0, "CNY").priority(0.5, 10.0, usual=7.0) == 1000.0
    assert Worth((1,)).priority(0.5, 10.0, usual=7.0) == 35.0


def test_without_any_margin_units_alone_count(brand: Brand) -> None:
    make_goods(1)
    assert usual_margin() == 1.0

    Product.objects.update(margin=300, currency="CNY")

    assert usual_margin() == 300.0


@pytest.mark.parametrize(
    ("typed", "kept"),
    [
        ({"margin": "28.50", "currency": "CNY"}, (2850, "CNY")),
        ({"margin": "28", "currency": "JPY"}, (28, "JPY")),
        ({"margin": "", "currency": "CNY"}, (None, "")),
    ],
)
def test_a_margin_is_typed_in_the_currencys_own_unit(typed: dict[str, str], kept: tuple[int | None, str]) -> None:
    product = Product(margin=1000, currency="USD")
    form = ProductForm({"name": "Oolong", "name_zh": "乌龙", **typed}, product=product)

    assert form.is_valid(), form.errors
    assert (form.cleaned_data["margin"], form.cleaned_data["currency"]) == kept
    assert form.initial["margin"] == 10


def test_a_margin_needs_a_currency_it_knows() -> None:
    for typed in ({"margin": "5"}, {"margin": "5", "currency": "XXX"}, {"margin": "-1", "currency": "CNY"}):
        assert not ProductForm({"gtin": "1", "name": "O", "name_zh": "乌", **typed}).is_valid()
