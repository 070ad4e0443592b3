"""Draws at the web door: the member's entries with their signed receipts, entries for points, and free ones.

An entry for points holds them until the draw closes; while it is open it can be taken back. A free entry needs no
purchase, only a phone with its one-time code, and weighs the same.
"""

from typing import Any

from django.core.paginator import Paginator
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common.clock import now
from common.errors import DomainError
from ledger import queries as ledger
from ledger.services import BalanceTooLow
from lottery import bundles, queries as lottery, services
from lottery.models import Draw, Entry
from members.models import Member, PendingHolder
from redemption import playing
from redemption.door import ConsumerRequest, consumer_page, expired, member_id_of, missing, page, wants_json
from redemption.forms import FreeEntryForm, PointsEntryForm
from redemption.one_time import ask_for_code, said_or_wrong, sign_in_by_code
from redemption.tokens import CLAIM_TOKEN_FOR_S, Target, make_token, read_token, request_id
from redemption.views import download
from redemption.wallet_views import signed_in
from staff.keys import sign_key

PER_PAGE = 20


def _member(request: ConsumerRequest) -> Member:
    assert request.visitor.member is not None  # noqa: S101 - @signed_in
    return request.visitor.member


def _accounts(member: Member) -> list[int]:
    """Return the member's account, and those that they claimed."""
    claimed = PendingHolder.objects.filter(claimed_by=member.pk).values_list("account_id", flat=True)
    return [member.account_id, *claimed]


@require_http_methods(["GET", "HEAD", "POST"])
@consumer_page
@signed_in
def draws(request: ConsumerRequest) -> HttpResponse:
    """Show the open draws and the member's entries; enter one for points."""
    if request.method != "POST":
        return _draws_page(request, PointsEntryForm())
    form = PointsEntryForm(request.POST)
    token = read_token("enter", request.POST.get("enter", ""), Target(), CLAIM_TOKEN_FOR_S)
    if token is None:
        return expired(request)
    if not form.is_valid():
        return _draws_page(request, form, status=400)
    member, typed = _member(request), form.cleaned_data
    try:
        playing.enter_for_points(
            typed["draw"],
            member=member,
            cookie=request.visitor.act(),
            weight=typed["weight"],
            request_id=request_id("enter", token, member.pk, typed["draw"], str(typed["weight"]))[:100],
            at=now(),
        )
    except BalanceTooLow:
        form.add_error("weight", _("You have too few points for that."))
        return _draws_page(request, form, status=409)
    except DomainError as error:
        form.add_error("weight", error.detail)
        return _draws_page(request, form, status=409)
    return HttpResponseRedirect(f"{reverse('consumer:draws')}#mine", status=303)


def _draws_page(request: ConsumerRequest, form: PointsEntryForm, *, status: int = 200) -> HttpResponse:
    member, at = _member(request), now()
    shown = Paginator(lottery.entries_of_accounts(_accounts(member)), PER_PAGE).get_page(request.GET.get("page"))
    return page(
        request,
        "my_draws.html",
        title=_("My draws"),
        section="draws",
        status=status,
        open_draws=lottery.open_draws(at),
        form=form,
        entered=form.data.get("draw", "") if form.is_bound else "",
        enter_token=make_token("enter"),
        entries=[_line(entry, member) for entry in shown],
        pages=shown,
        free=ledger.balance(member.account_id) - member.account.held,
    )


def _line(entry: Entry, member: Member) -> dict[str, Any]:
    """Return one entry as the page shows it. Only the draw's own state says whether it can be taken back."""
    draw = entry.draw
    live = entry.state == Entry.State.LIVE
    return {
        "entry": entry,
        "draw": draw,
        "campaign": draw.campaign,
        "live": live,
        "may_cancel": live
        and draw.state == Draw.State.OPEN
        and entry.source == Entry.Source.POINTS
        and entry.account_id == member.account_id,
        "drawn": draw.state == Draw.State.PUBLISHED,
    }


@require_POST
@consumer_page
@signed_in
def cancel(request: ConsumerRequest, entry_id: int) -> HttpResponse:
    """Take an entry for points back while its draw is open: the points are free again."""
    try:
        services.cancel(entry_id, account_id=_member(request).account_id, at=now())
    except services.NoSuchEntry:
        return missing(request)
    except DomainError as error:
        form = PointsEntryForm({"draw": ""})
        form.add_error(None, error.detail)
        return _draws_page(request, form, status=409)
    return HttpResponseRedirect(f"{reverse('consumer:draws')}#mine", status=303)


@require_safe
@consumer_page
@signed_in
def entry_receipt(request: ConsumerRequest, entry_id: int) -> HttpResponse:
    """Hand out the signed receipt of an entry, for `verify_draw.py --receipt`."""
    entry = lottery.entries_of_accounts(_accounts(_member(request))).filter(pk=entry_id).first()
    if entry is None:
        return missing(request)
    return download(bundles.entry_receipt(entry, key=sign_key(at=entry.at)), f"entry-{entry_id}.json")


# --- without a purchase ------------------------------------------------------------------------------------------------


@require_http_methods(["GET", "HEAD", "POST"])
@consumer_page
def enter_free(request: ConsumerRequest, public_id: str) -> HttpResponse:
    """Enter a draw without a purchase: once a day for each person, with the weight that the rules give."""
    found = next((one for one in lottery.open_draws(now()) if one.public_id == public_id and one.free), None)
    if found is None:
        return missing(request)
    if request.method != "POST":
        return _free_page(request, found, FreeEntryForm(signed_in=request.visitor.member is not None))
    sends = request.POST.get("step") == "send"
    form = FreeEntryForm(request.POST, signed_in=request.visitor.member is not None, code_needed=not sends)
    valid = form.is_valid()
    said = ask_for_code(request, form) if sends and valid else ""
    if sends and wants_json(request):
        return said_or_wrong(form, said)
    if sends or not valid:
        return _free_page(request, found, form, said=said)
    token = read_token("free", request.POST.get("free", ""), Target(), CLAIM_TOKEN_FOR_S)
    if token is None:
        return expired(request)
    if not (member_id_of(request) or sign_in_by_code(request, form, token)):
        return _free_page(request, found, form)
    try:
        playing.enter_free(public_id, member=_member(request), cookie=request.visitor.act(), at=now())
    except DomainError as error:
        form.add_error(None, error.detail)
        return _free_page(request, found, form, status=409)
    return HttpResponseRedirect(f"{reverse('consumer:draws')}#mine", status=303)


def _free_page(
    request: ConsumerRequest, found: lottery.OpenDraw, form: FreeEntryForm, *, said: str = "", status: int | None = None
) -> HttpResponse:
    return page(
        request,
        "enter_free.html",
        title=_("Free entry"),
        status=status or (400 if form.errors else 200),
        draw=found,
        form=form,
        said=said,
        code_sent=bool(said),
        free_token=make_token("free"),
    )
