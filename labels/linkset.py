"""Links of a product, as a GS1 Digital Link resolver tells them: which one is meant, and the linkset (RFC 9264).

Pure. Link types are those of the GS1 Web Vocabulary; `link_types.json` is a copy of the names that a consumer or an
authority may ask for, with a title in each of our languages.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote_plus

VOCABULARY = "https://ref.gs1.org/voc/"
_PREFIXES = (VOCABULARY, "https://gs1.org/voc/", "https://www.gs1.org/voc/", "gs1:")
MEDIA_TYPE = "application/linkset+json"
ALL_LINKS = ("linkset", "all")
DEFAULT, VERIFICATION, LOYALTY, RECALL = "defaultLink", "verificationService", "loyaltyProgram", "recallStatus"
_QUERY_SAFE = "!$&'()*+,;=:@/?%-._~"
# Which Chinese a region writes, for browsers that name the region alone.
_SCRIPTS = {"zh-cn": "zh-hans", "zh-sg": "zh-hans", "zh-tw": "zh-hant", "zh-hk": "zh-hant", "zh-mo": "zh-hant"}


@dataclass(frozen=True, slots=True)
class WebLink:
    """One link: its type without ``gs1:``, where it leads, its title in each language, and whose language it is in.

    ``language`` is a BCP 47 tag, empty for a page of every language.
    """

    link_type: str
    href: str
    title: str
    title_zh: str = ""
    language: str = ""
    media_type: str = "text/html"
    is_default: bool = False

    def target(self) -> dict[str, Any]:
        """Return the target object of RFC 9264, section 4.2.3."""
        found: dict[str, Any] = {"href": self.href, "type": self.media_type, "title": self.title}
        if self.title_zh:
            found["title*"] = [{"value": self.title_zh, "language": "zh-Hans"}]
        if self.language:
            found["hreflang"] = [self.language]
        return found


@dataclass(frozen=True, slots=True)
class Context:
    """All links of one thing: of a label, or of a product."""

    anchor: str
    links: Sequence[WebLink]


@cache
def link_types() -> dict[str, dict[str, str]]:
    """Return the titles of each link type, by language."""
    found: dict[str, dict[str, str]] = json.loads(Path(__file__).with_name("link_types.json").read_text())
    return found


def link_type_of(asked: str) -> str | None:
    """Return the name of a link type written as ``gs1:pip`` or as an address of the vocabulary, else None."""
    name = next((asked.removeprefix(prefix) for prefix in _PREFIXES if asked.startswith(prefix)), None)
    return name if name == DEFAULT or name in link_types() else None


def best(links: Iterable[WebLink], wished: Sequence[str], fallback: str = "") -> WebLink | None:
    """Return the link whose language fits best; ``wished`` are language tags, the most wanted first.

    Look-up of RFC 4647 for each wish, then any link of that language; then a link for every language, then one in
    ``fallback``, then the first.
    """
    by_language: dict[str, WebLink] = {}
    for link in links:
        by_language.setdefault(link.language.lower(), link)
    for wish in [*(wish.lower() for wish in wished), "", fallback.lower()]:
        if wish == "*":
            continue
        found = _in_language(by_language, wish)
        if found is not None:
            return found
    return next(iter(by_language.values()), None)


def _in_language(links: dict[str, WebLink], wish: str) -> WebLink | None:
    for tag in _broader(wish):
        if tag in links:
            return links[tag]
    primary = wish.partition("-")[0]
    return next((link for tag, link in links.items() if primary and tag.partition("-")[0] == primary), None)


def _broader(tag: str) -> Iterator[str]:
    """Yield a tag, the script that its region writes, and each shorter form."""
    yield tag
    if tag in _SCRIPTS:
        yield _SCRIPTS[tag]
    while "-" in tag:
        tag = tag.rpartition("-")[0]
        yield tag


def with_query(href: str, query: str) -> str:
    """Return where a redirect leads: the target with the pairs of a raw query string, but for ``linkType``."""
    pairs = [pair for pair in query.split("&") if pair and unquote_plus(pair.partition("=")[0]) != "linkType"]
    kept = [quote(pair, safe=_QUERY_SAFE) for pair in pairs]
    if not kept:
        return href
    address, mark, fragment = href.partition("#")
    joint = "" if address.endswith(("?", "&")) else "&" if "?" in address else "?"
    return f"{address}{joint}{'&'.join(kept)}{mark}{fragment}"


def linkset(contexts: Sequence[Context], default: WebLink, others: Sequence[WebLink] = ()) -> dict[str, Any]:
    """Return the JSON linkset: the first context is what was asked for, and alone has a default link.

    ``others`` are the default's versions in more languages (``defaultLinkMulti``).
    """
    members: list[dict[str, Any]] = []
    for place, context in enumerate(contexts):
        member: dict[str, Any] = {"anchor": context.anchor}
        if place == 0:
            member[VOCABULARY + DEFAULT] = [default.target()]
            if others:
                member[VOCABULARY + "defaultLinkMulti"] = [link.target() for link in (default, *others)]
        for link in context.links:
            member.setdefault(VOCABULARY + link.link_type, []).append(link.target())
        members.append(member)
    return {"linkset": members}
