"""New versions of published rules: with a reason and two approvals, and only to give more.

Locks: the campaign's row, then its prizes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _

from common.canonical import canonical
from lottery import content
from lottery.beacon_settings import default_beacon
from lottery.errors import BadCampaign
from lottery.models import Campaign, Draw, PrizeTier, RulesVersion
from lottery.rules import Terms
from lottery.services.drafting import locked
from lottery.services.publishing import fix_draws, write_version
from staff import approvals
from staff.keys import sign_key

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
            fix_draws(campaign, terms=Terms.read(campaign.terms, beacon=default_beacon()), key=key, at=at)
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
