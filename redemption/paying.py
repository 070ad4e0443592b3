"""Deciding who wins, and paying them: redemptions, caps, budgets and transfers, locked in that order."""

from collections import Counter
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from django.db import connection

from brands.queries import brand_date, brand_zone
from common.db import Rows, array, ask, column, moments, pipelined, rows_from
from ledger import services as posting
from ledger.models import Cause, Kind
from lottery import services as lottery
from lottery.queries import Offer
from lottery.rules import expires_on, slot_of
from members import services as members
from redemption.facts import VISIT, Case, Spent, client_of, find_past, find_visitors
from redemption.receipts import NO_GAMES, Games, Seen
from redemption.rules import Act, Attempt, decide

ALONE_LOCK_MS = 2000
RARE_LOCK_MS = 50  # while holding budget slots, wait no longer for a label: its holder may be waiting for us


@dataclass(frozen=True, slots=True)
class Won:
    """The winners of a batch and what their labels played. ``look_first``: at the accounts that they are paid into."""

    cases: list[Case]
    look_first: bool = False
    plays: lottery.Plays | None = None
    games: Games = NO_GAMES

    @property
    def prizes(self) -> Mapping[int, lottery.PointsWon]:
        """The points that labels won, by label."""
        return self.plays.points if self.plays else {}


def pick_winners(
    cases: Sequence[Case], *, in_turn: bool, beside: Callable[[Sequence[Case]], None] | None = None
) -> Won:
    """Write the redemptions of those who win, within caps and budgets.

    The first attempt at a label in the batch goes first; should the offer be exhausted for it, the next one is tried.
    ``beside`` is called with all who may win to send what else is asked about them, which may lock what comes after
    budgets, in the same round trip; it is not called where more labels and budgets would have to be locked behind it.
    Raises `lottery.BudgetShort` if a slot of a budget runs short: roll back and call again with ``in_turn``, which
    locks all slots first and is exact to the last point.
    """
    waiting = [case for case in cases if case.act is Act.REDEEM and decide(case.facts()).wins]
    if not waiting:
        return Won([])
    at = last_at(waiting)
    slot = slot_for(waiting[0])
    winners: list[Case] = []
    while waiting:
        first: dict[int | None, Case] = {}
        for case in waiting:
            first.setdefault(case.label_no, case)
        turn = list(first.values())
        _find_or_make_holders(turn, at=at)
        last = len(turn) == len(waiting)
        won, lost = _claim_in_turn(turn, slot) if in_turn else _claim_at_once(turn, slot, beside if last else None)
        winners += won
        gone = {case.label_no for case in lost}
        if lost:
            find_past([case for case in waiting if case.label_no in gone])
        gone |= {case.label_no for case in won}
        for case in turn:
            case.exhausted = case.label_no not in gone
        waiting = [case for case in waiting if first[case.label_no] is not case and case.label_no not in gone]
    return Won(winners, look_first=in_turn)


def last_at(cases: Iterable[Case]) -> datetime:
    """Return when the last of these attempts was made."""
    return max(case.attempt.at for case in cases)


def _claim_at_once(
    turn: Sequence[Case], slot: int, beside: Callable[[Sequence[Case]], None] | None
) -> tuple[list[Case], list[Case]]:
    """Let all try at once. Without caps it takes one round trip: for all who may win, what those who do not is given back."""
    capped = any(_use(case) for case in turn)
    with pipelined():
        free = _ask_redemptions(turn)
        taking = None if capped else _ask_points(turn, slot)
        if beside and not capped:
            beside(turn)
    taken = {label_no for (label_no,) in free()}
    won = [case for case in turn if case.label_no in taken]
    lost = [case for case in turn if case.label_no not in taken]
    if taking is None:
        if not all(lottery.count_uses([use for case in won if (use := _use(case))])):
            raise lottery.BudgetShort
        _ask_points(won, slot)()
    else:
        taking()
        lottery.give_back([need for case in lost if (need := _need(case, slot))])
    return won, lost


def _ask_points(cases: Sequence[Case], slot: int) -> Callable[[], None]:
    """Ask for the points of these cases from their budgets."""
    return lottery.ask_take([need for case in cases if (need := _need(case, slot))])


