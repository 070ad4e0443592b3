"""The GS1 Digital Link resolver of a brand: its own answer page, links elsewhere, or the linkset that tells of all.

GS1-Conformant Resolver Standard 1.1 and RFC 9264; docs/algorithms/digital-link.md has the table of requests and
answers. Nothing invalid is answered by 200, and a fetch writes nothing: a scan is counted by the page that was seen.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _, pgettext
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.http import require_http_methods

from labels import digital_link
from labels.digital_link import THIRD_PARTY_SERIAL, BadLink, Link, Reason
from labels.links import links_of
from labels.linkset import (
    ALL_LINKS,
    DEFAULT,
    LOYALTY,
    MEDIA_TYPE,
    RECALL,
    VERIFICATION,
    VOCABULARY,
    Context,
    WebLink,
    best,
    link_type_of,
    linkset,
    with_query,
)
from labels.models import Product
from printing.runs import pack_of
from redemption import page as pages, services, views
from redemption.door import ConsumerRequest, consumer_page, page
from redemption.forms import EntryForm
from redemption.page import Verdict
from redemption.rules import Outcome
from redemption.tokens import Target, make_token

METHODS = "GET, HEAD, OPTIONS"
_CONTEXT_OF_LINKSETS = "https://ref.gs1.org/standards/resolver/linkset-context"
# What a person must read here, wherever the brand's default link leads.
_NEVER_ELSEWHERE = {Outcome.RECALLED, Outcome.WITHDRAWN, Outcome.NOT_RELEASED}


@dataclass(frozen=True, slots=True)
class Known:
    """What a valid link names: a label of ours, or a product. ``show`` renders its own answer page."""

    gtin: str
    serial: str | None
    names: tuple[str, str]
    outcome: Outcome | None
    show: Callable[[], HttpResponse]

    def path(self) -> str:
        """Return the canonical path of what was asked for."""
        return f"/01/{self.gtin}" + (f"/21/{quote(self.serial, safe='')}" if self.serial else "")


@require_http_methods(["GET", "HEAD", "POST", "OPTIONS"])
@consumer_page
def answer(request: ConsumerRequest, rest: str = "") -> HttpResponse:
    """Answer a Digital Link, in any case, with or without a trailing slash; what a page posts goes to `views.label`."""
    if request.method == "OPTIONS":
        return _open_to_all(HttpResponse(status=204, headers={"Allow": f"{METHODS}, POST"}))
    link = digital_link.parse(raw_path_of(request), query_of(request))
    if isinstance(link, BadLink):
        return _open_to_all(bad_link(request, link))
    if request.method == "POST":
        if link.gtin is None or link.serial is None:
            return bad_link(request, BadLink(Reason.MISSING_VALUE, "21"))
        return views.label(request, Target(link.serial, link.gtin))
    found = _find(request, link)
    return _open_to_all(found if isinstance(found, HttpResponse) else _resolve(request, link, found))


@require_http_methods(["GET", "HEAD", "OPTIONS"])
@consumer_page
def describe(request: ConsumerRequest) -> HttpResponse:
    """Say what this resolver can do (`/.well-known/gs1resolver`)."""
    if request.method == "OPTIONS":
        return _open_to_all(HttpResponse(status=204, headers={"Allow": METHODS}))
    about = {
        "name": request.brand.name,
        "resolverRoot": _root(request),
        "supportedPrimaryKeys": [digital_link.GTIN, digital_link.SSCC],
        "supportedLinkType": [{"namespace": VOCABULARY, "prefix": "gs1:"}],
        "linkTypeDefaultCanBeLinkset": False,
        "jsonLdContextLocation": _CONTEXT_OF_LINKSETS,
        "contact": {"fn": request.brand.name, "hasTelephone": request.brand.hotline},
    }
    return _open_to_all(JsonResponse(about))


# --- reading the request -------------------------------------------------------------------------------------------


def raw_path_of(request: ConsumerRequest) -> str:
    """Return the path as it was sent, not decoded, as `config.gateway` tells it.

    Where nobody tells it, ``%`` is ambiguous: it may have been a ``%25`` or a slip. It is read as a slip, since nothing
    invalid may pass; no serial of ours holds one.
    """
    raw = request.META.get("RAW_URI")
    if raw is not None:
        return str(raw)
    return "%%".join(quote(part) for part in request.path.split("%"))


def query_of(request: ConsumerRequest) -> str:
    return str(request.META.get("QUERY_STRING", ""))


def _wants_linkset(request: ConsumerRequest, link: Link) -> bool:
    accepted = request.get_preferred_type(["text/html", MEDIA_TYPE, "application/json"])
    return link.link_type in ALL_LINKS or accepted in (MEDIA_TYPE, "application/json")


def _wished_languages(request: ConsumerRequest) -> list[str]:
    return [tag for tag, weight in parse_accept_lang_header(request.headers.get("Accept-Language", "")) if weight]


def _root(request: ConsumerRequest) -> str:
    """Return scheme and host of the brand, as asked, in lower case."""
    return f"{request.scheme}://{request.get_host().lower()}"


# --- what the link names -------------------------------------------------------------------------------------------


def _find(request: ConsumerRequest, link: Link) -> Known | HttpResponse:
    """Return what the link names, or the answer that it names nothing of ours."""
    if link.gtin is None:
        return _pack_page(request, link)
    if link.serial is not None:
        return _find_label(request, Target(link.serial, link.gtin))
    product = Product.objects.filter(gtin=link.gtin).first()
    if product is None:
        return _nothing(request, _("We have no product of this number."))
    if THIRD_PARTY_SERIAL in link.qualifiers:
        return _nothing(request, _("We have not issued this number"))
    names = (product.name, product.name_zh)
    return Known(link.gtin, None, names, None, lambda: _product_page(request, product))


def _find_label(request: ConsumerRequest, target: Target) -> Known | HttpResponse:
    receipt = services.look(views.attempt_of(request, target, acts=False))
    if pages.status_of(receipt) != 200 or target.gtin is None:
        return views.show_label(request, receipt, target)
    serial = receipt.serial or target.serial
    names = (receipt.product.name, receipt.product.name_zh) if receipt.product else ("", "")
    return Known(target.gtin, serial, names, receipt.outcome, lambda: views.show_label(request, receipt, target))


def _product_page(request: ConsumerRequest, product: Product) -> HttpResponse:
    """Show the page of a product: which pack it is, only its own number can tell."""
    return page(
        request,
        "home.html",
        title=product.display_name,
        form=EntryForm(),
        visit_token=make_token("visit"),
        product=product,
    )


def _pack_page(request: ConsumerRequest, link: Link) -> HttpResponse:
    """Say what is in a case or on a pallet of ours; only the number on a product itself can be checked and redeemed."""
    pack = pack_of(link.value)
    if pack is None or pack.run.batch is None or link.link_type is not None:
        return _nothing(request, _("We know no case or pallet of this number."))
    line = _("{count} × {product}").format(count=pack.count, product=pack.run.batch.product.display_name)
    verdict = Verdict("calm", _("A case or a pallet of ours"), line)
    return _entry_page(request, verdict, status=200)


def _nothing(request: ConsumerRequest, line: str) -> HttpResponse:
    """Answer 404 with the page where a number can be typed."""
    verdict = Verdict("wait", pgettext("verdict", "Not known"), line)
    return _entry_page(request, verdict, status=404)


def bad_link(request: ConsumerRequest, fault: BadLink) -> HttpResponse:
    """Answer 400: say which part of an address is wrong, and why."""
    parts = {
        "00": _("The case or pallet number in the address is not right."),
        "01": _("The product number in the address is not right."),
        "21": _("The serial number in the address is not right."),
    }
    line = parts.get(fault.ai, _("Something is missing or wrong in the address."))
    return _entry_page(request, Verdict("wait", _("Not readable"), line), status=400, fault=why(fault))


def _entry_page(request: ConsumerRequest, verdict: Verdict, *, status: int, **more: Any) -> HttpResponse:
    return page(
        request,
        "home.html",
        verdict=verdict,
        status=status,
        form=EntryForm(),
        visit_token=make_token("visit"),
        explained=True,
        **more,
    )


def why(fault: BadLink) -> str:
    """Return the reason of a 400 in words, naming the application identifier at fault."""
    match fault.reason:
        case Reason.TOO_LONG:
            return _("The address is too long.")
        case Reason.BAD_ENCODING:
            return _("The address holds a percent sign without its two digits, or is not UTF-8.")
        case Reason.COMPRESSED:
            return _("Compressed GS1 addresses are not read here.")
        case Reason.UNKNOWN_AI:
            text = _("({ai}) is no application identifier that can stand there.")
        case Reason.REPEATED_AI:
            text = _("({ai}) is there twice.")
        case Reason.WRONG_ORDER:
            text = _("({ai}) stands in the wrong place.")
        case Reason.MISSING_VALUE:
            text = _("({ai}) has no value.")
        case Reason.BAD_LENGTH:
            text = _("The value of ({ai}) has the wrong length.")
        case Reason.BAD_CHARACTER:
            text = _("The value of ({ai}) holds a character that is not allowed.")
        case Reason.BAD_CHECK_DIGIT:
            text = _("The check digit of ({ai}) does not fit.")
        case Reason.BAD_DATE:
            text = _("The value of ({ai}) is no date.")
        case Reason.BAD_VALUE:
            text = _("The value of ({ai}) is not one that this identifier can have.")
        case Reason.BAD_PAIR:
            text = _("({ai}) does not go with the rest of the address.")
        case Reason.QUALIFIER_IN_QUERY:
            text = _("({ai}) belongs in the path, not behind the question mark.")
    return text.format(ai=fault.ai)


# --- where it leads ------------------------------------------------------------------------------------------------


def _resolve(request: ConsumerRequest, link: Link, known: Known) -> HttpResponse:
    links = links_of(known.gtin)
    if _wants_linkset(request, link):
        return _linkset(request, known, links)
    if link.link_type is None:
        defaults = [] if known.outcome in _NEVER_ELSEWHERE else [found for found in links if found.is_default]
        return _go(request, defaults) or _own_page(request, known)
    asked = link_type_of(link.link_type)
    if asked == DEFAULT:
        return _go(request, [found for found in links if found.is_default]) or _own_page(request, known)
    elsewhere = _go(request, [found for found in links if found.link_type == asked])
    if elsewhere is not None:
        return elsewhere
    ours = (found for context in _contexts(request, known, ()) for found in context.links)
    own = next((found for found in ours if found.link_type == asked), None)
    if own is None:
        return _nothing(request, _("There is no link of this kind."))
    return _own_page(request, known) if own.href == _root(request) + known.path() else _redirect(request, own)


def _go(request: ConsumerRequest, links: Sequence[WebLink]) -> HttpResponse | None:
    """Send the reader to the link in the best language, or return None where there is none."""
    found = best(links, _wished_languages(request), request.brand.default_language)
    return _redirect(request, found) if found else None


def _redirect(request: ConsumerRequest, link: WebLink) -> HttpResponse:
    return HttpResponseRedirect(with_query(link.href, query_of(request)), preserve_request=True)


def _own_page(request: ConsumerRequest, known: Known) -> HttpResponse:
    """Answer by our own page, which tells where the linkset is."""
    response = known.show()
    address = f"{_root(request)}{known.path()}?linkType=linkset"
    response.headers["Link"] = f'<{address}>; rel="linkset"; type="{MEDIA_TYPE}"'
    return response


def _linkset(request: ConsumerRequest, known: Known, links: Sequence[WebLink]) -> HttpResponse:
    defaults = [link for link in links if link.is_default]
    name, name_zh = known.names
    default = best(defaults, [request.brand.default_language]) or WebLink(
        DEFAULT, _root(request) + known.path(), name, name_zh
    )
    found = linkset(_contexts(request, known, links), default, [link for link in defaults if link is not default])
    return JsonResponse(
        found,
        content_type=MEDIA_TYPE,
        headers={
            "Link": f'<{_CONTEXT_OF_LINKSETS}>; rel="http://www.w3.org/ns/json-ld#context"; type="application/ld+json"'
        },
    )


def _contexts(request: ConsumerRequest, known: Known, links: Sequence[WebLink]) -> list[Context]:
    """Return the links of the label, if one was asked for, and of its product; the brand's go before our own."""
    root, (name, name_zh) = _root(request), known.names
    product = f"{root}/01/{known.gtin}"
    set_types = {link.link_type for link in links}
    own = [
        WebLink(VERIFICATION, product, name, name_zh),
        WebLink(LOYALTY, root + reverse("consumer:wallet"), request.brand.name, request.brand.name_zh),
    ]
    contexts = [Context(product, [*links, *(link for link in own if link.link_type not in set_types)])]
    if known.serial:
        label = root + known.path()
        of_label = [WebLink(kind, label, name, name_zh) for kind in (VERIFICATION, RECALL)]
        contexts.insert(0, Context(label, of_label))
    return contexts


def _open_to_all(response: HttpResponse) -> HttpResponse:
    """Let scripts of any site read the answer; no cookie goes with such a request."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Access-Control-Allow-Methods"] = METHODS
    response.headers["Access-Control-Allow-Headers"] = "Accept, Accept-Language"
    response.headers["Access-Control-Expose-Headers"] = "Link, Location"
    patch_vary_headers(response, ["Accept", "Accept-Language"])
    return response
