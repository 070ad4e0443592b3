"""What we did and know is told as events: each kind as the design's table has it, once, and by GS1's rules."""

import json
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from django.conf import settings
from django.test import Client

from brands.models import Brand
from channel import acts, recalls, taking_back, telling
from channel.epcis import CONTEXT, STEPS, faults_of
from channel.epcis_ids import event_id
from channel.facts import ACTIVATED
from channel.models import Document, Event, Told, UnitAlias
from channel.packing import Filling, pack, relabel, unpack
from channel.telling import Fact, Source, events_of
from common.clock import now
from labels.models import Block, Roll
from labels.services import block, lift
from redemption.services import redeem
from staff.apikeys import create_key
from tests.channel.goods import NOW, Goods, ago, items, make_goods, new_sscc, paper, range_text, send
from tests.channel.test_epcis import SCHEMA, document
from tests.makers import (
    CONSUMER,
    labels_of,
    make_active_batch,
    make_attempt,
    make_batch,
    make_campaign,
    secret_of,
    serial_of,
)

Told3 = tuple[str, str, str]


@pytest.fixture
def goods(brand: Brand) -> Goods:
    return make_goods()


def said(events: list[dict[str, Any]]) -> list[Told3]:
    return [(one["action"], one["bizStep"], one.get("disposition", "")) for one in events]


def told_by(answer: acts.Answer) -> list[dict[str, Any]]:
    return events_of(Document.objects.get(pk=answer.document.pk))


def kept(**filters: Any) -> list[dict[str, Any]]:
    return [one.body for one in Event.objects.filter(**filters).order_by("event_time", "id")]


def links(event: dict[str, Any]) -> list[str]:
    return [one.removeprefix("https://id.gs1.org") for one in event.get("epcList") or event.get("childEPCs") or []]


# --- goods -----------------------------------------------------------------------------------------------------------------


def test_a_receipt_tells_what_came_and_what_did_not(goods: Goods) -> None:
    sent = send(goods, goods.a, 0, 1, at=ago(days=2))
    lines = [*items(goods.cases[0]), acts.Item(goods.cases[1], "short")]
    came = acts.receive(paper(ago(days=1), goods.a), lines, receiver=goods.a, shipment=sent.document)

    full, short = told_by(came)

    assert said([full, short]) == [
        ("OBSERVE", "receiving", "sellable_not_accessible"),
        ("OBSERVE", "receiving", "mismatch_instance"),
    ]
    assert (links(full), links(short)) == ([f"/00/{goods.cases[0]}"], [f"/00/{goods.cases[1]}"])
    assert full["sourceList"][0]["source"] == "https://brand.localhost/"
    assert full["bizTransactionList"][0]["type"] == "recadv"


def test_a_case_that_is_shipped_leaves_its_pallet(goods: Goods) -> None:
    pallet = new_sscc()
    pack(paper(ago(days=3)), [Filling(pallet, "pallet", case) for case in goods.cases])

    whole, left = told_by(send(goods, goods.a, 0, at=ago(days=1)))

    assert said([whole, left]) == [("OBSERVE", "shipping", "in_transit"), ("DELETE", "repackaging", "in_progress")]
    assert (left["parentID"][-18:], links(left)) == (pallet, [f"/00/{goods.cases[0]}"])


def test_a_unit_is_opened_and_filled_again(goods: Goods) -> None:
    case, first = goods.cases[0], serial_of(goods.labels(0)[0])
    some = unpack(paper(ago(days=3)), case, items(first))
    rest = unpack(paper(ago(days=2)), case)
    again = pack(paper(ago(days=1)), [Filling(case, "case", range_text(goods.labels(0)))])

    told = [one for answer in (some, rest, again) for one in told_by(answer)]

    assert said(told) == [
        ("DELETE", "repackaging", "in_progress"),
        ("DELETE", "unpacking", "container_open"),
        ("ADD", "repackaging", "in_progress"),
    ]
    assert [one["parentID"][-18:] for one in told] == [case] * 3
    assert [len(links(one)) for one in told] == [1, 0, 4]


