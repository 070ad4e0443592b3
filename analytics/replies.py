"""The right of reply: which evidence of a file could be shown to its distributor, and what was shown, asked and answered."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, time
from io import BytesIO
from typing import Any
from zoneinfo import ZoneInfo

import PIL.Image
import PIL.ImageOps
from django.db import connection
from django.db.models import QuerySet
from django.utils.translation import gettext as _

from analytics import photos, release
from analytics.case_models import Case, CaseDecision, CasePhoto, CaseQuestion
from analytics.release import Paper, Picture, Row, Seen, Sighting
from brands.queries import brand_date
from channel.models import Document
from common.errors import Conflict, NotFound
from redemption.models import OUTCOMES
from redemption.rules import Outcome

MOST_CASES = 200
MOST_PAPERS = 100
SHOWN_PX = 1_600
SHOWN_TYPES = (CasePhoto.MediaType.JPEG, CasePhoto.MediaType.PNG, CasePhoto.MediaType.WEBP)
"""Pictures that can be drawn anew without what the camera wrote into them; of others nothing is shown."""
PAPERS = tuple(Document.Kind(kind) for kind in ("shipment", "receipt", "transfer", "return", "inspection", "cancel"))
_NOT_OF_A_LABEL = [OUTCOMES.index(one) for one in (Outcome.TYPO, Outcome.UNKNOWN, Outcome.TOO_MANY_TRIES)]

# Where a number was issued tells nothing of where a pack is; a province is no city.
_SIGHTINGS = """
WITH RECURSIVE home (code, id) AS (
    SELECT r.code, r.id FROM channel_region r
    WHERE r.code IN (SELECT unnest(market) FROM redemption_scanroute WHERE shipment_id = %(shipment)s)
    UNION
    SELECT r.code, r.id FROM channel_region r JOIN home ON r.parent_id = home.id
)
SELECT (s.at AT TIME ZONE %(zone)s)::date, p.region, p.city, p.city_zh, s.label_no, s.asker
FROM redemption_scanroute r
JOIN redemption_scan s ON s.id = r.scan_id
JOIN LATERAL (
    SELECT region, city, city_zh FROM redemption_scanplace
    WHERE scan_id = s.id AND source IN ('gps', 'ip') ORDER BY source = 'ip' LIMIT 1) p ON p.city <> ''
WHERE r.shipment_id = %(shipment)s AND s.at < %(until)s AND s.asker IS NOT NULL AND s.outcome <> ALL (%(refused)s)
  AND NOT EXISTS (SELECT FROM home h WHERE h.code = p.region)
  AND NOT EXISTS (SELECT FROM analytics_inspector v WHERE v.asker = s.asker)
  AND NOT EXISTS (SELECT FROM redemption_caution k WHERE k.label_range @> s.label_no AND k.lifted_at IS NULL
                  AND k.effect = 'stop_points' AND k.reason = 'clone')
"""
_CASES = """
SELECT u.sscc, coalesce(i.name, ''), coalesce(i.name_zh, ''), sum(upper(m.label_range) - lower(m.label_range)),
       EXISTS (SELECT FROM redemption_scanroute r WHERE r.shipment_id = %(shipment)s AND r.unit_id = u.id)
FROM channel_movement m
JOIN channel_unitrange n ON n.label_range && m.label_range AND n.opened_at <= m.happened_at
     AND (n.closed_at IS NULL OR n.closed_at > m.happened_at)
JOIN channel_unit u ON u.id = n.unit_id AND u.kind = 'case' LEFT JOIN labels_product i ON i.id = u.product_id
WHERE m.document_id = %(shipment)s
GROUP BY u.id, i.id ORDER BY 5 DESC, u.sscc LIMIT %(most)s
"""
_PAPERS = """
SELECT d.id FROM channel_document d
WHERE d.kind = ANY(%(kinds)s) AND d.status <> 'REJECTED'
  AND (d.source_id = %(partner)s OR d.destination_id = %(partner)s OR d.issuer_id = %(partner)s)
  AND (d.id = %(shipment)s OR d.refers_id = %(shipment)s OR EXISTS (
       SELECT FROM channel_movement m JOIN channel_movement o ON o.label_range && m.label_range
       WHERE m.document_id = %(shipment)s AND o.document_id = d.id))
ORDER BY d.happened_at, d.id LIMIT %(most)s
"""


class EvidenceChanged(Conflict):
    """What you looked at has changed meanwhile. Look at it as it is now, then send the question."""

    code = "evidence_changed"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A row that may be chosen. ``scanned``: a case of which consumers scanned packs, anywhere."""

    key: str
    value: Seen | release.Case | Paper | Picture
    scanned: bool = False


@dataclass(frozen=True, slots=True)
class Evidence:
    """All of a file that may be shown to its distributor. ``untold``: packs seen of which too few devices speak."""

    seen: tuple[Candidate, ...]
    cases: tuple[Candidate, ...]
    papers: tuple[Candidate, ...]
    pictures: tuple[Candidate, ...]
    untold: int

    def chosen(self, keys: Collection[str]) -> list[Row]:
        """Return the chosen candidates as rows. Raises `EvidenceChanged` where a key is none of them, or none any more."""
        parts = {"seen": self.seen, "cases": self.cases, "papers": self.papers, "pictures": self.pictures}
        if set(keys) - {one.key for part in parts.values() for one in part}:
            raise EvidenceChanged
        picked: dict[str, Any] = {name: [one.value for one in part if one.key in keys] for name, part in parts.items()}
        return release.rows_of(**picked)


