from datetime import datetime
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from brands.models import Brand
from ledger.models import Account
from members.models import Member
from members.queries import member_by_phone, members_at
from members.services import members_for_phones

PHONE, OTHER = "+8613800138000", "+8613900139000"


def test_a_new_number_becomes_a_provisional_member_with_an_account(brand: Brand, at: datetime) -> None:
    holder = members_for_phones([PHONE], at=at, language="zh-hans")[PHONE]

    member = member_by_phone(PHONE)
    assert member is not None
    assert (member.pk, member.account_id, holder.created) == (holder.member_id, holder.account_id, True)
    assert (member.state, member.phone, member.masked_phone) == ("provisional", PHONE, "138****8000")
    assert (member.account.party, member.language, member.created_at) == ("consumer", "zh-hans", at)


def test_a_known_number_keeps_its_member(brand: Brand, at: datetime) -> None:
    first = members_for_phones([PHONE], at=at)[PHONE]

    again = members_for_phones([PHONE, OTHER, PHONE], at=at)

    assert (again[PHONE].member_id, again[PHONE].created) == (first.member_id, False)
    assert again[OTHER].created
    assert Member.objects.count() == Account.objects.filter(party="consumer").count() == 2
    assert members_at([PHONE, "+8613700137000"]) == {PHONE: again[PHONE]}


def test_sixty_four_numbers_take_few_statements(brand: Brand, at: datetime) -> None:
    phones = [f"+86138001{n:05}" for n in range(64)]
    members_for_phones(phones[:1], at=at)

    with CaptureQueriesContext(connection) as creating:
        members_for_phones(phones, at=at)
    with CaptureQueriesContext(connection) as finding:
        members_for_phones(phones, at=at)

    assert len(creating) <= 4
    assert len(finding) == 1


def test_the_number_stands_nowhere_in_the_table(brand: Brand, at: datetime) -> None:
    holder = members_for_phones([PHONE], at=at)[PHONE]

    with connection.cursor() as cursor:
        cursor.execute("SELECT m::text FROM members_member m WHERE id = %s", [holder.member_id])
        row = cursor.fetchone()[0]

    assert "provisional" in row
    assert PHONE[1:] not in row
    assert PHONE.encode().hex() not in row


def test_another_brand_has_its_own_member(brand: Brand, stranger_brand: Brand, at: datetime) -> None:
    members_for_phones([PHONE], at=at)
    index = bytes(Member.objects.get().phone_index or b"")

    connection.set_tenant(stranger_brand)

    assert member_by_phone(PHONE) is None
    members_for_phones([PHONE], at=at)
    assert bytes(Member.objects.get().phone_index or b"") != index


@pytest.mark.races
def test_thirty_two_threads_with_one_new_number_make_one_member(real_commits: Brand, at: datetime) -> None:
    phones = [f"+8613800138{n:03}" for n in range(8)]
    start, found = Barrier(32), []

    def join(turn: int) -> None:
        connection.set_tenant(real_commits)
        start.wait()
        try:
            with transaction.atomic():
                found.append(members_for_phones(phones[turn % 8 :] + phones[: turn % 8], at=at))
        finally:
            connection.close()

    threads = [Thread(target=join, args=(turn,)) for turn in range(32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(found) == 32
    assert Member.objects.count() == 8
    assert {holders[phone].member_id for holders in found for phone in phones} == set(
        Member.objects.values_list("pk", flat=True)
    )
    assert sum(holders[phone].created for holders in found for phone in phones) == 8
    assert Account.objects.filter(party="consumer", status="open").count() == 8
