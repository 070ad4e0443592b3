"""Deciding who wins, and paying them: redemptions, caps, budgets and transfers, locked in that order."""

from collections.abc import Collection, Sequence
from datetime import date, datetime

from django.db import connection

from brands.queries import brand_date
from common.db import array, moments, prepared
from labels import queries as labels
from ledger import queries as ledger, services as posting
from lottery import services as lottery
from lottery.queries import Offer, offers
from lottery.rules import expires_on, slot_of
from members import services as members
from redemption.facts import VISIT, Case, Spent, client_of, find_holders, find_past, find_visitors
from redemption.rules import Act, Attempt, decide

ALONE_LOCK_MS = 2000
RARE_LOCK_MS = 50  # while holding budget slots, wait no longer for a label: its holder may be waiting for us


def decide_and_pay(cases: Sequence[Case], *, in_turn: bool) -> dict[Case, int]:
    """Pick the winners, pay them, and let attempts of one batch see each other; return each winner's balance.

    Raises `lottery.BudgetShort` if a slot of a budget runs short: roll back and call again with ``in_turn``, which
    locks all slots first and is exact to the last point.
    """
    if not cases:
        return {}
    at = max(case.attempt.at for case in cases)
    find_holders(cases)
    read_labels(cases, at=at)
    winners = _claim([case for case in cases if case.act is Act.REDEEM and decide(case.facts()).wins], at, in_turn)
    balances = _post(winners, at=at)
    _share_holders(cases, winners)
    find_visitors([case for case in cases if case.label_no is not None and not case.holder], create_at=at)
    _see_each_other(cases, balances.keys())
    return balances


def read_labels(cases: Sequence[Case], *, at: datetime) -> None:
    """Fill in each label's state, past and offer, as its asker sees them."""
    label_nos = sorted({case.label_no for case in cases if case.label_no is not None})
    if not label_nos:
        return
    states = labels.states(label_nos, at)
    for case in cases:
        if case.label_no is not None:
            case.state = states[case.label_no]
    find_visitors([case for case in cases if case.label_no is not None and not case.holder])
    find_past(cases)
    offered = offers({case.product_id for case in cases if case.product_id is not None}, at)
    for case in cases:
        if case.product_id is not None:
            case.make_offer(offered.get(case.product_id))


def _claim(waiting: list[Case], at: datetime, in_turn: bool) -> list[Case]:
    """Write the redemptions of those who win, within caps and budgets; return them.

    The first attempt at a label in the batch goes first; should the offer be exhausted for it, the next one is tried.
    """
    winners: list[Case] = []
    slot = _slot(waiting[0]) if waiting else 0
    while waiting:
        first: dict[int | None, Case] = {}
        for case in waiting:
            first.setdefault(case.label_no, case)
        turn = list(first.values())
        _find_or_make_holders(turn, at=at)
        won, lost = _claim_in_turn(turn, slot) if in_turn else _claim_at_once(turn, slot)
        winners += won
        gone = {case.label_no for case in lost}
        if lost:
            find_past([case for case in waiting if case.label_no in gone])
        gone |= {case.label_no for case in won}
        for case in turn:
            case.exhausted = case.label_no not in gone
        waiting = [case for case in waiting if first[case.label_no] is not case and case.label_no not in gone]
    return winners


def _claim_at_once(turn: Sequence[Case], slot: int) -> tuple[list[Case], list[Case]]:
    taken = _insert_redemptions(turn)
    won = [case for case in turn if case.label_no in taken]
    uses = [use for case in won if (use := _use(case))]
    if not all(lottery.count_uses(uses)):
        raise lottery.BudgetShort
    lottery.take([need for case in won if (need := _need(case, slot))])
    return won, [case for case in turn if case.label_no not in taken]


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
        if not _insert_redemptions([case]):
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


def _slot(first: Case) -> int:
    """Return the one slot of each budget that a batch draws on, so that another batch need not wait for it."""
    return slot_of(first.attempt.request_id or str(first.scan_id))


def _need(case: Case, slot: int) -> lottery.Need | None:
    offer, amount = case.offer, case.need
    if not isinstance(offer, Offer) or offer.budget_id is None or not amount:
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
    if len(cases) == len(winners):
        return
    made = {_name(case.attempt): case.holder for case in winners}
    for case in cases:
        if case.holder is None:
            case.holder = made.get(_name(case.attempt))


def _name(attempt: Attempt) -> tuple[str | None, int, str | None]:
    return attempt.phone, client_of(attempt) if attempt.asker else 0, attempt.asker


def _insert_redemptions(cases: Sequence[Case]) -> set[int]:
    """Write redemptions in the order of their labels; return the labels that were still free."""
    parts = [
        (
            case.label_no, case.scan_id, case.askers[0], case.holder.account_id if case.holder else None,
            case.points["consumer"], case.points["retailer"], case.points["promoter"],
            case.product_id, case.offer.campaign_id if isinstance(case.offer, Offer) else None,
            case.retailer.id if case.retailer else None, case.promoter.id if case.promoter else None, case.attempt.client_id,
        )
        for case in cases
    ]  # fmt: skip
    with prepared() as cursor:
        cursor.execute(
            """
            INSERT INTO redemption_redemption (label_no, scan_id, asker, account_id, points, retailer_points,
                   promoter_points, product_id, campaign_id, retailer_id, promoter_id, client_id, at)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                   %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::int[], %s::timestamptz[])
             ORDER BY 1
                ON CONFLICT (label_no) DO NOTHING
            RETURNING label_no
            """,
            [*(array(column) for column in zip(*parts, strict=True)), moments(case.attempt.at for case in cases)],
        )
        return {row[0] for row in cursor.fetchall()}


def _post(winners: Sequence[Case], *, at: datetime) -> dict[Case, int]:
    """Pay every party of every winner by linked transfers; return each consumer's balance after their own."""
    if not winners:
        return {}
    issuance = posting.system_account("issuance")
    days: dict[tuple[datetime, int | None], date | None] = {}
    transfers = []
    for case in winners:
        for account, points, months in case.payments():
            key = (case.attempt.at, months)
            if key not in days:
                days[key] = expires_on(brand_date(case.attempt.at), months)
            transfers.append(
                posting.NewTransfer(
                    debit=issuance,
                    credit=account,
                    amount=points,
                    kind="award",
                    cause_kind="redemption",
                    cause_id=case.scan_id,
                    expires_on=days[key],
                )
            )
    running = dict(posting.post_batch(transfers, at=at).balances)
    unpaid = {case.holder.account_id for case in winners if case.holder} - running.keys()
    running.update(ledger.balances(sorted(unpaid)) if unpaid else {})
    balances = {}
    for case in reversed(winners):
        if case.holder:
            balances[case] = running[case.holder.account_id]
            running[case.holder.account_id] -= case.points["consumer"]
    return balances


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
    if won:
        account = other.holder.account_id if other.holder else 0
        past.spent = Spent(other.scan_id, other.attempt.at, other.askers[0], account, other.points["consumer"])
    if same and case.attempt.at - other.attempt.at < VISIT:
        past.in_visit = True
        return
    if not other.past.in_visit:
        past.visits += 1
        past.first_scan_id = past.first_scan_id or other.scan_id
        past.mine += same
        past.nobody += not other.askers
