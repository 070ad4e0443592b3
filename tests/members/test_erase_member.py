import re
from datetime import date, datetime

import pytest
from django.db import DatabaseError, connection, transaction

from brands.models import Brand
from common.errors import NotFound
from ledger.models import Account, Transfer
from ledger.queries import balance, balances
from ledger.services import NewTransfer, hold, post, reverse, system_account
from members.models import Erasure, Member
from members.personal import erase_member, export_member
from members.queries import member_by_phone
from members.services import claim_pending, grant_consent, members_for_phones, pending_for, set_name
from members.sign_in import confirm_code, request_code
from sms_gateway.queries import messages_to
from tests.members.conftest import Award

CANARY, CANARY_NAME, CANARY_ASKER = "+8613812340987", "甲乙丙丁戊", (3, "canary-asker")


def dump() -> str:
    """Return every row of every table of the brand as text, also with its binary columns read as text."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT tablename FROM pg_tables WHERE schemaname = current_schema()")
        texts = []
        for (table,) in cursor.fetchall():
            cursor.execute(f"""SELECT coalesce(string_agg(t::text, ' '), '') FROM "{table}" t""")
            texts.append(cursor.fetchone()[0])
    return "\n".join(texts)


def traces(member: Member) -> list[str]:
    """Return all by which the person could be found: in clear, as cipher text, as blind index."""
    binary = [member.phone_cipher, member.phone_index, member.name_cipher]
    return [CANARY[1:], CANARY_NAME, *(bytes(part).hex() for part in binary if part)]


@pytest.fixture
def canary(brand: Brand, award: Award, at: datetime) -> Member:
    """A person who has used every feature of this floor."""
    request_code(CANARY, at=at, language="zh-hans", ip_prefix="203.0.113.0/24")
    code = re.findall(r"\d{6}", messages_to(CANARY)[0].body)[0]
    member = confirm_code(CANARY, code, at=at, language="zh-hans")
    grant_consent(member.pk, "terms", wording_version="1", at=at)
    holder = pending_for([CANARY_ASKER], at=at)[CANARY_ASKER]
    award(holder.account_id, 40, date(2027, 6, 30))
    claim_pending(int(holder.pending_id or 0), member_id=member.pk, at=at)
    award(member.account_id, 60)
    request_code(CANARY, at=at)
    return set_name(member.pk, CANARY_NAME)


def test_nothing_of_the_person_is_left(canary: Member, at: datetime) -> None:
    before = dump()
    for trace in traces(canary)[2:]:
        assert trace in before, "the search must be able to find what is there"

    erase_member(canary, at=at, asked_by="support-1")

    after = dump()
    for trace in traces(canary):
        assert trace not in after
    assert member_by_phone(CANARY) is None
    assert messages_to(CANARY) == []
    assert pending_for([CANARY_ASKER], at=at)[CANARY_ASKER].created


def test_the_balance_is_forfeited_by_an_ordinary_transfer(canary: Member, at: datetime) -> None:
    erase_member(canary, at=at, asked_by="support-1")

    last = Transfer.objects.filter(debit=canary.account_id).get()
    assert (last.amount, last.credit_id) == (100, system_account("expired"))
    assert Account.objects.get(pk=canary.account_id).status == "closed"
    assert sum(balances(Account.objects.values_list("pk", flat=True)).values()) == 0
    record = Erasure.objects.get()
    assert (record.member_id, record.asked_by, record.points_settled, record.at) == (canary.pk, "support-1", 100, at)


def test_a_tombstone_stays_and_the_number_may_join_anew(canary: Member, at: datetime) -> None:
    erase_member(canary, at=at, asked_by="support-1")

    tomb = Member.objects.get(pk=canary.pk)
    assert (tomb.state, tomb.phone, tomb.masked_phone, tomb.name) == ("erased", "", "", "")
    assert export_member(tomb)["phone"] == ""
    assert members_for_phones([CANARY], at=at)[CANARY].member_id != canary.pk


def test_points_held_back_are_forfeited_too(canary: Member, at: datetime) -> None:
    hold(account_id=canary.account_id, amount=30, cause_kind="redemption", cause_id=99, at=at)

    assert erase_member(canary, at=at, asked_by="x").points_settled == 100


def test_what_was_owed_is_written_off(canary: Member, award: Award, at: datetime) -> None:
    first = Transfer.objects.filter(credit=canary.account_id).order_by("id").last()
    assert first is not None
    with transaction.atomic():
        post([NewTransfer(canary.account_id, system_account("redeemed"), 100, "spend", "order", 1)], at=at)
        reverse(first.pk, at=at)
    assert Account.objects.get(clawback_of=canary.account_id).posted == -60

    assert erase_member(canary, at=at, asked_by="x").points_settled == 0
    assert Account.objects.get(clawback_of=canary.account_id).posted == 0
    assert balance(canary.account_id) == 0


def test_nobody_is_erased_twice(canary: Member, at: datetime) -> None:
    erase_member(canary, at=at, asked_by="x")

    with pytest.raises(NotFound):
        erase_member(canary, at=at, asked_by="x")


def test_higher_floors_forget_in_the_same_transaction(
    canary: Member, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = []

    class Holder:
        def erase(self, member_id: int, *, at: datetime) -> None:
            asked.append((member_id, connection.in_atomic_block))

    monkeypatch.setattr("members.personal.holders", lambda: iter([Holder()]))

    erase_member(canary, at=at, asked_by="x")

    assert asked == [(canary.pk, True)]


def test_the_record_of_an_erasure_cannot_be_changed(canary: Member, at: datetime) -> None:
    erase_member(canary, at=at, asked_by="x")

    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM members_erasure")
