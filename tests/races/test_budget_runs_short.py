"""A budget that pays for some of what is tried at once pays for exactly those; the rest are told, and stay unspent."""

from dataclasses import replace
from pathlib import Path

import pytest

from brands.models import Brand
from common.clock import now
from ledger.models import Cause, Transfer
from lottery.queries import points_left
from lottery.services import top_up
from redemption.models import Redemption
from redemption.rules import Attempt, Door, Outcome
from redemption.services import redeem_each
from tests.history import REDEEMED, faults
from tests.races.hammer import bulk, hammer, single
from tests.races.world import PARTIES, POINTS, history_of, ledger_sum, make_world, outcomes_kept, phone, unused
from tests.servers import Web

pytestmark = pytest.mark.races

EACH = POINTS + sum(PARTIES.values())


def test_a_batch_meets_the_end_of_the_budget(real_commits: Brand) -> None:
    world = make_world(labels=64, budget=40 * EACH + EACH // 2)
    partners = {kind: partner.number for kind, partner in world.partners.items()}
    one = Attempt(door=Door.API, at=now(), client_id=world.key_id, **partners)

    told = redeem_each(
        [replace(one, request_id=f"q{n}", code=code, phone=phone(n % 8)) for n, code in enumerate(world.secrets)]
    )

    outcomes = [receipt.outcome for receipt in told]
    assert outcomes.count(Outcome.REDEEMED) == 40
    assert outcomes.count(Outcome.CAMPAIGN_EXHAUSTED) == 24
    assert points_left(world.campaign.pk) == EACH // 2
    assert sum(Transfer.objects.filter(cause_kind=Cause.REDEMPTION).values_list("amount", flat=True)) == 40 * EACH
    assert len(unused(world.secrets, world)) == 24
    assert ledger_sum() == 0


def test_the_rest_is_paid_once_the_budget_is_topped_up(real_commits: Brand) -> None:
    world = make_world(labels=2, budget=EACH)
    partners = {kind: partner.number for kind, partner in world.partners.items()}
    one = Attempt(door=Door.API, at=now(), client_id=world.key_id, phone=phone(1), **partners)
    told = redeem_each([replace(one, request_id=f"q{n}", code=code) for n, code in enumerate(world.secrets)])
    assert [receipt.outcome for receipt in told] == [Outcome.REDEEMED, Outcome.CAMPAIGN_EXHAUSTED]

    top_up(world.campaign.pk, points=EACH, at=now())
    [paid] = redeem_each([replace(one, request_id="later", code=world.secrets[1])])
    [first] = redeem_each([replace(one, request_id="q1", code=world.secrets[1])])

    assert paid.outcome is Outcome.REDEEMED
    assert first.outcome is Outcome.CAMPAIGN_EXHAUSTED  # the same request id hears its first answer for ever


def test_a_race_for_the_last_points(real_commits: Brand, tmp_path: Path) -> None:
    paid_for = 60
    world = make_world(labels=100, budget=paid_for * EACH)
    partners = {kind: partner.number for kind, partner in world.partners.items()}
    with Web(tmp_path / "web.log") as web:
        doors = [single(web.port, world.token, partners), bulk(web.port, world.token, partners)]
        calls = hammer(world.secrets, world.phones, [doors[n % 2] for n in range(16)], attempts=2000)

    assert Redemption.objects.count() == paid_for
    assert outcomes_kept()[REDEEMED] == paid_for
    assert outcomes_kept()[Outcome.CAMPAIGN_EXHAUSTED] > 0
    assert points_left(world.campaign.pk) == 0
    assert faults(history_of(world, calls)) == []
    assert ledger_sum() == 0
