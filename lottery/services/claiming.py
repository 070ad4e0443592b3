"""Claims: each step is one conditional UPDATE of the state and one row of the log; whoever comes second is refused.

A prize that is not taken goes to the tier's next alternate in a new edition of the draw's proof, or to the reserve. Locks:
the draw's row where alternates are moved up, then the claim's, then a payment's or a code's, accounts last.
"""

import json
import logging
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from datetime import datetime, timedelta

from django.db import connection, transaction
from django.db.models import OuterRef, QuerySet, Subquery
from django.utils.translation import gettext as _

from common.db import inside_transaction
from lottery import bundles, claims as rules
from lottery.beacon_settings import default_beacon
from lottery.errors import BadClaim, ClaimLate, ClaimState, LimitReached, MayNotTakePart, NoSuchClaim
from lottery.models import (
    Bundle,
    Claim,
    ClaimDetails,
    ClaimDocument,
    ClaimMove,
    Draw,
    Payout,
    Pick,
    PrizeTier,
)
from lottery.models.claim import DETAILS_FIELD
from lottery.queries import excluded, prizes_of
from lottery.rules import Terms, claim_deadline
from lottery.services import limits, stock
from lottery.services.drawing import days_to_claim, make_claim
from members.models import Member
from staff import approvals, vault
from staff.keys import sign_key
from staff.models import Approval, User

log = logging.getLogger(__name__)
State = Claim.State
APPROVE = "lottery.claim"
WINNER, SYSTEM = "winner", "system"
DONE_AFTER = timedelta(days=30)  # goods that were sent count as received, where nobody says otherwise
SWEEP = 200


# --- one step ------------------------------------------------------------------------------------------------------------


@inside_transaction
def move(claim_id: int, after: str, *, at: datetime, by: str, reason: str = "", seen: str = "") -> Claim:
    """Take one step: the UPDATE is conditional on the state it was decided on. Raises `ClaimState`, `NoSuchClaim`.

    ``seen``: the state that whoever asks was looking at, if that matters; another one now means that somebody was faster.
    """
    claim = Claim.objects.select_related("tier", "campaign").filter(pk=claim_id).first()
    if claim is None:
        raise NoSuchClaim
    before = claim.state
    if after not in rules.NEXT[before] or (seen and seen != before):
        raise ClaimState
    if not Claim.objects.filter(pk=claim_id, state=before).update(state=after, moved_at=at):
        raise ClaimState
    ClaimMove.objects.create(claim=claim, before=before, after=after, reason=reason, moved_by=by, at=at)
    claim.state, claim.moved_at = after, at
    return claim


@inside_transaction
def notified(claim_ids: Collection[int], *, at: datetime, how: str) -> int:
    """Note that winners know: a door said it, or a message is on its way (``how``); return for how many it was news."""
    rows = list(
        Claim.objects.filter(pk__in=claim_ids, state=State.WON)
        .order_by("pk")
        .select_for_update(no_key=True, of=("self",))
    )
    Claim.objects.filter(pk__in=[row.pk for row in rows]).update(state=State.NOTIFIED, moved_at=at)
    ClaimMove.objects.bulk_create(
        ClaimMove(claim=row, before=State.WON, after=State.NOTIFIED, reason=how, moved_by=SYSTEM, at=at) for row in rows
    )
    return len(rows)


# --- the winner ----------------------------------------------------------------------------------------------------------


def claim_prize(
    claim_id: int, *, member: Member, given: Mapping[str, str], at: datetime, by: str = WINNER, seen: str = ""
) -> Claim:
    """Claim a prize with what its level of identification asks for; at a desk ``by`` is the clerk's user name.

    Small prizes that ask for the telephone alone are checked and approved with it, and a voucher's code is handed out.
    Raises `ClaimLate` (and the prize has gone on), `MayNotTakePart` (likewise), `BadClaim`, `ClaimState`, `LimitReached`.
    """
    key, payee = sign_key(at=at), _payee(given)
    index = vault.blind_index(payee, purpose="payee") if payee else None
    with transaction.atomic(durable=True):
        claim = prizes_of(member.pk).select_related("tier", "campaign", "pick").filter(pk=claim_id).first()
        if claim is None:
            raise NoSuchClaim
        if seen and seen != claim.state:
            raise ClaimState
        refusal = _refusal(claim, member, at=at)
        if refusal is not None:
            after, reason, error = refusal
            _lock_draw(claim)
            _lose([claim.pk], after, reason=reason, at=at, by=SYSTEM)
            _go_on(claim, key=key, at=at)
        else:
            _claim(claim, member, given, index, at=at, by=by)
    if refusal is not None:
        raise error
    return Claim.objects.select_related("tier", "campaign").get(pk=claim_id)


