"""Questions that the brand has put to a partner and that wait for an answer.

Who asks them is named by the setting ``PARTNER_QUESTIONS``, a function (partner id, moment) → list of `Question`; none is
asked while it is empty.
"""

from dataclasses import dataclass
from datetime import date, datetime

from django.conf import settings
from django.utils.module_loading import import_string


@dataclass(frozen=True, slots=True)
class Question:
    """One question: what it is about, since when, until when it is to be answered, and the page that does so.

    ``days_left``: working days from today to ``answer_by``, below zero once it is over.
    """

    title: str
    asked_on: date
    answer_by: date | None
    url: str
    days_left: int | None = None


def open_questions(partner_id: int, *, at: datetime) -> list[Question]:
    """Return what waits for a partner's answer."""
    if not settings.PARTNER_QUESTIONS:
        return []
    found: list[Question] = import_string(settings.PARTNER_QUESTIONS)(partner_id, at)
    return found
