"""Playing: what a redeemed label wins, decided inside the transaction of its redemption.

Locks, in the one order: games (advisory, shared), limit counters, budget slots; accounts are the caller's, last. Keys
are in memory before: `KeysMissing` says that they are not. Call `play` only for labels whose redemption has just been
written, so that the label's own unique key lets one play. It decides, and `ask_written` sends what it decided: nothing
of it is read, so that it travels with the posting and the commit.
"""

import logging
from bisect import bisect_left
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from common.db import array, ask as send, inside_transaction, moments
from common.ids import new_public_id
from lottery import keys
from lottery.errors import KeysMissing
from lottery.keys import Game
from lottery.models import Campaign, Claim, Play, PrizeTier
from lottery.rules import claim_deadline
from lottery.services import limits
from lottery.services.arming import lock_games
from lottery.services.budgets import Hand, Need, ask_units
from lottery.told import PlayTold, Prize

log = logging.getLogger(__name__)
_NO_PRIZE, _WON, _POINTS_ONLY = (
    outcome.name.lower() for outcome in (Play.Outcome.NO_PRIZE, Play.Outcome.WON, Play.Outcome.POINTS_ONLY)
)
_HALTED, _TOUCHED, _DOOR, _EXCLUDED, _LIMIT = (
    int(reason)
    for reason in (Play.Reason.HALTED, Play.Reason.TOUCHED, Play.Reason.DOOR, Play.Reason.EXCLUDED, Play.Reason.LIMIT)
)


class Ask(NamedTuple):
    """One label just redeemed. ``slot``: where its need starts (0..15). ``subjects``: who is counted, by kind.

    ``door``: one of `lottery.rules.DOORS`. ``excluded``: the caller knows that this person takes part in nothing.
    """

    label_no: int
    scan_id: int
    account_id: int
    member_id: int | None
    at: datetime
    slot: int
    door: str = "web"
    subjects: Mapping[str, bytes] = limits.NOBODY
    excluded: bool = False


class PointsWon(NamedTuple):
    """Points that a label won, to be posted with all else. ``play_id``: the number of their cause, which is the play."""

    account_id: int
    points: int
    play_id: int


class Seat(NamedTuple):
    """The game and pool that a label plays in, and the state of the game under its lock."""

    game: Game
    pool_id: int
    state: str


class _Win(NamedTuple):
    """A label that won. ``claim``: the public id of its claim."""

    ask: Ask
    prize: PrizeTier
    claim: str


@dataclass(slots=True)
class _Table:
    """The labels of a batch that play in one pool of a game. ``barred``: why some play for points only; ``won``: by label."""

    game: Game
    seat: Seat
    asks: list[Ask] = field(default_factory=list)
    barred: dict[int, int] = field(default_factory=dict)
    won: dict[int, _Win] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Plays:
    """What the labels of a batch played, decided and not written yet. ``told``: what each is told; ``points``: won, by label."""

    tables: Sequence[_Table]
    told: Mapping[int, PlayTold]
    points: Mapping[int, PointsWon]


@inside_transaction
def ask_seats(
    label_nos: Collection[int], campaign_ids: Collection[int], *, at: datetime
) -> Callable[[], dict[int, Seat]]:
    """Lock the games of these campaigns against their end, and ask which labels play in them.

    What is returned, read after `pipelined`, tells the seat of each label whose game is open, or was halted before its
    end. Raises `KeysMissing` if a game was not loaded.
    """
    if not campaign_ids:
        return dict
    lock_games([-campaign for campaign in campaign_ids])
    rows = send(
        """
        SELECT id, state FROM lottery_campaign
         WHERE id = ANY(%s::bigint[]) AND kind IN ('instant', 'both')
           AND (state = 'open' OR state = 'halted' AND closes_at > %s)
         ORDER BY state = 'open', id
        """,
        [array(campaign_ids), at],
    )
    return lambda: _seats(sorted(label_nos), rows())


def _seats(label_nos: Sequence[int], states: Sequence[tuple[int, str]]) -> dict[int, Seat]:
    """Return the seats of sorted labels: of several games the last of ``states`` has it. Ranges are as published."""
    seats: dict[int, Seat] = {}
    games = _games(dict(states))
    for campaign_id, state in states:
        game = games.get(campaign_id)
        if game is None:
            continue
        for first, beyond, pool_id in game.ranges:
            start = bisect_left(label_nos, first)
            own = label_nos[start : bisect_left(label_nos, beyond, start)]
            seats.update(dict.fromkeys(own, Seat(game, pool_id, state)))
    return seats


