"""The pages of prizes that were won: the list, one claim with its next steps, parcels in bulk, the stock of codes."""

from collections.abc import Callable
from typing import Any, cast

from django.contrib import messages
from django.db.models import Count, Q
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_POST

from common.clock import now
from common.errors import DomainError
from common.tables import Column, csv_response, keyset_page, wants_csv
from lottery import claims as rules
from lottery.claim_forms import (
    FIELD_LABELS,
    REASON_LABELS,
    DeskForm,
    DocumentForm,
    LossForm,
    PaidForm,
    ParcelForm,
    ParcelsForm,
    StockForm,
)
from lottery.errors import ClaimState
from lottery.models import Campaign, Claim, ClaimDetails, ClaimDocument, Payout, PrizeTier
from lottery.payers import payer
from lottery.queries import claims
from lottery.services import claiming, papers, parcels, paying, stock
from staff import audit
from staff.approvals import NeedsApproval
from staff.models import User
from staff.permissions import allowed, staff_view

ORDER = ("-won_at", "-id")


@staff_view("claims.read")
def claim_list(request: HttpRequest) -> HttpResponse:
    """List the prizes that were won, newest first."""
    state, kind = request.GET.get("state", ""), request.GET.get("kind", "")
    campaign = Campaign.objects.filter(public_id=request.GET.get("campaign", "")).first()
    found = claims()
    if campaign is not None:
        found = found.filter(campaign=campaign)
    if kind in PrizeTier.Kind.values:
        found = found.filter(tier__kind=kind)
    counted = found.aggregate(**{name: Count("pk", filter=Q(state=name)) for name in Claim.State.values})
    if state in Claim.State.values:
        found = found.filter(state=state)
    if wants_csv(request):
        return csv_response(found.order_by(*ORDER), _columns(), "prizes")
    context = {
        "page": keyset_page(found, request, order=ORDER),
        "state": state,
        "kind": kind,
        "campaign": campaign,
        "chips": [
            (name, label, counted[name]) for name, label in Claim.State.choices if counted[name] or name == state
        ],
        "total": sum(counted.values()),
        "kinds": PrizeTier.Kind.choices,
        "campaigns": Campaign.objects.filter(claims__isnull=False).distinct().order_by("-created_at")[:50],
        "low": [tier for tier, _kept in stock.low_ones()],
        "at": now(),
    }
    return render(request, "lottery/claims.html", context)


def _columns() -> list[Column]:
    return [
        (_("Claim"), "public_id"),
        (_("Campaign"), lambda claim: claim.campaign.display_name),
        (_("Prize"), lambda claim: claim.tier.display_name),
        (_("Winner"), lambda claim: claim.member.masked_phone if claim.member else ""),
        (_("State"), lambda claim: claim.get_state_display()),
        (_("Won"), "won_at"),
        (_("Claim until"), "deadline_at"),
        (_("Last step"), "moved_at"),
    ]


# --- one claim -------------------------------------------------------------------------------------------------------------


