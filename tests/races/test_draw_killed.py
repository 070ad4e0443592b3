"""The worker of a draw is killed (SIGKILL) at each named step: what follows is done again, and the winners are the same."""

import os
import signal
import traceback
from datetime import datetime, timedelta

import pytest
from django.core.management import call_command
from django.db import DEFAULT_DB_ALIAS, connection, connections

from brands.models import Brand
from ledger.models import Hold
from lottery import keys, private_chain
from lottery.draw import listed, seed_of, select
from lottery.models import Bundle, Claim, Draw, Pick
from lottery.services import STEPS, advance_due, drawing, enter_by_points
from lottery.services.beaconing import value_of
from tests.environment import BRAND
from tests.lottery import world

pytestmark = pytest.mark.races
CLOSE = world.OPENS + timedelta(days=1)
NAMES = [f"{name} {part}" for name, _step in STEPS.values() for part in ("begun", "done")]


def die_at(name: str, brand: Brand, *, at: datetime) -> int:
    """Let a process of its own take the draws that are due as far as it can, and kill it at a step; return its exit code."""
    connections.close_all()
    child = os.fork()
    if not child:
        try:
            # After a browser test a loop runs in this thread, though not in its forks, and Django keeps connections by
            # loop: the fork would find, and share with its parent, the one from before, to another database.
            connections[DEFAULT_DB_ALIAS] = connections.create_connection(DEFAULT_DB_ALIAS)
            drawing.on_step = lambda step: os.kill(os.getpid(), signal.SIGKILL) if step == name else None
            connection.set_tenant(brand)
            advance_due(at=at)
            os._exit(0)
        except BaseException:
            traceback.print_exc()
            os._exit(1)
    _pid, status = os.waitpid(child, 0)
    connection.set_tenant(brand)
    return os.waitstatus_to_exitcode(status)


@pytest.fixture
def draw(real_commits: Brand) -> Draw:
    keys.forget()
    tiers = [world.tier(1, 2, use="draw", alternates=2), world.tier(2, 3, use="draw", alternates=1)]
    _campaign, [draw] = world.open_draws(*tiers, terms={"enter": world.ENTER_ALL})
    for number in range(12):
        member = world.rich_member(f"+86138003{number:05}")
        enter_by_points(draw.pk, account_id=member.account_id, weight=1 + number % 3, request_id="r", at=world.OPENS)
    return draw


def test_the_worker_is_killed_at_each_step(real_commits: Brand, draw: Draw) -> None:
    states = []
    for name in NAMES:
        listed_draw = Draw.objects.get(pk=draw.pk)
        if listed_draw.state == Draw.State.LISTED and value_of(private_chain.beacon(), listed_draw.round or 0) is None:
            world.beacon_out(listed_draw.round or 0, at=CLOSE)
        assert die_at(name, real_commits, at=CLOSE) == -signal.SIGKILL, name
        states.append(Draw.objects.get(pk=draw.pk).state)

    # What was begun was undone; what was done stood, and the next process went on from there.
    assert states == [
        "open", "closing", "closing", "listed", "listed", "seeded", "seeded", "selected", "selected", "published",
    ]  # fmt: skip
    advance_due(at=CLOSE)
    done = Draw.objects.get(pk=draw.pk)
    found = listed(drawing.live_lines(done))
    value = value_of(private_chain.beacon(), done.round or 0)
    assert value is not None
    seed = seed_of(rules_hash=bytes(done.rules_hash or b""), root=found.root, beacon=value)
    picks = select(seed=seed, entries=found.entries, prizes=drawing.prizes_of(done), one_per="who")
    assert list(Pick.objects.order_by("pick_no").values_list("entry_id", "tier", "unit", "role")) == [
        (found.entries[pick.index].entry, pick.tier, pick.unit, pick.role) for pick in picks
    ]
    assert Claim.objects.count() == 5
    assert Bundle.objects.filter(draw=done).count() == 1
    assert not Hold.objects.filter(state="open").exists()
    call_command("verify_ledger", schema=BRAND)