def evidence_of(case: Case, *, at: datetime, zone: str) -> Evidence:
    """Return what of a file may be shown to its distributor, as of the end of yesterday in the brand's zone."""
    today = at.astimezone(ZoneInfo(zone)).date()
    values: dict[str, Any] = {
        "shipment": case.shipment_id,
        "partner": case.distributor_id,
        "zone": zone,
        "until": datetime.combine(today, time.min, ZoneInfo(zone)),
        "refused": _NOT_OF_A_LABEL,
        "kinds": [str(kind) for kind in PAPERS],
    }
    with connection.cursor() as cursor:
        cursor.execute(_SIGHTINGS, values)
        seen, untold = release.seen((Sighting(*row) for row in cursor.fetchall()), before=today)
        cursor.execute(_CASES, values | {"most": MOST_CASES})
        cases = cursor.fetchall()
        cursor.execute(_PAPERS, values | {"most": MOST_PAPERS})
        paper_ids = [row[0] for row in cursor.fetchall()]
    documents = Document.objects.filter(pk__in=paper_ids).order_by("happened_at", "pk")
    pictures = case.photos.filter(answer=None, media_type__in=SHOWN_TYPES, content__isnull=False).order_by("pk")
    return Evidence(
        seen=tuple(Candidate(f"seen:{one.key}", one) for one in seen),
        cases=tuple(
            Candidate(f"case:{sscc}", release.Case(sscc, name, name_zh, int(packs)), scanned)
            for sscc, name, name_zh, packs, scanned in cases
        ),
        papers=tuple(Candidate(f"paper:{one.public_id}", _paper(one, case.distributor_id, zone)) for one in documents),
        pictures=tuple(
            Candidate(
                f"picture:{one.public_id}",
                Picture(one.public_id, bytes(one.sha256).hex(), one.at.astimezone(ZoneInfo(zone)).date()),
            )
            for one in pictures
        ),
        untold=untold,
    )


def _paper(document: Document, partner_id: int, zone: str) -> Paper:
    """Describe a document as its partner knows it: a number is told of its own and of the brand's, none that a device made up."""
    numbered = document.issuer_id in {None, partner_id} and document.site != "portal"
    if partner_id not in {document.source_id, document.destination_id}:
        way = "yours"
    else:
        way = "to_you" if document.destination_id == partner_id else "from_you"
    return Paper(
        id=document.public_id,
        paper=document.kind,
        number=document.number if numbered else "",
        on=document.happened_at.astimezone(ZoneInfo(zone)).date(),
        packs=document.labels,
        way=way,
    )


def picture_shown(photo: CasePhoto) -> bytes:
    """Return a picture drawn anew as JPEG, at most `SHOWN_PX` wide or high: nothing that the camera wrote goes with it.

    Raises `NotFound` where it has been deleted, or is of a kind that cannot be drawn.
    """
    if photo.media_type not in SHOWN_TYPES:
        raise NotFound(_("This picture cannot be shown."))
    with PIL.Image.open(BytesIO(photos.bytes_of(photo)), formats=("JPEG", "MPO", "PNG", "WEBP")) as image:
        image.draft("RGB", (SHOWN_PX, SHOWN_PX))
        upright = PIL.ImageOps.exif_transpose(image).convert("RGB")
    upright.thumbnail((SHOWN_PX, SHOWN_PX))
    clean = PIL.Image.new("RGB", upright.size)
    clean.paste(upright)
    kept = BytesIO()
    clean.save(kept, "JPEG", quality=85)
    return kept.getvalue()


# --- what was asked ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as its partner sees it. ``state``: open, overdue, answered or decided; ``decision`` the last one after it."""

    question: CaseQuestion
    state: str
    days_left: int
    decision: CaseDecision | None

    @property
    def waits(self) -> bool:
        """Return whether the partner is waited for."""
        return self.state in {"open", "overdue"}

    @property
    def overdue(self) -> bool:
        """Return whether the last day has passed without an answer."""
        return self.state == "overdue"

    @property
    def over(self) -> bool:
        """Return whether the file is decided or closed, so that nothing more is taken."""
        return self.state == "decided"


def questions_to(partner_id: int) -> QuerySet[CaseQuestion, CaseQuestion]:
    """Return the questions to a partner, the newest first."""
    found = CaseQuestion.objects.filter(partner_id=partner_id).select_related("case")
    return found.order_by("-pk")


def asked(question: CaseQuestion, *, at: datetime) -> Asked:
    """Return a question as it stands now."""
    today = brand_date(at)
    decision = question.case.decisions.filter(at__gte=question.asked_at).order_by("-pk").first()
    decided = decision is not None and question.case.state in {*Case.DECIDED, Case.State.CLOSED}
    if decided or question.case.state == Case.State.CLOSED:
        state = "decided"
    elif question.answered_at is not None:
        state = "answered"
    else:
        state = "open" if today <= question.answer_by else "overdue"
    return Asked(question, state, release.working_days_left(today, question.answer_by), decision)


_NAMED = """
SELECT p.id = %(partner)s, found FROM channel_partner p, LATERAL (VALUES (p.number), (p.name), (p.name_zh)) AS t (found)
WHERE length(found) > 1 AND position(lower(found) IN lower(%(text)s)) > 0 ORDER BY 1 DESC, length(found) DESC
"""


def names_another(text: str, *, partner_id: int) -> str:
    """Return the name or number of another partner that a text for this one holds as a word, or ""."""
    text = text.replace("\x00", "")
    with connection.cursor() as cursor:
        cursor.execute(_NAMED, {"partner": partner_id, "text": text})
        rows = cursor.fetchall()
    for own, name in rows:
        word = re.compile(rf"(?<![A-Za-z0-9]){re.escape(name)}(?![A-Za-z0-9])", re.IGNORECASE)
        if own:
            text = word.sub(" ", text)
        elif word.search(text):
            return str(name)
    return ""
