"""Keys and tables of games and draws, kept in this process for at most an hour. Load them outside transactions.

While a game is open, whoever gets both its key and the key of the codes out of a server could look for winners: hence
two persons arm it, nothing lists winners, and keys appear in no log (docs/algorithms/draws.md, "honest limit").
"""

import time
from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from threading import Lock
from uuid import UUID

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from common.db import schema_name
from common.keys import hkdf
from lottery import prf
from lottery.beacon_settings import default_beacon
from lottery.models import Campaign, Commitment, Draw, Pool, PoolRange, PrizeTier
from lottery.rules import Terms
from staff.keys import brand_key, brand_uuid
from staff.models import BrandKey

KEEP_S = 3600.0
KEEP_COUNT = 256
LIVE_S = 10.0  # a campaign opens so long after its publication that every process knows of it by then


@dataclass(frozen=True, slots=True)
class PoolTable:
    """What decides in one pool."""

    number: int
    tag: bytes
    limits: list[prf.Threshold]
    out_starts: list[int]
    out_ends: list[int]

    def takes(self, label_no: int) -> bool:
        """Return whether a label of the pool's ranges is eligible."""
        place = bisect_right(self.out_starts, label_no) - 1
        return place < 0 or label_no >= self.out_ends[place]


@dataclass(frozen=True, slots=True)
class Game:
    """An armed instant game: its key, with the cipher that it sets up, its pools by id, its tiers by number."""

    campaign_id: int
    public_id: str
    names: tuple[str, str]
    zone: str
    key: bytes
    blocks: prf.Blocks
    pools: Mapping[int, PoolTable]
    ranges: Sequence[tuple[int, int, int]]  # of labels, from the first to before the second, each with its pool's id
    tiers: Mapping[int, PrizeTier]
    budgets: Mapping[int, int]
    terms: Terms
    version: int
    commitments: tuple[str, ...]

    def tiers_of(self, pool_id: int, labels: list[int]) -> list[int | None]:
        """Return the tier that each label of a pool wins, None if none."""
        table = self.pools[pool_id]
        return prf.tiers_of(self.blocks, table.tag, labels, table.limits)


@dataclass(frozen=True, slots=True)
class DrawTable:
    """What entries of one draw are made with."""

    draw_id: int
    uuid: UUID
    key: bytes
    rules_hash: bytes
    public_id: str
    close_at: datetime


@dataclass(frozen=True, slots=True)
class DrawKeys:
    """The draws of one campaign, by id."""

    campaign_id: int
    zone: str
    terms: Terms
    version: int
    draws: Mapping[int, DrawTable]


@dataclass(frozen=True, slots=True)
class Kept:
    game: Game | None
    draws: DrawKeys | None


_kept: OrderedDict[tuple[str, bytes, int], tuple[float, Kept]] = OrderedDict()
_lock = Lock()


def kept(campaign_id: int) -> Kept | None:
    """Return what this process has of a campaign, None if `load` is needed."""
    found = _kept.get(_ident(campaign_id))
    return found[1] if found and found[0] > time.monotonic() else None


def draws_with(draw_id: int) -> DrawKeys | None:
    """Return what this process has of the campaign that a draw belongs to, None if `load` is needed."""
    brand = schema_name(), brand_uuid()
    for ident, (until, found) in list(_kept.items()):
        if ident[:2] == brand and found.draws and draw_id in found.draws.draws and until > time.monotonic():
            return found.draws
    return None


def may_count(campaign_ids: Iterable[int]) -> bool:
    """Return whether one of these campaigns has limits, or is not known in this process."""
    for found in map(kept, campaign_ids):
        if found is None or any(part and part.terms.limits for part in (found.game, found.draws)):
            return True
    return False


def load(campaign_ids: Collection[int]) -> None:
    """Fetch and unwrap the keys of published campaigns. Not inside a transaction: it may ask a remote provider."""
    for campaign in Campaign.objects.filter(pk__in=campaign_ids, published_at__isnull=False):
        value = Kept(_game(campaign), _draws(campaign))
        with _lock:
            _kept[_ident(campaign.pk)] = (time.monotonic() + KEEP_S, value)
            while len(_kept) > KEEP_COUNT:
                _kept.popitem(last=False)


def forget() -> None:
    """Drop all that this process keeps."""
    with _lock:
        _kept.clear()
        _live.clear()


def forget_campaign(campaign_id: int) -> None:
    """Drop what is kept of one campaign, after its rules or its keys have changed."""
    with _lock:
        _kept.pop(_ident(campaign_id), None)
        _live.clear()


@dataclass(frozen=True, slots=True)
class Live:
    """What a brand has published: ``ever`` anything, and the campaigns whose game or draws may take part in a redemption."""

    ever: bool
    games: tuple[int, ...]
    draws: tuple[int, ...]

    def __bool__(self) -> bool:
        return bool(self.games or self.draws)


_live: dict[tuple[str, bytes], tuple[float, Live]] = {}


