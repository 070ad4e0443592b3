"""The verbs of redemption: check a label, redeem its code once, take a redemption back.

`redeem_many` is the only write path of redemptions; `docs/algorithms/redemption.md` tells it step by step. Locks are
taken in the one order of docs/architecture.md: request ids → (new members) → label_no → caps → budget slots → games and
draws with their limits and prizes → accounts.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from django.db import InterfaceError, OperationalError, connection, transaction
from django.db.models import Q
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected, LockNotAvailable

from common.db import pipelined
from common.errors import DomainError, NotFound
from common.geo import NOWHERE
from labels import queries as labels
from ledger import queries as ledger, services as posting
from ledger.models import Cause, Kind, Transfer
from lottery import keys as lottery_keys, services as lottery
from lottery.models import Budget
from lottery.queries import plays_of
from lottery.rules import SLOTS
from members import services as members
from redemption import budgets
from redemption.budgets import Failure
from redemption.cautions import ask_cautions, caution, free_rewards, heed, lift_caution
from redemption.desk import Answer, Desk, TwinIsRunning, answered_before
from redemption.errors import AlreadyReversed, InProgress, KeyReused, TryLater, UnknownPartner, WhoEarns
from redemption.facts import Case, ask_labels, ask_routed, cases_of, find_people, seen_by
from redemption.models import Redemption, Reversal, Scan, ScanPlace, WasThatYou
from redemption.paying import Won, last_at, pick_winners, share
from redemption.places import PlaceRow, locate, of_fix, write_places
from redemption.playing import Playing
from redemption.receipts import Made, Told, receipts_of, too_many_tries
from redemption.record import told, write
from redemption.routes import tell_scans
from redemption.rules import Act, AskerKind, Attempt, Outcome, Place, Receipt, asker_of, decide
from staff import approvals
from staff.models import Approval, User

__all__ = [
    "AlreadyReversed",
    "Answer",
    "InProgress",
    "KeyReused",
    "TryLater",
    "UnknownPartner",
    "WhoEarns",
    "add_place",
    "answer_was_that_you",
    "caution",
    "claim",
    "forget_old",
    "lift_caution",
    "look",
    "redeem",
    "redeem_each",
    "redeem_many",
    "reverse_redemption",
    "take_back",
    "verify",
    "verify_each",
]

BATCH_LOCK_MS = 250  # of several attempts together
ALONE_LOCK_MS = 2000
MOST_TOGETHER = 500
TRIES_ALONE = 4
TURNS = 5  # a budget or prizes that run short, keys of games that are not in memory, and again if others open meanwhile
COORDINATES_LIVE = timedelta(days=90)
REVERSE_ACT = "redemption.reverse"
log = logging.getLogger(__name__)


# --- the verbs ---------------------------------------------------------------------------------------------------------


def look(attempt: Attempt) -> Receipt:
    """Return what a check would say now, from what is already known. Writes nothing and counts nothing.

    Whoever has used up a budget is not told by looking either.
    """
    [refusal] = budgets.ask([attempt])
    if refusal is not None:
        return too_many_tries(Act.CHECK, attempt.at, refusal)
    [case] = cases_of(Act.CHECK, [attempt])
    find_people([case])
    if case.is_locked:
        return too_many_tries(Act.CHECK, attempt.at, budgets.locked(attempt))
    with pipelined():
        read = ask_labels([case], at=attempt.at)
    read()
    balance = ledger.balance(case.holder.account_id) if case.holder else 0
    scan = told(case, decide(case.facts()), balance=balance)
    return receipts_of([scan], seen=seen_by([case]), with_serials=True)[0]


def verify(attempt: Attempt) -> Receipt:
    """Check a label: one scan, nothing consumed. Raises `KeyReused`, `InProgress`, `WhoEarns`, `TryLater`."""
    return _one(verify_each([attempt]))


def redeem(attempt: Attempt) -> Receipt:
    """Redeem one code: `redeem_many` with a list of one."""
    return _one(redeem_each([attempt]))


def redeem_many(attempts: Sequence[Attempt]) -> list[Receipt]:
    """Redeem each code once and pay for it, or refuse it; leave one scan each.

    A refusal is an answer: it is returned and kept. An error means that nothing was written for that attempt and that
    it may be sent again: a ``request_id`` seen before gets its first answer. The first error met is raised, and the
    other attempts stand; `redeem_each` returns errors in their places instead.

    Raises `KeyReused`, `InProgress`, `UnknownPartner`, `WhoEarns`, `TryLater`.
    """
    return [_one([answer]) for answer in redeem_each(attempts)]


def redeem_each(attempts: Sequence[Attempt]) -> list[Answer]:
    """Do as `redeem_many`, with the error of an attempt in its place: no attempt fails its neighbours."""
    return _admitted(Act.REDEEM, attempts)


def verify_each(attempts: Sequence[Attempt]) -> list[Answer]:
    """Check labels, with errors in their places."""
    return _admitted(Act.CHECK, attempts)


def _admit(act: Act, attempts: Sequence[Attempt]) -> list[Answer | None]:
    """Return, for each attempt, why it is not looked at: an error, or TOO_MANY_TRIES; None lets it through.

    A request id that was answered before is always let through, to get its first answer.
    """
    answers: list[Answer | None] = [_malformed(act, attempt) for attempt in attempts]
    refusals = budgets.ask(attempts)
    for place, (attempt, refusal) in enumerate(zip(attempts, refusals, strict=True)):
        if refusal is None or answers[place] is not None or answered_before(attempt):
            continue
        budgets.count_refusal(refusal, at=attempt.at)
        answers[place] = too_many_tries(act, attempt.at, refusal)
    return answers


def _admitted(act: Act, attempts: Sequence[Attempt]) -> list[Answer]:
    answers = _admit(act, attempts)
    waiting = [place for place, answer in enumerate(answers) if answer is None]
    for start in range(0, len(waiting), MOST_TOGETHER):
        places = waiting[start : start + MOST_TOGETHER]
        for place, answer in zip(places, _answers(act, [attempts[place] for place in places]), strict=True):
            answers[place] = answer
    return [answer for answer in answers if answer is not None]


def _one(answers: list[Answer]) -> Receipt:
    [answer] = answers
    if isinstance(answer, DomainError):
        raise answer
    return answer


def _malformed(act: Act, attempt: Attempt) -> DomainError | None:
    """Return why an attempt names its consumer wrongly. ``member_id`` comes from our own doors, never from outside."""
    named = [attempt.phone is not None, attempt.asker is not None, attempt.member_id is not None]
    if sum(named) > 1 or (act is Act.REDEEM and not any(named)):
        return WhoEarns(_("Name the consumer by exactly one of phone and asker."))
    return None


# --- together, or by halves ---------------------------------------------------------------------------------------------


def _answers(act: Act, attempts: Sequence[Attempt]) -> list[Answer]:
    """Answer attempts in one transaction; if that fails, each half in one of its own, so that none fails its neighbours."""
    if len(attempts) == 1:
        try:
            return [_alone(act, attempts[0])]
        except DomainError as error:
            return [error]
    try:
        return _together(act, attempts)
    except Exception:  # whatever it was, it comes again below, for the one attempt that causes it
        if not _connected():
            return [TryLater() for _ in attempts]
    middle = len(attempts) // 2
    return [*_half(act, attempts[:middle]), *_half(act, attempts[middle:])]


def _connected() -> bool:
    """Return whether the database answers, over a new connection if the last one is lost."""
    if connection.in_atomic_block:
        return True
    connection.close_if_unusable_or_obsolete()
    try:
        connection.ensure_connection()
    except OperationalError:
        return False
    return True


def _half(act: Act, attempts: Sequence[Attempt]) -> list[Answer]:
    try:
        return _answers(act, attempts)
    except Exception as error:
        log.exception("an attempt failed", exc_info=error)
        return [TryLater() for _ in attempts]


def _alone(act: Act, attempt: Attempt) -> Answer:
    for turn in range(1, TRIES_ALONE + 1):
        try:
            return _together(act, [attempt])[0]
        except TwinIsRunning as error:
            raise InProgress from error
        except (OperationalError, InterfaceError) as error:
            if turn == TRIES_ALONE or not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                raise TryLater from error
    raise TryLater


def _together(act: Act, attempts: Sequence[Attempt]) -> list[Answer]:
    """Answer attempts in one durable transaction, and charge their failures after it."""
    cases = cases_of(act, attempts)
    locate(cases)
    errors: dict[Case, Answer] = {**find_people(cases), **_locked(cases)}
    in_turn = by_hand = False
    for _turn in range(TURNS):
        try:
            return _write_together(cases, errors, in_turn=in_turn, by_hand=by_hand)
        except (lottery.BudgetShort, posting.LookFirst):
            in_turn = True
        except lottery.UnitsShort:
            by_hand = True
        except lottery.KeysMissing as missing:
            lottery_keys.load(missing.campaign_ids)
        again = {case: case.again() for case in cases}
        errors = {again[case]: error for case, error in errors.items()}
        cases = list(again.values())
    raise TryLater


def _locked(cases: Iterable[Case]) -> dict[Case, Answer]:
    """Return what members hear who typed too many wrong codes in a row, until a person unlocks them."""
    answers: dict[Case, Answer] = {}
    for case in cases:
        if case.is_locked and not answered_before(case.attempt):
            refusal = budgets.locked(case.attempt)
            budgets.count_refusal(refusal, at=case.attempt.at)
            answers[case] = too_many_tries(case.act, case.attempt.at, refusal)
    return answers


def _count_in_a_row(cases: Sequence[Case], winners: Iterable[Case], failures: Iterable[Failure]) -> None:
    """Keep how many wrong codes in a row each member typed. After the commit, as the budgets are charged."""
    charged = Counter(failure.subject for failure in failures if failure.subject.kind in budgets.PERSONS)
    failed = {
        case.holder.member_id: charged[budgets.subjects_of(case.attempt)[0]]
        for case in (cases if charged else ())
        if case.holder and case.holder.member_id is not None
    }
    forgiven = {case.holder.member_id for case in winners if case.holder and case.holder.failures}
    members.count_failures(
        {member_id: count for member_id, count in failed.items() if count},
        forgiven={member_id for member_id in forgiven if member_id is not None},
    )


def _write_together(cases: Sequence[Case], errors: dict[Case, Answer], *, in_turn: bool, by_hand: bool) -> list[Answer]:
    """Open the requests, pick the winners, write everything, commit. Each step is one round trip to the database.

    ``in_turn``: points are given out one attempt after the other; ``by_hand``: so are the units of prizes.
    """
    desk = Desk(cases, errors)
    running = lottery_keys.live(last_at(cases))
    with transaction.atomic(durable=True):
        fresh = _open(desk, cases)
        playing = Playing(running) if running else None
        won = pick_winners(fresh, in_turn=in_turn, beside=playing.ask if playing else None)
        if playing:
            won = playing.play(won)
        share(fresh, won.cases)
        scans, failures = write(fresh, won, by_hand=by_hand)
    desk.answer(fresh, _receipts(fresh, won, scans))
    budgets.charge(failures)
    _count_in_a_row(fresh, won.cases, failures)
    tell_scans(scan.pk for scan in scans)
    return desk.answers()


def _open(desk: Desk, cases: Sequence[Case]) -> list[Case]:
    """Open the request ids and read all that is known about the labels; return the cases that are new."""
    try:
        with pipelined():
            desk.ask(lock_timeout_ms=BATCH_LOCK_MS if len(cases) > 1 else ALONE_LOCK_MS)
            read = ask_labels(cases, at=max(case.attempt.at for case in cases))
            read_routes = ask_routed(cases)
            cautioned = ask_cautions(case.label_no for case in cases if case.act is Act.REDEEM and case.label_no)
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):  # only a request id can be waited for here
            raise TwinIsRunning from error
        raise
    read()
    read_routes()
    heed(cases, cautioned())
    return desk.open()


def _receipts(cases: Sequence[Case], won: Won, scans: Sequence[Told]) -> list[Receipt]:
    """Return the answers, from what is at hand."""
    played = {case.label_no or 0 for case in won.cases}
    games = replace(won.games, labels=played)
    return receipts_of(scans, made=_made(cases, won.cases), seen=seen_by(cases), games=games)


def _made(cases: Iterable[Case], winners: Iterable[Case]) -> Iterator[Made]:
    """Yield the redemptions that the answers speak of: first those that stood before, of which no party is told."""
    for case in cases:
        if case.past.spent:
            spent = case.past.spent
            yield Made(case.label_no or 0, spent.scan_id, spent.points, None, 0, None, 0, spent.account_id)
    for case in winners:
        yield Made(
            case.label_no or 0,
            case.scan_id,
            case.points["consumer"],
            case.retailer.id if case.retailer else None,
            case.points["retailer"],
            case.promoter.id if case.promoter else None,
            case.points["promoter"],
            case.holder.account_id if case.holder else 0,
        )


# --- after the answer --------------------------------------------------------------------------------------------------


def reverse_redemption(redemption_id: int, *, at: datetime, asked_by: str, reason: str) -> Reversal:
    """Take a redemption back: every party's points return; what was spent already is owed to their clawback account.

    The code stays used. The campaign's budget gets its points back; what the label won ends, and its entries in draws
    that are open are void (`lottery.services.take_back`). Raises `NotFound`, `AlreadyReversed`. What a person
    asks for goes through `take_back`.
    """
    with transaction.atomic(durable=True):
        return _reverse(_redemption(redemption_id), at=at, asked_by=asked_by, reason=reason)


def take_back(redemption_id: int, *, at: datetime, by: User, reason: str) -> Reversal:
    """Reverse a redemption as asked by a person; more than `ledger.services.LARGE_REVERSAL` points need a second one.

    Raises as `reverse_redemption`, and `staff.approvals.NeedsApproval`.
    """
    with transaction.atomic(durable=True):
        redemption = _redemption(redemption_id)
        asked: Approval | None = None
        points = _points_paid(redemption) + _points_won(redemption)
        if points > posting.LARGE_REVERSAL and not Reversal.objects.filter(pk=redemption_id).exists():
            [serial] = labels.serials_of([redemption_id])
            payload = {"serial": serial, "points": points, "reason": reason}
            asked = approvals.ask_or_consume(REVERSE_ACT, payload, about=("serial", "points"), by=by, at=at)
        if asked is None:
            return _reverse(redemption, at=at, asked_by=by.username, reason=reason)
    raise approvals.NeedsApproval(asked)


def _redemption(redemption_id: int) -> Redemption:
    found = Redemption.objects.filter(pk=redemption_id).first()
    if found is None:
        raise NotFound(_("There is no such redemption."))
    return found


def _points_paid(redemption: Redemption) -> int:
    return redemption.points + redemption.retailer_points + redemption.promoter_points


def _points_won(redemption: Redemption) -> int:
    play = plays_of([redemption.pk]).get(redemption.pk)
    return play.points if play else 0


def _reverse(redemption: Redemption, *, at: datetime, asked_by: str, reason: str) -> Reversal:
    made, created = Reversal.objects.get_or_create(
        redemption=redemption, defaults={"at": at, "reason": reason[:200], "asked_by": asked_by[:150]}
    )
    if not created:
        raise AlreadyReversed
    amount = _points_paid(redemption)
    budget = Budget.objects.filter(campaign=redemption.campaign).first() if amount else None
    if budget:
        lottery.give_back([lottery.Need(budget.pk, redemption.scan_id % SLOTS, amount)])
    lottery.void_of_reversed(redemption.pk, account_id=redemption.account_id, at=at)
    play = lottery.take_back(redemption.pk, at=at, by=asked_by[:150])
    free_rewards(redemption.scan_id, at=at)
    causes = Q(cause_kind=Cause.REDEMPTION, cause_id=redemption.scan_id, kind=Kind.AWARD)
    if play is not None:
        causes |= Q(cause_kind=Cause.PLAY, cause_id=play, kind=Kind.PRIZE)
    transfers = list(Transfer.objects.filter(causes).values_list("pk", flat=True))
    if transfers:
        posting.reverse_many(transfers, at=at, recorded_by=asked_by[:150])
    return made


def add_place(scan_id: int, place: Place, *, at: datetime) -> None:
    """Keep where a visitor says to be, told on a tap after the answer. A second one is not kept."""
    if not Scan.objects.filter(pk=scan_id).exists():
        raise NotFound
    region, beside = of_fix(place) or (NOWHERE, ())
    write_places([PlaceRow(scan_id, ScanPlace.Source.GPS, region, place, at, beside)])


def answer_was_that_you(scan_id: int, *, yes: bool, at: datetime) -> WasThatYou:
    """Keep a visitor's answer to "was that you?". Raises `NotFound` unless that scan was told of earlier visits."""
    scan = Scan.objects.filter(pk=scan_id).first()
    if scan is None or not scan.earlier_count:
        raise NotFound
    return WasThatYou.objects.create(scan_id=scan_id, yes=yes, at=at)


def claim(receipt_no: str, *, member_id: int, at: datetime) -> int:
    """Move the points of the asker who redeemed under this receipt to a member who is signed in; return how many.

    Raises `NotFound`, and `members.services.AlreadyClaimed`.
    """
    scan_id = labels.scan_id_of(receipt_no)
    scan = Scan.objects.filter(pk=scan_id, outcome=Outcome.REDEEMED).first() if scan_id else None
    kind, pending_id = asker_of(scan.asker) if scan and scan.asker is not None else (None, 0)
    if kind is not AskerKind.PENDING:
        raise NotFound(_("There are no points to claim here."))
    with transaction.atomic(durable=True):
        return members.claim_pending(pending_id, member_id=member_id, at=at)


def forget_old(*, at: datetime) -> None:
    """Erase coordinates after 90 days, failures after 48 hours, counted refusals after 30 days."""
    with transaction.atomic():
        ScanPlace.objects.filter(lat__isnull=False, at__lt=at - COORDINATES_LIVE).update(lat=None, lon=None)
        budgets.forget_old(at=at)
