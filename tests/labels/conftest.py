"""A product, and batches of labels made the way the services make them."""

from collections.abc import Callable
from datetime import date, datetime
from typing import Any

import pytest

from brands.models import Brand
from labels.models import Batch, Product
from labels.services import activate, create_product, generate_batch, order_batch

GTIN = "09501101530003"
OTHER_GTIN = "09506000134352"
MakeBatch = Callable[..., Batch]


@pytest.fixture
def product(brand: Brand, at: datetime) -> Product:
    return create_product(gtin=GTIN, name="Oolong 250 g", name_zh="雾岭乌龙250克", at=at)


@pytest.fixture
def other_product(brand: Brand, at: datetime) -> Product:
    return create_product(gtin=OTHER_GTIN, name="Green 100 g", name_zh="绿茶100克", at=at)


@pytest.fixture
def make_batch(product: Product, at: datetime) -> MakeBatch:
    """Order and generate; ``active=True`` puts all of it on sale, with any field of `activate`."""
    made = 0

    def make(count: int = 1000, *, active: bool = False, of: Product = product, **fields: Any) -> Batch:
        nonlocal made
        made += 1
        on_sale = {name: fields.pop(name) for name in ("lot", "market", "valid_until") if name in fields}
        batch = order_batch(order_key=f"order-{made}", product=of, count=count, at=at, **fields)
        generate_batch(batch.pk, clock=lambda: at)
        if active:
            activate(label_range=bounds(batch), product=of, at=at, **on_sale)
        batch.refresh_from_db()
        return batch

    return make


def bounds(batch: Batch) -> tuple[int, int]:
    return batch.label_range.lower, batch.label_range.upper


def day(text: str) -> date:
    return date.fromisoformat(text)
