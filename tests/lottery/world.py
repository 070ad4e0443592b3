"""A world for games and draws: drafts, approvals of two persons, seals, and the private chain's rounds."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import cache
from typing import Any

from django.db import transaction

from common.db import pipelined
from labels import manifests
from labels.models import Batch, Manifest
from ledger.services import NewTransfer, post, system_account
from lottery import keys, private_chain
from lottery.beacons import Beacon
from lottery.models import Campaign, Draw, Play
from lottery.services import (
    Ask,
    Enter,
    NewDraw,
    NewGame,
    NewPool,
    NewTier,
    UnitsShort,
    advance,
    arm,
    arm_payload,
    ask_draws,
    ask_seats,
    ask_written,
    draft_game,
    enter,
    enter_by_points,
    enter_free,
    open_due,
    play,
    prepare_pools,
    publish,
    publish_payload,
)
from lottery.services.beaconing import store
from lottery.told import EntryTold
from staff import approvals
from staff.models import User
from tests.conftest import NOW
from tests.makers import make_member

OPENS, CLOSES = NOW + timedelta(hours=1), NOW + timedelta(days=7)
CLOSE = OPENS + timedelta(days=1)  # of a draw, then its list, then its round
LISTED, DRAWN = CLOSE + timedelta(minutes=2), CLOSE + timedelta(hours=1)


def user(name: str, role: str = "marketer") -> User:
    return User.objects.get_or_create(username=name, defaults={"role": role})[0]


def approved(kind: str, payload: dict[str, Any], *, at: datetime = NOW, approver: str = "approver") -> int:
    """Return the approval of a second person."""
    row = approvals.request(kind, payload, by=user("proposer"), at=at)
    with transaction.atomic():
        approvals.decide(row.pk, approved=True, by=user(approver), at=at)
    return row.pk


def tier(
    number: int, quantity: int, *, use: str = "instant", kind: str = "goods", price: int = 0, **values: Any
) -> NewTier:
    return NewTier(
        use=use,
        tier=number,
        kind=kind,
        name=f"Prize {number}",
        name_zh=f"奖品 {number}",
        quantity=quantity,
        unit_cost=100,
        market_price=price or 1000 // number,
        currency="CNY",
        points=values.pop("points", 50 if kind == "points" else None),
        **values,
    )


def instant(ranges: Sequence[tuple[int, int]], *tiers: NewTier, **values: Any) -> Campaign:
    """Draft an instant game over one pool."""
    return draft(kind="instant", tiers=tiers, pools=[NewPool(number=1, ranges=ranges)], **values)


def draws(*tiers: NewTier, closes: Sequence[datetime] = (OPENS + timedelta(days=1),), **values: Any) -> Campaign:
    """Draft a campaign of draws."""
    new = [NewDraw(number=number, opens_at=OPENS, close_at=at) for number, at in enumerate(closes, 1)]
    return draft(kind="draw", tiers=tiers, draws=new, **values)


def draft(**values: Any) -> Campaign:
    given = {"name": "Spring", "name_zh": "春季", "opens_at": OPENS, "closes_at": CLOSES, "zone": "Asia/Shanghai"}
    return draft_game(NewGame(**{**given, **values}), at=NOW, asked_by="maker")


def published(campaign: Campaign, *, touched: Sequence[int] = (), at: datetime = NOW, **values: Any) -> Campaign:
    if campaign.has_instant:
        for batch in prepare_pools(campaign.pk, at=at):
            manifests.make(Manifest.objects.get(batch=batch).pk)
    publish(
        campaign.pk,
        approval_id=approved("lottery.publish", publish_payload(campaign), at=at),
        touched=touched,
        at=at,
        published_by="maker",
        **values,
    )
    return Campaign.objects.get(pk=campaign.pk)


def manual(chain: str) -> Beacon:
    """Return the beacon of numbers that persons type."""
    return Beacon("manual", chain)


def beacon_out(round_no: int, *, at: datetime) -> None:
    """Let the private chain's round come out."""
    store(private_chain.beacon(), round_no, _signed(round_no), at=at)


_signed = cache(private_chain.sign)  # the same at every call, and slow


def armed(campaign: Campaign, *, at: datetime = NOW + timedelta(minutes=40), **values: Any) -> Campaign:
    from lottery.services.arming import first_commitment

    _commitment, value = first_commitment(campaign)
    beacon_out(value["beacon"]["round"], at=at)
    arm(
        campaign.pk,
        approval_id=approved("lottery.arm", arm_payload(campaign), at=at),
        at=at,
        armed_by="maker",
        **values,
    )
    return Campaign.objects.get(pk=campaign.pk)


