"""The pages of files: who sees and does what, and what the page says when somebody was faster."""

from collections.abc import Callable
from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from analytics import case_evidence, casework
from analytics.models import Case, CaseDecision, CasePhoto, FieldCheck
from common.clock import now
from labels.queries import serials_of
from redemption.models import Caution, Scan
from staff.models import Audit, User
from tests.analytics.files import Filed, make_file, picture

Browse = Callable[..., Client]
CHECK = "6c1f1d0e-6f0a-4a4e-8a53-0d6b3c7b5b11"


@pytest.fixture
def filed(browse: Browse) -> Filed:
    return make_file()


def address(filed: Filed, act: str = "") -> str:
    return f"/console/cases/{filed.case.public_id}{act}"


def enter(user: User) -> Client:
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(user)
    return client


def upload(colour: str = "red", name: str = "a.jpg") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, picture(colour), "image/jpeg")


# --- the list and the page ---------------------------------------------------------------------------------------------


def test_the_list_shows_a_file_filters_it_and_gives_a_csv(browse: Browse, filed: Filed) -> None:
    analyst, number = browse("analyst"), filed.case.number
    casework.set_due(filed.case.pk, due_on=(now() - timedelta(days=3)).date(), at=now(), by="ana")

    for query in ("", "?state=new", "?state=all", "?charge=ina", "?late=1"):
        page = analyst.get(f"/console/cases{query}").content.decode()
        assert number in page, query
        assert "late" in page
    for query in ("?state=closed", "?charge=-", "?charge=zoe", "?late=1&charge=zoe"):
        assert number not in analyst.get(f"/console/cases{query}").content.decode(), query
    sheet = analyst.get("/console/cases?format=csv&state=new").content.decode()
    assert f"{number},A,B,{filed.shipment.number},0.9400,new,ina," in sheet
    assert number not in analyst.get("/console/cases?format=csv&state=closed").content.decode()


def test_the_page_tells_what_the_file_is_about(browse: Browse, filed: Filed) -> None:
    page = browse("auditor").get(address(filed)).content.decode()

    for text in ("A → B", "0.94", "accusable", filed.shipment.number, "ina", "8 of 8"):
        assert text in page
    assert "<form" not in page.split('id="main"')[1].split("</main>")[0]  # an auditor changes nothing


def test_the_due_day_is_in_the_form_in_each_language(browse: Browse, filed: Filed) -> None:
    casework.set_due(filed.case.pk, due_on=date(2026, 12, 4), at=now(), by="ana")

    for language in ("en", "zh-hans"):
        page = browse().get(address(filed), headers={"Accept-Language": language}).content.decode()
        assert 'value="2026-12-04"' in page, language


def test_an_investigator_sees_only_what_is_in_their_charge(browse: Browse, filed: Filed) -> None:
    own, other = enter(filed.ina), browse("investigator")

    assert own.get(address(filed)).status_code == 200
    assert filed.case.number in own.get("/console/cases").content.decode()
    assert other.get(address(filed)).status_code == 404
    assert filed.case.number not in other.get("/console/cases").content.decode()
    assert other.post(address(filed, "/note"), {"text": "x"}).status_code == 404
    assert browse("marketer").get(address(filed)).status_code == 403


def test_a_file_is_opened_upon_a_hint_and_an_investigator_is_in_charge_of_it(browse: Browse, filed: Filed) -> None:
    casework.decide(filed.case.pk, seen="new", decision="rejected", reason="R.", at=now(), by="lea")
    casework.move(filed.case.pk, seen="rejected", to="closed", at=now(), by="lea")
    fields, path = {"shipment": filed.shipment.number, "text": "A call from a shop."}, "/console/cases/open"

    answer = browse("investigator").post(path, fields)
    again = browse("legal").post(path, fields)

    case = Case.objects.latest("pk")
    assert answer["Location"] == again["Location"] == f"/console/cases/{case.public_id}"
    assert case.assignee == User.objects.get(username="the-investigator")
    assert case.entries.earliest("pk").text == "A call from a shop."
    for client, wrong, said in (
        (enter(filed.ina), fields, "in somebody else&#x27;s charge"),
        (browse("regional"), fields, "went to none of your regions"),
        (browse("legal"), {"shipment": "N0"}, "There is no shipment of that number."),
    ):
        refused = client.post(path, wrong)
        assert refused.status_code == 422
        assert said in refused.content.decode()
    assert browse("analyst").post(path, fields).status_code == 403


# --- acts --------------------------------------------------------------------------------------------------------------


