"""The fairness report of an instant game: whether wins were spread as chance spreads them, and all prizes were there.

Reads plays with their scans, places, batches and activations; decides nothing about anybody. Plays that could not win
(limits, insiders, touched labels) are left out of the comparisons. docs/algorithms/draws.md, "Fairness".
"""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from statistics import median
from typing import Any

from django.db import connection
from django.db.models import Count, Q

from analytics.models import FairnessReport
from lottery import keys
from lottery.fairness import discoveries, order_test, spread_in_strata
from lottery.keys import Game
from lottery.models import Campaign, Claim, Play, Pool
from lottery.prf import Span, subtract
from lottery.services.drafting import void_spans
from redemption.models import DOORS

RATE = 0.01  # of the comparisons that stand out, at most this share by chance alone
MOST_CELLS = 24  # of one comparison; the rest of its plays are one cell
MOST_WAITS = 1_000_000
CHUNK = 1 << 16
EVERY, AFTER = timedelta(hours=1), timedelta(days=90)
KINDS = ("region", "batch", "door", "weekday", "hour", "week")
ORDERED = {"weekday", "hour", "week"}  # cells in their own order; the others by plays
OTHERS = "…"


@dataclass(frozen=True, slots=True)
class Cell:
    """Plays and wins of one region, batch, door or time; ``expected``: wins if chance alone spread them."""

    name: str
    plays: int
    wins: int
    expected: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """One table of wins against plays. ``p``: how often chance is so uneven, or more so."""

    by: str
    cells: list[Cell]
    p: float
    simulated: bool
    stands_out: bool


@dataclass(frozen=True, slots=True)
class TierLine:
    """What became of a tier's units: won = claimed + waiting + forfeited; quantity = won + points only + void + never.

    ``points_only`` (labels that would have won but for a limit, an exclusion, their door or a halt), ``void`` and ``never`` (redeemed)
    are known once the game is over, else None. ``adds_up``: plays and the counters of units say the same.
    """

    tier: int
    quantity: int
    won: int
    points_only: int | None
    void: int | None
    never: int | None
    claimed: int
    waiting: int
    forfeited: int
    second_chance: int
    adds_up: bool


@dataclass(frozen=True, slots=True)
class Order:
    """Whether winners came sooner after activation than losers, as an insider's harvest does. Medians in hours."""

    winners: int
    losers: int
    median_winners_h: float | None
    median_losers_h: float | None
    p: float
    stands_out: bool


@dataclass(frozen=True, slots=True)
class Report:
    """The whole report."""

    plays: int
    wins: int
    over: bool
    tiers: list[TierLine]
    comparisons: list[Comparison]
    order: Order

    @property
    def stands_out(self) -> bool:
        """Whether anything in it must be explained."""
        return (
            self.order.stands_out
            or any(one.stands_out for one in self.comparisons)
            or not all(line.adds_up for line in self.tiers)
        )

    def as_json(self) -> dict[str, Any]:
        """Return it as it is kept."""
        return asdict(self)

    @classmethod
    def read(cls, value: dict[str, Any]) -> "Report":
        """Read what `as_json` wrote."""
        comparisons = [
            Comparison(**{**one, "cells": [Cell(**cell) for cell in one["cells"]]}) for one in value["comparisons"]
        ]
        tiers = [TierLine(**line) for line in value["tiers"]]
        return cls(**{**value, "tiers": tiers, "comparisons": comparisons, "order": Order(**value["order"])})


# --- making ------------------------------------------------------------------------------------------------------------


def report(campaign: Campaign) -> Report:
    """Return the report as the plays stand now. Not inside a transaction: the game's key is unwrapped once it is over."""
    tables = _tables(campaign)
    found = [_spread(by, tables[by]) for by in KINDS]
    won, lost = _waits(campaign)
    order_p = order_test(won, lost)
    marks = discoveries([spread.p for _cells, spread in found] + [order_p], rate=RATE)
    comparisons = [
        Comparison(by, cells, spread.p, spread.by_simulation, mark)
        for by, (cells, spread), mark in zip(KINDS, found, marks, strict=False)
    ]
    over = campaign.state not in Campaign.BEFORE_THE_END
    plays = Play.objects.filter(campaign=campaign).aggregate(
        all=Count("pk"), won=Count("pk", filter=Q(outcome=Play.Outcome.WON))
    )
    return Report(
        plays=plays["all"],
        wins=plays["won"],
        over=over,
        tiers=_tiers(campaign, over=over),
        comparisons=comparisons,
        order=Order(len(won), len(lost), _hours(won), _hours(lost), order_p, marks[-1]),
    )


def keep(campaign: Campaign, *, at: datetime) -> FairnessReport:
    """Make the report anew and keep it."""
    made = report(campaign).as_json()
    return FairnessReport.objects.update_or_create(campaign=campaign, defaults={"made_at": at, "content": made})[0]


