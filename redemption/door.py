"""What all consumer pages share: language and zone, the visitor's cookies, headers, compression, and the frame.

A view is wrapped by `consumer_page` and answers with `page`. Pages are compressed although they hold a CSRF token: the
token is masked anew in each response, nothing else that is secret stands beside text that another site could choose, and
Django adds random bytes to each answer (docs/guide/consumer.md).
"""

import functools
import zoneinfo
from collections.abc import Callable
from typing import Any, cast

from django.conf import settings
from django.db import connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.template.loader import get_template
from django.urls import reverse
from django.utils import timezone, translation
from django.utils.cache import patch_vary_headers
from django.utils.translation import get_supported_language_variant, gettext as _, pgettext
from django.utils.translation.trans_real import parse_accept_lang_header
from django.views.decorators.gzip import gzip_page

from brands.models import Brand
from channel.queries import partners_by_number
from redemption import page as pages
from redemption.page import Verdict
from redemption.services import InProgress, TryLater
from redemption.visitor import Visitor, visitor_of

LANGUAGE_FOR_S = 365 * 24 * 3600


class ConsumerRequest(HttpRequest):
    """A request whose visitor was read."""

    visitor: Visitor
    brand: Brand


View = Callable[..., HttpResponse]


def consumer_page(view: View) -> View:
    """Answer in the visitor's language and the brand's zone, keep nothing in caches, write the visitor's cookies."""

    @gzip_page
    @functools.wraps(view)
    def answer(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        brand = connection.tenant
        language = language_of(request, brand)
        with translation.override(language), timezone.override(zoneinfo.ZoneInfo(brand.time_zone)):
            known = cast("ConsumerRequest", request)
            known.brand, known.visitor = brand, visitor_of(request)
            try:
                response = view(known, *args, **kwargs)
            except (TryLater, InProgress):
                response = unavailable(known, status=503)
            known.visitor.write(response)
        if request.GET.get("lang"):
            response.set_cookie(
                settings.LANGUAGE_COOKIE_NAME,
                language,
                max_age=LANGUAGE_FOR_S,
                secure=settings.SECURE,
                samesite="Lax",
            )
        response.headers["Cache-Control"] = "no-store"
        response.headers["Content-Language"] = language
        patch_vary_headers(response, ["Cookie", "Accept-Language"])
        return response

    return answer


def language_of(request: HttpRequest, brand: Brand) -> str:
    """Return the language: visible switch, then cookie, then Accept-Language, then the brand's."""
    wished = [request.GET.get("lang", ""), request.COOKIES.get(settings.LANGUAGE_COOKIE_NAME, "")]
    wished += [code for code, _weight in parse_accept_lang_header(request.headers.get("Accept-Language", ""))]
    for code in [*wished, brand.default_language]:
        try:
            return get_supported_language_variant(code)
        except LookupError:
            continue
    return settings.LANGUAGE_CODE


def page(
    request: ConsumerRequest,
    template: str,
    *,
    verdict: Verdict | None = None,
    title: str = "",
    status: int = 200,
    **context: Any,
) -> HttpResponse:
    """Render a page within the brand's frame; ``template`` is one of ours, or of a floor above by its whole name."""
    chinese = translation.get_language().startswith("zh")
    context |= {
        "verdict": verdict,
        "title": title or (verdict.word if verdict else ""),
        "theme_colour": verdict.theme_colour if verdict else "",
        "style": pages.style_of(request.brand),
        "script": pages.script(),
        "visitor": request.visitor,
        "other_language": ("en", "English") if chinese else ("zh", "中文"),
    }
    return render(request, template if "/" in template else f"redemption/{template}", context, status=status)


def prepare() -> None:
    """Compile the pages that a first scan meets, before it comes."""
    for name in ("label", "claim", "receipt", "home", "message"):
        get_template(f"redemption/{name}.html")
    pages.base_style()
    pages.script()


def wants_json(request: HttpRequest) -> bool:
    """Return whether the page's own script asks."""
    return request.headers.get("Accept") == "application/json"


def unavailable(request: ConsumerRequest, *, status: int) -> HttpResponse:
    """Say, in grey, that we cannot answer: nothing is said about a label."""
    text = _("Please try again in a few minutes. Your code stays as it is.")
    if wants_json(request):
        return JsonResponse({"said": text}, status=status)
    verdict = Verdict("calm", pgettext("consumer", "We cannot answer now"), _("Nothing was used up."))
    return page(
        request,
        "message.html",
        verdict=verdict,
        status=status,
        text=text,
        again=request.path,
        again_label=_("Try again"),
    )


def missing(request: ConsumerRequest) -> HttpResponse:
    """Say that there is no such page."""
    verdict = Verdict("calm", _("Nothing is here"), _("There is no page at this address, or it is not yours to open."))
    return page(
        request,
        "message.html",
        verdict=verdict,
        status=404,
        again=reverse("consumer:home"),
        again_label=_("Check a label"),
    )


def expired(request: ConsumerRequest) -> HttpResponse:
    """Say that a page stood open for too long."""
    if wants_json(request):
        return JsonResponse({"said": _("This page was open for too long. Please load it again.")}, status=400)
    verdict = Verdict("calm", _("Please try again"), _("This page was open for too long. Nothing was used up."))
    return page(
        request, "message.html", verdict=verdict, status=400, again=request.path, again_label=_("Load the page again")
    )


def member_id_of(request: ConsumerRequest) -> int | None:
    return request.visitor.member.pk if request.visitor.member else None


def partner_names(request: ConsumerRequest) -> str:
    """Return who sent the visitor, as people call them."""
    numbers = list(request.visitor.partners.values())
    found = partners_by_number(numbers) if numbers else {}
    return _(" and ").join(found[number].display_name for number in numbers if number in found)
