"""The verbs of an investigation: each writes its row and a line of the file's log, in one transaction.

Each locks the file first, so that of two people who do the same at once the second meets what the first did. ``by`` is a
user name. Who may do what is asked at the door (`staff.permissions`, `case_queries.files_for`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _

from analytics import case_queries, photos, release
from analytics.case_models import (
    MOVES,
    Appeal,
    Case,
    CaseAnswer,
    CaseDecision,
    CaseEntry,
    CasePhoto,
    CaseQuestion,
    FieldCheck,
)
from analytics.models import Finding, ShipmentScore
from analytics.photos import Photo, Spot
from analytics.services import decide as give_verdict
from brands.queries import brand_date
from channel.chain import merged
from channel.items import Item, contents, read
from channel.models import Document, Movement
from channel.queries import is_unit
from common.db import inside_transaction
from common.errors import Conflict, Invalid, NotFound
from labels import elements
from labels.queries import serials_of
from redemption.models import Caution
from redemption.services import caution, lift_caution
from staff.models import User

MOST_PHOTOS = 200
MOST_OF_ONE_CHECK = 8
MOST_UPLOADS = 10
MOST_ANSWERS, MOST_OF_ONE_QUESTION = 20, 40
MOST_CAUTIONS = 500
_STATE = Case.State
_KIND = CaseEntry.Kind


class NoSuchFile(NotFound):
    """There is no such file."""

    code = "no_such_file"


class NoSuchMove(Conflict):
    """A file does not move like this."""

    code = "no_such_move"


class MovedMeanwhile(Conflict):
    """Somebody else was faster: look at the file as it stands now, then act."""

    code = "moved_meanwhile"


class NotHeard(Conflict):
    """The partner must be heard first: a question answered, or its last day over."""

    code = "not_heard"


class DeciderInvestigated(Conflict):
    """Whoever investigated a file does not decide about it."""

    code = "decider_investigated"


class FileIsClosed(Conflict):
    """The file is closed. An appeal opens it again."""

    code = "file_is_closed"


class BadEntry(Invalid):
    """Something is missing."""

    code = "bad_entry"


class CheckDiffers(Conflict):
    """The check was sent before, with other content. Begin a new check for what changed."""

    code = "check_differs"


class AnswerDiffers(Conflict):
    """The same answer was sent before, with other content. Load the page again, and send what you want to add."""

    code = "answer_differs"


class NotToBeReleased(Invalid):
    """Evidence of that kind is not shown to a partner."""

    code = "not_to_be_released"


class QuestionIsOver(Conflict):
    """The matter is decided or closed: no more answers are taken. A decision against you can be appealed."""

    code = "question_is_over"


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
            _log(case, _KIND.OPENED, at=at, by=by, text=text, **data)
            if assignee is not None:
                _put_in_charge(case, assignee, at=at, by=by)
            if due_on is not None:
                _set_due(case, due_on, at=at, by=by)
    return case


def assign(case_id: int, *, to: User | None, at: datetime, by: str) -> Case:
    """Put somebody in charge of a file, or nobody. Raises `NoSuchFile`, `FileIsClosed`."""
    with transaction.atomic(durable=True):
        case = _open(case_id)
        if case.assignee_id != (to.pk if to else None):
            _put_in_charge(case, to, at=at, by=by)
    return case


def set_due(case_id: int, *, due_on: date | None, at: datetime, by: str) -> Case:
    """Set the day by which the next step is due. Raises `NoSuchFile`, `FileIsClosed`."""
    with transaction.atomic(durable=True):
        case = _open(case_id)
        if case.due_on != due_on:
            _set_due(case, due_on, at=at, by=by)
    return case


def move(case_id: int, *, seen: str, to: str, at: datetime, by: str, text: str = "") -> Case:
    """Move a file that is in the state ``seen``: to be watched or checked in the field, or closed once decided.

    Decisions are `decide`, and what is decided or closed opens again by `appeal`. Raises `NoSuchFile`, `NoSuchMove`, and
    `MovedMeanwhile` if the file is in another state by now.
    """
    with transaction.atomic(durable=True):
        case = _locked(case_id)
        _as_seen(case, seen)
        over = case.state in {*Case.DECIDED, _STATE.CLOSED}
        if to in Case.DECIDED or to not in MOVES[case.state] or (over and to != _STATE.CLOSED):
            raise NoSuchMove
        _move(case, to, at=at, by=by, text=text)
    return case


def note(case_id: int, *, text: str, at: datetime, by: str) -> CaseEntry:
    """Write a note into the log of a file, whatever its state. Raises `NoSuchFile`, `BadEntry`."""
    with transaction.atomic(durable=True):
        return _log(_locked(case_id), _KIND.NOTE, at=at, by=by, text=_needed(text, 2_000))


# --- what was seen -----------------------------------------------------------------------------------------------------


def add_photo(case_id: int, *, photo: Photo, at: datetime, by: str, spot: Spot | None = None) -> CasePhoto:
    """Add a photograph by itself. The same bytes again are the same photograph.

    Raises `NoSuchFile`, `FileIsClosed`, `BadEntry`.
    """
    with transaction.atomic(durable=True):
        case = _open(case_id)
        known = CasePhoto.objects.filter(case=case, check_of=None, answer=None, sha256=photo.sha256).first()
        return known or _add_photo(case, photo, at=at, by=by, spot=spot)


@dataclass(frozen=True, slots=True)
class Seen:
    """What somebody found in a shop: the label as scanned or typed, the shop, what the paper and the price tag say."""

    label: str
    shop: str
    invoice: str = ""
    price: Decimal | None = None
    note: str = ""
    spot: Spot | None = None
    photos: tuple[Photo, ...] = ()


def field_check(case_id: int, *, uuid: UUID, seen: Seen, at: datetime, by: str) -> FieldCheck:
    """Keep a check made in a shop. It makes no scan: what the brand's own people look at is no sale.

    ``uuid`` is made on the telephone: the same check sent again is answered with the first one. Raises `NoSuchFile`,
    `FileIsClosed`, `BadEntry`, and `CheckDiffers` if something else is sent under the same uuid.
    """
    label, label_no = _label_of(seen.label)
    shop = _needed(seen.shop, 120)
    if len(seen.photos) > MOST_OF_ONE_CHECK:
        raise BadEntry(_("A check has at most %(most)s photographs.") % {"most": MOST_OF_ONE_CHECK})
    with transaction.atomic(durable=True):
        case = _locked(case_id)
        known = FieldCheck.objects.filter(uuid=uuid).first()
        if known is not None:
            said = (
                case.pk,
                label,
                shop,
                seen.invoice,
                seen.price,
                seen.note,
                sorted(one.sha256 for one in seen.photos),
            )
            if said != _said(known) or known.by != by:
                raise CheckDiffers
            return known
        if case.state == _STATE.CLOSED:
            raise FileIsClosed
        spot = seen.spot
        check = FieldCheck.objects.create(
            case=case,
            uuid=uuid,
            label=label,
            label_no=label_no,
            shop=shop,
            invoice=seen.invoice[:60],
            price=seen.price,
            note=seen.note[:1_000],
            done_at=at,
            by=by,
            **({"lat": spot.lat, "lon": spot.lon, "accuracy_m": spot.accuracy_m} if spot else {}),
        )
        _log(case, _KIND.FIELD_CHECK, at=at, by=by, text=shop, check=check.pk, label_no=label_no)
        for photo in seen.photos:
            _add_photo(case, photo, at=at, by=by, spot=spot, check=check)
    return check


def _said(check: FieldCheck) -> tuple[Any, ...]:
    hashes = sorted(bytes(one) for one in check.photos.values_list("sha256", flat=True))
    return (check.case_id, check.label, check.shop, check.invoice, check.price, check.note, hashes)


def _label_of(text: str) -> tuple[str, int | None]:
    """Return a label's serial and number; of what is no label of ours the text. Raises `BadEntry`, also for a secret code."""
    text = _needed(text, 300)
    [line] = read([Item(text)])
    if line.end == line.first + 1:
        return serials_of([line.first])[0], line.first
    if line.sscc and is_unit(line.sscc):  # 18 digits that are a case of ours may read like a hidden code by chance
        return text, None
    if any(one.kind == "secret" for one in elements.read(text).candidates):
        raise BadEntry(_("That may be a hidden code. Scan the QR code, or type the serial beside it."))
    return text, None


