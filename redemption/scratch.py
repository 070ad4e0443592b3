"""The scratch card under a receipt: what the label won, decided and committed long before it is drawn."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils.safestring import SafeString
from django.utils.translation import get_language

from labels.queries import scan_id_of
from lottery import queries
from lottery.bundles import receipt_of_play
from lottery.models import Play
from redemption import page as pages
from redemption.rules import Receipt
from staff.keys import sign_key


@dataclass(frozen=True, slots=True)
class Scratch:
    """One card. ``prize`` is empty where nothing was won; ``odds`` n: one label in n wins; ``until``: to be claimed by."""

    outcome: str
    kind: str
    prize: str
    points: int
    claim: str
    until: datetime | None
    campaign: str
    odds: int | None
    script: SafeString


def scratch_of(receipt: Receipt) -> Scratch | None:
    """Return the card of a receipt whose label played."""
    play = receipt.play
    if play is None:
        return None
    return Scratch(
        outcome=play.outcome,
        kind=play.prize.kind if play.prize else "",
        prize=play.prize.in_language(get_language()) if play.prize else "",
        points=play.points,
        claim=play.claim or "",
        until=queries.claim_deadline(play.claim) if play.claim else None,
        campaign=play.campaign,
        odds=queries.odds(play.campaign),
        script=pages.scratch_script(),
    )


def signed_play(receipt_no: str) -> dict[str, Any] | None:
    """Return the signed receipt of what the label of a redemption's receipt played, or None."""
    scan_id = scan_id_of(receipt_no) or 0
    play = Play.objects.filter(pk=scan_id, scan_id=scan_id).select_related("campaign", "pool", "tier").first()
    return receipt_of_play(play, key=sign_key(at=play.at)) if play else None
