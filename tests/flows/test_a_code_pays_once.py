"""The story of one code: it pays three parties, once, whoever tries again and however."""

from dataclasses import replace

import pytest

from brands.models import Brand
from ledger.models import Transfer
from redemption.models import Redemption, Scan
from redemption.rules import By, Outcome
from redemption.services import KeyReused, UnknownPartner, WhoEarns, redeem, redeem_many
from tests.makers import (
    CONSUMER,
    POINTS_PER_LABEL,
    PROMOTER_POINTS,
    RETAILER_POINTS,
    STRANGER_PHONE,
    balance_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_partner,
    secrets_of,
)


@pytest.fixture
def code(brand: Brand) -> str:
    make_campaign()
    return secrets_of(make_active_batch(1))[0]


def test_first_try_is_genuine_and_pays(code: str) -> None:
    receipt = redeem(make_attempt(code))

    assert receipt.outcome is Outcome.REDEEMED
    assert (receipt.points, receipt.balance, balance_of()) == (POINTS_PER_LABEL, POINTS_PER_LABEL, POINTS_PER_LABEL)
    assert receipt.earlier is None
    assert receipt.receipt_no
    assert len(receipt.receipt_no) == 12
    assert receipt.product
    assert receipt.product.name == "Spring Tea"


def test_second_try_is_refused_and_kept(code: str) -> None:
    first = redeem(make_attempt(code))

    refusal = redeem(make_attempt(code))

    assert refusal.outcome is Outcome.ALREADY_REDEEMED
    assert balance_of() == POINTS_PER_LABEL
    assert refusal.earlier
    assert refusal.earlier.by is By.YOU
    assert refusal.receipt_no == first.receipt_no
    assert Scan.objects.count() == 2
    assert Redemption.objects.count() == 1


def test_another_consumer_is_told_of_the_first(code: str) -> None:
    redeem(make_attempt(code))

    refusal = redeem(make_attempt(code, phone=STRANGER_PHONE))

    assert refusal.outcome is Outcome.ALREADY_REDEEMED
    assert refusal.earlier
    assert (refusal.earlier.by, refusal.earlier.count, refusal.points, refusal.balance) == (By.OTHER, 1, 0, 0)
    assert balance_of(STRANGER_PHONE) == 0


def test_same_request_gets_the_first_answer(code: str) -> None:
    attempt = make_attempt(code)
    first = redeem(attempt)
    redeem(make_attempt(code, phone=STRANGER_PHONE))

    again = redeem(attempt)

    assert again == first
    assert Scan.objects.count() == 2


def test_same_request_with_other_content_is_a_conflict(code: str) -> None:
    attempt = make_attempt(code)
    redeem(attempt)

    with pytest.raises(KeyReused):
        redeem(replace(attempt, phone=STRANGER_PHONE))

    assert Scan.objects.count() == 1


def test_three_parties_are_paid_by_one_redemption(code: str) -> None:
    retailer, promoter = make_partner("retailer"), make_partner("promoter")

    receipt = redeem(make_attempt(code, retailer=retailer.number, promoter=promoter.number))

    transfers = Transfer.objects.all()
    assert [transfer.linked for transfer in transfers] == [3, 3, 3]
    assert {(transfer.credit_id, transfer.amount) for transfer in transfers} >= {
        (retailer.account_id, RETAILER_POINTS),
        (promoter.account_id, PROMOTER_POINTS),
    }
    assert [(paid.party, paid.points) for paid in receipt.paid] == [
        ("consumer", POINTS_PER_LABEL),
        ("retailer", RETAILER_POINTS),
        ("promoter", PROMOTER_POINTS),
    ]


@pytest.mark.parametrize("names", [{"retailer": "R9999"}, {"promoter": "R1001"}])
def test_an_unknown_partner_writes_nothing(code: str, names: dict[str, str]) -> None:
    make_partner("retailer", number="R1001")

    with pytest.raises(UnknownPartner):
        redeem(make_attempt(code, **names))

    assert not Scan.objects.exists()
    assert redeem(make_attempt(code, retailer="R1001")).outcome is Outcome.REDEEMED


def test_a_redemption_names_exactly_one_consumer(code: str) -> None:
    for named in ({"phone": CONSUMER, "asker": "a"}, {"phone": None}):
        with pytest.raises(WhoEarns):
            redeem(make_attempt(code, **named))

    assert not Scan.objects.exists()


def test_duplicates_in_one_batch_are_duplicates(code: str) -> None:
    attempts = [make_attempt(code), make_attempt(code), make_attempt(code, phone=STRANGER_PHONE)]

    first, second, third = redeem_many([*attempts, attempts[0]])[:3]

    assert [first.outcome, second.outcome, third.outcome] == [
        Outcome.REDEEMED,
        Outcome.ALREADY_REDEEMED,
        Outcome.ALREADY_REDEEMED,
    ]
    assert second.earlier
    assert third.earlier
    assert (second.earlier.by, third.earlier.by) == (By.YOU, By.OTHER)
    assert [scan.outcome for scan in Scan.objects.order_by("pk")] == [first.outcome, second.outcome, third.outcome]


def test_an_asker_of_a_client_earns_on_a_pending_account(code: str) -> None:
    receipt = redeem(make_attempt(code, asker="user-1"))

    assert (receipt.outcome, receipt.balance) == (Outcome.REDEEMED, POINTS_PER_LABEL)
    assert Transfer.objects.get().credit.party == "pending"
    again = redeem(make_attempt(code, asker="user-1"))
    assert again.earlier
    assert again.earlier.by is By.YOU
