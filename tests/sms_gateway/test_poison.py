"""One message in a hundred can never be dealt with: it is parked after five tries, and no other waits for it."""

from collections import Counter
from datetime import datetime, timedelta

import pytest
from django.db import transaction

from brands.models import Brand
from common.clock import now
from sms_gateway.answering import decide_due
from sms_gateway.backoff import BACK_OFF_S, JITTER, MOST_TRIES
from sms_gateway.models import InboundMessage, OutboundMessage, SendTry
from sms_gateway.outbox import send_due
from sms_gateway.services import queue_message
from tests.sms_gateway import world
from tests.sms_gateway.world import Teller, make_twilio, text

HOW_MANY = pytest.mark.parametrize("messages", [1000, pytest.param(10_000, marks=pytest.mark.torture)])
POISON = "poison"
LONGEST_WAIT = timedelta(seconds=BACK_OFF_S[-1] * (1 + JITTER))


def phone(n: int) -> str:
    return f"+86138{n:08}"


def body(n: int) -> str:
    return POISON if n % 100 == 7 else f"good {n}"


@HOW_MANY
def test_of_messages_out(brand: Brand, at: datetime, teller: Teller, messages: int) -> None:
    make_twilio(brand, at)
    with transaction.atomic():
        for n in range(messages):
            queue_message(phone(n), body(n), purpose="reply", at=at)
    teller.errors[POISON] = RuntimeError("an adapter's own fault")
    poisoned = messages // 100

    send_due(clock=lambda: at, most=messages)

    assert len(teller.sent) == messages - poisoned, "the others pass at the first sweep"
    for _ in range(MOST_TRIES - 1):
        at += LONGEST_WAIT
        assert send_due(clock=lambda moment=at: moment, most=messages) == poisoned  # type: ignore[misc]
    assert send_due(clock=lambda: at + timedelta(days=1), most=messages) == 0, "parked is parked"
    assert len({to for _, to, _ in teller.sent}) == len(teller.sent) == messages - poisoned
    parked = OutboundMessage.objects.filter(state="parked")
    assert parked.count() == poisoned
    assert set(parked.values_list("problem", "attempts")) == {("RuntimeError", MOST_TRIES)}
    assert SendTry.objects.filter(ok=False).count() == MOST_TRIES * poisoned
    assert OutboundMessage.objects.filter(state="sent").count() == messages - poisoned


@HOW_MANY
def test_of_messages_in(real_commits: Brand, at: datetime, messages: int) -> None:
    make_twilio(real_commits, at)
    poisoned = messages // 100

    answers = [text(body(n), sid=f"SM{n}", sender=phone(n)).call().content for n in range(messages)]

    assert sum(b"<Message" in answer for answer in answers) == messages - poisoned, "the others are answered at once"
    later = now()
    for _ in range(MOST_TRIES - 1):
        later += LONGEST_WAIT
        assert decide_due(at=later, most=messages, clock=lambda moment=later: moment) == poisoned  # type: ignore[misc]
    assert InboundMessage.objects.filter(state="new").count() == 0
    heard = Counter(asked.request_id for asked in world.heard)
    assert Counter(heard.values()) == {1: messages - poisoned, MOST_TRIES: poisoned}
    parked = InboundMessage.objects.filter(state="parked")
    assert parked.count() == poisoned
    assert set(parked.values_list("problem", "attempts", "reply")) == {("RuntimeError", MOST_TRIES, None)}
    assert InboundMessage.objects.filter(state="decided", reply__state="sent").count() == messages - poisoned
