"""Drafts of campaigns with prizes: what a wizard asks, the pools of labels, the checklist of the law.

Locks: the campaign's row.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import Q
from django.utils.translation import gettext as _

from common.canonical import canonical
from common.db import inside_transaction
from labels import manifests
from labels.models import Batch, Block
from labels.rolls import RollNotReady, open_hold
from lottery import law, prf
from lottery.beacon_settings import default_beacon, is_allowed
from lottery.claims import level_of
from lottery.errors import BadCampaign, CampaignState, NoSuchCampaign
from lottery.models import Award, Campaign, Draw, LawDocument, Pool, PoolRange, PrizeTier, SignOff
from lottery.rules import GAME_BITS, Terms
from lottery.services.points import NewAward

HOLD = "lottery"


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTier:
    """A prize to be drafted; money in minor units of ``currency``. ``id_level`` None: as its market price asks."""

    use: str
    tier: int
    kind: str
    name: str
    name_zh: str
    quantity: int
    unit_cost: int
    market_price: int
    currency: str
    points: int | None = None
    delivery_cost: int = 0
    withheld_tax: int = 0
    claim_days: int = 30
    id_level: int | None = None
    alternates: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class NewPool:
    """A pool to be drafted: half-open ranges of label numbers; ``quantities`` empty shares each tier by size."""

    number: int
    ranges: Sequence[tuple[int, int]]
    name: str = ""
    quantities: Sequence[int] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class NewDraw:
    """A draw to be drafted."""

    number: int
    opens_at: datetime
    close_at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class NewGame:
    """All that a wizard asks for; ``terms`` as docs/algorithms/draws.md lists them."""

    kind: str
    name: str
    name_zh: str
    opens_at: datetime
    closes_at: datetime
    zone: str
    places: Sequence[str] = ()
    terms: Mapping[str, Any] = field(default_factory=dict)
    tiers: Sequence[NewTier] = ()
    pools: Sequence[NewPool] = ()
    draws: Sequence[NewDraw] = ()
    awards: Sequence[NewAward] = ()


# --- drafts --------------------------------------------------------------------------------------------------------------


def draft_game(new: NewGame, *, at: datetime, asked_by: str = "", campaign_id: int | None = None) -> Campaign:
    """Make or rewrite the draft of a campaign with prizes. Raises `BadCampaign`, `CampaignState`, `NoSuchCampaign`."""
    _require_sound(new)
    with transaction.atomic():
        if campaign_id is None:
            campaign = Campaign(created_at=at, created_by=asked_by)
        else:
            campaign = locked(campaign_id, Campaign.State.DRAFT)
            for rows in (PoolRange, Pool, Draw, PrizeTier, Award):
                rows.objects.filter(campaign=campaign).delete()
        campaign.kind, campaign.name, campaign.name_zh = new.kind, new.name, new.name_zh
        campaign.opens_at, campaign.closes_at, campaign.zone = new.opens_at, new.closes_at, new.zone
        campaign.places, campaign.terms = sorted(set(new.places)), dict(new.terms)
        campaign.save()
        PrizeTier.objects.bulk_create(PrizeTier(campaign=campaign, **_columns(tier)) for tier in new.tiers)
        Award.objects.bulk_create(Award(campaign=campaign, **asdict(award)) for award in new.awards)
        Draw.objects.bulk_create(Draw(campaign=campaign, **asdict(draw)) for draw in new.draws)
        for pool in new.pools:
            spans = prf.merged(pool.ranges)
            row = Pool.objects.create(
                campaign=campaign,
                number=pool.number,
                name=pool.name,
                quantities=list(pool.quantities),
                ranges=[list(span) for span in spans],
            )
            PoolRange.objects.bulk_create(
                PoolRange(campaign=campaign, pool=row, label_range=NumericRange(first, beyond))
                for first, beyond in spans
            )
    return campaign


def _columns(tier: NewTier) -> dict[str, Any]:
    level = level_of(tier.market_price, tier.currency) if tier.id_level is None else tier.id_level
    return {**asdict(tier), "id_level": level}


def _require_sound(new: NewGame) -> None:
    if new.kind not in {Campaign.Kind.INSTANT, Campaign.Kind.DRAW, Campaign.Kind.BOTH}:
        raise BadCampaign(_("A campaign with prizes is an instant game, a draw, or both."))
    if new.closes_at <= new.opens_at:
        raise BadCampaign(_("A campaign must close after it opens."))
    try:
        ZoneInfo(new.zone)
        terms = Terms.read(new.terms, beacon=default_beacon())
        canonical(new.terms)
    except (KeyError, TypeError, ValueError, AttributeError, OSError) as error:
        raise BadCampaign(_("The terms or the time zone cannot be read.")) from error
    if not is_allowed(terms.beacon):
        raise BadCampaign(_("This beacon cannot be used here."))
    instant = [tier for tier in new.tiers if tier.use == PrizeTier.Use.INSTANT]
    drawn = [tier for tier in new.tiers if tier.use == PrizeTier.Use.DRAW]
    _require_tiers(instant, needed=new.kind != Campaign.Kind.DRAW)
    _require_tiers(drawn, needed=new.kind != Campaign.Kind.INSTANT and not terms.reserve)
    if (new.kind == Campaign.Kind.DRAW) == bool(new.pools):
        raise BadCampaign(_("An instant game has pools of labels, and a draw alone has none."))
    if (new.kind == Campaign.Kind.INSTANT) == bool(new.draws):
        raise BadCampaign(_("A campaign with draws names them, and an instant game alone has none."))
    if terms.beacon.source == "manual" and new.kind != Campaign.Kind.DRAW:
        raise BadCampaign(_("An instant game needs a beacon of 128 bits: drand."))
    if new.kind != Campaign.Kind.INSTANT and not terms.enough_bits:
        raise BadCampaign(_("The public value holds too little chance for so many entries: combine sources."))
    if terms.bits < GAME_BITS and new.kind != Campaign.Kind.DRAW:
        raise BadCampaign(_("An instant game needs a beacon of 128 bits: drand."))
    if not terms.opens("web") and (terms.weights["free"] or terms.points_price):
        raise BadCampaign(_("Free entries and entries for points are made on the web page: leave that door open."))
    _require_pools(new, instant)
    for draw in new.draws:
        if not new.opens_at <= draw.opens_at < draw.close_at:
            raise BadCampaign(_("A draw opens within its campaign, and closes after it opens."))
    if len({draw.number for draw in new.draws}) < len(new.draws):
        raise BadCampaign(_("Number each draw once."))


def _require_tiers(tiers: Sequence[NewTier], *, needed: bool) -> None:
    if needed != bool(tiers):
        raise BadCampaign(_("State the prizes of each game of the campaign, and no others."))
    if sorted(tier.tier for tier in tiers) != list(range(1, len(tiers) + 1)):
        raise BadCampaign(_("Tiers are numbered 1, 2, 3 and so on."))
    prices = [tier.market_price for tier in sorted(tiers, key=lambda tier: tier.tier)]
    if prices != sorted(prices, reverse=True):
        raise BadCampaign(_("Tier 1 is the dearest, and no tier is dearer than the one before it."))
    for tier in tiers:
        if tier.quantity < 0 or min(tier.unit_cost, tier.market_price, tier.delivery_cost, tier.withheld_tax) < 0:
            raise BadCampaign(_("Quantities and costs are not below zero."))
        if (tier.kind == PrizeTier.Kind.POINTS) != bool(tier.points):
            raise BadCampaign(_("A prize of points says how many, and no other prize does."))


def _require_pools(new: NewGame, tiers: Sequence[NewTier]) -> None:
    if len({pool.number for pool in new.pools}) < len(new.pools) or any(pool.number < 1 for pool in new.pools):
        raise BadCampaign(_("Number each pool once, from 1."))
    spans = [span for pool in new.pools for span in pool.ranges]
    if any(not 1 <= first < beyond for first, beyond in spans):
        raise BadCampaign(_("A range of labels begins before it ends."))
    if any(not pool.ranges for pool in new.pools) or prf.count(prf.merged(spans)) < prf.count(spans):
        raise BadCampaign(_("Each pool has labels, and no label is in two pools."))
    if any(pool.quantities and len(pool.quantities) != len(tiers) for pool in new.pools):
        raise BadCampaign(_("A pool that states its winners states them for each tier."))


@inside_transaction
def locked(campaign_id: int, *states: str) -> Campaign:
    """Return a campaign with prizes, its row locked. Raises `NoSuchCampaign`, `CampaignState`."""
    games = Campaign.objects.exclude(kind=Campaign.Kind.POINTS).select_for_update(no_key=True)
    campaign = games.filter(pk=campaign_id).first()
    if campaign is None:
        raise NoSuchCampaign
    if campaign.state not in states:
        raise CampaignState(_("The campaign is %(state)s.") % {"state": campaign.get_state_display()})
    return campaign


def sign_off(campaign_id: int, item: str, *, name: str, signed_by: str, at: datetime, note: str = "") -> SignOff:
    """Note that a named person stands for an item of the checklist; the page asks for the role ``legal``."""
    with transaction.atomic():
        campaign = locked(campaign_id, Campaign.State.DRAFT)
        return SignOff.objects.create(
            campaign=campaign, item=item, name=name.strip()[:100], note=note[:500], signed_by=signed_by, at=at
        )


# --- pools ---------------------------------------------------------------------------------------------------------------


def batches_of(campaign: Campaign) -> list[Batch]:
    """Return the batches whose labels are in the campaign's pools."""
    overlap = Q()
    for span in PoolRange.objects.filter(campaign=campaign).values_list("label_range", flat=True):
        overlap |= Q(label_range__overlap=span)
    return list(Batch.objects.filter(overlap).order_by("id")) if overlap else []


