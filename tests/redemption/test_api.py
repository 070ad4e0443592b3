"""The REST door: fixed shapes, statuses and headers; errors as problems; nothing odd becomes a 5xx."""

import json
from typing import Any

import pytest
from django.test import Client

from brands.models import Brand
from redemption.models import Scan
from redemption.schemas import Problem, ReceiptOut
from staff.apikeys import create_key
from tests.conftest import NOW
from tests.makers import (
    CONSUMER,
    POINTS_PER_LABEL,
    labels_of,
    make_active_batch,
    make_campaign,
    make_partner,
    secrets_of,
    serial_of,
)

HOST = "brand.localhost"


class Caller:
    """An API client: posts JSON and reads it back, with one key."""

    def __init__(self, token: str, host: str = HOST) -> None:
        self.client = Client(HTTP_HOST=host)
        self.token = token

    def post(self, path: str, body: Any, *, key: str | None = None, **headers: str) -> Any:
        if key is not None:
            headers["Idempotency-Key"] = key
        data = body if isinstance(body, bytes | str) else json.dumps(body)
        return self.client.post(
            f"/api/v1{path}",
            data,
            content_type=headers.pop("Content-Type", "application/json"),
            headers={"Authorization": f"Bearer {self.token}", **headers},
        )

    def get(self, path: str) -> Any:
        return self.client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {self.token}"})


@pytest.fixture
def caller(brand: Brand) -> Caller:
    return Caller(create_key("till", ["read", "check", "redeem"], at=NOW)[1])


@pytest.fixture
def codes(brand: Brand) -> list[str]:
    make_campaign()
    return secrets_of(make_active_batch(3))


def assert_problem(response: Any, status: int, code: str) -> None:
    assert (response.status_code, response.headers["Content-Type"]) == (status, "application/problem+json")
    body = json.loads(response.content)
    Problem.model_validate(body)
    assert (body["status"], body["code"]) == (status, code)


def test_a_redemption_has_the_fixed_shape(caller: Caller, codes: list[str]) -> None:
    response = caller.post("/redemptions", {"code": codes[0], "phone": CONSUMER}, key="one")

    body = response.json()
    assert response.status_code == 201
    assert set(body) == set(ReceiptOut.model_fields)
    ReceiptOut.model_validate(body)
    assert (body["outcome"], body["detail"], body["earlier"]) == ("REDEEMED", None, None)
    assert (body["points"], body["balance"]) == (POINTS_PER_LABEL, POINTS_PER_LABEL)
    assert len(body["receipt"]) == 12
    assert body["product"]["name"] == "Spring Tea"


def test_the_same_key_gets_the_same_bytes(caller: Caller, codes: list[str]) -> None:
    body = {"code": codes[0], "phone": CONSUMER}
    first = caller.post("/redemptions", body, key="one")

    again = caller.post("/redemptions", body, key="one")

    assert (again.status_code, again.content) == (first.status_code, first.content)
    assert_problem(caller.post("/redemptions", {**body, "code": codes[1]}, key="one"), 409, "key_reused")
    assert Scan.objects.count() == 1


def test_a_refusal_is_an_answer_of_200(caller: Caller, codes: list[str]) -> None:
    caller.post("/redemptions", {"code": codes[0], "phone": CONSUMER}, key="one")

    body = caller.post("/redemptions", {"code": codes[0], "asker": "user-7"}, key="two").json()

    ReceiptOut.model_validate(body)
    assert (body["outcome"], body["points"], body["balance"]) == ("ALREADY_REDEEMED", 0, 0)
    assert body["earlier"]["count"] == 1
    assert (body["earlier"]["by"], body["earlier"]["first_door"], body["earlier"]["first_place"]) == (
        "other",
        "api",
        None,
    )


def test_a_check_uses_nothing_up(caller: Caller, codes: list[str]) -> None:
    for body in ({"code": codes[0]}, {"code": codes[0], "phone": CONSUMER}):
        response = caller.post("/checks", body)
        assert response.status_code == 200
        assert response.json()["points"] == 0
        assert response.json()["points_offered"] == POINTS_PER_LABEL

    assert caller.post("/redemptions", {"code": codes[0], "phone": CONSUMER}, key="one").status_code == 201


def test_a_serial_is_checked_with_and_without_its_gtin(caller: Caller, brand: Brand) -> None:
    batch = make_active_batch(1)
    serial = serial_of(labels_of(batch)[0])

    assert caller.post("/checks", {"serial": serial}).json()["outcome"] == "GENUINE_FIRST"
    right = caller.post("/checks", {"serial": serial, "gtin": batch.product.gtin, "asker": "x"}).json()
    wrong = caller.post("/checks", {"serial": serial, "gtin": "09501101530003", "asker": "x"}).json()

    assert (right["outcome"], right["earlier"]["count"]) == ("GENUINE_REPEAT", 1)
    assert wrong["outcome"] == "UNKNOWN"


