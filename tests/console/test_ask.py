"""Asking the distributor of a file: what is ticked is previewed, and what was previewed is sent, once."""

import re
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.test import Client

from analytics import case_evidence, casework
from analytics.models import CaseEntry, CasePhoto, CaseQuestion
from channel.models import Partner
from common.clock import now
from redemption.models import ScanRoute
from tests.analytics.files import Filed, make_file, photo
from tests.channel.goods import ago
from tests.portal.world import scan

Browse = Callable[..., Client]
DIGEST = re.compile(r'name="digest" value="(\w{64})"')
WORDS = "Where did these packs go?"


@pytest.fixture
def filed(browse: Browse) -> Filed:
    found = make_file()
    for n in range(5):
        scan(
            found.goods.labels(0)[n % 4], 7_000 + n, ago(days=3), found.shipment, found.goods.a, city="Shenzhen",
            region="CN-440300",
        )  # fmt: skip
    ScanRoute.objects.update(market=["CN-430100"])
    for colour in ("red", "blue"):
        case_evidence.add_photo(found.case.pk, photo=photo(colour), at=now(), by="ina")
    return found


def address(filed: Filed) -> str:
    return f"/console/cases/{filed.case.public_id}/ask"


def rows(filed: Filed) -> list[str]:
    return [f"case:{filed.goods.cases[0]}", f"picture:{CasePhoto.objects.earliest('pk').public_id}"]


def preview(client: Client, filed: Filed, **more: Any) -> tuple[Any, str]:
    answer = client.post(address(filed), {"text": WORDS, "row": rows(filed), "step": "preview", **more})
    found = DIGEST.search(answer.content.decode())
    return answer, found[1] if found else ""


def test_what_was_ticked_is_previewed_and_sent_once(browse: Browse, filed: Filed) -> None:
    lawyer = browse("legal")
    form = lawyer.get(address(filed)).content.decode()
    for key in [*rows(filed), "seen:CN-440300:"]:
        assert f'value="{key}' in form

    answer, digest = preview(lawyer, filed)
    shown = answer.content.decode()
    assert filed.goods.cases[0] in shown
    assert filed.goods.cases[1] not in shown
    assert "Shenzhen" not in shown
    assert not CaseQuestion.objects.exists()

    for _time in range(2):
        sent = lawyer.post(address(filed), {"text": WORDS, "row": rows(filed), "step": "send", "digest": digest})
        assert sent["Location"] == f"/console/cases/{filed.case.public_id}"
    question = CaseQuestion.objects.get()
    assert [row["kind"] for row in question.released] == ["case", "picture"]
    assert (question.partner_id, question.text) == (filed.goods.a.pk, WORDS)
    assert CaseEntry.objects.filter(kind="asked").count() == 1
    assert WORDS in lawyer.get(f"/console/cases/{filed.case.public_id}").content.decode()


def test_nothing_but_what_was_previewed_is_sent(browse: Browse, filed: Filed) -> None:
    lawyer = browse("legal")
    _answer, digest = preview(lawyer, filed)

    for more in ({"row": rows(filed)[:1]}, {"text": "Other words?"}, {"digest": ""}):
        body = {"text": WORDS, "row": rows(filed), "step": "send", "digest": digest, **more}
        assert lawyer.post(address(filed), body).status_code == 409
    for key in ("check:1", f"picture:{'pho_x'}", "seen:CN-440600:2026-11-19", "\x00"):
        assert preview(lawyer, filed, row=[key])[0].status_code == 409
    assert not CaseQuestion.objects.exists()


def test_a_question_names_no_other_partner(browse: Browse, filed: Filed) -> None:
    Partner.objects.filter(pk=filed.goods.b.pk).update(name="South Tea Trading")
    lawyer = browse("legal")
    assert preview(lawyer, filed)[1]

    for text in ("Did you sell to south tea trading?", f"Do you know {filed.goods.b.number}?"):
        answer, digest = preview(lawyer, filed, text=text)
        assert (answer.status_code, digest) == (422, "")
        assert "another partner" in answer.content.decode()
    assert preview(lawyer, filed, text=" ")[0].status_code == 422


def test_one_may_go_back_and_change_it(browse: Browse, filed: Filed) -> None:
    answer = browse("legal").post(address(filed), {"text": WORDS, "row": rows(filed), "step": "change"})

    assert answer.status_code == 200
    assert WORDS in answer.content.decode()
    assert answer.content.decode().count(" checked") == 2


def test_who_may_not_ask_is_refused_and_a_closed_file_asks_nothing(browse: Browse, filed: Filed) -> None:
    assert browse("analyst").get(address(filed)).status_code == 403
    assert browse("investigator").get(address(filed)).status_code == 404  # in somebody else's charge

    lawyer = browse("legal")
    _answer, digest = preview(lawyer, filed)
    casework.decide(filed.case.pk, seen="new", decision="rejected", reason="R.", at=now(), by="lea")
    casework.move(filed.case.pk, seen="rejected", to="closed", at=now() + timedelta(minutes=1), by="lea")
    body = {"text": WORDS, "row": rows(filed), "step": "send", "digest": digest}
    assert lawyer.post(address(filed), body).status_code == 409
    assert not CaseQuestion.objects.exists()


def test_words_for_the_partner_are_kept_with_the_decision(browse: Browse, filed: Filed) -> None:
    body = {"seen": "new", "decision": "explained", "reason": "An informant's word.", "told": "A transfer explains it."}

    browse("legal").post(f"/console/cases/{filed.case.public_id}/decide", body)

    assert filed.case.decisions.get().told == "A transfer explains it."
