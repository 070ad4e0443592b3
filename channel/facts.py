"""What `labels` knows of labels, as facts to be told: printed, put on sale, void, blocked, and what was taken back.

Sources as in `settings.EVENT_SOURCES`. Labels of the test series are never told.
"""

from collections.abc import Callable
from datetime import timedelta

from django.db import connection

from channel.telling import Fact, Source

IDS, MICROS = 1_000, timedelta(minutes=10) // timedelta(microseconds=1)
"""How far back is asked again: rows that were begun earlier and committed later."""

# Each query: key, number of the row, kind, at, first, end, taken back at. Rolls tell what was printed, where there are any.
_PRINTED = """
SELECT (extract(epoch FROM at) * 1000000)::bigint AS key, origin, 'printed', at, lower(part), upper(part), NULL::timestamptz
FROM (
    SELECT 'roll:' || r.id AS origin, r.received_at AS at, r.label_range AS part, r.batch_id FROM labels_roll r
    WHERE r.state = 'received'
    UNION ALL
    SELECT 'batch:' || b.id, b.generated_at, b.label_range, b.id FROM labels_batch b
    WHERE b.generated_at IS NOT NULL AND b.roll_labels IS NULL
) printed
JOIN labels_batch own ON own.id = printed.batch_id
JOIN labels_slot s ON s.id = own.secret_slot_id AND s.number <> 0
WHERE (extract(epoch FROM at) * 1000000)::bigint > %(after)s ORDER BY 1, 2 LIMIT %(limit)s
"""
_ACTIVATED = """
SELECT a.id, 'activation:' || a.id, 'activated', a.activated_at, lower(a.label_range), upper(a.label_range), NULL::timestamptz
FROM labels_activation a JOIN labels_batch b ON b.id = a.batch_id
JOIN labels_slot s ON s.id = b.secret_slot_id AND s.number <> 0
WHERE a.id > %(after)s ORDER BY 1 LIMIT %(limit)s
"""
_NOT_ACTIVATED = """
SELECT (extract(epoch FROM a.cancelled_at) * 1000000)::bigint, 'activation:' || a.id || ':cancelled', 'activated',
       a.activated_at, lower(a.label_range), upper(a.label_range), a.cancelled_at
FROM labels_activation a JOIN labels_batch b ON b.id = a.batch_id
JOIN labels_slot s ON s.id = b.secret_slot_id AND s.number <> 0
WHERE a.cancelled_at IS NOT NULL AND (extract(epoch FROM a.cancelled_at) * 1000000)::bigint > %(after)s
ORDER BY 1, 2 LIMIT %(limit)s
"""
# What a document of goods blocked is told by the document.
_BLOCKED = """
SELECT k.id, 'block:' || k.id,
       CASE WHEN k.reason IN ('destroyed', 'stolen', 'spoiled') THEN k.reason WHEN k.reason = 'recalled' THEN 'recall'
            WHEN k.reason IN ('duplicate_print', 'unaccounted', 'canary', 'sample') THEN 'void' ELSE 'withheld' END,
       k.opened_at, lower(k.label_range), upper(k.label_range), NULL::timestamptz
FROM labels_block k JOIN labels_batch b ON b.id = k.batch_id
JOIN labels_slot s ON s.id = b.secret_slot_id AND s.number <> 0
WHERE k.id > %(after)s AND NOT EXISTS (SELECT FROM channel_document_blocks d WHERE d.block_id = k.id)
ORDER BY 1 LIMIT %(limit)s
"""
_LIFTED = """
SELECT (extract(epoch FROM k.lifted_at) * 1000000)::bigint, 'block:' || k.id || ':lifted',
       CASE WHEN k.reason = 'recalled' THEN 'recall' ELSE 'withheld' END,
       k.opened_at, lower(k.label_range), upper(k.label_range), k.lifted_at
FROM labels_block k JOIN labels_batch b ON b.id = k.batch_id
JOIN labels_slot s ON s.id = b.secret_slot_id AND s.number <> 0
WHERE k.lifted_at IS NOT NULL AND (extract(epoch FROM k.lifted_at) * 1000000)::bigint > %(after)s
  AND NOT EXISTS (SELECT FROM channel_document_blocks d WHERE d.block_id = k.id)
ORDER BY 1, 2 LIMIT %(limit)s
"""


def _asked(query: str) -> Callable[[int, int], list[Fact]]:
    def facts(after: int, limit: int) -> list[Fact]:
        with connection.cursor() as cursor:
            cursor.execute(query, {"after": after, "limit": limit})
            return [
                Fact(key, origin, kind, at, ((first, end),), wrong_at=wrong_at)
                for key, origin, kind, at, first, end, wrong_at in cursor.fetchall()
            ]

    return facts


PRINTED = Source("printed", MICROS, _asked(_PRINTED))
ACTIVATED = Source("activated", IDS, _asked(_ACTIVATED))
NOT_ACTIVATED = Source("not activated", MICROS, _asked(_NOT_ACTIVATED))
BLOCKED = Source("blocked", IDS, _asked(_BLOCKED))
LIFTED = Source("lifted", MICROS, _asked(_LIFTED))
