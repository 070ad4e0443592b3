"""The demo's games: an instant game that runs, a draw with its proof, and a series that takes entries for points.

The private chain stands in for drand, since a demonstration has no network: every page and the verifier say so. Each step
is done once; what was interrupted goes on where it stood.
"""

from collections.abc import Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import transaction

from config.demo import story
from config.demo.story import BrandPlan
from labels import manifests, queries as labels
from labels.models import Batch, Manifest
from ledger.services import BalanceTooLow
from lottery import keys, private_chain
from lottery.models import Campaign, Draw
from lottery.rules import series
from lottery.services import (
    NewDraw,
    NewGame,
    NewPool,
    NewTier,
    advance,
    arm,
    arm_payload,
    draft_game,
    enter_by_points,
    enter_free,
    open_due,
    prepare_pools,
    publish,
    publish_payload,
    store_value,
)
from lottery.services.arming import first_commitment
from members.models import Member
from redemption.rules import Attempt, Door
from redemption.services import redeem_each
from staff import approvals
from staff.models import User

ZONE = "Asia/Shanghai"
ASKER, APPROVER = "owner", "owner2"
PLAYED = 240  # labels of the game's batch that were redeemed by now
_STEP = 10  # between two of them
SCRATCH, AUTUMN, WEEKLY = "Scratch and sip", "Autumn draw", "Sunday tea draw"


def _tier(use: str, number: int, quantity: int, yuan: int, *, kind: str, names: tuple[str, str]) -> NewTier:
    return NewTier(
        use=use,
        tier=number,
        kind=kind,
        name=names[0],
        name_zh=names[1],
        quantity=quantity,
        unit_cost=yuan * 60,
        market_price=yuan * 100,
        currency="CNY",
    )


BOX = ("Tea tasting box", "品茗礼盒")
DRAWN = (
    _tier("draw", 1, 1, 1680, kind="goods", names=("Yixing clay teapot", "宜兴紫砂壶")),
    _tier("draw", 2, 5, 298, kind="goods", names=BOX),
    _tier("draw", 3, 20, 20, kind="coupon", names=("Coupon of 20 yuan", "20元优惠券")),
)
INSTANT = (
    _tier("instant", 1, 2, 3980, kind="goods", names=("Tea journey to West Lake", "西湖茶旅")),
    _tier("instant", 2, 240, 168, kind="goods", names=("Glass tea set", "玻璃茶具")),
    _tier("instant", 3, 6000, 10, kind="coupon", names=("Coupon of 10 yuan", "10元优惠券")),
)


def seed_games(batch: Batch, plan: BrandPlan, began: datetime, *, at: datetime) -> None:
    """Make the three games of a brand; ``batch`` is the one whose labels play."""
    _autumn(began)
    _scratch(batch, began)
    _play(batch, plan, began)
    _weekly(at=at)


def _agreed(kind: str, payload: dict[str, object], *, at: datetime) -> int:
    """Return the approval of a second person."""
    asker, approver = (User.objects.get(username=name) for name in (ASKER, APPROVER))
    row = approvals.request(kind, payload, by=asker, at=at)
    if row.approved is None:
        with transaction.atomic():
            approvals.decide(row.pk, approved=True, by=approver, at=at)
    return row.pk


def _published(new: NewGame, *, at: datetime) -> Campaign:
    """Draft a game and publish it, unless that was done."""
    campaign = Campaign.objects.filter(name=new.name).first() or draft_game(new, at=at, asked_by=ASKER)
    if campaign.state == Campaign.State.DRAFT:
        if campaign.has_instant:
            for batch in prepare_pools(campaign.pk, at=at):
                manifests.make(Manifest.objects.get(batch=batch).pk)
        approval = _agreed("lottery.publish", publish_payload(campaign), at=at)
        publish(campaign.pk, approval_id=approval, touched=[], at=at, published_by=ASKER)
        campaign.refresh_from_db()
    return campaign


def _value_out(round_no: int, *, at: datetime) -> None:
    beacon = private_chain.beacon()
    store_value(beacon, round_no, private_chain.sign(round_no), at=at, by="demonstration")


def _evening(moment: datetime) -> datetime:
    """Return 20:00 of that day in the brand's zone."""
    return moment.astimezone(ZoneInfo(ZONE)).replace(hour=20, minute=0, second=0, microsecond=0)


# --- a draw that is over, with its proof -------------------------------------------------------------------------------------


def _autumn(began: datetime) -> None:
    opens, close = began + timedelta(days=51), _evening(began + timedelta(days=80))
    campaign = _published(
        NewGame(
            kind="draw",
            name=AUTUMN,
            name_zh="秋季会员抽奖",
            opens_at=opens,
            closes_at=close,
            zone=ZONE,
            terms={"enter": {"points": 1, "points_price": 20, "free": 1}, "draw": {"one_per": "who", "max_weight": 20}},
            tiers=DRAWN,
            draws=[NewDraw(number=1, opens_at=opens, close_at=close)],
        ),
        at=opens - timedelta(days=1),
    )
    draw = campaign.draws.get()
    if draw.state == Draw.State.PUBLISHED:
        return
    open_due(at=opens)
    draw.refresh_from_db()
    if draw.state == Draw.State.OPEN:
        _enter(draw, opens + timedelta(days=2), people=90)
    listed = advance(draw.pk, at=close + timedelta(minutes=1))
    drawn_at = close + timedelta(minutes=31)
    _value_out(listed.round or 0, at=drawn_at)
    advance(draw.pk, at=drawn_at)


