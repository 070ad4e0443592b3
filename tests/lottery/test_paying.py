"""Cash prizes: asked under one key for life; a call without an answer is unknown, never paid twice."""

from collections import Counter
from datetime import timedelta
from typing import cast
from uuid import UUID

import pytest
from django.db import DatabaseError, transaction

from brands.models import Brand
from lottery.errors import ClaimState
from lottery.models import Claim, Payout
from lottery.payers import Declined, Order, Paid, Simulator
from lottery.services import claiming, paying
from tests.lottery import world
from tests.lottery.prizes import TOLD, one_prize, winner

LATER = TOLD + timedelta(hours=1)


class Bank:
    """A payer whose books the test reads. ``faults``: what happens to each answer, in turn."""

    def __init__(self, *faults: str) -> None:
        self.faults, self.books, self.calls = list(faults), Counter[UUID](), 0

    def pay(self, order: Order) -> Paid | Declined:
        self.calls += 1
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "declined":
            return Declined("no_such_account")
        if fault == "lost before":
            raise TimeoutError
        if not self.books[order.key]:
            self.books[order.key] += order.amount
        if fault == "lost after":
            raise TimeoutError
        if fault == "broken":
            raise KeyError("reference")
        if fault:
            return cast("Paid", None)
        return Paid(f"B-{order.key.hex[:8]}")

    def look_up(self, key: UUID) -> Paid | None:
        fault = self.faults.pop(0) if self.faults else ""
        if fault == "down":
            raise ConnectionError
        return Paid(f"B-{key.hex[:8]}") if self.books[key] else None


@pytest.fixture
def claim(brand: Brand) -> Claim:
    found = one_prize("cash", price=8_800)
    given = {"name": "王小明", "payee": "wang@example.com"}
    return claiming.claim_prize(found.pk, member=winner(found), given=given, at=TOLD)


def ask(claim: Claim, bank: Bank, at=TOLD) -> bool:
    return paying.pay_one(claim.payout.pk, bank, at=at)


def test_cash_is_paid_once_and_the_claim_is_done(claim: Claim) -> None:
    bank = Bank()

    paid = [ask(claim, bank), ask(claim, bank, LATER)]

    assert paid == [True, False]
    assert list(bank.books.values()) == [8_800]
    assert [move.after for move in claim.moves.order_by("id")][-3:] == ["approved", "paid", "done"]
    assert Payout.objects.get().reference.startswith("B-")


@pytest.mark.parametrize("fault", ["lost before", "lost after"])
def test_a_call_without_an_answer_is_unknown_and_asked_again_under_the_same_key(claim: Claim, fault: str) -> None:
    bank = Bank(fault, "down")
    key = claim.payout.key

    first = ask(claim, bank)
    unknown = Payout.objects.get()
    second = ask(claim, bank, LATER)
    third = ask(claim, bank, LATER + timedelta(hours=7))

    assert (first, unknown.state, unknown.problem) == (False, "unknown", "TimeoutError")
    assert (second, third) == (False, True)
    assert bank.books == {key: 8_800}
    assert Claim.objects.get(pk=claim.pk).state == "done"


