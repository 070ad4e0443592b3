"""One label through many hands: what each asker is told of those before, at whichever door."""

from datetime import timedelta

import pytest

from brands.models import Brand
from redemption import queries
from redemption.models import Scan
from redemption.rules import By, Door, Outcome, Place
from redemption.services import add_place, answer_was_that_you, look, redeem, verify
from tests.conftest import NOW
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


@pytest.fixture
def label_no(brand: Brand) -> int:
    make_campaign()
    return labels_of(make_active_batch(1))[0]


def test_retries_within_half_an_hour_are_one_visit(label_no: int) -> None:
    serial = serial_of(label_no)
    first = verify(make_check(serial=serial, cookie="a", door=Door.WEB))

    same = verify(make_check(serial=serial, cookie="a", door=Door.WEB, at=NOW + timedelta(minutes=29)))
    later = verify(make_check(serial=serial, cookie="a", door=Door.WEB, at=NOW + timedelta(minutes=31)))

    assert [first.outcome, same.outcome, later.outcome] == [
        Outcome.GENUINE_FIRST,
        Outcome.GENUINE_FIRST,
        Outcome.GENUINE_REPEAT,
    ]
    assert later.earlier
    assert (later.earlier.count, later.earlier.by, later.earlier.first_at) == (1, By.YOU, NOW)
    assert Scan.objects.count() == 3


def test_each_asker_is_told_of_the_others(label_no: int) -> None:
    serial = serial_of(label_no)
    verify(make_check(serial=serial, cookie="a", door=Door.WEB, place=Place(31.23, 121.47, 30.0)))
    verify(make_check(serial=serial, asker="b", client_id=1))

    third = verify(make_check(serial=serial, phone=STRANGER_PHONE))
    nobody = verify(make_check(serial=serial))

    assert third.earlier
    assert (third.earlier.count, third.earlier.by, third.earlier.first_door) == (2, By.OTHER, Door.WEB)
    assert third.earlier.first_place == ("Shanghai", "上海")
    assert nobody.earlier
    assert (nobody.earlier.count, nobody.earlier.by) == (3, By.UNKNOWN)


def test_one_member_at_two_doors_is_one_person(label_no: int) -> None:
    serial = serial_of(label_no)
    verify(make_check(serial=serial, phone=CONSUMER))  # before there was a member
    member = make_member(CONSUMER)

    later = NOW + timedelta(hours=1)
    signed_in = verify(make_check(serial=serial, member_id=member.pk, cookie="a", door=Door.WEB, at=later))
    by_phone = verify(make_check(serial=serial, phone=CONSUMER, at=later + timedelta(hours=1)))

    assert signed_in.earlier
    assert by_phone.earlier
    assert (by_phone.earlier.count, by_phone.earlier.by) == (2, By.YOU)


def test_a_look_counts_nothing(label_no: int) -> None:
    serial = serial_of(label_no)

    seen = [look(make_check(serial=serial, cookie="a", door=Door.WEB)) for _ in range(3)]

    assert {receipt.outcome for receipt in seen} == {Outcome.GENUINE_FIRST}
    assert {receipt.receipt_no for receipt in seen} == {None}
    assert not Scan.objects.exists()
    assert verify(make_check(serial=serial, cookie="a", door=Door.WEB)).outcome is Outcome.GENUINE_FIRST


def test_a_redemption_tells_of_the_checks_before_it(label_no: int) -> None:
    verify(make_check(serial=serial_of(label_no), cookie="a", door=Door.WEB))

    receipt = redeem(make_attempt(secret_of(label_no), at=NOW + timedelta(days=2)))

    assert receipt.outcome is Outcome.REDEEMED
    assert receipt.earlier
    assert (receipt.earlier.count, receipt.earlier.by) == (1, By.OTHER)


def test_a_receipt_says_for_ever_what_was_said(label_no: int) -> None:
    serial = serial_of(label_no)
    given = [
        verify(make_check(serial=serial, cookie="a", door=Door.WEB)),
        verify(make_check(serial=serial, cookie="b", door=Door.WEB)),
        redeem(make_attempt(secret_of(label_no), serial=serial)),
        redeem(make_attempt(secret_of(label_no), phone=STRANGER_PHONE)),
    ]

    for receipt in given:
        read = queries.receipt(receipt.receipt_no or "")
        assert read is not None
        assert (read.outcome, read.earlier, read.points, read.balance) == (
            receipt.outcome,
            receipt.earlier,
            receipt.points,
            receipt.balance,
        )
    assert len({receipt.receipt_no for receipt in given}) == 4


def test_was_that_you_is_kept_as_a_row_of_its_own(label_no: int) -> None:
    verify(make_check(serial=serial_of(label_no), cookie="a", door=Door.WEB))
    verify(make_check(serial=serial_of(label_no), cookie="b", door=Door.WEB))
    scan = Scan.objects.latest("pk")

    answer = answer_was_that_you(scan.pk, yes=False, at=NOW)

    assert (answer.scan_id, answer.yes) == (scan.pk, False)


def test_a_place_told_later_is_the_first_place(label_no: int) -> None:
    verify(make_check(serial=serial_of(label_no), cookie="a", door=Door.WEB))
    add_place(Scan.objects.get().pk, Place(39.9, 116.4, 50.0), at=NOW)

    told = verify(make_check(serial=serial_of(label_no), cookie="b", door=Door.WEB))

    assert told.earlier
    assert told.earlier.first_place == ("Beijing", "北京")
