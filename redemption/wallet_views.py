"""The member's pages: sign-in by one-time code, wallet, entries, receipts, consents, export, deletion."""

import functools
from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.http import HttpResponse, HttpResponseRedirect, JsonResponse
from django.urls import reverse
from django.utils.http import url_has_allowed_host_and_scheme
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common.clock import now
from ledger import queries as ledger
from lottery.models import Claim
from lottery.queries import prizes_of
from members import personal, services as members
from members.models import Consent, Member
from members.queries import consents_now
from redemption import page as pages, queries, wallet as points
from redemption.door import ConsumerRequest, consumer_page, expired, missing, page, wants_json
from redemption.forms import SignInForm
from redemption.messages import django_language
from redemption.one_time import ask_for_code, said_or_wrong, sign_in_by_code
from redemption.page import Verdict
from redemption.rules import Receipt
from redemption.tokens import CLAIM_TOKEN_FOR_S, Target, make_token, read_token

SHOWN = 8
PER_PAGE = 30
LANGUAGES = (("zh-hans", "中文"), ("en", "English"))  # each by its own name


def signed_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Send whoever is not signed in to the sign-in page, and back."""

    @functools.wraps(view)
    def answer(request: ConsumerRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if request.visitor.member is None:
            return _to_sign_in(request)
        return view(request, *args, **kwargs)

    return answer


def freshly_signed_in(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Ask for a one-time code again where a phone left on the table must not be enough."""

    @functools.wraps(view)
    def answer(request: ConsumerRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not request.visitor.is_fresh(now()):
            return _to_sign_in(request)
        return view(request, *args, **kwargs)

    return answer


def _to_sign_in(request: ConsumerRequest) -> HttpResponse:
    back = request.path if request.method == "GET" else reverse("consumer:wallet")
    return HttpResponseRedirect(f"{reverse('consumer:sign_in')}?next={back}", status=303)


@require_http_methods(["GET", "HEAD", "POST"])
@consumer_page
def sign_in(request: ConsumerRequest) -> HttpResponse:
    """Sign in by phone number and one-time code; a number that is new becomes a member."""
    target = request.POST.get("next") or request.GET.get("next") or ""
    if not url_has_allowed_host_and_scheme(target, allowed_hosts=None):
        target = reverse("consumer:wallet")
    if request.method != "POST":
        return _sign_in_page(request, SignInForm(), target)
    sends = request.POST.get("step") == "send"
    form = SignInForm(request.POST, code_needed=not sends)
    valid = form.is_valid()
    said = ask_for_code(request, form) if sends and valid else ""
    if sends and wants_json(request):
        return said_or_wrong(form, said)
    if sends or not valid:
        return _sign_in_page(request, form, target, said=said)
    token = read_token("sign-in", request.POST.get("sign-in", ""), Target(), CLAIM_TOKEN_FOR_S)
    if token is None:
        return expired(request)
    if not sign_in_by_code(request, form, token):
        return _sign_in_page(request, form, target)
    return HttpResponseRedirect(target, status=303)


def _sign_in_page(request: ConsumerRequest, form: SignInForm, target: str, *, said: str = "") -> HttpResponse:
    return page(
        request,
        "sign_in.html",
        title=_("Sign in"),
        status=400 if form.errors else 200,
        form=form,
        said=said,
        code_sent=bool(said),
        next=target,
        again=request.visitor.member is not None,
        sign_in_token=make_token("sign-in"),
    )


@require_POST
@consumer_page
def sign_out(request: ConsumerRequest) -> HttpResponse:
    """Forget the member on this device."""
    request.visitor.sign_out()
    return HttpResponseRedirect(reverse("consumer:home"), status=303)


def _member(request: ConsumerRequest) -> Member:
    assert request.visitor.member is not None  # noqa: S101 - @signed_in
    return request.visitor.member


# --- the wallet ----------------------------------------------------------------------------------------------------


@require_safe
@consumer_page
@signed_in
def wallet(request: ConsumerRequest) -> HttpResponse:
    """Show the balance, what expires soon, and the newest entries."""
    member = _member(request)
    shown, older = points.entries(member.account_id, cursor=None, limit=SHOWN)
    return page(
        request,
        "wallet.html",
        title=_("My points"),
        section="wallet",
        balance=ledger.balance(member.account_id),
        held=member.account.held,
        lots=points.expiring(member.account_id, now()),
        entries=shown,
        more=older is not None,
        prizes=prizes_of(member.pk).count(),
        prizes_waiting=prizes_of(member.pk).filter(state__in=Claim.WAITING, deadline_at__gt=now()).count(),
    )


@require_safe
@consumer_page
@signed_in
def entries(request: ConsumerRequest) -> HttpResponse:
    """List all entries of the account, newest first."""
    member = _member(request)
    shown, next_cursor = points.entries(member.account_id, cursor=_cursor(request), limit=PER_PAGE)
    return page(
        request,
        "entries.html",
        title=_("All entries"),
        section="wallet",
        balance=ledger.balance(member.account_id),
        entries=shown,
        next_cursor=next_cursor,
    )


@require_safe
@consumer_page
@signed_in
def receipts(request: ConsumerRequest) -> HttpResponse:
    """List the member's receipts, newest first."""
    found, next_cursor = queries.receipts_of_member(_member(request).pk, _cursor(request))
    lines = [_line(receipt) for receipt in found]
    return page(
        request, "receipts.html", title=_("Receipts"), section="receipts", receipts=lines, next_cursor=next_cursor
    )


def _cursor(request: ConsumerRequest) -> int | None:
    text = request.GET.get("cursor", "")
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _line(receipt: Receipt) -> dict[str, Any]:
    verdict = pages.verdict_of(receipt)
    return {
        "receipt_no": receipt.receipt_no,
        "title": pages.item_name(receipt) or verdict.word,
        "word": verdict.word,
        "look": verdict.look,
        "icon": {"ok": "tick", "wait": "clock", "no": "octagon"}[verdict.look],
        "at": receipt.at,
        "points": receipt.points,
    }


# --- the member's data ---------------------------------------------------------------------------------------------


@require_safe
@consumer_page
@signed_in
def data(request: ConsumerRequest) -> HttpResponse:
    """Show what is allowed, and the ways to export and to delete."""
    return _data_page(request)


def _data_page(request: ConsumerRequest, *, said: str = "") -> HttpResponse:
    given = consents_now(_member(request).pk)
    purposes = (
        (
            Consent.Purpose.MARKETING,
            _("News and offers"),
            _("Messages about offers to your number, at most twice a month."),
        ),
        (
            Consent.Purpose.PRECISE_PLACE,
            _("Exact place of a check"),
            _("Asked for at each check; kept for 90 days, to find copies."),
        ),
    )
    consents = [
        {
            "purpose": purpose.value,
            "title": title,
            "text": text,
            "granted": purpose in given and given[purpose].granted,
            "at": given[purpose].at if purpose in given else None,
        }
        for purpose, title, text in purposes
    ]
    chosen = _member(request).language
    return page(
        request,
        "data.html",
        title=_("My data and settings"),
        section="data",
        consents=consents,
        languages=LANGUAGES,
        language=django_language(chosen) if chosen else "",
        said=said,
    )


@require_POST
@consumer_page
@signed_in
def language(request: ConsumerRequest) -> HttpResponse:
    """Keep in which language the member is written and spoken to at every door; the pages follow."""
    wish = request.POST.get("language", "")
    if wish not in dict(LANGUAGES):
        return missing(request)
    with transaction.atomic(durable=True):
        members.set_language(_member(request).pk, wish)
    return HttpResponseRedirect(f"{reverse('consumer:data')}?lang={wish}", status=303)


@require_POST
@consumer_page
@signed_in
def consent(request: ConsumerRequest) -> HttpResponse:
    """Allow a purpose, or take that back."""
    purpose = request.POST.get("purpose", "")
    if purpose not in {Consent.Purpose.MARKETING, Consent.Purpose.PRECISE_PLACE}:
        return missing(request)
    member = _member(request)
    with transaction.atomic(durable=True):
        if request.POST.get("granted") == "yes":
            members.grant_consent(member.pk, purpose, wording_version=members.CONSENT_WORDING, at=now())
        else:
            members.withdraw_consent(member.pk, purpose, at=now())
    return HttpResponseRedirect(reverse("consumer:data"), status=303)


@require_safe
@consumer_page
@freshly_signed_in
def export(request: ConsumerRequest) -> HttpResponse:
    """Hand out all that is kept about the member, as a file."""
    response = JsonResponse(
        personal.export_member(_member(request)), json_dumps_params={"ensure_ascii": False, "indent": 2}
    )
    response.headers["Content-Disposition"] = 'attachment; filename="my-data.json"'
    return response


@require_http_methods(["GET", "HEAD", "POST"])
@consumer_page
@freshly_signed_in
def delete(request: ConsumerRequest) -> HttpResponse:
    """Forget the member, after showing exactly what is lost."""
    member = _member(request)
    sure = request.POST.get("sure") == "yes"
    if request.method == "POST" and sure:
        personal.erase_member(member, at=now(), asked_by="member")
        request.visitor.sign_out()
        forgotten = Verdict("calm", _("Your data are deleted"), _("We have forgotten your number and your points."))
        return page(
            request, "message.html", verdict=forgotten, again=reverse("consumer:home"), again_label=_("Check a label")
        )
    error = _("Tick the box, if you are sure.") if request.method == "POST" else ""
    return page(
        request,
        "delete.html",
        title=_("Delete my data"),
        section="data",
        status=400 if error else 200,
        error=error,
        balance=ledger.balance(member.account_id),
        receipts=queries.count_receipts(member.pk),
    )
