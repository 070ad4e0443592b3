"""The fairness report: a fair world is not accused, an insider's harvest and a biased door are found, units add up."""

import random
from datetime import timedelta

import pytest
from django.db import transaction

from analytics import fair_play, tasks
from analytics.models import FairnessReport
from labels.services import activate, block
from lottery import keys
from lottery.fairness import spread, spread_in_strata
from lottery.models import BudgetSlot, Campaign, Claim, Play
from lottery.services.arming import close_due
from lottery.services.playing import Ask
from redemption.models import Scan, ScanPlace
from redemption.rules import Act, Door, Outcome
from tests.lottery import world
from tests.makers import make_batch, make_member

LABELS = 1500
REGIONS = ("CN-ZJ", "CN-SH", "CN-GD", "")
DOORS = (Door.WEB, Door.SMS, Door.API)


@pytest.fixture
def game(brand):
    """An open game over two batches with other odds in each pool: 40 in a hundred, and 10."""
    keys.forget()
    batches = [make_batch(count=LABELS), make_batch(count=LABELS)]
    spans = [(batch.label_range.lower, batch.label_range.upper) for batch in batches]
    for batch, span in zip(batches, spans, strict=True):
        activate(label_range=span, product=batch.product, at=world.OPENS, asked_by="maker")
    pools = [
        world.NewPool(number=n, ranges=[span], quantities=(most,))
        for n, (span, most) in enumerate(zip(spans, (600, 150), strict=True), 1)
    ]
    game = world.draft(kind="instant", tiers=[world.tier(1, 750)], pools=pools)
    return world.opened(world.armed(world.published(game))), batches


def tell(game, batches, *, share=1.0, seed=1, harvest=False, biased=None):
    """Write plays as redemptions would: doors, regions and times by chance; then what was planted.

    The game's key decides which labels win, anew in every run; that the n-th winner of a pool plays here and now is
    decided by the seed alone. So the tables are the same in every run: of fair worlds, one in a hundred is accused.

    ``harvest``: some winners are redeemed within two hours. ``biased``: a door at which every second winner loses.
    """
    rng, member = random.Random(seed), make_member()
    keys.load([game.pk])
    tables = keys.kept(game.pk).game
    tier = game.tiers.get()
    scans, plays, places = [], [], []
    labels = []
    for pool, batch in zip(game.pools.order_by("number"), batches, strict=True):
        numbers = list(range(batch.label_range.lower, batch.label_range.upper))
        drawn = zip(tables.tiers_of(pool.pk, numbers), numbers, strict=True)
        labels += sorted((pool.number, won is None, no, pool) for won, no in drawn)
    rng.shuffle(labels)
    for scan_id, (_number, loses, label, pool) in enumerate(labels[: int(share * len(labels))], 1):
        wins = not loses
        door = rng.choice(DOORS)
        wait = timedelta(hours=rng.expovariate(1 / 60))
        if harvest and wins and rng.random() < 0.3:
            wait = timedelta(minutes=rng.uniform(5, 120))
        if door is biased and wins:
            wins = rng.random() < 0.5
        at = world.OPENS + min(wait, timedelta(days=6))
        scans.append(Scan(id=scan_id, at=at, label_no=label, act=Act.REDEEM, door=door, outcome=Outcome.REDEEMED))
        places.append(ScanPlace(scan_id=scan_id, source="gps", region=rng.choice(REGIONS), at=at))
        plays.append(
            Play(id=scan_id, label_no=label, scan_id=scan_id, account_id=member.account_id, at=at, campaign=game, pool=pool,
                 tier=tier if wins else None, outcome=int(wins), version=1)
        )  # fmt: skip
    Scan.objects.bulk_create(scans)
    ScanPlace.objects.bulk_create(places)
    Play.objects.bulk_create(plays)


def accused(report):
    return {one.by for one in report.comparisons if one.stands_out} | ({"order"} if report.order.stands_out else set())


def test_a_fair_world_is_not_accused(game):
    tell(*game)

    report = fair_play.report(game[0])

    assert accused(report) == set()
    assert [sum(cell.plays for cell in one.cells) for one in report.comparisons] == [2 * LABELS] * 6
    assert [sum(cell.wins for cell in one.cells) for one in report.comparisons] == [750] * 6
    assert {cell.name for cell in report.comparisons[2].cells} == {"web", "sms", "api"}
    assert {one.by: one.p for one in report.comparisons}["batch"] == 1.0  # pools of other odds are no bias