@inside_transaction
def play(asks: Sequence[Ask], seats: Mapping[int, Seat]) -> Plays:
    """Decide what labels play and win; those without a seat play nothing. `ask_written` writes it."""
    tables = _tables(asks, seats)
    for table in tables:
        table.barred = _barred(table)
    _limit("play", tables)
    for table in tables:
        table.won = _won(table)
    _limit("win", tables)
    points = {
        ask.label_no: PointsWon(ask.account_id, prize.points, ask.scan_id)
        for _table, (ask, prize, _claim) in _wins(tables)
        if prize.points
    }
    return Plays(tables, _told(tables), points)


@inside_transaction
def ask_written(plays: Plays, *, by_hand: bool = False) -> None:
    """Send plays, a claim for each prize, and what takes their units: within `pipelined`, before accounts are locked.

    Raises `UnitsShort`, when all is sent, where another batch was quicker: roll back, and play again ``by_hand``, with
    all slots of the prizes locked. Counts are exact, so that no budget can be short of a prize; where one is, the prize
    is owed and an alarm raised.
    """
    wins = list(_wins(plays.tables))
    owed = _take_by_hand(wins) if by_hand and wins else ()
    for table in plays.tables:
        _ask_plays(table, owed)
    if wins:
        _ask_claims(wins)
        if not by_hand:
            ask_units(_need(table, win) for table, win in wins)


def _tables(asks: Sequence[Ask], seats: Mapping[int, Seat]) -> list[_Table]:
    """Return the tables at which labels sit; those without a seat sit at none."""
    tables: dict[int, _Table] = {}
    for ask in asks:
        seat = seats.get(ask.label_no)
        if seat is not None:
            table = tables.get(seat.pool_id)
            if table is None:
                table = tables[seat.pool_id] = _Table(seat.game, seat)
            table.asks.append(ask)
    return list(tables.values())


def _games(states: Mapping[int, str]) -> dict[int, Game]:
    """Return the games from memory. Raises `KeysMissing`, also for one that was loaded before it was armed."""
    games: dict[int, Game] = {}
    for campaign_id, state in states.items():
        found = keys.kept(campaign_id)
        if found is None or (found.game is None and state == Campaign.State.OPEN):
            raise KeysMissing(set(states))
        if found.game is not None:
            games[campaign_id] = found.game
    return games


def _barred(table: _Table) -> dict[int, int]:
    """Return the labels that win nothing whatever their number, each with the reason."""
    game, seat = table.game, table.seat
    if seat.state == Campaign.State.HALTED:
        return {ask.label_no: _HALTED for ask in table.asks}
    pool, doors = game.pools[seat.pool_id], game.terms.doors
    barred = {}
    for ask in table.asks:
        if pool.out_starts and not pool.takes(ask.label_no):
            barred[ask.label_no] = _TOUCHED
        elif doors and ask.door not in doors:
            barred[ask.label_no] = _DOOR
        elif ask.excluded:
            barred[ask.label_no] = _EXCLUDED
    return barred


def _limit(act: str, tables: Sequence[_Table]) -> None:
    """Over a limit points are paid, and the label plays for nothing: its unit goes to the reserve."""
    turns = [
        (table, ask)
        for table in tables
        if table.game.terms.limits
        for ask in table.asks
        if (ask.label_no in table.won if act == "win" else ask.label_no not in table.barred)
    ]
    acts = [
        limits.Act(table.game.campaign_id, act, ask.at, table.game.zone, ask.subjects, table.game.terms.limits)
        for table, ask in turns
    ]
    for (table, ask), allowed in zip(turns, limits.count(acts) if acts else (), strict=True):
        if not allowed:
            table.barred[ask.label_no] = _LIMIT
            table.won.pop(ask.label_no, None)


def _won(table: _Table) -> dict[int, _Win]:
    """Return what the labels win that nothing bars."""
    asks = [ask for ask in table.asks if ask.label_no not in table.barred] if table.barred else table.asks
    tiers = table.game.tiers_of(table.seat.pool_id, [ask.label_no for ask in asks])
    return {
        ask.label_no: _Win(ask, table.game.tiers[tier], new_public_id("clm"))
        for ask, tier in zip(asks, tiers, strict=True)
        if tier is not None
    }


def _wins(tables: Sequence[_Table]) -> Iterator[tuple[_Table, _Win]]:
    for table in tables:
        for win in table.won.values():
            yield table, win


