"""The links of products: pages elsewhere that a label's Digital Link leads to, or tells of."""

import re
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import urlsplit

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from common.errors import Conflict, Invalid
from labels.linkset import WebLink, link_types
from labels.models import Product, ProductLink

_LANGUAGE = re.compile(r"[a-z]{2,3}(-[a-z0-9]{2,8})*", re.IGNORECASE)
_SCRIPT_LETTERS, _REGION_LETTERS = 4, 2


class BadLinkAddress(Invalid):
    """The address of a link begins with https:// and names a host."""

    code = "bad_link_address"


class UnknownLinkType(Invalid):
    """There is no such kind of link."""

    code = "unknown_link_type"


class BadLinkLanguage(Invalid):
    """A language is written as a tag such as en, zh-Hans or fr."""

    code = "bad_link_language"


class LinkTaken(Conflict):
    """The product has such a link in this language already."""

    code = "link_taken"


@dataclass(frozen=True, slots=True)
class NewLink:
    """What a link is to say. ``language`` empty: for every language."""

    link_type: str
    href: str
    title: str
    title_zh: str
    language: str = ""
    media_type: str = "text/html"
    is_default: bool = False


def links_of(gtin: str) -> list[WebLink]:
    """Return the links of a product in their order, none if there is no such product. One query."""
    rows = ProductLink.objects.filter(product__gtin=gtin).order_by("-is_default", "link_type", "language")
    fields = ("link_type", "href", "title", "title_zh", "language", "media_type", "is_default")
    return [WebLink(*row) for row in rows.values_list(*fields)]


def add_link(product: Product, link: NewLink, *, at: datetime) -> ProductLink:
    """Add a link. Raises `BadLinkAddress`, `UnknownLinkType`, `BadLinkLanguage`, `LinkTaken`."""
    return _save(ProductLink(product=product, created_at=at), link)


def change_link(row: ProductLink, link: NewLink) -> ProductLink:
    """Change a link; raises what `add_link` raises."""
    return _save(row, link)


def remove_link(row: ProductLink) -> None:
    """Remove a link; the audit trail keeps what it was."""
    row.delete()


def _save(row: ProductLink, link: NewLink) -> ProductLink:
    if link.link_type not in link_types():
        raise UnknownLinkType(_("There is no such kind of link."))
    address = link.href.strip()
    if not _is_https(address):
        raise BadLinkAddress(_("The address of a link begins with https:// and names a host."))
    row.language, row.href = _tag(link.language), address
    row.link_type, row.title, row.title_zh = link.link_type, link.title, link.title_zh
    row.media_type, row.is_default = link.media_type, link.is_default
    try:
        with transaction.atomic():
            row.save()
    except IntegrityError as error:
        if "default" in str(error):
            raise LinkTaken(_("Another link of this product opens on scanning in this language already.")) from error
        raise LinkTaken(_("The product has a link of this kind in this language already.")) from error
    return row


def _is_https(address: str) -> bool:
    """Return whether this is an address that a redirect may lead to: https, a host, no name or password in it."""
    try:
        parts = urlsplit(address)
        parts.port  # noqa: B018 - raises for a port that is none
    except ValueError:
        return False
    plain = address.isprintable() and not any(sign.isspace() or sign == "\\" for sign in address)
    return plain and address.startswith("https://") and bool(parts.hostname) and parts.username is None


def _tag(language: str) -> str:
    """Return a language tag as it is usually written: zh-Hans, pt-BR."""
    text = language.strip()
    if not text:
        return ""
    if not _LANGUAGE.fullmatch(text) or len(text) > ProductLink._meta.get_field("language").max_length:  # type: ignore[operator]
        raise BadLinkLanguage(_("A language is written as a tag such as en, zh-Hans or fr."))
    primary, *rest = text.lower().split("-")
    shaped = [
        part.title() if len(part) == _SCRIPT_LETTERS else part.upper() if len(part) == _REGION_LETTERS else part
        for part in rest
    ]
    return "-".join([primary, *shaped])