def _enter(draw: Draw, at: datetime, *, people: int) -> None:
    """Let members enter: most for points, every fifth without a purchase."""
    found = Member.objects.filter(account__posted__gte=200).order_by("pk").select_related("account")[:people]
    for place, member in enumerate(found):
        moment = at + timedelta(hours=place)
        if place % 5 == 4:
            enter_free(draw.pk, account_id=member.account_id, request_id="demo", at=moment)
        else:
            enter_by_points(draw.pk, account_id=member.account_id, weight=1 + place % 4, request_id="demo", at=moment)


# --- an instant game that runs ---------------------------------------------------------------------------------------------------


def _scratch(batch: Batch, began: datetime) -> None:
    published = began + timedelta(days=story.GAME_ACTIVE_ON - 2)
    campaign = _published(
        NewGame(
            kind="instant",
            name=SCRATCH,
            name_zh="即刮即饮",
            opens_at=began + timedelta(days=story.GAME_ACTIVE_ON),
            closes_at=began + timedelta(days=story.DAYS + 60),
            zone=ZONE,
            tiers=INSTANT,
            pools=[NewPool(number=1, ranges=[(batch.label_range.lower, batch.label_range.upper)])],
        ),
        at=published,
    )
    if campaign.state == Campaign.State.PUBLISHED:
        armed_at = published + timedelta(minutes=40)
        _commitment, value = first_commitment(campaign)
        _value_out(value["beacon"]["round"], at=armed_at)
        approval = _agreed("lottery.arm", arm_payload(campaign), at=armed_at)
        arm(campaign.pk, approval_id=approval, at=armed_at, armed_by=ASKER)
    open_due(at=campaign.opens_at)
    keys.load([campaign.pk])


def _play(batch: Batch, plan: BrandPlan, began: datetime) -> None:
    """Redeem some of the game's labels over the weeks since it opened, a few a day."""
    players = [place * 7 % plan.members for place in range(PLAYED)]
    chosen = _bought_by(players, plan, int(batch.label_range.lower))
    days = story.DAYS - 1 - story.GAME_ACTIVE_ON
    attempts: list[Attempt] = [
        Attempt(
            door=(Door.WEB, Door.WEB, Door.SMS)[place % 3],
            at=began + timedelta(days=story.GAME_ACTIVE_ON, hours=2, minutes=place * (days * 1440 - 240) // PLAYED),
            request_id=f"demo-game-{place}",
            code=secret,
            serial=serial if place % 3 < 2 else None,
            gtin=batch.gtin_printed if place % 3 < 2 else None,
            phone=story.phone_of(players[place]),
            language="zh-hans",
        )
        for place, (secret, serial) in enumerate(zip(labels.secrets_of(chosen), labels.serials_of(chosen), strict=True))
    ]
    _send(attempts)


def _bought_by(players: Sequence[int], plan: BrandPlan, first: int) -> list[int]:
    """Return a label for each person, of those that went to the distributor of where they live."""
    owners = [plan.owner_of(story.home_of(person).region) for person in players]
    parts = plan.parts_of(plan.game)
    return [first + parts[owner][0] + owners[:place].count(owner) * _STEP for place, owner in enumerate(owners)]


def _send(attempts: Sequence[Attempt]) -> None:
    for answer in redeem_each(attempts):
        if isinstance(answer, Exception):
            raise answer


# --- a series that takes entries ---------------------------------------------------------------------------------------------------


def _weekly(*, at: datetime) -> None:
    """Every Sunday 20:00, four times from now on: the beat draws each by itself."""
    known = Campaign.objects.filter(name=WEEKLY).first()
    opens = known.opens_at if known else at
    first = _evening(opens + timedelta(days=1))
    first += timedelta(days=(6 - first.weekday()) % 7)
    closes = series(first, every_days=7, times=4, zone=ZONE)
    starts = [opens, *closes[:-1]]
    campaign = _published(
        NewGame(
            kind="draw",
            name=WEEKLY,
            name_zh="周日茶礼抽奖",
            opens_at=opens,
            closes_at=closes[-1],
            zone=ZONE,
            terms={
                "enter": {"label": 1, "losing_play": 1, "points": 1, "points_price": 50, "free": 1},
                "draw": {"one_per": "who", "max_weight": 10},
            },
            tiers=[_tier("draw", 1, 2, 298, kind="goods", names=BOX)],
            draws=[
                NewDraw(number=number, opens_at=start, close_at=close)
                for number, (start, close) in enumerate(zip(starts, closes, strict=True), 1)
            ],
        ),
        at=opens - timedelta(minutes=5),  # nothing opens before every process knows of it
    )
    open_due(at=opens)
    draw = campaign.draws.get(number=1)
    if draw.state == Draw.State.OPEN:
        people = Member.objects.filter(account__posted__gte=150).order_by("-pk").select_related("account")[:25]
        for place, member in enumerate(people):
            with suppress(BalanceTooLow):  # some points on the account have ended or are held
                enter_by_points(
                    draw.pk, account_id=member.account_id, weight=1 + place % 3, request_id="demo", at=opens
                )
