from datetime import datetime, timedelta

import pytest
from django.db import connection, transaction
from django.test import Client

from brands.models import Brand
from sms_gateway.models import Call, CallTurn, InboundMessage, OutboundMessage, Spending
from sms_gateway.queries import messages_to, newest_messages
from sms_gateway.services import forget_number, forget_old_messages, queue_message
from tests.sms_gateway.world import OURS, make_twilio, signed, text

PHONE, OTHER = "+8613800138000", "+8613900139000"


def test_a_message_is_read_back_by_its_number_only(brand: Brand, at: datetime) -> None:
    queue_message(PHONE, "您好 482193", purpose="one_time_code", at=at)

    found = messages_to(PHONE)

    assert [(message.to, message.body, message.state) for message in found] == [(PHONE, "您好 482193", "waiting")]
    assert messages_to(OTHER) == []


def test_number_and_text_stand_nowhere_in_the_table(brand: Brand, at: datetime) -> None:
    queue_message(PHONE, "canary text", purpose="notice", at=at)

    with connection.cursor() as cursor:
        cursor.execute("SELECT string_agg(m::text, '') FROM sms_gateway_outboundmessage m")
        dump = cursor.fetchone()[0]

    assert str(OutboundMessage.objects.get().uuid) in dump
    for canary in (PHONE, PHONE[1:], "canary text"):
        assert canary not in dump
        assert canary.encode().hex() not in dump


def test_an_unknown_purpose_is_refused(brand: Brand, at: datetime) -> None:
    with pytest.raises(ValueError, match="gossip"):
        queue_message(PHONE, "x", purpose="gossip", at=at)


def test_a_code_goes_before_a_notice(brand: Brand, at: datetime) -> None:
    queue_message(PHONE, "notice", purpose="notice", at=at)
    queue_message(PHONE, "code", purpose="one_time_code", at=at)

    first = OutboundMessage.objects.order_by("priority", "id").first()

    assert first is not None
    assert first.purpose == "one_time_code"


def test_a_number_is_forgotten_and_the_others_stay(brand: Brand, at: datetime) -> None:
    queue_message(PHONE, "a", purpose="notice", at=at)
    queue_message(OTHER, "b", purpose="notice", at=at)

    assert forget_number(PHONE) == 1

    assert [message.to for message in newest_messages(10)] == [OTHER]
    assert OutboundMessage.objects.count() == 2


def test_old_messages_are_forgotten_after_thirty_days(brand: Brand, at: datetime) -> None:
    queue_message(PHONE, "old", purpose="notice", at=at - timedelta(days=30))
    queue_message(PHONE, "young", purpose="notice", at=at - timedelta(days=30) + timedelta(seconds=1))

    assert forget_old_messages(at=at) == 1

    assert [message.body for message in newest_messages(10)] == ["young"]


def test_a_message_needs_its_callers_transaction(real_commits: Brand, at: datetime) -> None:
    with transaction.atomic():
        queue_message(PHONE, "allowed", purpose="notice", at=at)

    with pytest.raises(RuntimeError, match="inside a transaction"):
        queue_message(PHONE, "refused", purpose="notice", at=at)


def test_forgetting_a_number_clears_what_came_from_it_too(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at, takes_calls=True)
    text("hello").send(client)
    signed("/webhooks/twilio/voice", {"CallSid": "CA1", "From": PHONE, "To": OURS}).send(client)
    assert Spending.objects.filter(subject="number").count() == 1

    forget_number(PHONE)

    row, call, turn = InboundMessage.objects.get(), Call.objects.get(), CallTurn.objects.get()
    assert (row.from_cipher, row.from_index, row.body_cipher, bytes(row.body_mac)) == (None, None, None, b"")
    assert (call.caller_cipher, call.caller_index, turn.answer_cipher, turn.digits_cipher) == (None, None, None, None)
    assert messages_to(PHONE) == []
    assert Spending.objects.filter(subject="number").count() == 0


def test_a_message_is_there_once_its_callers_work_is(real_commits: Brand, at: datetime) -> None:
    """Whoever dies right after the commit, before anything else that was to follow, has lost no message."""

    def die() -> None:
        raise SystemExit

    @transaction.atomic
    def work(body: str, *, undone: bool) -> None:
        transaction.on_commit(die)
        queue_message(PHONE, body, purpose="notice", at=at)
        if undone:
            raise ZeroDivisionError

    with pytest.raises(SystemExit):
        work("kept", undone=False)
    with pytest.raises(ZeroDivisionError):
        work("of work that came to nothing", undone=True)

    assert [message.body for message in newest_messages(10)] == ["kept"], "the outbox is written with the work"
