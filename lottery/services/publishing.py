"""From a draft to rules that nobody can change: drafts, preparation of pools, publication by two persons, new versions.

Locks: the campaign's row, then budgets. Keys are made and unwrapped before the transaction.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any
from zoneinfo import ZoneInfo

from django.db import IntegrityError, transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.db.models import Q
from django.utils.translation import gettext as _

from common.canonical import canonical
from common.db import inside_transaction
from common.errors import NotFound
from common.signing import public_of, sign
from labels import manifests
from labels.models import Batch, Block, Manifest
from labels.rolls import RollNotReady, lift_hold, open_hold
from ledger.services import anchor
from lottery import content, law, prf
from lottery.beacon_settings import default_beacon, is_allowed
from lottery.errors import BadCampaign, CampaignState, LawOpen, NoSuchCampaign, NotReady
from lottery.models import (
    Award,
    Budget,
    BudgetSlot,
    Campaign,
    Commitment,
    Draw,
    Pool,
    PoolRange,
    PrizeTier,
    RulesVersion,
    SignOff,
)
from lottery.rules import GAME_BITS, Terms, share
from lottery.services.budgets import spread
from lottery.services.points import NewAward
from staff import approvals
from staff.keys import brand_key, create_key, sign_key
from staff.models import BrandKey

APPROVAL = "lottery.publish"
HOLD = "lottery"
LEAD = timedelta(seconds=1800)


@dataclass(frozen=True, slots=True, kw_only=True)
class NewTier:
    """A prize to be drafted; money in minor units of ``currency``."""

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
    id_level: int = 0
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
        PrizeTier.objects.bulk_create(PrizeTier(campaign=campaign, **asdict(tier)) for tier in new.tiers)
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
                    open_hold(batch, _hold(campaign), at=at)
            except RollNotReady:  # it is printed already: what has been touched is excluded at publication
                pass
            if manifests.ask_for(batch, at=at, asked_by=asked_by).root is None:
                waited.append(batch)
    return waited


def _hold(campaign: Campaign) -> str:
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


# --- publication -----------------------------------------------------------------------------------------------------------


def draft_rules(campaign: Campaign) -> dict[str, Any]:
    """Return the rules as they would be published now."""
    return content.campaign_rules(
        campaign,
        terms=Terms.read(campaign.terms, beacon=default_beacon()),
        tiers=list(campaign.tiers.order_by("use", "tier")),
        pools=list(campaign.pools.order_by("number")),
        draws=list(campaign.draws.order_by("number")),
    )


def payload(campaign: Campaign) -> dict[str, Any]:
    """Return what two persons agree to: these rules and no others."""
    text = canonical({"rules": draft_rules(campaign), "awards": _awards(campaign), "pools": _pools(campaign)})
    return {"campaign": campaign.public_id, "hash": sha256(text).hexdigest()}


def _awards(campaign: Campaign) -> list[list[Any]]:
    rows = campaign.awards.order_by("id").values_list("product_id", "party", "points", "expires_after_months")
    return [list(row) for row in rows]


def _pools(campaign: Campaign) -> list[list[Any]]:
    return [[pool.number, pool.ranges, pool.quantities] for pool in campaign.pools.order_by("number")]


def checklist(campaign: Campaign, *, at: datetime) -> list[law.Item]:
    """Return the checklist of the chosen countries, each item with whether it is open."""
    sign_offs = {row.item: row.name for row in campaign.sign_offs.order_by("id")}
    return law.check(law.facts_of(campaign, at=at), sign_offs=sign_offs)


@dataclass(frozen=True, slots=True)
class Shares:
    """What a game's key will be made from, as far as it is ours: ``s1``, ``n1``, and a witness's k_2 if there is one."""

    s1: bytes
    n1: bytes
    k2: bytes | None = None


def our_share(campaign: Campaign, attempt: int, *, at: datetime) -> Shares:
    """Return our share of a game's key for an attempt, made on first need. Call it outside transactions."""
    try:
        plain = brand_key(BrandKey.Kind.SHARE, name=campaign.public_id, version=attempt)
    except NotFound:
        made = os.urandom(64)
        try:
            with transaction.atomic():
                create_key(BrandKey.Kind.SHARE, at=at, name=campaign.public_id, version=attempt, plain=made)
        except IntegrityError:  # another process was faster
            pass
        plain = brand_key(BrandKey.Kind.SHARE, name=campaign.public_id, version=attempt)
    return Shares(plain[:32], plain[32:])


