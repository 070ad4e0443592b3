"""The portal's style, inlined so that a page stands by itself when there is no network."""

from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.utils.safestring import SafeString, mark_safe

from brands.models import Brand
from redemption import page as consumer


@lru_cache(maxsize=1)
def own_style() -> str:
    """Return what the portal adds to the consumer's style."""
    return consumer.shorten((Path(settings.BASE_DIR) / "static" / "portal" / "portal.css").read_text())


def style_of(brand: Brand) -> SafeString:
    """Return tokens, ground, the portal's own parts, and the brand's three variables."""
    return mark_safe(consumer.style_of(brand) + own_style())  # noqa: S308 - our own files
