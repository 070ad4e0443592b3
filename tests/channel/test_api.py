import json
from datetime import timedelta
from typing import Any

import pytest
from django.http import HttpResponse
from django.test import Client

from brands.models import Brand
from channel.models import Document
from common.clock import now
from staff.apikeys import create_key
from tests.channel.goods import Goods, make_goods, new_sscc
from tests.makers import serial_of


class Api:
    def __init__(self, scopes: list[str]) -> None:
        token = create_key("goods", scopes, at=now())[1]
        self.client = Client(HTTP_HOST="brand.localhost", headers={"Authorization": f"Bearer {token}"})

    def post(self, path: str, body: Any, key: str = "") -> HttpResponse:
        headers = {"Idempotency-Key": key} if key else {}
        return self.client.generic(
            "POST", f"/api/v1{path}", json.dumps(body), content_type="application/json", headers=headers
        )

    def get(self, path: str) -> HttpResponse:
        return self.client.get(f"/api/v1{path}")


@pytest.fixture
def api(brand: Brand) -> Api:
    return Api(["goods"])


@pytest.fixture
def goods(brand: Brand) -> Goods:
    return make_goods()


def shipment(goods: Goods, *cases: int, **values: Any) -> dict[str, Any]:
    lines = [{"item": goods.cases[case]} for case in cases]
    return {"to_partner": goods.a.number, "lines": lines, "number": "SO-1"} | values


def test_goods_go_out_and_arrive(api: Api, goods: Goods) -> None:
    sent = api.post("/shipments", shipment(goods, 0, 1))
    came = api.post("/deliveries", {"at_partner": goods.a.number, "shipment": sent.json()["id"]}, key="first")

    assert (sent.status_code, sent.json()["status"], sent.json()["labels"]) == (200, "ACCEPTED", 8)
    assert (came.status_code, came.json()["counts"]["accepted"]) == (200, 2)
    unit = api.get(f"/units/{goods.cases[0]}").json()
    assert (unit["labels"], unit["holder"], unit["state"]) == (4, goods.a.number, "held")
    back = api.post("/returns", {"from_partner": goods.a.number, "number": "R", "lines": [{"item": goods.cases[0]}]})
    assert back.json()["status"] == "ACCEPTED"


def test_a_transfer_is_proposed(api: Api, goods: Goods) -> None:
    api.post("/shipments", shipment(goods, 0))
    body = {"from_partner": goods.a.number, "to_partner": goods.b.number, "lines": [{"item": goods.cases[0]}]}

    answer = api.post("/transfers", body, key="first")

    assert (answer.status_code, answer.json()["state"], answer.json()["status"]) == (200, "proposed", "ACCEPTED")
    assert api.post("/transfers", body, key="first").content == answer.content
    assert api.get(f"/units/{goods.cases[0]}").json()["holder"] == goods.a.number
    same = body | {"to_partner": goods.a.number}
    assert api.post("/transfers", same, key="second").json()["code"] == "bad_document"


def test_the_same_again_is_answered_byte_for_byte(api: Api, goods: Goods) -> None:
    body = shipment(goods, 0) | {"happened_at": (now() - timedelta(days=1)).isoformat()}
    first = api.post("/shipments", body)

    assert api.post("/shipments", body).content == first.content
    other = api.post("/shipments", shipment(goods, 1))
    assert (other.status_code, other.json()["code"]) == (409, "number_used")


def test_a_key_names_a_document_without_a_number(api: Api, goods: Goods) -> None:
    body = shipment(goods, 0)
    del body["number"]

    missing = api.post("/shipments", body)
    assert (missing.status_code, missing.json()["code"]) == (422, "key_missing")
    first = api.post("/shipments", body, key="abc")
    assert first.json()["number"] == "abc"
    assert api.post("/shipments", body, key="abc").content == first.content
    assert api.post("/shipments", body, key="a b").json()["code"] == "bad_key"


def test_each_line_has_its_answer(api: Api, goods: Goods) -> None:
    body = shipment(goods, 0)
    body["lines"] += [{"item": goods.cases[0]}, {"item": "???"}]

    answer = api.post("/shipments", body).json()

    assert [(line["outcome"], line["reason"]) for line in answer["lines"]] == [
        ("ACCEPTED", None),
        ("DUPLICATE", None),
        ("REJECTED", "not_a_code"),
    ]
    assert answer["status"] == "PARTIALLY_ACCEPTED"
    assert len(answer["payload_hash"]) == 64
    assert api.get(f"/documents/{answer['id']}").json() == answer


def test_a_document_is_cancelled_once(api: Api, goods: Goods) -> None:
    sent = api.post("/shipments", shipment(goods, 0)).json()["id"]

    first = api.post(f"/documents/{sent}/cancellation", {"reason": "typed wrongly"})

    assert (first.status_code, first.json()["kind"]) == (200, "cancel")
    assert api.post(f"/documents/{sent}/cancellation", {"reason": "typed wrongly"}).content == first.content
    assert api.get(f"/documents/{sent}").json()["state"] == "cancelled"


def test_cases_are_packed(api: Api, goods: Goods) -> None:
    case, label = new_sscc(), goods.labels(0)[0]
    lines = [{"sscc": case, "item": serial_of(label)}, {"sscc": case, "kind": "case", "item": "nothing"}]

    answer = api.post("/packings", {"number": "P-1", "lines": lines}).json()

    assert [line["reason"] for line in answer["lines"]] == ["in_other_unit", "not_a_code"]
    assert api.get(f"/units/{case}").status_code == 200
    assert api.get(f"/units/{new_sscc()}").status_code == 404


def test_documents_are_listed_page_by_page(api: Api, goods: Goods) -> None:
    for number in range(3):
        api.post("/shipments", shipment(goods, 0, number=f"S{number}"))

    first = api.get("/documents?kind=shipment&limit=2").json()
    second = api.get(f"/documents?kind=shipment&limit=2&cursor={first['next_cursor']}").json()

    assert [row["number"] for row in first["data"] + second["data"]] == ["S2", "S1", "S0"]
    assert (first["has_more"], second["has_more"], second["next_cursor"]) == (True, False, None)
    assert len(api.get(f"/documents?partner={goods.a.number}").json()["data"]) == 3
    assert api.get(f"/documents?partner={goods.b.number}").json()["data"] == []
    assert api.get("/documents?colour=red").status_code == 422
    assert api.get("/documents?cursor=zzzz").status_code == 422


@pytest.mark.parametrize(
    ("change", "status", "code"),
    [
        ({"to_partner": "D9999"}, 404, "unknown_partner"),
        ({"to_partner": "nobody"}, 422, "invalid"),
        ({"lines": []}, 422, "invalid"),
        ({"happened_at": "2026-01-01T00:00:00"}, 422, "invalid"),
        ({"happened_at": "0001-01-01T00:00:00+14:00"}, 422, "invalid"),
        ({"happened_at": "2999-01-01T00:00:00Z"}, 422, "bad_document"),
        ({"market": "XX-1"}, 404, "unknown_market"),
        ({"colour": "red"}, 422, "invalid"),
    ],
)
def test_a_wrong_body_writes_nothing(api: Api, goods: Goods, change: dict[str, Any], status: int, code: str) -> None:
    before = Document.objects.count()

    answer = api.post("/shipments", shipment(goods, 0, **change))

    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Document.objects.count() == before


def test_a_key_needs_its_scope(brand: Brand, goods: Goods) -> None:
    reader = Api(["read"])

    assert reader.post("/shipments", shipment(goods, 0)).status_code == 403
    assert reader.get("/documents").status_code == 200
    assert Api(["redeem"]).get("/documents").status_code == 403
