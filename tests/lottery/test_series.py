"""A series of draws that runs by itself: only the beat's task is called, with the clock set forward."""

from datetime import UTC, datetime, timedelta

import pytest

from ledger.models import Hold
from lottery import keys, private_chain, tasks
from lottery.models import Bundle, Campaign, Claim, Draw, Pick
from lottery.prf import committed
from lottery.rules import series
from lottery.services import NewDraw, beaconing, enter_by_points, halt_game, halt_payload, reveal
from tests.lottery import world
from tests.makers import make_batch

FIRST = datetime(2026, 11, 29, 12, 0, tzinfo=UTC)  # Sunday, 20:00 in Shanghai
SUNDAYS = series(FIRST, every_days=7, times=3, zone="Asia/Shanghai")
MINUTE = timedelta(minutes=1)


@pytest.fixture
def tick(brand, monkeypatch):
    """Return what the beat does: run the task at a moment, twice, as a broker may deliver it."""
    keys.forget()

    def run(at):
        monkeypatch.setattr(tasks, "now", lambda: at)
        tasks.go_on()
        tasks.go_on()

    return run


@pytest.fixture
def campaign(tick):
    """Every Sunday 20:00, 3 times: each draw opens when the one before it closes."""
    opens = [world.OPENS, *SUNDAYS[:-1]]
    draws = [NewDraw(number=n, opens_at=a, close_at=b) for n, (a, b) in enumerate(zip(opens, SUNDAYS, strict=True), 1)]
    drafted = world.draft(
        kind="draw",
        tiers=[world.tier(1, 2, use="draw", alternates=1)],
        draws=draws,
        closes_at=SUNDAYS[-1],
        terms={"enter": world.ENTER_ALL},
    )
    return world.published(drafted)


def numbered(n):
    return Draw.objects.get(number=n)


def states():
    return list(Draw.objects.order_by("number").values_list("state", flat=True))


def enter_some(n, people):
    draw = numbered(n)
    for one in people:
        enter_by_points(draw.pk, account_id=one.account_id, weight=n, request_id="r", at=draw.close_at - 10 * MINUTE)


def test_three_sundays_run_by_themselves(tick, campaign):
    people = world.members(4)
    tick(world.OPENS)
    assert states() == ["open", "scheduled", "scheduled"]
    for n, close_at in enumerate(SUNDAYS, 1):
        enter_some(n, people)

        tick(close_at - MINUTE)
        assert numbered(n).state == "open"
        tick(close_at)
        assert numbered(n).state == "listed"
        assert not Hold.objects.filter(state="open").exists()
        tick(close_at + 20 * MINUTE)
        assert numbered(n).state == "listed"  # its round is not out
        tick(close_at + 31 * MINUTE)

        done = numbered(n)
        assert done.state == "published"
        assert done.round == private_chain.beacon().first_round_from(int(close_at.timestamp()) + 1800)
        assert Pick.objects.filter(draw=done).count() == 3
        assert Claim.objects.filter(pick__draw=done).count() == 2
        assert Bundle.objects.filter(draw=done).count() == 1

    assert states() == ["published"] * 3
    assert Campaign.objects.get(pk=campaign.pk).state == "closed"


def test_a_value_that_is_late_is_waited_for(tick, campaign, monkeypatch):
    tick(world.OPENS)
    enter_some(1, world.members(4))
    with monkeypatch.context() as down:
        down.setattr(beaconing, "_offers", lambda beacon, round_no: iter(()))
        tick(SUNDAYS[0])
        tick(SUNDAYS[0] + timedelta(days=2))

    assert states() == ["listed", "open", "scheduled"]
    named = numbered(1).round
    tick(SUNDAYS[0] + timedelta(days=2, minutes=1))
    assert (numbered(1).state, numbered(1).round) == ("published", named)


def test_a_list_that_is_late_moves_the_round_once(tick, campaign):
    tick(world.OPENS)
    enter_some(1, world.members(3))
    named, woke = numbered(1).round, SUNDAYS[0] + timedelta(hours=3)

    tick(woke)

    moved = numbered(1)
    assert moved.state == "listed"
    assert moved.round == private_chain.beacon().first_round_from(int(woke.timestamp()) + 1800) > named
    tick(woke + 31 * MINUTE)
    assert (numbered(1).state, numbered(1).round) == ("published", moved.round)


def test_a_halt_ends_what_is_not_listed_and_nothing_else(tick, campaign):
    tick(world.OPENS)
    people = world.members(3)
    enter_some(1, people)
    tick(SUNDAYS[0])
    enter_some(2, people)
    approval = world.approved("lottery.halt", halt_payload(Campaign.objects.get(), "wrong prizes"), at=SUNDAYS[0])

    halt_game(campaign.pk, reason="wrong prizes", approval_id=approval, at=SUNDAYS[0] + MINUTE)
    for later in (SUNDAYS[0] + 31 * MINUTE, SUNDAYS[1] + 31 * MINUTE, SUNDAYS[2] + 31 * MINUTE):
        tick(later)

    assert states() == ["published", "halted", "halted"]
    assert set(numbered(2).entries.values_list("state", "void_reason")) == {("voided", "halted")}
    assert not Hold.objects.filter(state="open").exists()
    assert Hold.objects.filter(state="void").count() == 3


def test_a_draw_that_stands_still_holds_up_no_other(tick, campaign, monkeypatch, caplog):
    tick(world.OPENS)
    enter_some(1, world.members(3))
    tick(SUNDAYS[0])
    entry = numbered(1).entries.first()
    Pick.objects.create(draw=numbered(1), pick_no=0, entry=entry, tier=1, unit=1, role="winner", tries=999)

    tick(SUNDAYS[0] + 31 * MINUTE)
    tick(SUNDAYS[1])
    tick(SUNDAYS[1] + 31 * MINUTE)

    assert states() == ["seeded", "published", "open"]
    assert "a draw stands still" in caplog.text


def test_an_instant_game_is_revealed_by_itself_unless_there_is_a_witness(tick):
    s2, n2 = bytes(range(32)), bytes(range(32, 64))
    game = world.open_game(make_batch(count=30), world.tier(1, 3))
    span = make_batch(count=5).label_range
    watched = world.instant([(span.lower, span.upper)], world.tier(1, 1), terms={"witness": True})
    world.opened(world.armed(world.published(watched, witness=committed(s2, n2)), s2=s2, n2=n2))

    tick(world.CLOSES)

    assert Campaign.objects.get(pk=game.pk).state == "revealed"
    assert Bundle.objects.get().campaign_id == game.pk
    assert Campaign.objects.get(pk=watched.pk).state == "closed"
    assert reveal(watched.pk, at=world.CLOSES, s2=s2, n2=n2).kind == "reveal"
