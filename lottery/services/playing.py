"""Playing: what a redeemed label wins, decided inside the transaction of its redemption.

Locks, in the one order: games (advisory, shared), limit counters, budget slots; accounts are the caller's, last. Keys
are in memory before: `KeysMissing` says that they are not. Call `play` only for labels whose redemption has just been
written, so that the label's own unique key lets one play.
"""

import logging
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple

from django.db import connection

from common.db import Rows, array, ask as send, inside_transaction, moments, pipelined
from common.ids import new_public_id
from ledger.services import NewTransfer, system_account
from lottery import keys
from lottery.errors import KeysMissing
from lottery.keys import Game
from lottery.models import Campaign, Claim, Play, PrizeTier
from lottery.rules import claim_deadline
from lottery.services import limits
from lottery.services.arming import lock_games
from lottery.services.budgets import BudgetShort, Hand, Need, ask_take
from lottery.told import PlayTold, Prize

log = logging.getLogger(__name__)
_R = Play.Reason
NO_PRIZE, WON, POINTS_ONLY = map(int, (Play.Outcome.NO_PRIZE, Play.Outcome.WON, Play.Outcome.POINTS_ONLY))
_TOLD = {int(outcome): outcome.name.lower() for outcome in Play.Outcome}


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


class Played(NamedTuple):
    """What a label's play came to. ``prize``: the tier's row if it won; ``play_id``: cause of a transfer of points."""

    play_id: int
    label_no: int
    account_id: int
    campaign_id: int
    outcome: int
    reason: int
    prize: PrizeTier | None
    over_budget: bool
    told: PlayTold


class Seat(NamedTuple):
    """The game and pool that a label plays in, and the state of the game under its lock."""

    campaign_id: int
    pool_id: int
    state: str


@dataclass(slots=True)
class _Turn:
    """One label on its way through a play. ``prize`` is there if it won."""

    ask: Ask
    game: Game
    seat: Seat
    outcome: int = NO_PRIZE
    reason: int = 0
    prize: PrizeTier | None = None
    over_budget: bool = False

    def only_points(self, reason: int) -> None:
        self.outcome, self.reason, self.prize = POINTS_ONLY, int(reason), None

    def win(self, prize: PrizeTier) -> None:
        self.outcome, self.prize = WON, prize


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
        for first, beyond, pool_id in games[campaign_id].ranges if campaign_id in games else ():
            start = bisect_left(label_nos, first)
            own = label_nos[start : bisect_left(label_nos, beyond, start)]
            seats.update(dict.fromkeys(own, Seat(campaign_id, pool_id, state)))
    return seats


@inside_transaction
def play(asks: Sequence[Ask], seats: Mapping[int, Seat]) -> dict[int, Played]:
    """Play the games of labels; labels without a seat are missing from the answer (label_no → `Played`).

    Takes units of prizes, writes Plays, and a Claim for each prize that is not given at once. Points that were won are
    the caller's to post with all else, by `transfers_of`. Raises `KeysMissing` if a game was not loaded.
    """
    games = _games({seat.campaign_id: seat.state for seat in seats.values()})
    turns = [
        _Turn(ask, games[seat.campaign_id], seat)
        for ask in asks
        if (seat := seats.get(ask.label_no)) is not None and seat.campaign_id in games
    ]
    for turn in turns:
        if turn.seat.state == Campaign.State.HALTED:
            turn.only_points(_R.HALTED)
        elif not turn.game.pools[turn.seat.pool_id].takes(turn.ask.label_no):
            turn.only_points(_R.TOUCHED)
        elif not turn.game.terms.opens(turn.ask.door):
            turn.only_points(_R.DOOR)
        elif turn.ask.excluded:
            turn.only_points(_R.EXCLUDED)
    _limit(turns)
    _evaluate(turns)
    return _take_and_write(turns)


