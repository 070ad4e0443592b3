"""Redemptions as facts of EPCIS (`settings.EVENT_SOURCES`): a label was sold. Nothing of who asked goes along.

An event holds the label, the moment, and the region that the best source told: no person, no point, no device.
"""

from django.db import connection

from channel.telling import Fact, Source
from redemption.models import OUTCOMES
from redemption.rules import Outcome

IDS = 5_000
"""Scans that may be committed after one with a higher number."""

_SOLD = """
SELECT s.id, s.label_no, s.at, coalesce(p.region, '')
FROM redemption_scan s
JOIN labels_batch b ON b.label_range @> s.label_no
JOIN labels_slot t ON t.id = b.secret_slot_id AND t.number <> 0
LEFT JOIN LATERAL (
    SELECT q.region FROM redemption_scanplace q WHERE q.scan_id = s.id AND q.region <> ''
    ORDER BY CASE q.source WHEN 'gps' THEN 0 WHEN 'ip' THEN 1 ELSE 2 END LIMIT 1
) p ON true
WHERE s.id > %(after)s AND s.outcome = %(redeemed)s ORDER BY s.id LIMIT %(limit)s
"""


def _sold(after: int, limit: int) -> list[Fact]:
    with connection.cursor() as cursor:
        cursor.execute(_SOLD, {"after": after, "limit": limit, "redeemed": OUTCOMES.index(Outcome.REDEEMED)})
        return [
            Fact(scan_id, f"redemption:{label_no}", "sold", at, ((label_no, label_no + 1),), place=region)
            for scan_id, label_no, at, region in cursor.fetchall()
        ]


SOLD = Source("sold", IDS, _sold)
