"""Campaigns' verbs, and the exact taking from their budgets and caps.

Locks: caps by key, then budget slots by (budget, slot), as in docs/architecture.md, "the one lock order".
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple

from django.db import connection, transaction
from django.utils.translation import gettext as _

from common.db import array, ask, inside_transaction
from common.errors import Conflict, Invalid, NotFound
from lottery.models import Award, Budget, BudgetSlot, Campaign
from lottery.rules import SLOTS
from staff import approvals
from staff.models import User

MAX_POINTS = 2**53 - 1
BUDGET_ACT = "lottery.budget"


class BadCampaign(Invalid):
    """The campaign is not complete or contradicts itself."""

    code = "bad_campaign"


class NoSuchCampaign(NotFound):
    """There is no such campaign."""

    code = "campaign_not_found"


class CampaignState(Conflict):
    """The campaign's state does not allow that."""

    code = "campaign_state"


class BudgetShort(Exception):
    """A slot holds less than is needed: roll back to the savepoint and serve in turn with `Hand`. Never leaves here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class NewAward:
    party: str
    points: int
    product_id: int | None = None
    expires_after_months: int | None = None


class Need(NamedTuple):
    """What one redemption takes from a budget, starting at a slot."""

    budget_id: int
    slot: int
    amount: int


@dataclass(frozen=True, slots=True)
class Use:
    """One paid code of one consumer, to be counted against the caps of a campaign."""

    campaign_id: int
    account_id: int
    day: date
    daily_cap: int | None
    total_cap: int | None


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
            BudgetSlot(budget=row, slot=slot, left=left) for slot, left in enumerate(_spread(budget))
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
    campaign = Campaign.objects.select_for_update(no_key=True).filter(pk=campaign_id).first()
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
            state=Campaign.State.OPEN, closes_at__lte=at
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
        for slot, more in enumerate(_spread(points)):
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
        hand.left[budget_id] = _spread(sum(hand.left[budget_id]))
        hand.save()


def rebalance_all() -> int:
    """Rebalance the budgets of open campaigns in which a slot has run empty while others have not; return how many."""
    uneven = BudgetSlot.objects.filter(budget__campaign__state=Campaign.State.OPEN, left=0)
    budgets = set(uneven.values_list("budget_id", flat=True))
    for budget_id in sorted(budgets):
        rebalance(budget_id)
    return len(budgets)


def _spread(points: int) -> list[int]:
    share, rest = divmod(points, SLOTS)
    return [share + (slot < rest) for slot in range(SLOTS)]


# --- taking, inside a redemption -------------------------------------------------------------------------------------


@inside_transaction
def ask_take(needs: Iterable[Need]) -> Callable[[], None]:
    """Take all needs, each from its own slot, netted per slot and locked in order.

    What is returned raises `BudgetShort` if a slot held less than is needed: roll back then.
    """
    netted = _netted(needs)
    if not netted:
        return lambda: None
    taken = ask(
        """
        WITH need AS (SELECT * FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS n (budget_id, slot, amount)),
             held AS (SELECT s.id, need.amount
                        FROM lottery_budgetslot s JOIN need USING (budget_id, slot)
                       ORDER BY budget_id, slot FOR NO KEY UPDATE OF s)
        UPDATE lottery_budgetslot s SET "left" = s."left" - held.amount
          FROM held WHERE s.id = held.id AND s."left" >= held.amount
        """,
        [array(key[0] for key in netted), array(key[1] for key in netted), array(netted.values())],
    )

    def check() -> None:
        if taken.count < len(netted):
            raise BudgetShort

    return check


def _netted(needs: Iterable[Need]) -> dict[tuple[int, int], int]:
    netted: dict[tuple[int, int], int] = {}
    for budget_id, slot, amount in needs:
        netted[budget_id, slot] = netted.get((budget_id, slot), 0) + amount
    return netted


class Hand:
    """All slots of some budgets, locked in order: needs are served in turn, and refused only where the sum is short."""

    def __init__(self, budget_ids: Iterable[int]) -> None:
        slots = BudgetSlot.objects.filter(budget_id__in=set(budget_ids)).order_by("budget_id", "slot")
        rows = slots.select_for_update(no_key=True).values_list("budget_id", "slot", "left")
        self.left: dict[int, list[int]] = defaultdict(lambda: [0] * SLOTS)
        for budget_id, slot, left in rows:
            self.left[budget_id][slot] = left

    def covers(self, need: Need) -> bool:
        """Return whether the budget still holds the amount."""
        return sum(self.left[need.budget_id]) >= need.amount

    def take(self, need: Need) -> None:
        """Take an amount that is covered, beginning at the need's own slot."""
        rest = need.amount
        left = self.left[need.budget_id]
        for step in range(SLOTS):
            slot = (need.slot + step) % SLOTS
            part = min(rest, left[slot])
            left[slot] -= part
            rest -= part
        if rest:
            raise RuntimeError("taken without asking whether it is covered")

    def save(self) -> None:
        """Write what is left."""
        rows = [(budget, slot, left) for budget, slots in self.left.items() for slot, left in enumerate(slots)]
        with connection.cursor() as cursor:
            cursor.execute(
                """
                UPDATE lottery_budgetslot s SET "left" = n."left"
                  FROM unnest(%s::bigint[], %s::int[], %s::bigint[]) AS n (budget_id, slot, "left")
                 WHERE s.budget_id = n.budget_id AND s.slot = n.slot AND s."left" <> n."left"
                """,
                [list(column) for column in zip(*rows, strict=True)] or [[], [], []],
            )