def _payee(given: Mapping[str, str]) -> str:
    return given.get("payee", "").replace(" ", "").lower()


def _refusal(claim: Claim, member: Member, *, at: datetime) -> tuple[str, str, Exception] | None:
    """Return why somebody cannot claim, as it is known now: state, reason, and what they are told."""
    if claim.state not in Claim.WAITING:
        return None
    if at >= claim.deadline_at:
        return State.EXPIRED, "late", ClaimLate()
    if member.phone_index is not None and excluded(phones=[bytes(member.phone_index)]):
        return State.DISQUALIFIED, "excluded", MayNotTakePart()
    return None


@inside_transaction
def _claim(
    claim: Claim, member: Member, given: Mapping[str, str], payee: bytes | None, *, at: datetime, by: str
) -> None:
    asked = rules.asked_of(claim.tier.kind, claim.tier.id_level)
    lacking = rules.missing(asked, given)
    if lacking or any(len(given.get(name, "")) > rules.LONGEST[name] for name in asked.fields):
        raise BadClaim(_("Some of what we need for this prize is missing or too long."), fields=lacking)
    notified([claim.pk], at=at, how="shown")
    if payee is not None:
        _count_payee(claim, payee, at=at)
    move(claim.pk, State.CLAIMED, at=at, by=by)
    Claim.objects.filter(pk=claim.pk).update(member=member)
    keep_details(claim, {name: given[name].strip() for name in asked.fields if given.get(name, "").strip()}, at=at)
    if claim.tier.id_level == 0 and claim.tier.market_price <= claim_limit():
        move(claim.pk, State.CHECKED, at=at, by=SYSTEM, reason="phone")
        _approved(move(claim.pk, State.APPROVED, at=at, by=SYSTEM, reason="below_limit"), at=at)


@inside_transaction
def _count_payee(claim: Claim, payee: bytes, *, at: datetime) -> None:
    """Count a win against the limits of an account that is paid. Raises `LimitReached`."""
    terms = Terms.read(claim.campaign.terms, beacon=default_beacon())
    subjects = {"payout": limits.subject_of("payout", payee)}
    if not all(limits.count([limits.Act(claim.campaign_id, "win", at, claim.campaign.zone, subjects, terms.limits)])):
        raise LimitReached(_("This account has been paid as many prizes as the rules allow."))


@inside_transaction
def keep_details(claim: Claim, given: Mapping[str, str], *, at: datetime) -> ClaimDetails:
    """Keep what somebody told us for a claim, encrypted."""
    details = ClaimDetails(claim=claim, given_at=at)
    details.cipher = vault.seal(json.dumps(dict(given)), field=DETAILS_FIELD, row=details.uuid)
    details.save(force_insert=True)
    return details


def details_of(claim: Claim) -> dict[str, str]:
    """Return what the winner told us, decrypted; empty if nothing, or forgotten."""
    row = ClaimDetails.objects.filter(claim=claim, cipher__isnull=False).first()
    if row is None:
        return {}
    found: dict[str, str] = json.loads(vault.unseal(bytes(row.cipher or b""), field=DETAILS_FIELD, row=row.uuid))
    return found


def decline(claim_id: int, *, at: datetime) -> Claim:
    """Let the winner give a prize up. Raises `ClaimState`."""
    return lose(claim_id, State.REFUSED, reason="declined", by=WINNER, at=at)


def received(claim_id: int, *, at: datetime, by: str = WINNER, seen: str = "") -> Claim:
    """Note that what was sent has arrived (of a voucher: that its code was shown). Raises `ClaimState`."""
    with transaction.atomic(durable=True):
        return move(claim_id, State.DONE, at=at, by=by, seen=seen)


# --- the clerks ----------------------------------------------------------------------------------------------------------


