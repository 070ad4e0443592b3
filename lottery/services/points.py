"""The life of a campaign that offers points: draft, open, closed or halted."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.models import Q
from django.utils.translation import gettext as _

from lottery.errors import BadCampaign, CampaignState, NoSuchCampaign
from lottery.models import Award, Budget, BudgetSlot, Campaign
from lottery.services.budgets import Hand, spread
from staff import approvals
from staff.models import User

MAX_POINTS = 2**53 - 1
BUDGET_ACT = "lottery.budget"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAward:
    party: str
    points: int
    product_id: int | None = None
    expires_after_months: int | None = None


# --- the life of a campaign ----------------------------------------------------------------------------------------


def create_campaign(
    *,
    name: str,
    name_zh: str,
    opens_at: datetime,
    awards: Sequence[NewAward],
    at: datetime,
    closes_at: datetime | None = None,
    budget: int | None = None,
    daily_cap: int | None = None,
    total_cap: int | None = None,
    asked_by: str = "",
) -> Campaign:
    """Make a campaign in draft, with its awards and (unless ``budget`` is None) its budget. Raises `BadCampaign`."""
    _require_sound(opens_at=opens_at, closes_at=closes_at, awards=awards, budget=budget, caps=(daily_cap, total_cap))
    with transaction.atomic():
        campaign = Campaign.objects.create(
            name=name,
            name_zh=name_zh,
            opens_at=opens_at,
            closes_at=closes_at,
            daily_cap=daily_cap,
            total_cap=total_cap,
            created_at=at,
            created_by=asked_by,
        )
        _write_terms(campaign, awards=awards, budget=budget)
    return campaign


def edit_campaign(
    campaign_id: int,
    *,
    name: str,
    name_zh: str,
    opens_at: datetime,
    awards: Sequence[NewAward],
    closes_at: datetime | None = None,
    budget: int | None = None,
    daily_cap: int | None = None,
    total_cap: int | None = None,
) -> Campaign:
    """Rewrite a draft, with its awards and budget. Raises `BadCampaign`, `CampaignState`, `NoSuchCampaign`."""
    _require_sound(opens_at=opens_at, closes_at=closes_at, awards=awards, budget=budget, caps=(daily_cap, total_cap))
    with transaction.atomic():
        campaign = _locked(campaign_id)
        if campaign.state != Campaign.State.DRAFT:
            raise CampaignState(_("Only a draft can be changed."))
        campaign.name, campaign.name_zh = name, name_zh
        campaign.opens_at, campaign.closes_at = opens_at, closes_at
        campaign.daily_cap, campaign.total_cap = daily_cap, total_cap
        campaign.save(update_fields=["name", "name_zh", "opens_at", "closes_at", "daily_cap", "total_cap"])
        Award.objects.filter(campaign=campaign).delete()
        BudgetSlot.objects.filter(budget__campaign=campaign).delete()
        Budget.objects.filter(campaign=campaign).delete()
        _write_terms(campaign, awards=awards, budget=budget)
    return campaign


def _write_terms(campaign: Campaign, *, awards: Sequence[NewAward], budget: int | None) -> None:
    Award.objects.bulk_create(
        Award(
            campaign=campaign,
            party=award.party,
            points=award.points,
            product_id=award.product_id,
            expires_after_months=award.expires_after_months,
        )
        for award in awards
    )
    if budget is not None:
        row = Budget.objects.create(campaign=campaign, total=budget)
        BudgetSlot.objects.bulk_create(
            BudgetSlot(budget=row, slot=slot, left=left) for slot, left in enumerate(spread(budget))
        )


def _require_sound(
    *,
    opens_at: datetime,
    closes_at: datetime | None,
    awards: Sequence[NewAward],
    budget: int | None,
    caps: tuple[int | None, ...],
) -> None:
    if closes_at is not None and closes_at <= opens_at:
        raise BadCampaign(_("A campaign must close after it opens."))
    if not awards:
        raise BadCampaign(_("A campaign needs at least one award."))
    if len({(award.party, award.product_id) for award in awards}) < len(awards):
        raise BadCampaign(_("State each award of a party and product once."))
    for award in awards:
        if award.party not in Award.Party.values or not 0 < award.points <= 10**9:
            raise BadCampaign(_("An award names a party and gives it from 1 to 1,000,000,000 points."))
        if award.expires_after_months is not None and not 1 <= award.expires_after_months <= 120:
            raise BadCampaign(_("Points expire after 1 to 120 months, or never."))
    if budget is not None and not 0 <= budget <= MAX_POINTS:
        raise BadCampaign(_("A budget is a whole number of points, not below zero."))
    if any(cap is not None and not 0 < cap < 2**31 for cap in caps):
        raise BadCampaign(_("A cap is a whole number above zero."))


def _locked(campaign_id: int) -> Campaign:
    points = Campaign.objects.filter(kind=Campaign.Kind.POINTS)
    campaign = points.select_for_update(no_key=True).filter(pk=campaign_id).first()
    if campaign is None:
        raise NoSuchCampaign
    return campaign


def open_campaign(campaign_id: int, *, at: datetime) -> Campaign:
    """Let a draft begin (at ``opens_at``, or now if that is past). Raises `CampaignState`, `BadCampaign`."""
    with transaction.atomic():
        campaign = _locked(campaign_id)
        if campaign.state != Campaign.State.DRAFT:
            raise CampaignState(_("Only a draft can be opened."))
        if campaign.closes_at is not None and campaign.closes_at <= at:
            raise BadCampaign(_("The closing time is past."))
        campaign.state = Campaign.State.OPEN
        campaign.save(update_fields=["state"])
    return campaign


def close_campaign(campaign_id: int, *, at: datetime) -> Campaign:
    """End an open campaign in the ordinary way. Raises `CampaignState`."""
    return _end(campaign_id, Campaign.State.CLOSED, at=at)


def halt(campaign_id: int, *, reason: str, at: datetime) -> Campaign:
    """Stop an open campaign at once, for a reason that the public may read. Raises `CampaignState`, `BadCampaign`."""
    if not reason.strip():
        raise BadCampaign(_("A halt needs a reason that the public may read."))
    return _end(campaign_id, Campaign.State.HALTED, at=at, halt_reason=reason.strip()[:200])


def _end(campaign_id: int, state: str, *, at: datetime, halt_reason: str = "") -> Campaign:
    with transaction.atomic():
        campaign = _locked(campaign_id)
        if campaign.state != Campaign.State.OPEN:
            raise CampaignState(_("Only an open campaign can be ended."))
        campaign.state, campaign.ended_at, campaign.halt_reason = state, at, halt_reason
        campaign.save(update_fields=["state", "ended_at", "halt_reason"])
    return campaign


def close_due(*, at: datetime) -> int:
    """Close the open campaigns whose closing time is past; return how many. For reports: offers end by themselves."""
    with transaction.atomic():
        due = Campaign.objects.select_for_update(no_key=True, skip_locked=True).filter(
            kind=Campaign.Kind.POINTS, state=Campaign.State.OPEN, closes_at__lte=at
        )
        rows = list(due.order_by("pk"))
        for campaign in rows:
            campaign.state, campaign.ended_at = Campaign.State.CLOSED, campaign.closes_at
            campaign.save(update_fields=["state", "ended_at"])
    return len(rows)


def top_up(campaign_id: int, *, points: int, at: datetime) -> None:
    """Add points to the budget of a campaign that has not ended. Raises `BadCampaign`, `CampaignState`."""
    with transaction.atomic():
        campaign = _locked(campaign_id)
        if campaign.state not in {Campaign.State.DRAFT, Campaign.State.OPEN}:
            raise CampaignState(_("This campaign has ended."))
        budget = Budget.objects.select_for_update(no_key=True).filter(campaign=campaign).first()
        if budget is None:
            raise BadCampaign(_("This campaign has no budget: it pays without limit."))
        if points <= 0 or budget.total + points > MAX_POINTS:
            raise BadCampaign(_("Add a whole number of points above zero."))
        budget.total += points
        budget.save(update_fields=["total"])
        hand = Hand([budget.pk])
        for slot, more in enumerate(spread(points)):
            hand.left[budget.pk][slot] += more
        hand.save()


def raise_budget(campaign_id: int, *, points: int, by: User, at: datetime) -> None:
    """Top up as a person asks, once another one has approved so many points for this campaign.

    Raises as `top_up`, and `staff.approvals.NeedsApproval`.
    """
    with transaction.atomic(durable=True):
        campaign = _locked(campaign_id)
        payload = {"campaign": campaign.public_id, "name": campaign.name, "points": points}
        asked = approvals.ask_or_consume(BUDGET_ACT, payload, about=("campaign", "points"), by=by, at=at)
        if asked is None:
            top_up(campaign_id, points=points, at=at)
    if asked is not None:
        raise approvals.NeedsApproval(asked)


def rebalance(budget_id: int) -> None:
    """Spread what is left of a budget evenly over its slots."""
    with transaction.atomic():
        hand = Hand([budget_id])
        hand.left[budget_id] = spread(sum(hand.left[budget_id]))
        hand.save()


def rebalance_all() -> int:
    """Rebalance the budgets of open campaigns in which a slot has run empty while others have not; return how many."""
    of_open = Q(budget__campaign__state=Campaign.State.OPEN) | Q(budget__tier__campaign__state=Campaign.State.OPEN)
    uneven = BudgetSlot.objects.filter(of_open, left=0)
    budgets = set(uneven.values_list("budget_id", flat=True))
    for budget_id in sorted(budgets):
        rebalance(budget_id)
    return len(budgets)
