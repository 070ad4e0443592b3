"""Cautions slow rewards: held ones end by a person's act, stopped labels pay nothing, and what is told stays the same."""

from datetime import timedelta

import pytest
from django.db import transaction

from brands.models import Brand
from ledger.models import Hold, Transfer
from ledger.proof import verify as verify_ledger
from ledger.services import NewTransfer, expire_holds, expire_lots, post, system_account
from lottery.queries import points_left
from members.models import Member
from members.queries import members_at
from redemption.cautions import AlreadyLifted, BadRange, end_held
from redemption.errors import AlreadyReversed
from redemption.models import Caution, HeldReward, Redemption
from redemption.queries import verify
from redemption.rules import Outcome
from redemption.services import caution, lift_caution, look, redeem, redeem_many, reverse_redemption
from tests.conftest import NOW
from tests.makers import (
    STRANGER_PHONE,
    balance_of,
    labels_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_check,
    make_partner,
    secrets_of,
    serial_of,
)

LATER = NOW + timedelta(days=400)


def sound() -> bool:
    return not list(verify()) and not list(verify_ledger())


def hold_on(label_no: int, effect: str = "hold_reward") -> Caution:
    return caution(first=label_no, end=label_no + 1, effect=effect, reason="clone", at=NOW, by="maker")


def available(phone: str) -> int:
    holder = next(iter(members_at([phone]).values()))
    return Member.objects.select_related("account").get(pk=holder.member_id).account.available


def test_a_held_reward_is_paid_and_held_in_one_group(brand: Brand) -> None:
    make_campaign(budget=1000)
    shop = make_partner()
    batch = make_active_batch(2)
    cautious, _plain = labels_of(batch)
    hold_on(cautious)

    told = redeem_many(
        [
            make_attempt(code, phone=phone, retailer=shop.number)
            for code, phone in zip(secrets_of(batch), ("+8613800138000", STRANGER_PHONE), strict=True)
        ]
    )

    assert [(one.outcome, one.points, one.balance) for one in told] == [(Outcome.REDEEMED, 100, 100)] * 2
    holds = Hold.objects.filter(state="open")
    assert sorted(holds.values_list("amount", flat=True)) == [10, 100]
    assert set(holds.values_list("expires_at", flat=True)) == {None}
    assert set(HeldReward.objects.values_list("label_no", flat=True)) == {cautious}
    assert (available("+8613800138000"), available(STRANGER_PHONE)) == (0, 100)
    assert sound()


def test_release_frees_and_refusal_returns_to_issuance_and_budget(brand: Brand) -> None:
    campaign = make_campaign(budget=1000, retailer=0, promoter=0)
    batch = make_active_batch(2)
    cautions = [hold_on(label_no) for label_no in labels_of(batch)]
    for code in secrets_of(batch):
        redeem(make_attempt(code))
    assert (balance_of(), points_left(campaign.pk)) == (200, 800)

    lift_caution(cautions[0].public_id, outcome="released", at=LATER, by="maker")
    lift_caution(cautions[1].public_id, outcome="refused", at=LATER, by="maker")

    assert (balance_of(), available("+8613800138000"), points_left(campaign.pk)) == (100, 100, 900)
    assert sorted(Hold.objects.values_list("state", flat=True)) == ["settled", "void"]
    assert Transfer.objects.filter(kind=23).count() == 1
    assert Redemption.objects.count() == 2
    assert sound()
    lift_caution(cautions[1].public_id, outcome="refused", at=LATER, by="maker")
    with pytest.raises(AlreadyLifted):
        lift_caution(cautions[1].public_id, outcome="released", at=LATER, by="maker")
    assert end_held(at=LATER) == 0
    with pytest.raises(AlreadyReversed):
        reverse_redemption(labels_of(batch)[1], at=LATER, asked_by="maker", reason="wrong")


def test_a_held_reward_never_ends_by_itself(brand: Brand) -> None:
    make_campaign(expires_after_months=1)
    batch = make_active_batch(1)
    hold_on(labels_of(batch)[0])
    redeem(make_attempt(secrets_of(batch)[0]))

    with transaction.atomic():
        assert expire_holds(as_of=LATER) == 0
        expire_lots(as_of=LATER)

    assert Hold.objects.get().state == "open"
    assert balance_of() == 100
    assert sound()


@pytest.mark.parametrize("budget", [None, 1000, 50])
def test_a_stopped_label_is_told_the_same_and_pays_nothing(brand: Brand, budget: int | None) -> None:
    campaign = make_campaign(budget=budget)
    shop = make_partner()
    batch = make_active_batch(2)
    stopped, plain = labels_of(batch)
    hold_on(stopped, "stop_points")
    before = [look(make_check(serial=serial_of(label_no))) for label_no in (stopped, plain)]

    told = [redeem(make_attempt(code, retailer=shop.number)) for code in secrets_of(batch)]

    assert before[0].outcome == before[1].outcome == Outcome.GENUINE_FIRST
    assert before[0].points_offered == before[1].points_offered
    assert told[0].outcome == told[1].outcome
    if budget != 50:
        assert [one.points for one in told] == [0, 100]
        assert Redemption.objects.get(pk=stopped).points == 0
        assert balance_of() == 100
        assert budget is None or points_left(campaign.pk) == budget - 110
    assert sound()


def test_taking_a_redemption_back_frees_its_hold_first(brand: Brand) -> None:
    make_campaign(budget=1000)
    batch = make_active_batch(1)
    hold_on(labels_of(batch)[0])
    redeem(make_attempt(secrets_of(batch)[0]))

    reverse_redemption(labels_of(batch)[0], at=NOW, asked_by="maker", reason="wrong")

    assert (balance_of(), Hold.objects.get().state) == (0, "void")
    assert not Transfer.objects.filter(kind=12).exists(), "nothing was owed"
    assert sound()


def test_a_debt_is_paid_before_anything_is_held(brand: Brand) -> None:
    make_campaign(retailer=0, promoter=0)
    batch = make_active_batch(2)
    first, second = labels_of(batch)
    redeem(make_attempt(secrets_of(batch)[0]))
    account = Redemption.objects.get().account_id
    with transaction.atomic():
        post(
            [NewTransfer(account, system_account("redeemed"), 60, "spend", "order", 1)],
            at=NOW,
        )
    reverse_redemption(first, at=NOW, asked_by="maker", reason="wrong")
    hold_on(second)

    redeem(make_attempt(secrets_of(batch)[1]))

    assert Hold.objects.get().amount == 40
    assert sound()


def test_a_caution_needs_a_range(brand: Brand) -> None:
    with pytest.raises(BadRange):
        caution(first=5, end=5, effect="hold_reward", reason="other", at=NOW, by="maker")
