"""The verbs of redemption: check a label, redeem its code once, take a redemption back.

`redeem_many` is the only write path of redemptions; `docs/algorithms/redemption.md` tells it step by step. Locks are
taken in the one order of docs/architecture.md: request ids → (new members) → label_no → caps → budget slots → accounts.
"""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta

from django.conf import settings
from django.db import InterfaceError, OperationalError, connection, transaction
from django.utils.module_loading import import_string
from django.utils.translation import gettext as _
from psycopg.errors import DeadlockDetected, LockNotAvailable

from brands.queries import brand_date
from channel.models import Partner
from channel.queries import partners_by_number
from common.canonical import canonical
from common.db import array
from common.errors import Conflict, DomainError, Invalid, NotFound
from common.geo import Region, nearest_place
from common.problems import Unavailable
from labels import queries as labels
from labels.keys import audit_mac
from labels.queries import Status
from ledger import queries as ledger, services as posting
from ledger.models import Cause, Kind, Transfer
from lottery import services as lottery
from lottery.models import Budget
from lottery.queries import Ended, Offer, offers
from lottery.rules import SLOTS, expires_on, slot_of
from members import services as members
from redemption import budgets
from redemption.budgets import Failure
from redemption.facts import VISIT, Case, Spent, cases_of, client_of, find_holders, find_past, find_visitors
from redemption.models import (
    ACTS,
    BYS,
    DETAILS,
    DOORS,
    OUTCOMES,
    FailedInput,
    Redemption,
    Request,
    Reversal,
    Scan,
    ScanPlace,
    WasThatYou,
)
from redemption.receipts import receipts_of, too_many_tries
from redemption.rules import Act, AskerKind, Attempt, By, OfferState, Outcome, Place, Receipt, Verdict, asker_of, decide

BATCH_LOCK_MS = 250  # of several attempts together; alone the connection's 2 s hold
RARE_LOCK_MS = 50  # while holding budget slots, wait no longer for a label: its holder may be waiting for us
MOST_TOGETHER = 500
TRIES_ALONE = 4
COORDINATES_LIVE = timedelta(days=90)
Answer = Receipt | DomainError
log = logging.getLogger(__name__)


class KeyReused(Conflict):
    """Other content was sent under this request id before."""

    code = "key_reused"


class InProgress(Conflict):
    """A request with this id is still running. Ask again in a moment."""

    code = "in_progress"


class UnknownPartner(Invalid):
    """There is no such retailer or promoter."""

    code = "unknown_partner"


class WhoEarns(Invalid):
    """Name the consumer by exactly one of phone and asker."""

    code = "who_earns"


class TryLater(Unavailable):
    """We cannot answer now. Nothing was used up. Please send the same again in a few minutes."""


class AlreadyReversed(Conflict):
    """The redemption was taken back before."""

    code = "already_reversed"


# --- the verbs ---------------------------------------------------------------------------------------------------------


def look(attempt: Attempt) -> Receipt:
    """Return what a check would say now, from what is already known. Writes nothing and counts nothing."""
    [case] = cases_of(Act.CHECK, [attempt])
    find_holders([case])
    find_visitors([case])
    _read_labels([case], at=attempt.at)
    balance = ledger.balance(case.holder.account_id) if case.holder else 0
    return receipts_of([scan_of(case, decide(case.facts()), balance=balance)], with_serials=True)[0]


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
    return _admitted(Act.REDEEM, attempts, redeem_admitted)


def verify_each(attempts: Sequence[Attempt]) -> list[Answer]:
    """Check labels, with errors in their places."""
    return _admitted(Act.CHECK, attempts, lambda admitted: _answers(Act.CHECK, admitted))


def redeem_admitted(attempts: Sequence[Attempt]) -> list[Answer]:
    """Redeem attempts whose budgets were asked already (`admit`): what the collector runs."""
    return _answers(Act.REDEEM, attempts)


