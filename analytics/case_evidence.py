"""What comes into a file: photographs, checks in shops, questions to the partner and their answers.

Each verb locks the file first and writes a line of its log in the same transaction. ``by`` is a user name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID, uuid4

from django.conf import settings
from django.db import transaction
from django.utils.translation import gettext as _

from analytics import case_queries, photos, release
from analytics.case_desk import BadEntry, FileIsClosed, locked, log, needed, opened
from analytics.case_models import (
    Case,
    CaseAnswer,
    CaseEntry,
    CasePhoto,
    CaseQuestion,
    FieldCheck,
)
from analytics.photos import Photo, Spot
from brands.queries import brand_date
from channel.items import Item, read
from channel.queries import is_unit
from common.db import inside_transaction
from common.errors import Conflict, Invalid, NotFound
from labels import elements
from labels.queries import serials_of

MOST_PHOTOS = 200
MOST_OF_ONE_CHECK = 8
MOST_UPLOADS = 10
MOST_ANSWERS, MOST_OF_ONE_QUESTION = 20, 40
_STATE = Case.State
_KIND = CaseEntry.Kind


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


# --- what was seen -----------------------------------------------------------------------------------------------------


def add_photo(case_id: int, *, photo: Photo, at: datetime, by: str, spot: Spot | None = None) -> CasePhoto:
    """Add a photograph by itself. The same bytes again are the same photograph.

    Raises `NoSuchFile`, `FileIsClosed`, `BadEntry`.
    """
    with transaction.atomic(durable=True):
        case = opened(case_id)
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
    shop = needed(seen.shop, 120)
    if len(seen.photos) > MOST_OF_ONE_CHECK:
        raise BadEntry(_("A check has at most %(most)s photographs.") % {"most": MOST_OF_ONE_CHECK})
    with transaction.atomic(durable=True):
        case = locked(case_id)
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
        log(case, _KIND.FIELD_CHECK, at=at, by=by, text=shop, check=check.pk, label_no=label_no)
        for photo in seen.photos:
            _add_photo(case, photo, at=at, by=by, spot=spot, check=check)
    return check


def _said(check: FieldCheck) -> tuple[Any, ...]:
    hashes = sorted(bytes(one) for one in check.photos.values_list("sha256", flat=True))
    return (check.case_id, check.label, check.shop, check.invoice, check.price, check.note, hashes)


def _label_of(text: str) -> tuple[str, int | None]:
    """Return a label's serial and number; of what is no label of ours the text. Raises `BadEntry`, also for a secret code."""
    text = needed(text, 300)
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
        case, text = opened(case_id), needed(text, 2_000)
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
        log(case, _KIND.ASKED, at=at, by=by, text=question.text, **data)
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
    text, uuid = needed(text, 4_000), uuid or uuid4()
    with transaction.atomic(durable=True):
        found = CaseQuestion.objects.filter(pk=question_id).first()
        if found is None:
            raise NotFound(_("There is no such question."))
        case = locked(found.case_id)
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
        log(case, _KIND.ANSWERED, at=at, by=by, text=row.text[:2_000], **data)
    return row


@inside_transaction
def _add_photo(
    case: Case, photo: Photo, *, at: datetime, by: str, spot: Spot | None, check: FieldCheck | None = None
) -> CasePhoto:
    if CasePhoto.objects.filter(case=case).count() >= MOST_PHOTOS:
        raise BadEntry(_("There are enough photographs in this file."))
    row = photos.keep(case, photo, at=at, by=by, spot=spot, check=check)
    if check is None:
        log(case, _KIND.PHOTO, at=at, by=by, photo=row.public_id, sha256=photo.sha256.hex())
    return row
