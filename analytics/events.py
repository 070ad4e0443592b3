"""Checks in shops as facts of EPCIS (`settings.EVENT_SOURCES`): told once the file is decided, so that none is given away.

An event holds the label and the moment: no shop, no place, no person.
"""

from django.db import connection

from channel.telling import Fact, Source

ROOM = 10_000
"""Checks of one decision, at most: a key is the number of the decision times this, and the place of the check."""

_INSPECTED = """
SELECT key, id, label_no, done_at FROM (
    SELECT d.id * %(room)s + row_number() OVER (PARTITION BY d.id ORDER BY c.id) AS key, c.id, c.label_no, c.done_at
    FROM analytics_casedecision d JOIN analytics_fieldcheck c ON c.case_id = d.case_id
    WHERE c.label_no IS NOT NULL AND d.id >= %(after)s / %(room)s
) checked WHERE key > %(after)s ORDER BY key LIMIT %(limit)s
"""


def _inspected(after: int, limit: int) -> list[Fact]:
    with connection.cursor() as cursor:
        cursor.execute(_INSPECTED, {"after": after, "limit": limit, "room": ROOM})
        return [
            Fact(key, f"field check:{number}", "field_inspection", at, ((label_no, label_no + 1),))
            for key, number, label_no, at in cursor.fetchall()
        ]


INSPECTED = Source("inspected", 100 * ROOM, _inspected)
