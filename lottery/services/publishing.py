"""From a draft to rules that nobody can change: publication by two persons, in one transaction.

Locks: the campaign's row, then budgets. Keys are made and unwrapped before the transaction.
"""

import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from common.canonical import canonical
from common.db import inside_transaction
from common.errors import NotFound
from common.signing import public_of, sign
from labels import manifests
from labels.models import Manifest
from labels.rolls import lift_hold
from ledger.services import anchor
from lottery import content, keys, prf
from lottery.beacon_settings import default_beacon
from lottery.errors import BadCampaign, LawOpen, NoSuchCampaign, NotReady
from lottery.models import Budget, BudgetSlot, Campaign, Commitment, Draw, PoolRange, PrizeTier, RulesVersion
from lottery.rules import Terms, share
from lottery.services.budgets import spread
from lottery.services.drafting import batches_of, checklist, hold_of, locked, void_spans
from lottery.services.filing import write_filings
from staff import approvals, audit
from staff.keys import brand_key, create_key, sign_key
from staff.models import BrandKey

APPROVAL = "lottery.publish"
LEAD = timedelta(seconds=1800)


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
    auditor, where the terms ask for one. ``redeemed_share`` (0 to 1) is what the expected cost was reckoned with, kept in the trail.
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
        items = checklist(campaign, at=at)
        open_items = [item for item in items if item.is_open]
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
            fix_draws(campaign, terms=terms, key=key, at=at)
        for tier in campaign.tiers.filter(use=PrizeTier.Use.INSTANT):
            _make_budget(tier)
        campaign.state, campaign.published_at = Campaign.State.PUBLISHED, at
        campaign.save(update_fields=["state", "published_at"])
        version = write_version(campaign, draft_rules(campaign), key=key, at=at, by=published_by)
        write_filings(campaign, items, at=at)
        audit.record(
            "publish",
            at=at,
            table="lottery_campaign",
            row_id=str(campaign.pk),
            facts={"by": published_by, "redeemed_share": f"{redeemed_share:.4f}"},
        )
        if shares is not None:
            commit_first(
                campaign, shares=shares, witness=witness, attempt=1, version=version, key=key, at=at, by=published_by
            )
            for batch in batches_of(campaign):
                lift_hold(batch, hold_of(campaign), at=at)
    keys.forget_campaign(campaign.pk)
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


def fix_draws(campaign: Campaign, *, terms: Terms, key: bytes, at: datetime) -> None:
    """Settle the rules of each draw, with the round that decides it, and sign them."""
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
