"""Consumers' reports: "not what I bought"."""

from dataclasses import dataclass
from datetime import datetime

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
