"""Shapes of what a partner's page or program sends and gets."""

from datetime import date, datetime
from typing import Literal

from ninja import Schema
from pydantic import AwareDatetime, Field

from channel.items import Item
from portal.acts import NewDocument


class LineIn(Schema):
    """One line: an SSCC, a Digital Link, a GS1 element string, a serial, or two serials joined by ``..``."""

    text: str = Field(min_length=1, max_length=300)
    condition: Literal["", "full", "short", "over", "damaged"] = Field("", description="for receipts")


class DocumentIn(Schema):
    """A document: shipped out, received or given back."""

    act: Literal["ship", "receive", "return"]
    to: str = Field("", max_length=12, pattern=r"^[A-Za-z0-9]*$", description="a partner's number; empty: the brand")
    shipment: str = Field("", max_length=26, pattern=r"^[a-z0-9_]*$", description="of a receipt: the shipment")
    happened_at: AwareDatetime | None = Field(None, description="when it was done; default now")
    lines: list[LineIn] = Field(default_factory=list, max_length=5_000)

    def read(self) -> NewDocument:
        """Return the document that is meant."""
        return NewDocument(
            act=self.act,
            lines=tuple(Item(line.text, line.condition) for line in self.lines),
            to=self.to,
            shipment=self.shipment,
            happened_at=self.happened_at,
        )


class LineOut(Schema):
    """What became of a line. ``said`` is for people; ``labels``: how many labels it meant."""

    item: str
    outcome: Literal["ACCEPTED", "DUPLICATE", "REJECTED"]
    reason: str
    said: str
    kind: str
    labels: int
    product: str
    condition: str


class DocumentOut(Schema):
    """A document and the counts of its lines."""

    id: str
    kind: str
    number: str
    status: Literal["ACCEPTED", "PARTIALLY_ACCEPTED", "REJECTED"]
    accepted: int
    duplicate: int
    rejected: int
    labels: int
    happened_at: datetime
    lines: list[LineOut]


class ReleasedOut(Schema):
    """One piece of evidence that the brand shows; a kind has the fields that are not null.

    ``seen``: packs scanned in a city within whole days, by five devices or more; ``case``: a case by its SSCC; ``paper``: a
    document of your own; ``picture``: a photograph, to be looked at in the portal.
    """

    kind: Literal["seen", "case", "paper", "picture"]
    first_on: date | None = None
    last_on: date | None = None
    city: str | None = None
    packs: int | None = None
    sscc: str | None = None
    product: str | None = None
    id: str | None = None
    paper: str | None = None
    number: str | None = None
    way: Literal["to_you", "from_you", "yours"] | None = None
    sha256: str | None = None
    on: date | None = None


class AnswerIn(Schema):
    """An answer in words. Papers are sent at the portal."""

    text: str = Field(min_length=1, max_length=4_000)


class AnswerOut(Schema):
    """An answer of your own. ``late``: it came after the last day."""

    text: str
    at: datetime
    by: str
    late: bool
    files: int


class QuestionRowOut(Schema):
    """A question in a list. ``days_left``: working days to the last day, below zero once it has passed."""

    id: str
    about: str
    asked_at: datetime
    answer_by: date
    state: Literal["open", "overdue", "answered", "decided"]
    days_left: int


class QuestionsOut(Schema):
    data: list[QuestionRowOut]
    next_cursor: int | None
    has_more: bool


class QuestionOut(QuestionRowOut):
    """A question with the evidence released with it, your answers, and what was decided, in words for you."""

    text: str
    evidence: list[ReleasedOut]
    answers: list[AnswerOut]
    verdict: str
    told: str
