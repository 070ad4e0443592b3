"""What may explain a finding without any diversion, as papers tell it: goods that moved on, territories that changed."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from django.db import connection
from django.db.models import Q

from analytics.models import Finding
from channel.models import Document, Territory
from labels.queries import local_date

NEAR = timedelta(days=30)
LATE = timedelta(days=1)
"""A document that was recorded so much later than it happened may have been missing when a scan was judged."""
_EXPLAINS = (Document.Kind.TRANSFER, Document.Kind.RETURN, Document.Kind.INSPECTION, Document.Kind.CANCEL)
_KINDS = Document.Kind
_TRAIL = """
SELECT DISTINCT n.document_id FROM channel_movement m
  JOIN channel_movement n ON n.label_range && m.label_range
 WHERE m.document_id = %s
"""


@dataclass(frozen=True)
class Papers:
    """The documents that touched a shipment's labels, oldest first, and what of them may explain where these surfaced."""

    trail: list[Document]
    moved: list[Document] = field(default_factory=list)
    late: list[Document] = field(default_factory=list)
    territories: list[Territory] = field(default_factory=list)

    @property
    def silent(self) -> bool:
        """Whether nothing on paper explains anything."""
        return not (self.moved or self.late or self.territories)


def trail_of(shipment_id: int) -> list[Document]:
    """Return all documents that moved labels of a shipment, itself among them, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute(_TRAIL, [shipment_id])
        ids = [row[0] for row in cursor.fetchall()]
    rows = Document.objects.filter(pk__in=[*ids, shipment_id]).select_related(
        "issuer", "source", "destination", "refers"
    )
    return list(rows.order_by("happened_at", "pk"))


def is_late(document: Document) -> bool:
    """Return whether a document was recorded long after it happened."""
    return document.recorded_at - document.happened_at > LATE


def papers_of(shipment: Document, finding: Finding | None) -> Papers:
    """Return the papers of a shipment; what may explain its ``finding`` lies within `NEAR` of the scans that speak."""
    trail = trail_of(shipment.pk)
    if finding is None:
        return Papers(trail)
    since = (finding.first_scan_at or shipment.happened_at) - NEAR
    until = (finding.last_scan_at or finding.found_at) + NEAR
    near = [row for row in trail if since <= row.happened_at <= until or since <= row.recorded_at <= until]
    return Papers(
        trail=trail,
        moved=[row for row in near if row.kind in _EXPLAINS and row.pk != shipment.pk],
        late=[row for row in near if is_late(row) and row.kind not in {_KINDS.PACKING, _KINDS.UNPACKING}],
        territories=_changes(
            [one for one in (finding.distributor_id, finding.dest_id) if one is not None], since=since, until=until
        ),
    )


def _changes(partners: Sequence[int], *, since: datetime, until: datetime) -> list[Territory]:
    days = local_date(since), local_date(until)
    return list(
        Territory.objects.filter(partner__in=partners)
        .filter(Q(valid_from__range=days) | Q(valid_to__range=days))
        .select_related("partner", "region", "line")
        .order_by("valid_from", "pk")
    )
