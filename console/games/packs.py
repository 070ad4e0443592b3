"""The filing pack: what an authority of one country asks for, as one zip that anybody can read."""

import io
import json
import zipfile
from datetime import datetime
from typing import Any

from defusedcsv import csv
from django.utils.translation import override

from common.money import major_of
from lottery import services
from lottery.models import Campaign, Claim, Filing, LawDocument

_ZERO = (1980, 1, 1, 0, 0, 0)


def pack_places(campaign: Campaign) -> list[str]:
    """Return the countries that a campaign has a pack for."""
    return [str(place) for place in campaign.places]


def pack_of(campaign: Campaign, place: str, *, at: datetime) -> bytes:
    """Return the zip: rules of every version with signature, prizes, commitments, dates, checklist, papers, winners (masked).

    The same at the same state: entries are stored in order, without times of their own.
    """
    files: dict[str, bytes] = {"README.txt": _readme(campaign, place, at).encode()}
    for version in campaign.versions.order_by("n"):
        files[f"rules/v{version.n}.json"] = bytes(version.content)
        files[f"rules/v{version.n}.signature.json"] = _json(
            {
                "hash": bytes(version.hash).hex(),
                "key": bytes(version.key).hex(),
                "signature": bytes(version.signature).hex(),
                "published_at": version.published_at.isoformat(),
                "reason": version.reason,
            }
        )
    for one in campaign.commitments.order_by("at", "pk"):
        files[f"commitments/{one.attempt}-{one.kind}.json"] = bytes(one.content)
    for document in LawDocument.objects.filter(campaign=campaign, item__startswith=f"{place}.").order_by("pk"):
        files[f"documents/{document.pk}-{document.item}.{document.media_type.rpartition('/')[2]}"] = bytes(
            document.data
        )
    files["prizes.csv"] = _prizes(campaign)
    files["dates.csv"] = _dates(campaign)
    files["checklist.csv"] = _checklist(campaign, place, at)
    files["winners.csv"] = _winners(campaign)
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_STORED) as packed:
        for name in sorted(files):
            packed.writestr(zipfile.ZipInfo(name, _ZERO), files[name])
    return held.getvalue()


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, indent=1, sort_keys=True).encode()


def _csv(head: list[str], rows: list[list[Any]]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text)
    writer.writerow(head)
    writer.writerows(rows)
    return ("\ufeff" + text.getvalue()).encode()


def _prizes(campaign: Campaign) -> bytes:
    rows = [
        [
            tier.use,
            tier.tier,
            tier.kind,
            tier.name,
            tier.name_zh,
            tier.quantity,
            major_of(tier.market_price, tier.currency),
            tier.currency,
            tier.claim_days,
            tier.id_level,
        ]
        for tier in campaign.tiers.order_by("use", "tier")
    ]
    head = [
        "won by",
        "tier",
        "kind",
        "name",
        "name_zh",
        "quantity",
        "market price",
        "currency",
        "claim days",
        "id level",
    ]
    return _csv(head, rows)


def _dates(campaign: Campaign) -> bytes:
    rows: list[list[Any]] = [
        ["published", _moment(campaign.published_at)],
        ["opens", _moment(campaign.opens_at)],
        ["closes", _moment(campaign.closes_at)],
        ["ended", _moment(campaign.ended_at)],
    ]
    rows += [[f"draw {draw.number} closes", _moment(draw.close_at)] for draw in campaign.draws.order_by("number")]
    rows += [
        [f"due: {filing.item}", filing.due_on.isoformat() + (" (done)" if filing.done_at else "")]
        for filing in Filing.objects.filter(campaign=campaign).order_by("due_on", "pk")
    ]
    return _csv(["what", "when (UTC)"], rows)


def _moment(at: datetime | None) -> str:
    return at.isoformat() if at else ""


def _checklist(campaign: Campaign, place: str, at: datetime) -> bytes:
    items = [item for item in services.checklist(campaign, at=at) if item.place == place]
    rows = [
        [item.id, item.kind, item.text["en"], item.source, "yes" if item.applies else "no", "yes" if item.fulfilled else "no", item.by]
        for item in items
    ]  # fmt: skip
    return _csv(["item", "kind", "text", "source", "applies", "fulfilled", "signed by"], rows)


def _winners(campaign: Campaign) -> bytes:
    claims = Claim.objects.filter(campaign=campaign).select_related("tier", "member").order_by("won_at", "pk")
    rows = []
    for claim in claims.exclude(state__in=Claim.ENDED_WITHOUT):
        who = claim.member.masked_phone if claim.member else ""
        rows.append(
            [claim.public_id, claim.tier.use, claim.tier.tier, claim.tier.name, who, _moment(claim.won_at), claim.state]
        )
    return _csv(["claim", "won by", "tier", "prize", "winner (masked)", "won at (UTC)", "state"], rows)


def _readme(campaign: Campaign, place: str, at: datetime) -> str:
    with override("en"):
        return (
            f"Filing pack for {place.upper()}: {campaign.name} ({campaign.public_id}), made {at.isoformat()}.\n\n"
            "rules/        every version of the rules as signed, with hash, public key and signature\n"
            "commitments/  what the instant game was bound to before anybody could know who wins\n"
            "documents/    papers brought for this country's checklist\n"
            "prizes.csv, dates.csv, checklist.csv, winners.csv (numbers masked)\n\n"
            "General information, not legal advice.\n"
        )