def admit(act: Act, attempts: Sequence[Attempt]) -> list[Answer | None]:
    """Return, for each attempt, why it is not looked at: an error, or TOO_MANY_TRIES; None lets it through.

    A request id that was answered before is always let through, to get its first answer.
    """
    answers: list[Answer | None] = [_malformed(act, attempt) for attempt in attempts]
    refusals = budgets.ask(attempts)
    for place, (attempt, refusal) in enumerate(zip(attempts, refusals, strict=True)):
        if refusal is None or answers[place] is not None or _answered_before(attempt):
            continue
        budgets.count_refusal(refusal, at=attempt.at)
        answers[place] = too_many_tries(act, attempt.at, refusal.retry_after_s)
    return answers


def _admitted(act: Act, attempts: Sequence[Attempt], run: Callable[[Sequence[Attempt]], list[Answer]]) -> list[Answer]:
    answers = admit(act, attempts)
    waiting = [place for place, answer in enumerate(answers) if answer is None]
    for start in range(0, len(waiting), MOST_TOGETHER):
        places = waiting[start : start + MOST_TOGETHER]
        for place, answer in zip(places, run([attempts[place] for place in places]), strict=True):
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


# --- together, or one by one -------------------------------------------------------------------------------------------


class _TwinIsRunning(Exception):
    """Another transaction holds this request id and has not ended."""


def _answers(act: Act, attempts: Sequence[Attempt]) -> list[Answer]:
    """Answer attempts in one transaction; if that fails, each in one of its own, so that none fails its neighbours."""
    if len(attempts) > 1:
        try:
            return _together(act, attempts)
        except Exception:  # whatever it was, it comes again below, for the one attempt that causes it
            connection.close_if_unusable_or_obsolete()
    answers: list[Answer] = []
    for attempt in attempts:
        try:
            answers.append(_alone(act, attempt))
        except DomainError as error:
            answers.append(error)
        except Exception as error:
            if len(attempts) == 1:
                raise
            log.exception("an attempt failed", exc_info=error)
            answers.append(TryLater())
    return answers


def _alone(act: Act, attempt: Attempt) -> Answer:
    for turn in range(1, TRIES_ALONE + 1):
        try:
            return _together(act, [attempt])[0]
        except _TwinIsRunning as error:
            raise InProgress from error
        except (OperationalError, InterfaceError) as error:
            if turn == TRIES_ALONE or not isinstance(error.__cause__, LockNotAvailable | DeadlockDetected):
                raise TryLater from error
    raise TryLater


def _together(act: Act, attempts: Sequence[Attempt]) -> list[Answer]:
    """Answer attempts in one durable transaction, and charge their failures after it."""
    cases = cases_of(act, attempts)
    errors = _name_partners(cases)
    regions = {case: _region(case.attempt.place) for case in cases if case.attempt.place}
    with transaction.atomic(durable=True):
        if len(attempts) > 1:
            _wait_at_most(BATCH_LOCK_MS)
        desk = Desk(cases, errors)
        fresh = desk.open()
        paid = _decide_and_pay(fresh)
        scans, failures = _write(fresh, paid, regions)
        desk.answer(fresh, receipts_of(scans))
    budgets.charge(failures)
    if settings.SCAN_HANDLER and scans:
        import_string(settings.SCAN_HANDLER)([scan.pk for scan in scans])
    return desk.answers()


def _wait_at_most(milliseconds: int) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"SET LOCAL lock_timeout = {milliseconds:d}")


def _region(place: Place | None) -> Region | None:
    return nearest_place(place.lat, place.lon, place.accuracy_m or 0.0) if place else None


def _name_partners(cases: Sequence[Case]) -> dict[Case, DomainError]:
    """Fill in the retailers and promoters that are named; return an error for each case that names none of ours."""
    numbers = {
        number for case in cases for number in (case.attempt.retailer, case.attempt.promoter) if number is not None
    }
    if not numbers:
        return {}
    found = partners_by_number([number for number in sorted(numbers) if number.isascii() and number.strip().isalnum()])
    errors: dict[Case, DomainError] = {}
    for case in cases:
        for kind, number in (("retailer", case.attempt.retailer), ("promoter", case.attempt.promoter)):
            if number is None:
                continue
            partner = found.get(number)
            if partner is None or partner.kind != kind or partner.state != Partner.State.ACTIVE:
                errors[case] = UnknownPartner(_("There is no such retailer or promoter."), field=kind)
            elif kind == "retailer":
                case.retailer_id, case.retailer_account = partner.pk, partner.account_id
            else:
                case.promoter_id, case.promoter_account = partner.pk, partner.account_id
    return errors


