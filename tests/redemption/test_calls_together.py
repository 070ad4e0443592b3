"""Calls answered together, and webhooks by their short way, get what the whole stack answers."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import OperationalError, close_old_connections, connection

from brands.models import Brand
from brands.phone_numbers import forget_numbers
from config.wsgi import application
from redemption import api
from redemption.api import Asked, answer_together, language_of
from sms_gateway.models import InboundMessage
from staff.apikeys import create_key
from tests.conftest import NOW
from tests.makers import CONSUMER, make_active_batch, make_campaign, secrets_of
from tests.sms_gateway.world import OURS, PHONE, Signed, make_twilio, signed, text

REDEEM, CHECK = "/api/v1/redemptions", "/api/v1/checks"


def call(path: str, *, body: bytes = b"", method: str = "POST", **headers: str) -> tuple[int, dict[str, str], Any]:
    told: dict[str, Any] = {}

    def start_response(status: str, pairs: list[tuple[str, str]], _exc: object = None) -> None:
        told["status"], told["headers"] = int(status.split(maxsplit=1)[0]), dict(pairs)

    environ = {
        "REQUEST_METHOD": method,
        "PATH_INFO": path,
        "QUERY_STRING": "",
        "SERVER_NAME": "brand.localhost",
        "SERVER_PORT": "80",
        "HTTP_HOST": "brand.localhost",
        "SERVER_PROTOCOL": "HTTP/1.1",
        "wsgi.input": io.BytesIO(body),
        "wsgi.url_scheme": "http",
        "wsgi.errors": io.StringIO(),
        "CONTENT_TYPE": "application/json",
        "CONTENT_LENGTH": str(len(body)),
        **headers,
    }
    answer = b"".join(application(environ, start_response))
    return told["status"], told["headers"], json.loads(answer) if answer[:1] in {b"{", b"["} else answer


@pytest.fixture(autouse=True)
def _connection_of_the_test() -> Iterator[None]:
    """Keep the test's own connection, as Django's test client does."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    yield
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)


@pytest.fixture
def key(brand: Brand) -> str:
    make_campaign()
    return f"Bearer {create_key('till', ['read', 'redeem'], at=NOW)[1]}"


def redeem(key: str, body: object, name: str | None, accept: str | None = None) -> Asked:
    return Asked(key, body if isinstance(body, bytes) else json.dumps(body).encode(), name, accept)


def test_calls_are_answered_together_as_their_view_does(key: str) -> None:
    codes = secrets_of(make_active_batch(3))
    bodies = [{"code": code, "phone": CONSUMER} for code in codes]

    together = answer_together(REDEEM, [redeem(key, bodies[0], "one"), redeem(key, bodies[1], "two", "zh-CN")])
    status, headers, alone = call(
        REDEEM, body=json.dumps(bodies[2]).encode(), HTTP_AUTHORIZATION=key, HTTP_IDEMPOTENCY_KEY="three"
    )

    first, second = (json.loads(reply.content) for reply in together)
    assert [reply.status for reply in together] == [status, status] == [201, 201]
    assert dict(together[0].headers)["Content-Type"] == headers["Content-Type"]
    assert first.keys() == second.keys() == alone.keys()
    assert {first["outcome"], second["outcome"], alone["outcome"]} == {"REDEEMED"}
    assert "积分" in second["message"]
    assert "积分" not in first["message"]


def test_a_repeat_gets_the_first_answer_by_either_way(key: str, brand: Brand) -> None:
    body = json.dumps({"code": secrets_of(make_active_batch(1))[0], "phone": CONSUMER}).encode()

    [first] = answer_together(REDEEM, [redeem(key, body, "one")])
    again = call(REDEEM, body=body, HTTP_AUTHORIZATION=key, HTTP_IDEMPOTENCY_KEY="one")
    connection.set_tenant(brand)
    receipt = json.loads(first.content)
    read = call(f"/api/v1/receipts/{receipt['receipt']}", method="GET", HTTP_AUTHORIZATION=key)

    assert (again[2], read[2]) == (receipt, receipt)


def test_checks_are_answered_together(key: str) -> None:
    check = create_key("shelf", ["check"], at=NOW)[1]
    code = secrets_of(make_active_batch(1))[0]

    good, bad = answer_together(CHECK, [redeem(f"Bearer {check}", {"code": code}, None), redeem(key, {}, None)])

    assert (good.status, json.loads(good.content)["outcome"]) == (200, "GENUINE_FIRST")
    assert (bad.status, json.loads(bad.content)["code"]) == (422, "invalid")


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        (REDEEM, {"HTTP_HOST": "nowhere.localhost"}, 404, None),
        (REDEEM, {"REQUEST_METHOD": "GET"}, 405, "method_not_allowed"),
        (REDEEM, {"CONTENT_TYPE": "text/plain"}, 415, "not_json"),
        (REDEEM, {"CONTENT_LENGTH": "1048577"}, 413, "too_large"),
        (REDEEM, {}, 401, "unauthorized"),
        (CHECK, {}, 401, "unauthorized"),
        (f"{REDEEM}/bulk", {}, 401, "unauthorized"),
    ],
)
def test_errors_are_problems(key: str, path: str, headers: dict[str, str], status: int, code: str | None) -> None:
    answered, told, body = call(path, body=b"{}", **headers)

    assert answered == status
    if code:
        assert (told["Content-Type"], body["code"]) == ("application/problem+json", code)