def test_a_place_is_told_to_the_next_one_as_its_city(caller: Caller, codes: list[str]) -> None:
    place = {"lat": 30.25, "lon": 120.17, "accuracy_m": 20}
    caller.post("/redemptions", {"code": codes[0], "phone": CONSUMER, "place": place}, key="one")

    told = caller.post("/redemptions", {"code": codes[0], "asker": "user-7"}, key="two")
    chinese = caller.post(
        "/redemptions", {"code": codes[0], "asker": "user-7"}, key="two", **{"Accept-Language": "zh-CN"}
    )

    assert told.json()["redeemed"]["place"] == told.json()["earlier"]["first_place"] == "Hangzhou"
    assert chinese.json()["redeemed"]["place"] == "杭州"


def test_a_receipt_is_read_by_its_number(caller: Caller, codes: list[str]) -> None:
    given = caller.post("/redemptions", {"code": codes[0], "phone": CONSUMER}, key="one")

    read = caller.get(f"/receipts/{given.json()['receipt']}")

    assert (read.status_code, read.json()) == (200, given.json())
    assert_problem(caller.get("/receipts/000000000000"), 404, "not_found")
    assert_problem(caller.get("/receipts/x"), 404, "not_found")


def test_bulk_answers_in_order_with_the_status_of_each(caller: Caller, codes: list[str]) -> None:
    make_partner("retailer", number="R1001")
    attempts = [
        {"request_id": "a", "code": codes[0], "phone": CONSUMER, "retailer": "R1001"},
        {"request_id": "b", "code": codes[0], "phone": CONSUMER},
        {"request_id": "c", "code": codes[1], "phone": CONSUMER, "asker": "both"},
        {"request_id": "d", "code": codes[1], "phone": CONSUMER, "retailer": "R9999"},
        {"request_id": "e", "code": 17, "phone": CONSUMER},
        {"request_id": "a", "code": codes[0], "phone": CONSUMER, "retailer": "R1001"},
        {"request_id": "a", "code": codes[2], "phone": CONSUMER},
        {"request_id": "f", "code": codes[2], "phone": CONSUMER},
    ]

    response = caller.post("/redemptions/bulk", {"attempts": attempts})

    results = response.json()["results"]
    assert response.status_code == 200
    assert [result["request_id"] for result in results] == [attempt["request_id"] for attempt in attempts]
    assert [result["status"] for result in results] == [201, 200, 422, 422, 422, 201, 409, 201]
    assert [result.get("code") for result in results[2:5]] == ["who_earns", "unknown_partner", "invalid"]
    assert results[5] == results[0]
    assert results[7]["balance"] == 2 * POINTS_PER_LABEL


def test_a_bulk_request_has_at_most_500_attempts(caller: Caller) -> None:
    attempts = [{"request_id": str(n), "code": "x", "phone": CONSUMER} for n in range(501)]

    assert_problem(caller.post("/redemptions/bulk", {"attempts": attempts}), 422, "invalid")
    assert caller.post("/redemptions/bulk", {"attempts": attempts[:500]}).status_code == 200


def test_who_earns_is_named_once(caller: Caller, codes: list[str]) -> None:
    for who in ({}, {"phone": CONSUMER, "asker": "x"}):
        assert_problem(caller.post("/redemptions", {"code": codes[0], **who}, key="k"), 422, "who_earns")
    assert_problem(caller.post("/checks", {"code": codes[0], "phone": CONSUMER, "asker": "x"}), 422, "who_earns")
    assert_problem(caller.post("/checks", {"phone": CONSUMER}), 422, "invalid")

    assert not Scan.objects.exists()


def test_the_key_is_required(caller: Caller, codes: list[str]) -> None:
    assert_problem(caller.post("/redemptions", {"code": codes[0], "phone": CONSUMER}), 400, "key_missing")
    assert_problem(caller.post("/redemptions", {"code": codes[0], "phone": CONSUMER}, key="é"), 400, "bad_key")
    assert_problem(caller.post("/redemptions", {"code": codes[0], "phone": CONSUMER}, key="k" * 201), 400, "bad_key")
    assert caller.post("/redemptions", {"code": codes[0], "phone": CONSUMER}, key="k" * 200).status_code == 201


def test_who_calls_is_known(caller: Caller, codes: list[str], stranger_brand: Brand) -> None:
    body = {"code": codes[0], "phone": CONSUMER}
    nobody = Caller("").post("/redemptions", body, key="k")
    reader = Caller(create_key("reader", ["read"], at=NOW)[1])

    assert_problem(nobody, 401, "unauthorized")
    assert nobody.headers["WWW-Authenticate"] == "Bearer"
    assert_problem(Caller("ak_live_" + "x" * 43).post("/redemptions", body, key="k"), 403, "unknown_key")
    assert_problem(reader.post("/redemptions", body, key="k"), 403, "scope_missing")
    assert_problem(Caller(caller.token, "stranger.localhost").post("/redemptions", body, key="k"), 403, "unknown_key")
    assert caller.post("/redemptions", body, key="k").status_code == 201


