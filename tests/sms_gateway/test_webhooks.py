"""Where messages come in: whose they are, who may bring them, and what comes back."""

from datetime import datetime, timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from brands.models import Brand
from sms_gateway import answering
from sms_gateway.doors import Line
from sms_gateway.inbound import New
from sms_gateway.models import TEXT_FIELD, InboundMessage, OutboundMessage
from staff import vault
from tests.sms_gateway import world
from tests.sms_gateway.world import NEXT_TOKEN, OURS, make_twilio, signed, text


def test_a_signed_message_is_kept_decided_and_answered(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)

    answer = text("hello").send(client)

    assert answer.status_code == 200
    assert answer["Content-Type"].startswith("text/xml")
    row = InboundMessage.objects.get()
    assert (row.state, row.reply_state) == ("decided", "inline")
    reply = OutboundMessage.objects.get()
    assert row.reply == reply
    assert f'statusCallback="https://labels.example/webhooks/twilio/status?message=brand_a.{reply.uuid}"' in answer.text
    assert ">heard hello</Message>" in answer.text


def test_a_replay_gets_the_stored_reply_byte_for_byte(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)
    first = text("hello").send(client)

    again = text("hello").send(client)

    assert again.content == first.content
    assert len(world.heard) == 1
    assert InboundMessage.objects.count() == OutboundMessage.objects.count() == 1


def test_the_second_token_of_a_rotation_is_good(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)

    assert text("hello", token=NEXT_TOKEN).send(client).status_code == 200


def test_a_port_that_says_nothing_is_good(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)

    assert text("hello", base_url="https://labels.example:443").send(client).status_code == 200


@pytest.mark.parametrize(
    ("path_signed", "base_url", "body_signed"),
    [
        ("/webhooks/twilio/status", world.BASE_URL, " hello "),
        ("/webhooks/twilio/sms/", world.BASE_URL, " hello "),
        ("/webhooks/twilio/sms?a=1", world.BASE_URL, " hello "),
        ("/webhooks/twilio/sms", "http://labels.example", " hello "),
        ("/webhooks/twilio/sms", "https://elsewhere.example", " hello "),
        ("/webhooks/twilio/sms", world.BASE_URL, "hello"),
    ],
)
def test_a_signature_for_anything_else_is_refused_and_nothing_written(
    brand: Brand, at: datetime, client: Client, path_signed: str, base_url: str, body_signed: str
) -> None:
    make_twilio(brand, at)
    good = text(" hello ")
    other = signed(path_signed, {**good.fields, "Body": body_signed}, base_url=base_url)

    forged = world.Signed(good.path, good.fields, other.signature).send(client)

    assert forged.status_code == 403
    assert InboundMessage.objects.count() == 0
    assert world.heard == []
    assert good.send(client).status_code == 200, "and the true one passes"


@pytest.mark.parametrize("signature", ["", "d3JvbmcgYnV0IGJhc2U2NCBlbm91Z2g=", "签名"])
def test_no_signature_or_a_wrong_one_is_refused(brand: Brand, at: datetime, client: Client, signature: str) -> None:
    make_twilio(brand, at)
    good = text("hello")

    assert world.Signed(good.path, good.fields, signature).send(client).status_code == 403
    assert InboundMessage.objects.count() == 0


def test_forwarded_headers_say_nothing(brand: Brand, at: datetime, client: Client) -> None:
    """A signature for http does not become good because a header claims https, or another host."""
    make_twilio(brand, at)
    good = text("hello")
    forged = text("hello", base_url="http://evil.example")
    headers = {"X-Forwarded-Proto": "http", "X-Forwarded-Host": "evil.example", "Host": "evil.example"}

    answer = client.post(
        good.path,
        good.body,
        content_type="application/x-www-form-urlencoded",
        headers={"X-Twilio-Signature": forged.signature, **headers},
    )

    assert answer.status_code == 403


def test_a_number_that_is_not_ours_is_refused(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)

    assert text("hello", to="+862160009999").send(client).status_code == 403


def test_the_simulator_is_refused_unless_named(
    brand: Brand, at: datetime, client: Client, settings: pytest.FixtureRequest
) -> None:
    make_twilio(brand, at, carrier="simulator")
    assert text("hello", carrier="simulator").send(client).status_code == 200

    settings.SMS_CARRIERS = ["twilio"]

    assert text("again", sid="SM2", carrier="simulator").send(client).status_code == 404
    assert InboundMessage.objects.count() == 1


