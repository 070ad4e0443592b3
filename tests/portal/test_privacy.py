"""What a distributor must never get: another partner's name, volume or score, a consumer's data, a cell under five devices.

Every page of the portal and of the console, every file and every operation of the API is asked with a distributor's
session and key, in both languages, in a world full of what must not be found; among it a file of an investigation, with a
question to the distributor, what was released with it, an answer, and a decision. Each kind of leak is then planted, and found.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from datetime import timedelta
from functools import partial
from io import BytesIO
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import PIL.Image
import pytest
from django.test import Client

from analytics import case_evidence, casework, replies as files
from analytics.case_evidence import Seen
from analytics.models import CaseDecision, CasePhoto, CaseQuestion, Finding, FitRun, ShipmentScore
from analytics.photos import Photo, Spot, bytes_of, read_photo
from brands.models import Brand
from channel.acts import ship
from channel.models import Partner
from common.clock import now
from ledger.queries import balance
from ledger.services import open_account
from portal import cells, points, replies, report, stock, told
from redemption.models import ScanRoute
from redemption.rules import Door
from redemption.services import redeem
from redemption.wallet import entries
from tests.channel.goods import items, make_region, range_text
from tests.flows.two_brands import routes
from tests.makers import labels_of, make_active_batch, make_attempt, make_campaign, secret_of
from tests.portal.world import MARK_NAME, MARK_NAME_ZH, World, make_world, monday_before, paper_at, scan

PHONE = "+8613812345678"
VOLUME, SCORE, DEVICE, LAT = 1_733, 0.873123, 770_011_000, 23.123457
DELIVERY_NOTE = "RIVAL-NOTE-7731"
REASON, INFORMANT = "Sold at 31.73 below the list price.", "Informant Old Wang"
FIELD_SHOP, INVOICE, PLAN = "Hidden Lane Shop 88", "INV-55310", "Go back next Tuesday at noon"


@pytest.fixture
def world(brand: Brand) -> World:
    found = make_world(now())
    plant(found)
    investigate(found)
    return found


def investigate(world: World) -> None:
    """Lead two files about north's goods: one with a question that waits, one that was answered and decided."""
    at, zone = world.at, "Asia/Shanghai"
    day = monday_before(at) - timedelta(days=1)
    for n in range(6):  # six devices in one city on one day, four in another: these are not to be told
        scan(world.goods.labels(1)[n % 4], DEVICE + 50 + n, day, world.shipments["arrived"], world.north, city="Shenzhen",
             region="CN-440300")  # fmt: skip
        if n < 4:
            scan(world.goods.labels(2)[n], DEVICE + 60 + n, day, world.shipments["arrived"], world.north,
                 city="Zhuhai Quiet Quarter", region="CN-440400")  # fmt: skip
    ScanRoute.objects.filter(shipment_id=world.shipments["arrived"].pk).update(market=["CN-440100"])
    finding = Finding.objects.create(
        run=FitRun.objects.get(), shipment_id=world.shipments["arrived"].pk, distributor_id=world.north.pk,
        dest_id=world.south.pk, probability=SCORE, distributor_probability=SCORE, alert=True, level="accusable",
        expected_cases=1.2, expected_units=5, labels=6, devices=5, cases=2, scans=8, shipped_labels=12, travelled=0,
        online=0, border=0, away=0, found_at=at,
    )  # fmt: skip
    for place, name in enumerate(("arrived", "coming")):
        case = casework.open_case(world.shipments[name].pk, at=at, by="ina", finding=None if place else finding)
        casework.move(case.pk, seen="new", to="field_check", at=at, by="ina", text=PLAN)
        casework.note(case.pk, text=f"{INFORMANT} says: {MARK_NAME}.", at=at, by="ina")
        seen = Seen(
            world.case(0), FIELD_SHOP, INVOICE, note=PLAN, spot=Spot(LAT, 113.5, 4.0), photos=(snapshot("blue"),)
        )
        case_evidence.field_check(case.pk, uuid=uuid4(), seen=seen, at=at, by="ina")
        photo = case_evidence.add_photo(case.pk, photo=snapshot("red"), at=at, by="ina", spot=Spot(LAT, 113.5, 4.0))
        evidence = files.evidence_of(case, at=at, zone=zone)
        keys = {one.key for part in (evidence.seen, evidence.cases, evidence.papers) for one in part}
        question = case_evidence.ask(
            case.pk, partner_id=world.north.pk, text="Where did these go?", at=at, by="ina",
            released=evidence.chosen(keys | {f"picture:{photo.public_id}"}),
        )  # fmt: skip
        if place:
            paper = read_photo(b"%PDF-1.7 own waybill %%EOF", name="waybill.pdf", papers=True)
            case_evidence.answer(question.pk, text="To our own shop.", at=at, by="ning", uploads=[paper])
            casework.decide(
                case.pk, seen="field_check", decision="confirmed", reason=REASON, penalty=REASON,
                told="Nine packs in one city.", at=at, by="lea",
            )  # fmt: skip


