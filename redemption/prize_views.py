"""The winner's pages: what I won, what is needed from me, by when; and the public list of winners, masked."""

from collections.abc import Callable
from typing import Any

from django import forms
from django.http import HttpResponse, HttpResponseRedirect
from django.urls import reverse
from django.utils.translation import gettext as _, pgettext
from django.views.decorators.http import require_http_methods, require_POST, require_safe

from common.clock import now
from common.errors import DomainError
from lottery import claims as rules
from lottery.claim_forms import REASON_LABELS, DeskForm, DocumentForm
from lottery.models import Campaign, Claim, ClaimDetails, ClaimDocument, PrizeTier
from lottery.queries import prizes_of, winners_of
from lottery.services import claiming, papers, stock
from redemption.door import ConsumerRequest, consumer_page, missing, page
from redemption.wallet_views import _cursor, _member, freshly_signed_in, signed_in

PER_PAGE = 50
LOOKS = {"done": "ok", "sent": "ok", "paid": "ok", "expired": "no", "refused": "no", "disqualified": "no"}
STEPS = ("won", "claimed", "checked", "approved", "sent", "done")


@require_safe
@consumer_page
@signed_in
def prizes(request: ConsumerRequest) -> HttpResponse:
    """List what the member has won: what waits for them first, then the newest."""
    found = prizes_of(_member(request).pk).select_related("tier", "campaign").order_by("-won_at", "-pk")[:PER_PAGE]
    lines = sorted((_line(claim) for claim in found), key=lambda line: not line["waits"])
    return page(request, "prizes.html", title=_("My prizes"), section="wallet", prizes=lines)


def _line(claim: Claim) -> dict[str, Any]:
    late = claim.state in Claim.WAITING and now() >= claim.deadline_at
    waits = claim.state in Claim.WAITING and not late
    return {
        "claim": claim,
        "word": _("not claimed in time") if late else status_of(claim),
        "icon": "gift" if waits else {"ok": "tick", "no": "octagon"}.get(LOOKS.get(claim.state, ""), "clock"),
        "waits": waits,
        "until": claim.last_day,
        "in": claim.state not in Claim.ENDED_WITHOUT and not late,
    }


def status_of(claim: Claim) -> str:
    """Return in a few words how a prize stands, as its winner is told."""
    cash = claim.tier.kind == PrizeTier.Kind.CASH
    return {
        "won": _("to be claimed"),
        "notified": _("to be claimed"),
        "claimed": _("we are checking what you sent"),
        "checked": _("waiting for approval"),
        "approved": _("being paid") if cash else _("being prepared"),
        "sent": _("on its way"),
        "paid": _("paid"),
        "done": _("paid") if cash else _("received"),
        "refused": _("not given"),
        "expired": _("not claimed in time"),
        "disqualified": _("not given"),
    }[claim.state]