def due(*, at: datetime) -> list[Campaign]:
    """Return the games whose report is to be made: hourly while they run, then daily until claims are long over."""
    kinds = [Campaign.Kind.INSTANT, Campaign.Kind.BOTH]
    games = Campaign.objects.filter(kind__in=kinds, commitments__kind=2).distinct()
    made = dict(FairnessReport.objects.values_list("campaign_id", "made_at"))
    return [game for game in games.order_by("pk") if _is_due(game, made.get(game.pk), at)]


def _is_due(game: Campaign, made_at: datetime | None, at: datetime) -> bool:
    if made_at is None:
        return True
    if game.ended_at is None:
        return made_at <= at - EVERY
    return made_at < game.ended_at or (at < game.ended_at + AFTER and made_at <= at - timedelta(days=1))


# --- comparisons -----------------------------------------------------------------------------------------------------------

Table = dict[int, dict[str, tuple[int, int]]]  # pool → cell → plays, wins

_SQL = """
WITH played AS (
    SELECT p.pool_id, (p.outcome = 1)::int AS won, coalesce(nullif(place.region, ''), '?') AS region,
           coalesce(b.number, '?') AS batch, coalesce(s.door::text, '?') AS door,
           extract(isodow FROM p.at AT TIME ZONE %(zone)s)::int::text AS weekday,
           to_char(p.at AT TIME ZONE %(zone)s, 'HH24') AS hour, to_char(p.at AT TIME ZONE %(zone)s, 'IYYY-"W"IW') AS week
      FROM lottery_play p
      LEFT JOIN redemption_scan s ON s.id = p.scan_id
      LEFT JOIN labels_batch b ON b.label_range @> p.label_no
      LEFT JOIN LATERAL (
          SELECT region FROM redemption_scanplace x WHERE x.scan_id = p.scan_id ORDER BY x.source LIMIT 1) place ON true
     WHERE p.campaign_id = %(campaign)s AND p.outcome IN (0, 1))
SELECT pool_id, region, batch, door, weekday, hour, week, count(*), sum(won)::bigint
  FROM played GROUP BY GROUPING SETS
       ((pool_id, region), (pool_id, batch), (pool_id, door), (pool_id, weekday), (pool_id, hour), (pool_id, week))
 ORDER BY pool_id
"""


def _tables(campaign: Campaign) -> dict[str, Table]:
    """Return plays and wins by every kind of cell, within each pool. One pass over the plays."""
    with connection.cursor() as cursor:
        cursor.execute(_SQL, {"campaign": campaign.pk, "zone": campaign.zone})
        rows = cursor.fetchall()
    tables: dict[str, Table] = {by: defaultdict(dict) for by in KINDS}
    for pool, *names, plays, wins in rows:
        [(by, name)] = [(by, name) for by, name in zip(KINDS, names, strict=True) if name is not None]
        tables[by][pool][_name(by, name)] = (plays, wins)
    return tables


def _name(by: str, name: str) -> str:
    return DOORS[int(name)].value if by == "door" and name.isdecimal() else name


def _spread(by: str, table: Table) -> tuple[list[Cell], Any]:
    """Return the cells of one comparison with the expected wins, and the test over them."""
    sizes: Counter[str] = Counter()
    for cells in table.values():
        sizes.update({name: plays for name, (plays, _wins) in cells.items()})
    names = sorted(sizes) if by in ORDERED else sorted(sizes, key=lambda name: (-sizes[name], name))
    shown = names[-MOST_CELLS:] if by in ORDERED else names[:MOST_CELLS]
    rest = [name for name in names if name not in set(shown)]
    rows = [[_sum(cells, [name]) for name in shown] + ([_sum(cells, rest)] if rest else []) for cells in table.values()]
    plays, wins = [[cell[0] for cell in row] for row in rows], [[cell[1] for cell in row] for row in rows]
    odds = [sum(w) / sum(p) if sum(p) else 0.0 for w, p in zip(wins, plays, strict=True)]
    spread = spread_in_strata(wins, plays) if rows else spread_in_strata([[]], [[]])
    columns = [*shown, *([OTHERS] if rest else [])]
    return [
        Cell(
            name,
            sum(row[place] for row in plays),
            sum(row[place] for row in wins),
            round(sum(row[place] * share for row, share in zip(plays, odds, strict=True)), 2),
        )
        for place, name in enumerate(columns)
    ], spread


def _sum(cells: dict[str, tuple[int, int]], names: Iterable[str]) -> tuple[int, int]:
    found = [cells.get(name, (0, 0)) for name in names]
    return sum(plays for plays, _wins in found), sum(wins for _plays, wins in found)


