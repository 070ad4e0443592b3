"""What is offered for a code, and how campaigns stand."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection
from django.db.models import Count, F, Q, QuerySet, Sum

from common.db import array, ask, bytes_array, schema_name
from lottery.beacon_settings import default_beacon
from lottery.draw import who_of
from lottery.models import Campaign, Claim, Draw, Entry, Exclusion, Play, PrizeTier
from lottery.rules import Terms
from lottery.told import EntryTold, PlayTold, Prize
from members.models import Member, PendingHolder


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


# --- prizes --------------------------------------------------------------------------------------------------------------


def claims() -> QuerySet[Claim]:
    """Return all prizes that were won, with what their pages show."""
    return Claim.objects.select_related("campaign", "tier", "member", "pick__draw")


def prizes_of(member_id: int) -> QuerySet[Claim]:
    """Return what a member has won, under the own account or one that was waiting for them."""
    own = Member.objects.filter(pk=member_id).values("account_id")
    waited = PendingHolder.objects.filter(claimed_by=member_id).values("account_id")
    return Claim.objects.filter(Q(member=member_id) | Q(account__in=own) | Q(account__in=waited))


@dataclass(frozen=True, slots=True)
class Winner:
    """One line of the public list: the number masked, empty once the person is forgotten."""

    at: datetime
    phone: str
    prize: str


@dataclass(frozen=True, slots=True)
class Given:
    """How many of a prize there are in each game, were won, and were given."""

    prize: PrizeTier
    won: int
    given: int


def winners_of(campaign: Campaign, *, cursor: int | None, limit: int) -> tuple[list[Winner], int | None, list[Given]]:
    """Return a page of the winners who claimed, newest first, the next page's cursor, and the counts of each prize.

    A prize is listed from the moment at which its winner claims it; whoever was refused or was late is in no list.
    """
    standing = Claim.objects.filter(campaign=campaign).exclude(state__in=Claim.ENDED_WITHOUT)
    listed = standing.exclude(state__in=Claim.WAITING).select_related("tier", "member").order_by("-pk")
    if cursor is not None:
        listed = listed.filter(pk__lt=cursor)
    rows = list(listed[: limit + 1])
    page = [
        Winner(row.won_at, row.member.masked_phone if row.member else "", row.tier.display_name) for row in rows[:limit]
    ]
    given = Q(claims__state__in=["sent", "paid", "done"])
    won = Q(claims__state__in=[state for state in Claim.State.values if state not in Claim.ENDED_WITHOUT])
    tiers = campaign.tiers.annotate(
        won=Count("claims", filter=won, distinct=True), given=Count("claims", filter=given, distinct=True)
    )
    counts = [Given(tier, tier.won, tier.given) for tier in tiers.order_by("use", "tier")]
    return page, rows[limit - 1].pk if len(rows) > limit else None, counts


# --- who takes no part -------------------------------------------------------------------------------------------------


def excluded(*, phones: Collection[bytes] = (), devices: Collection[bytes] = ()) -> set[bytes]:
    """Return those of the blind indexes (phones) and device marks that take part in nothing. One query."""
    if not phones and not devices:
        return set()
    by = Q(by=Exclusion.By.PHONE, index__in=list(phones)) | Q(by=Exclusion.By.DEVICE, index__in=list(devices))
    return {bytes(index) for index in Exclusion.objects.filter(by, removed_at=None).values_list("index", flat=True)}


def ask_excluded_devices(devices: Collection[bytes]) -> Callable[[], set[bytes]]:
    """Ask which of these device marks take part in nothing."""
    if not devices:
        return set
    rows = ask(
        "SELECT index FROM lottery_exclusion WHERE by = 'device' AND removed_at IS NULL AND index = ANY(%s::bytea[])",
        [bytes_array(devices)],
    )
    return lambda: {bytes(index) for (index,) in rows()}


def excluded_names(draw: Draw, key: bytes) -> list[str]:
    """Return, sorted, the names that excluded members would have in a draw: its hash stops exclusions invented later."""
    phones = Exclusion.objects.filter(by=Exclusion.By.PHONE, removed_at=None, added_at__lte=draw.close_at)
    members = Member.objects.filter(phone_index__in=phones.values("index")).values_list("uuid", flat=True)
    return sorted(who_of(key, member) for member in members)


class Person(NamedTuple):
    """A member as limits and exclusions know them. ``excluded``: they, or one of their household, take part in nothing."""

    uuid: UUID
    phone_index: bytes | None
    household: UUID | None
    excluded: bool


def ask_people(account_ids: Collection[int]) -> Callable[[], dict[int, Person]]:
    """Ask for the members of these accounts; accounts of nobody we know yet are missing."""
    rows = ask(_PEOPLE, [array(account_ids)])
    return lambda: {row[0]: Person(*row[1:]) for row in rows()}


_excluding: set[str] = set()  # schemas in which somebody was excluded when this process last asked


def ask_excluded(account_ids: Collection[int]) -> Callable[[], dict[int, Person]]:
    """Ask for the members of these accounts who take part in nothing.

    In a brand that excludes nobody, as far as this process knows, it asks whether that is still so, which is a third of
    the work; should it not be, what is returned asks again.
    """
    schema = schema_name()
    if schema in _excluding:
        rows = ask(f"SELECT * FROM ({_PEOPLE}) AS people WHERE is_out", [array(account_ids)])  # noqa: S608 - our own
        return lambda: {row[0]: Person(*row[1:]) for row in rows()}
    excludes = ask("SELECT EXISTS (SELECT FROM lottery_exclusion WHERE by = 'phone' AND removed_at IS NULL)", [])

    def found() -> dict[int, Person]:
        if excludes() == [(False,)]:
            return {}
        _excluding.add(schema)
        return ask_excluded(account_ids)()

    return found


_PEOPLE = """
        SELECT m.account_id, m.uuid, m.phone_index, h.household,
               EXISTS (SELECT FROM lottery_exclusion x WHERE x.by = 'phone' AND x.removed_at IS NULL
                        AND x.index = m.phone_index)
               OR h.household IS NOT NULL AND EXISTS (
                   SELECT FROM lottery_household o
                     JOIN lottery_exclusion x ON x.by = 'phone' AND x.removed_at IS NULL AND x.index = o.index
                    WHERE o.household = h.household) AS is_out
          FROM members_member m LEFT JOIN lottery_household h ON h.index = m.phone_index
         WHERE m.account_id = ANY(%s::bigint[])