def check(claim_id: int, *, by: User, seen: str, at: datetime, how: str = "") -> Claim:
    """Find that the winner is who they say. ``how``: "in_person" or "notary" where the level asks for it.

    Raises `BadClaim` (names what staff have not seen yet), `ClaimState`.
    """
    with transaction.atomic(durable=True):
        claim = Claim.objects.select_related("tier").get(pk=claim_id)
        seen_ones = ClaimDocument.objects.filter(claim=claim, seen_at__isnull=False).values_list("kind", flat=True)
        asked = rules.asked_of(claim.tier.kind, claim.tier.id_level)
        lacking = rules.not_seen(asked, set(seen_ones), how=how)
        if lacking and claim.state == State.CLAIMED:
            raise BadClaim(_("Staff must first have seen what this level of identification asks for."), fields=lacking)
        return move(claim_id, State.CHECKED, at=at, by=by.username, reason=how, seen=seen)


def claim_limit() -> int:
    """Return the market price (minor units) above which two persons approve a claim of this brand."""
    return int(connection.tenant.claim_limit)  # type: ignore[attr-defined]  # django-tenants' own backend


def registered_by(claim: Claim) -> set[str]:
    """Return the user names of who took the winner's details or checked them: they do not approve above the limit."""
    moves = claim.moves.filter(after__in=[State.CLAIMED, State.CHECKED]).exclude(moved_by__in=["", WINNER, SYSTEM])
    return set(moves.values_list("moved_by", flat=True))


def approve(claim_id: int, *, by: User, seen: str, at: datetime) -> Claim:
    """Allow a checked prize to be given. Above the brand's limit two persons do, neither of whom registered the winner.

    Raises `ClaimState`, `approvals.NeedsApproval` (the request is made), `approvals.SamePerson`.
    """
    with transaction.atomic(durable=True):
        claim = Claim.objects.select_related("tier", "campaign").get(pk=claim_id)
        if claim.state != State.CHECKED or seen != claim.state:
            raise ClaimState
        waits = _second_person(claim, by=by, at=at) if claim.tier.market_price > claim_limit() else None
        if waits is None:
            claim = move(claim_id, State.APPROVED, at=at, by=by.username, seen=seen)
            _approved(claim, at=at)
    if waits is not None:
        raise approvals.NeedsApproval(waits)
    return Claim.objects.select_related("tier", "campaign").get(pk=claim_id)


@inside_transaction
def _second_person(claim: Claim, *, by: User, at: datetime) -> Approval | None:
    """Use up a second person's word on this claim, or ask for it and return the request."""
    names = registered_by(claim)
    if by.username in names:
        raise approvals.SamePerson(_("You registered this winner: two other persons approve the prize."))
    payload = {
        "claim": claim.public_id,
        "prize": claim.tier.name,
        "price": claim.tier.market_price,
        "currency": claim.tier.currency,
        "not_by": sorted(names),
    }
    found = approvals.approved_for(APPROVE, payload, at=at)
    if found is not None:
        approvals.consume(found.pk, APPROVE, payload, at=at)
        return None
    waits = approvals.waiting(at).filter(kind=APPROVE, payload__claim=claim.public_id).first()
    return waits or approvals.request(APPROVE, payload, by=by, at=at)


@inside_transaction
def _approved(claim: Claim, *, at: datetime) -> None:
    """Begin what gives the prize: a payment's row with its key, or a code from the stock, if there is one."""
    if claim.tier.kind == PrizeTier.Kind.CASH:
        Payout.objects.create(
            claim=claim, amount=claim.tier.market_price, currency=claim.tier.currency, due_at=at, made_at=at
        )
    elif claim.tier.kind == PrizeTier.Kind.VOUCHER and stock.take(claim, at=at):
        move(claim.pk, State.SENT, at=at, by=SYSTEM)


def send(claim_id: int, *, courier: str, tracking_no: str, by: User, seen: str, at: datetime) -> Claim:
    """Note that goods are on their way. Raises `BadClaim`, `ClaimState`."""
    if not courier.strip() or not tracking_no.strip():
        raise BadClaim(_("Name the courier and the tracking number."))
    with transaction.atomic(durable=True):
        claim = Claim.objects.select_related("tier").get(pk=claim_id)
        if claim.tier.kind != PrizeTier.Kind.GOODS:
            raise ClaimState
        claim = move(claim_id, State.SENT, at=at, by=by.username, seen=seen)
        ClaimDetails.objects.filter(claim=claim).update(
            courier=courier.strip()[:40], tracking_no=tracking_no.strip()[:60]
        )
    return claim