def publish(
    campaign_id: int,
    *,
    approval_id: int,
    touched: Iterable[int],
    at: datetime,
    published_by: str,
    witness: bytes | None = None,
    redeemed_share: float = 0.0,
) -> RulesVersion:
    """Publish a draft: rules version 1, the rules of its draws, and for an instant game the first commitment.

    ``touched``: labels of the pools that were scanned or redeemed before, which take no part. ``witness``: k_2 of the
    auditor, where the terms ask for one. ``redeemed_share`` (0 to 1) is kept with the rules' record of expected cost.
    Raises `LawOpen` (names the open items), `NotReady`, `BadCampaign`, `CampaignState`, `approvals.NotApproved`.
    """
    campaign = Campaign.objects.filter(pk=campaign_id).exclude(kind=Campaign.Kind.POINTS).first()
    if campaign is None:
        raise NoSuchCampaign
    key = sign_key(at=at)
    shares = our_share(campaign, 1, at=at) if campaign.has_instant else None
    for draw in campaign.draws.all():
        _make_draw_key(draw, at=at)
    with transaction.atomic(durable=True):
        campaign = locked(campaign_id, Campaign.State.DRAFT)
        _require_timely(campaign, at)
        open_items = [item for item in checklist(campaign, at=at) if item.is_open]
        if open_items:
            raise LawOpen(
                _("The law asks for more before this is published: %(items)s")
                % {"items": ", ".join(item.id for item in open_items)},
                items=[item.id for item in open_items],
            )
        approvals.consume(approval_id, APPROVAL, payload(campaign), at=at)
        terms = Terms.read(campaign.terms, beacon=default_beacon())
        if campaign.has_instant:
            _fix_pools(campaign, touched)
        if campaign.has_draws:
            _fix_draws(campaign, terms=terms, key=key, at=at)
        for tier in campaign.tiers.filter(use=PrizeTier.Use.INSTANT):
            _make_budget(tier)
        campaign.state, campaign.published_at = Campaign.State.PUBLISHED, at
        campaign.save(update_fields=["state", "published_at"])
        version = write_version(campaign, draft_rules(campaign), key=key, at=at, by=published_by)
        if shares is not None:
            commit_first(
                campaign, shares=shares, witness=witness, attempt=1, version=version, key=key, at=at, by=published_by
            )
            for batch in batches_of(campaign):
                lift_hold(batch, _hold(campaign), at=at)
    return version


def _require_timely(campaign: Campaign, at: datetime) -> None:
    if campaign.closes_at is None or campaign.closes_at <= at:
        raise BadCampaign(_("The closing time is past."))
    if campaign.has_instant and campaign.opens_at < at + LEAD:
        raise BadCampaign(_("An instant game opens at least half an hour after it is published."))
    if any(draw.opens_at < at for draw in campaign.draws.all()):
        raise BadCampaign(_("A draw opens after its rules are published."))


def _fix_pools(campaign: Campaign, touched: Iterable[int]) -> None:
    """Settle which labels take part, and share the prizes over the pools."""
    others = PoolRange.objects.exclude(campaign=campaign).filter(
        campaign__state__in=[Campaign.State.PUBLISHED, Campaign.State.ARMED, Campaign.State.OPEN]
    )
    for span in PoolRange.objects.filter(campaign=campaign).values_list("label_range", flat=True):
        if others.filter(label_range__overlap=span).exists():
            raise BadCampaign(_("Some of these labels are in a pool of another game."))
    if Manifest.objects.filter(batch__in=batches_of(campaign), root__isnull=False).count() < len(batches_of(campaign)):
        raise NotReady(_("The labels of a pool are still being prepared. Try again in a few minutes."))
    out = prf.merged([*void_spans(campaign), *((label_no, label_no + 1) for label_no in touched)])
    pools = list(campaign.pools.order_by("number"))
    for pool in pools:
        spans = [(first, beyond) for first, beyond in pool.ranges]
        pool.eligible = prf.count(prf.subtract(spans, out))
        inside = prf.subtract(spans, prf.subtract(spans, out))
        pool.excluded = [list(span) for span in inside]
        pool.ranges_salt, pool.excluded_salt = os.urandom(16), os.urandom(16)
        pool.manifest_roots = [
            manifests.root_of(batch).hex()
            for batch in batches_of(campaign)
            if any(first < batch.label_range.upper and batch.label_range.lower < beyond for first, beyond in spans)
        ]
    tiers = list(campaign.tiers.filter(use=PrizeTier.Use.INSTANT).order_by("tier"))
    if not any(pool.quantities for pool in pools):
        columns = [share(tier.quantity, [pool.eligible or 0 for pool in pools]) for tier in tiers]
        for place, pool in enumerate(pools):
            pool.quantities = [column[place] for column in columns]
    for place, tier in enumerate(tiers):
        if sum(pool.quantities[place] if pool.quantities else 0 for pool in pools) != tier.quantity:
            raise BadCampaign(_("The winners of the pools must add up to the quantity of each tier."))
    for pool in pools:
        if sum(pool.quantities) > (pool.eligible or 0):
            raise BadCampaign(_("A pool has fewer labels than winners."))
        pool.save()


