"""What every template knows."""

from typing import Any

from django.conf import settings
from django.db import connection
from django.http import HttpRequest


def product(request: HttpRequest) -> dict[str, Any]:
    """Return the product's name and the brand of this request (None on the platform's own host)."""
    tenant = getattr(connection, "tenant", None)
    brand = tenant if tenant is not None and tenant.schema_name != settings.PUBLIC_SCHEMA_NAME else None
    return {"product_name": settings.PRODUCT_NAME, "product_name_both": settings.PRODUCT_NAME_BOTH, "brand": brand}
