"""The verbs of an investigation: each writes its row and a line of the file's log, in one transaction.

Each locks the file first, so that of two people who do the same at once the second meets what the first did. ``by`` is a
user name. Who may do what is asked at the door (`staff.permissions`, `case_queries.files_for`).
"""

from datetime import date, datetime
from typing import Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from analytics import case_queries
from analytics.case_desk import BadEntry, NoSuchFile, as_seen, locked, log, needed, opened
from analytics.case_models import (
    MOVES,
    Appeal,
    Case,
    CaseDecision,
    CaseEntry,
)
from analytics.models import Finding, ShipmentScore
from analytics.services import decide as give_verdict
from channel.chain import merged
from channel.items import contents
from channel.models import Document, Movement
from common.errors import Conflict, NotFound
from redemption.models import Caution
from redemption.services import caution, lift_caution
from staff.models import User

MOST_CAUTIONS = 500
_STATE = Case.State
_KIND = CaseEntry.Kind


class NoSuchMove(Conflict):
    """A file does not move like this."""

    code = "no_such_move"


class NotHeard(Conflict):
    """The partner must be heard first: a question answered, or its last day over."""

    code = "not_heard"


class DeciderInvestigated(Conflict):
    """Whoever investigated a file does not decide about it."""

    code = "decider_investigated"


# --- the file and its course -----------------------------------------------------------------------------------------


def open_case(
    shipment_id: int,
    *,
    at: datetime,
    by: str,
    finding: Finding | None = None,
    assignee: User | None = None,
    due_on: date | None = None,
    text: str = "",
) -> Case:
    """Open the file about a shipment; if one is open, return that. Raises `NotFound` for what is no shipment."""
    shipment = Document.objects.filter(pk=shipment_id, kind=Document.Kind.SHIPMENT).first()
    if shipment is None or shipment.destination_id is None:
        raise NotFound(_("There is no such shipment."))
    finding = finding or Finding.objects.filter(shipment_id=shipment_id).order_by("-found_at", "-pk").first()
    with transaction.atomic(durable=True):
        case = Case.objects.filter(shipment_id=shipment_id).exclude(state=_STATE.CLOSED).first()
        made = case is None
        if case is None:
            try:
                with transaction.atomic():
                    case = Case.objects.create(
                        shipment_id=shipment_id,
                        distributor_id=finding.distributor_id if finding else shipment.destination_id,
                        finding=finding,
                        opened_at=at,
                        opened_by=by,
                        moved_at=at,
                    )
            except IntegrityError:  # another was a moment faster
                made = False
                case = Case.objects.exclude(state=_STATE.CLOSED).get(shipment_id=shipment_id)
        if made:
            data = {"finding": finding.public_id, "probability": round(finding.probability, 4)} if finding else {}
            log(case, _KIND.OPENED, at=at, by=by, text=text, **data)
            if assignee is not None:
                _put_in_charge(case, assignee, at=at, by=by)
            if due_on is not None:
                _set_due(case, due_on, at=at, by=by)
    return case


def assign(case_id: int, *, to: User | None, at: datetime, by: str) -> Case:
    """Put somebody in charge of a file, or nobody. Raises `NoSuchFile`, `FileIsClosed`."""
    with transaction.atomic(durable=True):
        case = opened(case_id)
        if case.assignee_id != (to.pk if to else None):
            _put_in_charge(case, to, at=at, by=by)
    return case


def set_due(case_id: int, *, due_on: date | None, at: datetime, by: str) -> Case:
    """Set the day by which the next step is due. Raises `NoSuchFile`, `FileIsClosed`."""
    with transaction.atomic(durable=True):
        case = opened(case_id)
        if case.due_on != due_on:
            _set_due(case, due_on, at=at, by=by)
    return case


