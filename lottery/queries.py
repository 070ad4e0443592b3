"""What is offered for a code, and how campaigns stand."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime

from django.db.models import F, Q, QuerySet, Sum

from common.db import array, ask
from lottery.draw import who_of
from lottery.models import Campaign, Draw, Exclusion
from members.models import Member


@dataclass(frozen=True, slots=True)
class Award:
    points: int
    expires_after_months: int | None


@dataclass(frozen=True, slots=True)
class Offer:
    """What one code of a product earns now. ``left``: points left in the budget, None without a budget."""

    campaign_id: int
    budget_id: int | None
    left: int | None
    daily_cap: int | None
    total_cap: int | None
    awards: Mapping[str, Award] = field(default_factory=dict)

    def points_of(self, party: str) -> int:
        """Return what the offer pays to a party."""
        award = self.awards.get(party)
        return award.points if award else 0


@dataclass(frozen=True, slots=True)
class Ended:
    """There was an offer, and it is over."""

    at: datetime


def offers(product_ids: Collection[int], at: datetime) -> dict[int, Offer | Ended]:
    """Return, in one query, what each product's codes earn at ``at``; products that never had an offer are missing.

    Of several open campaigns the one that names the product wins, then the newest. Within a campaign an award that
    names the product stands before one for any product.
    """
    return ask_offers(product_ids, at)() if product_ids else {}


def ask_offers(product_ids: Collection[int], at: datetime) -> Callable[[], dict[int, Offer | Ended]]:
    """Ask for `offers`."""
    rows = ask(
        """
        SELECT c.id, a.product_id, a.party, a.points, a.expires_after_months, c.daily_cap, c.total_cap, b.id,
               (SELECT sum("left")::bigint FROM lottery_budgetslot s WHERE s.budget_id = b.id),
               c.state = 'open' AND (c.closes_at IS NULL OR c.closes_at > %(at)s), least(c.closes_at, c.ended_at)
          FROM lottery_award a
          JOIN lottery_campaign c ON c.id = a.campaign_id
          LEFT JOIN lottery_budget b ON b.campaign_id = c.id
         WHERE c.state <> 'draft' AND c.opens_at <= %(at)s
           AND (a.product_id IS NULL OR a.product_id = ANY(%(products)s::bigint[]))
         ORDER BY a.product_id NULLS FIRST, c.id
        """,
        {"at": at, "products": array(product_ids)},
    )

    def answer() -> dict[int, Offer | Ended]:
        found = rows()
        return {product: offer for product in product_ids if (offer := _offer_of(product, found)) is not None}

    return answer


def _offer_of(product: int, rows: list[tuple]) -> Offer | Ended | None:
    mine = [row for row in rows if row[1] in (None, product)]
    live = [row for row in mine if row[9]]
    if not live:
        ends = [row[10] for row in mine if row[10] is not None]
        return Ended(max(ends)) if ends else None
    chosen = live[-1][0]  # rows that name the product come last, and among them the newest campaign
    of_campaign = [row for row in live if row[0] == chosen]
    *_, daily_cap, total_cap, budget_id, left, _is_live, _end = of_campaign[-1]
    awards = {row[2]: Award(row[3], row[4]) for row in of_campaign}
    return Offer(chosen, budget_id, left, daily_cap, total_cap, awards)


def campaigns() -> QuerySet[Campaign]:
    """Return all campaigns, each with ``points_total`` and ``points_left`` of its budget (None without one)."""
    return Campaign.objects.annotate(points_total=F("budget__total"), points_left=Sum("budget__slots__left"))


def points_left(campaign_id: int) -> int | None:
    """Return what is left in a campaign's budget, or None if it has no budget."""
    found = Campaign.objects.filter(pk=campaign_id).aggregate(left=Sum("budget__slots__left"))
    return found["left"]  # type: ignore[no-any-return]


# --- who takes no part -------------------------------------------------------------------------------------------------


def excluded(*, phones: Collection[bytes] = (), devices: Collection[bytes] = ()) -> set[bytes]:
    """Return those of the blind indexes (phones) and device marks that take part in nothing. One query."""
    if not phones and not devices:
        return set()
    by = Q(by=Exclusion.By.PHONE, index__in=list(phones)) | Q(by=Exclusion.By.DEVICE, index__in=list(devices))
    return {bytes(index) for index in Exclusion.objects.filter(by, removed_at=None).values_list("index", flat=True)}


def excluded_names(draw: Draw, key: bytes) -> list[str]:
    """Return, sorted, the names that excluded members would have in a draw: its hash stops exclusions invented later."""
    phones = Exclusion.objects.filter(by=Exclusion.By.PHONE, removed_at=None, added_at__lte=draw.close_at)
    members = Member.objects.filter(phone_index__in=phones.values("index")).values_list("uuid", flat=True)
    return sorted(who_of(key, member) for member in members)