# --- the desk: request ids ---------------------------------------------------------------------------------------------

Key = tuple[int, int, str]


class Desk:
    """Opens each request id once and remembers whose answer belongs where.

    A request id seen before gets its first answer if the content is the same, else `KeyReused`; a twin in the same
    batch gets its leader's. A case with an error of its own opens no request, but may still be a repeat.
    """

    def __init__(self, cases: Sequence[Case], errors: dict[Case, DomainError]) -> None:
        self.cases = cases
        self.errors = errors
        self.done: dict[Case, Answer] = {}
        self.leaders: dict[Key, Case] = {}
        self.followers: dict[Case, Case] = {}
        self.macs = {case: content_mac(case) for case in cases if case.attempt.request_id}

    def open(self) -> list[Case]:
        """Write the request rows; return the cases that are new, each with the id of its scan."""
        for case in self.cases:
            if case not in self.errors and case in self.macs:
                leader = self.leaders.setdefault(_key(case), case)
                if leader is not case:
                    self._follow(case, leader)
        opened = self._insert()
        repeats = [case for key, case in self.leaders.items() if key not in opened]
        repeats += [case for case in self.errors if case in self.macs]
        self._repeat(repeats)
        for case, error in self.errors.items():
            self.done.setdefault(case, error)
        fresh = [case for case in self.cases if case not in self.done and case not in self.followers]
        unnamed = iter(_next_scan_ids(sum(case not in self.macs for case in fresh)))
        for case in fresh:
            case.scan_id = opened[_key(case)] if case in self.macs else next(unnamed)
        return fresh

    def _follow(self, case: Case, leader: Case) -> None:
        if self.macs[case] == self.macs[leader]:
            self.followers[case] = leader
        else:
            self.done[case] = KeyReused()

    def _insert(self) -> dict[Key, int]:
        if not self.leaders:
            return {}
        doors, clients, ids = zip(*self.leaders, strict=True)
        try:
            with connection.cursor() as cursor:
                cursor.execute(
                    """
                    INSERT INTO redemption_request (scan_id, door, client_id, request_id, content_mac)
                    SELECT nextval('redemption_scan_id_seq'), door, client_id, request_id, mac
                      FROM unnest(%s::smallint[], %s::int[], %s::text[], %s::bytea[]) AS n (door, client_id, request_id, mac)
                     ORDER BY door, client_id, request_id
                        ON CONFLICT (door, client_id, request_id) DO NOTHING
                    RETURNING door, client_id, request_id, scan_id
                    """,
                    [array(doors), array(clients), list(ids), [self.macs[case] for case in self.leaders.values()]],
                )
                return {(door, client, request_id): scan for door, client, request_id, scan in cursor.fetchall()}
        except OperationalError as error:
            if isinstance(error.__cause__, LockNotAvailable):
                raise _TwinIsRunning from error
            raise

    def _repeat(self, cases: Sequence[Case]) -> None:
        if not cases:
            return
        rows = {_row_key(row): row for row in _requests_of(cases)}
        same = [case for case in cases if (row := rows.get(_key(case))) and bytes(row.content_mac) == self.macs[case]]
        scans = Scan.objects.in_bulk([rows[_key(case)].scan_id for case in same])
        receipts = receipts_of([scans[rows[_key(case)].scan_id] for case in same])
        for case in cases:
            if _key(case) in rows:
                self.done[case] = KeyReused()
        self.done.update(zip(same, receipts, strict=True))

    def answer(self, fresh: Sequence[Case], receipts: Sequence[Receipt]) -> None:
        """Take in the answers of the new cases."""
        self.done.update(zip(fresh, receipts, strict=True))

    def answers(self) -> list[Answer]:
        """Return every case's answer, in order."""
        return [self.done[self.followers.get(case, case)] for case in self.cases]


def content_mac(case: Case) -> bytes:
    """Return the keyed MAC of what was asked, all but the clock, the language and where it came from."""
    attempt = case.attempt
    place = attempt.place
    content = {
        "act": case.act,
        "code": attempt.code,
        "serial": attempt.serial,
        "gtin": attempt.gtin,
        "phone": attempt.phone,
        "member": attempt.member_id,
        "asker": attempt.asker,
        "retailer": attempt.retailer,
        "promoter": attempt.promoter,
        "place": [repr(place.lat), repr(place.lon), repr(place.accuracy_m)] if place else None,
    }
    return audit_mac(b"request\x00" + canonical(content))


