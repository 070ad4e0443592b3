"""Copied and harvested codes: the lists, what people decide, and the page of a label."""

from collections.abc import Callable

import pytest
from django.test import Client

from analytics import copies
from analytics.models import CodeFinding, CodeVerdict, FarmFinding
from brands.models import Brand
from redemption.models import Caution
from tests.conftest import NOW
from tests.console.found import DAY, make_run
from tests.makers import labels_of, make_active_batch, serial_of

Browse = Callable[..., Client]
CODES, FARMS = "/console/diversion/codes", "/console/diversion/farms"


@pytest.fixture
def labels(brand: Brand) -> list[int]:
    return labels_of(make_active_batch(6, at=NOW))


def suspect(label_no: int, kind: str = "copied", score: float | None = 4.0) -> CodeFinding:
    run = make_run() if kind == "copied" else None
    return CodeFinding.objects.create(
        run=run, label_no=label_no, kind=kind, score=score, follow_ups=3, found_at=NOW - DAY
    )  # fmt: skip


def stops(label_no: int) -> list[str]:
    return [row.reason for row in copies.open_cautions(label_no)]


def test_the_list_says_what_and_how_sure(browse: Browse, labels: list[int]) -> None:
    suspect(labels[0], score=4.0)
    suspect(labels[1], "never_shipped", None)

    page = browse("analyst").get(CODES)

    assert page.status_code == 200
    words = {row.finding.kind: row.words for row in page.context["rows"]}
    assert words["copied"] == "55 to 1 that it was copied"  # e⁴ = 54.6
    assert words["never_shipped"].startswith("plain")
    text = page.content.decode()
    assert f"/console/labels/{serial_of(labels[0])}" in text
    assert "It was copied" not in text, "an analyst decides nothing"


def test_what_an_older_run_suspected_is_not_listed_again(browse: Browse, labels: list[int]) -> None:
    old = suspect(labels[0])
    suspect(labels[0])
    CodeFinding.objects.create(run=old.run, label_no=labels[1], kind="copied", score=1.0, found_at=NOW - 40 * DAY)
    CodeFinding.objects.create(run=old.run, label_no=labels[0], kind="early", found_at=NOW - 30 * DAY)

    rows = browse("analyst").get(CODES).context["rows"]

    assert [row.finding.label_no for row in rows] == [labels[0]]
    assert rows[0].first_found_at == NOW - 30 * DAY


def test_a_confirmed_copy_pays_no_points_and_twice_is_once(browse: Browse, labels: list[int]) -> None:
    suspect(labels[0])
    client = browse("investigator")
    assert stops(labels[0]) == []

    for _ in range(2):
        answer = client.post(f"{CODES}/{serial_of(labels[0])}/confirm", {"note": "bought in Foshan"})
        assert answer.status_code == 302

    assert stops(labels[0]) == ["clone"]
    [verdict] = CodeVerdict.objects.all()
    assert (verdict.decision, verdict.note, verdict.decided_by) == ("copied", "bought in Foshan", "the-investigator")
    [row] = browse("analyst").get(f"{CODES}?state=decided").context["rows"]
    assert row.stopped
    assert list(browse("analyst").get(f"{CODES}?state=open").context["rows"]) == []


def test_a_label_that_was_never_sold_leaked(browse: Browse, labels: list[int]) -> None:
    suspect(labels[0], "never_shipped", None)

    browse("legal").post(f"{CODES}/{serial_of(labels[0])}/confirm")

    assert stops(labels[0]) == ["leak"]


def test_an_honest_label_pays_again(browse: Browse, labels: list[int]) -> None:
    suspect(labels[0])
    client = browse("owner")
    client.post(f"{CODES}/{serial_of(labels[0])}/confirm")
    assert stops(labels[0]) == ["clone"]

    client.post(f"{CODES}/{serial_of(labels[0])}/clear", {"note": "a shop's demo"})

    assert stops(labels[0]) == []
    assert [row.decision for row in CodeVerdict.objects.order_by("pk")] == ["copied", "honest"]
    assert Caution.objects.get().outcome == "released"