def of_mine(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Hand over the claim of that name, if it is the signed-in member's; else nothing is here."""

    def answer(request: ConsumerRequest, public_id: str) -> HttpResponse:
        found = prizes_of(_member(request).pk).select_related("tier", "campaign").filter(public_id=public_id).first()
        return view(request, found) if found else missing(request)

    return answer


@require_http_methods(["GET", "HEAD"])
@consumer_page
@signed_in
@of_mine
def prize(request: ConsumerRequest, claim: Claim) -> HttpResponse:
    """Show one prize: what is needed, until when, and how it stands."""
    return _prize_page(request, claim)


def _prize_page(request: ConsumerRequest, claim: Claim, *, status: int = 200, **more: Any) -> HttpResponse:
    asked = rules.asked_of(claim.tier.kind, claim.tier.id_level)
    line = _line(claim)
    kinds = set(ClaimDocument.Kind.values)
    context = {
        **line,
        "form": DeskForm(asked=asked),
        "asked": asked,
        "documents": claim.documents.order_by("pk"),
        "wanted": [(kind, label) for kind, label in ClaimDocument.Kind.choices if kind in kinds & set(asked.documents)],
        "fresh": request.visitor.is_fresh(now()),
        "details": ClaimDetails.objects.filter(claim=claim).first(),
        "reason": _reason(claim),
        "steps": _steps(claim),
        "error": "",
        **more,
    }
    return page(request, "prize.html", title=claim.tier.display_name, section="wallet", status=status, **context)


def _reason(claim: Claim) -> str:
    if claim.state not in Claim.ENDED_WITHOUT:
        return ""
    last = claim.moves.order_by("-pk").values_list("reason", flat=True).first() or ""
    return str(REASON_LABELS.get(last, ""))


def _steps(claim: Claim) -> list[tuple[str, bool, bool]]:
    """Return the way of a prize: name of each step, whether it is done, whether it is where the prize is now."""
    if claim.state in Claim.ENDED_WITHOUT or claim.tier.kind in PrizeTier.AT_ONCE:
        return []
    names = {
        "won": pgettext("prize", "Won"),
        "claimed": pgettext("prize", "Claimed"),
        "checked": pgettext("prize", "Checked"),
        "approved": pgettext("prize", "Approved"),
        "sent": pgettext("prize", "Paid") if claim.tier.kind == PrizeTier.Kind.CASH else pgettext("prize", "Sent"),
        "done": pgettext("prize", "Received"),
    }
    here = {"notified": "won", "paid": "sent"}.get(claim.state, claim.state)
    place = STEPS.index(here)
    return [(names[name], number <= place, number == place) for number, name in enumerate(STEPS)]


def _tried(
    request: ConsumerRequest, claim: Claim, act: Callable[[], object], form: forms.Form | None = None
) -> HttpResponse:
    """Do something with a prize and show how it stands then; what was typed stays where it cannot be done."""
    try:
        act()
    except DomainError as error:
        found = prizes_of(_member(request).pk).select_related("tier", "campaign").get(pk=claim.pk)
        more = {"form": form} if form is not None else {}
        status = 409 if getattr(error, "code", "") in {"claim_state", "claim_late"} else 400
        return _prize_page(request, found, status=status, error=error.detail, **more)
    return HttpResponseRedirect(reverse("consumer:prize", args=[claim.public_id]), status=303)


@require_POST
@consumer_page
@freshly_signed_in
@of_mine
def claim(request: ConsumerRequest, claim: Claim) -> HttpResponse:
    """Claim a prize with what is asked for. The one-time code given moments ago proves the telephone."""
    form = DeskForm(request.POST, asked=rules.asked_of(claim.tier.kind, claim.tier.id_level))
    if not form.is_valid():
        return _prize_page(request, claim, status=400, form=form)
    member = _member(request)
    return _tried(
        request,
        claim,
        lambda: claiming.claim_prize(claim.pk, member=member, given=form.cleaned_data, at=now()),
        form,
    )


@require_POST
@consumer_page
@freshly_signed_in
@of_mine
def decline(request: ConsumerRequest, claim: Claim) -> HttpResponse:
    """Give a prize up."""
    return _tried(request, claim, lambda: claiming.decline(claim.pk, at=now()))


@require_POST
@consumer_page
@signed_in
@of_mine
def received(request: ConsumerRequest, claim: Claim) -> HttpResponse:
    """Say that what was sent has arrived."""
    return _tried(request, claim, lambda: claiming.received(claim.pk, at=now(), seen="sent"))


@require_POST
@consumer_page
@freshly_signed_in
@of_mine
def code(request: ConsumerRequest, claim: Claim) -> HttpResponse:
    """Show the code of a voucher; the first time it counts as received."""
    if claim.state == Claim.State.SENT:
        claim = claiming.received(claim.pk, at=now())
    return _prize_page(request, claim, code=stock.code_of(claim) if claim.state == Claim.State.DONE else "")


@require_POST
@consumer_page
@signed_in
def document(request: ConsumerRequest) -> HttpResponse:
    """Keep a photograph of a document. The prize is named in the form: larger bodies are admitted by address."""
    found = prizes_of(_member(request).pk).select_related("tier", "campaign")
    claim = found.filter(public_id=request.POST.get("claim", "")[:30]).first()
    if claim is None:
        return missing(request)
    form = DocumentForm(request.POST, request.FILES)
    if not form.is_valid():
        return _prize_page(
            request, claim, status=400, document_error=_("Choose what the picture shows, and a picture.")
        )
    sent, kind = form.cleaned_data["picture"].read(), form.cleaned_data["kind"]
    return _tried(request, claim, lambda: papers.add(claim.pk, kind, sent, by=claiming.WINNER, at=now()))


# --- everybody ---------------------------------------------------------------------------------------------------------------


@require_safe
@consumer_page
def winners(request: ConsumerRequest, campaign: str) -> HttpResponse:
    """List who won in a campaign, numbers masked, and how many of each prize were won and given."""
    found = Campaign.objects.filter(public_id=campaign, published_at__isnull=False).first()
    if found is None:
        return missing(request)
    rows, next_cursor, tiers = winners_of(found, cursor=_cursor(request), limit=PER_PAGE)
    return page(
        request,
        "winners.html",
        title=_("Winners"),
        campaign=found,
        winners=rows,
        tiers=tiers,
        next_cursor=next_cursor,
    )