def _key(case: Case) -> Key:
    return DOORS.index(case.attempt.door), client_of(case.attempt), case.attempt.request_id


def _row_key(row: Request) -> Key:
    return DOORS.index(row.door), row.client_id, row.request_id


def _requests_of(cases: Iterable[Case]) -> list[Request]:
    keys = {_key(case) for case in cases}
    rows = Request.objects.filter(request_id__in=[request_id for _door, _client, request_id in keys])
    return [row for row in rows if _row_key(row) in keys]


def _answered_before(attempt: Attempt) -> bool:
    """Return whether this attempt's request id has its answer already."""
    if not attempt.request_id:
        return False
    return Request.objects.filter(
        door=attempt.door, client_id=client_of(attempt), request_id=attempt.request_id
    ).exists()


def _next_scan_ids(count: int) -> list[int]:
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('redemption_scan_id_seq') FROM generate_series(1, %s)", [count])
        return [row[0] for row in cursor.fetchall()]


# --- deciding and paying -----------------------------------------------------------------------------------------------


def _decide_and_pay(cases: Sequence[Case]) -> dict[Case, int]:
    """Pick the winners, pay them, and let attempts of one batch see each other; return each winner's balance."""
    if not cases:
        return {}
    at = max(case.attempt.at for case in cases)
    find_holders(cases)
    find_visitors([case for case in cases if case.label_no is not None])
    _read_labels(cases, at=at)
    winners = _claim([case for case in cases if case.act is Act.REDEEM and decide(case.facts()).wins], at=at)
    balances = _post(winners, at=at)
    _share_holders(cases, winners)
    find_visitors(
        [case for case in cases if case.label_no is not None and not case.holder and case.visitor_id is None],
        create_at=at,
    )
    _see_each_other(cases, set(winners))
    return balances


def _read_labels(cases: Sequence[Case], *, at: datetime) -> None:
    label_nos = sorted({case.label_no for case in cases if case.label_no is not None})
    if not label_nos:
        return
    states = labels.states(label_nos, at)
    for case in cases:
        if case.label_no is not None:
            case.state = states[case.label_no]
    find_past(cases)
    offered = offers({case.product_id for case in cases if case.product_id is not None}, at)
    for case in cases:
        if case.product_id is not None:
            case.offer = offered.get(case.product_id)


def _claim(waiting: list[Case], *, at: datetime) -> list[Case]:
    """Write the redemptions of those who win, within caps and budgets; return them.

    The first attempt at a label in the batch goes first; should the offer be exhausted for it, the next one is tried.
    """
    winners: list[Case] = []
    while waiting:
        first: dict[int, Case] = {}
        for case in waiting:
            first.setdefault(case.label_no or 0, case)
        turn = list(first.values())
        _find_or_make_holders(turn, at=at)
        try:
            with transaction.atomic():
                won = _claim_at_once(turn)
            lost = [case for case in turn if case not in won]
        except lottery.BudgetShort:
            with transaction.atomic():
                won, lost = _claim_in_turn(turn)
        for case in turn:
            case.exhausted = case not in won and case not in lost
        gone = {case.label_no for case in lost}
        find_past([case for case in waiting if case.label_no in gone])
        gone |= {case.label_no for case in won}
        winners += won
        waiting = [case for case in waiting if case not in turn and case.label_no not in gone]
    return winners


def _claim_at_once(turn: Sequence[Case]) -> list[Case]:
    taken = _insert_redemptions(turn)
    won = [case for case in turn if case.label_no in taken]
    if not all(lottery.count_uses([_use(case) for case in won])):
        raise lottery.BudgetShort
    lottery.take([need for case in won if (need := _need(case))])
    return won