@inside_transaction
def give_back(needs: Iterable[Need]) -> None:
    """Put amounts back into their slots: the reverse of `ask_take`."""
    for (budget_id, slot), amount in sorted(_netted(needs).items()):
        with connection.cursor() as cursor:
            cursor.execute(
                'UPDATE lottery_budgetslot SET "left" = "left" + %s WHERE budget_id = %s AND slot = %s',
                [amount, budget_id, slot],
            )


@inside_transaction
def count_uses(uses: Sequence[Use]) -> list[bool]:
    """Count paid codes against the caps of their campaigns; return which of them, in turn, stay within every cap.

    Counters are netted per key and locked by one sorted statement; what is refused is given back by a second one.
    """
    wanted: dict[tuple[int, int, date | None], int] = defaultdict(int)
    for use in uses:
        for key, _cap in _keys(use):
            wanted[key] += 1
    if not wanted:
        return [True] * len(uses)
    before = {key: used - wanted[key] for key, used in _add(wanted).items()}
    unused: dict[tuple[int, int, date | None], int] = defaultdict(int)
    allowed = []
    for use in uses:
        fits = all(before[key] < cap for key, cap in _keys(use))
        allowed.append(fits)
        for key, _cap in _keys(use):
            if fits:
                before[key] += 1
            else:
                unused[key] += 1
    if unused:
        _give_back_uses(unused)
    return allowed


@inside_transaction
def uncount_uses(uses: Sequence[Use]) -> None:
    """Take back what `count_uses` allowed and was not used."""
    amounts: dict[tuple[int, int, date | None], int] = defaultdict(int)
    for use in uses:
        for key, _cap in _keys(use):
            amounts[key] += 1
    if amounts:
        _give_back_uses(amounts)


def _keys(use: Use) -> list[tuple[tuple[int, int, date | None], int]]:
    keys: list[tuple[tuple[int, int, date | None], int]] = []
    if use.daily_cap is not None:
        keys.append(((use.campaign_id, use.account_id, use.day), use.daily_cap))
    if use.total_cap is not None:
        keys.append(((use.campaign_id, use.account_id, None), use.total_cap))
    return keys


def _add(amounts: dict[tuple[int, int, date | None], int]) -> dict[tuple[int, int, date | None], int]:
    keys = list(amounts)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO lottery_capuse AS c (campaign_id, account_id, day, used)
            SELECT campaign_id, account_id, day, used
              FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::int[]) AS n (campaign_id, account_id, day, used)
             ORDER BY campaign_id, account_id, day
                ON CONFLICT (campaign_id, account_id, day) DO UPDATE SET used = c.used + excluded.used
            RETURNING campaign_id, account_id, day, used
            """,
            [*([key[part] for key in keys] for part in range(3)), list(amounts.values())],
        )
        return {(campaign, account, day): used for campaign, account, day, used in cursor.fetchall()}


def _give_back_uses(amounts: dict[tuple[int, int, date | None], int]) -> None:
    keys = list(amounts)
    with connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE lottery_capuse c SET used = c.used - n.used
              FROM unnest(%s::bigint[], %s::bigint[], %s::date[], %s::int[]) AS n (campaign_id, account_id, day, used)
             WHERE c.campaign_id = n.campaign_id AND c.account_id = n.account_id AND c.day IS NOT DISTINCT FROM n.day
            """,
            [*([key[part] for key in keys] for part in range(3)), list(amounts.values())],
        )