def _told(tables: Sequence[_Table]) -> dict[int, PlayTold]:
    """Return what is told of each play: who won nothing is told the same as others of their game."""
    told: dict[int, PlayTold] = {}
    for table in tables:
        game = table.game.public_id, *table.game.names
        told.update(dict.fromkeys([ask.label_no for ask in table.asks], PlayTold(_NO_PRIZE, *game)))
        told.update(dict.fromkeys(table.barred, PlayTold(_POINTS_ONLY, *game)))
        for label_no, (_ask, tier, claim) in table.won.items():
            prize = Prize(tier.tier, tier.kind, tier.name, tier.name_zh, tier.points)
            told[label_no] = PlayTold(_WON, *game, prize, claim)
    return told


def _need(table: _Table, win: _Win) -> Need:
    return Need(table.game.budgets[win.prize.tier], win.ask.slot, 1)


def _take_by_hand(wins: Sequence[tuple[_Table, _Win]]) -> set[int]:
    """Take a unit for each winner, with all slots of their budgets locked; return the labels for which there was none."""
    hand = Hand(_need(table, win).budget_id for table, win in wins)
    owed = set()
    for table, win in wins:
        need = _need(table, win)
        if hand.covers(need):
            hand.take(need)
        else:
            owed.add(win.ask.label_no)
            log.critical("a prize is over budget", extra={"campaign": table.game.public_id, "tier": win.prize.tier})
    hand.save()
    return owed


def _ask_plays(table: _Table, owed: Collection[int]) -> None:
    """Write the plays of one table. A play has the number of its redemption's scan."""
    asks, won, barred = table.asks, table.won, table.barred
    send(
        """
        INSERT INTO lottery_play (id, scan_id, label_no, account_id, at, tier_id, reason, outcome, over_budget,
               campaign_id, pool_id, version)
        SELECT scan_id, scan_id, label_no, account_id, at, tier_id, reason,
               CASE WHEN tier_id IS NOT NULL THEN 1 WHEN reason > 0 THEN 2 ELSE 0 END, label_no = ANY(%s::bigint[]), %s, %s, %s
          FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::smallint[])
            AS n (scan_id, label_no, account_id, at, tier_id, reason)
        """,
        [
            *(array(owed) if owed else "{}", table.game.campaign_id, table.seat.pool_id, table.game.version),
            array([ask.scan_id for ask in asks]),
            array([ask.label_no for ask in asks]),
            array([ask.account_id for ask in asks]),
            moments([ask.at for ask in asks]),
            array([won[ask.label_no].prize.pk if ask.label_no in won else None for ask in asks]),
            array([barred.get(ask.label_no, 0) for ask in asks]),
        ],
    )


def _ask_claims(wins: Sequence[tuple[_Table, _Win]]) -> None:
    """Write the claims of what was won, each with its first move. Points and coupons are given at once: theirs are done."""
    claims = [
        (
            claim,
            table.game.campaign_id,
            prize.pk,
            ask.scan_id,
            ask.account_id,
            ask.member_id,
            str(Claim.State.DONE if prize.kind in PrizeTier.AT_ONCE else Claim.State.WON),
            ask.at,
            claim_deadline(ask.at, prize.claim_days, table.game.zone),
        )
        for table, (ask, prize, claim) in wins
    ]
    *columns, won_at, deadlines = zip(*claims, strict=True)
    send(
        """
        WITH won AS (
            INSERT INTO lottery_claim
                   (public_id, campaign_id, tier_id, play_id, account_id, member_id, state, won_at, deadline_at, unit)
            SELECT n.*, 0 FROM unnest(%s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                                      %s::text[], %s::timestamptz[], %s::timestamptz[]) AS n
            RETURNING id, state, won_at)
        INSERT INTO lottery_claimmove (claim_id, before, after, reason, moved_by, at)
        SELECT id, '', state, '', '', won_at FROM won
        """,
        [*map(array, columns), moments(won_at), moments(deadlines)],
    )


def units_left(campaign_id: int) -> dict[int, int]:
    """Return the units of each tier that nobody has won yet: all that a page may show while a game is open."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT t.tier, sum(s."left")::bigint FROM lottery_prizetier t JOIN lottery_budget b ON b.tier_id = t.id'
            " JOIN lottery_budgetslot s ON s.budget_id = b.id WHERE t.campaign_id = %s GROUP BY t.tier ORDER BY t.tier",
            [campaign_id],
        )
        return dict(cursor.fetchall())
