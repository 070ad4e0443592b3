"""The page of a shipment: cases, scans in words, papers, doubts, and the way to a file."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from analytics.explaining import papers_of
from analytics.models import Case
from brands.models import Brand
from channel.models import Document, Territory
from console.diversion.doubts import doubts_of
from console.diversion.strips import sightings_of, strips_of, times_words
from console.search import search
from staff.models import User
from tests.channel.goods import send
from tests.conftest import NOW
from tests.console.found import DAY, Found, finding_of, make_found, see

Browse = Callable[..., Client]


@pytest.fixture
def found(brand: Brand) -> Found:
    return make_found()


def path(found: Found) -> str:
    return f"/console/diversion/shipments/{found.shipment.public_id}"


@pytest.mark.parametrize(
    ("score", "words"),
    [
        (1.68, "48 times more likely sold in B's area than in A's"),
        (0.3, "2.0 times more likely sold in B's area than in A's"),
        (9.0, "over 10,000 times more likely sold in B's area than in A's"),
        (0.1, "fits both areas alike"),
        (-2.0, "100 times more likely sold in A's own area"),
        (-400.0, "over 10,000 times more likely sold in A's own area"),
    ],
)
def test_a_score_in_words(score: float, words: str) -> None:
    assert times_words(score, "A", "B") == words


def test_each_scan_has_its_place_its_source_and_a_device(found: Found) -> None:
    told = sightings_of(found.finding, "A")

    assert [one.side for one in told] == ["away", "away", "away", "own"]
    assert [one.device for one in told] == ["A", "B", "C", "D"]
    assert told[0].best is not None
    assert told[0].best.words == "Guangzhou · fix within 20 m"
    assert [place.source for place in told[0].places] == ["gps", "ip"]
    assert told[0].words == f"48 times more likely sold in {found.b.display_name}'s area than in A's"


def test_one_device_is_one_letter(found: Found) -> None:
    see(found, 0, {"gps": "CN-440100"}, 1.0, asker=found.scans[0].asker)

    assert [one.device for one in sightings_of(found.finding, "A")] == ["A", "B", "C", "D", "A"]


def test_a_case_is_a_strip_of_its_labels(found: Found) -> None:
    likely, other = strips_of(found.finding, sightings_of(found.finding, "A"))

    assert (likely.probability, likely.labels, len(likely.marks)) == (0.98, 4, 2)
    assert likely.sscc == found.goods.cases[0]
    assert likely.summary == "2 of 4 labels scanned, 2 of them elsewhere"
    assert [mark.look for mark in likely.marks] == ["away gps", "away ip"]
    assert likely.marks[0].x < likely.marks[1].x
    assert other.strongest is not None
    assert other.strongest.side == "own"


def test_the_page_shows_it(browse: Browse, found: Found) -> None:
    text = browse("analyst").get(path(found)).content.decode()

    for words in ("48 times more likely", "Guangzhou", "2 of 4 labels scanned", "50.0 %", found.shipment.number):
        assert words in text, words
    assert text.count('class="mk ') >= 4


def test_more_scans_ask_no_more(browse: Browse, found: Found) -> None:
    client = browse("analyst")
    client.get(path(found))
    with CaptureQueriesContext(connection) as few:
        client.get(path(found))
    see(found, 0, {"gps": "CN-440100"}, 1.0)
    see(found, 1, {"ip": "CN-44"}, 1.0)

    with CaptureQueriesContext(connection) as many:
        client.get(path(found))

    assert len(many) <= len(few)


def test_an_older_finding_can_be_looked_at_again(browse: Browse, found: Found) -> None:
    finding_of(found.run, found.shipment, dest=found.b, probability=0.71, found_at=NOW + timedelta(hours=1))
    client = browse("analyst")
    assert client.get(path(found)).context["finding"].probability == 0.71

    page = client.get(f"{path(found)}?finding={found.finding.public_id}")

    assert page.context["finding"].probability == 0.94
    assert len(page.context["course"].rows) == 2
    assert client.get(f"{path(found)}?finding=fin_other").status_code == 404


def test_a_stranger_to_the_region_finds_nothing(browse: Browse, found: Found) -> None:
    client = browse("regional")
    User.objects.filter(role="regional").update(regions="CN-44")
    assert client.get(path(found)).status_code == 200

    User.objects.filter(role="regional").update(regions="CN-11")

    assert client.get(path(found)).status_code == 404
    assert client.post(f"{path(found)}/file").status_code == 404
    assert client.get("/console/diversion/shipments/doc_nothing").status_code == 404


# --- why it may not be diversion ---------------------------------------------------------------------------------------


def test_each_doubt_has_its_share_and_whether_the_alert_stands(found: Found) -> None:
    doubts = doubts_of(found.finding, papers_of(found.shipment, found.finding), list_from=0.87)

    by_name = {one.name: one for one in doubts}
    assert len(doubts) == 9
    assert by_name["Travel"].percent == "3 %"
    assert "3 of 4 scans speak for another place" in by_name["Travel"].detail
    assert "0.4 buyers" in by_name["Travel"].detail
    assert by_name["Only one witness"].stands is True
    assert by_name["One honest case far away"].stands is False  # 0.85
    assert dict(by_name["Weak places"].without) == {
        "without telephone numbers": 0.93, "without addresses": 0.88, "without fixes": 0.9,
    }  # fmt: skip
    assert by_name["Papers"].stands is True
    assert "50.0 % of the labels" in by_name["Few scans"].detail


def test_a_doubt_that_was_not_judged_says_neither(found: Found) -> None:
    bare = finding_of(found.run, found.shipment, dest=found.b, without={}, level="watch")

    doubts = {one.name: one for one in doubts_of(bare, papers_of(found.shipment, bare), list_from=0.5)}

    assert doubts["Travel"].stands is None
    assert doubts["Few scans"].stands is False


def test_papers_near_the_scans_may_explain_them(found: Found) -> None:
    assert papers_of(found.shipment, found.finding).silent
    Document.objects.create(
        kind="transfer", number="T1", content_hash=b"x", status="ACCEPTED", source=found.a, destination=found.b,
        happened_at=NOW - 300 * DAY, recorded_at=NOW - 300 * DAY,
    )  # fmt: skip
    assert papers_of(found.shipment, found.finding).silent, "a document of other goods explains nothing"

    Territory.objects.filter(partner=found.b).update(valid_from=(NOW - 10 * DAY).date())

    papers = papers_of(found.shipment, found.finding)
    assert [one.partner_id for one in papers.territories] == [found.b.pk]
    doubt = next(one for one in doubts_of(found.finding, papers, list_from=0.5) if one.name == "Papers")
    assert doubt.stands is None
    assert "1 change of territory" in doubt.detail


def test_the_trail_has_every_document_of_these_labels(found: Found) -> None:
    received = send(found.goods, found.shop_of_a(), 0, at=NOW - 2 * DAY, source=found.a)

    trail = papers_of(found.shipment, found.finding).trail

    assert [one.kind for one in trail if one.kind != "packing"] == ["shipment", "shipment"]
    assert received.document in trail


def test_a_late_document_is_marked(found: Found) -> None:
    Document.objects.filter(pk=found.shipment.pk).update(recorded_at=NOW - DAY)
    found.shipment.refresh_from_db()

    papers = papers_of(found.shipment, found.finding)

    assert [one.pk for one in papers.late] == [found.shipment.pk]


# --- the way to a file -------------------------------------------------------------------------------------------------


def test_an_investigator_opens_a_file_once(browse: Browse, found: Found) -> None:
    client = browse("investigator")

    for _ in range(2):
        assert client.post(f"{path(found)}/file").status_code == 302

    [file] = Case.objects.all()
    assert file.finding_id == found.finding.pk
    assert file.assignee is not None
    assert file.assignee.username == "the-investigator"
    assert file.number in client.get(path(found)).content.decode()


def test_the_search_box_finds_shipment_finding_and_file(browse: Browse, found: Found) -> None:
    client = browse("analyst")
    page = path(found)

    def hits(text: str) -> list[str]:
        return [hit.href for hit in search(text, [], User.objects.get(username="the-analyst"))]

    assert hits(found.shipment.number) == hits(found.finding.public_id) == hits(found.shipment.public_id) == [page]
    browse("investigator").post(f"{page}/file")
    file = Case.objects.get()
    assert hits(file.number) == hits(file.public_id) == [f"/console/cases/{file.public_id}"]
    assert client.get(page).status_code == 200
    assert search(found.finding.public_id, [], User(role="support", is_active=True)) == []


def test_who_may_not_open_a_file(browse: Browse, found: Found) -> None:
    for role in ("analyst", "auditor", "support"):
        assert browse(role).post(f"{path(found)}/file").status_code == 403

    assert not Case.objects.exists()