def snapshot(colour: str) -> Photo:
    """Return a photograph into which the camera wrote who took it, and where."""
    exif, out = PIL.Image.Exif(), BytesIO()
    exif[0x010E] = INFORMANT
    PIL.Image.new("RGB", (40, 30), colour).save(out, "JPEG", exif=exif)
    return read_photo(out.getvalue(), name=f"{INFORMANT}.jpg")


def plant(world: World) -> None:
    """Put into the world what nobody but the brand may see."""
    at = world.at
    batch = make_active_batch(1_800, at=at - timedelta(days=60))
    range_of = range_text(labels_of(batch)[:VOLUME])
    paper = paper_at(at - timedelta(days=3), at)
    sent = ship(
        type(paper)(DELIVERY_NOTE, None, paper.happened_at, at), items(range_of), source=None, destination=world.south
    )
    assert sent.document.labels == VOLUME
    run = FitRun.objects.create(
        began_at=at, ended_at=at, scans_from=at, scans_until=at, eta=1, parameters={}, counts={}, data_hash=b"x",
        code_version="1", seconds=1, alert_from=1,
    )  # fmt: skip
    for shipment, holder in ((world.shipments["rival"], world.south), (world.shipments["arrived"], world.north)):
        ShipmentScore.objects.create(
            shipment_id=shipment.pk, run=run, distributor_id=holder.pk, probability=SCORE, scans=1, log_factors=b"",
            scored_at=at,
        )  # fmt: skip
    day = monday_before(at) + timedelta(hours=1, minutes=41, seconds=37)
    rival = [number for case in range(10, 14) for number in world.goods.labels(case)]
    own = world.north.territories.get().region
    for n in range(5):  # three devices in one quarter and two in another: the sum may be told, neither of them
        code, name = ("CN-440601", "Panyu Quiet Quarter") if n % 2 else ("CN-440600", "Foshan Quiet Quarter")
        if n < 2:
            make_region(code, parent=own, kind="county", name=name)
        scan(rival[n], DEVICE + n, day, world.shipments["rival"], world.south, city=name, region=code)
    make_campaign(product=world.goods.batch.product, at=at - timedelta(days=30))
    redeem(
        make_attempt(
            secret_of(world.goods.labels(0)[0]),
            phone=PHONE,
            retailer=world.shop.number,
            door=Door.WEB,
            at=moment_of(at),
        )
    )
    earned = world.shop.account  # becomes the distributor's, so that there is a consumer behind its statement
    assert balance(earned.pk) > 0
    Partner.objects.filter(pk=world.shop.pk).update(account=open_account(party="retailer"))
    Partner.objects.filter(pk=world.north.pk).update(account=earned)


def moment_of(at: Any) -> Any:
    return monday_before(at) + timedelta(hours=2, minutes=43, seconds=29)


def markers(world: World) -> list[str]:
    """Return what must not be found, as pages, files and JSON would write it."""
    zone = ZoneInfo("Asia/Shanghai")
    moments = [moment_of(world.at), monday_before(world.at) + timedelta(hours=1, minutes=41, seconds=37)]
    times = [
        text
        for one in moments
        for local in (one, one.astimezone(zone))
        for text in (
            f"{local:%Y-%m-%dT%H:%M}",
            f"{local:%Y-%m-%d %H:%M}",
            f"{local:%H:%M:%S}",
            f"{local.day} {local:%b %Y, %H:%M}",
        )
    ]
    south, stall = world.south, world.stall
    names = [
        MARK_NAME,
        MARK_NAME_ZH,
        "Rival Stall",
        "对手十七号",
        south.number,
        stall.number,
        south.public_id,
        stall.public_id,
    ]
    names += [
        south.account.public_id,
        world.shipments["rival"].public_id,
        world.shipments["rival"].number + "<",
        DELIVERY_NOTE,
    ]
    volumes = [f"{VOLUME}", f"{VOLUME:,}"]
    scores = [f"{SCORE:.3f}", f"{SCORE:.2f}", f"{100 * SCORE:.1f}", f"{SCORE}"]
    consumers = ["13812345678", "138****5678", str(DEVICE)[:7], "23.1234", "Quiet Quarter", *times]
    files = [REASON, INFORMANT, FIELD_SHOP, INVOICE, PLAN, "31.73", "accusable"]
    hashes = [bytes(one).hex() for one in CasePhoto.objects.exclude(check_of=None).values_list("sha256", flat=True)]
    return [*names, *volumes, *scores, *consumers, *files, *hashes, world.case(7)]


