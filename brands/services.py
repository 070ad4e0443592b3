"""Making brands. Runs with the owner's database role: it creates a schema and migrates it."""

from typing import Any

from django.conf import settings
from django.db import connection

from brands.models import Brand, Domain
from brands.queries import forget_hosts
from common.errors import Conflict


class BrandExists(Conflict):
    """There is already a brand of that schema or host."""

    code = "brand_exists"


def create_brand(*, schema: str, host: str, **fields: Any) -> Brand:
    """Create the brand's row, its schema with all tables, and its host name. Raises `BrandExists`."""
    connection.set_schema_to_public()
    if Brand.objects.filter(schema_name=schema).exists() or Domain.objects.filter(domain=host).exists():
        raise BrandExists
    brand = Brand(schema_name=schema, **fields)
    brand.save(verbosity=0)
    Domain.objects.create(domain=host.lower(), tenant=brand, is_primary=True)
    forget_hosts()
    return brand


def ensure_platform() -> Brand:
    """Create the row that stands for the platform itself (public schema), if it is not there."""
    connection.set_schema_to_public()
    brand: Brand | None = Brand.objects.filter(schema_name=settings.PUBLIC_SCHEMA_NAME).first()
    if brand is None:
        brand = Brand(
            schema_name=settings.PUBLIC_SCHEMA_NAME,
            name="Platform",
            name_zh="平台",
            short_name="Platform",
            short_name_zh="平台",
        )
        brand.save(verbosity=0)
    Domain.objects.get_or_create(domain="platform.localhost", defaults={"tenant": brand, "is_primary": True})
    return brand


def change_brand(brand: Brand, **fields: Any) -> list[str]:
    """Change what a brand says about itself; return the names of what has changed."""
    changed = [name for name, value in fields.items() if getattr(brand, name) != value]
    if changed:
        Brand.objects.filter(pk=brand.pk).update(**{name: fields[name] for name in changed})
        forget_hosts()
    return changed