def test_a_file_goes_its_way_over_the_pages(browse: Browse, filed: Filed) -> None:
    ina, lea, owner = enter(filed.ina), enter(filed.lea), browse()

    assert owner.post(address(filed, "/assign"), {"to": "ina", "due_on": "2026-12-04"}).status_code == 302
    assert ina.post(address(filed, "/move"), {"seen": "new", "to": "field_check"}).status_code == 302
    assert ina.post(address(filed, "/note"), {"text": "Two shops."}).status_code == 302
    asked = case_evidence.ask(
        filed.case.pk, partner_id=filed.goods.a.pk, text="Where?", released=[], at=now(), by="lea"
    )
    decision = {
        "seen": "field_check",
        "decision": "confirmed",
        "reason": "Seen.",
        "penalty": "Deposit.",
        "told": "We saw it.",
    }
    early = lea.post(address(filed, "/decide"), decision)
    assert (early.status_code, CaseDecision.objects.count()) == (409, 0)
    assert "must be heard" in early.content.decode()
    assert "Seen.</textarea>" in early.content.decode()  # what was typed is kept
    case_evidence.answer(asked.pk, text="Here.", at=now(), by="shop-a")
    assert ina.post(address(filed, "/decide"), decision).status_code == 403
    assert lea.post(address(filed, "/decide"), decision).status_code == 302
    assert lea.post(address(filed, "/close"), {"seen": "confirmed"}).status_code == 302
    assert lea.post(address(filed, "/appeal"), {"text": "Not so."}).status_code == 302

    case = Case.objects.get()
    assert (case.state, case.due_on.isoformat() if case.due_on else "") == ("field_check", "2026-12-04")
    page = lea.get(address(filed)).content.decode()
    for text in ("Two shops.", "Seen.", "Deposit.", "We saw it.", "Not so.", "Appealed", "Investigated by ina."):
        assert text in page


def test_an_owner_who_investigated_cannot_decide(browse: Browse, filed: Filed) -> None:
    owner = browse()
    owner.post("/console/cases/photo", {"case": filed.case.public_id, "picture": upload()})

    refused = owner.post(address(filed, "/decide"), {"seen": "new", "decision": "rejected", "reason": "R."})

    assert (refused.status_code, CaseDecision.objects.count()) == (409, 0)
    assert "somebody else decides" in refused.content.decode()


def test_who_comes_second_is_told_kindly_and_sees_the_file_as_it_is(browse: Browse, filed: Filed) -> None:
    ina = enter(filed.ina)
    ina.post(address(filed, "/move"), {"seen": "new", "to": "watch"})

    late = ina.post(address(filed, "/move"), {"seen": "new", "to": "field_check"})

    assert late.status_code == 409
    assert "Somebody else was faster: the file is now “watched”." in late.content.decode()
    assert Case.objects.get().state == "watch"


