from datetime import datetime, timedelta

from brands.models import Brand
from ledger.models import Account, Transfer
from ledger.queries import balance
from ledger.services import system_account
from members.models import Member, PendingHolder
from members.services import claim_pending, lapse_pending, pending_for
from tests.members.conftest import Award

ASKER, OTHER = (1, "user-7"), (1, "user-8")
DAYS_180 = timedelta(days=180)


def test_unclaimed_points_lapse_after_180_days(brand: Brand, award: Award, at: datetime) -> None:
    holder = pending_for([ASKER], at=at)[ASKER]
    award(holder.account_id, 100)

    assert lapse_pending(at=at + DAYS_180 - timedelta(seconds=1)) == 0
    assert lapse_pending(at=at + DAYS_180) == 1

    row = PendingHolder.objects.get()
    assert (row.asker_index, row.lapsed_at) == (None, at + DAYS_180)
    assert Account.objects.get(pk=holder.account_id).status == "closed"
    assert Transfer.objects.get(debit=holder.account_id).credit_id == system_account("expired")


def test_who_returns_later_starts_anew(brand: Brand, award: Award, at: datetime) -> None:
    first = pending_for([ASKER], at=at)[ASKER]
    lapse_pending(at=at + DAYS_180)

    again = pending_for([ASKER], at=at + DAYS_180)[ASKER]

    assert again.created
    assert again.account_id != first.account_id


def test_what_was_claimed_does_not_lapse(member: Member, award: Award, at: datetime) -> None:
    holders = pending_for([ASKER, OTHER], at=at)
    award(holders[ASKER].account_id, 100)
    claim_pending(int(holders[ASKER].pending_id or 0), member_id=member.pk, at=at)

    assert lapse_pending(at=at + DAYS_180) == 1
    assert balance(member.account_id) == 100


def test_lapsing_twice_changes_nothing(brand: Brand, award: Award, at: datetime) -> None:
    pending_for([ASKER, OTHER], at=at)

    assert [lapse_pending(at=at + DAYS_180, limit=1) for _ in range(3)] == [1, 1, 0]
