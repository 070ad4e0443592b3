"""A file of an investigation: its moves, its log, what was seen, the partner's word, and who decides."""

import hashlib
from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from threading import Barrier, Thread
from uuid import UUID

import psycopg
import pytest
from django.db import IntegrityError, connection, connections, transaction

from analytics import case_evidence, case_queries, casework, photos
from analytics.case_desk import BadEntry, FileIsClosed, MovedMeanwhile
from analytics.case_evidence import CheckDiffers, Seen
from analytics.case_models import MOVES
from analytics.casework import DeciderInvestigated, NoSuchMove, NotHeard
from analytics.models import (
    Case,
    CaseDecision,
    CasePhoto,
    CasePhotoContent,
    CaseQuestion,
    FieldCheck,
    Verdict,
)
from analytics.photos import BadPhoto, Spot, read_photo
from brands.models import Brand
from channel.models import Territory, UnitRange
from common.errors import Conflict, NotFound
from labels import elements
from labels.queries import serials_of
from redemption.models import Caution, Scan
from staff.models import User
from tests.analytics.files import Filed, make_file, make_person_of, photo, picture
from tests.channel.goods import make_region
from tests.conftest import NOW
from tests.environment import BRAND, CLUSTER, embedded
from tests.makers import secrets_of

CHECK = UUID("6c1f1d0e-6f0a-4a4e-8a53-0d6b3c7b5b11")
SPOT = Spot(23.13, 113.26, 12.0)


@pytest.fixture
def filed(brand: Brand) -> Filed:
    return make_file()


def put(filed: Filed, state: str) -> Case:
    """Lead the file to a state on a legal way."""
    pk, at = filed.case.pk, NOW
    if state in {"watch", "field_check"}:
        casework.move(pk, seen="new", to=state, at=at, by="ina")
    elif state in {"rejected", "explained", "closed"}:
        decision = "rejected" if state == "closed" else state
        casework.decide(pk, seen="new", decision=decision, reason="R.", at=at, by="lea")
        if state == "closed":
            casework.move(pk, seen="rejected", to="closed", at=at, by="lea")
    elif state == "confirmed":
        put(filed, "field_check")
        hear(filed)
        casework.decide(pk, seen="field_check", decision="confirmed", reason="R.", at=at, by="lea")
    return Case.objects.get(pk=pk)


def hear(filed: Filed) -> CaseQuestion:
    asked = case_evidence.ask(
        filed.case.pk, partner_id=filed.goods.a.pk, text="Where did case 1 go?", released=[], at=NOW, by="lea"
    )
    case_evidence.answer(asked.pk, text="To our own shop.", at=NOW, by="shop-a")
    return asked


def kinds(case: Case) -> list[str]:
    return list(case.entries.order_by("pk").values_list("kind", flat=True))


# --- opening and moving ------------------------------------------------------------------------------------------------


def test_a_file_opens_once_for_a_shipment_with_what_was_found(filed: Filed) -> None:
    again = casework.open_case(filed.shipment.pk, at=NOW, by="ben")

    assert again == filed.case
    assert (again.finding, again.distributor_id, again.state) == (filed.finding, filed.goods.a.pk, "new")
    assert kinds(again) == ["opened", "assigned"]
    assert again.entries.earliest("pk").data == {"finding": filed.finding.public_id, "probability": 0.94}


def test_what_is_no_shipment_has_no_file(brand: Brand) -> None:
    with pytest.raises(NotFound):
        casework.open_case(10**9, at=NOW, by="ana")


@pytest.mark.parametrize("before", MOVES)
@pytest.mark.parametrize("after", MOVES)
def test_only_the_moves_of_the_table_are_made_by_the_verb_and_by_the_database(
    filed: Filed, before: str, after: str
) -> None:
    case = put(filed, before)
    lines = case.entries.count()
    by_hand = {"watch", "field_check"} if before in {"new", "watch", "field_check"} else {"closed"}

    if after in MOVES[before] and after in by_hand:
        assert casework.move(case.pk, seen=before, to=after, at=NOW, by="ina").state == after
        assert case.entries.latest("pk").data == {"before": before, "after": after}
    else:
        with pytest.raises(NoSuchMove):
            casework.move(case.pk, seen=before, to=after, at=NOW, by="ina")
        assert case.entries.count() == lines
    if after not in MOVES[before] and after != before:
        with pytest.raises(IntegrityError, match="does not move"), transaction.atomic():
            Case.objects.filter(pk=case.pk).update(state=after)