def move(case_id: int, *, seen: str, to: str, at: datetime, by: str, text: str = "") -> Case:
    """Move a file that is in the state ``seen``: to be watched or checked in the field, or closed once decided.

    Decisions are `decide`, and what is decided or closed opens again by `appeal`. Raises `NoSuchFile`, `NoSuchMove`, and
    `MovedMeanwhile` if the file is in another state by now.
    """
    with transaction.atomic(durable=True):
        case = locked(case_id)
        as_seen(case, seen)
        over = case.state in {*Case.DECIDED, _STATE.CLOSED}
        if to in Case.DECIDED or to not in MOVES[case.state] or (over and to != _STATE.CLOSED):
            raise NoSuchMove
        _move(case, to, at=at, by=by, text=text)
    return case


def note(case_id: int, *, text: str, at: datetime, by: str) -> CaseEntry:
    """Write a note into the log of a file, whatever its state. Raises `NoSuchFile`, `BadEntry`."""
    with transaction.atomic(durable=True):
        return log(locked(case_id), _KIND.NOTE, at=at, by=by, text=needed(text, 2_000))


# --- decisions ---------------------------------------------------------------------------------------------------------


def decide(
    case_id: int,
    *,
    seen: str,
    decision: str,
    reason: str,
    at: datetime,
    by: str,
    penalty: str = "",
    told: str = "",
) -> CaseDecision:
    """Decide about a file in the state ``seen``: confirmed, rejected or explained; the detector learns the verdict.

    Who investigated does not decide. To confirm, the distributor must have been heard; what favours them may come at
    once. ``penalty`` is a note in words; ``told`` what the partner will read. Raises `NoSuchFile`, `MovedMeanwhile`,
    `NoSuchMove`, `DeciderInvestigated`, `NotHeard`, `BadEntry`.
    """
    with transaction.atomic(durable=True):
        case = locked(case_id)
        as_seen(case, seen)
        if decision not in Case.DECIDED or decision not in MOVES[case.state]:
            raise NoSuchMove
        busy = case_queries.investigators(case)
        if by in busy:
            raise DeciderInvestigated
        heard = case_queries.heard(case, at=at)
        confirms = decision == _STATE.CONFIRMED
        if confirms and heard is None:
            raise NotHeard
        if penalty.strip() and not confirms:
            raise BadEntry(_("A penalty can be noted only where diversion is confirmed."))
        scored = ShipmentScore.objects.filter(pk=case.shipment_id).exists() or case.finding_id
        row = CaseDecision.objects.create(
            case=case,
            verdict=give_verdict(case.shipment_id, decision=decision, at=at, by=by) if scored else None,
            decision=decision,
            reason=needed(reason, 2_000),
            penalty=penalty.strip()[:1_000],
            told=told.replace("\x00", "").strip()[:2_000],
            heard=heard,
            investigators=busy,
            at=at,
            decided_by=by,
        )
        log(case, _KIND.DECIDED, at=at, by=by, text=row.reason, decision=decision)
        _move(case, decision, at=at, by=by)
    return row


def appeal(case_id: int, *, text: str, at: datetime, by: str, partner_id: int | None = None) -> Appeal:
    """Keep an objection to the last decision, and open the file again. ``partner_id`` if the partner makes it themselves.

    Raises `NoSuchFile`, `NoSuchMove` (nothing is decided, or the file is open again), `BadEntry`, `Conflict`.
    """
    with transaction.atomic(durable=True):
        case = locked(case_id)
        last = case.decisions.order_by("-pk").first()
        if last is None or case.state not in {*Case.DECIDED, _STATE.CLOSED}:
            raise NoSuchMove(_("There is no decision that could be appealed."))
        if Case.objects.filter(shipment_id=case.shipment_id).exclude(state=_STATE.CLOSED).exclude(pk=case.pk).exists():
            raise Conflict(_("Another file about this shipment is open: continue there."))
        row = Appeal.objects.create(decision=last, text=needed(text, 4_000), partner_id=partner_id, at=at, by=by)
        log(case, _KIND.APPEALED, at=at, by=by, text=row.text[:2_000])
        _move(case, _STATE.FIELD_CHECK, at=at, by=by)
    return row


