"""Slowing rewards on a suspicion: cautions on ranges of labels, and the rewards that they hold.

A held award is a transfer and a hold of the same amount, written together. It ends by a person's act alone: released,
the hold is void and the points are free; refused, it is settled to the brand's issuance account and the campaign gets
its points back. What an award has paid of an earlier debt is not held: it was never the holder's to spend.
"""

from collections.abc import Callable, Iterable
from datetime import datetime
from typing import NamedTuple

from django.db import transaction
from django.utils.translation import gettext as _

from common.db import array, ask, inside_transaction
from common.errors import Conflict, Invalid, NotFound
from ledger import services as posting
from ledger.models import Cause, Hold
from lottery import services as lottery
from lottery.models import Budget
from lottery.rules import SLOTS
from redemption.errors import AlreadyReversed
from redemption.facts import NO_POINTS, Case
from redemption.models import Caution, HeldReward, Redemption
from redemption.paying import Won, last_at
from redemption.rules import Act

MOST_AT_ONCE = 200
"""Held rewards that one transaction ends."""


class BadRange(Invalid):
    """A caution needs a range of labels: the first below the end."""

    code = "bad_range"


class AlreadyLifted(Conflict):
    """The caution was lifted before."""

    code = "already_lifted"


class Cautioned(NamedTuple):
    """What cautions say of a label: pay nothing, or hold what is paid under the caution of this number."""

    stops: bool
    holding: int | None


def ask_cautions(label_nos: Iterable[int]) -> Callable[[], dict[int, Cautioned]]:
    """Ask for the open cautions on labels, and keep them from being lifted until this transaction has ended."""
    wanted = sorted(set(label_nos))
    if not wanted:
        return dict
    rows = ask(
        """
        SELECT n.label_no, c.id, c.effect
          FROM unnest(%s::bigint[]) AS n (label_no)
          JOIN redemption_caution c ON c.label_range @> n.label_no AND c.lifted_at IS NULL
         ORDER BY c.id
           FOR KEY SHARE OF c
        """,
        [array(wanted)],
    )

    def answer() -> dict[int, Cautioned]:
        found: dict[int, Cautioned] = {}
        for label_no, caution_id, effect in rows():
            stops, holding = found.get(label_no, Cautioned(False, None))
            if effect == Caution.Effect.STOP_POINTS:
                stops = True
            found[label_no] = Cautioned(stops, caution_id if effect == Caution.Effect.HOLD_REWARD else holding)
        return found

    return answer


def heed(cases: Iterable[Case], cautioned: dict[int, Cautioned]) -> None:
    """Take in what cautions say of these cases' labels. What is told of them stays the same."""
    for case in cases:
        found = cautioned.get(case.label_no or 0)
        if found and case.act is Act.REDEEM:
            case.holding = found.holding
            if found.stops:
                case.points, case.is_stopped = NO_POINTS, True


def is_held(won: Won) -> bool:
    """Return whether a caution may ask to hold something of what these winners are paid."""
    return any(case.holding is not None for case in won.cases)


@inside_transaction
def hold_rewards(won: Won) -> None:
    """Hold what these winners and their partners were just paid and won, where a caution asks for it."""
    for kind, rewards in _rewards(won).items():
        holds = posting.hold_awards(
            [(account, points, cause_id) for _case, account, points, cause_id in rewards],
            cause_kind=kind,
            at=last_at(won.cases),
        )
        HeldReward.objects.bulk_create(
            HeldReward(hold_id=hold_id, caution_id=case.holding or 0, scan_id=case.scan_id, label_no=case.label_no or 0)
            for hold_id, (case, *_reward) in zip(holds, rewards, strict=True)
            if hold_id is not None
        )


def _rewards(won: Won) -> dict[str, list[tuple[Case, int, int, int]]]:
    """Return (case, account, points, number of the cause) of what is to be held, by the kind of its cause."""
    found: dict[str, list[tuple[Case, int, int, int]]] = {}
    for case in won.cases:
        if case.holding is None:
            continue
        for account, points, _months in case.payments():
            found.setdefault("redemption", []).append((case, account, points, case.scan_id))
        if prize := won.prizes.get(case.label_no or 0):
            found.setdefault("play", []).append((case, prize.account_id, prize.points, prize.play_id))
    return found


