"""Where goods are and whose a place is, at any moment: what other floors ask.

A label without an answer of `custodies_at` has never left the brand. All forms take batches: one query each.
"""

from collections.abc import Callable, Collection, Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from django.db import connection
from django.db.models import Q

from channel.models import Document, Movement
from common.db import array, ask, moments
from labels.queries import local_date


class Held(NamedTuple):
    """Who held a label at a moment (``partner_id`` None: the brand again), in which state, and for which market.

    ``shipment_id`` is the `Document` that brought it there and ``shipped_at`` its moment; ``distributor_id`` the partner,
    or the nearest above it, that owned a territory at that moment, and ``market`` the codes of its regions then.
    """

    partner_id: int | None
    distributor_id: int | None
    market: tuple[str, ...]
    shipment_id: int | None
    shipped_at: datetime | None
    state: str
    since: datetime
    until: datetime | None


class Touched(NamedTuple):
    """Labels ``first`` … ``end − 1``, of which scans at or after ``since`` may have to be read anew."""

    first: int
    end: int
    since: datetime


_CUSTODIES = """
SELECT n.place, c.partner_id, c.distributor_id, c.market, c.shipment_id, c.shipped_at, c.state,
       lower(c.during), upper(c.during)
FROM unnest(%(label_nos)s::bigint[], %(moments)s::timestamptz[]) WITH ORDINALITY AS n (label_no, at, place)
JOIN channel_custody c ON c.label_range @> n.label_no AND c.during @> n.at
"""


def custodies_at(label_nos: Sequence[int], at: Sequence[datetime]) -> list[Held | None]:
    """Return for each label who held it at the moment beside it, in order; None: it had never left the brand."""
    if not label_nos:
        return []
    if len(label_nos) != len(at):
        raise ValueError("each label needs its moment")
    found: list[Held | None] = [None] * len(label_nos)
    for place, partner, distributor, market, *rest in ask(
        _CUSTODIES, {"label_nos": array(label_nos), "moments": moments(at)}
    )():
        found[place - 1] = Held(partner, distributor, tuple(market), *rest)
    return found


def custody_at(label_no: int, at: datetime) -> Held | None:
    """Return who held a label at a moment: `custodies_at` of one."""
    return custodies_at([label_no], [at])[0]


class Routed(NamedTuple):
    """How a label came to where it was sold: see `Held`. ``unit_id`` is the case in which it had been packed, if any."""

    shipment_id: int
    unit_id: int | None
    distributor_id: int | None
    market: tuple[str, ...]


_ROUTES = """
SELECT n.place, c.shipment_id, coalesce(p.parent_id, u.unit_id), c.distributor_id, c.market
FROM unnest(%s::bigint[], %s::timestamptz[]) WITH ORDINALITY AS n (label_no, at, place)
JOIN channel_custody c ON c.label_range @> n.label_no AND c.during @> n.at AND c.shipment_id IS NOT NULL
LEFT JOIN LATERAL (
    SELECT r.unit_id, k.kind FROM channel_unitrange r JOIN channel_unit k ON k.id = r.unit_id
    WHERE r.label_range @> n.label_no AND r.opened_at <= n.at ORDER BY r.opened_at DESC, r.id DESC LIMIT 1
) u ON true
LEFT JOIN LATERAL (
    SELECT q.parent_id FROM channel_unitparent q JOIN channel_unit k ON k.id = q.parent_id
    WHERE u.kind = 'inner' AND q.child_id = u.unit_id AND k.kind = 'case' AND q.opened_at <= n.at
    ORDER BY q.opened_at DESC, q.id DESC LIMIT 1
) p ON true
"""


def ask_routes(label_nos: Sequence[int], at: Sequence[datetime]) -> Callable[[], dict[int, Routed]]:
    """Ask how each label came to where it was at the moment beside it; answered by the places in the list.

    A label that had not been shipped by then, or was back with the brand, is left out.
    """
    rows = ask(_ROUTES, [array(label_nos), moments(at)])

    def answer() -> dict[int, Routed]:
        return {
            place - 1: Routed(shipment, unit, distributor, tuple(market))
            for place, shipment, unit, distributor, market in rows()
        }

    return answer


_OWNERS = """
WITH RECURSIVE asked AS (
    SELECT code, nullif(product_id, 0) AS product_id, day, place
    FROM unnest(%(codes)s::text[], %(products)s::bigint[], %(days)s::date[]) WITH ORDINALITY
         AS a (code, product_id, day, place)
), up (code, id, parent_id, height) AS (
    SELECT r.code, r.id, r.parent_id, 0 FROM channel_region r WHERE r.code IN (SELECT code FROM asked)
    UNION ALL
    SELECT up.code, p.id, p.parent_id, up.height + 1 FROM up JOIN channel_region p ON p.id = up.parent_id
), old AS (
    SELECT r.code, new.id, new.parent_id FROM channel_region r JOIN channel_region new ON new.id = r.replaced_by_id
    WHERE r.code IN (SELECT code FROM asked)
), width AS (
    SELECT productline_id AS line_id, count(*) AS products FROM channel_productline_products GROUP BY productline_id
), ranked AS (
    SELECT a.place, t.partner_id, t.id,
           rank() OVER (PARTITION BY a.place ORDER BY h.height, w.products NULLS LAST, t.valid_from DESC) AS rank
    FROM asked a
    JOIN (SELECT code, id, height FROM up UNION ALL SELECT code, id, 0 FROM old) h ON h.code = a.code
    JOIN channel_territory t ON t.region_id = h.id AND t.valid_from <= a.day
         AND (t.valid_to IS NULL OR a.day <= t.valid_to)
    LEFT JOIN width w ON w.line_id = t.line_id
    WHERE t.line_id IS NULL OR EXISTS (
        SELECT FROM channel_productline_products p WHERE p.productline_id = t.line_id AND p.product_id = a.product_id)
)
SELECT place, partner_id FROM ranked WHERE rank = 1 GROUP BY place, partner_id ORDER BY place, min(id)
"""