def _fix_draws(campaign: Campaign, *, terms: Terms, key: bytes, at: datetime) -> None:
    tiers = list(campaign.tiers.filter(use=PrizeTier.Use.DRAW).order_by("tier"))
    if terms.reserve:
        tiers = list(campaign.tiers.filter(use=PrizeTier.Use.INSTANT).order_by("tier"))
    prizes = content.draw_prizes(tiers)
    eligible = sum(pool.eligible or 0 for pool in campaign.pools.all()) or int(campaign.terms.get("eligible_labels", 0))
    for draw in campaign.draws.order_by("number"):
        draw.round = terms.beacon.first_round_from(content.unix(draw.close_at + LEAD))
        draw.prizes = None if terms.reserve else [[prize.tier, prize.quantity, prize.alternates] for prize in prizes]
        rules = content.draw_rules(
            draw,
            terms=terms,
            prizes=prizes,
            alternates={prize.tier: prize.alternates for prize in prizes},
            eligible_labels=eligible,
        )
        write_draw_rules(draw, rules, key=key, at=at)
        draw.save()


def write_draw_rules(draw: Draw, rules: dict[str, Any], *, key: bytes, at: datetime) -> None:
    """Sign a draw's rules and anchor their hash."""
    draw.rules = canonical(rules)
    draw.rules_hash = sha256(draw.rules).digest()
    draw.rules_key, draw.rules_at = public_of(key), at
    draw.rules_signature = sign(key, content.DRAW_RULES_TAG, draw.rules)
    anchor(kind="draw_rules", subject=draw.uuid.hex, digest=draw.rules_hash, at=at)


def _make_draw_key(draw: Draw, *, at: datetime) -> None:
    if not BrandKey.objects.filter(kind=BrandKey.Kind.DRAW, name=draw.public_id).exists():
        try:
            with transaction.atomic():
                create_key(BrandKey.Kind.DRAW, at=at, name=draw.public_id)
        except IntegrityError:  # another process was faster
            pass


def _make_budget(tier: PrizeTier) -> None:
    budget = Budget.objects.create(tier=tier, total=tier.quantity)
    BudgetSlot.objects.bulk_create(
        BudgetSlot(budget=budget, slot=slot, left=left) for slot, left in enumerate(spread(tier.quantity))
    )


@inside_transaction
def write_version(
    campaign: Campaign, rules: dict[str, Any], *, key: bytes, at: datetime, by: str, reason: str = ""
) -> RulesVersion:
    """Write rules as a new version: signed, and anchored."""
    text = canonical(rules)
    digest = sha256(text).digest()
    version = RulesVersion.objects.create(
        campaign=campaign,
        n=campaign.versions.count() + 1,
        content=text,
        hash=digest,
        key=public_of(key),
        signature=sign(key, content.RULES_TAG, text),
        reason=reason,
        published_at=at,
        published_by=by,
    )
    anchor(kind="rules", subject=f"{campaign.uuid.hex}/{version.n}", digest=digest, at=at)
    return version


@inside_transaction
def commit_first(
    campaign: Campaign,
    *,
    shares: Shares,
    witness: bytes | None,
    attempt: int,
    version: RulesVersion,
    key: bytes,
    at: datetime,
    by: str,
) -> Commitment:
    """Bind the secrets and the pools before the round that decides can be known. Raises `BadCampaign`."""
    terms = Terms.read(campaign.terms, beacon=default_beacon())
    if (terms.witness or attempt > 1) and witness is None:
        raise BadCampaign(_("This game needs a witness: an auditor gives the hash of a secret of their own."))
    bound = [prf.committed(shares.s1, shares.n1), *([witness] if witness else [])]
    pools = [
        {
            "pool": pool.number,
            "n": pool.eligible,
            "tiers": pool.quantities,
            "ranges": salted(bytes(pool.ranges_salt or b""), pool.ranges).hex(),
            "excluded": salted(bytes(pool.excluded_salt or b""), pool.excluded).hex(),
            "manifests": pool.manifest_roots,
        }
        for pool in campaign.pools.order_by("number")
    ]
    found = content.first_commitment(
        campaign,
        rules_hash=bytes(version.hash),
        bound=bound,
        pools=pools,
        terms=terms,
        round_no=terms.beacon.first_round_from(content.unix(at + LEAD)),
    )
    return write_commitment(campaign, Commitment.Kind.FIRST, found, attempt=attempt, key=key, at=at, by=by)


def salted(salt: bytes, spans: Sequence[Sequence[int]]) -> bytes:
    """Return the hash by which ranges of labels are committed to: SHA-256(salt ‖ C(ranges)), which keeps volumes private."""
    return sha256(salt + canonical([list(span) for span in spans])).digest()


