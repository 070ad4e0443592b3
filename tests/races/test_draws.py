"""Real threads at the last prize, and at the close of a draw: exact quantities, no lost or late entry, no deadlock."""

import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.db import connection, transaction

from ledger.models import Hold
from lottery import keys
from lottery.errors import DrawState
from lottery.models import BudgetSlot, Campaign, Claim, Draw, Entry, LimitUse, Play
from lottery.services import Ask, advance, cancel, enter_by_points, enter_free, subject_of
from lottery.services.drawing import close_draw, settle_holds
from tests.environment import BRAND
from tests.lottery import world
from tests.makers import labels_of, make_batch, make_member

pytestmark = pytest.mark.races
CLIENTS = 64
CLOSE = world.OPENS + timedelta(days=1)


def together(brand, works):
    """Run each work in a thread of its own with a connection of its own; return what they returned or raised."""
    gate = threading.Barrier(len(works))

    def run(work):
        connection.set_tenant(brand)
        with connection.cursor() as cursor:
            cursor.execute("SET lock_timeout = '60s'")  # what counts here is exactness, on a busy machine too
            cursor.execute("SET statement_timeout = '60s'")
        gate.wait(timeout=120)
        try:
            return work()
        except Exception as error:
            return error
        finally:
            connection.close()

    with ThreadPoolExecutor(len(works)) as pool:
        return list(pool.map(run, works))


def test_64_clients_and_the_last_prizes(real_commits):
    """Every label would win: units are taken exactly, from whichever slot still has one, without a deadlock."""
    keys.forget()
    batch = make_batch(count=CLIENTS * 2)
    campaign = world.open_game(batch, world.tier(1, CLIENTS), world.tier(2, CLIENTS))
    member = make_member()
    keys.load([campaign.pk])
    labels = labels_of(batch)

    def claim(place):
        def work():
            own = labels[2 * place : 2 * place + 2]
            with transaction.atomic():
                return world.play_all(
                    [
                        Ask(
                            label_no=label, scan_id=label, account_id=member.account_id, member_id=member.pk,
                            at=world.OPENS, slot=place % 3,
                        )
                        for label in own
                    ]
                )  # fmt: skip

        return work

    results = together(real_commits, [claim(place) for place in range(CLIENTS)])

    assert [result for result in results if isinstance(result, Exception)] == []
    won = Counter(one.tier.tier for result in results for one in result.values())
    assert won == {1: CLIENTS, 2: CLIENTS}
    assert set(BudgetSlot.objects.filter(budget__tier__campaign=campaign).values_list("left", flat=True)) == {0}
    assert Play.objects.filter(over_budget=True).count() == 0
    assert Claim.objects.count() == 2 * CLIENTS


def test_one_label_played_by_many_is_played_once(real_commits):
    keys.forget()
    batch = make_batch(count=4)
    campaign = world.open_game(batch, world.tier(1, 4))
    member = make_member()
    keys.load([campaign.pk])
    label = labels_of(batch)[0]

    def work():
        with transaction.atomic():
            return world.play_all(
                [
                    Ask(
                        label_no=label, scan_id=label, account_id=member.account_id, member_id=member.pk,
                        at=world.OPENS, slot=0,
                    )
                ]
            )  # fmt: skip

    results = together(real_commits, [work] * 16)

    assert sum(not isinstance(result, Exception) for result in results) == 1
    assert Claim.objects.count() == 1
    assert sum(BudgetSlot.objects.filter(budget__tier__campaign=campaign).values_list("left", flat=True)) == 3


def test_one_request_sent_many_times_at_once_enters_once(real_commits):
    """Everyone gets the same entry, counted once; for points, one hold."""
    keys.forget()
    limits = [{"act": "entry", "subject": "member", "period": "all", "most": 2}]
    _campaign, [draw] = world.open_draws(
        world.tier(1, 1, use="draw"), terms={"enter": world.ENTER_ALL, "limits": limits}
    )
    member = world.rich_member("+8613800200001")
    asked = {
        "account_id": member.account_id,
        "at": world.OPENS,
        "subjects": {"member": subject_of("member", member.uuid.bytes)},
    }
    works = [lambda: enter_by_points(draw.pk, weight=2, request_id="twin", **asked)] * 8
    works += [lambda: enter_free(draw.pk, request_id="free", **asked)] * 8

    results = together(real_commits, works)

    assert [one for one in results if not isinstance(one, Entry)] == []
    assert [len({one.pk for one in some}) for some in (results[:8], results[8:])] == [1, 1]
    assert Entry.objects.count() == 2
    assert Hold.objects.get(state="open").cause_id == results[0].pk
    assert LimitUse.objects.get().used == 2


def test_64_enter_while_the_draw_closes(real_commits):
    """Each entry is in the list, or was refused and holds nothing; some cancel at the same time."""
    keys.forget()
    tiers = [world.tier(1, 2, use="draw", alternates=2)]
    campaign, [draw] = world.open_draws(*tiers, terms={"enter": world.ENTER_ALL})
    members = [world.rich_member(f"+86138002{number:05}") for number in range(16)]
    early = [
        enter_by_points(draw.pk, account_id=one.account_id, weight=1, request_id="early", at=world.OPENS)
        for one in members[:8]
    ]

    def enter(place):
        account = members[place % 16].account_id
        return lambda: enter_by_points(
            draw.pk, account_id=account, weight=1 + place % 3, request_id=f"r{place}", at=world.OPENS
        )

    def take_back(entry):
        return lambda: cancel(entry.pk, account_id=entry.account_id, at=world.OPENS)

    def close():
        close_draw(draw.pk, at=CLOSE)
        return advance(draw.pk, at=CLOSE)

    works = [enter(place) for place in range(CLIENTS - 9)] + [take_back(one) for one in early] + [close]
    results = together(real_commits, works)

    unexpected = [one for one in results if isinstance(one, Exception) and not isinstance(one, DrawState)]
    assert unexpected == []
    entered = [one for one in results[: CLIENTS - 9] if isinstance(one, Entry)]
    listed = Draw.objects.get(pk=draw.pk)
    assert listed.state == Draw.State.LISTED
    live = Entry.objects.filter(draw=draw, state="live")
    assert {one.pk for one in entered} <= set(live.values_list("pk", flat=True))
    assert f'"n":{live.count()},'.encode() in bytes(listed.root_json)
    assert Hold.objects.filter(state="open").count() == live.count()
    settle_holds(listed, at=CLOSE)
    assert not Hold.objects.filter(state="open").exists()
    assert Campaign.objects.get(pk=campaign.pk).state == "open"
    call_command("verify_ledger", schema=BRAND)
