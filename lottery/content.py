"""What is signed about a campaign, as JSON values: rules, draws' rules, commitments. Values in, values out."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from lottery.draw import ALGORITHM as LD1, Prize
from lottery.models import Campaign, Draw, Pool, PrizeTier
from lottery.prf import ALGORITHM as IW1
from lottery.rules import Terms

RULES_TAG = "lottery-rules/v1"
DRAW_RULES_TAG = "ld1-rules/v1"
ROOT_TAG = "ld1-root/v1"
COMMITMENT_TAG = "iw1-commitment/v1"
RECEIPT_TAG = "lottery-receipt/v1"
MANIFEST_TAG = "lottery-bundle/v1"


def moment(at: datetime) -> str:
    """Return a moment as rules write it: UTC, to the second."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def unix(at: datetime) -> int:
    """Return a moment as Unix time, rounded up: what is fixed at it is fixed by then."""
    return -int(-at.timestamp() // 1)


def tier_json(tier: PrizeTier) -> dict[str, Any]:
    """Return a prize as the rules state it."""
    return {
        "use": tier.use,
        "tier": tier.tier,
        "kind": tier.kind,
        "name": tier.name,
        "name_zh": tier.name_zh,
        "quantity": tier.quantity,
        "points": tier.points,
        "market_price": tier.market_price,
        "currency": tier.currency,
        "claim_days": tier.claim_days,
        "id_level": tier.id_level,
        "alternates": tier.alternates,
    }


def campaign_rules(
    campaign: Campaign, *, terms: Terms, tiers: Sequence[PrizeTier], pools: Sequence[Pool], draws: Sequence[Draw]
) -> dict[str, Any]:
    """Return the rules of a campaign: all that a participant is promised."""
    return {
        "v": 1,
        "campaign": campaign.uuid.hex,
        "kind": campaign.kind,
        "name": campaign.name,
        "name_zh": campaign.name_zh,
        "opens_at": moment(campaign.opens_at),
        "closes_at": moment(campaign.closes_at) if campaign.closes_at else None,
        "zone": campaign.zone,
        "places": sorted(campaign.places),
        "terms": campaign.terms,
        "beacon": terms.beacon.as_json(),
        "witness": terms.witness,
        "prizes": [tier_json(tier) for tier in tiers],
        "pools": [{"pool": pool.number, "name": pool.name} for pool in pools],
        "draws": [
            {
                "draw": draw.uuid.hex,
                "number": draw.number,
                "opens_at": moment(draw.opens_at),
                "close_at": moment(draw.close_at),
            }
            for draw in draws
        ],
    }


def draw_prizes(tiers: Sequence[PrizeTier]) -> list[Prize]:
    """Return the prizes of one draw with their alternates."""
    return [Prize.usual(tier.tier, tier.quantity, tier.alternates) for tier in tiers]


def draw_rules(
    draw: Draw, *, terms: Terms, prizes: Sequence[Prize], alternates: Mapping[int, int], eligible_labels: int
) -> dict[str, Any]:
    """Return the rules object of a draw (LD1): its hash goes into the seed."""
    return {
        "v": 1,
        "algorithm": LD1,
        "draw": draw.uuid.hex,
        "opens_at": unix(draw.opens_at),
        "close_at": unix(draw.close_at),
        "beacon": {**terms.beacon.as_json(), "round": draw.round},
        "prizes": "reserve"
        if terms.reserve
        else [{"tier": prize.tier, "quantity": prize.quantity} for prize in prizes],
        "alternates": {str(tier): count for tier, count in sorted(alternates.items())},
        "one_per": terms.one_per,
        "weights": dict(terms.weights),
        "max_weight": terms.max_weight,
        "eligible_labels": eligible_labels,
    }


def first_commitment(
    campaign: Campaign,
    *,
    rules_hash: bytes,
    bound: Sequence[bytes],
    pools: Sequence[dict[str, Any]],
    terms: Terms,
    round_no: int,
) -> dict[str, Any]:
    """Return commitment 1: who wins follows from it and a public value that nobody knows yet."""
    return {
        "v": 1,
        "alg": IW1,
        "campaign": campaign.uuid.hex,
        "rules": rules_hash.hex(),
        "k": [one.hex() for one in bound],
        "pools": list(pools),
        "beacon": {**terms.beacon.as_json(), "round": round_no},
    }


def second_commitment(
    campaign: Campaign, *, first: bytes, round_no: int, signature: str, key_hash: bytes, thresholds_hash: bytes
) -> dict[str, Any]:
    """Return commitment 2: the public value, and the hashes of the key and the thresholds that follow."""
    return {
        "v": 1,
        "campaign": campaign.uuid.hex,
        "first": first.hex(),
        "round": round_no,
        "signature": signature,
        "key": key_hash.hex(),
        "thresholds": thresholds_hash.hex(),
    }