def live(at: datetime) -> Live:
    """Return what the brand has published, as known for at most `LIVE_S`: a brand without games pays no statement."""
    ident = schema_name(), brand_uuid()
    found = _live.get(ident)
    if found is None or found[0] < time.monotonic():
        published = Campaign.objects.filter(published_at__isnull=False)
        rows = list(published.values_list("pk", "kind", "state", "closes_at"))
        running = [(pk, kind) for pk, kind, state, closes_at in rows if _may_take_part(state, closes_at, at)]
        value = Live(
            ever=bool(rows),
            games=tuple(pk for pk, kind in running if kind in {Campaign.Kind.INSTANT, Campaign.Kind.BOTH}),
            draws=tuple(pk for pk, kind in running if kind in {Campaign.Kind.DRAW, Campaign.Kind.BOTH}),
        )
        found = _live[ident] = time.monotonic() + LIVE_S, value
    return found[1]


def _may_take_part(state: str, closes_at: datetime | None, at: datetime) -> bool:
    if state == Campaign.State.HALTED:
        return closes_at is not None and closes_at > at
    return state not in {Campaign.State.CLOSED, Campaign.State.REVEALED}


def _ident(campaign_id: int) -> tuple[str, bytes, int]:
    return schema_name(), brand_uuid(), campaign_id


def _version(campaign: Campaign) -> int:
    return campaign.versions.order_by("-n").values_list("n", flat=True)[0]


def _game(campaign: Campaign) -> Game | None:
    second = Commitment.objects.filter(campaign=campaign, kind=Commitment.Kind.SECOND).first()
    if second is None:
        return None
    key = brand_key(BrandKey.Kind.GAME, name=campaign.public_id)
    made = Commitment.objects.filter(campaign=campaign, kind__gt=0, attempt=second.attempt).order_by("kind")
    tiers = list(PrizeTier.objects.filter(campaign=campaign, use=PrizeTier.Use.INSTANT).select_related("budget"))
    return Game(
        campaign_id=campaign.pk,
        public_id=campaign.public_id,
        names=(campaign.name, campaign.name_zh),
        zone=campaign.zone,
        key=key,
        blocks=prf.Blocks(key),
        pools={pool.pk: _table(campaign, pool, key) for pool in campaign.pools.all()},
        ranges=_ranges(campaign),
        tiers={tier.tier: tier for tier in tiers},
        budgets={tier.tier: tier.budget.pk for tier in tiers},
        terms=Terms.read(campaign.terms, beacon=default_beacon()),
        version=_version(campaign),
        commitments=tuple(bytes(one.hash).hex() for one in made),
    )


def _ranges(campaign: Campaign) -> list[tuple[int, int, int]]:
    rows = PoolRange.objects.filter(campaign=campaign).order_by("label_range").values_list("label_range", "pool_id")
    return [(span.lower, span.upper, pool_id) for span, pool_id in rows]


def _table(campaign: Campaign, pool: Pool, key: bytes) -> PoolTable:
    spans = sorted((int(first), int(beyond)) for first, beyond in pool.excluded)
    return PoolTable(
        number=pool.number,
        tag=prf.pool_tag(campaign.uuid, pool.number),
        limits=unseal_thresholds(key, campaign.uuid, pool.number, bytes(pool.thresholds or b"")),
        out_starts=[first for first, _beyond in spans],
        out_ends=[beyond for _first, beyond in spans],
    )


def _draws(campaign: Campaign) -> DrawKeys | None:
    if not campaign.has_draws:
        return None
    tables = {
        draw.pk: DrawTable(
            draw.pk, draw.uuid, draw_key(draw), bytes(draw.rules_hash or b""), draw.public_id, draw.close_at
        )
        for draw in Draw.objects.filter(campaign=campaign)
    }
    return DrawKeys(
        campaign.pk, campaign.zone, Terms.read(campaign.terms, beacon=default_beacon()), _version(campaign), tables
    )


def draw_key(draw: Draw) -> bytes:
    """Return the secret key of a draw's names."""
    return brand_key(BrandKey.Kind.DRAW, name=draw.public_id)


# --- thresholds at rest --------------------------------------------------------------------------------------------------


def seal_thresholds(key: bytes, campaign: UUID, pool: int, limits: list[prf.Threshold], nonce: bytes) -> bytes:
    """Return a pool's thresholds encrypted under a key that follows from the game's: ``nonce (12) ‖ AES-256-GCM``."""
    plain = b"".join(b"\x00" * 17 if limit is None else b"\x01" + _pair(limit) for limit in limits)
    return nonce + AESGCM(_threshold_key(key)).encrypt(nonce, plain, _aad(campaign, pool))


def unseal_thresholds(key: bytes, campaign: UUID, pool: int, blob: bytes) -> list[prf.Threshold]:
    """Return what `seal_thresholds` encrypted. Raises ``cryptography.exceptions.InvalidTag``."""
    plain = AESGCM(_threshold_key(key)).decrypt(blob[:12], blob[12:], _aad(campaign, pool))
    parts = [plain[at : at + 17] for at in range(0, len(plain), 17)]
    return [(int.from_bytes(part[1:9], "big"), int.from_bytes(part[9:], "big")) if part[0] else None for part in parts]


def _pair(limit: tuple[int, int]) -> bytes:
    return limit[0].to_bytes(8, "big") + limit[1].to_bytes(8, "big")


def _threshold_key(key: bytes) -> bytes:
    return hkdf(key, salt=b"", info=b"IW1-THRESHOLDS-AT-REST")


def _aad(campaign: UUID, pool: int) -> bytes:
    return campaign.bytes + pool.to_bytes(4, "big")