def test_a_new_label_takes_place_and_contents_over(goods: Goods) -> None:
    pallet, old, new = new_sscc(), goods.cases[0], new_sscc()
    pack(paper(ago(days=3)), [Filling(pallet, "pallet", old)])
    page = paper(ago(days=2))
    answer = relabel(page, old, new)
    send(goods, goods.a, 0, at=ago(days=1))

    told = told_by(answer)

    assert said(told) == [
        ("DELETE", "replacing", ""),
        ("ADD", "replacing", ""),
        ("DELETE", "replacing", ""),
        ("ADD", "replacing", ""),
        ("DELETE", "decommissioning", "inactive"),
    ]
    assert [one.get("parentID", "")[-18:] for one in told] == [pallet, pallet, old, new, ""]
    assert [links(one) for one in (told[0], told[1], told[4])] == [[f"/00/{old}"], [f"/00/{new}"], [f"/00/{old}"]]
    assert len(links(told[3])) == 4
    assert relabel(page, old, new).document == answer.document
    assert UnitAlias.objects.get().sscc == old
    [shipped, *_rest] = events_of(Document.objects.get(kind="shipment"))
    assert links(shipped) == [f"/00/{new}"]


def test_what_is_destroyed_stolen_or_recalled(goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(days=3))
    acts.give_back(paper(ago(days=2), goods.a), items(goods.cases[0]), source=goods.a)
    answers = [
        acts.inspect(paper(ago(days=1)), items(goods.cases[0]), holder=None, resale=False),
        acts.steal(paper(ago(hours=5)), items(goods.cases[1])),
        recalls.recall(paper(ago(hours=4)), items(goods.cases[1])),
    ]

    told = [one for answer in answers for one in told_by(answer)]

    assert said(told) == [
        ("DELETE", "destroying", "destroyed"),
        ("OBSERVE", "decommissioning", "stolen"),
        ("OBSERVE", "decommissioning", "recalled"),
    ]
    assert len(links(told[2])) == 4
    assert not any("sourceList" in one for one in told)


def test_a_cancelled_shipment_is_void_and_other_acts_are_declared_wrong(goods: Goods) -> None:
    sent = send(goods, goods.a, 0, 1, at=ago(days=3))
    came = acts.receive(paper(ago(days=2), goods.a), items(*goods.cases), receiver=goods.a)
    [before] = told_by(came)
    some = taking_back.cancel(paper(ago(days=1)), came.document, items(goods.cases[1]))
    rest = taking_back.cancel(paper(ago(hours=9)), Document.objects.get(pk=came.document.pk), items(goods.cases[0]))
    void = taking_back.cancel(paper(ago(hours=1)), Document.objects.get(pk=sent.document.pk))

    right, wrong = told_by(some)
    [nothing] = told_by(rest)
    [voided] = told_by(void)

    assert links(right) == [f"/00/{goods.cases[0]}"]
    assert wrong["eventID"] == before["eventID"]
    assert wrong["errorDeclaration"] | {"declarationTime": ""} == {
        "declarationTime": "",
        "reason": "incorrect_data",
        "correctiveEventIDs": [right["eventID"]],
    }
    assert nothing["eventID"] == right["eventID"]
    assert nothing["errorDeclaration"]["reason"] == "did_not_occur"
    assert (voided["bizStep"], len(voided["epcList"])) == ("void_shipping", 2)
    assert voided["destinationList"][0]["destination"].endswith(goods.a.number)


def test_a_proposal_that_came_to_nothing_is_told_by_nobody_and_keeps_nobody_waiting(goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(days=3))
    offer = acts.propose_transfer(
        paper(ago(days=2), goods.a), items(goods.cases[0]), source=goods.a, destination=goods.b
    )
    taking_back.cancel(paper(ago(days=1)), offer.document)

    assert telling.tell_waiting(at=NOW) == 4
    assert telling.tell_waiting(at=NOW) == 0
    assert Event.objects.filter(document=offer.document).count() == 0
    assert Event.objects.filter(biz_step="shipping").count() == 1


# --- labels ----------------------------------------------------------------------------------------------------------------


