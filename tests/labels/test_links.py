"""The links of a product: what may be kept, which one is meant, and how a linkset is written."""

import json
import re
from dataclasses import replace
from datetime import datetime

import pytest
from django.db import IntegrityError, transaction

from common.errors import DomainError
from labels import links as links_module
from labels.links import BadLinkAddress, BadLinkLanguage, LinkTaken, NewLink, UnknownLinkType, add_link, links_of
from labels.linkset import Context, WebLink, best, link_type_of, link_types, linkset, with_query
from labels.models import Product, ProductLink
from staff.models import Audit

PAGE = NewLink("pip", "https://tea.example/oolong", "Our oolong", "我们的乌龙茶")
EN, ZH, JA, ANY = (
    WebLink("pip", f"https://tea.example/{tag}", tag, language=tag) for tag in ("en", "zh-Hans", "ja", "")
)


@pytest.mark.parametrize(
    ("wished", "found"),
    [
        (["zh-cn", "en"], ZH),
        (["zh"], ZH),
        (["zh-hans-cn"], ZH),
        (["zh-TW"], ZH),
        (["en-GB"], EN),
        (["fr", "ja-JP", "en"], JA),
        (["fr"], ANY),
        (["*"], ANY),
        ([], ANY),
    ],
)
def test_the_language_that_fits_best_is_chosen(wished: list[str], found: WebLink) -> None:
    assert best([EN, ZH, JA, ANY], wished, "en") is found


def test_without_a_link_for_all_the_brands_language_stands_in_then_the_first() -> None:
    assert best([EN, ZH], ["fr"], "zh-hans") is ZH
    assert best([EN, ZH], ["fr"], "pt") is EN
    assert best([], ["fr"], "en") is None
    hant = replace(ZH, language="zh-Hant")
    assert best([ZH, hant], ["zh-HK"]) is hant


@pytest.mark.parametrize(
    ("href", "query", "found"),
    [
        ("https://a.example/x", "", "https://a.example/x"),
        ("https://a.example/x", "linkType=gs1:pip", "https://a.example/x"),
        ("https://a.example/x", "link%54ype=gs1:pip&a=1&17=271200", "https://a.example/x?a=1&17=271200"),
        ("https://a.example/x?u=2", "a=1", "https://a.example/x?u=2&a=1"),
        ("https://a.example/x?", "a=1", "https://a.example/x?a=1"),
        ("https://a.example/x#top", "a=1+2%26", "https://a.example/x?a=1+2%26#top"),
        ("https://a.example/x?u#top", "&&a&b=茶", "https://a.example/x?u&a&b=%E8%8C%B6#top"),
        ("https://a.example/x", "a=1#b\r\nSet-Cookie: c", "https://a.example/x?a=1%23b%0D%0ASet-Cookie:%20c"),
    ],
)
def test_query_pairs_are_passed_on_as_sent(href: str, query: str, found: str) -> None:
    assert with_query(href, query) == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("gs1:pip", "pip"),
        ("https://gs1.org/voc/pip", "pip"),
        ("https://ref.gs1.org/voc/recallStatus", "recallStatus"),
        ("gs1:defaultLink", "defaultLink"),
        ("pip", None),
        ("gs1:PIP", None),
        ("gs1:", None),
        ("schema:review", None),
        ("gs1:nothingSuch", None),
    ],
)
def test_link_types_are_those_of_the_vocabulary(asked: str, found: str | None) -> None:
    assert link_type_of(asked) == found


def test_the_copy_of_the_vocabulary_has_what_we_serve_in_two_languages() -> None:
    assert {"pip", "verificationService", "promotion", "loyaltyProgram", "recallStatus", "dpp"} <= set(link_types())
    for name, titles in link_types().items():
        assert re.fullmatch("[a-z][A-Za-z]+", name)
        assert re.search("[一-鿿]", titles["zh"])
        assert titles["en"]


def test_a_linkset_has_one_default_link_in_the_first_context() -> None:
    default = WebLink("defaultLink", "https://b.example/01/1/21/2", "Tea", "茶")

    found = linkset([Context("https://b.example/01/1/21/2", []), Context("https://b.example/01/1", [EN, ZH])], default)

    label, product = json.loads(json.dumps(found))["linkset"]
    assert label["https://ref.gs1.org/voc/defaultLink"] == [
        {
            "href": default.href,
            "type": "text/html",
            "title": "Tea",
            "title*": [{"value": "茶", "language": "zh-Hans"}],
        }
    ]
    assert [target["hreflang"] for target in product["https://ref.gs1.org/voc/pip"]] == [["en"], ["zh-Hans"]]
    assert "https://ref.gs1.org/voc/defaultLink" not in product


# --- rows ----------------------------------------------------------------------------------------------------------


def test_a_link_is_kept_audited_and_found_by_the_gtin(product: Product, at: datetime) -> None:
    add_link(product, replace(PAGE, language="zh-hans", is_default=True), at=at)
    add_link(product, replace(PAGE, link_type="dpp", media_type="application/json"), at=at)

    first, second = links_of(product.gtin)

    assert (first.link_type, first.language, first.is_default) == ("pip", "zh-Hans", True)
    assert (second.link_type, second.media_type) == ("dpp", "application/json")
    assert links_of("09506000134352") == []
    assert Audit.objects.filter(table_name="labels_productlink", act="insert").count() == 2


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"href": "http://tea.example/"}, BadLinkAddress),
        ({"href": "HTTPS://tea.example/"}, BadLinkAddress),
        ({"href": "https:///x"}, BadLinkAddress),
        ({"href": "https://me:pw@tea.example/"}, BadLinkAddress),
        ({"href": "https://tea.example/a b"}, BadLinkAddress),
        ({"href": "https://tea.example\\@evil.example/"}, BadLinkAddress),
        ({"href": "https://tea.example:x/"}, BadLinkAddress),
        ({"href": "javascript:alert(1)"}, BadLinkAddress),
        ({"link_type": "defaultLink"}, UnknownLinkType),
        ({"link_type": "gs1:pip"}, UnknownLinkType),
        ({"language": "english!"}, BadLinkLanguage),
        ({"language": "en-" + "abcdefgh-" * 3 + "x1"}, BadLinkLanguage),
    ],
)
def test_what_is_no_link_is_refused(
    product: Product, at: datetime, change: dict[str, str], error: type[DomainError]
) -> None:
    with pytest.raises(error):
        add_link(product, replace(PAGE, **change), at=at)

    assert add_link(product, PAGE, at=at).pk


def test_there_is_one_link_of_a_type_and_one_default_for_each_language(product: Product, at: datetime) -> None:
    add_link(product, replace(PAGE, is_default=True), at=at)

    with pytest.raises(LinkTaken):
        add_link(product, PAGE, at=at)
    with pytest.raises(LinkTaken, match="opens on scanning"):
        add_link(product, replace(PAGE, link_type="dpp", is_default=True), at=at)

    add_link(product, replace(PAGE, language="en", is_default=True), at=at)
    assert ProductLink.objects.count() == 2


@pytest.mark.parametrize(
    ("field", "value"),
    [("href", "http://tea.example/"), ("href", "https:// tea"), ("link_type", "gs1:pip"), ("language", "EN")],
)
def test_the_database_refuses_what_goes_round_the_service(
    product: Product, at: datetime, field: str, value: str
) -> None:
    row = add_link(product, PAGE, at=at)

    with pytest.raises(IntegrityError), transaction.atomic():
        ProductLink.objects.filter(pk=row.pk).update(**{field: value})
    links_module.remove_link(row)

    assert links_of(product.gtin) == []