# --- cautions ----------------------------------------------------------------------------------------------------------


def open_cautions(
    case_id: int,
    *,
    effect: str,
    at: datetime,
    by: str,
    reason: str = "diversion",
    unit_id: int | None = None,
    text: str = "",
) -> list[Caution]:
    """Slow the rewards of a shipment's labels, or of those in one of its cases. Consumers are told nothing else.

    Raises `NoSuchFile`, `FileIsClosed`, `BadEntry` (an unknown effect, or no labels).
    """
    if effect not in Caution.Effect.values or reason not in Caution.Reason.values:
        raise BadEntry(_("Choose what the caution does."))
    with transaction.atomic(durable=True):
        case = opened(case_id)
        parts = _labels(case, unit_id, at=at)
        if not parts or len(parts) > MOST_CAUTIONS:
            raise BadEntry(_("No labels of this shipment are known under that."))
        note_text = f"{case.number} {text}".strip()[:300]
        made = [
            caution(first=first, end=end, effect=effect, reason=reason, note=note_text, at=at, by=by)
            for first, end in parts
        ]
        labels = sum(end - first for first, end in parts)
        ids = [one.public_id for one in made]
        log(case, _KIND.CAUTION, at=at, by=by, text=text, effect=effect, cautions=ids, labels=labels, unit=unit_id)
    return made


def lift_cautions(case_id: int, *, outcome: str, at: datetime, by: str, text: str = "") -> int:
    """Lift all cautions of a file that are open: what they hold is paid out (released) or taken back (refused).

    Returns how many. Raises `NoSuchFile`, `BadEntry`. May be repeated where it was cut off.
    """
    if outcome not in Caution.Outcome.values:
        raise BadEntry(_("Say what becomes of the rewards that are held."))
    case = Case.objects.filter(pk=case_id).first()
    if case is None:
        raise NoSuchFile
    waiting = list(cautions_of(case).filter(lifted_at=None).values_list("public_id", flat=True))
    for public_id in waiting:
        lift_caution(public_id, outcome=outcome, at=at, by=by)
    if waiting:
        with transaction.atomic(durable=True):
            log(locked(case_id), _KIND.LIFTED, at=at, by=by, text=text, outcome=outcome, cautions=waiting)
    return len(waiting)


def cautions_of(case: Case) -> Any:
    """Return the cautions that were opened from a file."""
    logged = case.entries.filter(kind=_KIND.CAUTION).values_list("data__cautions", flat=True)
    return Caution.objects.filter(public_id__in=[one for ids in logged for one in ids]).order_by("pk")


def _labels(case: Case, unit_id: int | None, *, at: datetime) -> list[tuple[int, int]]:
    moved = Movement.objects.filter(document=case.shipment_id).values_list("label_range", flat=True)
    shipped = merged([(part.lower, part.upper) for part in moved])
    if unit_id is None:
        return shipped
    inside = merged(contents([unit_id], at)[unit_id][0])
    return [
        (max(first, low), min(end, high))
        for first, end in inside
        for low, high in shipped
        if first < high and low < end
    ]


# --- below -------------------------------------------------------------------------------------------------------------


def _move(case: Case, to: str, *, at: datetime, by: str, text: str = "") -> None:
    log(case, _KIND.MOVED, at=at, by=by, text=text, before=case.state, after=to)
    case.state, case.moved_at = Case.State(to), at
    case.save(update_fields=["state", "moved_at"])


def _put_in_charge(case: Case, user: User | None, *, at: datetime, by: str) -> None:
    case.assignee = user
    case.save(update_fields=["assignee"])
    log(case, _KIND.ASSIGNED, at=at, by=by, assignee=user.username if user else "")


def _set_due(case: Case, due_on: date | None, *, at: datetime, by: str) -> None:
    case.due_on = due_on
    case.save(update_fields=["due_on"])
    log(case, _KIND.DUE, at=at, by=by, due_on=due_on.isoformat() if due_on else "")
