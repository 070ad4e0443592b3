from datetime import datetime, timedelta
from threading import Barrier, Thread

import pytest
from django.db import connection, transaction
from django.test.utils import CaptureQueriesContext

from brands.models import Brand
from ledger.models import Account
from members.models import PendingHolder
from members.queries import pending_at
from members.services import pending_for

ASKER, SAME_NAME_ELSEWHERE = (1, "user-7"), (2, "user-7")


def test_an_asker_gets_a_holder_of_its_own_per_client(brand: Brand, at: datetime) -> None:
    holders = pending_for([ASKER, SAME_NAME_ELSEWHERE], at=at)

    assert holders[ASKER].account_id != holders[SAME_NAME_ELSEWHERE].account_id
    assert all(holder.created and holder.member_id is None for holder in holders.values())
    assert set(Account.objects.filter(party="pending").values_list("pk", flat=True)) == {
        holder.account_id for holder in holders.values()
    }


def test_a_known_asker_keeps_its_holder(brand: Brand, at: datetime) -> None:
    first = pending_for([ASKER], at=at)[ASKER]

    again = pending_for([ASKER, SAME_NAME_ELSEWHERE], at=at)

    assert (again[ASKER].pending_id, again[ASKER].created) == (first.pending_id, False)
    assert pending_at([ASKER, (1, "nobody")]) == {ASKER: again[ASKER]}
    assert PendingHolder.objects.count() == 2


def test_who_comes_back_has_another_180_days(brand: Brand, at: datetime) -> None:
    pending_for([ASKER], at=at)

    pending_for([ASKER], at=at + timedelta(days=179))

    assert PendingHolder.objects.get().lapses_at == at + timedelta(days=179 + 180)


def test_sixty_four_askers_take_few_statements(brand: Brand, at: datetime) -> None:
    askers = [(1, f"user-{n}") for n in range(64)]
    pending_at(askers)  # unwraps the key, which a process keeps

    with CaptureQueriesContext(connection) as creating:
        pending_for(askers, at=at)
    with CaptureQueriesContext(connection) as finding:
        pending_for(askers, at=at)

    assert len(creating) <= 4
    assert len(finding) == 1


def test_the_reference_stands_nowhere_in_the_table(brand: Brand, at: datetime) -> None:
    pending_for([(1, "canary@example.org")], at=at)

    with connection.cursor() as cursor:
        cursor.execute("SELECT p::text FROM members_pendingholder p")
        row = cursor.fetchone()[0]

    assert "2026" in row
    assert "canary" not in row
    assert b"canary".hex() not in row


@pytest.mark.races
def test_sixteen_threads_with_one_new_asker_make_one_holder(real_commits: Brand, at: datetime) -> None:
    start, found = Barrier(16), []

    def come() -> None:
        connection.set_tenant(real_commits)
        start.wait()
        try:
            with transaction.atomic():
                found.append(pending_for([ASKER], at=at)[ASKER])
        finally:
            connection.close()

    threads = [Thread(target=come) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    assert len(found) == 16
    assert len({holder.pending_id for holder in found}) == 1
    assert Account.objects.filter(party="pending").count() == 1