def _claim_in_turn(turn: Sequence[Case], slot: int) -> tuple[list[Case], list[Case]]:
    """Serve attempts one after the other, with their caps counted and all slots of their budgets locked."""
    uses = [(case, use) for case in turn if (use := _use(case))]
    allowed = dict(zip((case for case, _use in uses), lottery.count_uses([use for _case, use in uses]), strict=True))
    hand = lottery.Hand(need.budget_id for case in turn if (need := _need(case, slot)))
    won: list[Case] = []
    lost: list[Case] = []
    _wait_at_most(RARE_LOCK_MS)
    for case in turn:
        need = _need(case, slot)
        if not allowed.get(case, True) or (need and not hand.covers(need)):
            continue
        if not _ask_redemptions([case])():
            lost.append(case)
            continue
        won.append(case)
        if need:
            hand.take(need)
    lottery.uncount_uses([use for case, use in uses if allowed[case] and case not in won])
    hand.save()
    _wait_at_most(ALONE_LOCK_MS)
    return won, lost


def _wait_at_most(milliseconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {milliseconds:d}")


def slot_for(first: Case) -> int:
    """Return the one slot of each budget that a batch draws on, so that another batch need not wait for it."""
    return slot_of(first.attempt.request_id or str(first.scan_id))


def _need(case: Case, slot: int) -> lottery.Need | None:
    offer, amount = case.offer, case.need
    if not isinstance(offer, Offer) or offer.budget_id is None or not amount or case.is_stopped:
        return None
    return lottery.Need(offer.budget_id, slot, amount)


def _use(case: Case) -> lottery.Use | None:
    offer = case.offer
    if not isinstance(offer, Offer) or not case.holder or (offer.daily_cap is None and offer.total_cap is None):
        return None
    day = brand_date(case.attempt.at)
    return lottery.Use(offer.campaign_id, case.holder.account_id, day, offer.daily_cap, offer.total_cap)


def _find_or_make_holders(cases: Sequence[Case], *, at: datetime) -> None:
    """Give each winner-to-be an account: the member of the phone, or the client's asker, made if new."""
    unknown = [case for case in cases if case.holder is None]
    if not unknown:
        return
    phones = sorted({case.attempt.phone for case in unknown if case.attempt.phone})
    askers = sorted({(case.attempt.client_id or 0, case.attempt.asker) for case in unknown if case.attempt.asker})
    by_phone = members.members_for_phones(phones, at=at) if phones else {}
    by_asker = members.pending_for(askers, at=at) if askers else {}
    for case in unknown:
        attempt = case.attempt
        case.holder = (
            by_phone[attempt.phone] if attempt.phone else by_asker[attempt.client_id or 0, attempt.asker or ""]
        )


def _share_holders(cases: Sequence[Case], winners: Sequence[Case]) -> None:
    """Let the other attempts of a batch know who became a member or holder in it."""
    made = {_name(case.attempt): case.holder for case in winners}
    for case in cases:
        if case.holder is None:
            case.holder = made.get(_name(case.attempt))


def _name(attempt: Attempt) -> tuple[str | None, int, str | None]:
    return attempt.phone, client_of(attempt) if attempt.asker else 0, attempt.asker


_REDEMPTIONS = rows_from(
    {"label_no": "bigint"}, scan_id="bigint", asker="bigint", account_id="bigint", points="bigint", retailer_points="bigint",
    promoter_points="bigint", product_id="bigint", campaign_id="bigint", retailer_id="bigint", promoter_id="bigint",
    client_id="int", at="timestamptz",
)  # fmt: skip
_WRITE_REDEMPTIONS = f"""
    INSERT INTO redemption_redemption (label_no, scan_id, asker, account_id, points, retailer_points, promoter_points,
           product_id, campaign_id, retailer_id, promoter_id, client_id, at)
    SELECT * FROM {_REDEMPTIONS} AS n
     ORDER BY 1
        ON CONFLICT (label_no) DO NOTHING
    RETURNING label_no
"""  # noqa: S608 - names of our own


def _ask_redemptions(cases: Sequence[Case]) -> Rows:
    """Write redemptions in the order of their labels; ask for the labels that were still free."""
    return ask(
        _WRITE_REDEMPTIONS,
        {
            "label_no": array(case.label_no for case in cases),
            "scan_id": column(case.scan_id for case in cases),
            "asker": column(case.askers[0] for case in cases),
            "account_id": column(case.holder.account_id if case.holder else None for case in cases),
            "points": column(case.points["consumer"] for case in cases),
            "retailer_points": column(case.points["retailer"] for case in cases),
            "promoter_points": column(case.points["promoter"] for case in cases),
            "product_id": column(case.product_id for case in cases),
            "campaign_id": column(case.offer.campaign_id if isinstance(case.offer, Offer) else None for case in cases),
            "retailer_id": column(case.retailer.id if case.retailer else None for case in cases),
            "promoter_id": column(case.promoter.id if case.promoter else None for case in cases),
            "client_id": column(case.attempt.client_id for case in cases),
            "at": column((case.attempt.at for case in cases), moments),
        },
    )


def pay(won: Won) -> None:
    """Pay every party of every winner by linked transfers, and the points that labels won.

    Raises `ledger.services.LookFirst`, when all is sent, if an account that was not looked at may not simply be credited:
    roll back, and pick the winners ``in_turn``, which looks first. Nothing is read in between, so that scans and COMMIT
    travel with the posting, and accounts that many are paid into are locked no longer than the server takes.
    """
    awards = [*_awards(won.cases), *_prizes(won)]
    if awards:
        post = posting.post_awards if won.look_first else posting.ask_awards
        post(awards, issuer=posting.system_account("issuance"), at=last_at(won.cases))


def _awards(cases: Iterable[Case]) -> Iterator[posting.Award]:
    zone = brand_zone()
    days: dict[tuple[date, int | None], date | None] = {}
    at, earned_on = None, date.max
    for case in cases:
        if case.attempt.at is not at:  # those of one request or bulk call are one object
            at = case.attempt.at
            earned_on = at.astimezone(zone).date()
        payments = case.payments()
        for account, points, months in payments:
            key = earned_on, months
            if key not in days:
                days[key] = expires_on(earned_on, months)
            yield posting.Award(account, points, case.scan_id, len(payments), days[key])


def _prizes(won: Won) -> Iterator[posting.Award]:
    for account_id, points, play_id in won.prizes.values():
        yield posting.Award(account_id, points, play_id, 1, None, Kind.PRIZE, Cause.PLAY)


def points_after(won: Won) -> dict[Case, int]:
    """Return what each winner's account gets after them in the same batch: each is told what they had just then."""
    later: Counter[int] = Counter()
    after: dict[Case, int] = {}
    prizes = won.prizes
    for case in reversed(won.cases):
        if case.holder:
            after[case] = later[case.holder.account_id]
            prize = prizes.get(case.label_no or 0)
            later[case.holder.account_id] += case.points["consumer"] + (prize.points if prize else 0)
    return after


def share(cases: Sequence[Case], winners: Sequence[Case]) -> None:
    """Let attempts of one batch know each other: who became a holder in it, visits and redemptions before the later ones."""
    if len(cases) == len(winners):
        return  # each has won a label of its own
    _share_holders(cases, winners)
    at = max(case.attempt.at for case in cases)
    find_visitors([case for case in cases if case.label_no is not None and not case.holder], create_at=at)
    _see_each_other(cases, set(winners))


def _see_each_other(cases: Sequence[Case], winners: Collection[Case]) -> None:
    """Let attempts at one label in one batch count as visits and redemptions before the later ones."""
    groups: dict[int, list[Case]] = {}
    for case in cases:
        if case.label_no is not None:
            groups.setdefault(case.label_no, []).append(case)
    for group in groups.values():
        for place, case in enumerate(group):
            for other in group[:place]:
                _see(case, other, won=other in winners)


def _see(case: Case, other: Case, *, won: bool) -> None:
    past, same = case.past, bool(set(case.askers) & set(other.askers))
    seen = Seen(other.attempt.at, other.attempt.door, other.city)
    if won:
        account = other.holder.account_id if other.holder else 0
        past.spent = Spent(other.scan_id, other.attempt.at, other.askers[0], account, other.points["consumer"], seen)
    if same and case.attempt.at - other.attempt.at < VISIT:
        past.in_visit = True
        return
    if not other.past.in_visit:
        past.visits += 1
        if past.first_scan_id is None:
            past.first_scan_id, past.first = other.scan_id, seen
        past.mine += same
        past.nobody += not other.askers
