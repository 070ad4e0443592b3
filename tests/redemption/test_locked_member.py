"""A hundred wrong codes in a row lock a member until a person unlocks them: at 99, 100 and 101, at any door."""

import pytest
from django.conf import LazySettings
from django.test import Client

from brands.models import Brand
from members.models import Member
from redemption.models import Refused, Scan
from redemption.rules import Attempt, Door, Outcome
from redemption.services import look, redeem, verify
from staff.models import Audit, User
from tests.makers import (
    CONSUMER,
    STRANGER_PHONE,
    labels_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_check,
    make_member,
    secret_of,
    serial_of,
)
from tests.redemption.test_budgets import _true_budgets, guess

__all__ = ["_true_budgets"]


@pytest.fixture
def label_nos(brand: Brand) -> list[int]:
    make_campaign()
    return labels_of(make_active_batch(5))


@pytest.fixture
def member(label_nos: list[int]) -> Member:
    return make_member()


def failures_of(member: Member, failures: int | None = None) -> int:
    """Set how many codes in a row were wrong, or read it."""
    if failures is not None:
        Member.objects.filter(pk=member.pk).update(failures=failures)
    return Member.objects.get(pk=member.pk).failures


def by_web(code: str, member: Member) -> Attempt:
    return make_attempt(code, member_id=member.pk, door=Door.WEB, cookie="device")


def test_the_hundredth_wrong_code_in_a_row_locks_and_the_ninety_ninth_does_not(
    member: Member, label_nos: list[int]
) -> None:
    failures_of(member, 98)
    assert redeem(guess(1)).outcome is Outcome.UNKNOWN
    assert failures_of(member) == 99
    assert redeem(by_web(secret_of(label_nos[0]), member)).outcome is Outcome.REDEEMED
    assert failures_of(member) == 0
    failures_of(member, 99)
    last = guess(2)
    first_answer = redeem(last)
    scans = Scan.objects.count()

    told = [
        redeem(make_attempt(secret_of(label_nos[1]))),
        redeem(by_web(secret_of(label_nos[1]), member)),
        verify(make_check(code=secret_of(label_nos[1]), phone=CONSUMER)),
        look(make_check(code=secret_of(label_nos[1]), phone=CONSUMER)),
    ]

    assert failures_of(member) == 100
    assert [receipt.outcome for receipt in told] == [Outcome.TOO_MANY_TRIES] * 4
    assert [receipt.receipt_no for receipt in told] == [None] * 4
    assert Scan.objects.count() == scans, "what is not looked at leaves no scan"
    assert sum(Refused.objects.values_list("count", flat=True)) == 3
    assert redeem(last) == first_answer, "what was answered stays answered"
    assert redeem(make_attempt(secret_of(label_nos[1]), phone=STRANGER_PHONE)).outcome is Outcome.REDEEMED
    assert verify(make_check(serial=serial_of(label_nos[2]), phone=CONSUMER)).outcome is Outcome.GENUINE_FIRST


def test_neighbours_of_one_batch_are_counted_apart(member: Member, label_nos: list[int]) -> None:
    from redemption.services import redeem_each

    other = make_member(STRANGER_PHONE)
    failures_of(member, 100)
    failures_of(other, 3)

    outcomes = [
        answer.outcome if not isinstance(answer, Exception) else answer
        for answer in redeem_each(
            [
                guess(1, phone=STRANGER_PHONE),
                make_attempt(secret_of(label_nos[0])),
                guess(2, phone=STRANGER_PHONE),
                make_attempt("1234", phone=STRANGER_PHONE),
            ]
        )
    ]

    assert outcomes == [Outcome.UNKNOWN, Outcome.TOO_MANY_TRIES, Outcome.UNKNOWN, Outcome.TYPO]
    assert (failures_of(member), failures_of(other)) == (100, 5)


def test_support_unlocks_and_the_trail_says_so(member: Member, label_nos: list[int]) -> None:
    failures_of(member, 100)
    path = f"/console/members/{member.public_id}"
    answers = {}
    for role in ("auditor", "support"):
        client = Client(headers={"host": "brand.localhost"})
        client.force_login(
            User.objects.create(username=role, role=role, language="en"),
            backend="allauth.account.auth_backends.AuthenticationBackend",
        )
        page = client.get(path).content.decode()
        assert "locked" in page
        assert (f"{path}/unlock" in page) is (role == "support")
        assert redeem(make_attempt(secret_of(label_nos[0]))).outcome is Outcome.TOO_MANY_TRIES
        answers[role] = client.post(f"{path}/unlock").status_code

    assert answers == {"auditor": 403, "support": 302}
    row = Audit.objects.get(act="unlock")
    assert (row.actor, row.row_id, row.after) == ("support", str(member.pk), {"failures": 100})
    assert redeem(make_attempt(secret_of(label_nos[0]))).outcome is Outcome.REDEEMED


def test_the_limit_is_scaled_as_the_other_budgets(member: Member, label_nos: list[int], settings: LazySettings) -> None:
    failures_of(member, 100)
    assert redeem(make_attempt(secret_of(label_nos[0]))).outcome is Outcome.TOO_MANY_TRIES

    settings.FAILURE_BUDGET_SCALE = 20

    assert redeem(make_attempt(secret_of(label_nos[0]))).outcome is Outcome.REDEEMED
