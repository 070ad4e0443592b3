"""The right of reply, as a partner sees it: questions about its goods, the evidence released with them, its answers.

Of a file nothing is read here but its questions to this partner, what was frozen with each (checked once more against
`analytics.release`), the partner's own answers, the verdict, and what was written for the partner about it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from django.db.models import QuerySet
from django.utils.translation import get_language, gettext as _, pgettext

from analytics import case_evidence, casework, photos, release, replies as files
from analytics.models import Appeal, CaseAnswer, CasePhoto, CaseQuestion
from analytics.photos import Photo
from analytics.replies import Asked
from brands.queries import brand_date
from channel.models import Document, Partner
from common.errors import NotFound
from common.templatetags.show import day
from portal.questions import Question
from portal.stock import documents
from portal.told import shown

HOME = "/portal/questions"


class NoSuchQuestion(NotFound):
    """There is no such question to you."""

    code = "no_such_question"


@dataclass(frozen=True, slots=True)
class Answered:
    """An answer of the partner's own. ``late``: given after the last day."""

    row: CaseAnswer
    late: bool
    uploads: Sequence[CasePhoto]


@dataclass(frozen=True, slots=True)
class Told:
    """A question with all that its partner may see. ``verdict`` is empty until it is decided."""

    asked: Asked
    title: str
    evidence: dict[str, list[dict[str, Any]]]
    answers: list[Answered]
    verdict: str
    told: str
    decided_on: date | None
    appeal: Appeal | None
    may_appeal: bool

    @property
    def question(self) -> CaseQuestion:
        """The question itself."""
        return self.asked.question


def waiting(partner_id: int, at: datetime) -> list[Question]:
    """Return the questions that wait for a partner's answer (`settings.PARTNER_QUESTIONS`), the most urgent first."""
    found = files.questions_to(partner_id).filter(answered_at=None).order_by("answer_by", "pk")
    standing = [files.asked(one, at=at) for one in found]
    return [
        Question(
            title=title_of(one.question),
            asked_on=brand_date(one.question.asked_at),
            answer_by=one.question.answer_by,
            url=f"{HOME}/{one.question.public_id}",
            days_left=one.days_left,
        )
        for one in standing
        if one.waits
    ]


def all_of(partner: Partner) -> QuerySet[CaseQuestion, CaseQuestion]:
    """Return the questions to a partner."""
    return files.questions_to(partner.pk)


def title_of(question: CaseQuestion) -> str:
    """Return what a question is about: a shipment to the partner, by its day."""
    shipment = Document.objects.filter(pk=question.case.shipment_id, destination_id=question.partner_id).first()
    if shipment is None:
        return _("About goods of yours")
    return _("About the shipment of {day}").format(day=day(shipment.happened_at))


def question_to(partner: Partner, public_id: str) -> CaseQuestion:
    """Return a question to this partner. Raises `NoSuchQuestion`."""
    found = all_of(partner).filter(public_id=public_id).first() if "\x00" not in public_id else None
    if found is None:
        raise NoSuchQuestion
    return found


def told(partner: Partner, question: CaseQuestion, *, at: datetime) -> Told:
    """Return a question with its evidence and answers, and the decision as the partner is told of it."""
    asked = files.asked(question, at=at)
    answers = question.answers.prefetch_related("uploads").order_by("pk")
    decision = asked.decision if asked.state == "decided" else None
    last = asked.decision
    appeal = Appeal.objects.filter(decision=last, partner_id=partner.pk).first() if last else None
    return Told(
        asked=asked,
        title=title_of(question),
        evidence=_evidence(partner, question.released),
        answers=[Answered(one, late=one.late, uploads=list(one.uploads.all())) for one in answers],
        verdict=_verdict(decision.decision) if decision else _("The matter is closed.") if asked.over else "",
        told=decision.told if decision else "",
        decided_on=brand_date(decision.at) if decision else None,
        appeal=appeal,
        may_appeal=decision is not None and decision.decision == "confirmed" and not hasattr(decision, "appeal"),
    )


def key_of(question: CaseQuestion, key: str) -> UUID:
    """Return the number under which an answer is kept, from the key that names it for its sender."""
    return uuid5(NAMESPACE_URL, f"{question.public_id}/{key}")


def answer(
    question: CaseQuestion, *, key: str, text: str, at: datetime, by: str, uploads: Sequence[Photo] = ()
) -> CaseAnswer:
    """Keep an answer under its key, once. Raises what `analytics.case_evidence.answer` raises."""
    return case_evidence.answer(question.pk, uuid=key_of(question, key), text=text, at=at, by=by, uploads=uploads)


def appeal(partner: Partner, question: CaseQuestion, *, text: str, at: datetime, by: str) -> Appeal:
    """Object to the decision that followed a question: the file opens again. Raises what `analytics.casework.appeal` does."""
    return casework.appeal(question.case_id, text=text, at=at, by=by, partner_id=partner.pk)


def picture(partner: Partner, question: CaseQuestion, public_id: str) -> tuple[bytes, str]:
    """Return the bytes and media type of a picture that was released with a question, or that its partner sent.

    Of the brand's own pictures nothing leaves but the picture itself. Raises `NotFound`.
    """
    own = CasePhoto.objects.filter(public_id=public_id, answer__question=question).first()
    if own is not None:
        return photos.bytes_of(own), own.media_type
    released = {row["id"] for row in _evidence(partner, question.released)["picture"]}
    found = CasePhoto.objects.filter(public_id=public_id, case=question.case_id, answer=None).first()
    if found is None or public_id not in released:
        raise NotFound(_("There is no such picture."))
    return files.picture_shown(found), "image/jpeg"


def _evidence(partner: Partner, rows: Any) -> dict[str, list[dict[str, Any]]]:
    """Return released rows by kind, for people: days as dates, names in the reader's language, cases in groups."""
    found: dict[str, list[dict[str, Any]]] = {kind: [] for kind in release.FIELDS}
    for row in release.checked(rows):
        found[row["kind"]].append(_read(row))
    open_ones = [one["id"] for one in found["paper"]]
    mine = set(documents(partner).filter(public_id__in=open_ones).values_list("public_id", flat=True))
    for one in found["paper"]:
        one["opens"] = one["id"] in mine
    return found


def _read(row: release.Row) -> dict[str, Any]:
    zh = (get_language() or "").startswith("zh")
    values: dict[str, Any] = dict(row)
    for name in ("first_on", "last_on", "on"):
        if name in values:
            values[name] = date.fromisoformat(values[name])
    for name in ("city", "product"):
        if name in values:
            values[name] = (values[f"{name}_zh"] if zh else values[name]) or values[name]
    if "sscc" in values:
        values["shown"] = shown(values["sscc"])
    if "paper" in values:
        values["word"] = paper_word(values["paper"], values["way"])
    return values


def paper_word(kind: str, way: str) -> str:
    """Return what a document is called."""
    return {
        "shipment": _("Shipment to you") if way == "to_you" else _("Shipment from you"),
        "receipt": pgettext("goods", "Receipt"),
        "transfer": _("Transfer to you") if way == "to_you" else _("Transfer from you"),
        "return": _("Return to you") if way == "to_you" else _("Return from you"),
        "inspection": _("Inspection"),
        "cancel": _("Cancellation"),
    }[kind]


def _verdict(decision: str) -> str:
    return {
        "confirmed": _("The brand holds that goods of this shipment were sold outside your territory."),
        "rejected": _("The brand found nothing to hold against you."),
        "explained": _("The brand accepts the explanation."),
    }[decision]