def opened(campaign: Campaign, *, at: datetime = OPENS) -> Campaign:
    open_due(at=at)
    return Campaign.objects.get(pk=campaign.pk)


def open_game(batch: Batch, *tiers: NewTier, touched: Sequence[int] = (), **values: Any) -> Campaign:
    """Make, publish, arm and open an instant game over a batch."""
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    return opened(armed(published(instant(ranges, *tiers, **values), touched=touched)))


def open_draws(*tiers: NewTier, **values: Any) -> tuple[Campaign, list[Draw]]:
    campaign = opened(published(draws(*tiers, **values)))
    return campaign, list(campaign.draws.order_by("number"))


def rich_member(phone: str, points: int = 1000) -> Any:
    """Make a member with points."""
    member = make_member(phone)
    with transaction.atomic():
        account = system_account("issuance")
        post([NewTransfer(account, member.account_id, points, "award", "purchase", member.pk)], at=NOW)
    return member


ENTER_ALL = {"label": 1, "losing_play": 1, "points": 1, "points_price": 10, "free": 1}


def members(n: int) -> list[Any]:
    return [rich_member(f"+86138001{number:05}") for number in range(n)]


def fill(draw: Draw, n: int = 8) -> list[Any]:
    """Enter n members by their labels, the first three by points too, the first once more for nothing."""
    people = members(n)
    keys.load([draw.campaign_id])
    with transaction.atomic():
        enter_all([Enter(label_no=100 + i, account_id=one.account_id, at=OPENS) for i, one in enumerate(people)])
    for weight, one in enumerate(people[:3], 1):
        enter_by_points(draw.pk, account_id=one.account_id, weight=weight, request_id=f"r{weight}", at=OPENS)
    enter_free(draw.pk, account_id=people[0].account_id, request_id="free", at=OPENS)
    return people


def drawn(draw: Draw) -> Draw:
    """Take a draw from its close to its proof."""
    assert advance(draw.pk, at=LISTED).state == Draw.State.LISTED
    return drawn_on(draw)


def drawn_on(draw: Draw) -> Draw:
    """Take a listed draw to its proof: its round comes out."""
    beacon_out(Draw.objects.get(pk=draw.pk).round or 0, at=DRAWN)
    return advance(draw.pk, at=DRAWN)


def game_now(batch: Batch, *tiers: NewTier, at: datetime, **values: Any) -> Campaign:
    """Make an instant game over a batch that is open at ``at``: for the doors, which have a clock of their own."""
    ranges = [(batch.label_range.lower, batch.label_range.upper)]
    campaign = instant(ranges, *tiers, opens_at=at - timedelta(hours=1), closes_at=at + timedelta(days=7), **values)
    published(campaign, at=at - timedelta(hours=3))
    return opened(armed(campaign, at=at - timedelta(hours=2)), at=at)


def draw_now(*tiers: NewTier, at: datetime, **values: Any) -> tuple[Campaign, Draw]:
    """Make a campaign of one draw that is open at ``at`` and closes a day later."""
    opens, close = at - timedelta(hours=1), at + timedelta(days=1)
    new = [NewDraw(number=1, opens_at=opens, close_at=close)]
    campaign = draft(kind="draw", tiers=tiers, draws=new, opens_at=opens, closes_at=at + timedelta(days=7), **values)
    campaign = opened(published(campaign, at=at - timedelta(hours=3)), at=at)
    return campaign, campaign.draws.get()


def play_all(asks: Sequence[Ask]) -> dict[int, Play]:
    """Play labels in whatever games there are, as a batch of redemptions does; return the plays by label."""
    campaigns = Campaign.objects.values_list("pk", flat=True)
    seats = ask_seats([ask.label_no for ask in asks], campaigns, at=max(ask.at for ask in asks))()
    try:
        with transaction.atomic(), pipelined():
            ask_written(play(asks, seats))
    except UnitsShort:
        with pipelined():
            ask_written(play(asks, seats), by_hand=True)
    return {
        one.label_no: one for one in Play.objects.filter(pk__in=[ask.scan_id for ask in asks]).select_related("tier")
    }


def enter_all(labels: Sequence[Enter]) -> dict[int, list[EntryTold]]:
    """Enter labels into whatever draws there are."""
    campaigns = Campaign.objects.values_list("pk", flat=True)
    return enter(labels, ask_draws(campaigns, at=min(one.at for one in labels))())
