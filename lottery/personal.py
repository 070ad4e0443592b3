"""What campaigns hold about a member (see `members.personal`): entries and wins under their account, and a household.

Entries and claims name an account and stay, as the ledger does. That a phone number lives in a household is cleared.
An exclusion of staff and others who may not win stays: it protects everybody else's draw, and tells only an index.
"""

from datetime import datetime
from typing import Any

from lottery.models import Claim, Entry, Household, Play
from members.models import Member


def export(member_id: int) -> dict[str, Any]:
    """Return the member's plays, entries and claims."""
    account = Member.objects.values_list("account_id", flat=True).get(pk=member_id)
    plays = Play.objects.filter(account_id=account).order_by("pk").select_related("campaign", "tier")
    entries = Entry.objects.filter(account_id=account).order_by("pk").select_related("draw")
    claims = Claim.objects.filter(account_id=account).order_by("pk").select_related("tier")
    return {
        "plays": [
            {
                "campaign": row.campaign.public_id,
                "at": row.at.isoformat(),
                "outcome": Play.Outcome(row.outcome).name.lower(),
                "prize": row.tier.name if row.tier else None,
            }
            for row in plays
        ],
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
        "prizes": [{"claim": row.public_id, "prize": row.tier.name, "state": row.state} for row in claims],
    }


def erase(member_id: int, *, at: datetime) -> None:
    """Forget in which household the member's number lives."""
    del at
    index = Member.objects.values_list("phone_index", flat=True).get(pk=member_id)
    if index is not None:
        Household.objects.filter(index=index).delete()
