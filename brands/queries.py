"""Looking up brands. The answers are kept in this process for ten seconds."""

from datetime import date, datetime
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db import connection

from brands.models import Brand, Domain
from common.db import schema_name
from common.kept import Kept


def brand_of_host(host: str) -> Brand | None:
    """Return the brand (or the platform's public row) that answers at ``host``, or None."""
    return _at_host(host) if host.isascii() and host.isprintable() else None


def _read_host(host: str) -> Brand | None:
    connection.set_schema_to_public()
    brand: Brand | None = Brand.objects.filter(domains__domain=host).first()
    return brand


_at_host: Kept[Brand | None] = Kept(_read_host)


def brand_at_hand(host: str) -> Brand | None:
    """Return the brand that answers at ``host`` if this process has lately asked who does; asks no database."""
    brand = _at_host.at_hand(host)
    return brand if brand is not None and brand.schema_name != settings.PUBLIC_SCHEMA_NAME else None


def forget_hosts() -> None:
    """Drop what is kept, after a change of brands in this process."""
    _at_host.forget()


def is_public() -> bool:
    """Return whether the connection points at the platform's own schema."""
    return schema_name() == settings.PUBLIC_SCHEMA_NAME


def brand_zone() -> ZoneInfo:
    """Return the time zone of the brand at which the connection points (UTC for the platform).

    Where only the schema's name was set, the brand's row is read.
    """
    zone = getattr(getattr(connection, "tenant", None), "time_zone", None)
    if zone is None and not is_public():
        zone = Brand.objects.values_list("time_zone", flat=True).get(schema_name=schema_name())
    return ZoneInfo(zone or "UTC")


def brand_date(at: datetime) -> date:
    """Return the day that ``at`` falls on for the brand: its days begin and end in its own zone."""
    return at.astimezone(brand_zone()).date()


def base_url() -> str:
    """Return the address of the brand at which the connection points: its first host, by the platform's scheme."""
    host = Domain.objects.filter(tenant__schema_name=schema_name()).order_by("-is_primary", "pk").first()
    base = urlsplit(settings.PUBLIC_BASE_URL)
    if host is None:
        return str(settings.PUBLIC_BASE_URL)
    return f"{base.scheme}://{host.domain}" + (f":{base.port}" if base.port else "")


def brands_named(schema: str | None) -> list[Brand]:
    """Return the brand with this schema, or every brand, in the order of schemas; none if there is no such brand."""
    brands = Brand.objects.exclude(schema_name=settings.PUBLIC_SCHEMA_NAME).order_by("schema_name")
    return list(brands.filter(schema_name=schema) if schema else brands)