def _waits(campaign: Campaign) -> tuple[list[float], list[float]]:
    """Return the seconds from activation to play of winners and of losers; of very many the newest."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.outcome, extract(epoch FROM p.at - a.activated_at)::float8 FROM lottery_play p"
            " JOIN labels_activation a ON a.label_range @> p.label_no AND a.cancelled_at IS NULL"
            " WHERE p.campaign_id = %s AND p.outcome IN (0, 1) ORDER BY p.id DESC LIMIT %s",
            [campaign.pk, MOST_WAITS],
        )
        rows = cursor.fetchall()
    return [wait for outcome, wait in rows if outcome == 1], [wait for outcome, wait in rows if outcome == 0]


def _hours(waits: Sequence[float]) -> float | None:
    return round(median(waits) / 3600, 1) if waits else None


# --- prizes ----------------------------------------------------------------------------------------------------------------


_UNITS = """
SELECT t.tier, t.quantity,
       (SELECT count(*) FROM lottery_play p WHERE p.campaign_id = t.campaign_id AND p.tier_id = t.id AND p.outcome = 1),
       (SELECT count(*) FROM lottery_play p
         WHERE p.campaign_id = t.campaign_id AND p.tier_id = t.id AND p.outcome = 1 AND p.over_budget),
       (SELECT coalesce(sum(s."left"), 0)::bigint FROM lottery_budget b
          JOIN lottery_budgetslot s ON s.budget_id = b.id WHERE b.tier_id = t.id),
       (SELECT coalesce(jsonb_object_agg(state, n), '{}') FROM (
           SELECT c.state, count(*) AS n FROM lottery_claim c
            WHERE c.tier_id = t.id AND c.play_id IS NOT NULL GROUP BY c.state) AS of_plays),
       (SELECT count(*) FROM lottery_claim c
         WHERE c.tier_id = t.id AND c.pick_id IS NOT NULL AND c.state <> ALL(%(lost)s))
  FROM lottery_prizetier t WHERE t.campaign_id = %(campaign)s AND t.use = 'instant' ORDER BY t.tier
"""


def _tiers(campaign: Campaign, *, over: bool) -> list[TierLine]:
    """Return what became of each tier. Plays, counters and claims are read by one statement: at one moment."""
    game = _game(campaign) if over else None
    only = _would_have_won(game, _points_only(campaign)) if game else Counter()
    void = _would_have_won(game, _void(campaign)) if game else Counter()
    with connection.cursor() as cursor:
        cursor.execute(_UNITS, {"campaign": campaign.pk, "lost": list(Claim.ENDED_WITHOUT)})
        rows = cursor.fetchall()
    lines = []
    for tier, quantity, won, owed, left, states, again in rows:
        kept = Counter(json.loads(states) if isinstance(states, str) else states)
        forfeited = sum(kept[state] for state in Claim.ENDED_WITHOUT)
        waiting = kept[Claim.State.WON] + kept[Claim.State.NOTIFIED]
        never = left - only[tier] - void[tier]
        lines.append(
            TierLine(
                tier=tier,
                quantity=quantity,
                won=won,
                points_only=only[tier] if game else None,
                void=void[tier] if game else None,
                never=never if game else None,
                claimed=kept.total() - forfeited - waiting,
                waiting=waiting,
                forfeited=forfeited,
                second_chance=again,
                adds_up=won + left == quantity and not owed and never >= 0 and kept.total() == won,
            )
        )
    return lines


def _game(campaign: Campaign) -> Game | None:
    keys.load([campaign.pk])
    found = keys.kept(campaign.pk)
    return found.game if found else None


def _points_only(campaign: Campaign) -> Iterator[tuple[int, list[int]]]:
    """Yield, by pool, played labels that could not win for a reason of the rules."""
    reasons = [Play.Reason.LIMIT, Play.Reason.EXCLUDED, Play.Reason.HALTED, Play.Reason.DOOR]
    plays = Play.objects.filter(campaign=campaign, outcome=Play.Outcome.POINTS_ONLY, reason__in=reasons)
    for pool in campaign.pools.all():
        labels = list(plays.filter(pool=pool).values_list("label_no", flat=True))
        yield from ((pool.pk, labels[start : start + CHUNK]) for start in range(0, len(labels), CHUNK))


def _void(campaign: Campaign) -> Iterator[tuple[int, list[int]]]:
    """Yield, by pool, labels that were voided after the commitment and never played."""
    void = void_spans(campaign)
    for pool in campaign.pools.all():
        for first, beyond in _within(pool, void):
            for start in range(first, beyond, CHUNK):
                end = min(start + CHUNK, beyond)
                played = set(
                    Play.objects.filter(campaign=campaign, label_no__range=(start, end - 1)).values_list(
                        "label_no", flat=True
                    )
                )
                yield pool.pk, [label for label in range(start, end) if label not in played]


def _within(pool: Pool, spans: Sequence[Span]) -> list[Span]:
    """Return the parts of spans that are eligible labels of a pool."""
    ranges, out = ([(int(a), int(b)) for a, b in rows] for rows in (pool.ranges, pool.excluded))
    eligible = subtract(ranges, out)
    return subtract(eligible, subtract(eligible, list(spans)))


def _would_have_won(game: Game, labels: Iterable[tuple[int, list[int]]]) -> Counter[int]:
    found: Counter[int] = Counter()
    for pool, chunk in labels:
        if chunk:
            found.update(tier for tier in game.tiers_of(pool, chunk) if tier is not None)
    return found