@inside_transaction
def extend_deadlines(tier_ids: Collection[int], *, at: datetime) -> None:
    """Give those who have not claimed yet the longer time of new rules; who is late already stays late."""
    waiting = Claim.objects.filter(tier__in=tier_ids, state__in=Claim.WAITING, deadline_at__gt=at)
    for claim in waiting.select_related("tier", "campaign", "pick").order_by("pk"):
        until = claim_deadline(claim.won_at, days_to_claim(claim.tier, claim.pick), claim.campaign.zone)
        waiting.filter(pk=claim.pk, deadline_at__lt=until).update(deadline_at=until)


# --- prizes that are not taken -----------------------------------------------------------------------------------------


def lose(claim_id: int, after: str, *, reason: str, by: str, at: datetime, seen: str = "") -> Claim:
    """Refuse a claim, or disqualify its winner, for one of `lottery.claims.REASONS`; the next in line moves up.

    A payment that may have been made is never taken back by this. Raises `BadClaim`, `ClaimState`, `NoSuchClaim`.
    """
    if reason not in rules.REASONS.get(after, ()):
        raise BadClaim(_("Choose one of the reasons."))
    key = sign_key(at=at)
    with transaction.atomic(durable=True):
        claim = Claim.objects.select_related("pick", "tier").filter(pk=claim_id).first()
        if claim is None:
            raise NoSuchClaim
        _lock_draw(claim)
        _lose([claim_id], after, reason=reason, at=at, by=by, seen=seen)
        _go_on(claim, key=key, at=at)
        claim.refresh_from_db()
    return claim


@inside_transaction
def _lock_draw(claim: Claim) -> None:
    if claim.pick is not None:
        list(Draw.objects.select_for_update(no_key=True).filter(pk=claim.pick.draw_id).values_list("pk"))


@inside_transaction
def _lose(claim_ids: Iterable[int], after: str, *, reason: str, at: datetime, by: str, seen: str = "") -> None:
    for claim_id in claim_ids:
        payout = Payout.objects.select_for_update(no_key=True).filter(claim=claim_id).first()
        if payout is not None and payout.state not in {Payout.State.WAITING, Payout.State.FAILED}:
            raise ClaimState(_("The payment is under way or made: it cannot be taken back here."))
        move(claim_id, after, at=at, by=by, reason=reason, seen=seen)
        if payout is not None:
            payout.state, payout.problem = Payout.State.FAILED, reason
            payout.save(update_fields=["state", "problem"])


@inside_transaction
def lose_of_erased(claim_ids: Collection[int], *, at: datetime) -> None:
    """Refuse what a forgotten person has not been given yet; the sweep lets the next in line move up."""
    _lose_open(Claim.objects.filter(pk__in=claim_ids), State.REFUSED, reason="erased", at=at, by=SYSTEM)


@inside_transaction
def take_back(label_no: int, *, at: datetime, by: str) -> int | None:
    """End what a label won, whose redemption is taken back; return the play whose points are to be reversed, if any.

    What has been sent or paid already stays as it is. The unit is not won again by another label: it goes where the
    rules send prizes that were not taken, the second-chance draw.
    """
    won = Claim.objects.filter(play__label_no=label_no)
    _lose_open(won, State.DISQUALIFIED, reason="reversed", at=at, by=by)
    given = won.filter(state=State.DONE, tier__kind__in=PrizeTier.AT_ONCE)
    claim = given.select_related("tier").select_for_update(no_key=True, of=("self",)).first()
    if claim is None:
        return None
    Claim.objects.filter(pk=claim.pk).update(state=State.DISQUALIFIED, moved_at=at)
    ClaimMove.objects.create(
        claim=claim, before=State.DONE, after=State.DISQUALIFIED, reason="reversed", moved_by=by, at=at
    )
    return claim.play_id if claim.tier.points else None


@inside_transaction
def _lose_open(claims: QuerySet[Claim], after: str, *, reason: str, at: datetime, by: str) -> None:
    """Let go of those claims that are not given yet, and for which no payment is under way."""
    open_states = [state for state, nexts in rules.NEXT.items() if after in nexts]
    under_way = Payout.objects.exclude(state__in=[Payout.State.WAITING, Payout.State.FAILED]).values("claim")
    ids = claims.filter(state__in=open_states).exclude(pk__in=under_way)
    _lose(list(ids.order_by("pk").values_list("pk", flat=True)), after, reason=reason, at=at, by=by)


