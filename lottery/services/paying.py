"""Payments of cash prizes: asked outside any transaction, under one key for life, until the payer says what became of it.

A worker leases a payment by a conditional UPDATE, calls, and writes the answer together with the claim's step. Whoever
dies in between leaves it ``asked``; after the lease it is looked up, and asked again under the same key.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils.translation import gettext as _

from common.db import inside_transaction
from lottery.errors import BadClaim, ClaimState
from lottery.models import Claim, Payout
from lottery.payers import Declined, Order, Paid, Payer, payer
from lottery.services.claiming import SYSTEM, details_of, move
from staff.models import User

log = logging.getLogger(__name__)
LEASE = timedelta(minutes=2)
LONGEST_WAIT = timedelta(hours=6)
State = Payout.State


def on_step(name: str) -> None:
    """Tests replace this to die here; ``name`` is "leased" or "answered"."""


@dataclass(frozen=True, slots=True)
class _Leased:
    """A payment that is ours for a while. ``claim``: the public id of what is paid. ``again``: somebody may have asked before."""

    payout_id: int
    claim: str
    order: Order
    tries: int
    again: bool


def pay_due(*, at: datetime, most: int = 100) -> int:
    """Ask the payer for each payment that is due; return how many were paid. Nothing happens where prizes are paid by hand."""
    adapter = payer()
    if adapter is None:
        return 0
    due = Payout.objects.filter(state__in=Payout.UNDER_WAY, due_at__lte=at).order_by("due_at", "pk")
    return sum(pay_one(payout_id, adapter, at=at) for payout_id in list(due.values_list("pk", flat=True)[:most]))


def pay_one(payout_id: int, adapter: Payer, *, at: datetime) -> bool:
    """Ask the payer for one payment, if it is due and nobody else does; return whether it is paid now."""
    leased = _lease(payout_id, at=at)
    if leased is None:
        return False
    on_step("leased")
    try:
        answer = (adapter.look_up(leased.order.key) if leased.again else None) or adapter.pay(leased.order)
    except OSError as error:  # TimeoutError among them: nobody knows whether money moved
        _unknown(leased, type(error).__name__, at=at)
        return False
    except Exception as error:  # a fault of the adapter: nobody knows either, and others are due as well
        log.exception("the adapter of the payer failed", extra={"claim": leased.claim})
        _unknown(leased, type(error).__name__, at=at)
        return False
    on_step("answered")
    match answer:
        case Paid():
            return _paid(leased.payout_id, answer, at=at, by=SYSTEM)
        case Declined():
            _declined(leased, answer, at=at)
        case _:  # neither of the two: as good as none
            _unknown(leased, "bad_answer", at=at)
    return False


def _lease(payout_id: int, *, at: datetime) -> _Leased | None:
    with transaction.atomic():
        row = Payout.objects.filter(pk=payout_id, state__in=Payout.UNDER_WAY, due_at__lte=at).first()
        if row is None:
            return None
        approved = Claim.objects.select_for_update(no_key=True).filter(pk=row.claim_id, state=Claim.State.APPROVED)
        if row.state == State.WAITING and not approved.exists():  # its redemption was taken back
            Payout.objects.filter(pk=payout_id, state=State.WAITING).update(state=State.FAILED, problem="not_approved")
            return None
        taken = Payout.objects.filter(pk=payout_id, state=row.state, tries=row.tries, due_at=row.due_at).update(
            state=State.ASKED, tries=F("tries") + 1, due_at=at + LEASE
        )
        if not taken:
            return None
    claim = Claim.objects.get(pk=row.claim_id)
    told = details_of(claim)
    order = Order(row.key, row.amount, row.currency, told.get("payee", ""), told.get("name", ""))
    return _Leased(row.pk, claim.public_id, order, row.tries + 1, again=row.state != State.WAITING)


def _unknown(leased: _Leased, problem: str, *, at: datetime) -> None:
    wait = min(LEASE * 2 ** min(leased.tries, 10), LONGEST_WAIT)
    Payout.objects.filter(pk=leased.payout_id, state=State.ASKED).update(
        state=State.UNKNOWN, problem=problem[:60], due_at=at + wait
    )
    log.warning("whether a prize was paid is unknown", extra={"claim": leased.claim})


def _declined(leased: _Leased, answer: Declined, *, at: datetime) -> None:
    del at
    Payout.objects.filter(pk=leased.payout_id, state=State.ASKED).update(state=State.FAILED, problem=answer.code[:60])
    log.error("the payer refused a prize", extra={"claim": leased.claim})


def _paid(payout_id: int, answer: Paid, *, at: datetime, by: str) -> bool:
    """Write that a payment is made, once, with the steps of its claim."""
    with transaction.atomic():
        changed = Payout.objects.filter(pk=payout_id, state__in=[*Payout.UNDER_WAY, State.FAILED]).update(
            state=State.PAID, reference=answer.reference[:80], paid_at=at, problem=""
        )
        if changed:
            _move(Payout.objects.values_list("claim_id", flat=True).get(pk=payout_id), at=at, by=by)
    return bool(changed)


@inside_transaction
def _move(claim_id: int, *, at: datetime, by: str) -> None:
    """Note at the claim that it is paid. Money that has moved is kept as such, even if the claim was ended meanwhile."""
    try:
        with transaction.atomic():
            move(claim_id, Claim.State.PAID, at=at, by=by)
            move(claim_id, Claim.State.DONE, at=at, by=by)
    except ClaimState:
        if by != SYSTEM:
            raise
        public_id = Claim.objects.values_list("public_id", flat=True).get(pk=claim_id)
        log.critical("a prize was paid whose claim had ended", extra={"claim": public_id})


def pay_again(claim_id: int, *, at: datetime) -> Payout:
    """Ask again, under the same key, for a payment that the payer refused. Raises `ClaimState`."""
    with transaction.atomic(durable=True):
        row = _of(claim_id)
        if row.state != State.FAILED or row.claim.state != Claim.State.APPROVED:
            raise ClaimState
        Payout.objects.filter(pk=row.pk, state=State.FAILED).update(state=State.UNKNOWN, problem="", due_at=at)
        row.refresh_from_db()
    return row


def paid_by_hand(claim_id: int, *, reference: str, by: User, at: datetime) -> Payout:
    """Note that a prize was paid otherwise, under the bank's number. Raises `BadClaim`, `ClaimState`.

    Only where no adapter pays, or it has refused: what is under way may be paid any moment.
    """
    if not reference.strip():
        raise BadClaim(_("Name the number of the payment."))
    row = _of(claim_id)
    if row.state != State.FAILED and not (row.state == State.WAITING and payer() is None):
        raise ClaimState(_("The payment is under way: wait for its answer."))
    if not _paid(row.pk, Paid(reference.strip()), at=at, by=by.username):
        raise ClaimState
    row.refresh_from_db()
    return row


def _of(claim_id: int) -> Payout:
    row = Payout.objects.select_related("claim").filter(claim=claim_id).first()
    if row is None:
        raise ClaimState
    return row
