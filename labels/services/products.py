"""Products, which labels are bound to."""

from datetime import datetime

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from common.errors import Conflict, Invalid
from labels.identifiers import check_digit_is_right
from labels.models import Product


class BadGtin(Invalid):
    """That is no GTIN: its length or its check digit is wrong."""

    code = "bad_gtin"


class GtinTaken(Conflict):
    """There is already a product with this GTIN."""

    code = "gtin_taken"


def gtin14(text: str) -> str:
    """Return a GTIN of 8, 12, 13 or 14 digits as 14. Raises `BadGtin`."""
    digits_only = text.strip()
    if not (digits_only.isascii() and digits_only.isdecimal() and len(digits_only) in {8, 12, 13, 14}):
        raise BadGtin(_("A GTIN has 8, 12, 13 or 14 digits."))
    if not check_digit_is_right(digits_only):
        raise BadGtin(_("The last digit of this GTIN does not fit the others."))
    return digits_only.zfill(14)


def create_product(
    *,
    gtin: str,
    name: str,
    name_zh: str,
    sku: str = "",
    description: str = "",
    description_zh: str = "",
    margin: int | None = None,
    currency: str = "",
    at: datetime,
) -> Product:
    """Make a product. Raises `BadGtin`, `GtinTaken`."""
    product = Product(
        gtin=gtin14(gtin),
        name=name,
        name_zh=name_zh,
        sku=sku,
        description=description,
        description_zh=description_zh,
        margin=margin,
        currency=currency if margin is not None else "",
        created_at=at,
    )
    try:
        with transaction.atomic():
            product.save(force_insert=True)
    except IntegrityError as error:
        raise GtinTaken(_("There is already a product with this GTIN.")) from error
    return product


def change_product(
    product: Product,
    *,
    name: str,
    name_zh: str,
    sku: str = "",
    description: str = "",
    description_zh: str = "",
    is_active: bool = True,
    margin: int | None = None,
    currency: str = "",
) -> Product:
    """Change what a product is called, and what a diverted unit costs. Its GTIN stays: it is printed."""
    product.margin, product.currency = margin, currency if margin is not None else ""
    product.name, product.name_zh, product.sku = name, name_zh, sku
    product.description, product.description_zh, product.is_active = description, description_zh, is_active
    product.save(
        update_fields=["name", "name_zh", "sku", "description", "description_zh", "is_active", "margin", "currency"]
    )
    return product
