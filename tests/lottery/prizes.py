"""Prizes that were won: a draw from its entries to its claims, and the people who won."""

from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from django.db import transaction

from lottery import keys
from lottery.models import Campaign, Claim, Draw, Entry, Pick, PrizeTier
from lottery.services import Enter, NewTier, advance
from lottery.services.drawing import make_claim
from members.models import Member
from tests.lottery import world
from tests.makers import make_member

DAY = timedelta(days=1)
CLOSE = world.OPENS + timedelta(days=1)
DRAWN = CLOSE + timedelta(hours=1)
TOLD = DRAWN + timedelta(minutes=5)
ADDRESS = {
    "name": "王小明",
    "phone": "138 0013 8000",
    "region": "浙江 杭州 西湖区",
    "address": "文三路 1 号",
    "postcode": "310012",
}


def draw_prizes(*tiers: Any, people: int = 6, **values: Any) -> Draw:
    """Draw among so many members, each with one entry."""
    keys.forget()
    values.setdefault("terms", {"enter": world.ENTER_ALL, "draw": {"one_per": "who"}})
    campaign, [draw] = world.open_draws(*tiers, **values)
    members = [make_member(f"+86138002{number:05}") for number in range(people)]
    keys.load([campaign.pk])
    with transaction.atomic():
        world.enter_all(
            [Enter(label_no=100 + i, account_id=one.account_id, at=world.OPENS) for i, one in enumerate(members)]
        )
    return go_on(draw)


def go_on(draw: Draw) -> Draw:
    """Take a draw past its close and its public value to its proof."""
    advance(draw.pk, at=CLOSE + timedelta(minutes=2))
    draw.refresh_from_db()
    world.beacon_out(draw.round or 0, at=DRAWN)
    return advance(draw.pk, at=DRAWN)


def plant(member: Member, *, at: datetime, tier: NewTier, name: str = "Spring", name_zh: str = "春季") -> Claim:
    """Let a member have won a prize in a draw, without drawing: where it came from is not what the test is about."""
    campaign = Campaign.objects.create(
        kind="draw", name=name, name_zh=name_zh, state="open", opens_at=at - DAY, closes_at=at + 60 * DAY,
        zone="Asia/Shanghai", created_at=at - 2 * DAY, published_at=at - 2 * DAY,
    )  # fmt: skip
    PrizeTier.objects.create(campaign=campaign, **asdict(tier))
    draw = Draw.objects.create(campaign=campaign, opens_at=at - DAY, close_at=at, state="open")
    entry = Entry.objects.create(
        draw=draw, account=member.account, who="0" * 32, weight=1, source="free", source_id=1, ref="0" * 32,
        leaf=bytes(32), at=at,
    )  # fmt: skip
    for name_of, value in {
        "state": "published", "root": bytes(32), "root_json": b"{}", "root_signature": bytes(64), "listed_at": at,
        "seed": bytes(32), "result": b"{}", "published_at": at,
    }.items():  # fmt: skip
        setattr(draw, name_of, value)
    draw.save()
    pick = Pick.objects.create(draw=draw, pick_no=0, entry=entry, tier=1, unit=1, role="winner", tries=1)
    with transaction.atomic():
        return make_claim(pick, at=at)


def one_prize(kind: str = "goods", *, level: int = 0, price: int = 5_000, **values: Any) -> Claim:
    """Return the claim of a member who won one prize."""
    tier = world.tier(1, 1, use="draw", kind=kind, price=price, id_level=level, **values)
    return plant(make_member(), at=DRAWN, tier=tier)


def winner(claim: Claim) -> Member:
    return Member.objects.get(account_id=claim.account_id)