"""


# --- what was told -----------------------------------------------------------------------------------------------------


def plays_of(label_nos: Collection[int]) -> dict[int, PlayTold]:
    """Return what the plays of redeemed labels came to; labels that played nothing are missing. One query."""
    rows = ask(
        """
        SELECT p.label_no, p.outcome, c.public_id, c.name, c.name_zh, t.tier, t.kind, t.name, t.name_zh, t.points,
               m.public_id
          FROM lottery_campaign c
          JOIN lottery_play p ON p.campaign_id = c.id AND p.label_no = ANY(%s::bigint[])
          LEFT JOIN lottery_prizetier t ON t.id = p.tier_id
          LEFT JOIN lottery_claim m ON m.play_id = p.id
         WHERE c.kind IN ('instant', 'both')
        """,
        [array(label_nos)],
    )
    return {row[0]: _play_told(*row[1:]) for row in rows()}


def _play_told(outcome: int, public_id: str, name: str, name_zh: str, tier: int | None, *prize: Any) -> PlayTold:
    *described, claim = prize
    won = Prize(tier, *described) if tier is not None else None
    return PlayTold(Play.Outcome(outcome).name.lower(), public_id, name, name_zh, won, claim)


def entries_of_labels(accounts: Mapping[int, int]) -> dict[int, tuple[EntryTold, ...]]:
    """Return the entries that redeemed labels made (label_no → account that redeemed it), by label. One query."""
    found: dict[int, list[EntryTold]] = {}
    rows = Entry.objects.filter(
        account_id__in=set(accounts.values()), source=Entry.Source.LABEL, source_id__in=accounts
    )
    for entry in rows.select_related("draw").order_by("draw_id", "pk"):
        found.setdefault(entry.source_id, []).append(entry_told(entry))
    return {label_no: tuple(entries) for label_no, entries in found.items()}


def entry_told(entry: Entry) -> EntryTold:
    """Return what a participant is told of an entry, whose draw was read with it."""
    draw = entry.draw
    return EntryTold(
        entry.pk,
        draw.public_id,
        draw.uuid.hex,
        draw.close_at,
        entry.weight,
        bytes(entry.leaf),
        bytes(draw.rules_hash or b""),
        entry.at,
    )


def odds(campaign: str) -> int | None:
    """Return n where one label in n wins something in a campaign's instant game, None where there is none."""
    with connection.cursor() as cursor:
        cursor.execute(
            """
            SELECT (SELECT sum(t.quantity) FROM lottery_prizetier t WHERE t.campaign_id = c.id AND t.use = 'instant'),
                   (SELECT sum(p.eligible) FROM lottery_pool p WHERE p.campaign_id = c.id)
              FROM lottery_campaign c WHERE c.public_id = %s
            """,
            [campaign],
        )
        winners, labels = cursor.fetchone() or (0, 0)
    return max(1, round(labels / winners)) if winners and labels else None


def claim_deadline(public_id: str) -> datetime | None:
    """Return until when a prize waits for its winner; None if it does not, or no more."""
    waiting = Claim.objects.filter(public_id=public_id, state__in=[Claim.State.WON, Claim.State.NOTIFIED])
    return waiting.values_list("deadline_at", flat=True).first()


# --- draws that a member can enter -------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class OpenDraw:
    """A draw that takes entries. ``price``: points for one unit of weight, 0 if it takes none; ``free``: it takes free ones."""

    public_id: str
    campaign: Campaign
    close_at: datetime
    price: int
    most: int
    free: bool


def open_draws(at: datetime) -> list[OpenDraw]:
    """Return the draws that take entries for points or free ones now, the next to close first."""
    rows = Draw.objects.filter(
        state=Draw.State.OPEN,
        close_at__gt=at,
        campaign__state__in=[Campaign.State.OPEN, Campaign.State.CLOSING],
    ).select_related("campaign")
    found = []
    for draw in rows.order_by("close_at", "pk"):
        terms = Terms.read(draw.campaign.terms, beacon=default_beacon())
        free = terms.weights["free"] > 0
        if terms.points_price or free:
            found.append(
                OpenDraw(draw.public_id, draw.campaign, draw.close_at, terms.points_price, terms.max_weight, free)
            )
    return found


def entries_of_accounts(account_ids: Collection[int]) -> QuerySet[Entry]:
    """Return the entries of these accounts with their draws and campaigns, the newest first."""
    rows = Entry.objects.filter(account_id__in=account_ids).select_related("draw__campaign")
    return rows.order_by("-pk")