@inside_transaction
def _go_on(claim: Claim, *, key: bytes, at: datetime) -> None:
    if claim.pick is not None:
        promote(claim.pick.draw_id, key=key, at=at)


@inside_transaction
def promote(draw_id: int, *, key: bytes, at: datetime) -> list[Claim]:
    """Open the claims of as many alternates as winners were lost, tier by tier, in order; write an edition of the proof.

    Done again, it changes nothing: alternates in use are counted against prizes that were lost. Out of alternates the unit
    goes where the rules say (`lottery.services.reserve`).
    """
    draw = Draw.objects.select_for_update(no_key=True, of=("self",)).select_related("campaign").get(pk=draw_id)
    drawn = Claim.objects.filter(pick__draw=draw)
    lost = Counter(drawn.filter(state__in=Claim.ENDED_WITHOUT).values_list("pick__tier", flat=True))
    used = Counter(drawn.filter(pick__role=Pick.Role.ALTERNATE).values_list("pick__tier", flat=True))
    made: list[Claim] = []
    for tier, count in sorted(lost.items()):
        waiting = draw.picks.filter(role=Pick.Role.ALTERNATE, tier=tier, claim=None).order_by("unit")
        made += [make_claim(pick, at=at) for pick in waiting.select_related("entry")[: count - used[tier]]]
    if made or _unpublished(draw):
        bundles.write_edition(draw, key=key, at=at)
    return made


def _unpublished(draw: Draw) -> bool:
    """Whether a prize was lost after the last edition of the draw's proof."""
    last = Bundle.objects.filter(draw=draw).order_by("-edition").values_list("at", flat=True).first()
    told = ClaimMove.objects.filter(claim__pick__draw=draw, after__in=Claim.ENDED_WITHOUT)
    newest = told.order_by("-at").values_list("at", flat=True).first()
    return bool(newest and last and newest >= last)


# --- what time does --------------------------------------------------------------------------------------------------------


def expire_due(*, at: datetime) -> int:
    """Let prizes go that nobody claimed in time, and move alternates up; return how many were lost."""
    due = Claim.objects.filter(state__in=Claim.WAITING, deadline_at__lte=at).order_by("pk")
    count = 0
    for claim_id, draw_id in list(due.values_list("pk", "pick__draw_id")[:SWEEP]):
        with transaction.atomic():
            if draw_id is not None:
                list(Draw.objects.select_for_update(no_key=True).filter(pk=draw_id).values_list("pk"))
            try:
                move(claim_id, State.EXPIRED, at=at, by=SYSTEM, reason="late")
            except ClaimState:  # claimed, or swept, a moment ago
                continue
            count += 1
    return count


def promote_due(*, at: datetime) -> int:
    """Move alternates up in every draw that lost a winner since its last edition; return how many."""
    key = sign_key(at=at)
    last = Bundle.objects.filter(draw=OuterRef("pick__draw")).order_by("-edition").values("at")[:1]
    lost = Claim.objects.filter(pick__isnull=False, state__in=Claim.ENDED_WITHOUT)
    draws = lost.annotate(told_at=Subquery(last)).filter(moved_at__gte=Subquery(last)).values_list("pick__draw_id")
    count = 0
    for (draw_id,) in sorted(set(draws)):
        with transaction.atomic():
            count += len(promote(draw_id, key=key, at=at))
    return count


def finish_due(*, at: datetime) -> int:
    """Count as received what was sent long ago; return how many."""
    sent = Claim.objects.filter(state=State.SENT, moved_at__lte=at - DONE_AFTER).order_by("pk")
    count = 0
    for claim_id in list(sent.values_list("pk", flat=True)[:SWEEP]):
        with transaction.atomic():
            try:
                move(claim_id, State.DONE, at=at, by=SYSTEM, reason="no_word")
            except ClaimState:
                continue
            count += 1
    return count


def hand_out_due(*, at: datetime) -> int:
    """Give codes to approved vouchers that found the stock empty; return how many got one."""
    waiting = Claim.objects.filter(state=State.APPROVED, tier__kind=PrizeTier.Kind.VOUCHER, code=None)
    count = 0
    for claim in waiting.select_related("tier").order_by("moved_at", "pk")[:SWEEP]:
        with transaction.atomic():
            if not stock.take(claim, at=at):
                continue
            move(claim.pk, State.SENT, at=at, by=SYSTEM)
            count += 1
    return count