def caution(*, first: int, end: int, effect: str, reason: str, note: str = "", at: datetime, by: str) -> Caution:
    """Slow the rewards of labels ``first`` … ``end − 1`` from now on. Raises `BadRange`."""
    if not 0 <= first < end:
        raise BadRange(_("A caution needs a range of labels: the first below the end."))
    with transaction.atomic():
        return Caution.objects.create(
            label_range=(first, end),
            effect=Caution.Effect(effect),
            reason=Caution.Reason(reason),
            note=note[:300],
            opened_at=at,
            opened_by=by[:150],
        )


def lift_caution(public_id: str, *, outcome: str, at: datetime, by: str) -> Caution:
    """End a caution, and with it what it holds: paid out (released) or taken back (refused).

    Rewards are ended in slices, each in a transaction of its own; `end_held` goes on where this stops. Raises `NotFound`,
    and `AlreadyLifted` if it was lifted with another outcome.
    """
    with transaction.atomic(durable=True):
        # FOR UPDATE: waits for redemptions under way that saw it open, so that none holds a reward later.
        found = Caution.objects.select_for_update().filter(public_id=public_id).first()
        if found is None:
            raise NotFound(_("There is no such caution."))
        if found.lifted_at is not None and found.outcome != outcome:
            raise AlreadyLifted(_("The caution was lifted before."))
        if found.lifted_at is None:
            found.lifted_at, found.lifted_by, found.outcome = at, by[:150], Caution.Outcome(outcome)
            found.save(update_fields=["lifted_at", "lifted_by", "outcome"])
    end_held(at=at, caution_id=found.pk)
    return found


def end_held(*, at: datetime, caution_id: int | None = None) -> int:
    """End the holds of lifted cautions; return how many. May be repeated, and run twice at once."""
    count = 0
    while True:
        with transaction.atomic(durable=True):
            done = _end_some(at=at, caution_id=caution_id)
        count += done
        if done < MOST_AT_ONCE:
            return count


def _end_some(*, at: datetime, caution_id: int | None) -> int:
    waiting = HeldReward.objects.exclude(caution__outcome="")
    if caution_id is not None:
        waiting = waiting.filter(caution_id=caution_id)
    open_holds = Hold.objects.filter(state=Hold.State.OPEN, pk__in=waiting.values("hold_id"))
    ids = list(open_holds.order_by("id").values_list("pk", flat=True)[:MOST_AT_ONCE])
    rows = HeldReward.objects.filter(pk__in=ids).select_related("caution").order_by("pk")
    locked = set(
        Hold.objects.filter(pk__in=ids, state=Hold.State.OPEN)
        .order_by("pk")
        .select_for_update(no_key=True)
        .values_list("pk", flat=True)
    )
    for row in rows:
        if row.pk not in locked:
            continue
        if row.caution.outcome == Caution.Outcome.RELEASED:
            posting.void(hold_id=row.pk, at=at)
        else:
            _take_back(row, at=at)
    return len(ids)


def _take_back(row: HeldReward, *, at: datetime) -> None:
    """Return a held award to the brand, and to the campaign's budget."""
    issuer = posting.system_account("issuance")
    transfer = posting.settle(hold_id=row.pk, credit=issuer, at=at, kind="forfeit", recorded_by=row.caution.lifted_by)
    if Hold.objects.get(pk=row.pk).cause_kind != Cause.REDEMPTION:
        return
    redemption = Redemption.objects.filter(pk=row.label_no).first()
    budget = redemption and Budget.objects.filter(campaign=redemption.campaign_id).first()
    if budget:
        lottery.give_back([lottery.Need(budget.pk, row.scan_id % SLOTS, transfer.amount)])


@inside_transaction
def free_rewards(scan_id: int, *, at: datetime) -> None:
    """Let go what is held of one redemption, since it is taken back itself. Raises `AlreadyReversed` if it was refused."""
    holds = Hold.objects.filter(pk__in=HeldReward.objects.filter(scan_id=scan_id).values("pk")).order_by("pk")
    for found in holds.select_for_update(no_key=True):
        if found.state == Hold.State.SETTLED:
            raise AlreadyReversed(_("The reward of this redemption was refused: nothing is left to take back."))
        if found.state == Hold.State.OPEN:
            posting.void(hold_id=found.pk, at=at)
