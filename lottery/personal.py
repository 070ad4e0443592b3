"""What campaigns hold about a member (see `members.personal`): entries and wins under their account, and a household.

Entries and claims name an account and stay, as the ledger does. What was told for a claim, its documents and the parcel's
number are cleared, and prizes not given yet go to the next in line. That a number lives in a household is cleared too.
An exclusion of staff and others who may not win stays: it protects everybody else's draw, and tells only an index.
"""

from datetime import datetime
from typing import Any

from lottery.models import Claim, ClaimDetails, Entry, Household
from lottery.queries import prizes_of
from lottery.services import claiming, papers, stock
from members.models import Member


def export(member_id: int) -> dict[str, Any]:
    """Return the member's entries and claims; what their labels played is told with their redemptions."""
    account = Member.objects.values_list("account_id", flat=True).get(pk=member_id)
    entries = Entry.objects.filter(account_id=account).order_by("pk").select_related("draw")
    claims = prizes_of(member_id).order_by("pk").select_related("tier")
    return {
        "entries": [
            {
                "draw": row.draw.public_id,
                "entry": row.pk,
                "weight": row.weight,
                "state": row.state,
                "at": row.at.isoformat(),
            }
            for row in entries
        ],
        "prizes": [_prize(row) for row in claims],
    }


def _prize(claim: Claim) -> dict[str, Any]:
    parcel = ClaimDetails.objects.filter(claim=claim).values("courier", "tracking_no").first()
    return {
        "claim": claim.public_id,
        "prize": claim.tier.name,
        "state": claim.state,
        "won_at": claim.won_at.isoformat(),
        "told": claiming.details_of(claim),
        "parcel": parcel or {},
        "code": stock.code_of(claim),
        "documents": [
            {"kind": row.kind, "added_at": row.added_at.isoformat(), "kept": row.deleted_at is None}
            for row in claim.documents.order_by("pk")
        ],
    }


def erase(member_id: int, *, at: datetime) -> None:
    """Forget what the member told for prizes and in which household their number lives; what they have not got is lost."""
    mine = list(prizes_of(member_id).values_list("pk", flat=True))
    claiming.lose_of_erased(mine, at=at)
    ClaimDetails.objects.filter(claim__in=mine).update(cipher=None, courier="", tracking_no="")
    papers.forget_of(mine, at=at)
    index = Member.objects.values_list("phone_index", flat=True).get(pk=member_id)
    if index is not None:
        Household.objects.filter(index=index).delete()
