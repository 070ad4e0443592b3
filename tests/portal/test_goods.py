"""Goods at the portal: looked at, sent once for each key, seen by whom they concern."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from brands.models import Brand
from channel.acts import Paper, propose_transfer
from channel.models import Custody, Document
from common.clock import now
from tests.channel.goods import items
from tests.portal.world import MARK_NAME, World, make_world


@pytest.fixture
def world(brand: Brand) -> World:
    return make_world(now())


@pytest.fixture
def client(world: World, browse: Callable[..., Client]) -> Client:
    return browse(world.ning)


def post(client: Client, path: str, body: dict[str, Any], key: str = "") -> Any:
    headers = {"Accept": "application/json"} | ({"Idempotency-Key": key} if key else {})
    return client.post(path, json.dumps(body), content_type="application/json", headers=headers)


def lines(*texts: str, condition: str = "") -> list[dict[str, str]]:
    return [{"text": text, "condition": condition} for text in texts]


KEY = "0f8fad5b-d9cb-469f-a165-70867728950e"


def test_what_is_scanned_is_looked_at_and_nothing_is_written(world: World, client: Client) -> None:
    body = {"act": "ship", "to": world.shop.number, "lines": lines(world.case(0), f"00{world.case(7)}", "hello")}

    told = post(client, "/portal/scan", body)

    mine, theirs, nothing = told.json()["lines"]
    assert (mine["look"], mine["kind"], mine["labels"], mine["product"]) == ("ok", "case", 4, "Mist Ridge Oolong")
    assert (theirs["look"], theirs["reason"], theirs["labels"], theirs["product"]) == ("no", "held_by_other", 0, "")
    assert theirs["said"] == "Not in your stock: a return or a transfer comes first."
    assert (nothing["look"], nothing["reason"]) == ("no", "not_a_code")
    assert MARK_NAME not in told.content.decode()
    assert not Document.objects.filter(issuer=world.north, kind="shipment").exists()


def test_a_document_is_recorded_once_for_its_key(world: World, client: Client) -> None:
    body = {"act": "ship", "to": world.shop.number, "lines": lines(world.case(0), world.case(7))}
    body["happened_at"] = (now() + timedelta(minutes=3)).isoformat()  # a telephone whose clock is ahead

    first = post(client, "/portal/documents", body, KEY)
    again = post(client, "/portal/documents", body, KEY)
    other = post(client, "/portal/documents", body | {"lines": lines(world.case(1))}, KEY)
    kind = post(client, "/portal/documents", body | {"act": "return", "to": ""}, KEY)

    assert (first.status_code, first.json()["status"]) == (201, "PARTIALLY_ACCEPTED")
    assert again.json() == first.json()
    assert [other.status_code, kind.status_code] == [409, 409]
    assert Document.objects.filter(issuer=world.north, kind="shipment").count() == 1
    held = Custody.objects.get(label_range__contains=world.goods.labels(0)[0], during__upper_inf=True)
    assert held.partner == world.shop


def test_what_one_has_recorded_is_taken_back_with_a_reason(
    world: World, client: Client, browse: Callable[..., Client]
) -> None:
    body = {"act": "ship", "to": world.shop.number, "lines": lines(world.case(0))}
    path = post(client, "/portal/documents", body, KEY).json()["url"]
    label = world.goods.labels(0)[0]

    assert "Take this back" in client.get(path).content.decode()
    unsaid = client.post(f"{path}/undo", {"reason": " "}, follow=True)
    done = client.post(f"{path}/undo", {"reason": "scanned the wrong pallet"}, follow=True)

    assert "Say in a few words" in unsaid.content.decode()
    assert "again where they were before" in done.content.decode()
    assert f"to {world.shop.display_name}" in done.content.decode(), (
        "the cancellation has the other side of what it cancels"
    )
    assert Custody.objects.get(label_range__contains=label, during__upper_inf=True).partner == world.north
    assert Document.objects.get(kind="cancel").reason == "scanned the wrong pallet"
    assert "Take this back" not in client.get(path).content.decode()
    again = client.post(f"{path}/undo", {"reason": "scanned the wrong pallet"}, follow=True)
    assert again.redirect_chain == done.redirect_chain
    assert Document.objects.filter(kind="cancel").count() == 1


def test_a_transfer_asks_on_the_start_page_until_it_is_answered(world: World, client: Client) -> None:
    paper = Paper("T-1", None, None, now(), "ada")
    found = propose_transfer(paper, items(world.case(0)), source=world.north, destination=world.south).document

    asked = client.get("/portal/").content.decode()
    client.post(f"/portal/documents/{found.public_id}/decision", {"decision": "yes"})

    assert "to decide" in asked
    assert "to decide" not in client.get("/portal/").content.decode()
    found.refresh_from_db()
    assert (found.state, found.source_agreed_at is not None) == ("proposed", True)


@pytest.mark.parametrize(
    ("change", "status"),
    [
        ({"to": "D7707"}, 404),
        ({"to": ""}, 404),
        ({"act": "burn"}, 422),
        ({"lines": [{"text": ""}]}, 422),
        ({"lines": [{"text": "a\x00b"}]}, 422),
        ({"happened_at": "0001-01-01T00:00:00+14:00"}, 422),
        ({"happened_at": "yesterday"}, 422),
        ({"act": "receive", "shipment": "doc_nothing"}, 404),
        ({"act": "return", "to": "D7707"}, 404),
    ],
    ids=[
        "to a rival",
        "to nobody",
        "no act",
        "empty line",
        "nul",
        "long ago",
        "no time",
        "no shipment",
        "back to a rival",
    ],
)
def test_what_cannot_be_is_refused_kindly(world: World, client: Client, change: dict[str, Any], status: int) -> None:
    body = {"act": "ship", "to": world.shop.number, "lines": lines(world.case(0))}

    refused = post(client, "/portal/documents", body | change, KEY)

    assert refused.status_code == status
    assert refused.json()["said"]
    assert not Document.objects.filter(issuer=world.north, number=KEY).exists()
    assert post(client, "/portal/documents", body, "short").status_code == 400
    assert post(client, "/portal/documents", body, KEY).status_code == 201


def test_a_shipment_is_confirmed_line_by_line(world: World, client: Client) -> None:
    path = f"/portal/documents/{world.shipments['coming'].public_id}"
    page = client.get(path).content.decode()
    assert "Has it arrived?" in page
    key = page.partition('name="key" value="')[2].partition('"')[0]

    form = {"key": key, "text": [world.case(3)], "condition": ["damaged"]}
    done = client.post(f"{path}/receipt", form)
    twice = client.post(f"{path}/receipt", form)

    assert done["Location"] == twice["Location"]
    assert "Has it arrived?" not in client.get(path).content.decode()
    held = Custody.objects.get(label_range__contains=world.goods.labels(3)[0], during__upper_inf=True)
    assert (held.partner, held.state) == (world.north, "damaged")


def test_stock_is_what_is_in_hand(world: World, client: Client) -> None:
    page = client.get("/portal/stock").content.decode()
    csv = client.get("/portal/stock?format=csv").content.decode()

    assert "Mist Ridge Oolong" in page
    assert "Mist Ridge Oolong,3,12,0,0,4" in csv


def test_a_document_is_for_those_whom_it_concerns(world: World, client: Client, browse: Callable[..., Client]) -> None:
    theirs = f"/portal/documents/{world.shipments['rival'].public_id}"
    assert client.get(f"/portal/documents/{world.shipments['arrived'].public_id}").status_code == 200

    for path in (theirs, f"{theirs}?format=csv"):
        assert client.get(path).status_code == 404
    assert client.post(f"{theirs}/receipt", {"key": KEY, "text": ["x"], "condition": ["full"]}).status_code == 404
    assert client.post(f"{theirs}/decision", {"decision": "yes"}).status_code == 404


def test_of_a_document_of_somebody_else_only_what_moved_is_shown(world: World, client: Client) -> None:
    answer = send_with_a_stranger(world)

    page = client.get(f"/portal/documents/{answer.document.public_id}").content.decode()

    assert world.case(4)[1:8] in page
    assert world.case(8)[13:17] not in page.replace(world.case(4)[13:17], "")


def send_with_a_stranger(world: World) -> Any:
    """Ship to north one case that is there, and one that the rival holds."""
    from channel.acts import ship
    from tests.portal.world import paper_at

    answer = ship(
        paper_at(world.at, world.at), items(world.case(4), world.case(8)), source=None, destination=world.north
    )
    assert answer.status == "PARTIALLY_ACCEPTED"
    return answer


def test_the_report_shows_weeks_and_hides_small_cells(world: World, client: Client) -> None:
    page = client.get("/portal/report").content.decode()
    csv = client.get("/portal/report?format=csv").content.decode()
    coverage = client.get("/portal/report?format=csv&what=coverage").content.decode()

    assert "Guangzhou" in page
    seen = [line.split(",") for line in csv.splitlines()[1:]]
    assert [row[1:] for row in seen if row[1] == "Guangzhou"] == [["Guangzhou", "Mist Ridge Oolong", "7"]]
    assert [row[3] for row in seen if row[1] == "all places"] == ["7"] + ["too few to say"] * 11
    assert ",12,10" in coverage  # eleven packs, in steps of five
    assert coverage.count("too few to say") == 1


def test_pages_answer_in_both_languages(world: World, client: Client) -> None:
    for path in ("", "ship", "receive", "return", "stock", "documents", "points", "report", "account"):
        assert client.get(f"/portal/{path}").status_code == 200, path
        chinese = client.get(f"/portal/{path}", headers={"Accept-Language": "zh-CN"})
        assert 'lang="zh-hans"' in chinese.content.decode(), path


def test_the_reader_may_run_on_the_scan_pages_alone(world: World, client: Client) -> None:
    for path, wanted in (("ship", True), ("receive", True), ("return", True), ("stock", False), ("report", False)):
        policy = client.get(f"/portal/{path}")["Content-Security-Policy"]
        assert ("'wasm-unsafe-eval'" in policy) is wanted, path
        assert "'unsafe-eval'" not in policy.replace("'wasm-unsafe-eval'", "")