# --- the partner's word ------------------------------------------------------------------------------------------------


def ask(
    case_id: int,
    *,
    partner_id: int,
    text: str,
    released: Sequence[Any],
    at: datetime,
    by: str,
    answer_by: date | None = None,
) -> CaseQuestion:
    """Put a question to a partner, with evidence as they will see it (rows of `analytics.release`), frozen here.

    The same question sent again while it waits is one question. Raises `NoSuchFile`, `FileIsClosed`, `BadEntry`, `NotToBeReleased`.
    Without ``answer_by`` there are `PARTNER_ANSWER_DAYS` working days.
    """
    try:
        rows = release.checked(list(released))
    except release.NotReleasable as error:
        raise NotToBeReleased from error
    today = brand_date(at)
    last = answer_by or case_queries.working_day(today, settings.PARTNER_ANSWER_DAYS)
    if last <= today:
        raise BadEntry(_("The last day for an answer must be in the future."))
    with transaction.atomic(durable=True):
        case, text = _open(case_id), _needed(text, 2_000)
        same = case.questions.filter(partner_id=partner_id, text=text, released=rows, answered_at=None)
        known = same.filter(answer_by__gte=today).first()
        if known is not None:
            return known
        question = CaseQuestion.objects.create(
            case=case,
            partner_id=partner_id,
            text=text,
            released=rows,
            asked_at=at,
            asked_by=by,
            answer_by=last,
        )
        data = {"question": question.public_id, "partner": partner_id, "answer_by": last.isoformat()}
        _log(case, _KIND.ASKED, at=at, by=by, text=question.text, **data)
    return question


