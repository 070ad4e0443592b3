"""What scans and redemptions hold about members, for export and erasure (see `members.personal`).

Scans and redemptions name people by opaque numbers only and stay. Personal are the coordinates of a scan, the MACs under
which a number or a client's reference was known before it had a member, and what support noted about their calls.
"""

from datetime import datetime
from typing import Any

from django.db import connection

from lottery.told import PlayTold
from members.models import Member
from redemption.budgets import subject_macs
from redemption.models import CallNote, FailureRow, Refused, Visitor
from redemption.queries import receipts_of_member
from redemption.rules import AskerKind, asker_key


def export(member_id: int) -> dict[str, Any]:
    """Return the member's redemptions with what they played, and the places that are still known to the metre."""
    receipts, cursor = receipts_of_member(member_id, limit=1000)
    while cursor is not None:
        more, cursor = receipts_of_member(member_id, cursor, limit=1000)
        receipts += more
    return {
        "redemptions": [
            {
                "receipt": receipt.receipt_no,
                "at": receipt.at.isoformat(),
                "product": receipt.product.name if receipt.product else None,
                "gtin": receipt.product.gtin if receipt.product else None,
                "points": receipt.points,
                "play": _play(receipt.play) if receipt.play else None,
            }
            for receipt in receipts
        ],
        "places": [
            {"at": at.isoformat(), "lat": lat, "lon": lon, "accuracy_m": accuracy_m}
            for at, lat, lon, accuracy_m in _places(
                "SELECT p.at, p.lat, p.lon, p.accuracy_m FROM redemption_scanplace p JOIN redemption_scan s"
                " ON s.id = p.scan_id WHERE p.lat IS NOT NULL AND s.asker = ANY(%s) ORDER BY p.scan_id",
                member_id,
            )
        ],
        "call_notes": [
            {"at": note.at.isoformat(), "about": note.kind, "note": note.text}
            for note in CallNote.objects.filter(member_id=member_id).order_by("pk")
        ],
    }


def _play(told: PlayTold) -> dict[str, Any]:
    prize = told.prize.name if told.prize else None
    return {"campaign": told.campaign, "outcome": told.outcome, "prize": prize}


def erase(member_id: int, *, at: datetime) -> None:
    """Clear coordinates, and every MAC of the member's number and references; counts of failures go with them."""
    del at
    member = Member.objects.get(pk=member_id)
    macs = [member.phone_index, *member.claims.values_list("asker_index", flat=True)]
    Visitor.objects.filter(mac__in=[mac for mac in macs if mac]).update(mac=None)
    subjects = subject_macs(member_id=member_id, phone=member.phone)
    FailureRow.objects.filter(subject_mac__in=subjects).delete()
    Refused.objects.filter(subject_mac__in=subjects).delete()
    CallNote.objects.filter(member_id=member_id).update(text="")
    _places(
        "UPDATE redemption_scanplace p SET lat = NULL, lon = NULL, accuracy_m = NULL FROM redemption_scan s"
        " WHERE s.id = p.scan_id AND p.lat IS NOT NULL AND s.asker = ANY(%s) RETURNING p.scan_id",
        member_id,
    )


def _places(sql: str, member_id: int) -> list[tuple[Any, ...]]:
    """Run ``sql`` over the scans of a member, also of those made as an asker before claiming."""
    member = Member.objects.get(pk=member_id)
    claims = member.claims.values_list("pk", flat=True)
    keys = [asker_key(AskerKind.MEMBER, member_id), *(asker_key(AskerKind.PENDING, pk) for pk in claims)]
    with connection.cursor() as cursor:
        cursor.execute(sql, [keys])
        rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows
