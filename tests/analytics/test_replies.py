"""The right of reply: what may be shown, what is frozen, what is answered, and what of a decision is told."""

from dataclasses import replace
from datetime import date, timedelta
from io import BytesIO
from typing import Any
from uuid import uuid4

import PIL.Image
import pytest

from analytics import case_evidence, casework, replies
from analytics.case_evidence import AnswerDiffers, NotToBeReleased, QuestionIsOver
from analytics.models import CaseAnswer, CaseEntry, CasePhoto, CaseQuestion, Inspector
from analytics.photos import Spot, read_photo
from analytics.replies import EvidenceChanged
from brands.models import Brand
from channel.acts import receive
from channel.models import Document, Partner, UnitRange
from redemption.models import Scan, ScanPlace, ScanRoute
from tests.analytics.files import Filed, make_file, photo
from tests.channel.goods import ago, items, make_region, paper
from tests.conftest import NOW
from tests.portal.world import scan

ZONE = "Asia/Shanghai"
SEEN = {
    "kind": "seen", "first_on": "2026-11-20", "last_on": "2026-11-21", "city": "Shenzhen", "city_zh": "深圳", "packs": 6
}  # fmt: skip


@pytest.fixture
def filed(brand: Brand) -> Filed:
    return make_file()


def ask(filed: Filed, *released: dict[str, Any]) -> CaseQuestion:
    return case_evidence.ask(
        filed.case.pk, partner_id=filed.goods.a.pk, text="Where?", released=released, at=NOW, by="lea"
    )


def confirm(filed: Filed, days: int = 0, told: str = "") -> None:
    casework.move(filed.case.pk, seen="new", to="field_check", at=NOW, by="ina")
    casework.decide(
        filed.case.pk, seen="field_check", decision="confirmed", reason="An informant's word.", told=told,
        at=NOW + timedelta(days=days), by="lea",
    )  # fmt: skip


# --- answers -------------------------------------------------------------------------------------------------------------


def test_a_late_answer_is_kept_until_the_decision_and_marked(filed: Filed) -> None:
    asked = ask(filed, SEEN)
    assert asked.answer_by == date(2026, 12, 4)

    case_evidence.answer(asked.pk, text="In time.", at=NOW + timedelta(days=12), by="shop-a")
    assert CaseEntry.objects.latest("pk").data["late"] is False
    case_evidence.answer(asked.pk, text="And more.", at=NOW + timedelta(days=20), by="shop-a")
    assert CaseEntry.objects.latest("pk").data["late"] is True

    confirm(filed, days=21)
    with pytest.raises(QuestionIsOver):
        case_evidence.answer(asked.pk, text="Still more.", at=NOW + timedelta(days=21), by="shop-a")


def test_an_answer_sent_twice_is_one_answer(filed: Filed) -> None:
    asked, uuid = ask(filed, SEEN), uuid4()
    waybill = read_photo(b"%PDF-1.7 %%EOF", papers=True)
    first = case_evidence.answer(asked.pk, text="Here.", at=NOW, by="shop-a", uploads=[waybill], uuid=uuid)

    assert case_evidence.answer(asked.pk, text=" Here.", at=NOW, by="shop-a", uploads=[waybill], uuid=uuid) == first
    for other in ({"text": "There.", "uploads": [waybill]}, {"text": "Here.", "uploads": []}):
        with pytest.raises(AnswerDiffers):
            case_evidence.answer(asked.pk, **other, at=NOW, by="shop-a", uuid=uuid)
    with pytest.raises(AnswerDiffers):
        case_evidence.answer(ask(filed).pk, text="Here.", at=NOW, by="shop-a", uploads=[waybill], uuid=uuid)
    assert (CaseAnswer.objects.count(), CasePhoto.objects.count()) == (1, 1)


@pytest.mark.parametrize("extra", [{"device": 7}, {"city": "x" * 81}, {"first_on": "2026-11-20T10:31"}, {"packs": 0}])
def test_only_what_is_on_the_list_can_be_released(filed: Filed, extra: dict[str, Any]) -> None:
    with pytest.raises(NotToBeReleased):
        ask(filed, SEEN | extra)

    assert not CaseQuestion.objects.exists()
    assert ask(filed, SEEN).released == [SEEN]


# --- what may be shown ---------------------------------------------------------------------------------------------------


def seen_away(filed: Filed, devices: range, *, days: int = 3, case: int = 0, **place: str) -> list[Scan]:
    labels = filed.goods.labels(case)
    return [
        scan(
            labels[n % len(labels)], 7_000 + n, ago(days=days), filed.shipment, filed.goods.a,
            **{"city": "Shenzhen", "region": "CN-440300", **place},
        )
        for n in devices
    ]  # fmt: skip


def home(filed: Filed) -> None:
    """Give the shipment's market two regions: a province, and so a city in it."""
    country = make_region("CN", kind="country", name="China")
    hunan = make_region("CN-HN", country, "province", "Hunan")
    make_region("CN-430100", hunan, "city", "Changsha")
    ScanRoute.objects.update(market=["CN-HN"])


def evidence(filed: Filed, **later: Any) -> replies.Evidence:
    return replies.evidence_of(filed.case, at=NOW + timedelta(**later), zone=ZONE)


def test_scans_abroad_are_told_by_city_and_day(filed: Filed) -> None:
    seen_away(filed, range(5))
    seen_away(filed, range(4), city="Foshan", region="CN-440600")  # four devices are not told
    seen_away(filed, range(6), city="Changsha", region="CN-430100")  # in the market
    home(filed)

    found = evidence(filed)

    [one] = found.seen
    assert (one.value.city, one.value.city_zh, one.value.packs) == ("Shenzhen", "广州", 4)
    assert one.value.first_on == one.value.last_on
    assert found.untold == 4


def test_what_is_no_sale_and_what_happened_today_is_no_evidence(filed: Filed) -> None:
    rows = seen_away(filed, range(5))
    Inspector.objects.create(asker=rows[0].asker, added_at=NOW, added_by="ana")
    assert evidence(filed).seen == ()

    Inspector.objects.all().delete()
    assert len(evidence(filed).seen) == 1
    ScanPlace.objects.filter(scan_id=rows[0].pk).update(source="phone")
    assert evidence(filed).seen == ()
    ScanPlace.objects.filter(scan_id=rows[0].pk).update(source="ip")
    assert len(evidence(filed).seen) == 1
    assert evidence(filed, days=-3).seen == ()


def test_cases_and_papers_are_the_partners_own(filed: Filed) -> None:
    seen_away(filed, range(1), case=1)
    ScanRoute.objects.update(unit_id=UnitRange.objects.get(label_range__contains=filed.goods.labels(1)[0]).unit_id)
    receive(replace(paper(ago(days=7), filed.goods.a), site="portal"), items(*filed.goods.cases[:2]), receiver=filed.goods.a,
            shipment=filed.shipment)  # fmt: skip

    found = evidence(filed)

    assert [(one.value.sscc, one.value.packs, one.scanned) for one in found.cases] == [
        (filed.goods.cases[1], 4, True),
        (filed.goods.cases[0], 4, False),
    ]
    papers = [one.value for one in found.papers]
    assert [(one.paper, one.way, bool(one.number)) for one in papers] == [
        ("shipment", "to_you", True),
        ("receipt", "to_you", False),
    ]
    assert Document.objects.exclude(public_id__in=[one.id for one in papers]).exists()  # how it was packed


def test_pictures_are_chosen_one_by_one_and_shown_without_what_the_camera_wrote(filed: Filed) -> None:
    exif = PIL.Image.Exif()
    exif[0x010E] = "Informant: Wang"
    exif.get_ifd(0x8825)[2] = (23.0, 7.0, 24.0)
    out = BytesIO()
    PIL.Image.new("RGB", (3_000, 20), "red").save(out, "JPEG", exif=exif, comment=b"Informant: Wang")
    assert b"Informant" in out.getvalue()
    row = case_evidence.add_photo(
        filed.case.pk, photo=read_photo(out.getvalue()), at=NOW, by="ina", spot=Spot(23.123457, 113.5, 5.0)
    )

    [one] = evidence(filed).pictures
    shown = replies.picture_shown(row)

    assert (one.value.id, one.value.sha256) == (row.public_id, bytes(row.sha256).hex())
    assert b"Informant" not in shown
    assert b"Exif" not in shown
    assert PIL.Image.open(BytesIO(shown)).size[0] == replies.SHOWN_PX


def test_what_was_chosen_is_released_and_nothing_else_can_be(filed: Filed) -> None:
    seen_away(filed, range(5))
    home(filed)
    case_evidence.add_photo(filed.case.pk, photo=photo(), at=NOW, by="ina")
    found = evidence(filed)

    rows = found.chosen({found.seen[0].key, found.cases[0].key})
    assert [row["kind"] for row in rows] == ["seen", "case"]
    assert found.chosen(set()) == []
    for key in ("picture:pho_x", "seen:CN-440600:2026-11-19", "case:395210001900000010", "check:1"):
        with pytest.raises(EvidenceChanged):
            found.chosen({key})


# --- as it stands ---------------------------------------------------------------------------------------------------------


def test_a_question_stands_open_overdue_answered_or_decided(filed: Filed) -> None:
    asked = ask(filed)

    def stands(days: int) -> tuple[str, int]:
        found = replies.asked(
            CaseQuestion.objects.select_related("case").get(pk=asked.pk), at=NOW + timedelta(days=days)
        )
        return found.state, found.days_left

    assert stands(0) == ("open", 10)
    assert stands(12) == ("open", 0)
    assert stands(15) == ("overdue", -1)
    case_evidence.answer(asked.pk, text="Here.", at=NOW, by="shop-a")
    assert stands(0)[0] == "answered"
    confirm(filed, told="Seen in two cities.")
    assert stands(0)[0] == "decided"
    casework.appeal(filed.case.pk, text="No.", at=NOW, by="shop-a", partner_id=filed.goods.a.pk)
    assert stands(0)[0] == "answered"


def test_a_text_that_names_another_partner_is_found(filed: Filed) -> None:
    own, shop = filed.goods.a, filed.goods.shop
    Partner.objects.filter(pk=own.pk).update(name=f"North {shop.name}", name_zh="北街茶行")
    Partner.objects.filter(pk=shop.pk).update(name_zh="街茶")

    for text, found in (
        (f"Why at the {shop.name.upper()}?", shop.name),
        (f"See {shop.number.lower()}.", shop.number),
        ("是街茶吗？", "街茶"),
    ):
        assert replies.names_another(text, partner_id=own.pk) == found
    for text in (f"North {shop.name}, where?", "北街茶行的货？", f"X{shop.number}7"):
        assert replies.names_another(text, partner_id=own.pk) == ""