def test_labels_are_printed_put_on_sale_blocked_and_sold(brand: Brand) -> None:
    make_campaign()
    batch = make_active_batch(6)
    first = batch.label_range.lower
    block(label_range=(first, first + 1), reason=Block.Reason.SPOILED, at=NOW)
    hold = block(label_range=(first + 1, first + 2), reason=Block.Reason.LEGAL_HOLD, at=NOW)
    lift(hold, at=NOW + timedelta(minutes=1), asked_by="ada")
    redeem(make_attempt(secret_of(first + 4)))

    assert telling.tell_facts(at=NOW) == 6
    assert telling.tell_facts(at=NOW) == 0

    assert sorted(said(kept())) == [
        ("ADD", "commissioning", "active"),
        ("DELETE", "decommissioning", "damaged"),
        ("OBSERVE", "decommissioning", "non_sellable_other"),
        ("OBSERVE", "decommissioning", "non_sellable_other"),
        ("OBSERVE", "encoding", "encoded"),
        ("OBSERVE", "retail_selling", "retail_sold"),
    ]
    [sold] = kept(biz_step="retail_selling")
    assert links(sold) == [f"/01/{batch.gtin_printed}/21/{serial_of(first + 4)}"]
    wrong, right = sorted(kept(disposition="non_sellable_other"), key=lambda one: "errorDeclaration" not in one)
    assert wrong["eventID"] == right["eventID"]


def test_a_sale_names_no_person_and_no_point(brand: Brand) -> None:
    from redemption.models import Scan, ScanPlace

    make_campaign()
    batch = make_active_batch(1)
    redeem(make_attempt(secret_of(batch.label_range.lower)))
    scan = Scan.objects.latest("id")
    ScanPlace.objects.create(
        scan_id=scan.pk, source="gps", region="CN-440300", city="Shenzhen", lat=22.54321, lon=114.05678, at=NOW
    )

    telling.tell_facts(at=NOW)
    [event] = kept(biz_step="retail_selling")

    text = json.dumps(event)
    assert event["readPoint"]["id"] == "https://brand.localhost/regions/CN-440300"
    assert set(event) == {
        "eventID", "type", "eventTime", "eventTimeZoneOffset", "action", "bizStep", "disposition", "epcList", "readPoint",
        "recordTime",
    }  # fmt: skip
    assert not any(hint in text for hint in (CONSUMER, CONSUMER[3:], "22.54321", "114.05678", "Shenzhen"))


def test_labels_of_the_test_series_are_not_told(brand: Brand) -> None:
    batch = make_batch(count=2, test_series=True)
    block(label_range=(batch.label_range.lower, batch.label_range.upper), reason=Block.Reason.SAMPLE, at=NOW)

    telling.tell_facts(at=NOW)

    assert kept() == []


def test_a_roll_received_tells_the_print_of_its_labels(brand: Brand) -> None:
    batch = make_active_batch(2)
    type(batch).objects.filter(pk=batch.pk).update(
        roll_labels=2, canary_range=(batch.label_range.upper - 1, batch.label_range.upper), count=1
    )
    Roll.objects.create(batch=batch, number=1, label_range=(batch.label_range.lower, batch.label_range.lower + 1), lines=1, good=1, spoiled=0, unaccounted=0,
                        state="received", handed_over_at=ago(days=2), received_at=ago(days=1))  # fmt: skip

    telling.tell_facts(at=NOW)

    [printed] = kept(biz_step="encoding")
    assert (printed["eventTime"][:16], len(links(printed))) == (ago(days=1).isoformat()[:16], 1)


def test_a_fact_committed_late_is_told_too(brand: Brand, settings: Any) -> None:
    batch = make_active_batch(3)
    first = batch.label_range.lower
    known = [5]

    def facts(after: int, limit: int) -> list[Fact]:
        return [Fact(key, f"late:{key}", "void", NOW, ((first + key % 3, first + key % 3 + 1),)) for key in sorted(known) if key > after][:limit]  # fmt: skip

    global LATE
    LATE = Source("late", 3, facts)
    settings.EVENT_SOURCES = ["tests.channel.test_telling.LATE"]
    assert telling.tell_facts(at=NOW) == 1
    known.append(4)

    assert telling.tell_facts(at=NOW) == 1
    assert Event.objects.filter(origin__startswith="late:").count() == 2


