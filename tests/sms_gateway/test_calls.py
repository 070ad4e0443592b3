"""Calls: one answer for each turn, for ever; state that hangs on the call."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from django.test import Client

from brands.models import Brand
from sms_gateway.models import Call, CallTurn
from sms_gateway.services import forget_old_messages
from tests.sms_gateway.world import OURS, PHONE, Signed, make_twilio, signed

STEP = "/webhooks/twilio/voice/step"


def ring(sid: str = "CA1", **fields: str) -> Signed:
    return signed("/webhooks/twilio/voice", {"CallSid": sid, "From": PHONE, "To": OURS, **fields})


def key(turn: int, digits: str, sid: str = "CA1", step: str = "code") -> Signed:
    fields = {"CallSid": sid, "From": PHONE, "To": OURS, "Digits": digits}
    return signed(f"{STEP}?step={step}&turn={turn}", fields)


@pytest.fixture(autouse=True)
def _line(brand: Brand, at: datetime) -> None:
    make_twilio(brand, at, takes_calls=True)


def test_state_goes_from_turn_to_turn(client: Client) -> None:
    said = [ring().send(client), key(2, "12*34").send(client), key(3, "").send(client)]

    assert [answer.status_code for answer in said] == [200, 200, 200]
    for answer, expected in zip(said, ("1: start None", "2: code 12*34", "3: code "), strict=True):
        assert expected in answer.text


def test_a_turn_that_is_asked_again_gets_its_first_answer(client: Client) -> None:
    first = ring().send(client)
    second = key(2, "1").send(client)
    key(3, "2").send(client)

    assert key(2, "1").send(client).content == second.content, "late"
    assert ring().send(client).content == first.content
    assert key(2, "999").send(client).content == second.content, "with other keys too: it was answered"
    assert (Call.objects.count(), CallTurn.objects.count()) == (1, 3)


@pytest.mark.parametrize("odd", [key(3, "1"), key(2, "1", sid="CA2"), key(1, "1"), key(2, "x"), key(2, "1" * 99)])
def test_turns_that_cannot_follow_are_refused(client: Client, odd: Signed) -> None:
    ring().send(client)

    assert odd.send(client).status_code == 400
    assert CallTurn.objects.count() == 1


def test_a_withheld_number_is_none(client: Client) -> None:
    ring(From="anonymous").send(client)

    assert Call.objects.get().caller_index is None


def test_what_was_keyed_is_encrypted_and_cleared_after_a_day(client: Client, at: datetime) -> None:
    ring().send(client)
    key(2, "1452919960108773").send(client)
    turn = CallTurn.objects.get(turn=2)
    assert b"1452919960108773" not in bytes(turn.digits_cipher) + bytes(turn.answer_cipher)

    forget_old_messages(at=turn.asked_at + timedelta(days=1))

    turn.refresh_from_db()
    assert (turn.digits_cipher, turn.answer_cipher, turn.state_cipher) == (None, None, None)
    assert Call.objects.get().caller_cipher is not None, "who called is kept for thirty"


def test_the_end_is_kept_once(client: Client) -> None:
    ring().send(client)
    fields = {"CallSid": "CA1", "From": PHONE, "To": OURS, "CallStatus": "completed", "CallDuration": "42"}

    for duration in ("42", "43"):
        signed("/webhooks/twilio/status", {**fields, "CallDuration": duration}).send(client)

    assert Call.objects.get().duration_s == 42


def test_a_failure_leaves_the_turn_open(client: Client, settings: Any) -> None:
    settings.VOICE_HANDLER = "tests.sms_gateway.world.nothing_there"
    client.raise_request_exception = False
    assert ring().send(client).status_code == 503

    settings.VOICE_HANDLER = "tests.sms_gateway.world.counting"

    assert "1: start" in ring().send(client).text


def test_an_unsigned_call_is_refused(client: Client) -> None:
    good = ring()

    assert Signed(good.path, good.fields, "").send(client).status_code == 403
    assert Call.objects.count() == 0
