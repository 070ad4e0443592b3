"""The winner's pages: what I won, what is asked of me, by when; nobody else sees it; and the public list, masked."""

from datetime import timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from brands.models import Brand
from common.clock import now
from lottery.models import Claim
from lottery.services import claiming, stock
from members.models import Member
from members.personal import erase_member
from redemption.visitor import FRESH_FOR
from tests.lottery import world
from tests.lottery.pictures import photograph
from tests.lottery.prizes import ADDRESS, plant
from tests.redemption.test_web_wallet import signed_in
from tests.redemption.web import Person, words

pytestmark = pytest.mark.django_db
OTHER = "+8613900000001"


@pytest.fixture
def person(brand: Brand) -> Person:
    return signed_in(Person())


def won(person: Person, kind: str = "goods", *, level: int = 0, price: int = 5_000) -> Claim:
    tier = world.tier(1, 1, use="draw", kind=kind, price=price, id_level=level)
    return plant(member_of(person), at=now(), tier=tier)


def member_of(person: Person) -> Member:
    from staff import vault

    return Member.objects.get(phone_index=vault.blind_index(person.phone))


def page_of(claim: Claim) -> str:
    return f"/me/prizes/{claim.public_id}"


def test_the_wallet_leads_to_the_prize_and_its_deadline(person: Person) -> None:
    claim = won(person)

    assert "1 prize waits for you" in words(person.get("/me"))
    assert "Prize 1 to be claimed Claim it until the end of" in words(person.get("/me/prizes"))
    assert "What we need from you" in words(person.get(page_of(claim)))


def test_goods_are_claimed_with_an_address_and_received(person: Person) -> None:
    claim = won(person)

    sent = person.press(person.get(page_of(claim)), f"{page_of(claim)}/claim", **ADDRESS)
    assert (sent.status_code, sent.url) == (303, page_of(claim))
    assert "being prepared" in words(person.get(page_of(claim)))
    claiming.send(claim.pk, courier="SF", tracking_no="SF1", by=world.user("w"), seen="approved", at=now())
    page = person.get(page_of(claim))
    assert "Tracking number SF1" in words(page)
    person.press(page, f"{page_of(claim)}/received")

    assert Claim.objects.get(pk=claim.pk).state == "done"
    assert claiming.details_of(claim) == ADDRESS


def test_what_is_missing_is_named_and_what_was_typed_stays(person: Person) -> None:
    claim = won(person)

    page = person.press(person.get(page_of(claim)), f"{page_of(claim)}/claim", **(ADDRESS | {"address": ""}))

    assert page.status_code == 400
    assert 'id="id_address-error"' in page.content.decode()
    assert ADDRESS["name"] in page.content.decode()
    assert Claim.objects.get(pk=claim.pk).state == "won"


def test_a_voucher_is_claimed_by_the_number_alone_and_its_code_shown(person: Person) -> None:
    claim = won(person, "voucher")
    stock.add(claim.tier_id, "SECRET-77", by="x", at=now())

    person.press(person.get(page_of(claim)), f"{page_of(claim)}/claim")
    before = person.get(page_of(claim))
    after = person.press(before, f"{page_of(claim)}/code")

    assert "SECRET-77" not in words(before)
    assert "Your code SECRET-77" in words(after)
    assert Claim.objects.get(pk=claim.pk).state == "done"


def test_a_phone_left_on_the_table_claims_nothing(person: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    claim = won(person)
    later = now() + FRESH_FOR + timedelta(seconds=1)
    for module in ("redemption.prize_views", "redemption.wallet_views"):
        monkeypatch.setattr(f"{module}.now", lambda: later)

    page = person.get(page_of(claim))
    sent = person.post(f"{page_of(claim)}/claim", ADDRESS)

    assert "Get a one-time code" in words(page)
    assert sent.status_code == 303
    assert sent.url.startswith("/me/sign-in")
    assert Claim.objects.get(pk=claim.pk).state == "won"


def test_nobody_else_sees_or_takes_it(person: Person) -> None:
    claim = won(person)
    thief = signed_in(Person(phone=OTHER))

    answers = [thief.get(page_of(claim)).status_code]
    answers += [
        thief.post(f"{page_of(claim)}/{act}", ADDRESS).status_code for act in ("claim", "decline", "received", "code")
    ]
    picture = SimpleUploadedFile("id.png", photograph(), "image/png")
    answers.append(
        thief.post(
            "/me/prizes/document", {"claim": claim.public_id, "kind": "identity", "picture": picture}
        ).status_code
    )

    assert answers == [404] * 6
    assert Claim.objects.get(pk=claim.pk).state == "won"
    assert person.get(page_of(claim)).status_code == 200


def test_late_is_said_and_nothing_is_offered(person: Person) -> None:
    claim = won(person)
    Claim.objects.filter(pk=claim.pk).update(deadline_at=now() - timedelta(seconds=1))

    page = person.get(page_of(claim))
    late = person.post(f"{page_of(claim)}/claim", ADDRESS)

    assert "not claimed in time" in words(page)
    assert "What we need from you" not in words(page)
    assert late.status_code == 409
    assert Claim.objects.get(pk=claim.pk).state == "expired"


def test_a_document_is_sent_after_the_claim(person: Person) -> None:
    claim = won(person, level=2)
    person.press(person.get(page_of(claim)), f"{page_of(claim)}/claim", **ADDRESS)
    picture = SimpleUploadedFile("id.jpg", photograph(kind="JPEG"), "image/jpeg")
    rubbish = SimpleUploadedFile("id.jpg", b"x", "image/jpeg")

    bad = person.post("/me/prizes/document", {"claim": claim.public_id, "kind": "identity", "picture": rubbish})
    none = person.post("/me/prizes/document", {"claim": claim.public_id, "kind": "identity"})
    good = person.post("/me/prizes/document", {"claim": claim.public_id, "kind": "identity", "picture": picture})

    assert [bad.status_code, none.status_code, good.status_code] == [400, 400, 303]
    assert claim.documents.count() == 1
    assert "identity document" in words(person.get(page_of(claim)))


def test_a_prize_is_given_up(person: Person) -> None:
    claim = won(person)

    person.press(person.get(page_of(claim)), f"{page_of(claim)}/decline")

    assert "not given" in words(person.get(page_of(claim)))


def test_winners_are_listed_masked_once_they_claimed(person: Person) -> None:
    claim = won(person)
    address = f"/rules/{claim.campaign.public_id}/winners"
    before = words(Person().get(address))
    person.press(person.get(page_of(claim)), f"{page_of(claim)}/claim", **ADDRESS)

    after = Person().get(address)

    assert "Nobody has claimed a prize yet." in before
    assert "138****8000" in words(after)
    assert "1 won, 0 given" in words(after)
    assert all(secret not in after.content.decode() for secret in (person.phone[3:], ADDRESS["name"], claim.public_id))
    erase_member(member_of(person), at=now(), asked_by="the member")
    assert "138****8000" not in words(Person().get(address))
    assert Person().get("/rules/cmp_none/winners").status_code == 404