def _claim_in_turn(turn: Sequence[Case]) -> tuple[list[Case], list[Case]]:
    """Serve attempts one after the other with all slots of their budgets locked: exact to the last point."""
    allowed = lottery.count_uses([_use(case) for case in turn])
    hand = lottery.Hand(need.budget_id for case in turn if (need := _need(case)))
    _wait_at_most(RARE_LOCK_MS)
    won: list[Case] = []
    lost: list[Case] = []
    for case, allows in zip(turn, allowed, strict=True):
        need = _need(case)
        if not allows or (need and not hand.covers(need)):
            continue
        if not _insert_redemptions([case]):
            lost.append(case)
            continue
        won.append(case)
        if need:
            hand.take(need)
    lottery.uncount_uses([_use(case) for case, allows in zip(turn, allowed, strict=True) if allows and case not in won])
    hand.save()
    _wait_at_most(BATCH_LOCK_MS)
    return won, lost


def _need(case: Case) -> lottery.Need | None:
    amount = case.need()
    if not isinstance(case.offer, Offer) or case.offer.budget_id is None or not amount:
        return None
    return lottery.Need(case.offer.budget_id, slot_of(case.attempt.request_id or str(case.scan_id)), amount)


def _use(case: Case) -> lottery.Use:
    offer = case.offer if isinstance(case.offer, Offer) else None
    return lottery.Use(
        offer.campaign_id if offer else 0,
        case.holder.account_id if case.holder else 0,
        brand_date(case.attempt.at),
        offer.daily_cap if offer else None,
        offer.total_cap if offer else None,
    )


def _find_or_make_holders(cases: Sequence[Case], *, at: datetime) -> None:
    """Give each winner-to-be an account: the member of the phone, or the client's asker, made if new."""
    phones = sorted({c.attempt.phone for c in cases if c.holder is None and c.attempt.phone})
    askers = sorted(
        {(c.attempt.client_id or 0, c.attempt.asker) for c in cases if c.holder is None and c.attempt.asker}
    )
    by_phone = members.members_for_phones(phones, at=at) if phones else {}
    by_asker = members.pending_for(askers, at=at) if askers else {}
    for case in cases:
        if case.holder is None and case.attempt.phone:
            case.holder = by_phone[case.attempt.phone]
        elif case.holder is None and case.attempt.asker:
            case.holder = by_asker[case.attempt.client_id or 0, case.attempt.asker]


def _share_holders(cases: Sequence[Case], winners: Sequence[Case]) -> None:
    """Let the other attempts of a batch know who became a member or holder in it."""
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
            case.points_of("consumer"),
            case.points_of("retailer") if case.retailer_id else 0, case.points_of("promoter") if case.promoter_id else 0,
            case.product_id, case.offer.campaign_id if isinstance(case.offer, Offer) else None,
            case.retailer_id, case.promoter_id, case.attempt.client_id,
        )
        for case in cases
    ]  # fmt: skip
    with connection.cursor() as cursor:
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
            [*(array(column) for column in zip(*parts, strict=True)), [case.attempt.at for case in cases]],
        )
        return {row[0] for row in cursor.fetchall()}


def _post(winners: Sequence[Case], *, at: datetime) -> dict[Case, int]:
    """Pay every party of every winner by linked transfers; return each consumer's balance after their own."""
    if not winners:
        return {}
    issuance = posting.system_account("issuance")
    transfers = []
    for case in winners:
        today = brand_date(case.attempt.at)
        for party, _partner, account, points in case.payments():
            months = case.offer.awards[party].expires_after_months if isinstance(case.offer, Offer) else None
            transfers.append(
                posting.NewTransfer(
                    debit=issuance,
                    credit=account,
                    amount=points,
                    kind="award",
                    cause_kind="redemption",
                    cause_id=case.scan_id,
                    expires_on=expires_on(today, months),
                )
            )
    running = dict(posting.post_batch(transfers, at=at).balances)
    unpaid = {case.holder.account_id for case in winners if case.holder} - running.keys()
    running.update(ledger.balances(sorted(unpaid)) if unpaid else {})
    balances = {}
    for case in reversed(winners):
        if case.holder:
            balances[case] = running[case.holder.account_id]
            running[case.holder.account_id] -= case.points_of("consumer")
    return balances