@pytest.mark.parametrize("fault", ["broken", "no answer of ours"])
def test_a_fault_of_the_adapter_is_no_answer_and_holds_up_no_other(
    claim: Claim, fault: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    bank = Bank(fault)
    found = one_prize("cash", price=1_000)
    other = claiming.claim_prize(
        found.pk, member=winner(found), given={"name": "李", "payee": "li@example.com"}, at=TOLD
    )
    monkeypatch.setattr(paying, "payer", lambda: bank)

    paid = paying.pay_due(at=TOLD)

    assert paid == 1
    assert Payout.objects.get(claim=claim).state == "unknown"
    assert Payout.objects.get(claim=other).state == "paid"
    assert claim.public_id in {getattr(record, "claim", "") for record in caplog.records}
    assert ask(claim, bank, LATER)
    assert bank.books[claim.payout.key] == 8_800


def test_nobody_asks_while_somebody_does(claim: Claim) -> None:
    bank = Bank("lost after")
    ask(claim, bank)

    assert not ask(claim, bank)
    assert bank.calls == 1


def test_who_dies_after_the_call_leaves_it_to_the_next(claim: Claim, monkeypatch: pytest.MonkeyPatch) -> None:
    bank = Bank()

    def die(step: str) -> None:
        if step == "answered":
            raise SystemExit

    monkeypatch.setattr(paying, "on_step", die)
    with pytest.raises(SystemExit):
        ask(claim, bank)
    assert Payout.objects.get().state == "asked"
    assert Claim.objects.get(pk=claim.pk).state == "approved"
    monkeypatch.undo()

    assert not ask(claim, bank, TOLD + timedelta(minutes=1))
    assert ask(claim, bank, LATER)

    assert bank.books == {claim.payout.key: 8_800}
    assert bank.calls == 1
    assert Claim.objects.get(pk=claim.pk).state == "done"


def test_what_the_payer_refuses_waits_for_a_person(claim: Claim) -> None:
    bank = Bank("declined")
    ask(claim, bank)
    assert (Payout.objects.get().state, Payout.objects.get().problem) == ("failed", "no_such_account")
    assert not ask(claim, bank, LATER)

    paying.pay_again(claim.pk, at=LATER)

    assert ask(claim, bank, LATER)
    assert bank.books == {claim.payout.key: 8_800}


def test_a_prize_whose_payment_may_be_made_is_not_taken_back(claim: Claim) -> None:
    bank = Bank("lost after")
    ask(claim, bank)

    with pytest.raises(ClaimState):
        claiming.lose(claim.pk, "disqualified", reason="fraud", by="clerk", at=TOLD)
    with pytest.raises(ClaimState):
        paying.paid_by_hand(claim.pk, reference="1", by=world.user("clerk"), at=TOLD)

    assert Claim.objects.get(pk=claim.pk).state == "approved"


def test_a_prize_that_nobody_was_asked_to_pay_is_refused_and_never_paid(claim: Claim) -> None:
    claiming.lose(claim.pk, "disqualified", reason="fraud", by="clerk", at=TOLD)
    bank = Bank()

    assert not ask(claim, bank, LATER)
    assert not bank.books
    with pytest.raises(ClaimState):
        paying.pay_again(claim.pk, at=LATER)


def test_what_was_taken_back_before_the_call_is_not_paid(claim: Claim) -> None:
    bank = Bank()
    Claim.objects.filter(pk=claim.pk).update(state="disqualified")  # as a redemption that is taken back does

    assert not ask(claim, bank)
    assert not bank.books
    assert Payout.objects.get().state == "failed"


def test_money_that_moved_is_kept_as_such_though_the_claim_has_ended(claim: Claim) -> None:
    bank = Bank("lost after")
    ask(claim, bank)
    Claim.objects.filter(pk=claim.pk).update(state="disqualified")

    assert ask(claim, bank, LATER)
    assert not ask(claim, bank, LATER + timedelta(days=1))
    assert (Payout.objects.get().state, Claim.objects.get(pk=claim.pk).state) == ("paid", "disqualified")


def test_where_nobody_pays_a_person_does(claim: Claim, settings) -> None:
    settings.PAYOUT_ADAPTER = ""

    swept = paying.pay_due(at=LATER)
    paying.paid_by_hand(claim.pk, reference="2026-77", by=world.user("clerk", "finance"), at=LATER)

    assert swept == 0
    assert Payout.objects.get().reference == "2026-77"
    assert Claim.objects.get(pk=claim.pk).state == "done"


def test_a_payment_keeps_its_key_and_its_sum(claim: Claim) -> None:
    for change in ({"key": UUID(int=1)}, {"amount": 9_999}, {"currency": "USD"}):
        with pytest.raises(DatabaseError), transaction.atomic():
            Payout.objects.update(**change)


def test_the_simulator_pays_before_it_times_out(claim: Claim, settings) -> None:
    settings.PAYOUT_ADAPTER = "lottery.payers.Simulator"
    order = Order(claim.payout.key, 1, "CNY", "a timeout", "")

    with pytest.raises(TimeoutError):
        Simulator().pay(order)

    assert Simulator().look_up(order.key) == Simulator().pay(order)
    assert Simulator().pay(Order(UUID(int=5), 1, "CNY", "is refused", "")) == Declined("no_such_account")
    assert paying.pay_due(at=TOLD) == 1