@pytest.mark.parametrize("state", ["rejected", "explained"])
def test_the_database_takes_no_verdict_without_a_decision(filed: Filed, state: str) -> None:
    with pytest.raises(IntegrityError, match="by a decision"), transaction.atomic():
        Case.objects.filter(pk=filed.case.pk).update(state=state)


def test_who_acts_on_an_old_view_is_told_and_changes_nothing(filed: Filed) -> None:
    casework.move(filed.case.pk, seen="new", to="watch", at=NOW, by="ina")

    with pytest.raises(MovedMeanwhile, match="watched"):
        casework.move(filed.case.pk, seen="new", to="field_check", at=NOW, by="ben")

    assert Case.objects.get().state == "watch"


def test_of_two_who_move_at_once_one_wins(real_commits: Brand) -> None:
    filed = make_file()
    start, told = Barrier(2), []

    def go(to: str) -> None:
        connection.set_tenant(real_commits)
        try:
            start.wait(20)
            casework.move(filed.case.pk, seen="new", to=to, at=NOW, by=to)
            told.append("moved")
        except MovedMeanwhile:
            told.append("late")
        finally:
            connections.close_all()

    threads = [Thread(target=go, args=(to,)) for to in ("watch", "field_check")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert sorted(told) == ["late", "moved"]
    assert kinds(Case.objects.get()).count("moved") == 1


def test_charge_and_due_day_are_kept_with_who_set_them(filed: Filed) -> None:
    casework.assign(filed.case.pk, to=filed.lea, at=NOW, by="ana")
    casework.set_due(filed.case.pk, due_on=date(2026, 12, 4), at=NOW, by="ana")
    casework.set_due(filed.case.pk, due_on=date(2026, 12, 4), at=NOW, by="ana")

    assert kinds(filed.case) == ["opened", "assigned", "assigned", "due"]
    assert list(case_queries.late(Case.objects.all(), at=NOW)) == []
    assert list(case_queries.late(Case.objects.all(), at=NOW + timedelta(days=30))) == [filed.case]


def test_a_note_says_something(filed: Filed) -> None:
    assert casework.note(filed.case.pk, text=" Seen. ", at=NOW, by="ina").text == "Seen."
    with pytest.raises(BadEntry):
        casework.note(filed.case.pk, text=" \x00 ", at=NOW, by="ina")


# --- written once ------------------------------------------------------------------------------------------------------


def filled(filed: Filed) -> Filed:
    """Write one row of everything."""
    casework.move(filed.case.pk, seen="new", to="field_check", at=NOW, by="ina")
    check(filed, photos=(photo(),))
    hear(filed)
    casework.decide(filed.case.pk, seen="field_check", decision="confirmed", reason="R.", at=NOW, by="lea")
    casework.appeal(filed.case.pk, text="Not so.", at=NOW, by="shop-a", partner_id=filed.goods.a.pk)
    return filed


CHANGES = {
    "log": "UPDATE {s}.analytics_caseentry SET text = 'x'",
    "shop": "UPDATE {s}.analytics_fieldcheck SET shop = 'x'",
    "where a check was": "UPDATE {s}.analytics_fieldcheck SET lat = 1",
    "hash": "UPDATE {s}.analytics_casephoto SET sha256 = ''",
    "where a photo was": "UPDATE {s}.analytics_casephoto SET lon = 1",
    "picture": "UPDATE {s}.analytics_casephotocontent SET cipher = ''",
    "released evidence": "UPDATE {s}.analytics_casequestion SET released = '[1]'",
    "last day": "UPDATE {s}.analytics_casequestion SET answer_by = '2030-01-01'",
    "moment of the answer": "UPDATE {s}.analytics_casequestion SET answered_at = now()",
    "no answer": "UPDATE {s}.analytics_casequestion SET answered_at = NULL",
    "answer": "UPDATE {s}.analytics_caseanswer SET text = 'x'",
    "decision": "UPDATE {s}.analytics_casedecision SET decision = 'rejected'",
    "appeal": "UPDATE {s}.analytics_appeal SET text = 'x'",
    **{f"delete {name}": f"DELETE FROM {{s}}.analytics_{name}" for name in (
        "case", "caseentry", "fieldcheck", "casephoto", "casequestion", "caseanswer", "casedecision", "appeal"
    )},
}  # fmt: skip


def passed(session: psycopg.Connection) -> list[str]:
    """Try all changes; return those that went through."""
    found = []
    for what, statement in CHANGES.items():
        try:
            session.execute(statement.format(s=BRAND))
        except (psycopg.errors.InsufficientPrivilege, psycopg.errors.RestrictViolation):
            continue
        found.append(what)
    return found


def test_nothing_in_a_file_is_changed_afterwards_not_even_by_the_owner(real_commits: Brand) -> None:
    filled(make_file())
    name = connection.settings_dict["NAME"]

    with psycopg.connect(CLUSTER.url(embedded.APP_ROLE, name), autocommit=True) as session:
        assert session.execute(f"SELECT count(*) FROM {BRAND}.analytics_appeal").fetchone() == (1,)
        assert passed(session) == []
    with psycopg.connect(CLUSTER.url("postgres", name), autocommit=True) as session:
        assert passed(session) == []
        session.execute(f"DROP TRIGGER evidence_stays ON {BRAND}.analytics_casephoto")
        assert passed(session) == ["hash", "where a photo was"]  # without its guard


def test_photographs_of_old_files_are_deleted_and_their_hashes_stay(filed: Filed) -> None:
    check(filed, photos=(photo(),))
    casework.decide(filed.case.pk, seen="new", decision="rejected", reason="R.", at=NOW, by="lea")
    assert photos.forget_old(at=NOW + timedelta(days=9_999)) == 0  # the file is not closed
    casework.move(filed.case.pk, seen="rejected", to="closed", at=NOW, by="lea")

    assert photos.forget_old(at=NOW + timedelta(days=1_094)) == 0
    assert photos.forget_old(at=NOW + timedelta(days=1_095)) == 1

    [row] = CasePhoto.objects.all()
    assert (bytes(row.sha256), row.lat, FieldCheck.objects.get().lon) == (photo().sha256, None, None)
    with pytest.raises(NotFound):
        photos.look_at(row, at=NOW)


# --- photographs and checks ----------------------------------------------------------------------------------------------


def check(filed: Filed, **values: object) -> FieldCheck:
    label = serials_of(filed.goods.labels(0))[1]
    seen = replace(Seen(label, "Tianhe 12", "INV-7", Decimal("39.90"), "", SPOT), **values)  # type: ignore[arg-type]
    return case_evidence.field_check(filed.case.pk, uuid=CHECK, seen=seen, at=NOW, by="ina")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_a_photograph_keeps_its_bytes_its_hash_and_the_servers_time(filed: Filed, kind: str) -> None:
    data = picture(kind=kind)

    row = case_evidence.add_photo(filed.case.pk, photo=read_photo(data), at=NOW, by="ina", spot=SPOT)

    assert (bytes(row.sha256), row.size, row.at) == (hashlib.sha256(data).digest(), len(data), NOW)
    assert (row.lat, row.lon, row.accuracy_m) == (SPOT.lat, SPOT.lon, SPOT.accuracy_m)
    assert photos.look_at(row, at=NOW) == data
    assert data[:20] not in bytes(CasePhotoContent.objects.get().cipher)


def test_the_same_bytes_are_one_photograph(filed: Filed) -> None:
    for colour in ("red", "red", "blue"):
        case_evidence.add_photo(filed.case.pk, photo=photo(colour), at=NOW, by="ina")

    assert CasePhoto.objects.count() == 2


@pytest.mark.parametrize(
    "sent",
    [b"", b"<svg/>", b"<html><script>alert(1)</script>", picture()[:200], picture(kind="GIF"), b"%PDF-1.7 %%EOF",
     b"\0\0\0\x18ftypheic\0\0\0\0mif1heic"],
    ids=["nothing", "svg", "html", "cut off", "gif", "a paper by itself", "an empty heic"],
)  # fmt: skip
def test_what_is_no_photograph_is_refused(sent: bytes) -> None:
    assert read_photo(picture()).media_type == "image/jpeg"
    with pytest.raises(BadPhoto):
        read_photo(sent)


def test_of_several_files_the_one_that_cannot_be_kept_is_named() -> None:
    with pytest.raises(BadPhoto, match=r"^shelf\.jpg cannot be kept: send a JPEG"):
        read_photo(b"<html>", name="C:\\shelf.jpg")
    with pytest.raises(BadPhoto, match=r"^bill\.txt cannot be kept: send a PDF, JPEG"):
        read_photo(b"", name="bill.txt", papers=True)


def test_a_heic_is_known_by_its_boxes_and_a_paper_passes_with_an_answer() -> None:
    boxes = b"\0\0\0\x18ftypheic\0\0\0\0mif1heic" + b"\0\0\0\x0cmeta\0\0\0\0" + b"\0\0\0\x0amdat\1\2"

    assert read_photo(boxes).media_type == "image/heic"
    assert read_photo(b"%PDF-1.7 ... %%EOF", name="C:\\waybill.pdf", papers=True).name == "waybill.pdf"
    with pytest.raises(BadPhoto):
        read_photo(boxes + b"x")


def test_a_check_sent_twice_is_one_and_makes_no_scan(filed: Filed) -> None:
    first = check(filed, photos=(photo(), photo("blue")))
    again = check(filed, photos=(photo("blue"), photo()))

    assert first == again
    assert (first.label_no, first.price, first.lat) == (filed.goods.labels(0)[1], Decimal("39.90"), SPOT.lat)
    assert CasePhoto.objects.filter(check_of=first).count() == 2
    assert kinds(filed.case) == ["opened", "assigned", "field_check"]
    assert not Scan.objects.exists()


def test_other_content_under_the_same_uuid_is_refused(filed: Filed) -> None:
    check(filed)
    with pytest.raises(CheckDiffers):
        check(filed, shop="Another")
    with pytest.raises(CheckDiffers):
        check(filed, photos=(photo(),))


def test_a_foreign_label_is_kept_as_it_reads_and_a_hidden_code_is_not(filed: Filed) -> None:
    secret = secrets_of(filed.goods.batch)[0]

    with pytest.raises(BadEntry, match="hidden code"):
        check(filed, label=secret)
    assert check(filed, label="https://fake.example/q/1").label_no is None


def test_a_case_of_ours_is_no_hidden_code_though_it_may_read_like_one(
    filed: Filed, monkeypatch: pytest.MonkeyPatch
) -> None:
    reading = elements.read(secrets_of(filed.goods.batch)[0])
    monkeypatch.setattr(case_evidence.elements, "read", lambda _text: reading)
    case = filed.goods.cases[0]

    assert check(filed, label=case).label == case


def test_a_closed_file_takes_nothing_but_notes(filed: Filed) -> None:
    put(filed, "closed")

    for act in (
        lambda: check(filed),
        lambda: case_evidence.add_photo(filed.case.pk, photo=photo(), at=NOW, by="ina"),
        lambda: casework.assign(filed.case.pk, to=filed.lea, at=NOW, by="ana"),
        lambda: hear(filed),
    ):
        with pytest.raises(FileIsClosed):
            act()
    casework.note(filed.case.pk, text="Archived.", at=NOW, by="ana")


# --- the partner's word, and decisions -------------------------------------------------------------------------------------


def confirm(filed: Filed, by: str = "lea", days: int = 0) -> CaseDecision:
    return casework.decide(
        filed.case.pk, seen="field_check", decision="confirmed", reason="Seen in two shops.", penalty="Deposit kept.",
        at=NOW + timedelta(days=days), by=by,
    )  # fmt: skip


def test_an_answer_is_kept_with_its_papers(filed: Filed) -> None:
    asked = case_evidence.ask(filed.case.pk, partner_id=filed.goods.a.pk, text="Where?", released=[], at=NOW, by="lea")
    paper = read_photo(b"%PDF-1.7 %%EOF", name="waybill.pdf", papers=True)

    row = case_evidence.answer(asked.pk, text="Here.", at=NOW + timedelta(days=12), by="shop-a", uploads=[paper])

    asked.refresh_from_db()
    assert asked.answer_by == date(2026, 12, 4)  # ten working days after Sunday 22 November
    assert asked.answered_at == row.at
    assert row.uploads.get().media_type == "application/pdf"


def test_nothing_is_confirmed_before_the_partner_was_heard(filed: Filed) -> None:
    put(filed, "field_check")

    with pytest.raises(NotHeard):  # nobody was asked
        confirm(filed)
    case_evidence.ask(filed.case.pk, partner_id=filed.goods.b.pk, text="Yours?", released=[], at=NOW, by="lea")
    with pytest.raises(NotHeard):  # another partner was
        confirm(filed, days=40)
    case_evidence.ask(filed.case.pk, partner_id=filed.goods.a.pk, text="Where?", released=[], at=NOW, by="lea")
    with pytest.raises(NotHeard):  # the answer may still come
        confirm(filed, days=12)

    assert confirm(filed, days=13).heard == CaseQuestion.objects.latest("pk")
    assert Verdict.objects.get().decision == "confirmed"
    assert Case.objects.get().state == "confirmed"


def test_an_answer_is_enough_and_a_new_question_waits_again(filed: Filed) -> None:
    put(filed, "field_check")
    hear(filed)
    case_evidence.ask(filed.case.pk, partner_id=filed.goods.a.pk, text="And case 2?", released=[], at=NOW, by="lea")

    with pytest.raises(NotHeard):
        confirm(filed)
    case_evidence.answer(CaseQuestion.objects.latest("pk").pk, text="Sold.", at=NOW, by="shop-a")

    assert confirm(filed).decision == "confirmed"


@pytest.mark.parametrize("decision", ["rejected", "explained"])
def test_what_favours_the_partner_needs_no_question(filed: Filed, decision: str) -> None:
    row = casework.decide(filed.case.pk, seen="new", decision=decision, reason="A transfer.", at=NOW, by="lea")

    assert (row.heard, row.verdict.decision, row.investigators) == (None, decision, ["ina"])


def test_who_investigated_does_not_decide(filed: Filed) -> None:
    put(filed, "field_check")
    hear(filed)
    casework.assign(filed.case.pk, to=None, at=NOW, by="ana")
    case_evidence.add_photo(filed.case.pk, photo=photo(), at=NOW, by="pia")

    for name in ("ina", "pia"):  # once in charge; brought a photograph
        with pytest.raises(DeciderInvestigated):
            confirm(filed, by=name)

    assert confirm(filed).investigators == ["ina", "pia"]


@pytest.mark.parametrize(
    ("change", "name"),
    [
        ({"decided_by": "ina"}, "who_decides_did_not_investigate"),
        ({"heard": None}, "confirmed_after_the_partner_was_heard"),
        ({"decision": "rejected"}, "a_penalty_follows_a_confirmation"),
        ({"reason": ""}, "a_decision_says_why"),
    ],
)
def test_the_database_keeps_the_rules_of_decisions(filed: Filed, change: dict[str, object], name: str) -> None:
    asked = hear(filed)
    good = {"case": filed.case, "decision": "confirmed", "reason": "R.", "penalty": "P.", "heard": asked,
            "investigators": ["ina"], "at": NOW, "decided_by": "lea"}  # fmt: skip
    CaseDecision.objects.create(**good)

    with pytest.raises(IntegrityError, match=name), transaction.atomic():
        CaseDecision.objects.create(**good | change)


def test_a_penalty_is_noted_only_with_a_confirmation(filed: Filed) -> None:
    with pytest.raises(BadEntry):
        casework.decide(filed.case.pk, seen="new", decision="rejected", reason="R.", penalty="P.", at=NOW, by="lea")


def test_an_appeal_reopens_once_and_the_next_verdict_counts(filed: Filed) -> None:
    put(filed, "closed")

    row = casework.appeal(filed.case.pk, text="New papers.", at=NOW, by="shop-a", partner_id=filed.goods.a.pk)

    assert Case.objects.get().state == "field_check"
    assert row.decision == CaseDecision.objects.get()
    with pytest.raises(NoSuchMove):
        casework.appeal(filed.case.pk, text="Again.", at=NOW, by="shop-a")
    with pytest.raises(IntegrityError, match="by a decision"), transaction.atomic():
        Case.objects.update(state="rejected")  # that decision was appealed
    casework.decide(filed.case.pk, seen="field_check", decision="explained", reason="R.", at=NOW, by="lea")
    assert [one.decision for one in Verdict.objects.order_by("pk")] == ["rejected", "explained"]


def test_an_appeal_does_not_open_a_second_file(filed: Filed) -> None:
    put(filed, "closed")
    casework.open_case(filed.shipment.pk, at=NOW, by="ana")

    with pytest.raises(Conflict, match="Another file"):
        casework.appeal(filed.case.pk, text="New papers.", at=NOW, by="shop-a")


# --- cautions ----------------------------------------------------------------------------------------------------------


def test_rewards_of_a_shipment_or_of_one_case_are_slowed_and_freed(filed: Filed) -> None:
    casework.open_cautions(filed.case.pk, effect="hold_reward", at=NOW, by="ina")
    unit = UnitRange.objects.get(label_range__contains=filed.goods.labels(1)[0]).unit
    casework.open_cautions(filed.case.pk, effect="stop_points", unit_id=unit.pk, at=NOW, by="ina")

    labels = [*filed.goods.labels(0), *filed.goods.labels(1)]
    whole, one = Caution.objects.order_by("pk")
    assert (whole.label_range.lower, whole.label_range.upper) == (labels[0], labels[-1] + 1)
    assert (one.label_range.lower, one.label_range.upper) == (labels[4], labels[-1] + 1)
    assert casework.lift_cautions(filed.case.pk, outcome="released", at=NOW, by="lea") == 2
    assert casework.lift_cautions(filed.case.pk, outcome="released", at=NOW, by="lea") == 0
    assert set(Caution.objects.values_list("outcome", flat=True)) == {"released"}
    assert kinds(filed.case)[2:] == ["caution", "caution", "lifted"]


# --- who sees what -----------------------------------------------------------------------------------------------------


def test_each_role_sees_its_own_files(filed: Filed) -> None:
    people = {role: make_person_of(role, role) for role in ("investigator", "analyst", "auditor")}
    country = make_region("CN", kind="country")
    south, north = make_region("CN-GD", country), make_region("CN-HE", country)
    town = make_region("4401", south, "city")
    Territory.objects.create(partner=filed.goods.b, region=town, valid_from=date(2020, 1, 1))
    Territory.objects.create(partner=filed.goods.shop, region=north, valid_from=date(2020, 1, 1))
    regional = make_person_of("regional", "rex", "CN-GD")
    elsewhere = make_person_of("regional", "ray", "CN-HE")

    def sees(user: User) -> bool:
        return case_queries.files_for(user, at=NOW).exists()

    assert [sees(filed.ina), sees(people["investigator"])] == [True, False]
    assert [sees(people["analyst"]), sees(people["auditor"])] == [True, True]
    assert [sees(regional), sees(elsewhere), sees(make_person_of("regional", "rob"))] == [True, False, False]