def transfers_of(played: Mapping[int, Played]) -> list[NewTransfer]:
    """Return the transfers of the points that were won, to be posted with the redemption's own."""
    won = [one for one in played.values() if one.prize is not None and one.prize.points]
    if not won:
        return []
    issuance = system_account("issuance")
    return [
        NewTransfer(issuance, one.account_id, one.prize.points, "prize", "play", one.play_id)
        for one in won
        if one.prize is not None and one.prize.points
    ]


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


def _limit(turns: Sequence[_Turn]) -> None:
    """Over a limit points are paid, and the label plays for nothing: its unit goes to the reserve."""
    _count("play", [turn for turn in turns if turn.outcome != POINTS_ONLY and turn.game.terms.limits])


def _count(act: str, turns: Sequence[_Turn]) -> None:
    acts = [
        limits.Act(turn.game.campaign_id, act, turn.ask.at, turn.game.zone, turn.ask.subjects, turn.game.terms.limits)
        for turn in turns
    ]
    for turn, allowed in zip(turns, limits.count(acts), strict=True):
        if not allowed:
            turn.only_points(_R.LIMIT)


def _evaluate(turns: Sequence[_Turn]) -> None:
    by_pool: dict[int, list[_Turn]] = defaultdict(list)
    for turn in turns:
        if turn.outcome != POINTS_ONLY:
            by_pool[turn.seat.pool_id].append(turn)
    for pool_id, own in by_pool.items():
        game = own[0].game
        for turn, tier in zip(own, game.tiers_of(pool_id, [turn.ask.label_no for turn in own]), strict=True):
            if tier is not None:
                turn.win(game.tiers[tier])
    _count("win", [turn for turn in turns if turn.prize and turn.game.terms.limits])


def _take_and_write(turns: Sequence[_Turn]) -> dict[int, Played]:
    """Take a unit for each winner; write plays and claims: one round trip.

    Counts are exact, so no budget can be short: where one is, all is undone to the savepoint and the prize is owed.
    """
    if not turns:
        return {}
    needs = [
        (turn, prize.tier, Need(turn.game.budgets[prize.tier], turn.ask.slot, 1))
        for turn in turns
        if (prize := turn.prize) is not None
    ]
    with pipelined():
        if needs:
            send("SAVEPOINT taking", [])
        taking = ask_take(need for *_turn, need in needs)
        written = _ask_written(turns)
    try:
        taking()
    except BudgetShort:
        send("ROLLBACK TO SAVEPOINT taking", [])
        hand = Hand(need.budget_id for *_turn, need in needs)
        for turn, tier, need in needs:
            if hand.covers(need):
                hand.take(need)
            else:
                turn.over_budget = True
                log.critical("a prize is over budget", extra={"campaign": turn.game.public_id, "tier": tier})
        hand.save()
        written = _ask_written(turns)
    return written()


def _ask_written(turns: Sequence[_Turn]) -> Callable[[], dict[int, Played]]:
    plays, claims = _ask_plays(turns), _ask_claims(turns)
    return lambda: _played(turns, dict(plays()), claims())


def _ask_plays(turns: Sequence[_Turn]) -> Rows:
    """Write the plays; ask for their labels and ids."""
    asks, games, seats = zip(*[(turn.ask, turn.game, turn.seat) for turn in turns], strict=True)
    return send(
        """
            INSERT INTO lottery_play (campaign_id, label_no, scan_id, account_id, pool_id, tier_id, outcome, reason,
                   version, over_budget, at)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                   %s::smallint[], %s::smallint[], %s::smallint[], %s::boolean[], %s::timestamptz[])
             ORDER BY 1, 2
            RETURNING label_no, id
            """,
        [
            array([seat.campaign_id for seat in seats]),
            array([one.label_no for one in asks]),
            array([one.scan_id for one in asks]),
            array([one.account_id for one in asks]),
            array([seat.pool_id for seat in seats]),
            array([turn.prize.pk if turn.prize else None for turn in turns]),
            array([turn.outcome for turn in turns]),
            array([turn.reason for turn in turns]),
            array([game.version for game in games]),
            array([turn.over_budget for turn in turns]),
            moments(one.at for one in asks),
        ],
    )


