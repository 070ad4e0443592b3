"""Labels that were plainly copied, leaked or stolen: seen at the first scan, without any statistics."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db import connection

from analytics.models import CodeFinding
from redemption.models import OUTCOMES
from redemption.rules import Outcome

# A label is missed only if goods of its product are on paper at all.
_PLAIN = """
SELECT DISTINCT ON (s.label_no) s.label_no, s.id,
       CASE WHEN s.outcome = %(withdrawn)s THEN 'void'
            WHEN custody.first IS NULL THEN 'never_shipped' ELSE 'early' END
  FROM redemption_scan s
  LEFT JOIN redemption_scanroute r ON r.scan_id = s.id
  LEFT JOIN analytics_inspector v ON v.asker = s.asker
  LEFT JOIN LATERAL (
       SELECT min(lower(c.during)) AS first FROM channel_custody c WHERE c.label_range @> s.label_no) custody ON true
 WHERE s.id = ANY (%(ids)s) AND s.label_no IS NOT NULL AND v.asker IS NULL
   AND (s.outcome = %(withdrawn)s
        OR r.scan_id IS NULL AND custody.first > s.at
        OR r.scan_id IS NULL AND custody.first IS NULL AND s.product_id = ANY (%(tracked)s))
 ORDER BY s.label_no, s.id
"""


def note_codes(scan_ids: Collection[int], *, tracked: Collection[int], at: datetime) -> int:
    """Write down the labels among these scans that no honest buyer can have met; return how many are new.

    Void; never shipped, though other goods of the product are; or shipped only later. Not for those who scan for the
    brand. ``tracked``: the products of which goods are on paper. What is written already is not written again.
    """
    values: dict[str, Any] = {
        "ids": list(scan_ids),
        "tracked": list(tracked),
        "withdrawn": OUTCOMES.index(Outcome.WITHDRAWN),
    }
    with connection.cursor() as cursor:
        cursor.execute(_PLAIN, values)
        rows = cursor.fetchall()
    labels = [row[0] for row in rows]
    known = set(CodeFinding.objects.filter(run=None, label_no__in=labels).values_list("label_no", "kind"))
    fresh = [
        CodeFinding(label_no=label_no, kind=kind, scan_id=scan_id, found_at=at)
        for label_no, scan_id, kind in rows
        if (label_no, kind) not in known
    ]
    return len(CodeFinding.objects.bulk_create(fresh, ignore_conflicts=True))
