"""Questions at the portal: who is asked sees what was released, answers once, is told what was decided, and appeals."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from analytics import case_evidence, casework, release
from analytics.models import Appeal, Case, CaseAnswer, CasePhoto, CaseQuestion
from analytics.photos import Photo, read_photo
from brands.models import Brand
from channel.models import Partner
from common.clock import now
from tests.analytics.files import Filed, make_file, photo, picture
from tests.conftest import NOW
from tests.portal.makers import make_person

KEY = "page-0123456789abcdef"
CASE = {"kind": "case", "sscc": "395210001900000010", "product": "Oolong", "product_zh": "乌龙", "packs": 4}
SEEN = {
    "kind": "seen", "first_on": "2026-11-20", "last_on": "2026-11-21", "city": "Shenzhen", "city_zh": "深圳", "packs": 9
}  # fmt: skip


@pytest.fixture
def filed(brand: Brand) -> Filed:
    return make_file()


@pytest.fixture
def asked(filed: Filed) -> CaseQuestion:
    case_evidence.add_photo(filed.case.pk, photo=photo(), at=NOW, by="ina")
    case_evidence.add_photo(filed.case.pk, photo=photo("blue"), at=NOW, by="ina")
    shown, _other = CasePhoto.objects.order_by("pk")
    rows = release.rows_of(pictures=[release.Picture(shown.public_id, bytes(shown.sha256).hex(), NOW.date())])
    return case_evidence.ask(
        filed.case.pk, partner_id=filed.goods.a.pk, text="Where did case 1 go?", released=[SEEN, CASE, *rows],
        at=now() - timedelta(days=1), by="lea",
    )  # fmt: skip


@pytest.fixture
def client(filed: Filed, browse: Callable[..., Client]) -> Client:
    return browse(make_person(filed.goods.a, "ning"))


@pytest.fixture
def stranger(filed: Filed, browse: Callable[..., Client]) -> Client:
    return browse(make_person(filed.goods.b, "bo"))


def page_of(question: CaseQuestion) -> str:
    return f"/portal/questions/{question.public_id}"


def send(client: Client, question: CaseQuestion, text: str = "To our own shop.", **more: Any) -> Any:
    return client.post("/portal/answers", {"question": question.public_id, "key": KEY, "text": text, **more})


def decide(filed: Filed, decision: str = "confirmed") -> None:
    casework.move(filed.case.pk, seen="new", to="field_check", at=now(), by="ina")
    casework.decide(
        filed.case.pk, seen="field_check", decision=decision, reason="An informant's word.", told="Two cities, nine packs.",
        at=now() + timedelta(days=30), by="lea",
    )  # fmt: skip


def test_a_question_is_told_with_what_was_released(client: Client, asked: CaseQuestion) -> None:
    home = client.get("/portal/").content.decode()
    shown = client.get(page_of(asked)).content.decode()

    assert page_of(asked) in home
    assert "working days left" in home
    for text in ("Where did case 1 go?", "Shenzhen", "3 9521000 19000 0001 0", "Oolong"):
        assert text in shown
    assert "深圳" in client.get(page_of(asked), headers={"Accept-Language": "zh-CN"}).content.decode()
    assert page_of(asked) in client.get("/portal/questions").content.decode()


def test_it_is_nobody_elses(stranger: Client, client: Client, asked: CaseQuestion) -> None:
    picture_path = f"{page_of(asked)}/files/{CasePhoto.objects.earliest('pk').public_id}"
    assert client.get(picture_path).status_code == 200

    for path in (page_of(asked), picture_path, page_of(asked) + "\x00"):
        assert stranger.get(path).status_code == 404
    assert asked.public_id not in stranger.get("/portal/questions").content.decode()
    assert send(stranger, asked).status_code == 404
    assert stranger.post(f"{page_of(asked)}/appeal", {"text": "No."}).status_code == 404
    assert not CaseAnswer.objects.exists()


def test_only_the_picture_that_was_released_is_shown(client: Client, asked: CaseQuestion) -> None:
    released, kept = CasePhoto.objects.order_by("pk")

    answer = client.get(f"{page_of(asked)}/files/{released.public_id}")

    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    assert client.get(f"{page_of(asked)}/files/{kept.public_id}").status_code == 404


def test_an_answer_is_sent_once_with_its_papers(client: Client, asked: CaseQuestion) -> None:
    files = [
        SimpleUploadedFile("waybill.pdf", b"%PDF-1.7 %%EOF", "application/pdf"),
        SimpleUploadedFile("shelf.jpg", picture(), "image/jpeg"),
    ]

    for _time in range(2):
        for one in files:
            one.seek(0)
        assert send(client, asked, files=files).status_code == 302

    row = CaseAnswer.objects.get()
    assert (row.text, row.by, row.uploads.count()) == ("To our own shop.", "ning", 2)
    shown = client.get(page_of(asked)).content.decode()
    assert "To our own shop." in shown
    upload = row.uploads.get(name="waybill.pdf")
    back = client.get(f"{page_of(asked)}/files/{upload.public_id}")
    assert back.content == b"%PDF-1.7 %%EOF"
    assert back["Content-Disposition"] == "attachment"
    assert send(client, asked, text="Something else.", files=[]).status_code == 422
    assert page_of(asked) not in client.get("/portal/").content.decode()


@pytest.mark.parametrize(
    ("text", "files"), [("", []), ("Here.", [b"MZ\x90 a program"]), ("Here.", [b"%PDF-1.7 cut off"]), ("Here.", [b"x"] * 11)]
)  # fmt: skip
def test_what_cannot_be_kept_comes_back_with_what_was_typed(
    client: Client, asked: CaseQuestion, text: str, files: list[bytes]
) -> None:
    answer = send(client, asked, text=text, files=[SimpleUploadedFile(f"{n}.pdf", one) for n, one in enumerate(files)])

    assert answer.status_code == 422
    assert 'role="alert"' in answer.content.decode()
    assert text in answer.content.decode()
    assert KEY in answer.content.decode()
    assert not CaseAnswer.objects.exists()
    assert client.post("/portal/answers", {"question": asked.public_id, "key": "x", "text": "Here."}).status_code == 302
    assert not CaseAnswer.objects.exists()


def test_after_the_last_day_it_is_taken_and_marked(filed: Filed, client: Client) -> None:
    late = case_evidence.ask(
        filed.case.pk, partner_id=filed.goods.a.pk, text="Where?", released=[], at=now() - timedelta(days=20), by="lea"
    )

    assert "You can still answer" in client.get(page_of(late)).content.decode()
    assert "the day has passed" in client.get("/portal/").content.decode()
    assert send(client, late).status_code == 302
    assert ">late<" in client.get(page_of(late)).content.decode()


def test_a_decision_is_told_in_words_for_the_partner_and_can_be_appealed(
    filed: Filed, client: Client, asked: CaseQuestion
) -> None:
    send(client, asked)
    decide(filed)

    shown = client.get(page_of(asked)).content.decode()
    assert "sold outside your territory" in shown
    assert "Two cities, nine packs." in shown
    assert "informant" not in shown
    assert send(client, asked, text="More.", key=KEY[::-1]).status_code == 422

    assert client.post(f"{page_of(asked)}/appeal", {"text": " "}).status_code == 422
    assert client.post(f"{page_of(asked)}/appeal", {"text": "It was a transfer."}).status_code == 302
    assert client.post(f"{page_of(asked)}/appeal", {"text": "It was a transfer."}).status_code == 422
    assert Appeal.objects.get().partner_id == filed.goods.a.pk
    assert Case.objects.get().state == "field_check"
    assert "looks at the matter again" in client.get(page_of(asked)).content.decode()


def test_what_favours_the_partner_is_told_and_needs_no_appeal(
    filed: Filed, client: Client, asked: CaseQuestion
) -> None:
    decide(filed, "explained")

    shown = client.get(page_of(asked)).content.decode()
    assert "accepts the explanation" in shown
    assert f"{page_of(asked)}/appeal" not in shown


def test_a_program_reads_a_question_and_answers_it_once(filed: Filed, asked: CaseQuestion) -> None:
    from portal.services import make_key
    from staff.models import User

    owner = User.objects.create_user("olga", password="x", role="owner")
    token = make_key(filed.goods.a, name="Warehouse", at=now(), created_by=owner)[1]
    client = Client(HTTP_HOST="brand.localhost", headers={"Authorization": f"Bearer {token}"})
    path = f"/api/v1/partner/questions/{asked.public_id}"

    [row] = client.get("/api/v1/partner/questions").json()["data"]
    one = client.get(path).json()
    assert (row["id"], row["state"]) == (asked.public_id, "open")
    assert [(each["kind"], each["packs"]) for each in one["evidence"]] == [("seen", 9), ("case", 4), ("picture", None)]
    assert client.get("/api/v1/partner/questions/que_x").status_code == 404
    for name in ("questions", "documents", "points"):  # a misspelt filter would filter nothing
        refused = client.get(f"/api/v1/partner/{name}?cursor=9&curser=9").json()
        assert (refused["code"], refused["errors"][0]["at"]) == ("unknown_filter", ["query", "curser"])

    def post(text: str, key: str) -> Any:
        body = {"text": text}
        return client.post(f"{path}/answers", body, content_type="application/json", headers={"Idempotency-Key": key})

    assert post("Here.", "short").status_code == 422
    assert [post("Here.", KEY).status_code for _time in range(2)] == [201, 201]
    assert post("There.", KEY).json()["code"] == "answer_differs"
    assert CaseAnswer.objects.get().text == "Here."
    assert client.get(path).json()["answers"][0]["late"] is False


def test_photos_are_read_for_their_kind_not_their_name() -> None:
    found = read_photo(picture(), name="../../x.pdf", papers=True)

    assert isinstance(found, Photo)
    assert (found.media_type, found.name) == ("image/jpeg", "x.pdf")


def test_the_last_one_asked_waits_last(filed: Filed, asked: CaseQuestion) -> None:
    from portal.replies import waiting

    later = case_evidence.ask(
        filed.case.pk, partner_id=filed.goods.a.pk, text="And case 2?", released=[], at=now(), by="lea"
    )
    assert isinstance(filed.goods.a, Partner)

    assert [one.url for one in waiting(filed.goods.a.pk, now())] == [page_of(asked), page_of(later)]