def answer(
    question_id: int,
    *,
    text: str,
    at: datetime,
    by: str,
    uploads: Sequence[Photo] = (),
    uuid: UUID | None = None,
) -> CaseAnswer:
    """Keep what a partner says to a question, with what they sent; ``uuid`` made by the sender, who may send it twice.

    An answer that comes after the last day is kept too, until the file is decided. Raises `NotFound`, `QuestionIsOver`,
    `BadEntry`, and `AnswerDiffers` if something else is sent under the same uuid.
    """
    if len(uploads) > MOST_UPLOADS:
        raise BadEntry(_("Send at most %(most)s files with an answer.") % {"most": MOST_UPLOADS})
    text, uuid = _needed(text, 4_000), uuid or uuid4()
    with transaction.atomic(durable=True):
        found = CaseQuestion.objects.filter(pk=question_id).first()
        if found is None:
            raise NotFound(_("There is no such question."))
        case = _locked(found.case_id)
        known = CaseAnswer.objects.filter(uuid=uuid).first()
        if known is not None:
            hashes = sorted(bytes(one) for one in known.uploads.values_list("sha256", flat=True))
            if (known.question_id, known.text, hashes) != (question_id, text, sorted(one.sha256 for one in uploads)):
                raise AnswerDiffers
            return known
        question = CaseQuestion.objects.select_for_update(no_key=True).get(pk=question_id)
        if case.state in {*Case.DECIDED, _STATE.CLOSED}:
            raise QuestionIsOver
        kept = CasePhoto.objects.filter(answer__question=question).count()
        if question.answers.count() >= MOST_ANSWERS or kept + len(uploads) > MOST_OF_ONE_QUESTION:
            raise BadEntry(_("There are enough answers to this question. Speak to the brand."))
        row = CaseAnswer.objects.create(uuid=uuid, question=question, text=text, at=at, by=by)
        if question.answered_at is None:
            question.answered_at = at
            question.save(update_fields=["answered_at"])
        for one in uploads:
            photos.keep(case, one, at=at, by=by, answer=row)
        data = {"question": question.public_id, "answer": row.pk, "uploads": len(uploads), "late": row.late}
        _log(case, _KIND.ANSWERED, at=at, by=by, text=row.text[:2_000], **data)
    return row


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
        case = _locked(case_id)
        _as_seen(case, seen)
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
            reason=_needed(reason, 2_000),
            penalty=penalty.strip()[:1_000],
            told=told.replace("\x00", "").strip()[:2_000],
            heard=heard,
            investigators=busy,
            at=at,
            decided_by=by,
        )
        _log(case, _KIND.DECIDED, at=at, by=by, text=row.reason, decision=decision)
        _move(case, decision, at=at, by=by)
    return row