def _played(turns: Sequence[_Turn], ids: Mapping[int, int], claims: Mapping[int, str]) -> dict[int, Played]:
    lost: dict[tuple[int, int], PlayTold] = {}  # who won nothing is told the same as others of their game
    played: dict[int, Played] = {}
    for turn in turns:
        one, game = turn.ask, turn.game
        told = None if turn.prize else lost.get((game.campaign_id, turn.outcome))
        if told is None:
            told = _told(turn, claims.get(one.label_no))
            if turn.prize is None:
                lost[game.campaign_id, turn.outcome] = told
        played[one.label_no] = Played(
            ids[one.label_no], one.label_no, one.account_id, game.campaign_id,
            turn.outcome, turn.reason, turn.prize, turn.over_budget, told,
        )  # fmt: skip
    return played


def _told(turn: _Turn, claim: str | None) -> PlayTold:
    tier = turn.prize
    prize = Prize(tier.tier, tier.kind, tier.name, tier.name_zh, tier.points) if tier else None
    return PlayTold(_TOLD[turn.outcome], turn.game.public_id, *turn.game.names, prize, claim)


def _ask_claims(turns: Sequence[_Turn]) -> Callable[[], dict[int, str]]:
    """Write the claims of what was won, each with its first move, once the plays are sent; tell public ids by label.

    Points and coupons are given at once: their claims are done.
    """
    claims = {
        turn.ask.label_no: (
            new_public_id("clm"),
            turn.game.campaign_id,
            turn.prize.pk,
            turn.ask.account_id,
            turn.ask.member_id,
            Claim.State.DONE if turn.prize.kind in PrizeTier.AT_ONCE else Claim.State.WON,
            turn.ask.at,
            claim_deadline(turn.ask.at, turn.prize.claim_days, turn.game.zone),
        )
        for turn in turns
        if turn.prize is not None
    }
    if not claims:
        return dict
    public_ids, campaigns, tiers, accounts, members, states, won_at, deadlines = zip(*claims.values(), strict=True)
    send(
        """
            WITH won AS (
                INSERT INTO lottery_claim
                       (public_id, campaign_id, tier_id, play_id, unit, account_id, member_id, state, won_at, deadline_at)
                SELECT n.public_id, n.campaign_id, n.tier_id, p.id, 0, n.account_id, n.member_id, n.state, n.won_at,
                       n.deadline_at
                  FROM unnest(%s::bigint[], %s::text[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                              %s::text[], %s::timestamptz[], %s::timestamptz[]) AS n (label_no, public_id, campaign_id,
                              tier_id, account_id, member_id, state, won_at, deadline_at)
                  JOIN lottery_play p ON p.campaign_id = n.campaign_id AND p.label_no = n.label_no
                RETURNING id, state, won_at)
            INSERT INTO lottery_claimmove (claim_id, before, after, reason, moved_by, at)
            SELECT id, '', state, '', '', won_at FROM won
            """,
        [
            array(claims),
            array(public_ids),
            array(campaigns),
            array(tiers),
            array(accounts),
            array(members),
            array(str(state) for state in states),
            moments(won_at),
            moments(deadlines),
        ],
    )
    return lambda: dict(zip(claims, public_ids, strict=True))


def units_left(campaign_id: int) -> dict[int, int]:
    """Return the units of each tier that nobody has won yet: all that a page may show while a game is open."""
    with connection.cursor() as cursor:
        cursor.execute(
            'SELECT t.tier, sum(s."left")::bigint FROM lottery_prizetier t JOIN lottery_budget b ON b.tier_id = t.id'
            " JOIN lottery_budgetslot s ON s.budget_id = b.id WHERE t.campaign_id = %s GROUP BY t.tier ORDER BY t.tier",
            [campaign_id],
        )
        return dict(cursor.fetchall())
