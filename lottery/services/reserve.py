"""The second chance: which units of an instant game nobody has, so that a draw may give each of them exactly once.

A unit of a tier is with somebody, or it is in the reserve: won by a label that was never redeemed, is void or plays for
points only, or given up by its winner. With somebody are: plays that won and were not lost, and what earlier second-chance
draws gave away or are about to. So ``quantity = held + available`` for each tier at every moment.
"""

from django.db import connection

from common.db import inside_transaction
from lottery.models import Draw

_HELD = """
    WITH lost AS (SELECT id FROM lottery_claim WHERE campaign_id = %(campaign)s
                     AND state IN ('refused', 'expired', 'disqualified')),
         earlier AS (SELECT id, state, prizes FROM lottery_draw
                      WHERE campaign_id = %(campaign)s AND id <> %(draw)s AND root IS NOT NULL)
    SELECT t.tier, t.quantity,
           (SELECT count(*) FROM lottery_play p LEFT JOIN lottery_claim c ON c.play_id = p.id
             WHERE p.campaign_id = %(campaign)s AND p.outcome = 1 AND p.tier_id = t.id
               AND NOT EXISTS (SELECT FROM lost WHERE lost.id = c.id)),
           (SELECT count(*) FROM lottery_claim c JOIN lottery_pick k ON k.id = c.pick_id
              JOIN earlier d ON d.id = k.draw_id AND d.state = 'published'
             WHERE k.tier = t.tier AND NOT EXISTS (SELECT FROM lost WHERE lost.id = c.id)),
           (SELECT coalesce(sum((prize ->> 1)::bigint), 0)::bigint FROM earlier d, jsonb_array_elements(d.prizes) prize
             WHERE d.state <> 'published' AND (prize ->> 0)::int = t.tier)
      FROM lottery_prizetier t WHERE t.campaign_id = %(campaign)s AND t.use = 'instant' ORDER BY t.tier
"""


@inside_transaction
def available(draw: Draw) -> dict[int, int]:
    """Return the units of each tier that a second-chance draw may give. One statement: it sees one moment.

    The caller holds the game's lock alone, so that no play is in flight, and the game is over.
    """
    with connection.cursor() as cursor:
        cursor.execute(_HELD, {"campaign": draw.campaign_id, "draw": draw.pk})
        return {
            tier: max(0, quantity - won - drawn - listed) for tier, quantity, won, drawn, listed in cursor.fetchall()
        }
