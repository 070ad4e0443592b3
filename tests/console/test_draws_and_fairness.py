"""The record of a draw and the fairness report, on the console and in public."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import transaction
from django.test import Client

from analytics import fair_play
from analytics.models import FairnessReport
from lottery import keys
from lottery.models import Campaign, Claim, Draw
from lottery.services.arming import close_due
from lottery.services.playing import Ask
from staff.models import User
from tests.lottery import world
from tests.makers import labels_of, make_active_batch, make_member

HOST = "brand.localhost"


@pytest.fixture
def browse(brand) -> Callable[..., Client]:
    keys.forget()

    def with_role(role: str = "marketer") -> Client:
        user, _ = User.objects.get_or_create(username=f"the-{role}", defaults={"role": role})
        client = Client(HTTP_HOST=HOST, headers={"accept-language": "en"})
        client.force_login(user)
        return client

    return with_role


@pytest.fixture
def draw(browse) -> Draw:
    tiers = [world.tier(1, 1, use="draw", alternates=2)]
    return world.open_draws(*tiers, terms={"enter": world.ENTER_ALL})[1][0]


@pytest.fixture
def game(browse) -> Campaign:
    batch = make_active_batch(60, at=world.NOW + timedelta(minutes=50))
    game = world.open_game(batch, world.tier(1, 15))
    member = make_member()
    keys.load([game.pk])
    with transaction.atomic():
        world.play_all(
            [
                Ask(label_no=no, scan_id=no, account_id=member.account_id, member_id=member.pk, at=world.OPENS, slot=3)
                for no in labels_of(batch)[:40]
            ]
        )
    return game


def test_the_record_of_a_draw_grows_with_it(browse, draw):
    client = browse("auditor")
    world.fill(draw, 4)
    page = f"/console/draws/{draw.public_id}"
    early = client.get(page).content.decode()
    done = world.drawn(draw)

    late = client.get(page).content.decode()

    assert "Nobody has been drawn yet." in early
    assert bytes(done.root).hex() in late
    claim = Claim.objects.get()
    assert claim.public_id in late
    assert "138****" in late
    assert f"/draws/{draw.public_id}/1/bundle.zip" in late
    assert late.count('<tr><td class="r">') >= 3
    assert draw.public_id in client.get("/console/draws").content.decode()
    assert client.get("/console/draws?state=open").content.decode().count(draw.public_id) == 0
    csv = client.get(f"{page}?format=csv").content.decode("utf-8-sig").splitlines()
    assert len(csv) == 1 + 3
    assert client.get("/console/draws/drw_x").status_code == 404


def test_a_draw_that_waits_says_so(browse, draw):
    from lottery.services import advance

    listed = advance(draw.pk, at=world.LISTED)

    page = browse().get(f"/console/draws/{draw.public_id}").content.decode()

    assert f"Waiting for round {listed.round}: it was due on" in page  # the clock of this test is past it


def test_the_report_is_made_by_hand_and_shown(browse, game):
    page = f"/console/campaigns/{game.public_id}/fairness"
    client = browse()
    assert "within the hour" in client.get(page).content.decode()
    assert browse("auditor").post(f"{page}/make").status_code == 403

    assert client.post(f"{page}/make").status_code == 302

    shown = client.get(page).content.decode()
    kept = FairnessReport.objects.get(campaign=game)
    assert fair_play.Report.read(kept.content).plays == 40
    assert "as chance spreads them" in shown
    assert "By weekday" in shown
    lines = client.get(f"{page}?format=csv").content.decode("utf-8-sig").splitlines()
    assert lines[0].startswith("Comparison,Cell,Plays")
    assert len(lines) > 6


def test_everybody_reads_it_once_the_game_is_over(browse, game):
    reader = Client(HTTP_HOST=HOST, headers={"accept-language": "en"})
    page = f"/draws/{game.public_id}/fairness"
    fair_play.keep(game, at=world.OPENS)
    running = reader.get(page)
    close_due(at=world.CLOSES)
    soon = reader.get(page)
    over = Campaign.objects.get(pk=game.pk)
    fair_play.keep(over, at=world.CLOSES)

    shown = reader.get(page)

    assert running.status_code == 404
    assert "Being made" in soon.content.decode()
    assert shown.status_code == 200
    assert "Never redeemed" in shown.content.decode()
    assert page in reader.get(f"/draws/{game.public_id}").content.decode()
    assert reader.get(f"{page}?format=csv").content.decode("utf-8-sig").startswith("Comparison,")
