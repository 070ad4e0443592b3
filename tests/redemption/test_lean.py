"""The short stack for busy addresses answers as the whole one does."""

import io
import json
from collections.abc import Iterator
from typing import Any

import pytest
from django.core.signals import request_finished, request_started
from django.db import close_old_connections, connection

from brands.models import Brand
from config.wsgi import application
from staff.apikeys import create_key
from tests.conftest import NOW
from tests.makers import CONSUMER, make_active_batch, make_campaign, secrets_of


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
    return told["status"], told["headers"], json.loads(answer) if answer[:1] in b"{[" else answer


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