def test_a_label_of_which_nothing_was_found_stays_as_it_is(browse: Browse, labels: list[int]) -> None:
    client = browse("owner")

    assert client.post(f"{CODES}/{serial_of(labels[0])}/confirm").status_code == 302
    assert client.post(f"{CODES}/5JQ2D4Y8562N/confirm").status_code == 404

    assert stops(labels[0]) == []
    assert not CodeVerdict.objects.exists()


@pytest.mark.parametrize("role", ["analyst", "auditor", "regional", "support"])
def test_who_may_not_decide_about_codes(browse: Browse, labels: list[int], role: str) -> None:
    suspect(labels[0])

    assert browse(role).post(f"{CODES}/{serial_of(labels[0])}/confirm").status_code == 403

    assert stops(labels[0]) == []


def test_the_form_leads_back_to_where_it_stood_and_nowhere_else(browse: Browse, labels: list[int]) -> None:
    suspect(labels[0])
    client, path = browse("owner"), f"{CODES}/{serial_of(labels[0])}/confirm"
    history = f"/console/labels/{serial_of(labels[0])}"

    assert client.post(path, {"back": history})["Location"] == history
    assert client.post(path, {"back": "https://evil.example/"})["Location"] == CODES
    assert client.post(path, {"back": "/console/labels/..//evil.example"})["Location"] == CODES


def test_the_page_of_a_label_shows_suspicion_and_cautions(browse: Browse, labels: list[int]) -> None:
    path = f"/console/labels/{serial_of(labels[0])}"
    assert "Suspicion" not in browse("investigator").get(path).content.decode()
    suspect(labels[0])
    browse("investigator").post(f"{CODES}/{serial_of(labels[0])}/confirm", {"note": "seen twice"})

    text = browse("investigator").get(path).content.decode()

    for words in ("Suspicion", "55 to 1 that it was copied", "seen twice", "pay no points"):
        assert words in text, words
    assert "Suspicion" not in browse("support").get(path).content.decode()


def test_the_codes_as_a_file(browse: Browse, labels: list[int]) -> None:
    suspect(labels[0])

    rows = browse("analyst").get(f"{CODES}?format=csv").content.decode("utf-8-sig").splitlines()

    assert len(rows) == 2
    assert serial_of(labels[0]) in rows[1]
    assert "4.00" in rows[1]


# --- harvested codes ---------------------------------------------------------------------------------------------------


@pytest.fixture
def farm(labels: list[int]) -> FarmFinding:
    return FarmFinding.objects.create(
        run=make_run(), kind="sequence", asker=1, first_label=labels[0], last_label=labels[1], redeemed=2, labels=2,
        found_at=NOW,
    )  # fmt: skip


def test_rewards_of_a_farm_are_held_once_and_let_go(browse: Browse, farm: FarmFinding, labels: list[int]) -> None:
    client = browse("investigator")

    for _ in range(2):
        client.post(f"{FARMS}/{farm.public_id}/hold")

    [held] = Caution.objects.all()
    assert (held.effect, held.reason, held.label_range.lower) == ("hold_reward", "farm", labels[0])
    assert held.label_range.upper == labels[1] + 1 + 2, "the neighbours, and as many after them"
    assert browse("analyst").get(FARMS).context["rows"][0].caution == held

    client.post(f"{FARMS}/{farm.public_id}/lift")

    held.refresh_from_db()
    assert held.outcome == "released"


def test_who_may_not_hold_rewards(browse: Browse, farm: FarmFinding) -> None:
    assert browse("analyst").post(f"{FARMS}/{farm.public_id}/hold").status_code == 403
    assert browse("owner").post(f"{FARMS}/frm_nothing/hold").status_code == 404

    assert not Caution.objects.exists()
