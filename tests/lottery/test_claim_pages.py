"""The console's pages of prizes: each step by a press, who comes second gets 409, what is personal is shown on purpose."""

from collections.abc import Callable

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from brands.models import Brand
from lottery.models import Claim, ClaimDetails, Payout, VoucherCode
from lottery.services import claiming, papers, stock
from staff.models import Approval, Audit, User
from tests.lottery.pictures import photograph
from tests.lottery.prizes import ADDRESS, TOLD, one_prize, winner

pytestmark = pytest.mark.django_db


@pytest.fixture
def browse(brand: Brand) -> Callable[[str], Client]:
    def with_role(role: str) -> Client:
        user, _made = User.objects.get_or_create(username=f"the-{role}", defaults={"role": role})
        client = Client(HTTP_HOST="brand.localhost")
        client.force_login(user)
        return client

    return with_role


def claimed(kind: str = "goods", *, level: int = 1, **given: str) -> Claim:
    claim = one_prize(kind, level=level)
    return claiming.claim_prize(claim.pk, member=winner(claim), given={**ADDRESS, **given}, at=TOLD)


def press(client: Client, claim: Claim, act: str, **form: object) -> int:
    return client.post(f"/console/claims/{claim.public_id}/{act}", form).status_code


def test_the_list_is_filtered_and_goes_into_a_file(browse: Callable[[str], Client]) -> None:
    claim, owner = claimed(), browse("owner")

    page = owner.get(f"/console/claims?state=claimed&kind=goods&campaign={claim.campaign.public_id}").content.decode()
    other = owner.get("/console/claims?state=sent").content.decode()
    file = owner.get("/console/claims?format=csv").content.decode()

    assert claim.public_id in page
    assert claim.public_id not in other
    assert claim.public_id in file
    assert winner(claim).masked_phone in file
    assert winner(claim).phone not in file + page


def test_goods_from_the_claim_to_the_door(browse: Callable[[str], Client]) -> None:
    claim, clerk = claimed(), browse("owner")

    steps = [
        press(clerk, claim, "check", seen="claimed"),
        press(clerk, claim, "approve", seen="checked"),
        press(clerk, claim, "send", seen="approved", courier="顺丰", tracking_no="SF1"),
        press(clerk, claim, "received", seen="sent"),
    ]

    assert steps == [302] * 4
    assert Claim.objects.get(pk=claim.pk).state == "done"
    assert "SF1" in clerk.get(f"/console/claims/{claim.public_id}").content.decode()


@pytest.mark.parametrize(
    ("act", "form"),
    [
        ("check", {}),
        ("approve", {"seen": "claimed"}),
        ("send", {"seen": "claimed", "courier": "a", "tracking_no": "b"}),
        ("received", {"seen": "claimed"}),
        ("lose", {"seen": "notified", "why": "refused/not_identified"}),
        ("paid", {"reference": "1"}),
        ("pay-again", {}),
        ("register", {"seen": "won"} | ADDRESS),
    ],
)
def test_a_step_that_cannot_be_taken_gets_409(browse: Callable[[str], Client], act: str, form: dict[str, str]) -> None:
    claim = claimed()

    status = press(browse("owner"), claim, act, **form)

    assert status == 409
    assert Claim.objects.get(pk=claim.pk).state == "claimed"


@pytest.mark.parametrize("form", [{"seen": "claimed"}, {"seen": "claimed", "why": "refused/erased"}, {"why": "x"}])
def test_a_loss_without_a_reason_of_the_list_gets_422(browse: Callable[[str], Client], form: dict[str, str]) -> None:
    assert press(browse("owner"), claimed(), "lose", **form) == 422


def test_above_the_limit_a_press_asks_for_a_second_person(browse: Callable[[str], Client], brand: Brand) -> None:
    claim = one_prize("goods", level=1, price=brand.claim_limit + 1)
    claiming.claim_prize(claim.pk, member=winner(claim), given=ADDRESS, at=TOLD)
    press(browse("support"), claim, "check", seen="claimed")

    status = press(browse("owner"), claim, "approve", seen="checked")

    assert status == 302
    assert Approval.objects.get().payload["not_by"] == ["the-support"]
    assert Claim.objects.get(pk=claim.pk).state == "checked"


def test_what_the_winner_told_is_shown_on_purpose_and_kept_in_the_trail(browse: Callable[[str], Client]) -> None:
    claim, clerk = claimed(), browse("support")
    before = clerk.get(f"/console/claims/{claim.public_id}").content.decode()

    shown = clerk.post(f"/console/claims/{claim.public_id}/told").content.decode()

    assert ADDRESS["name"] not in before
    assert ADDRESS["name"] in shown
    assert Audit.objects.filter(act="read", row_id=claim.public_id).count() == 1
    assert browse("marketer").post(f"/console/claims/{claim.public_id}/told").status_code == 403


def test_a_document_is_brought_and_looked_at(browse: Callable[[str], Client]) -> None:
    claim, clerk = claimed(level=2), browse("support")
    picture = SimpleUploadedFile("id.png", photograph(), "image/png")

    sent = clerk.post("/console/claims/document", {"claim": claim.public_id, "kind": "identity", "picture": picture})
    row = claim.documents.get()
    unseen = press(clerk, claim, "check", seen="claimed")
    shown = clerk.post(f"/console/claims/{claim.public_id}/documents/{row.pk}")

    assert (sent.status_code, unseen) == (302, 422)
    assert (shown["Content-Type"], shown["Cache-Control"]) == ("image/jpeg", "no-store")
    assert press(clerk, claim, "check", seen="claimed") == 302
    other = one_prize("goods")
    assert clerk.post(f"/console/claims/{other.public_id}/documents/{row.pk}").status_code == 404


