"""What a points farm earns is held in the ledger from the night on, until a person lifts that; it is no diversion."""

from datetime import timedelta

import pytest

from analytics import tasks
from analytics.farms import SEQUENCE, hold_rewards, note_farms
from analytics.models import FarmFinding, Finding
from brands.models import Brand
from labels.models import Batch
from ledger.models import Hold
from redemption.models import Caution, HeldReward
from redemption.services import lift_caution, redeem
from tests.conftest import NOW
from tests.console.found import make_run
from tests.makers import POINTS_PER_LABEL, labels_of, make_active_batch, make_attempt, make_campaign, secrets_of
from tests.redemption.goods import distributor, document, give, hold, make_land, pack

MINUTE, DAY = timedelta(minutes=1), timedelta(days=1)
CASE = 24
SHOP = "+8613800138011"


@pytest.fixture
def batch(brand: Brand) -> Batch:
    """A case of 24 that South has, in whose shop it lies."""
    make_campaign()
    made = make_active_batch(CASE)
    first = labels_of(made)[0]
    south = distributor("South")
    give(south, make_land()["CN-GD"], NOW - 300 * DAY)
    pack(first, first + CASE, NOW - 20 * DAY)
    hold(first, first + CASE, partner=south, paper=document("shipment", "S", source=None, to=south, at=NOW - 10 * DAY),
         since=NOW - 10 * DAY, market=("CN-GD",))  # fmt: skip
    return made


def harvest(batch: Batch, places: range) -> None:
    codes = secrets_of(batch)
    for place in places:
        redeem(make_attempt(codes[place], phone=SHOP, at=NOW + place * MINUTE))


def look() -> int:
    run = make_run()
    note_farms(run, since=NOW - DAY, until=NOW + DAY)
    return hold_rewards(run, at=NOW + DAY)


def test_a_retailer_who_takes_neighbours_in_sequence_has_rewards_held(batch: Batch) -> None:
    first = labels_of(batch)[0]
    harvest(batch, range(SEQUENCE))
    assert not Caution.objects.exists()

    assert look() == 1

    caution = Caution.objects.get()
    assert (caution.effect, caution.reason, caution.opened_by) == ("hold_reward", "farm", "analytics")
    assert (caution.label_range.lower, caution.label_range.upper) == (first, first + 2 * SEQUENCE)
    assert not Hold.objects.exists(), "what was paid before stays paid"
    codes = secrets_of(batch)
    held = redeem(make_attempt(codes[SEQUENCE], phone=SHOP, at=NOW + 2 * DAY))
    free = redeem(make_attempt(codes[CASE - 1], phone=SHOP, at=NOW + 2 * DAY))
    assert (held.points, free.points) == (POINTS_PER_LABEL, POINTS_PER_LABEL), "nobody is told otherwise"
    reward = HeldReward.objects.get()
    assert reward.label_no == first + SEQUENCE
    assert Hold.objects.get(pk=reward.hold_id).amount == POINTS_PER_LABEL


def test_what_was_lifted_stays_lifted_until_more_is_taken(batch: Batch) -> None:
    harvest(batch, range(SEQUENCE))
    look()
    assert look() == 0
    lift_caution(Caution.objects.get().public_id, outcome="released", at=NOW + DAY, by="ada")

    assert look() == 0

    harvest(batch, range(SEQUENCE, SEQUENCE + 1))
    assert look() == 1
    assert Caution.objects.filter(lifted_at=None).count() == 1


def test_by_night_a_farm_is_held_and_is_no_diversion(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    harvest(batch, range(SEQUENCE))
    monkeypatch.setattr(tasks, "now", lambda: NOW + DAY)

    tasks.nightly()

    assert FarmFinding.objects.get().kind == "sequence"
    assert Caution.objects.count() == 1
    assert not Finding.objects.filter(alert=True).exists()