def test_the_log_keeps_no_code(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)

    text("我的 1234 5678 9012 3456").send(client)

    row = InboundMessage.objects.get()
    assert vault.unseal(row.body_cipher, field=TEXT_FIELD, row=row.uuid) == "我的 •••• •••• •••• ••••"


def test_a_failure_is_answered_with_nothing_and_tried_again(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)

    answer = text("poison").send(client)

    assert answer.status_code == 200
    assert "<Message" not in answer.text
    row = InboundMessage.objects.get()
    assert (row.state, row.reply_state, row.problem) == ("new", "outbox", "RuntimeError")
    assert text("poison").send(client).content == answer.content


def test_no_reply_to_names_and_short_codes(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)

    for n, sender in enumerate(("SHOP", "10086", "95588")):
        assert "<Message" not in text("hello", sid=f"SM{n}", sender=sender).send(client).text

    assert set(InboundMessage.objects.values_list("silence", flat=True)) == {"no_number"}


def test_what_the_carrier_answered_is_only_recorded(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)
    fields = {**text("STOP").fields, "OptOutType": "STOP"}

    answer = signed("/webhooks/twilio/sms", fields).send(client)

    assert "<Message" not in answer.text
    assert world.heard[0].opt_out == "STOP"
    assert InboundMessage.objects.get().silence == "carrier_answered"


def test_one_loop_one_answer_a_minute(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)

    answers = [text("what?", sid=f"SM{n}").send(client).text for n in range(5)]

    assert ["<Message" in answer for answer in answers] == [True, False, False, False, False]
    assert "<Message" in text("what?", sid="SM9", sender="+8613900139000").send(client).text, "others are answered"
    assert "<Message" in text("something else", sid="SM10").send(client).text, "and so are other questions"


def test_errors_are_told_in_turn(brand: Brand, at: datetime) -> None:
    """Another process may be telling this number the same at this moment: who tells an error waits for its turn."""
    make_twilio(brand, at)

    def waits(body: str) -> bool:
        with CaptureQueriesContext(connection) as asked:
            assert "<Message" in text(body, sid=body).call().text
        return any("pg_advisory_xact_lock" in query["sql"] for query in asked)

    assert waits("what?")
    assert not waits("an answer")


def test_one_error_three_times_an_hour(brand: Brand, at: datetime) -> None:
    make_twilio(brand, at)
    line = Line(e164=OURS, languages=("en",))

    def is_answered(minute: int, *, body: str = "what?", sender: str = world.PHONE) -> bool:
        moment = at + timedelta(minutes=minute)
        new = New(
            carrier="twilio", message_id=f"{minute}{body}{sender}", number=OURS, sender=sender, body=body,
            received_at=moment, at=moment,
        )  # fmt: skip
        return answering.answer(new, line, wait_s=1, clock=lambda: moment) is not None

    answered = [minute for minute in (0, 2, 4, 6, 30, 59, 61, 63, 65, 67, 120, 122) if is_answered(minute)]

    assert answered == [0, 2, 4, 61, 63, 65, 122]
    assert InboundMessage.objects.filter(silence="loop").count() == 5
    assert is_answered(66, body="who?"), "another error"
    assert is_answered(66, sender="+8613900139000"), "another number"
    assert is_answered(66, body="an answer"), "and what is no error at all"
    assert is_answered(66, body="an answer, and again")


@pytest.mark.parametrize("odd", ["", "\x00\x00", "𝕳" * 2000, "\u202e\u0661\u0662", "'; DROP TABLE x; --", "=1+1"])
def test_odd_texts_are_taken(brand: Brand, at: datetime, client: Client, odd: str) -> None:
    make_twilio(brand, at)

    assert text(odd).send(client).status_code == 200


def test_a_message_for_a_brand_is_answered_on_any_host(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)

    for n, host in enumerate(("localhost", "platform.localhost", "127.0.0.1", "stranger.localhost", "nobody.example")):
        assert "<Message" in text("hello", sid=f"SM{n}", to=OURS).send(client, host=host).text

    assert InboundMessage.objects.count() == 5
