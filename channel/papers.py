"""Documents as they come in: named once, answered line by line, and answered the same for ever.

Lock: one document at a time per brand (`one_at_a_time`), before any row; then batches of labels by `open_blocks`.
"""

import hashlib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import OperationalError, connection, transaction
from django.utils.translation import gettext as _
from psycopg.errors import LockNotAvailable

from channel.items import Item
from channel.models import Document, Line, Partner
from common.canonical import canonical
from common.db import inside_transaction
from common.errors import Conflict, Invalid, NotFound

MOST_LINES = 5_000
SKEW = timedelta(minutes=5)
EARLIEST = datetime(2000, 1, 1, tzinfo=UTC)
_Outcome = Line.Outcome


class NumberUsed(Conflict):
    """Another document of this kind has that number already: this one says something else."""

    code = "number_used"


class InProgress(Conflict):
    """Another document is being worked on. Nothing was written: send the same again in a moment."""

    code = "in_progress"


class BadPaper(Invalid):
    """The document cannot be read."""

    code = "bad_document"


class UnknownPartner(NotFound):
    """There is no such partner."""

    code = "unknown_partner"


@dataclass(frozen=True, slots=True)
class Paper:
    """What every document says: its number among those of its kind and issuer (None: the brand), when, by whom, where.

    ``happened_at`` None: now, that is at ``at``. A clock that is a little fast does no harm.
    """

    number: str
    issuer: Partner | None
    happened_at: datetime | None
    at: datetime
    by: str = ""
    site: str = ""
    reason: str = ""

    @property
    def moment(self) -> datetime:
        """From when it counts."""
        return min(self.happened_at or self.at, self.at)


@dataclass(frozen=True, slots=True)
class LineAnswer:
    """What became of a line. ``held_by`` names another partner: for the brand alone."""

    place: int
    item: str
    outcome: str
    reason: str = ""
    labels: int = 0
    condition: str = ""
    held_by: int | None = None


@dataclass(frozen=True, slots=True)
class Answer:
    """A document and what became of its lines, in order; ``payload_hash``: SHA-256 of its content, hex."""

    document: Document
    lines: list[LineAnswer] = field(default_factory=list)

    @property
    def status(self) -> str:
        """ACCEPTED, PARTIALLY_ACCEPTED or REJECTED."""
        return self.document.status

    @property
    def payload_hash(self) -> str:
        """SHA-256 of the content, hex."""
        return bytes(self.document.content_hash).hex()


@contextmanager
def one_at_a_time() -> Iterator[None]:
    """Open the transaction of one document, after those of the same brand that came before. Raises `InProgress`."""
    try:
        with transaction.atomic(durable=True):
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_xact_lock(hashtextextended(current_schema() || '/channel', 0))")
            yield
    except OperationalError as error:
        if isinstance(error.__cause__, LockNotAvailable):
            raise InProgress from error
        raise


def check(paper: Paper, items: Sequence[Item]) -> None:
    """Refuse what is no document. Raises `BadPaper`."""
    if not paper.number.strip() or len(paper.number) > 80 or "\x00" in paper.number + paper.site + paper.reason:
        raise BadPaper(_("A document needs a number of at most 80 characters."))
    if len(items) > MOST_LINES:
        raise BadPaper(_("A document has at most {most} lines.").format(most=f"{MOST_LINES:,}"))
    if any(len(item.text) > 300 or not item.text.strip() or "\x00" in item.text for item in items):
        raise BadPaper(_("A line names one thing, in at most 300 characters."))
    if paper.happened_at and paper.happened_at > paper.at + SKEW:
        raise BadPaper(_("A document tells of what has happened, not of the future."))
    if paper.happened_at and paper.happened_at < EARLIEST:
        raise BadPaper(_("There were no such goods then: look at the year."))


def hash_of(paper: Paper, items: Sequence[Item], content: dict[str, Any]) -> bytes:
    """Return the SHA-256 of what a document says; who sent it, and from where, is not part of that."""
    told = {
        "happened_at": paper.happened_at.isoformat() if paper.happened_at else "",
        "reason": paper.reason,
        "items": [[item.text, item.condition] for item in items],
        **content,
    }
    return hashlib.sha256(canonical(told)).digest()


@inside_transaction
def answered_before(kind: str, paper: Paper, content_hash: bytes) -> Answer | None:
    """Return what the same document was answered. Raises `NumberUsed` for one that says something else."""
    before = Document.objects.filter(kind=kind, issuer=paper.issuer, number=paper.number).first()
    if before is None:
        return None
    if bytes(before.content_hash) != content_hash:
        raise NumberUsed
    return answer_of(before)


def answer_of(document: Document) -> Answer:
    """Return a document's answer, as it was given."""
    rows = document.lines.order_by("place").values_list(
        "place", "item", "outcome", "reason", "labels", "condition", "held_by"
    )
    return Answer(document, [LineAnswer(*row) for row in rows])


@inside_transaction
def keep(kind: str, paper: Paper, lines: Sequence[Line], *, content_hash: bytes, **facts: Any) -> Answer:
    """Write a document and its lines, in order."""
    counts = {outcome: sum(line.outcome == outcome for line in lines) for outcome in _Outcome}
    status = Document.Status.ACCEPTED if not counts[_Outcome.REJECTED] else Document.Status.PARTIALLY_ACCEPTED
    if lines and counts[_Outcome.REJECTED] == len(lines):
        status = Document.Status.REJECTED
    document = Document.objects.create(
        kind=kind,
        issuer=paper.issuer,
        number=paper.number,
        content_hash=content_hash,
        status=status,
        accepted=counts[_Outcome.ACCEPTED],
        duplicate=counts[_Outcome.DUPLICATE],
        rejected=counts[_Outcome.REJECTED],
        labels=sum(line.labels for line in lines if line.outcome == _Outcome.ACCEPTED),
        happened_at=paper.moment,
        recorded_at=paper.at,
        recorded_by=paper.by,
        site=paper.site,
        reason=paper.reason,
        **facts,
    )
    for line in lines:
        line.document = document
    Line.objects.bulk_create(lines, batch_size=1_000)
    return Answer(
        document,
        [
            LineAnswer(one.place, one.item, one.outcome, one.reason, one.labels, one.condition, one.held_by_id)
            for one in lines
        ],
    )
