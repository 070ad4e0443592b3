"""Voiding, closing and binding anew: by two persons, with exact counts, never over what was redeemed."""

from datetime import date, datetime, timedelta

import pytest

from brands.models import Brand
from labels import queries as labels
from labels.models import Activation, Batch
from labels.services import NotOnSale, NotReady, activate
from redemption import batches
from redemption.batches import CLOSE_ACT, VOID_ACT, close_batch, close_ended, count, rebind, request, void_batch
from redemption.rules import Outcome
from redemption.services import redeem
from staff import approvals
from staff.models import Approval, User
from tests.makers import labels_of, make_active_batch, make_attempt, make_batch, make_campaign, secret_of


@pytest.fixture
def asker(brand: Brand) -> User:
    return User.objects.create_user("pia", role="production")


@pytest.fixture
def approver(brand: Brand) -> User:
    return User.objects.create_user("ola", role="owner")


@pytest.fixture
def batch(brand: Brand) -> Batch:
    """Ten labels on sale, the third of them redeemed."""
    found = make_active_batch(10, lot="L1")
    make_campaign()
    assert redeem(make_attempt(secret_of(labels_of(found)[2]))).outcome is Outcome.REDEEMED
    return found


def answer(batch: Batch, place: int) -> Outcome:
    return redeem(make_attempt(secret_of(labels_of(batch)[place]), phone="+8613900139000")).outcome


def approved(act: str, batch: Batch, asker: User, approver: User, at: datetime) -> Approval:
    asked = request(act, batch, reason="burnt", by=asker, at=at)
    from django.db import transaction

    with transaction.atomic():
        return approvals.decide(asked.pk, approved=True, by=approver, at=at)


def test_counts_are_exact(batch: Batch, at: datetime) -> None:
    first, end = batch.goods
    other = make_batch(count=5)

    assert count([(first, end), other.goods]) == batches.Counts(labels=15, active=10, redeemed=1)
    assert count([(first, first + 2), (first + 3, end)]) == batches.Counts(labels=9, active=9, redeemed=0)
    assert count([]) == batches.Counts(0, 0, 0)


def test_a_void_batch_is_withdrawn_but_keeps_what_was_redeemed(
    batch: Batch, asker: User, approver: User, at: datetime
) -> None:
    void_batch(approved(VOID_ACT, batch, asker, approver, at).pk, at=at, asked_by="pia")

    batch.refresh_from_db()
    assert batch.state == Batch.State.VOID
    assert (answer(batch, 0), answer(batch, 2)) == (Outcome.WITHDRAWN, Outcome.ALREADY_REDEEMED)
    with pytest.raises(NotReady):
        request(VOID_ACT, batch, reason="again", by=asker, at=at)


def test_a_closed_batch_earns_nothing_more(batch: Batch, asker: User, approver: User, at: datetime) -> None:
    close_batch(approved(CLOSE_ACT, batch, asker, approver, at).pk, at=at)

    assert (answer(batch, 0), answer(batch, 2)) == (Outcome.ENDED, Outcome.ALREADY_REDEEMED)


def test_one_person_alone_changes_nothing(batch: Batch, asker: User, approver: User, at: datetime) -> None:
    asked = request(VOID_ACT, batch, reason="burnt", by=asker, at=at)
    with pytest.raises(approvals.NotApproved):
        void_batch(asked.pk, at=at)
    with pytest.raises(batches.ReasonMissing):
        request(CLOSE_ACT, batch, reason=" ", by=asker, at=at)
    void_it = approved(VOID_ACT, batch, asker, approver, at)
    with pytest.raises(approvals.NotApproved):  # approved for voiding, not for closing
        close_batch(void_it.pk, at=at)
    assert answer(batch, 1) is Outcome.REDEEMED

    void_batch(void_it.pk, at=at)
    with pytest.raises(approvals.NotApproved):  # once
        void_batch(void_it.pk, at=at)


def test_a_batch_that_never_sold_is_voided_not_closed(brand: Brand, asker: User, approver: User, at: datetime) -> None:
    batch = make_batch()
    close_it = approved(CLOSE_ACT, batch, asker, approver, at)
    with pytest.raises(NotReady):
        close_batch(close_it.pk, at=at)

    void_batch(approved(VOID_ACT, batch, asker, approver, at).pk, at=at)


def test_what_has_ended_closes_by_itself(brand: Brand, at: datetime) -> None:
    last_day = date(2026, 12, 31)
    ended, half = make_batch(), make_batch()
    activate(label_range=ended.goods, product=ended.product, at=at, valid_until=last_day)
    activate(label_range=(half.goods[0], half.goods[0] + 5), product=half.product, at=at, valid_until=last_day)
    without_end = make_active_batch()

    assert close_ended(at=at) == 0
    assert close_ended(at=at + timedelta(days=40)) == 1
    assert close_ended(at=at + timedelta(days=200)) == 1  # by then the other half has lapsed
    states = {one.pk: one.state for one in Batch.objects.all()}
    assert states == {ended.pk: "closed", half.pk: "closed", without_end.pk: "active"}


def test_labels_are_bound_anew_and_the_rest_stays(batch: Batch, at: datetime) -> None:
    first, end = batch.goods
    rebind(label_range=(first + 4, first + 6), product=batch.product, at=at, lot="L2", market="CN-53", asked_by="pia")

    now_bound = Activation.objects.filter(cancelled_at=None).order_by("label_range")
    assert [(one.first, one.last, one.lot) for one in now_bound] == [(1, 4, "L1"), (5, 6, "L2"), (7, 10, "L1")]
    assert labels.states([first + 5], at)[first + 5].market == "CN-53"
    assert end - first == 10


def test_redeemed_labels_and_those_not_on_sale_stay_as_they_are(batch: Batch, at: datetime) -> None:
    first, _end = batch.goods
    other = make_batch()
    with pytest.raises(batches.RedeemedAlready):
        rebind(label_range=(first + 2, first + 5), product=batch.product, at=at, lot="L2")
    with pytest.raises(NotOnSale):
        rebind(label_range=other.goods, product=other.product, at=at)

    rebind(label_range=(first + 3, first + 5), product=batch.product, at=at, lot="L2")