@pytest.mark.parametrize(
    ("authorization", "name", "body", "status", "code"),
    [
        ("", "a", b"{}", 401, "unauthorized"),
        ("Bearer ak_live_" + "x" * 43, None, b"{}", 403, "unknown_key"),
        (None, None, b"{}", 400, "key_missing"),
        (None, "a b", b"{}", 400, "bad_key"),
        (None, "a", b"no json", 400, "bad_json"),
        (None, "a", b'{"code": 5, "phone": "1"}', 422, "invalid"),
        (None, "a", b'{"code": "1", "phone": "12"}', 422, "invalid"),
    ],
)
def test_both_ways_refuse_alike(
    key: str, authorization: str | None, name: str | None, body: bytes, status: int, code: str
) -> None:
    shown = key if authorization is None else authorization
    headers = {"HTTP_AUTHORIZATION": shown} | ({} if name is None else {"HTTP_IDEMPOTENCY_KEY": name})

    [reply] = answer_together(REDEEM, [redeem(shown, body, name)])
    answered, told, problem = call(REDEEM, body=body, **headers)

    assert (answered, problem["code"]) == (reply.status, json.loads(reply.content)["code"]) == (status, code)
    assert told["Content-Type"] == dict(reply.headers)["Content-Type"] == "application/problem+json"
    assert told.get("WWW-Authenticate") == dict(reply.headers).get("WWW-Authenticate")


def test_a_call_that_fails_fails_no_neighbour(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = secrets_of(make_active_batch(2))
    good = [redeem(key, {"code": code, "phone": CONSUMER}, code) for code in codes]
    parse = api.parse_phone
    monkeypatch.setattr(api, "parse_phone", lambda text: 1 / 0 if text == "fault" else parse(text))

    replies = answer_together(
        REDEEM, [good[0], redeem(key, {"code": "1", "phone": "fault"}, "x"), redeem("", {}, None), good[1]]
    )

    assert [reply.status for reply in replies] == [201, 500, 401, 201]
    assert json.loads(replies[1].content)["code"] == "internal"


def test_a_database_that_is_away_is_told_as_that(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr("staff.bearer.authenticate", away)

    [reply] = answer_together(REDEEM, [redeem(key, {}, "a")])

    assert (reply.status, json.loads(reply.content)["code"]) == (503, "try_later")
    assert "Retry-After" in dict(reply.headers)


@pytest.mark.parametrize(
    ("accept", "language"),
    [(None, "en"), ("zh-CN,zh;q=0.9", "zh-hans"), ("fr", "en"), ("en-GB;q=0.5,zh-Hans", "zh-hans"), ("*", "en")],
)
def test_the_message_is_in_the_language_asked_for(accept: str | None, language: str) -> None:
    assert language_of(accept) == language


# --- webhooks ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def line(brand: Brand, settings: pytest.FixtureRequest) -> Iterator[None]:
    settings.SMS_HANDLER = "tests.sms_gateway.world.echo"
    make_twilio(brand, NOW)
    yield
    forget_numbers()


def bring(message: Signed, **headers: str) -> tuple[int, dict[str, str], Any]:
    form = {"CONTENT_TYPE": "application/x-www-form-urlencoded", "HTTP_X_TWILIO_SIGNATURE": message.signature}
    return call(message.path, body=message.body, **(form | headers))


@pytest.mark.parametrize("short", [True, False])
def test_a_message_is_answered_by_both_ways_alike(line: None, monkeypatch: pytest.MonkeyPatch, short: bool) -> None:
    if short:
        monkeypatch.setattr("config.wsgi._whole", lambda *_: pytest.fail("the long way"))
    else:
        monkeypatch.setattr("config.webhooks._webhook_at", lambda _path: None)

    first = bring(text("茶 & tea"))
    again = bring(text("茶 & tea"))
    other = bring(text("", sid="SM2"), HTTP_X_TWILIO_SIGNATURE="forged")

    assert (first[0], first[1]["Content-Type"]) == (200, "text/xml; charset=utf-8")
    assert "heard 茶 &amp; tea" in first[2].decode()
    assert again == first
    assert (other[0], other[2]) == (403, b"bad_signature")
    assert [row.message_id for row in InboundMessage.objects.all()] == ["SM1"]


@pytest.mark.parametrize(
    ("path", "headers", "status"),
    [
        ("/webhooks/nobody/sms", {}, 404),
        ("/webhooks/twilio/nothing", {}, 404),
        ("/webhooks/twilio/t\u00e9", {}, 404),
        ("/webhooks/twilio/sms", {"REQUEST_METHOD": "DELETE"}, 405),
        ("/webhooks/twilio/sms", {"CONTENT_LENGTH": "1048577"}, 413),
        ("/webhooks/twilio/sms", {"CONTENT_LENGTH": "-1"}, 413),
        ("/webhooks/twilio/sms", {"CONTENT_TYPE": "multipart/form-data; boundary=x"}, 400),
        ("/webhooks/twilio/sms", {"CONTENT_TYPE": "application/x-www-form-urlencoded"}, 400),
    ],
)
def test_a_webhook_that_is_none_is_refused(line: None, path: str, headers: dict[str, str], status: int) -> None:
    answered, _headers, _body = call(path, body=b"{}", **headers)

    assert answered == status
    assert not InboundMessage.objects.exists()


def test_a_form_with_too_many_fields_is_refused(line: None) -> None:
    message = signed("/webhooks/twilio/sms", {"To": OURS, **{f"f{number}": "" for number in range(1000)}})

    status, _headers, _body = bring(message)

    assert status == 400


def test_a_fault_behind_a_webhook_is_told_as_one(line: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sms_gateway.carriers.twilio.Twilio.parse_inbound", lambda *_, **__: 1 / 0)

    status, _headers, body = bring(text("hello"))

    assert status == 500
    assert PHONE.encode() not in body
