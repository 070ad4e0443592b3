"""Delivery reports: each is kept, and a message's state only rises, in whatever order they come."""

import hashlib
import uuid
from collections.abc import Iterable
from datetime import datetime

from django.conf import settings
from django.db import connection, transaction

from brands.phone_numbers import Number, brand_with_schema
from brands.queries import brand_date
from common.db import schema_name
from sms_gateway import spending
from sms_gateway.carriers.base import Carrier, Report, Unreadable
from sms_gateway.models import TO_FIELD, DeliveryReport, OutboundMessage
from staff import vault

_STATES_BELOW = {
    state: [other for other, rank in OutboundMessage.RANKS.items() if rank < OutboundMessage.RANKS[state]]
    for state in OutboundMessage.State
}
ENDS = {OutboundMessage.State.FAILED, OutboundMessage.State.UNDELIVERED, OutboundMessage.State.DELIVERED}


def reference_of(message: uuid.UUID | str, schema: str = "") -> str:
    """Return the name by which a carrier knows a message of a brand; without ``schema`` that of the connection."""
    return f"{schema or schema_name()}.{message}"


def take_in(carrier: Carrier, reports: Iterable[Report], number: Number | None, *, at: datetime) -> None:
    """Keep reports about messages of whichever brand they name; those about no message of ours are passed over.

    A number of a brand speaks for its brand only. Raises `Unreadable` for a name that cannot be one of ours.
    """
    for report in reports:
        schema, _, name = report.reference.rpartition(".")
        if not schema:
            raise Unreadable
        try:
            message = uuid.UUID(name)
        except ValueError:
            raise Unreadable from None
        brand = brand_with_schema(schema)
        if brand is None or brand.schema_name == settings.PUBLIC_SCHEMA_NAME:
            continue
        if number and number.brand and number.brand.pk != brand.pk:
            continue
        if connection.tenant is not brand:
            connection.set_tenant(brand)
        with transaction.atomic(durable=True):
            _keep(message, report, at)


def _keep(name: uuid.UUID, report: Report, at: datetime) -> None:
    message = OutboundMessage.objects.select_for_update(no_key=True).filter(uuid=name).first()
    if message is None:
        return
    content = f"{report.status}|{report.code}|{report.parts}|{report.cost}|{report.ref}"
    row = DeliveryReport(
        message=message,
        status=report.status,
        code=report.code,
        parts=report.parts,
        cost=report.cost,
        at=at,
        mac=hashlib.sha256(content.encode()).digest()[: vault.INDEX_BYTES],
    )
    known = DeliveryReport.objects.filter(message=message, mac=row.mac).exists()
    if known:
        return
    row.save()
    state = OutboundMessage.State(report.status)
    changed = []
    if message.state in _STATES_BELOW[state]:
        message.state = state
        changed.append("state")
        if state in ENDS:
            message.ended_at = at
            changed.append("ended_at")
        if report.code and state != OutboundMessage.State.DELIVERED:
            message.problem = report.code
            changed.append("problem")
    if report.ref and not message.carrier_ref:
        message.carrier_ref = report.ref
        changed.append("carrier_ref")
    if report.parts and report.parts != message.parts:
        message.parts = report.parts
        changed.append("parts")
    if report.cost is not None and report.cost != message.cost:
        _correct(message, report.cost)
        message.cost = report.cost
        changed.append("cost")
    message.save(update_fields=changed)


def _correct(message: OutboundMessage, cost: int) -> None:
    """Enter the true price into the budgets of the day on which the message was written."""
    if message.to_cipher is None:
        return
    to = vault.unseal(bytes(message.to_cipher), field=TO_FIELD, row=message.uuid)
    need = spending.need_of(to, 1)
    if need:
        spending.correct(need, cost - message.cost, day=brand_date(message.created_at))
