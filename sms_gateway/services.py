"""Writing messages for telephones, who wants none, and forgetting them."""

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import partial
from json import dumps

from django.db import transaction

from common.db import inside_transaction
from sms_gateway.models import (
    BODY_FIELD,
    TO_FIELD,
    Call,
    CallTurn,
    InboundMessage,
    OutboundMessage,
    Spending,
    Subject,
    Suppression,
)
from sms_gateway.segments import parts_of
from staff import vault

KEPT_FOR = timedelta(days=30)
TURNS_KEPT_FOR = timedelta(days=1)
PARAMETERS_FIELD = "sms_gateway.OutboundMessage.parameters"
PRIORITY = {
    OutboundMessage.Purpose.ONE_TIME_CODE: 0,
    OutboundMessage.Purpose.REPLY: 1,
    OutboundMessage.Purpose.NOTICE: 2,
    OutboundMessage.Purpose.MARKETING: 3,
}


@inside_transaction
def queue_message(
    to: str,
    body: str,
    *,
    purpose: str,
    at: datetime,
    language: str = "",
    number: str = "",
    template: str = "",
    parameters: Mapping[str, str] | None = None,
    key: uuid.UUID | None = None,
) -> OutboundMessage:
    """Keep a message to the number ``to`` (E.164) for sending; it exists if and only if the caller's work does.

    ``key`` names the message: kept again under the same name it is the first one.

    ``number``: which of our numbers it should leave by; else the brand's first that works. ``template`` and
    ``parameters`` say the same as ``body`` where a carrier takes templates only.
    """
    row = key or uuid.uuid4()
    kept = OutboundMessage.objects.filter(uuid=key).first() if key else None
    if kept:
        return kept
    message = OutboundMessage.objects.create(
        uuid=row,
        to_cipher=vault.seal(to, field=TO_FIELD, row=row),
        to_index=vault.blind_index(to),
        body_cipher=vault.seal(body, field=BODY_FIELD, row=row),
        purpose=OutboundMessage.Purpose(purpose),
        priority=PRIORITY[OutboundMessage.Purpose(purpose)],
        language=language,
        template=template,
        parameters_cipher=vault.seal(dumps(dict(parameters)), field=PARAMETERS_FIELD, row=row) if parameters else None,
        number=number,
        parts=parts_of(body).count,
        created_at=at,
        due_at=at,
    )
    transaction.on_commit(partial(push_relay))
    return message


def push_relay() -> None:
    """Wake the relay; without a broker the sweep does it within a minute."""
    from sms_gateway.tasks import push, send_waiting

    push(send_waiting)


# --- who wants none ----------------------------------------------------------------------------------------------------


@inside_transaction
def suppress(phone: str, *, source: str, at: datetime) -> None:
    """Send no notices and no marketing to ``phone`` (E.164) any more, by any carrier. Again: no effect."""
    row = Suppression(to_index=vault.blind_index(phone), source=Suppression.Source(source), since_at=at)
    Suppression.objects.bulk_create([row], ignore_conflicts=True)


@inside_transaction
def lift_suppression(phone: str, *, at: datetime) -> None:
    """Send to ``phone`` again, as its owner asked."""
    Suppression.objects.filter(to_index=vault.blind_index(phone), lifted_at=None).update(lifted_at=at)


# --- forgetting --------------------------------------------------------------------------------------------------------


@inside_transaction
def forget_number(phone: str) -> int:
    """Clear number and text of every message to and from ``phone`` and of its calls; return how many messages to it."""
    index = vault.blind_index(phone)
    InboundMessage.objects.filter(from_index=index).update(**_NO_TEXT)
    Spending.objects.filter(subject=Subject.NUMBER, key_index=index.hex()).delete()
    CallTurn.objects.filter(call__caller_index=index).update(**_NO_TURN)
    Call.objects.filter(caller_index=index).update(caller_cipher=None, caller_index=None)
    return _forget(to_index=index)


@inside_transaction
def forget_old_messages(*, at: datetime) -> int:
    """Clear number and text of messages and calls older than 30 days; return how many messages out there were.

    What was keyed and spoken in calls is cleared after a day.
    """
    before = at - KEPT_FOR
    InboundMessage.objects.filter(received_at__lte=before, body_cipher__isnull=False).update(**_NO_TEXT)
    Spending.objects.filter(subject=Subject.NUMBER, day__lt=before.date()).delete()
    CallTurn.objects.filter(asked_at__lte=at - TURNS_KEPT_FOR, answer_cipher__isnull=False).update(**_NO_TURN)
    Call.objects.filter(started_at__lte=before, caller_index__isnull=False).update(
        caller_cipher=None, caller_index=None
    )
    return _forget(created_at__lte=before, to_index__isnull=False)


_NO_TEXT = {"from_cipher": None, "from_index": None, "body_cipher": None, "body_mac": b"", "error_mac": None}
_NO_TURN = {"digits_cipher": None, "answer_cipher": None, "state_cipher": None}


def _forget(**which: object) -> int:
    return OutboundMessage.objects.filter(**which).update(
        to_cipher=None, to_index=None, body_cipher=None, parameters_cipher=None
    )
