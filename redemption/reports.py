"""Consumers' reports: "not what I bought"."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import transaction

from redemption.models import ConsumerReport
from staff import vault

PHONE_FIELD = "redemption.ConsumerReport.phone"


@dataclass(frozen=True, slots=True, kw_only=True)
class Told:
    """What a consumer wrote. ``request_id`` names the form: sending it twice files one report."""

    request_id: str
    kind: str
    label: str = ""
    bought_at: str = ""
    note: str = ""
    phone: str = ""
    member_id: int | None = None


def file_report(told: Told, *, at: datetime) -> ConsumerReport:
    """Keep a report, once for each form; the phone number is encrypted."""
    report = ConsumerReport(
        request_id=told.request_id,
        kind=told.kind,
        label=told.label,
        bought_at=told.bought_at,
        note=told.note,
        member_id=told.member_id,
        at=at,
    )
    if told.phone:
        report.phone_cipher = vault.seal(told.phone, field=PHONE_FIELD, row=report.uuid)
    with transaction.atomic(durable=True):
        ConsumerReport.objects.bulk_create([report], ignore_conflicts=True)
    return ConsumerReport.objects.get(request_id=told.request_id)


def export(member_id: int) -> dict[str, Any]:
    """Return the member's reports (see `members.personal`)."""
    rows = ConsumerReport.objects.filter(member_id=member_id).order_by("pk")
    return {
        "reports": [
            {
                "report": row.public_id,
                "kind": row.kind,
                "label": row.label,
                "bought_at": row.bought_at,
                "note": row.note,
            }
            for row in rows
        ]
    }


def erase(member_id: int, *, at: datetime) -> None:
    """Clear what the member wrote; that there was a report stays (see `members.personal`)."""
    del at
    ConsumerReport.objects.filter(member_id=member_id).update(bought_at="", note="", phone_cipher=None)