@inside_transaction
def write_commitment(
    campaign: Campaign, kind: int, value: dict[str, Any], *, attempt: int, key: bytes, at: datetime, by: str
) -> Commitment:
    """Sign a commitment, keep it for ever, and anchor its hash."""
    text = canonical(value)
    digest = sha256(text).digest()
    anchor(kind="commitment", subject=f"{campaign.uuid.hex}/{attempt}/{int(kind)}", digest=digest, at=at)
    return Commitment.objects.create(
        campaign=campaign,
        attempt=attempt,
        kind=kind,
        content=text,
        hash=digest,
        key=public_of(key),
        signature=sign(key, content.COMMITMENT_TAG, text),
        at=at,
        made_by=by,
    )


# --- new versions ----------------------------------------------------------------------------------------------------------

AMEND = "lottery.amend"


@dataclass(frozen=True, slots=True, kw_only=True)
class Amendment:
    """What a new version may change: longer claim deadlines (tier row id → days), wording and contact data.

    ``texts`` replaces values of ``terms["texts"]`` alone; ``prizes`` (tier row id → quantity) adds prizes to draws that
    have no entry yet.
    """

    reason: str
    claim_days: Mapping[int, int] = field(default_factory=dict)
    prizes: Mapping[int, int] = field(default_factory=dict)
    name: str = ""
    name_zh: str = ""
    texts: Mapping[str, Any] = field(default_factory=dict)

    def payload(self, campaign: Campaign) -> dict[str, Any]:
        """Return what two persons agree to."""
        change = {
            **asdict(self),
            "claim_days": {str(tier): days for tier, days in self.claim_days.items()},
            "prizes": {str(tier): quantity for tier, quantity in self.prizes.items()},
        }
        return {"campaign": campaign.public_id, "change": sha256(canonical(change)).hexdigest()}


def amend(campaign_id: int, change: Amendment, *, approval_ids: tuple[int, int], at: datetime, by: str) -> RulesVersion:
    """Publish a new version of the rules, which two approvals allow and which may only give more. See `Amendment`.

    Raises `BadCampaign`, `CampaignState`, `approvals.NotApproved`.
    """
    key = sign_key(at=at)
    with transaction.atomic(durable=True):
        alive = [state for state in Campaign.State.values if state not in {"draft", "revealed", "halted"}]
        campaign = locked(campaign_id, *alive)
        if not change.reason.strip():
            raise BadCampaign(_("New rules say why they are new."))
        first, second = approval_ids
        approvals.consume(first, AMEND, {**change.payload(campaign), "voice": 1}, at=at)
        approvals.consume(second, AMEND, {**change.payload(campaign), "voice": 2}, at=at)
        # The row of the new version is written first: it is what lets the rows beside it change.
        tiers = {tier.pk: tier for tier in campaign.tiers.select_for_update()}
        _require_more(tiers, change)
        campaign.name, campaign.name_zh = change.name or campaign.name, change.name_zh or campaign.name_zh
        if change.texts:
            campaign.terms = {**campaign.terms, "texts": {**campaign.terms.get("texts", {}), **change.texts}}
        for tier_id, days in change.claim_days.items():
            tiers[tier_id].claim_days = days
        for tier_id, quantity in change.prizes.items():
            tiers[tier_id].quantity = quantity
        rules = content.campaign_rules(
            campaign,
            terms=Terms.read(campaign.terms, beacon=default_beacon()),
            tiers=sorted(tiers.values(), key=lambda tier: (tier.use, tier.tier)),
            pools=list(campaign.pools.order_by("number")),
            draws=list(campaign.draws.order_by("number")),
        )
        version = write_version(campaign, rules, key=key, at=at, by=by, reason=change.reason.strip()[:200])
        campaign.save(update_fields=["name", "name_zh", "terms"])
        for tier in tiers.values():
            tier.save(update_fields=["claim_days", "quantity"])
        if change.prizes:
            for draw in campaign.draws.filter(state__in=[Draw.State.SCHEDULED, Draw.State.OPEN]):
                if draw.entries.exists():
                    raise BadCampaign(_("A draw that has entries keeps its prizes."))
            _fix_draws(campaign, terms=Terms.read(campaign.terms, beacon=default_beacon()), key=key, at=at)
    return version


def _require_more(tiers: Mapping[int, PrizeTier], change: Amendment) -> None:
    if not {*change.claim_days, *change.prizes} <= tiers.keys():
        raise BadCampaign(_("There is no such prize in this campaign."))
    if any(days < tiers[pk].claim_days for pk, days in change.claim_days.items()):
        raise BadCampaign(_("A deadline may only be extended."))
    if any(
        quantity < tiers[pk].quantity or tiers[pk].use != PrizeTier.Use.DRAW for pk, quantity in change.prizes.items()
    ):
        raise BadCampaign(_("Prizes may only be added, and only to draws."))
