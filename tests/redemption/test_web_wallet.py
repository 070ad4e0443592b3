"""The wallet: only for its member, with every point explained, and the ways out of it."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest

from brands.models import Brand
from common.clock import now
from labels.models import Batch
from members.models import Consent, Member
from members.queries import allows
from redemption import voice
from redemption.models import Redemption
from redemption.services import reverse_redemption
from redemption.sms import answer_many
from redemption.visitor import FRESH_FOR
from sms_gateway.doors import CallStep, IncomingText, Line, Reply
from tests.makers import POINTS_PER_LABEL, labels_of, make_active_batch, make_campaign, secret_of
from tests.redemption.web import Person, words

pytestmark = pytest.mark.django_db
PAGES = ["/me", "/me/entries", "/me/receipts", "/me/data", "/me/export", "/me/delete"]


@pytest.fixture
def batch(brand: Brand) -> Batch:
    at = now() - timedelta(days=2)
    batch = make_active_batch(at=at)
    make_campaign(product=batch.product, expires_after_months=1, at=at)
    return batch


@pytest.fixture
def member(brand: Brand) -> Person:
    return signed_in(Person())


def signed_in(person: Person, back: str = "") -> Person:
    page = person.get(f"/me/sign-in?next={back}")
    page = person.press(page, "sign-in", "send", phone=person.phone)
    entered = person.press(page, "sign-in", "enter", phone=person.phone, one_time_code=person.last_code())
    assert entered.status_code == 303
    return person


@pytest.mark.parametrize("path", PAGES)
def test_who_is_not_signed_in_is_sent_to_sign_in_and_back(brand: Brand, path: str) -> None:
    person = Person()

    sent = person.get(path)

    assert (sent.status_code, sent.url) == (303, f"/me/sign-in?next={path}")
    signed_in(person, path)
    assert person.get(path).status_code == 200


@pytest.mark.parametrize("evil", ["https://evil.example/", "//evil.example", "javascript:alert(1)", "\\\\evil.example"])
def test_signing_in_leads_nowhere_else(brand: Brand, evil: str) -> None:
    person = Person()
    page = person.press(person.get(f"/me/sign-in?next={evil}"), "sign-in", "send", phone=person.phone)

    entered = person.press(page, "sign-in", "enter", phone=person.phone, one_time_code=person.last_code(), next=evil)

    assert entered.url == "/me"


def test_an_empty_wallet_says_what_fills_it(member: Person) -> None:
    assert "No points yet Check a label" in words(member.get("/me"))
    assert "No receipts yet" in words(member.get("/me/receipts"))


def test_points_show_with_their_product_receipt_and_day_of_expiry(member: Person, batch: Batch) -> None:
    done = member.claim(member.get("/claim"), secret_of(labels_of(batch)[0]))

    wallet = member.get("/me")

    assert f"{POINTS_PER_LABEL} points" in words(wallet)
    assert "Expiring soon" in words(wallet)
    assert f"+{POINTS_PER_LABEL}" in words(wallet)
    assert done.url in wallet.content.decode()
    assert done.url in member.get("/me/receipts").content.decode()


def test_points_taken_back_show_with_a_minus_and_why(member: Person, batch: Batch) -> None:
    member.claim(member.get("/claim"), secret_of(labels_of(batch)[0]))
    reverse_redemption(Redemption.objects.get().pk, at=now(), asked_by="test", reason="mistake")

    wallet = words(member.get("/me"))

    assert "0 points" in wallet
    assert f"−{POINTS_PER_LABEL}" in wallet
    assert "Points taken back" in wallet


def test_entries_come_in_pages(member: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("redemption.wallet_views.PER_PAGE", 2)
    batch = make_active_batch(3, at=now() - timedelta(days=1))
    make_campaign(product=batch.product, at=now() - timedelta(days=1))
    for label_no in labels_of(batch):
        member.claim(member.get("/claim"), secret_of(label_no))

    first = member.get("/me/entries")
    cursor = first.content.decode().split('href="?cursor=')[1].split('"')[0]
    older = member.get(f"/me/entries?cursor={cursor}")

    assert first.content.decode().count("<li class") == 2
    assert older.content.decode().count("<li class") == 1
    assert "?cursor=" not in older.content.decode()
    assert member.get("/me/entries?cursor=x'--").status_code == 200


def test_a_member_sees_nothing_of_another(member: Person, batch: Batch) -> None:
    done = member.claim(member.get("/claim"), secret_of(labels_of(batch)[0]))
    stranger = signed_in(Person(phone="+8613900139000"))

    assert stranger.get(done.url).status_code == 404
    assert "No points yet" in words(stranger.get("/me"))


def test_consents_are_given_and_taken_back(member: Person) -> None:
    who = Member.objects.get()

    member.press(member.get("/me/data"), "/me/consent", purpose="marketing", granted="yes")
    assert allows(who.pk, "marketing")
    member.press(member.get("/me/data"), "/me/consent")
    assert not allows(who.pk, "marketing")
    assert Consent.objects.count() == 2

    assert member.post("/me/consent", {"purpose": "everything", "granted": "yes"}).status_code == 404


@pytest.mark.parametrize("wish", ["zh-hans", "en"])
def test_a_language_chosen_here_is_that_of_every_door(member: Person, wish: str) -> None:
    chosen = member.press(member.get("/me/data"), "/me/language", language=wish)

    assert Member.objects.get().language == wish
    page = member.get(chosen.url)
    assert f'<html lang="{wish}' in page.text
    assert f'value="{wish}" required checked' in page.text
    assert f'<html lang="{wish}' in member.get("/me").text, "the pages stay in it"
    line = Line(e164="+862160001111", languages=("en",) if wish == "zh-hans" else ("zh-hans",))
    text = IncomingText(request_id="twilio:SM1", sender=member.phone, number=line, body="12345", received_at=now())
    [reply] = answer_many([text])
    assert isinstance(reply, Reply)
    assert reply.language == wish
    step = CallStep(
        request_id="voice:C1:1", call_id="C1", caller=member.phone, number=replace(line, languages=("zh-hans", "en")),
        step="start", turn=1, digits=None, language="", at=now(),
    )  # fmt: skip
    assert voice.answer(step).language == wish


def test_no_other_language_is_kept(member: Person) -> None:
    assert member.post("/me/language", {"language": "tlh"}).status_code == 404
    assert Member.objects.get().language != "tlh"


def test_the_export_holds_what_is_kept(member: Person, batch: Batch) -> None:
    member.claim(member.get("/claim"), secret_of(labels_of(batch)[0]))
    member.press(member.get("/report"), "report", kind="other", note="odd smell")

    answer = member.get("/me/export")

    assert "attachment" in answer.headers["Content-Disposition"]
    data = json.loads(answer.content)
    assert data["phone"] == member.phone
    assert data["points"]["balance"] == POINTS_PER_LABEL
    assert data["reports"][0]["note"] == "odd smell"


@pytest.mark.parametrize("path", ["/me/export", "/me/delete"])
def test_export_and_deletion_ask_for_a_new_code(member: Person, path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert member.get(path).status_code == 200

    monkeypatch.setattr("redemption.wallet_views.now", lambda: now() + FRESH_FOR + timedelta(seconds=2))
    asked = member.get(path)

    assert (asked.status_code, asked.url) == (303, f"/me/sign-in?next={path}")
    assert "Please confirm that it is you" in words(member.get(asked.url))


def test_deleting_shows_what_is_lost_asks_and_forgets(member: Person, batch: Batch) -> None:
    member.claim(member.get("/claim"), secret_of(labels_of(batch)[0]))
    member.press(member.get("/report"), "report", kind="other", note="odd smell")
    page = member.get("/me/delete")

    unsure = member.press(page, "/me/delete")
    assert Member.objects.get().state == "active"
    gone = member.press(page, "/me/delete", sure="yes")

    assert f"Points that are lost {POINTS_PER_LABEL}" in words(page)
    assert "Receipts that you can no longer open 1" in words(page)
    assert unsure.status_code == 400
    assert "Your data are deleted" in words(gone)
    assert Member.objects.get().state == "erased"
    assert member.get("/me").status_code == 303


def test_signing_out_leaves_nothing_on_the_device(member: Person, batch: Batch) -> None:
    done = member.claim(member.get("/claim"), secret_of(labels_of(batch)[0]))

    member.press(member.get("/me/data"), "/me/sign-out")

    assert member.get("/me").status_code == 303
    assert member.get(done.url).status_code == 404


def test_staff_and_members_are_strangers_to_each_other(member: Person) -> None:
    assert member.get("/console/").status_code == 302
    assert "session" not in member.cookies


def test_rules_and_privacy_are_there_for_everyone(batch: Batch) -> None:
    person = Person(language="zh-CN")
    rules = person.get("/rules")
    campaign = rules.content.decode().split('href="/rules/')[1].split('"')[0]

    assert f"{POINTS_PER_LABEL} 分" in words(person.get(f"/rules/{campaign}"))
    assert "查询标签无需表明身份" in words(person.get("/privacy"))
    assert person.get("/rules/cmp_nothing").status_code == 404