def test_a_winner_at_the_desk_is_registered_by_the_clerk(browse: Callable[[str], Client]) -> None:
    claim = one_prize("goods", level=1)

    lacking = press(browse("support"), claim, "register", seen="won", name="a")
    done = press(browse("support"), claim, "register", seen="won", **ADDRESS)

    assert (lacking, done) == (422, 302)
    assert claiming.registered_by(claim) == {"the-support"}


def test_a_prize_is_paid_by_hand(browse: Callable[[str], Client]) -> None:
    claim = claimed("cash", level=0, payee="a@b.example")
    Payout.objects.update(state="failed", problem="no_such_account")

    assert press(browse("finance"), claim, "pay-again") == 302
    Payout.objects.update(state="failed")
    assert press(browse("finance"), claim, "paid", reference=" ") == 422
    assert press(browse("finance"), claim, "paid", reference="2026-77") == 302

    assert Claim.objects.get(pk=claim.pk).state == "done"


def test_many_parcels_at_once_each_line_alone(browse: Callable[[str], Client]) -> None:
    sendable, not_yet, clerk = claimed(), claimed_of("+8613900000077"), browse("owner")
    press(clerk, sendable, "check", seen="claimed")
    press(clerk, sendable, "approve", seen="checked")
    lines = f"{sendable.public_id}\tSF\tSF1\n\n{not_yet.public_id},SF,SF2\nclm_none，SF，SF3\nrubbish\n"

    page = clerk.post("/console/claims/parcels", {"lines": lines})

    assert page.status_code == 422
    body = page.content.decode()
    assert [word in body for word in ("There is no such claim.", "A line holds claim")] == [True, True]
    assert ClaimDetails.objects.get(claim=sendable).tracking_no == "SF1"
    assert Claim.objects.get(pk=not_yet.pk).state == "claimed"
    assert clerk.get("/console/claims/parcels").status_code == 200


def claimed_of(phone: str) -> Claim:
    from tests.lottery import world
    from tests.lottery.prizes import DRAWN, plant
    from tests.makers import make_member

    member = make_member(phone)
    claim = plant(member, at=DRAWN, tier=world.tier(1, 1, use="draw", price=5_000, id_level=1))
    return claiming.claim_prize(claim.pk, member=member, given=ADDRESS, at=TOLD)


def test_codes_are_uploaded_all_or_none(browse: Callable[[str], Client]) -> None:
    claim, owner = one_prize("voucher"), browse("owner")

    def upload(data: bytes) -> tuple[int, str]:
        file = SimpleUploadedFile("codes.csv", data, "text/csv")
        page = owner.post("/console/prize-codes/add", {"tier": claim.tier_id, "file": file})
        return page.status_code, page.content.decode()

    good = upload("code\nA-1\nA-2\n".encode("utf-8-sig"))
    twice = upload(b"B-1\nA-2\nB-1")
    held = upload(b"B-1\nA-2")
    other = upload("兑换码一号".encode("gb18030"))

    assert [one[0] for one in (good, twice, held, other)] == [302, 422, 422, 422]
    assert "repeat a code of the same file: 3" in twice[1]
    assert "in the stock already: 2" in held[1]
    assert "UTF-8" in other[1]
    assert VoucherCode.objects.count() == 2
    assert "A-1" not in owner.get("/console/prize-codes").content.decode()


def test_a_stock_that_runs_low_is_said_on_the_list(browse: Callable[[str], Client]) -> None:
    claim, owner = one_prize("voucher"), browse("owner")
    low = owner.get("/console/claims").content.decode()
    stock.add(claim.tier_id, "A-1\nA-2", by="x", at=TOLD)

    assert "Few codes are left" in low
    assert "Few codes are left" not in owner.get("/console/claims").content.decode()


@pytest.mark.parametrize(
    ("role", "read", "check", "approve"),
    [("owner", 200, 302, 302), ("support", 200, 302, 403), ("finance", 200, 403, 302), ("marketer", 200, 403, 403),
     ("regional", 403, 403, 403)],
)  # fmt: skip
def test_each_role_does_its_own(
    browse: Callable[[str], Client], role: str, read: int, check: int, approve: int
) -> None:
    first, second = claimed(), claimed_of("+8613900000078")
    clerk = User.objects.create(username="another", role="support")
    claiming.check(second.pk, by=clerk, seen="claimed", at=TOLD)

    client = browse(role)

    assert client.get(f"/console/claims/{first.public_id}").status_code == read
    assert press(client, first, "check", seen="claimed") == check
    assert press(client, second, "approve", seen="checked") == approve


def test_documents_of_an_ended_claim_are_gone_from_the_page(browse: Callable[[str], Client]) -> None:
    claim = claimed(level=2)
    row = papers.add(claim.pk, "identity", photograph(), by="winner", at=TOLD)
    papers.forget_of([claim.pk], at=TOLD)

    assert browse("owner").post(f"/console/claims/{claim.public_id}/documents/{row.pk}").status_code == 404
