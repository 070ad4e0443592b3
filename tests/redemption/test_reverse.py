"""Taking a redemption back: every party's points return, and what was spent is owed to the clawback account alone."""

import pytest
from django.db import transaction
from django.test import Client

from brands.models import Brand
from ledger import queries as ledger
from ledger.models import Account
from ledger.services import NewTransfer, post, system_account
from lottery.queries import points_left
from redemption import queries
from redemption.errors import AlreadyReversed
from redemption.models import Redemption, Reversal
from redemption.rules import Outcome
from redemption.services import redeem, reverse_redemption, take_back
from staff import approvals
from staff.models import Approval, User
from tests.conftest import NOW
from tests.makers import (
    PROMOTER_POINTS,
    RETAILER_POINTS,
    balance_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_partner,
    secrets_of,
    serial_of,
)


@pytest.mark.parametrize("spent", [False, True])
def test_a_reversal_returns_all_and_claws_back_what_was_spent(brand: Brand, spent: bool) -> None:
    campaign = make_campaign(budget=1000)
    retailer, promoter = make_partner("retailer"), make_partner("promoter")
    codes = secrets_of(make_active_batch(2))
    redeem(make_attempt(codes[0], retailer=retailer.number, promoter=promoter.number))
    assert points_left(campaign.pk) == 885
    if spent:
        with transaction.atomic():
            post(
                [
                    NewTransfer(
                        debit=retailer.account_id,
                        credit=system_account("redeemed"),
                        amount=RETAILER_POINTS,
                        kind="spend",
                        cause_kind="order",
                        cause_id=1,
                    )
                ],
                at=NOW,
            )

    reverse_redemption(Redemption.objects.get().pk, at=NOW, asked_by="finance", reason="returned goods")

    owed = Account.objects.filter(kind=Account.Kind.CLAWBACK)
    assert balance_of() == 0
    assert ledger.balance(retailer.account_id) == ledger.balance(promoter.account_id) == 0
    assert [(row.clawback_of_id, row.posted) for row in owed] == ([(retailer.account_id, -RETAILER_POINTS)] * spent)
    assert points_left(campaign.pk) == 1000
    assert [*queries.verify(), *ledger.verify()] == []
    redeem(make_attempt(codes[1], retailer=retailer.number, promoter=promoter.number))
    assert ledger.balance(retailer.account_id) == (0 if spent else RETAILER_POINTS)
    assert ledger.balance(promoter.account_id) == PROMOTER_POINTS


def test_a_redemption_is_taken_back_once_and_its_code_stays_used(brand: Brand) -> None:
    make_campaign()
    code = secrets_of(make_active_batch(1))[0]
    redeem(make_attempt(code))
    label_no = Redemption.objects.get().pk
    reverse_redemption(label_no, at=NOW, asked_by="finance", reason="x")

    with pytest.raises(AlreadyReversed):
        reverse_redemption(label_no, at=NOW, asked_by="finance", reason="x")

    assert balance_of() == 0
    assert redeem(make_attempt(code)).outcome is Outcome.ALREADY_REDEEMED


@pytest.mark.parametrize(("consumer", "persons"), [(985, 1), (986, 2)])
def test_more_than_a_thousand_points_of_all_parties_are_taken_back_by_two_persons(
    brand: Brand, consumer: int, persons: int
) -> None:
    make_campaign(consumer=consumer)
    retailer, promoter = make_partner("retailer"), make_partner("promoter")
    code = secrets_of(make_active_batch(1))[0]
    redeem(make_attempt(code, retailer=retailer.number, promoter=promoter.number))
    label_no = Redemption.objects.get().pk
    serial = serial_of(label_no)
    fin = User.objects.create(username="fin", role="finance", language="en")
    client = Client(headers={"host": "brand.localhost"})
    client.force_login(fin, backend="allauth.account.auth_backends.AuthenticationBackend")
    form = {"typed": serial, "reason": "returned goods"}

    first = client.post(f"/console/labels/{serial}/reverse", form)

    if persons == 1:
        assert first["Location"] == f"/console/labels/{serial}"
        assert not Approval.objects.exists()
    else:
        asked = Approval.objects.get(kind="redemption.reverse")
        assert first["Location"] == f"/console/approvals/{asked.pk}"
        assert asked.payload == {"serial": serial, "points": 1001, "reason": "returned goods"}
        again = client.post(f"/console/labels/{serial}/reverse", form)
        assert again["Location"] == first["Location"]
        assert (balance_of(), Reversal.objects.count()) == (consumer, 0)
        ola = User.objects.create_user("ola", role="owner")
        with transaction.atomic():
            approvals.decide(asked.pk, approved=True, by=ola, at=asked.requested_at)
        client.post(f"/console/labels/{serial}/reverse", form)
        asked.refresh_from_db()
        assert asked.consumed_at is not None
    assert (balance_of(), Reversal.objects.get().asked_by) == (0, "fin")
    with pytest.raises(AlreadyReversed):
        take_back(label_no, at=NOW, by=fin, reason="again")
    assert [*queries.verify(), *ledger.verify()] == []