Ask = Callable[[], Iterator[tuple[str, str]]]


def answers(world: World, client: Client, *, briefly: bool = False) -> Iterator[tuple[str, str]]:
    """Yield (what was asked, answer) of everything that a distributor can reach; ``briefly``: of the portal in English."""
    for language in ("en",) if briefly else ("en", "zh-CN"):
        asked = {"Accept-Language": language}
        for route, pattern in routes():
            if not route.startswith("portal/" if briefly else ("portal/", "console/")) or route == "portal/sign-out":
                continue
            for path in paths_of(world, route, pattern.pattern.converters):
                yield path, client.get(path, headers=asked).content.decode(errors="replace")
    yield from sent(world, client)
    yield from called(world)


def paths_of(world: World, route: str, converters: dict[str, Any]) -> list[str]:
    """Return the addresses of a route: with its own documents, with the rival's, as a page and as a file."""
    if not converters:
        queries = ["", "?format=csv", "?format=csv&what=coverage"] if route.startswith("portal/") else [""]
        return [f"/{route}{query}" for query in queries]
    if not route.startswith("portal/"):
        return []
    if "photo" in converters:
        return [
            "/" + route.replace("<str:public_id>", question).replace("<str:photo>", photo)
            for question in CaseQuestion.objects.values_list("public_id", flat=True)
            for photo in CasePhoto.objects.values_list("public_id", flat=True)
        ]
    if route.startswith("portal/questions/"):
        questions = CaseQuestion.objects.order_by("pk").values_list("public_id", flat=True)
        return ["/" + re.sub(r"<\w+:\w+>", one, route) for one in (*questions, "que_x")]
    mine = [world.shipments["arrived"].public_id, world.shipments["coming"].public_id]
    ids = [*mine, world.shipments["rival"].public_id]
    paths = ["/" + re.sub(r"<\w+:\w+>", one, route) for one in ids]
    return [path + query for path in paths for query in ("", "?format=csv")]


def sent(world: World, client: Client) -> Iterator[tuple[str, str]]:
    """Yield the answers to what a device sends of the rival's goods (but for the echo of what it sent itself)."""
    theirs = world.case(9)
    for path, act in (("/portal/scan", "ship"), ("/portal/scan", "receive"), ("/portal/documents", "return")):
        to = world.shop.number if act == "ship" else ""
        body = json.dumps({"act": act, "to": to, "lines": [{"text": theirs}]})
        headers = {"Accept": "application/json", "Idempotency-Key": f"privacy-test-{act}"}
        yield (
            f"{act} {path}",
            client.post(path, body, content_type="application/json", headers=headers).content.decode(),
        )
    body = json.dumps({"act": "ship", "to": world.south.number.lower(), "lines": []})
    answer = client.post("/portal/scan", body, content_type="application/json", headers={"Accept": "application/json"})
    yield "to the rival", answer.content.decode()


def questions(world: World, client: Client) -> Iterator[tuple[str, str]]:
    """Yield the pages and files of the questions to the distributor, in English."""
    for route, pattern in routes():
        if route.startswith("portal/questions"):
            for path in paths_of(world, route, pattern.pattern.converters):
                yield path, client.get(path).content.decode(errors="replace")


def called(world: World) -> Iterator[tuple[str, str]]:
    """Yield the answers of every operation of both APIs to the distributor's key."""
    from config.api import api, partners

    headers = {"Authorization": f"Bearer {world.token}", "Idempotency-Key": "privacy-test-by-key"}
    client = Client(HTTP_HOST="brand.localhost", headers=headers)
    for described in (api.get_openapi_schema(), partners.get_openapi_schema()):
        for path, operations in described["paths"].items():
            for method in operations:
                ids = [world.shipments[one].public_id for one in ("arrived", "rival")]
                if "question_id" in path:
                    ids = list(CaseQuestion.objects.order_by("pk").values_list("public_id", flat=True))
                for one in ids:
                    url = re.sub(r"\{\w+\}", one, path)
                    body = json.dumps({"act": "return", "lines": [{"text": world.case(9)}], "text": "To our own shop."})
                    answer = (
                        client.get(url) if method == "get" else client.post(url, body, content_type="application/json")
                    )
                    assert answer.status_code < 500, url
                    yield f"{method} {url}", answer.content.decode()