def test_many_facts_are_told_page_by_page(brand: Brand, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(telling, "PAGE", 2)
    monkeypatch.setattr(telling, "MOST_AT_ONCE", 3)
    for _ in range(5):
        make_active_batch(2)
    Told.objects.create(source=ACTIVATED.name)

    telling.tell_facts(at=NOW)

    assert Event.objects.filter(biz_step="commissioning").count() == 5


# --- many labels -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def ask(brand: Brand) -> Any:
    token = create_key("epcis", ["read"], at=now())[1]
    client = Client(HTTP_HOST="brand.localhost", headers={"Authorization": f"Bearer {token}"})

    def get(query: str, status: int = 200) -> Any:
        answer = client.get(query if query.startswith("/api") else f"/api/v1/epcis{query}")
        assert answer.status_code == status, answer.content
        return answer

    return get


def pages(ask: Any, query: str) -> Iterator[list[dict[str, Any]]]:
    for _ in range(20):
        answer = ask(query)
        yield answer.json()["epcisBody"]["queryResults"]["resultsBody"]["eventList"]
        if "Link" not in answer.headers:
            return
        query = answer.headers["Link"][1:].partition(">")[0]


def test_many_labels_are_a_class_and_a_quantity_unless_expanded(
    brand: Brand, ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(telling, "MOST_EPCS", 4)
    batch = make_active_batch(10, lot="L 1")
    telling.tell_facts(at=NOW)
    labels = {f"/01/{batch.gtin_printed}/21/{serial_of(one)}" for one in labels_of(batch)}

    [[counted]] = pages(ask, "/events?EQ_bizStep=commissioning")
    [parts] = pages(ask, "/events?EQ_bizStep=commissioning&expand=1")
    singly = [
        one for page in pages(ask, "/events?EQ_bizStep=commissioning,encoding&expand=1&perPage=1") for one in page
    ]

    assert counted["quantityList"] == [
        {"epcClass": f"https://id.gs1.org/01/{batch.gtin_printed}/10/L%201", "quantity": 10}
    ]
    assert [len(one["epcList"]) for one in parts] == [4, 4, 2]
    assert {link for one in parts for link in links(one)} == labels
    assert len({one["eventID"] for one in parts}) == 3
    assert [event_id(one) for one in parts] == [one["eventID"] for one in parts]
    assert [one["eventID"] for one in singly if one["bizStep"] == "commissioning"] == [one["eventID"] for one in parts]
    assert len(singly) == 6
    [of_one] = pages(ask, f"/epcs/https://id.gs1.org{min(labels)}/events")
    assert {one["eventID"] for one in of_one} == {one["eventID"] for [one] in (pages_of(ask, "encoding"), [counted])}
    ask("/events?expand=2", 422)


def pages_of(ask: Any, step: str) -> list[dict[str, Any]]:
    return [one for page in pages(ask, f"/events?EQ_bizStep={step}") for one in page]


def test_all_kinds_are_paged_in_the_order_of_their_times(goods: Goods, ask: Any) -> None:
    make_campaign()
    send(goods, goods.a, 0, at=ago(hours=3))
    redeem(make_attempt(secret_of(goods.labels(1)[0]), at=ago(hours=2)))
    telling.tell_facts(at=NOW)

    found = [one for page in pages(ask, "/events?perPage=2") for one in page]

    assert len(found) == Event.objects.count() >= 6
    assert [one["eventTime"] for one in found] == sorted(one["eventTime"] for one in found)
    assert {"packing", "commissioning", "shipping", "retail_selling"} <= {one["bizStep"] for one in found}
    assert len({one["eventID"] for one in found}) == len(found)


# --- all of them, by GS1's rules -------------------------------------------------------------------------------------------


def test_every_kind_is_valid(brand: Brand) -> None:
    epc = "https://id.gs1.org/00/395210000123456786"
    events = [
        telling.event_of(
            telling.Made(kind, NOW, (epc,), parent=epc, source="https://a.example/", destination="https://b.example/",
                         number="https://a.example/1", place="https://a.example/regions/CN")
        )
        for kind in STEPS
    ]  # fmt: skip
    events.append(telling.declared_wrong(events[0], NOW, [events[1]["eventID"]]))

    assert [faults_of(one, {}, "", now=NOW) for one in events] == [[]] * len(events)
    assert {one["bizStep"] for one in events} >= {"encoding", "commissioning", "replacing", "retail_selling"}
    if SCHEMA.exists():
        validator = jsonschema_rs.validator_for(json.loads(Path(SCHEMA).read_text()))
        assert [str(error) for error in validator.iter_errors(document(*events))] == []


def test_every_source_that_is_set_exists(brand: Brand) -> None:
    from django.utils.module_loading import import_string

    names = [import_string(path).name for path in settings.EVENT_SOURCES]

    assert len(set(names)) == len(names) > 5
    assert CONTEXT.startswith("https://ref.gs1.org/")