def owners_of(asked: Iterable[tuple[str, int | None, datetime]]) -> list[tuple[int, ...]]:
    """Return for each (region code, product or None, moment) the partners that own the place: none, one, or sharers.

    The most specific region wins, then the narrower product line, then the later start; days are the brand's. An
    abolished code is looked up at its own place in the tree, and where it went.
    """
    wanted = [(code, product or 0, local_date(at)) for code, product, at in asked]
    found: list[tuple[int, ...]] = [()] * len(wanted)
    if not wanted:
        return found
    codes, products, days = (list(column) for column in zip(*wanted, strict=True))
    with connection.cursor() as cursor:
        cursor.execute(_OWNERS, {"codes": codes, "products": products, "days": days})
        for place, partner_id in cursor.fetchall():
            found[place - 1] += (partner_id,)
    return found


def owner_of(region: str, product_id: int | None, at: datetime) -> int | None:
    """Return the partner that owned a region at a moment; of sharers, the one that was given it first."""
    owners = owners_of([(region, product_id, at)])[0]
    return owners[0] if owners else None


_MARKETS = """
WITH RECURSIVE asked AS (
    SELECT partner_id, nullif(product_id, 0) AS product_id, day, place
    FROM unnest(%(partners)s::bigint[], %(products)s::bigint[], %(days)s::date[]) WITH ORDINALITY
         AS a (partner_id, product_id, day, place)
), up (partner_id, id, parent_id, height) AS (
    SELECT p.id, p.id, p.parent_id, 0 FROM channel_partner p WHERE p.id IN (SELECT partner_id FROM asked)
    UNION ALL
    SELECT up.partner_id, p.id, p.parent_id, up.height + 1 FROM up JOIN channel_partner p ON p.id = up.parent_id
    WHERE up.height < 10
), ranked AS (
    SELECT a.place, up.id AS distributor_id, r.code, rank() OVER (PARTITION BY a.place ORDER BY up.height) AS rank
    FROM asked a
    JOIN up ON up.partner_id = a.partner_id
    JOIN channel_territory t ON t.partner_id = up.id AND t.valid_from <= a.day
         AND (t.valid_to IS NULL OR a.day <= t.valid_to)
    JOIN channel_region r ON r.id = t.region_id
    WHERE t.line_id IS NULL OR EXISTS (
        SELECT FROM channel_productline_products p WHERE p.productline_id = t.line_id AND p.product_id = a.product_id)
)
SELECT place, distributor_id, array_agg(DISTINCT code ORDER BY code) FROM ranked WHERE rank = 1
GROUP BY place, distributor_id
"""


def markets_of(asked: Sequence[tuple[int, int | None, datetime]]) -> list[tuple[int | None, tuple[str, ...]]]:
    """Return for each (partner, product or None, moment) whose territory it sold in, and the codes of that territory.

    That is the partner itself, or the nearest above it that had one; (None, ()) where none had.
    """
    found: list[tuple[int | None, tuple[str, ...]]] = [(None, ())] * len(asked)
    if not asked:
        return found
    partners, products, days = zip(*((who, what or 0, local_date(at)) for who, what, at in asked), strict=True)
    with connection.cursor() as cursor:
        cursor.execute(_MARKETS, {"partners": list(partners), "products": list(products), "days": list(days)})
        for place, distributor_id, codes in cursor.fetchall():
            found[place - 1] = distributor_id, tuple(codes)
    return found


# --- what late documents change ----------------------------------------------------------------------------------------


def touched(document_id: int) -> list[Touched]:
    """Return whose scans a document may have changed: its labels, from the moment from which it counts."""
    rows = Movement.objects.filter(document_id=document_id).values_list(
        "label_range", "happened_at", "voids__happened_at"
    )
    return sorted({Touched(int(part.lower), int(part.upper), voided or at) for part, at, voided in rows})


def documents_to_sweep(limit: int = 100) -> list[int]:
    """Return the documents of which scans are not re-attributed yet, oldest first: see `touched` and `swept`."""
    waiting = Document.objects.filter(swept_at=None).filter(~Q(movements=None)).order_by("id").distinct()
    return list(waiting.values_list("id", flat=True)[:limit])


def swept(document_ids: Collection[int], *, at: datetime) -> None:
    """Note that the scans of these documents were re-attributed."""
    Document.objects.filter(pk__in=document_ids, swept_at=None).update(swept_at=at)