@pytest.mark.parametrize("written", ["１２３４", "fullwidth", "grouped", "arabic"])
def test_digits_of_any_script_are_read(caller: Caller, codes: list[str], written: str) -> None:
    code = codes[0]
    shapes = {
        "fullwidth": code.translate({ord(str(n)): chr(0xFF10 + n) for n in range(10)}),
        "grouped": " ".join(code[n : n + 4] for n in range(0, 16, 4)),
        "arabic": code.translate({ord(str(n)): chr(0x0660 + n) for n in range(10)}),
    }

    response = caller.post("/redemptions", {"code": shapes.get(written, code), "phone": CONSUMER}, key="one")

    assert response.status_code == 201


@pytest.mark.parametrize(
    ("typed", "detail"),
    [
        ("А234567890123456", "malformed"),  # a Cyrillic letter
        ("1" * 15, "malformed"),
        ("9" * 200, "malformed"),
        ("\u202e1234", "malformed"),
        ("\x00" * 16, "malformed"),
        ("🎁", "malformed"),
        ("' OR 1=1 --", "malformed"),
    ],
)
def test_what_is_no_code_is_a_typo(caller: Caller, codes: list[str], typed: str, detail: str) -> None:
    body = caller.post("/redemptions", {"code": typed, "phone": CONSUMER}, key="one").json()

    assert (body["outcome"], body["detail"]) == ("TYPO", detail)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "bad_json"),
        (b'"\\ud800"', 400, "bad_json"),
        (b"\xff\xfe", 400, "bad_json"),
        (b"[" * 100_000, 400, "bad_json"),
        (b"NaN", 422, "invalid"),
        (b"[]", 422, "invalid"),
        (b"null", 422, "invalid"),
        ({"code": "1" * 201, "phone": CONSUMER}, 422, "invalid"),
        ({"code": 1234567890123456, "phone": CONSUMER}, 422, "invalid"),
        ({"code": 2**63, "phone": CONSUMER}, 422, "invalid"),
        ({"code": "", "phone": CONSUMER}, 422, "invalid"),
        ({"code": "1", "phone": "not a number"}, 422, "bad_phone"),
        ({"code": "1", "phone": "\x00" * 8}, 422, "bad_phone"),
        ({"code": "1", "asker": ""}, 422, "invalid"),
        ({"code": "1", "asker": "x", "unheard": 1}, 422, "invalid"),
        ({"code": "1", "asker": "x", "place": {"lat": 91, "lon": 0}}, 422, "invalid"),
        ({"code": "1", "asker": "x", "place": {"lat": 1e999, "lon": 0}}, 422, "invalid"),
        ({"code": "1", "asker": "x", "place": {"lat": 1, "lon": 0, "accuracy_m": -1}}, 422, "invalid"),
        ({"code": "1", "asker": "x", "place": {"lat": True, "lon": 0}}, 422, "invalid"),
        ({"code": "1", "asker": "x", "retailer": "\x00"}, 422, "unknown_partner"),
    ],
)
def test_bad_input_is_a_problem(caller: Caller, body: Any, status: int, code: str) -> None:
    assert_problem(caller.post("/redemptions", body, key="one"), status, code)


def test_other_bodies_paths_and_methods_are_problems(caller: Caller) -> None:
    assert_problem(caller.post("/redemptions", "x", key="k", **{"Content-Type": "text/plain"}), 415, "not_json")
    assert_problem(caller.post("/redemptions", b" " * 1_048_577, key="k"), 413, "too_large")
    assert_problem(caller.get("/nothing"), 404, "not_found")
    response = caller.get("/redemptions")
    assert_problem(response, 405, "method_not_allowed")
    assert response.headers["Allow"] == "POST"


def test_the_description_is_complete(caller: Caller) -> None:
    described = Client(HTTP_HOST=HOST).get("/api/v1/openapi.json").json()

    assert described["openapi"] == "3.1.0"
    assert set(described["paths"]) >= {
        "/api/v1/checks",
        "/api/v1/redemptions",
        "/api/v1/redemptions/bulk",
        "/api/v1/receipts/{number}",
    }
    redeem = described["paths"]["/api/v1/redemptions"]["post"]
    assert redeem["parameters"][0]["required"]
    assert "application/problem+json" in redeem["responses"]["422"]["content"]
    assert redeem["security"] == [{"ApiKeyAuth": []}]
    text = json.dumps(described)
    for name in {part.split('"')[0] for part in text.split("#/components/schemas/")[1:]}:
        assert name in described["components"]["schemas"]


def test_the_docs_come_from_this_host(brand: Brand) -> None:
    page = Client(HTTP_HOST=HOST).get("/api/v1/docs")

    assert page.status_code == 200
    assert b"http" not in page.content.replace(b"http://www.w3.org", b"")
