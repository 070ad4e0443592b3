"""Codes of vouchers: a stock uploaded once, encrypted, one code for one claim, for ever."""

import pytest
from django.db import DatabaseError, transaction

from brands.models import Brand
from lottery.errors import BadStock
from lottery.models import Claim, VoucherCode
from lottery.services import claiming, stock
from staff import vault
from tests.lottery import world
from tests.lottery.prizes import TOLD, draw_prizes, one_prize, winner

FILE = "\ufeffcode,note\r\nAAA-1,x\r\n\r\nAAA-2\r\nAAA-3,\r\n"


def vouchers(quantity: int = 2) -> list[Claim]:
    draw = draw_prizes(world.tier(1, quantity, use="draw", kind="voucher"), people=4)
    return list(Claim.objects.filter(pick__draw=draw).order_by("pk"))


def take(claim: Claim) -> Claim:
    return claiming.claim_prize(claim.pk, member=winner(claim), given={}, at=TOLD)


def test_a_file_is_taken_with_or_without_a_heading() -> None:
    assert stock.codes_of(FILE) == [(2, "AAA-1"), (4, "AAA-2"), (5, "AAA-3")]
    assert stock.codes_of("AAA-1\nAAA-2") == [(1, "AAA-1"), (2, "AAA-2")]


@pytest.mark.parametrize(
    ("text", "lines"),
    [("A\nB\nA\nC\nB", [3, 5]), ("A\n" + "x" * 101, [2]), ("A\nB\x07", [2]), ("", None), ("code\n", None)],
)
def test_a_file_that_cannot_be_taken_names_its_lines(text: str, lines: list[int] | None) -> None:
    with pytest.raises(BadStock) as refused:
        stock.codes_of(text)

    assert refused.value.extra.get("lines") == lines


def test_a_code_of_the_stock_is_not_taken_twice(brand: Brand) -> None:
    [first, _second] = vouchers()
    stock.add(first.tier_id, "AAA-1\nAAA-2", by="x", at=TOLD)

    with pytest.raises(BadStock) as refused:
        stock.add(first.tier_id, "code\nBBB-1\nAAA-2\nBBB-2\nAAA-1", by="x", at=TOLD)

    assert refused.value.extra["lines"] == [3, 5]
    assert VoucherCode.objects.count() == 2


def test_codes_are_kept_encrypted(brand: Brand) -> None:
    [first, _second] = vouchers()
    stock.add(first.tier_id, "SECRET-77", by="x", at=TOLD)

    row = VoucherCode.objects.get()

    assert b"SECRET-77" not in bytes(row.cipher)
    assert vault.unseal(bytes(row.cipher), field="lottery.VoucherCode.cipher", row=row.uuid) == "SECRET-77"


def test_only_vouchers_have_a_stock(brand: Brand) -> None:
    with pytest.raises(BadStock):
        stock.add(one_prize("goods").tier_id, "A", by="x", at=TOLD)


def test_a_code_comes_with_the_claim(brand: Brand) -> None:
    first, second = vouchers()
    stock.add(first.tier_id, "AAA-1\nAAA-2", by="x", at=TOLD)

    assert [take(first).state, take(second).state] == ["sent", "sent"]
    assert {stock.code_of(first), stock.code_of(second)} == {"AAA-1", "AAA-2"}
    assert claiming.received(first.pk, at=TOLD).state == "done"


def test_who_finds_the_stock_empty_gets_the_next_code(brand: Brand) -> None:
    first, second = vouchers()
    stock.add(first.tier_id, "AAA-1", by="x", at=TOLD)
    assert [take(first).state, take(second).state] == ["sent", "approved"]
    assert claiming.hand_out_due(at=TOLD) == 0

    stock.add(first.tier_id, "AAA-2", by="x", at=TOLD)

    assert [claiming.hand_out_due(at=TOLD), claiming.hand_out_due(at=TOLD)] == [1, 0]
    assert stock.code_of(second) == "AAA-2"


def test_a_code_once_given_stays_with_its_claim(brand: Brand) -> None:
    first, second = vouchers()
    stock.add(first.tier_id, "AAA-1", by="x", at=TOLD)
    take(first)

    for change in ({"claim": second}, {"claim": None, "taken_at": None}):
        with pytest.raises(DatabaseError), transaction.atomic():
            VoucherCode.objects.update(**change)


@pytest.mark.parametrize(("codes", "low"), [(0, True), (1, True), (2, False)])
def test_the_alarm_rings_before_the_stock_is_empty(brand: Brand, codes: int, low: bool) -> None:
    [first, *_others] = vouchers(4)[:4]
    if codes:
        stock.add(first.tier_id, "\n".join(f"A{n}" for n in range(codes)), by="x", at=TOLD)
    if codes == 1:
        take(first)

    found = stock.stock_of(first.tier)

    assert (found.total, found.left) == (codes, codes - (codes == 1))
    assert found.low is low