def _see_each_other(cases: Sequence[Case], winners: set[Case]) -> None:
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
        past.spent = Spent(other.scan_id, other.attempt.at, other.askers[0], account, other.points_of("consumer"))
    if same and case.attempt.at - other.attempt.at < VISIT:
        past.in_visit = True
        return
    if not other.past.in_visit:
        past.visits += 1
        past.first_scan_id = past.first_scan_id or other.scan_id
        past.mine += same
        past.nobody += not other.askers


# --- writing what was answered -----------------------------------------------------------------------------------------


def _write(
    cases: Sequence[Case], balances: dict[Case, int], regions: dict[Case, Region | None]
) -> tuple[list[Scan], list[Failure]]:
    """Write the scans with all that stands beside them; return the scans and the failures to be charged."""
    if not cases:
        return [], []
    verdicts = [Verdict(Outcome.REDEEMED) if case in balances else decide(case.facts()) for case in cases]
    failures, left = _write_failures(cases, verdicts)
    others = {case.holder.account_id for case in cases if case.holder and case not in balances}
    held = ledger.balances(sorted(others)) if others else {}
    scans = [
        scan_of(
            case,
            verdict,
            balance=balances[case] if case in balances else held.get(case.holder.account_id, 0) if case.holder else 0,
            tries_left=left.get(case),
        )
        for case, verdict in zip(cases, verdicts, strict=True)
    ]
    _insert_scans(scans)
    _write_inputs(cases)
    _write_places(cases, regions)
    return scans, failures


def _write_failures(cases: Sequence[Case], verdicts: Sequence[Verdict]) -> tuple[list[Failure], dict[Case, int]]:
    failed = [case for case, verdict in zip(cases, verdicts, strict=True) if verdict.is_failure]
    if not failed:
        return [], {}
    subjects = {case: budgets.subjects_of(case.attempt) for case in failed}
    kept = budgets.write_failures(
        [
            Failure(subject, budgets.target_of(label_no=case.label_no, mac=case.resolution.mac), case.attempt.at)
            for case in failed
            for subject in subjects[case]
        ]
    )
    left = budgets.tries_left([group[0] for group in subjects.values()], at=max(c.attempt.at for c in failed))
    return kept, {case: left[group[0]] for case, group in subjects.items()}


def scan_of(case: Case, verdict: Verdict, *, balance: int = 0, tries_left: int | None = None) -> Scan:
    """Return the row that keeps what this attempt is told."""
    past, state = case.past, case.state
    spent = past.spent is not None and verdict.outcome is not Outcome.REDEEMED
    ended_on = None
    if verdict.outcome is Outcome.ENDED:
        ended_on = state.ended_on if state and state.status == Status.ENDED else None
        ended_on = brand_date(case.offer.at) if ended_on is None and isinstance(case.offer, Ended) else ended_on
    known = case.label_no is not None
    count = max(past.visits, 1) if spent else past.visits
    return Scan(
        id=case.scan_id or None,
        at=case.attempt.at,
        label_no=case.label_no,
        asker=next(iter(case.askers), None),
        points=_points_told(case, verdict),
        balance=balance,
        first_scan_id=past.first_scan_id or (past.spent.scan_id if spent and past.spent else None),
        client_id=case.attempt.client_id,
        product_id=case.product_id,
        earlier_count=count,
        ended_on=ended_on,
        act=case.act,
        door=case.attempt.door,
        outcome=verdict.outcome,
        detail=verdict.detail,
        by=(case.redeemed_by() if spent else case.earlier_by()) if count else None,
        want=case.resolution.want,
        got=case.resolution.got,
        tries_left=tries_left if verdict.outcome is Outcome.UNKNOWN else None,
        opens_visit=known and not past.in_visit,
        by_serial=not case.secret_typed,
        spent=spent,
    )


def _points_told(case: Case, verdict: Verdict) -> int:
    if verdict.outcome is Outcome.ALREADY_REDEEMED and case.past.spent:
        return case.past.spent.points if case.redeemed_by() is By.YOU else 0
    offered = verdict.outcome in {Outcome.GENUINE_FIRST, Outcome.GENUINE_REPEAT} and not case.past.spent
    if verdict.outcome is Outcome.REDEEMED or (offered and case.facts().offer is OfferState.OPEN):
        return case.points_of("consumer")
    return 0