def found_in(told_all: Iterable[tuple[str, str]], wanted: list[str]) -> dict[str, str]:
    """Return what was found that must not be, each with where first."""
    found: dict[str, str] = {}
    for asked, body in told_all:
        for marker in wanted:
            if marker in body and marker not in asked:
                found.setdefault(marker, asked)
    return found


def names_the_holder(*args: Any, **kwargs: Any) -> str:
    return f"Held by {MARK_NAME}"


def with_times(*args: Any, **kwargs: Any) -> Any:
    found, older = entries(*args, **kwargs)
    return [replace(entry, title=f"{entry.title} {entry.at:%H:%M:%S}") for entry in found], older


def reason_of_all(_decision: str) -> str:
    return CaseDecision.objects.latest("pk").reason


def log_of(question: CaseQuestion) -> str:
    return " ".join(question.case.entries.values_list("text", flat=True))


LEAKS: dict[str, tuple[Any, str, Any, str]] = {
    "the other side has a name": (stock, "counterparty", lambda _partner, _other: MARK_NAME, MARK_NAME),
    "an answer names the holder": (told, "words", names_the_holder, MARK_NAME),
    "small cells are shown": (report, "suppress", partial(cells.suppress, least=1), "Quiet Quarter"),
    "points tell the time": (points, "entries", with_times, ":43:29"),
    "documents are everybody's": (stock, "documents", None, DELIVERY_NOTE),
}
# These stand on the pages of questions alone.
ASKED: dict[str, tuple[Any, str, Any, str]] = {
    "the decision tells its inner reasons": (replies, "_verdict", reason_of_all, REASON),
    "pictures keep what the camera wrote": (files, "picture_shown", bytes_of, INFORMANT),
    "a question tells what is in the log": (replies, "title_of", log_of, PLAN),
}


def test_nothing_of_others_is_ever_told(
    world: World, browse: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, wanted = browse(world.ning), markers(world)
    everything = list(answers(world, client))
    seen = dict(everything)
    assert len(seen) > 60
    assert "Guangzhou" in seen["/portal/report"]
    assert "北江茶叶" in seen["/portal/stock"] or "雾岭乌龙" in seen["/portal/stock"]
    assert '"packs": 7' in seen["get /api/v1/partner/report"]
    assert world.shop.number in seen["/portal/ship"]
    waits, decided = CaseQuestion.objects.order_by("pk")
    assert "区域之外" in seen[f"/portal/questions/{waits.public_id}"]
    assert "Nine packs in one city." in seen[f"/portal/questions/{decided.public_id}"]
    assert '"kind": "seen"' in seen[f"get /api/v1/partner/questions/{waits.public_id}"]
    assert any("own waybill" in body for body in seen.values())

    assert found_in(everything, wanted) == {}

    everybody = stock.Document.objects.select_related("source", "destination", "issuer", "refers").all
    for leak, (module, name, instead, marker) in LEAKS.items():
        with monkeypatch.context() as patch:
            patch.setattr(module, name, instead or (lambda _partner: everybody()))
            leaked = found_in(answers(world, client, briefly=True), wanted)
        assert any(marker in one for one in leaked), leak

    for leak, (module, name, instead, marker) in ASKED.items():
        with monkeypatch.context() as patch:
            patch.setattr(module, name, instead)
            leaked = found_in(questions(world, client), wanted)
        assert any(marker in one for one in leaked), leak
    released = waits.released
    assert [row["city"] for row in released if row["kind"] == "seen"] == ["Shenzhen"]  # of Zhuhai four devices speak
    small = next(row for row in released if row["kind"] == "seen") | {"city": "Zhuhai Quiet Quarter", "packs": 4}
    case_evidence.ask(
        waits.case_id, partner_id=world.north.pk, text="And there?", released=[small], at=world.at, by="ina"
    )
    assert "Quiet Quarter" in found_in(questions(world, client), wanted)
