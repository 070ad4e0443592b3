import re
from datetime import datetime

import pytest
from django.db import IntegrityError
from hypothesis import given
from hypothesis.strategies import integers

from brands.models import Brand
from channel.models import Partner
from channel.qr import qr_path
from channel.queries import partners_by_number
from channel.services import (
    BadNumber,
    NumberTaken,
    PartnerClosed,
    UnknownRegion,
    close,
    create_partner,
    edit_partner,
    pause,
    resume,
)
from common.errors import NotFound
from common.luhn import luhn


@pytest.mark.parametrize(("kind", "letter"), [("distributor", "D"), ("retailer", "R"), ("promoter", "P")])
def test_a_partner_gets_number_and_account(brand: Brand, at: datetime, kind: str, letter: str) -> None:
    partner = create_partner(kind=kind, name="Any", at=at)

    assert re.fullmatch(rf"{letter}\d{{4}}", partner.number)
    assert (partner.account.party, partner.account.posted, partner.state) == (kind, 0, "active")


def test_numbers_are_all_different(brand: Brand, at: datetime) -> None:
    numbers = {create_partner(kind="retailer", name=str(n), at=at).number[1:] for n in range(20)}

    assert len(numbers) == 20


@given(integers(0, 10**9), integers(0, 8), integers(1, 9))
def test_one_wrong_digit_never_names_another_partner(count: int, place: int, by: int) -> None:
    number = f"{count}{luhn(str(count))}"
    place %= len(number)
    wrong = number[:place] + str((int(number[place]) + by) % 10) + number[place + 1 :]

    assert luhn(wrong[:-1]) != int(wrong[-1])


def test_a_number_may_be_given_once(brand: Brand, at: datetime) -> None:
    assert create_partner(kind="retailer", name="A", number="R1001", at=at).number == "R1001"

    with pytest.raises(NumberTaken):
        create_partner(kind="retailer", name="B", number="R1001", at=at)


def test_no_other_way_leads_past_the_shape_of_a_number(brand: Brand, at: datetime) -> None:
    shop = create_partner(kind="retailer", name="A", at=at)

    with pytest.raises(IntegrityError, match="partner_number_is_letter_and_digits"):
        Partner.objects.filter(pk=shop.pk).update(number="shop")


@pytest.mark.parametrize("number", ["1001", "r1001", "R1", "R100É", "R1001 "])
def test_a_number_is_a_letter_and_digits(brand: Brand, at: datetime, number: str) -> None:
    with pytest.raises(BadNumber):
        create_partner(kind="retailer", name="A", number=number, at=at)


def test_a_region_has_both_names_or_is_refused(brand: Brand, at: datetime) -> None:
    partner = create_partner(kind="distributor", name="A", region="CN-ZJ", at=at)
    assert (partner.region_name, partner.region_name_zh) == ("Zhejiang", "浙江")

    with pytest.raises(UnknownRegion):
        edit_partner(partner.public_id, name="A", name_zh="", region="CN-XX")


def test_who_may_earn_is_found_by_number_in_any_case(brand: Brand, at: datetime) -> None:
    shop = create_partner(kind="retailer", name="A", at=at)

    found = partners_by_number([shop.number, f" {shop.number.lower()}", "R0000", ""])

    assert found == {shop.number: shop, f" {shop.number.lower()}": shop}


def test_a_paused_or_closed_partner_cannot_be_named(brand: Brand, at: datetime) -> None:
    shop = create_partner(kind="retailer", name="A", at=at)
    assert partners_by_number([shop.number])

    pause(shop.public_id)
    assert partners_by_number([shop.number]) == {}
    resume(shop.public_id)
    assert partners_by_number([shop.number])
    close(shop.public_id)
    assert partners_by_number([shop.number]) == {}
    for act in (pause, resume, close):
        with pytest.raises(PartnerClosed):
            act(shop.public_id)


def test_who_is_not_there_cannot_be_paused(brand: Brand) -> None:
    with pytest.raises(NotFound):
        pause("par_nobody")
    assert not Partner.objects.exists()


def test_a_qr_code_has_its_quiet_border() -> None:
    size, path = qr_path("http://brand.localhost/p/R1009")

    assert size == 29 + 8  # version 3 for 30 bytes at level M, and the border
    assert path.startswith("M4 4h7v1h-7z")
