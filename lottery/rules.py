"""Pure rules: where a need starts in a budget, when points expire and claims end, how pools share prizes, what terms say."""

import calendar
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from math import log2
from typing import Any, Literal
from zoneinfo import ZoneInfo

from lottery.beacons import Beacon
from lottery.draw import OnePer

SLOTS = 16
GAME_BITS = 128  # an instant game needs a beacon of this entropy
DOORS = ("web", "api", "sms", "voice")  # at which a code is redeemed
SPARE_BITS = 20  # a draw needs so much more than the logarithm of its highest total weight


def slot_of(key: str) -> int:
    """Return the budget slot (0..15) at which the need of this request starts."""
    return zlib.crc32(key.encode()) % SLOTS


def expires_on(earned_on: date, months: int | None) -> date | None:
    """Return the last day of the month that lies ``months`` after the day of earning; None never ends."""
    if months is None:
        return None
    count = earned_on.year * 12 + earned_on.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])


def claim_deadline(won_at: datetime, days: int, zone: str) -> datetime:
    """Return the end of the last day to claim, in the campaign's zone: the moment the next day begins, in UTC."""
    local = ZoneInfo(zone)
    last = won_at.astimezone(local).date() + timedelta(days=days)
    return datetime.combine(last + timedelta(days=1), time(), tzinfo=local).astimezone(UTC)


def series(first: datetime, *, every_days: int, times: int, zone: str) -> list[datetime]:
    """Return the closing times of a series of draws: the same local hour, also over a change of the clock, in UTC."""
    start = first.astimezone(ZoneInfo(zone)).replace(tzinfo=None)
    return [
        (start + timedelta(days=every_days * n)).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for n in range(times)
    ]


def share(quantity: int, sizes: Sequence[int]) -> list[int]:
    """Share units over pools in proportion to their sizes, by largest remainder; of equal remainders the first goes first."""
    total = sum(sizes)
    if not total:
        return [0] * len(sizes)
    parts = [divmod(quantity * size, total) for size in sizes]
    rest = quantity - sum(whole for whole, _remainder in parts)
    order = sorted(range(len(sizes)), key=lambda place: (-parts[place][1], place))
    extra = set(order[:rest])
    return [whole + (place in extra) for place, (whole, _remainder) in enumerate(parts)]


@dataclass(frozen=True, slots=True)
class Limit:
    """At most so many acts of one subject in each period ("all": in the whole campaign)."""

    act: Literal["play", "entry", "win"]
    subject: Literal["member", "phone", "device", "household", "payout"]
    period: Literal["hour", "day", "all"]
    most: int


@dataclass(frozen=True, slots=True)
class Terms:
    """What a campaign's ``terms`` say, read once. ``weights``: of an entry by label, losing play, unit of points, free.

    ``doors``: at which codes play and enter; empty: every one.
    """

    products: frozenset[int]
    doors: frozenset[str]
    beacon: Beacon
    bits: int
    witness: bool
    weights: Mapping[str, int]
    points_price: int
    max_weight: int
    one_per: OnePer
    reserve: bool
    carry: bool
    limits: tuple[Limit, ...]
    limit_ahead: int

    @classmethod
    def read(cls, terms: Mapping[str, Any], *, beacon: Beacon) -> "Terms":
        """Read terms; ``beacon`` is the one to use where they name none. Raises KeyError, TypeError, ValueError."""
        enter, draw = terms.get("enter", {}), terms.get("draw", {})
        named = Beacon.from_json(terms["beacon"]) if "beacon" in terms else beacon
        doors = frozenset(terms.get("doors", []))
        if not doors <= set(DOORS):
            raise ValueError("terms name a door that there is not")
        return cls(
            doors=doors,
            products=frozenset(int(product) for product in terms.get("products", [])),
            beacon=named,
            bits=int(terms.get("beacon_bits", 384 if named.source != "manual" else 0)),
            witness=bool(terms.get("witness", False)),
            weights={name: int(enter.get(name, 0)) for name in ("label", "losing_play", "points", "free")},
            points_price=int(enter.get("points_price", 0)),
            max_weight=int(draw.get("max_weight", 1000)),
            one_per=draw.get("one_per", "who"),
            reserve=draw.get("prizes") == "reserve",
            carry=bool(draw.get("carry", False)),
            limits=tuple(Limit(**limit) for limit in terms.get("limits", [])),
            limit_ahead=int(draw.get("total_weight", 2**31)),
        )

    def takes(self, product_id: int | None) -> bool:
        """Return whether labels of a product take part."""
        return not self.products or product_id in self.products

    def opens(self, door: str) -> bool:
        """Return whether codes that are redeemed at a door take part."""
        return not self.doors or door in self.doors

    @property
    def enough_bits(self) -> bool:
        """Whether the beacon holds enough chance for the draw's highest total weight."""
        return self.bits >= log2(self.limit_ahead) + SPARE_BITS