def test_an_insiders_harvest_is_found(game):
    tell(*game, harvest=True)

    report = fair_play.report(game[0])

    assert "order" in accused(report)
    assert report.order.median_winners_h < report.order.median_losers_h
    assert report.stands_out


def test_a_biased_door_is_found_and_the_others_are_not(game):
    tell(*game, biased=Door.SMS)

    report = fair_play.report(game[0])

    [door] = [one for one in report.comparisons if one.by == "door"]
    assert accused(report) == {"door"}
    assert {cell.name: cell.wins < cell.expected for cell in door.cells} == {"web": False, "api": False, "sms": True}


def test_what_was_made_available_adds_up(game):
    campaign, batches = game
    first = batches[0].label_range.lower
    keys.load([campaign.pk])
    member = make_member()

    def asks(labels, **values):
        return [
            Ask(
                label_no=no,
                scan_id=no,
                account_id=member.account_id,
                member_id=member.pk,
                at=world.OPENS,
                slot=3,
                **values,
            )
            for no in labels
        ]

    with transaction.atomic():
        world.play_all(asks(range(first, first + 300)))
        world.play_all(asks(range(first + 300, first + 360), excluded=True))
    block(label_range=(first + 350, first + 500), reason="destroyed", at=world.OPENS, asked_by="maker", note="")
    running = fair_play.report(campaign)
    Claim.objects.filter(pk__in=Claim.objects.order_by("pk")[:5]).update(state=Claim.State.EXPIRED)
    close_due(at=world.CLOSES)

    [line] = fair_play.report(Campaign.objects.get(pk=campaign.pk)).tiers

    assert running.tiers[0].void is running.tiers[0].never is None  # nothing tells of winners while the game runs
    game_table = keys.kept(campaign.pk).game
    pool = campaign.pools.get(number=1)

    def winners(labels):
        return sum(one is not None for one in game_table.tiers_of(pool.pk, list(labels)))

    assert line.won == winners(range(first, first + 300)) > 0
    assert line.points_only == winners(range(first + 300, first + 360)) > 0
    assert line.void == winners(range(first + 360, first + 500)) > 0
    assert line.quantity == 750 == line.won + line.points_only + line.void + line.never
    assert (line.forfeited, line.claimed, line.waiting) == (5, 0, line.won - 5)
    assert line.adds_up
    BudgetSlot.objects.filter(left__gt=0).first().delete()
    assert not fair_play.report(Campaign.objects.get(pk=campaign.pk)).tiers[0].adds_up


def test_the_report_is_kept_and_made_again_when_due(game, monkeypatch):
    campaign, batches = game
    tell(campaign, batches, share=0.05)
    monkeypatch.setattr(tasks, "now", lambda: world.OPENS + timedelta(days=1))

    tasks.report_fairness()
    tasks.report_fairness()

    kept = FairnessReport.objects.get()
    assert fair_play.Report.read(kept.content) == fair_play.report(campaign)
    assert fair_play.due(at=kept.made_at + timedelta(minutes=59)) == []
    assert fair_play.due(at=kept.made_at + timedelta(minutes=60)) == [campaign]
    close_due(at=world.CLOSES)
    assert fair_play.due(at=world.CLOSES) == [campaign]


def test_a_game_without_plays_has_a_report(game):
    report = fair_play.report(game[0])

    assert accused(report) == set()
    assert (report.plays, report.tiers[0].won) == (0, 0)


def test_strata_are_compared_within_themselves():
    plays = [[1000, 200], [200, 1000]]

    assert spread([500 + 20, 100 + 100], [1200, 1200]).p < 1e-6  # thrown together they look unfair
    assert spread_in_strata([[500, 100], [20, 100]], plays).p > 0.9
    assert spread_in_strata([[560, 40], [20, 100]], plays).p < 0.001
    assert spread_in_strata([[52, 48]], [[1000, 1000]]) == spread([52, 48], [1000, 1000])
    with pytest.raises(ValueError, match="more wins"):
        spread_in_strata([[2], [0]], [[1], [1]])
