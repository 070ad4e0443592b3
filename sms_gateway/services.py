"""Writing messages for telephones, and forgetting them."""

import uuid
from datetime import datetime, timedelta

from common.db import inside_transaction
from sms_gateway.models import BODY_FIELD, TO_FIELD, OutboundMessage
from staff import vault

KEPT_FOR = timedelta(days=30)
_PRIORITY = {
    OutboundMessage.Purpose.ONE_TIME_CODE: 0,
    OutboundMessage.Purpose.REPLY: 1,
    OutboundMessage.Purpose.NOTICE: 2,
}


@inside_transaction
def queue_message(to: str, body: str, *, purpose: str, at: datetime) -> OutboundMessage:
    """Keep a message to the number ``to`` (E.164) for sending; it exists if and only if the caller's work does."""
    row = uuid.uuid4()
    return OutboundMessage.objects.create(
        uuid=row,
        to_cipher=vault.seal(to, field=TO_FIELD, row=row),
        to_index=vault.blind_index(to),
        body_cipher=vault.seal(body, field=BODY_FIELD, row=row),
        purpose=OutboundMessage.Purpose(purpose),
        priority=_PRIORITY[OutboundMessage.Purpose(purpose)],
        created_at=at,
    )


@inside_transaction
def forget_number(phone: str) -> int:
    """Clear number and text of every message to ``phone``; return how many there were."""
    return _forget(to_index=vault.blind_index(phone))


@inside_transaction
def forget_old_messages(*, at: datetime) -> int:
    """Clear number and text of messages older than 30 days; return how many there were."""
    return _forget(created_at__lte=at - KEPT_FOR, to_index__isnull=False)


def _forget(**which: object) -> int:
    return OutboundMessage.objects.filter(**which).update(to_cipher=None, to_index=None, body_cipher=None)
