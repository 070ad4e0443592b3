"""The story of a canary: a person uses every feature, is forgotten, and stands nowhere any more; the books still prove."""

import re

import pytest
from django.db import connection, transaction

from brands.models import Brand
from ledger.queries import verify as verify_ledger
from members.models import Member
from members.personal import erase_member, export_member
from members.services import claim_pending, grant_consent, pending_for, set_name
from members.sign_in import confirm_code, request_code
from redemption.models import FailureRow, ScanPlace, Visitor
from redemption.queries import verify as verify_redemptions
from redemption.reports import Told, file_report
from redemption.rules import Door, Outcome, Place
from redemption.services import redeem, verify
from sms_gateway.queries import messages_to
from staff import vault
from tests.conftest import NOW
from tests.makers import STRANGER_PHONE, make_active_batch, make_attempt, make_campaign, make_check, secrets_of

CANARY, NAME, NOTE, ASKER = "+8613812340987", "甲乙丙丁戊", "canary note", "canary-asker"
LAT, LON = 30.123457, 120.765431


@pytest.fixture
def codes(brand: Brand) -> list[str]:
    make_campaign(expires_after_months=12)
    return secrets_of(make_active_batch(5))


@pytest.fixture
def canary(codes: list[str]) -> Member:
    """Check before joining, fail, redeem by number and as an API client's asker, sign in, claim, allow, report."""
    place = Place(LAT, LON, 20.0)
    verify(make_check(code=codes[0], phone=CANARY, client_id=1))
    verify(make_check(code=codes[0], asker=ASKER, client_id=1))
    redeem(make_attempt(codes[4], phone=STRANGER_PHONE))
    assert redeem(make_attempt(codes[4], phone=CANARY)).outcome is Outcome.ALREADY_REDEEMED
    assert redeem(make_attempt(codes[0], phone=CANARY, place=place)).outcome is Outcome.REDEEMED
    redeem(make_attempt(codes[1], asker=ASKER, place=place))
    request_code(CANARY, at=NOW, language="zh-hans", ip_prefix="203.0.113.0/24")
    member = confirm_code(CANARY, re.findall(r"\d{6}", messages_to(CANARY)[0].body)[0], at=NOW)
    with transaction.atomic():
        pending = pending_for([(1, ASKER)], at=NOW)[1, ASKER].pending_id
        claim_pending(int(pending or 0), member_id=member.pk, at=NOW)
        grant_consent(member.pk, "precise_place", wording_version="1", at=NOW)
        set_name(member.pk, NAME)
    redeem(make_attempt(codes[2], member_id=member.pk, door=Door.WEB, place=place, ip_prefix="203.0.113.0/24"))
    redeem(make_attempt(codes[4], member_id=member.pk, door=Door.WEB, ip_prefix="203.0.113.0/24"))
    file_report(
        Told(request_id="form-1", kind="fake", note=NOTE, phone=CANARY, member_id=member.pk, bought_at=NOTE), at=NOW
    )
    return Member.objects.get(pk=member.pk)


def dump() -> str:
    """Return every row of every table of the brand as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        texts = []
        for (table,) in cursor.fetchall():
            cursor.execute(f"""SELECT coalesce(string_agg(t::text, ' '), '') FROM "{table}" t""")
            texts.append(cursor.fetchone()[0])
    return "\n".join(texts)


def traces(member: Member) -> dict[str, str]:
    """Return what could give the person away, and must be found while the person is there."""
    asker = bytes(member.claims.values_list("asker_index", flat=True)[0] or b"")
    return {
        "cipher of the number": bytes(member.phone_cipher or b"").hex(),
        "index of the number": vault.blind_index(CANARY).hex(),
        "cipher of the name": bytes(member.name_cipher or b"").hex(),
        "index of the reference": asker.hex(),
        "latitude": str(LAT),
        "longitude": str(LON),
        "what was reported": NOTE,
    }


def test_an_export_tells_all(canary: Member) -> None:
    data = export_member(canary)

    assert (data["phone"], data["name"]) == (CANARY, NAME)
    assert len(data["redemptions"]) == 3
    assert {place["lat"] for place in data["places"]} == {LAT}
    assert len(data["places"]) == 3
    assert data["points"]["balance"] == sum(line["points"] for line in data["points"]["statement"]) > 0
    assert data["reports"][0]["note"] == NOTE


def test_nothing_of_the_person_is_left_and_the_books_prove(canary: Member) -> None:
    before, known = dump(), traces(canary)
    for what, trace in known.items():
        assert trace in before, f"the search must be able to find the {what}"
    assert FailureRow.objects.filter(kind__in=["phone", "member"]).count() == 2

    erase_member(canary, at=NOW, asked_by="test")

    after = dump()
    for what, trace in known.items():
        assert trace not in after, what
    for plain in (CANARY[1:], CANARY[3:], NAME, ASKER):
        assert plain not in after
        assert plain.encode().hex() not in after
    assert not Visitor.objects.exclude(mac=None).exists()
    assert not FailureRow.objects.filter(kind__in=["phone", "member"]).exists()
    assert not ScanPlace.objects.exclude(lat=None).exists()
    assert [*verify_ledger(), *verify_redemptions()] == []


def test_who_comes_back_is_somebody_new(canary: Member, codes: list[str]) -> None:
    erase_member(canary, at=NOW, asked_by="test")

    receipt = redeem(make_attempt(codes[3], phone=CANARY))

    assert (receipt.outcome, receipt.balance) == (Outcome.REDEEMED, receipt.points)
    assert export_member(Member.objects.get(phone_index=vault.blind_index(CANARY)))["redemptions"][0]["points"] > 0
