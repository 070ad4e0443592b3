"""The short stack for busy addresses answers as the whole one does."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection

from brands.models import Brand
from brands.phone_numbers import forget_numbers
from config.wsgi import application
from redemption.api import language_of
from sms_gateway.models import InboundMessage
from staff.apikeys import create_key
from tests.conftest import NOW
from tests.makers import CONSUMER, make_active_batch, make_campaign, secrets_of
from tests.sms_gateway.world import OURS, PHONE, Signed, make_twilio, signed, text


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


def test_a_code_is_redeemed_and_its_receipt_read(key: str, brand: Brand) -> None:
    body = json.dumps({"code": secrets_of(make_active_batch(1))[0], "phone": CONSUMER}).encode()

    status, headers, receipt = call(
        "/api/v1/redemptions", body=body, HTTP_AUTHORIZATION=key, HTTP_IDEMPOTENCY_KEY="one"
    )
    connection.set_tenant(brand)
    read = call(f"/api/v1/receipts/{receipt['receipt']}", method="GET", HTTP_AUTHORIZATION=key)

    assert (status, headers["Content-Type"], receipt["outcome"]) == (201, "application/json", "REDEEMED")
    assert (read[0], read[2]) == (200, receipt)


@pytest.mark.parametrize(
    ("path", "headers", "status", "code"),
    [
        ("/api/v1/redemptions", {"HTTP_HOST": "nowhere.localhost"}, 404, None),
        ("/api/v1/redemptions", {"REQUEST_METHOD": "GET"}, 405, "method_not_allowed"),
        ("/api/v1/redemptions", {"CONTENT_TYPE": "text/plain"}, 415, "not_json"),
        ("/api/v1/redemptions", {"CONTENT_LENGTH": "1048577"}, 413, "too_large"),
        ("/api/v1/redemptions", {}, 401, "unauthorized"),
        ("/api/v1/checks", {}, 401, "unauthorized"),
        ("/api/v1/redemptions/bulk", {}, 401, "unauthorized"),
    ],
)
def test_errors_are_problems(key: str, path: str, headers: dict[str, str], status: int, code: str | None) -> None:
    answered, told, body = call(path, body=b"{}", **headers)

    assert answered == status
    if code:
        assert (told["Content-Type"], body["code"]) == ("application/problem+json", code)


def test_a_plain_call_goes_the_short_way_and_any_other_the_long_one(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    codes = secrets_of(make_active_batch(2))
    bodies = [json.dumps({"code": code, "phone": CONSUMER}).encode() for code in codes]
    monkeypatch.setattr("config.lean.LeanHandler.__call__", lambda *_: pytest.fail("the long way"))

    status, headers, short = call(
        "/api/v1/redemptions", body=bodies[0], HTTP_AUTHORIZATION=key, HTTP_IDEMPOTENCY_KEY="short"
    )
    monkeypatch.undo()
    monkeypatch.setattr("config.lean._is_plain", lambda _environ: False)
    other = call("/api/v1/redemptions", body=bodies[1], HTTP_AUTHORIZATION=key, HTTP_IDEMPOTENCY_KEY="long")

    assert (status, other[0]) == (201, 201)
    assert short.keys() == other[2].keys()
    assert headers["Content-Type"] == other[1]["Content-Type"]


@pytest.mark.parametrize("short", [True, False])
@pytest.mark.parametrize(
    ("headers", "body", "status", "code"),
    [
        ({"HTTP_AUTHORIZATION": "Bearer ak_live_" + "x" * 43}, b"{}", 403, "unknown_key"),
        ({}, b"{}", 400, "key_missing"),
        ({"HTTP_IDEMPOTENCY_KEY": "a b"}, b"{}", 400, "bad_key"),
        ({"HTTP_IDEMPOTENCY_KEY": "a"}, b"no json", 400, "bad_json"),
        ({"HTTP_IDEMPOTENCY_KEY": "a"}, b'{"code": 5, "phone": "1"}', 422, "invalid"),
        ({"HTTP_IDEMPOTENCY_KEY": "a"}, b'{"code": "1", "phone": "12"}', 422, "invalid"),
    ],
)
def test_both_ways_refuse_alike(
    key: str,
    monkeypatch: pytest.MonkeyPatch,
    short: bool,
    headers: dict[str, str],
    body: bytes,
    status: int,
    code: str,
) -> None:
    if not short:
        monkeypatch.setattr("config.lean._is_plain", lambda _environ: False)

    answered, told, problem = call("/api/v1/redemptions", body=body, **({"HTTP_AUTHORIZATION": key} | headers))

    assert (answered, told["Content-Type"], problem["code"]) == (status, "application/problem+json", code)


def test_a_fault_of_ours_is_a_problem_too(key: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redemption.collector.redeem", lambda _attempt: 1 / 0)
    body = json.dumps({"code": "1", "phone": CONSUMER}).encode()

    status, _headers, problem = call(
        "/api/v1/redemptions", body=body, HTTP_AUTHORIZATION=key, HTTP_IDEMPOTENCY_KEY="fault"
    )

    assert (status, problem["code"]) == (500, "internal")


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
        monkeypatch.setattr("config.lean.LeanHandler.__call__", lambda *_: pytest.fail("the long way"))
    else:
        monkeypatch.setattr("config.lean._webhook_at", lambda _path: None)

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