def _insert_scans(scans: Sequence[Scan]) -> None:
    numbers = [
        (
            scan.pk, scan.label_no, scan.asker, scan.points, scan.balance, scan.first_scan_id, scan.client_id,
            scan.product_id, scan.earlier_count, ACTS.index(scan.act), DOORS.index(scan.door),
            OUTCOMES.index(scan.outcome), None if scan.detail is None else DETAILS.index(scan.detail),
            None if scan.by is None else BYS.index(scan.by), scan.want, scan.got, scan.tries_left,
            scan.opens_visit, scan.by_serial, scan.spent, scan.ended_on,
        )
        for scan in scans
    ]  # fmt: skip
    with connection.cursor() as cursor:
        cursor.execute(
            """
            INSERT INTO redemption_scan (id, label_no, asker, points, balance, first_scan_id, client_id, product_id,
                   earlier_count, act, door, outcome, detail, "by", want, got, tries_left, opens_visit, by_serial, spent,
                   ended_on, at)
            SELECT * FROM unnest(%s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[], %s::bigint[],
                   %s::int[], %s::int[], %s::int[], %s::smallint[], %s::smallint[], %s::smallint[], %s::smallint[],
                   %s::smallint[], %s::smallint[], %s::smallint[], %s::smallint[], %s::bool[], %s::bool[], %s::bool[],
                   %s::date[], %s::timestamptz[])
            """,
            [*(array(column) for column in zip(*numbers, strict=True)), [scan.at for scan in scans]],
        )


def _write_inputs(cases: Sequence[Case]) -> None:
    rows = [
        FailedInput(scan_id=case.scan_id, masked=case.resolution.masked[:40], mac=case.resolution.mac)
        for case in cases
        if case.label_no is None
    ]
    FailedInput.objects.bulk_create(rows)


def _write_places(cases: Sequence[Case], regions: dict[Case, Region | None]) -> None:
    ScanPlace.objects.bulk_create(
        _place_of(case.scan_id, case.attempt.place, regions[case], case.attempt.at)
        for case in cases
        if case.attempt.place
    )


def _place_of(scan_id: int, place: Place, region: Region | None, at: datetime) -> ScanPlace:
    return ScanPlace(
        scan_id=scan_id,
        source=ScanPlace.Source.GPS,
        region=region.code if region else "",
        city=region.name_en if region else "",
        city_zh=region.name_zh if region else "",
        confidence=region.confidence if region else 0.0,
        lat=place.lat,
        lon=place.lon,
        accuracy_m=place.accuracy_m,
        at=at,
    )


# --- after the answer --------------------------------------------------------------------------------------------------


def reverse_redemption(redemption_id: int, *, at: datetime, asked_by: str, reason: str) -> Reversal:
    """Take a redemption back: every party's points return; what was spent already is owed to their clawback account.

    The code stays used. The campaign's budget gets its points back. Raises `NotFound`, `AlreadyReversed`.
    """
    with transaction.atomic(durable=True):
        redemption = Redemption.objects.filter(pk=redemption_id).first()
        if redemption is None:
            raise NotFound(_("There is no such redemption."))
        made, created = Reversal.objects.get_or_create(
            redemption=redemption, defaults={"at": at, "reason": reason[:200], "asked_by": asked_by[:150]}
        )
        if not created:
            raise AlreadyReversed
        amount = redemption.points + redemption.retailer_points + redemption.promoter_points
        budget = Budget.objects.filter(campaign=redemption.campaign).first() if amount else None
        if budget:
            lottery.give_back([lottery.Need(budget.pk, redemption.scan_id % SLOTS, amount)])
        transfers = Transfer.objects.filter(cause_kind=Cause.REDEMPTION, cause_id=redemption.scan_id, kind=Kind.AWARD)
        if amount:
            posting.reverse_many(transfers.values_list("pk", flat=True), at=at, recorded_by=asked_by[:150])
    return made


def add_place(scan_id: int, place: Place, *, at: datetime) -> None:
    """Keep where a visitor says to be, told on a tap after the answer. A second one is not kept."""
    row = _place_of(scan_id, place, _region(place), at)
    if not Scan.objects.filter(pk=scan_id).exists():
        raise NotFound
    ScanPlace.objects.bulk_create([row], ignore_conflicts=True)


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
