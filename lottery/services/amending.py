"""New versions of published rules: with a reason and two approvals, and only to give more.

Locks: the campaign's row, then its prizes.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from hashlib import sha256
from typing import Any

from django.db import transaction
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from common.canonical import canonical
from lottery import content
from lottery.beacon_settings import default_beacon
from lottery.errors import BadCampaign, NoSuchCampaign
from lottery.models import Campaign, Draw, PrizeTier, RulesChange, RulesVersion
from lottery.rules import Terms
from lottery.services.claiming import extend_deadlines
from lottery.services.drafting import locked
from lottery.services.publishing import fix_draws, write_version
from staff import approvals
from staff.keys import sign_key
from staff.models import Approval, User

AMEND = "lottery.amend"
_ALIVE = [state for state in Campaign.State.values if state not in {"draft", "revealed", "halted"}]


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
        return {"campaign": campaign.public_id, "change": sha256(canonical(self.as_json())).hexdigest()}

    def as_json(self) -> dict[str, Any]:
        """Return the change as it is hashed and kept."""
        return {
            **asdict(self),
            "claim_days": {str(tier): days for tier, days in self.claim_days.items()},
            "prizes": {str(tier): quantity for tier, quantity in self.prizes.items()},
        }

    @classmethod
    def from_json(cls, value: Mapping[str, Any]) -> "Amendment":
        """Read what `as_json` wrote."""
        numbered = {
            name: {int(tier): count for tier, count in value[name].items()} for name in ("claim_days", "prizes")
        }
        return cls(**{**value, **numbered})


def amend(
    campaign_id: int,
    change: Amendment,
    *,
    approval_ids: tuple[int, int],
    at: datetime,
    by: str,
    change_id: int | None = None,
) -> RulesVersion:
    """Publish a new version of the rules, which two persons approved and which may only give more. See `Amendment`.

    ``change_id``: the `RulesChange` that it was, which then names the version. Raises `BadCampaign`, `CampaignState`, `approvals.NotApproved`.
    """
    key = sign_key(at=at)
    with transaction.atomic(durable=True):
        campaign = locked(campaign_id, *_ALIVE)
        if not change.reason.strip():
            raise BadCampaign(_("New rules say why they are new."))
        first, second = approval_ids
        if Approval.objects.filter(pk__in=approval_ids).values("decided_by").distinct().count() < 2:
            raise approvals.NotApproved(_("Two different persons must approve new rules."))
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
        extend_deadlines(change.claim_days.keys(), at=at)
        if change.prizes:
            for draw in campaign.draws.filter(state__in=[Draw.State.SCHEDULED, Draw.State.OPEN]):
                if draw.entries.exists():
                    raise BadCampaign(_("A draw that has entries keeps its prizes."))
            fix_draws(campaign, terms=Terms.read(campaign.terms, beacon=default_beacon()), key=key, at=at)
        if change_id is not None:
            waiting(campaign_id).filter(pk=change_id).update(version=version)
    return version


# --- what waits for its approvals ----------------------------------------------------------------------------------------


def waiting(campaign_id: int) -> QuerySet[RulesChange, RulesChange]:
    """Return the change of a campaign's rules that waits, if there is one."""
    return RulesChange.objects.filter(campaign_id=campaign_id, version=None, dropped_at=None)


def propose(campaign_id: int, change: Amendment, *, by: User, at: datetime) -> RulesChange:
    """Ask two persons to approve a change. Raises `BadCampaign`, `CampaignState`; one waits at a time."""
    with transaction.atomic():
        campaign = locked(campaign_id, *_ALIVE)
        if not change.reason.strip():
            raise BadCampaign(_("New rules say why they are new."))
        if waiting(campaign_id).exists():
            raise BadCampaign(_("Another change of these rules waits for its approvals."))
        _require_more({tier.pk: tier for tier in campaign.tiers.all()}, change)
        row = RulesChange.objects.create(
            campaign=campaign, content=change.as_json(), proposed_at=at, proposed_by=by.get_username()
        )
        for voice in (1, 2):
            approvals.request(AMEND, {**change.payload(campaign), "voice": voice}, by=by, at=at)
    return row


def proposed(row: RulesChange) -> Amendment:
    """Return the change that a row holds."""
    return Amendment.from_json(row.content)


def voices(row: RulesChange) -> list[Approval | None]:
    """Return the newest request for each of a change's two approvals."""
    payload = proposed(row).payload(row.campaign)
    return [
        Approval.objects.filter(kind=AMEND, payload={**payload, "voice": voice}).order_by("-pk").first()
        for voice in (1, 2)
    ]


def apply_change(change_id: int, *, at: datetime, by: str) -> RulesVersion:
    """Publish a change that two persons have approved. Raises as `amend`."""
    row = RulesChange.objects.select_related("campaign").filter(pk=change_id, version=None, dropped_at=None).first()
    if row is None:
        raise NoSuchCampaign
    change = proposed(row)
    payload = change.payload(row.campaign)
    found = [approvals.approved_for(AMEND, {**payload, "voice": voice}, at=at) for voice in (1, 2)]
    first, second = (one.pk if one else 0 for one in found)
    return amend(row.campaign_id, change, approval_ids=(first, second), at=at, by=by, change_id=change_id)


def drop_change(change_id: int, *, at: datetime) -> None:
    """Give up a change that waits."""
    RulesChange.objects.filter(pk=change_id, version=None, dropped_at=None).update(dropped_at=at)


def _require_more(tiers: Mapping[int, PrizeTier], change: Amendment) -> None:
    if not {*change.claim_days, *change.prizes} <= tiers.keys():
        raise BadCampaign(_("There is no such prize in this campaign."))
    if any(days < tiers[pk].claim_days for pk, days in change.claim_days.items()):
        raise BadCampaign(_("A deadline may only be extended."))
    if any(
        quantity < tiers[pk].quantity or tiers[pk].use != PrizeTier.Use.DRAW for pk, quantity in change.prizes.items()
    ):
        raise BadCampaign(_("Prizes may only be added, and only to draws."))