def appeal(case_id: int, *, text: str, at: datetime, by: str, partner_id: int | None = None) -> Appeal:
    """Keep an objection to the last decision, and open the file again. ``partner_id`` if the partner makes it themselves.

    Raises `NoSuchFile`, `NoSuchMove` (nothing is decided, or the file is open again), `BadEntry`, `Conflict`.
    """
    with transaction.atomic(durable=True):
        case = _locked(case_id)
        last = case.decisions.order_by("-pk").first()
        if last is None or case.state not in {*Case.DECIDED, _STATE.CLOSED}:
            raise NoSuchMove(_("There is no decision that could be appealed."))
        if Case.objects.filter(shipment_id=case.shipment_id).exclude(state=_STATE.CLOSED).exclude(pk=case.pk).exists():
            raise Conflict(_("Another file about this shipment is open: continue there."))
        row = Appeal.objects.create(decision=last, text=_needed(text, 4_000), partner_id=partner_id, at=at, by=by)
        _log(case, _KIND.APPEALED, at=at, by=by, text=row.text[:2_000])
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
        case = _open(case_id)
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
        _log(case, _KIND.CAUTION, at=at, by=by, text=text, effect=effect, cautions=ids, labels=labels, unit=unit_id)
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
            _log(_locked(case_id), _KIND.LIFTED, at=at, by=by, text=text, outcome=outcome, cautions=waiting)
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


def _locked(case_id: int) -> Case:
    case = Case.objects.select_for_update(no_key=True).filter(pk=case_id).first()
    if case is None:
        raise NoSuchFile
    return case


def _open(case_id: int) -> Case:
    case = _locked(case_id)
    if case.state == _STATE.CLOSED:
        raise FileIsClosed
    return case


def _as_seen(case: Case, seen: str) -> None:
    if case.state != seen:
        raise MovedMeanwhile(
            _("Somebody else was faster: the file is now “%(state)s”. Look at it again, then act.")
            % {"state": case.get_state_display()}
        )


def _needed(text: str, most: int) -> str:
    text = text.replace("\x00", "").strip()
    if not text:
        raise BadEntry
    if len(text) > most:
        raise BadEntry(_("Write at most %(most)s characters.") % {"most": most})
    return text


@inside_transaction
def _log(case: Case, kind: str, *, at: datetime, by: str, text: str = "", **data: Any) -> CaseEntry:
    return CaseEntry.objects.create(
        case=case, at=at, by=by, kind=kind, text=text.replace("\x00", "")[:2_000], data=data
    )


def _move(case: Case, to: str, *, at: datetime, by: str, text: str = "") -> None:
    _log(case, _KIND.MOVED, at=at, by=by, text=text, before=case.state, after=to)
    case.state, case.moved_at = Case.State(to), at
    case.save(update_fields=["state", "moved_at"])


def _put_in_charge(case: Case, user: User | None, *, at: datetime, by: str) -> None:
    case.assignee = user
    case.save(update_fields=["assignee"])
    _log(case, _KIND.ASSIGNED, at=at, by=by, assignee=user.username if user else "")


def _set_due(case: Case, due_on: date | None, *, at: datetime, by: str) -> None:
    case.due_on = due_on
    case.save(update_fields=["due_on"])
    _log(case, _KIND.DUE, at=at, by=by, due_on=due_on.isoformat() if due_on else "")


@inside_transaction
def _add_photo(
    case: Case, photo: Photo, *, at: datetime, by: str, spot: Spot | None, check: FieldCheck | None = None
) -> CasePhoto:
    if CasePhoto.objects.filter(case=case).count() >= MOST_PHOTOS:
        raise BadEntry(_("There are enough photographs in this file."))
    row = photos.keep(case, photo, at=at, by=by, spot=spot, check=check)
    if check is None:
        _log(case, _KIND.PHOTO, at=at, by=by, photo=row.public_id, sha256=photo.sha256.hex())
    return row
