from datetime import date, datetime

import pytest

from common.errors import NotFound
from ledger.models import Account, Lot, Transfer
from ledger.queries import balance
from ledger.services import AccountClosed, hold
from members.models import Member, PendingHolder
from members.services import AlreadyClaimed, PointsHeldBack, claim_pending, members_for_phones, pending_for
from tests.members.conftest import Award

ASKER = (1, "user-7")
SUMMER, WINTER = date(2027, 6, 30), date(2027, 12, 31)


@pytest.fixture
def pending_id(member: Member, award: Award, at: datetime) -> int:
    holder = pending_for([ASKER], at=at)[ASKER]
    award(holder.account_id, 100, SUMMER)
    award(holder.account_id, 30, WINTER)
    assert holder.pending_id is not None
    return holder.pending_id


def test_points_move_with_their_days_of_expiry(member: Member, pending_id: int, at: datetime) -> None:
    assert claim_pending(pending_id, member_id=member.pk, at=at) == 130

    lots = dict(Lot.objects.filter(account=member.account_id, left__gt=0).values_list("expires_on", "left"))
    assert lots == {SUMMER: 100, WINTER: 30}
    assert Transfer.objects.filter(credit=member.account_id).count() == 1


def test_from_then_on_the_asker_earns_for_the_member(
    member: Member, pending_id: int, award: Award, at: datetime
) -> None:
    account = PendingHolder.objects.get().account_id
    claim_pending(pending_id, member_id=member.pk, at=at)

    holder = pending_for([ASKER], at=at)[ASKER]

    assert (holder.member_id, holder.pending_id, holder.account_id) == (member.pk, pending_id, member.account_id)
    with pytest.raises(AccountClosed):
        award(account, 5)


def test_claiming_again_moves_nothing(member: Member, pending_id: int, at: datetime) -> None:
    claim_pending(pending_id, member_id=member.pk, at=at)

    assert claim_pending(pending_id, member_id=member.pk, at=at) == 0
    assert balance(member.account_id) == 130


def test_another_member_comes_too_late(member: Member, pending_id: int, at: datetime) -> None:
    other = members_for_phones(["+8613900139000"], at=at)["+8613900139000"]
    claim_pending(pending_id, member_id=member.pk, at=at)

    with pytest.raises(AlreadyClaimed):
        claim_pending(pending_id, member_id=int(other.member_id or 0), at=at)


def test_an_asker_without_points_is_claimed_too(member: Member, at: datetime) -> None:
    holder = pending_for([ASKER], at=at)[ASKER]

    assert claim_pending(int(holder.pending_id or 0), member_id=member.pk, at=at) == 0
    assert Account.objects.get(pk=holder.account_id).status == "closed"


def test_points_held_back_cannot_be_claimed(member: Member, pending_id: int, at: datetime) -> None:
    account = PendingHolder.objects.get().account_id
    hold(account_id=account, amount=10, cause_kind="redemption", cause_id=1, at=at)

    with pytest.raises(PointsHeldBack):
        claim_pending(pending_id, member_id=member.pk, at=at)


def test_what_is_not_there_cannot_be_claimed(member: Member, at: datetime) -> None:
    with pytest.raises(NotFound):
        claim_pending(999_999, member_id=member.pk, at=at)