@staff_view("claims.read")
def claim_detail(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show a claim: what is asked, what was given, the log, and the steps that may follow."""
    return _page(request, _find(public_id))


@staff_view("claims.send")
@require_POST
def claim_told(request: HttpRequest, public_id: str) -> HttpResponse:
    """Show what the winner told us; that somebody looked is kept in the trail."""
    claim = _find(public_id)
    audit.record("read", at=now(), table=ClaimDetails._meta.db_table, row_id=claim.public_id, facts={"what": "told"})
    return _page(request, claim, told=claiming.details_of(claim))


def _page(request: HttpRequest, claim: Claim, *, status: int = 200, **more: Any) -> HttpResponse:
    user = cast("User", request.user)
    asked = rules.asked_of(claim.tier.kind, claim.tier.id_level)
    payout, names = Payout.objects.filter(claim=claim).first(), labels_of_fields()
    context = {
        "claim": claim,
        "asked": asked,
        "details": ClaimDetails.objects.filter(claim=claim).first(),
        "documents": claim.documents.order_by("pk"),
        "moves": [(row, REASON_LABELS.get(row.reason, row.reason)) for row in claim.moves.order_by("pk")],
        "price": rules.money(claim.tier.market_price, claim.tier.currency),
        "asks": [names[name] for name in (*asked.fields, *asked.documents, *(["present"] if asked.present else []))]
        or [_("the one-time code on their telephone, which they gave")],
        "told_rows": [(names[name], value) for name, value in more.get("told", {}).items()],
        "payout": payout,
        "by_hand": payout is not None
        and (payout.state == Payout.State.FAILED or (payout.state == Payout.State.WAITING and payer() is None)),
        "two_persons": claim.tier.market_price > claiming.claim_limit(),
        "registered_by": sorted(claiming.registered_by(claim)),
        "may": {act: allowed(user, f"claims.{act}") for act in ("check", "approve", "send")},
        "can_be_lost": "refused" in rules.NEXT[claim.state],
        "desk_form": DeskForm(asked=asked) if claim.state in Claim.WAITING and claim.member else None,
        "document_form": DocumentForm(),
        "parcel_form": ParcelForm(),
        "paid_form": PaidForm(),
        "loss_form": LossForm(),
        "at": now(),
        **more,
    }
    return render(request, "lottery/claim.html", context, status=status)


def labels_of_fields() -> dict[str, str]:
    """Return how each thing that is asked of a winner is called."""
    papers_asked = {name: str(label) for name, label in ClaimDocument.Kind.choices}
    asked = {name: str(label) for name, label in FIELD_LABELS.items()}
    return {**asked, **papers_asked, "present": _("in person, or a notary's certificate")}


def _act(request: HttpRequest, public_id: str, act: Callable[[Claim], object], done: str) -> HttpResponse:
    """Take a step. Who comes second sees the claim as it is now, with 409."""
    claim = _find(public_id)
    try:
        act(claim)
    except NeedsApproval as asked:
        messages.warning(request, str(asked.detail))
        return redirect(f"/console/approvals/{asked.approval.pk}")
    except ClaimState as error:
        messages.error(request, error.detail)
        return _page(request, _find(public_id), status=409)
    except DomainError as error:
        lacking = [labels_of_fields().get(name, name) for name in error.extra.get("fields", [])]
        messages.error(request, f"{error.detail} {', '.join(lacking)}".strip())
        return _page(request, _find(public_id), status=422)
    messages.success(request, done)
    return redirect(f"/console/claims/{public_id}")


def _seen(request: HttpRequest) -> str:
    return request.POST.get("seen", "")[:12] or "-"


@staff_view("claims.check")
@require_POST
def claim_register(request: HttpRequest, public_id: str) -> HttpResponse:
    """Claim at a desk for a winner who is there."""
    claim = _find(public_id)
    form = DeskForm(request.POST, asked=rules.asked_of(claim.tier.kind, claim.tier.id_level))
    if not form.is_valid():
        return _page(request, claim, status=422, desk_form=form)
    by, given = str(request.user), form.cleaned_data

    def register(found: Claim) -> object:
        if found.member is None:
            raise ClaimState
        return claiming.claim_prize(found.pk, member=found.member, given=given, at=now(), by=by, seen=_seen(request))

    return _act(request, public_id, register, _("The prize is claimed."))


@staff_view("claims.check")
@require_POST
def claim_check(request: HttpRequest, public_id: str) -> HttpResponse:
    """Find that the winner is who they say."""
    user, how = cast("User", request.user), request.POST.get("how", "")
    how = how if how in {"in_person", "notary"} else ""
    return _act(
        request,
        public_id,
        lambda claim: claiming.check(claim.pk, by=user, seen=_seen(request), at=now(), how=how),
        _("The winner is checked."),
    )


@staff_view("claims.approve")
@require_POST
def claim_approve(request: HttpRequest, public_id: str) -> HttpResponse:
    """Allow a prize to be given."""
    user = cast("User", request.user)
    return _act(
        request,
        public_id,
        lambda claim: claiming.approve(claim.pk, by=user, seen=_seen(request), at=now()),
        _("The prize is approved."),
    )


@staff_view("claims.send")
@require_POST
def claim_send(request: HttpRequest, public_id: str) -> HttpResponse:
    """Note that goods are on their way."""
    form, user = ParcelForm(request.POST), cast("User", request.user)
    if not form.is_valid():
        return _page(request, _find(public_id), status=422, parcel_form=form)
    return _act(
        request,
        public_id,
        lambda claim: claiming.send(claim.pk, **form.cleaned_data, by=user, seen=_seen(request), at=now()),
        _("The prize is sent."),
    )


@staff_view("claims.send")
@require_POST
def claim_received(request: HttpRequest, public_id: str) -> HttpResponse:
    """Note that what was sent has arrived."""
    by = str(request.user)
    return _act(
        request,
        public_id,
        lambda claim: claiming.received(claim.pk, at=now(), by=by, seen=_seen(request)),
        _("The prize has arrived."),
    )


@staff_view("claims.approve")
@require_POST
def claim_paid(request: HttpRequest, public_id: str) -> HttpResponse:
    """Note that a prize was paid by hand."""
    form, user = PaidForm(request.POST), cast("User", request.user)
    if not form.is_valid():
        return _page(request, _find(public_id), status=422, paid_form=form)
    reference = form.cleaned_data["reference"]
    return _act(
        request,
        public_id,
        lambda claim: paying.paid_by_hand(claim.pk, reference=reference, by=user, at=now()),
        _("The prize is paid."),
    )


@staff_view("claims.approve")
@require_POST
def claim_pay_again(request: HttpRequest, public_id: str) -> HttpResponse:
    """Ask the payer again, under the same key."""
    return _act(
        request, public_id, lambda claim: paying.pay_again(claim.pk, at=now()), _("The payer will be asked again.")
    )


@staff_view("claims.check")
@require_POST
def claim_lose(request: HttpRequest, public_id: str) -> HttpResponse:
    """Refuse a claim or disqualify its winner."""
    form, by = LossForm(request.POST), str(request.user)
    if not form.is_valid():
        return _page(request, _find(public_id), status=422, loss_form=form)
    after, reason = form.cleaned_data["why"].split("/")
    return _act(
        request,
        public_id,
        lambda claim: claiming.lose(claim.pk, after, reason=reason, by=by, at=now(), seen=_seen(request)),
        _("The prize goes to the next in line, or to the reserve."),
    )


@staff_view("claims.check")
@require_POST
def document_add(request: HttpRequest) -> HttpResponse:
    """Keep a document that was brought to a desk. The claim is named in the form: larger bodies are admitted by address."""
    public_id = request.POST.get("claim", "")[:30]
    form, by = DocumentForm(request.POST, request.FILES), str(request.user)
    if not form.is_valid():
        return _page(request, _find(public_id), status=422, document_form=form)
    sent, kind = form.cleaned_data["picture"].read(), form.cleaned_data["kind"]
    return _act(
        request,
        public_id,
        lambda claim: papers.add(claim.pk, kind, sent, by=by, at=now()),
        _("The document is kept, encrypted."),
    )


@staff_view("claims.check")
@require_POST
def document_look(request: HttpRequest, public_id: str, pk: int) -> HttpResponse:
    """Show a document; that this person saw it is kept."""
    claim = _find(public_id)
    try:
        picture = papers.look_at(pk, claim=claim, by=cast("User", request.user), at=now())
    except DomainError as error:
        messages.error(request, error.detail)
        return _page(request, claim, status=404)
    headers = {"Cache-Control": "no-store", "Content-Disposition": 'inline; filename="document.jpg"'}
    return HttpResponse(picture, content_type=papers.MEDIA_TYPE, headers=headers)


def _find(public_id: str) -> Claim:
    return get_object_or_404(claims(), public_id=public_id)


# --- parcels in bulk ---------------------------------------------------------------------------------------------------------


@staff_view("claims.send")
def parcel_list(request: HttpRequest) -> HttpResponse:
    """Take the tracking numbers of many prizes at once: a line each."""
    form, user = ParcelsForm(request.POST or None), cast("User", request.user)
    done = None
    if request.method == "POST" and form.is_valid():
        done = parcels.send_many(form.cleaned_data["lines"], by=user, at=now())
        if not done.wrong:
            messages.success(request, _("%(count)s prizes are sent.") % {"count": done.sent})
            return redirect("/console/claims?state=sent")
        form = ParcelsForm(initial={"lines": "\n".join(line.text for line in done.wrong)})
    waiting = claims().filter(state=Claim.State.APPROVED, tier__kind=PrizeTier.Kind.GOODS).order_by("moved_at", "pk")
    context = {"form": form, "done": done, "waiting": waiting[:100], "count": waiting.count()}
    return render(request, "lottery/parcels.html", context, status=422 if request.method == "POST" else 200)


# --- the stock of codes ------------------------------------------------------------------------------------------------------


@staff_view("claims.read")
def stock_list(request: HttpRequest) -> HttpResponse:
    """Show how many codes each prize of vouchers has."""
    return _stock_page(request, StockForm())


def _stock_page(request: HttpRequest, form: StockForm, *, status: int = 200) -> HttpResponse:
    context = {"rows": stock.stocks(), "form": form, "may_add": allowed(cast("User", request.user), "claims.stock")}
    return render(request, "lottery/stock.html", context, status=status)


@staff_view("claims.stock")
@require_POST
def stock_add(request: HttpRequest) -> HttpResponse:
    """Take a file of codes into the stock, all or none."""
    form = StockForm(request.POST, request.FILES)
    if form.is_valid():
        try:
            added = stock.add(form.cleaned_data["tier"].pk, form.text(), by=str(request.user), at=now())
        except DomainError as error:
            form.add_error("file", error.detail)
        else:
            messages.success(request, _("%(count)s codes are in the stock.") % {"count": added})
            return redirect("/console/prize-codes")
    return _stock_page(request, form, status=422)