def prepare_pools(campaign_id: int, *, at: datetime, asked_by: str = "") -> list[Batch]:
    """Ask for the manifests of all batches of a draft's pools, and keep them from the press until the commitment.

    Return the batches still waited for. Asked again, it changes nothing.
    """
    with transaction.atomic():
        campaign = locked(campaign_id, Campaign.State.DRAFT)
        waited = []
        for batch in batches_of(campaign):
            try:
                with transaction.atomic():
                    open_hold(batch, hold_of(campaign), at=at)
            except RollNotReady:  # it is printed already: what has been touched is excluded at publication
                pass
            if manifests.ask_for(batch, at=at, asked_by=asked_by).root is None:
                waited.append(batch)
    return waited


def hold_of(campaign: Campaign) -> str:
    """Return the name under which a campaign keeps batches from the press."""
    return f"{HOLD} {campaign.public_id}"


def void_spans(campaign: Campaign) -> list[prf.Span]:
    """Return the labels of a campaign's pools that were voided, or serve a press as set-up strips."""
    spans = []
    for batch in batches_of(campaign):
        if batch.canary_range:
            spans.append((batch.canary_range.lower, batch.canary_range.upper))
        void = Block.objects.filter(batch=batch, reason__in=Block.VOIDING, lifted_at=None)
        spans += [(span.lower, span.upper) for span in void.values_list("label_range", flat=True)]
    return prf.merged(spans)


def checklist(campaign: Campaign, *, at: datetime) -> list[law.Item]:
    """Return the checklist of the chosen countries, each item with whether it is open."""
    sign_offs = {row.item: row.name for row in campaign.sign_offs.order_by("id")}
    documents = set(LawDocument.objects.filter(campaign=campaign).values_list("item", flat=True))
    return law.check(law.facts_of(campaign, at=at), sign_offs=sign_offs, documents=documents)