@pytest.mark.parametrize(
    ("act", "fields"),
    [
        ("/move", {"seen": "new", "to": "confirmed"}), ("/move", {"seen": "x" * 99, "to": "watch"}), ("/note", {}),
        ("/assign", {"to": "nobody-of-this-name"}), ("/assign", {"due_on": "soon"}), ("/decide", {"decision": "guilty"}),
        ("/appeal", {"text": ""}), ("/caution", {"effect": "jail"}), ("/lift", {"outcome": ""}),
        ("/caution", {"effect": "hold_reward", "reason": "diversion", "unit": "123"}),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_and_changes_nothing(
    browse: Browse, filed: Filed, act: str, fields: dict[str, str]
) -> None:
    lines = filed.case.entries.count()

    assert browse().post(address(filed, act), fields).status_code == 422

    assert filed.case.entries.count() == lines


def test_nobody_is_put_in_charge_who_may_not_work(browse: Browse, filed: Filed) -> None:
    browse("finance")

    assert browse().post(address(filed, "/assign"), {"to": "the-finance"}).status_code == 422
    assert browse("legal").post(address(filed, "/assign"), {"to": ""}).status_code == 302
    assert Case.objects.get().assignee is None


def test_rewards_are_slowed_and_freed_on_the_page(browse: Browse, filed: Filed) -> None:
    legal = browse("legal")
    fields = {"effect": "stop_points", "reason": "clone", "unit": filed.goods.cases[1], "text": "copied"}

    assert legal.post(address(filed, "/caution"), fields).status_code == 302
    assert Caution.objects.get().label_range.lower == filed.goods.labels(1)[0]
    assert "pay no points" in legal.get(address(filed)).content.decode()
    assert legal.post(address(filed, "/lift"), {"outcome": "refused"}).status_code == 302
    assert Caution.objects.get().outcome == "refused"
    assert browse("analyst").post(address(filed, "/caution"), fields).status_code == 403


# --- photographs and checks --------------------------------------------------------------------------------------------


def test_a_photograph_is_served_as_it_came_and_the_look_is_kept(browse: Browse, filed: Filed) -> None:
    ina = enter(filed.ina)
    fields = {"case": filed.case.public_id, "picture": upload(), "lat": "23.13", "lon": "113.26", "accuracy_m": "12"}
    assert ina.post("/console/cases/photo", fields).status_code == 302
    row = CasePhoto.objects.get()
    path = address(filed, f"/photos/{row.public_id}")

    answer, small = ina.get(path), ina.get(f"{path}?small")

    assert (answer.content, answer["Content-Type"]) == (picture(), "image/jpeg")
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert "no-store" in answer["Cache-Control"]
    assert (small.content[:2], row.lat) == (b"\xff\xd8", 23.13)
    assert Audit.objects.filter(act="read", table_name="analytics_casephoto", actor="ina").count() == 1
    assert browse("investigator").get(path).status_code == 404
    assert browse("marketer").get(path).status_code == 403
    assert Client(HTTP_HOST="brand.localhost").get(path).status_code == 302


def test_a_picture_is_not_shown_under_another_file(browse: Browse, filed: Filed) -> None:
    enter(filed.ina).post("/console/cases/photo", {"case": filed.case.public_id, "picture": upload()})
    casework.decide(filed.case.pk, seen="new", decision="rejected", reason="R.", at=now(), by="lea")
    casework.move(filed.case.pk, seen="rejected", to="closed", at=now(), by="lea")
    other = casework.open_case(filed.shipment.pk, at=now(), by="ana")

    path = f"/console/cases/{other.public_id}/photos/{CasePhoto.objects.get().public_id}"
    assert browse().get(path).status_code == 404


@pytest.mark.parametrize("name", ["a.jpg", "a.svg", "a.html"])
def test_a_page_in_the_guise_of_a_picture_is_refused(browse: Browse, filed: Filed, name: str) -> None:
    sent = SimpleUploadedFile(name, b"<svg onload=alert(1)>", "image/jpeg")

    answer = browse().post("/console/cases/photo", {"case": filed.case.public_id, "picture": sent})

    assert (answer.status_code, CasePhoto.objects.count()) == (422, 0)


def checked(filed: Filed, **more: object) -> dict[str, object]:
    label = serials_of(filed.goods.labels(0))[0]
    return {"case": filed.case.public_id, "uuid": CHECK, "label": label, "shop": "Tianhe 12", "invoice": "INV-7",
            "price": "39.90", "pictures": [upload(), upload("blue")], **more}  # fmt: skip


def test_a_check_sent_twice_is_one_check(browse: Browse, filed: Filed) -> None:
    ina = enter(filed.ina)
    assert "Scan the QR code in the shop" in ina.get(address(filed, "/check")).content.decode()

    first = ina.post("/console/cases/check", checked(filed))
    again = ina.post("/console/cases/check", checked(filed), headers={"Accept": "application/json"})

    row = FieldCheck.objects.get()
    assert first["Location"] == again.json()["go"] == address(filed)
    assert (row.photos.count(), row.shop, str(row.price)) == (2, "Tianhe 12", "39.90")
    assert not Scan.objects.exists()
    page = ina.get(address(filed)).content.decode()
    assert "Tianhe 12" in page
    assert "INV-7" in page


def test_a_check_that_is_wrong_names_the_field_and_keeps_what_was_typed(browse: Browse, filed: Filed) -> None:
    ina = enter(filed.ina)
    wrong = checked(filed, shop="", price="cheap")

    page = ina.post("/console/cases/check", wrong)
    told = ina.post(
        "/console/cases/check", checked(filed, shop="", price="cheap"), headers={"Accept": "application/json"}
    )

    assert (page.status_code, told.status_code, FieldCheck.objects.count()) == (422, 422, 0)
    assert "INV-7" in page.content.decode()
    assert set(told.json()["errors"]) == {"shop", "price"}


@pytest.mark.parametrize("change", [{"shop": "Another"}, {"pictures": [upload("green")]}], ids=["shop", "pictures"])
def test_other_content_under_the_uuid_of_a_check_is_said(
    browse: Browse, filed: Filed, change: dict[str, object]
) -> None:
    ina = enter(filed.ina)
    ina.post("/console/cases/check", checked(filed))
    for one in change.get("pictures", []):  # type: ignore[attr-defined]
        one.seek(0)

    answer = ina.post("/console/cases/check", checked(filed, **change), headers={"Accept": "application/json"})

    assert (answer.status_code, FieldCheck.objects.count()) == (409, 1)
