"""Custody, derived from movements: made anew for the labels that a document touches, or for all.

Both ways run the same code over the same rows, so that the order in which documents arrived leaves no trace.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Any

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange, NumericRange

from channel.chain import Chains, Span, Step, merged, without
from channel.goods import markets_of
from channel.models import Custody, Document, Movement
from channel.papers import one_at_a_time
from common.db import array, inside_transaction
from common.derived import Compared

END = 2**62
BRINGING = {Document.Kind.SHIPMENT, Document.Kind.TRANSFER, Document.Kind.RETURN}

_OVERLAPPING = """
SELECT m.id, lower(m.label_range), upper(m.label_range), m.source_id, m.destination_id, m.state, m.document_id,
       m.voids_id, m.happened_at, d.kind
FROM channel_movement m JOIN channel_document d ON d.id = m.document_id
WHERE EXISTS (SELECT FROM unnest(%(firsts)s::bigint[], %(ends)s::bigint[]) AS n (first, "end")
              WHERE m.label_range && int8range(n.first, n."end"))
ORDER BY m.id
"""
_PRODUCTS = """
SELECT n.place, b.product_id FROM unnest(%(firsts)s::bigint[]) WITH ORDINALITY AS n (first, place)
JOIN labels_batch b ON b.label_range @> n.first
"""


def chains_of(parts: Iterable[tuple[int, int]], edges: Iterable[int] = ()) -> Chains:
    """Return the chains of ranges of labels as recorded, cut at ``edges`` too, where steps to come will end."""
    wanted = merged(parts)
    with connection.cursor() as cursor:
        cursor.execute(_OVERLAPPING, _columns(wanted))
        rows = cursor.fetchall()
    chains = Chains(wanted, {*edges, *(edge for row in rows for edge in row[1:3])})
    for key, first, end, source, holder, state, document, voids, at, kind in rows:
        if voids is None:
            brings = kind in BRINGING or source != holder
            chains.add(Step(at, key, first, end, source, holder, state, document, key, brings))
    for _key, first, end, _source, _holder, _state, _document, voids, _at, _kind in rows:
        if voids is not None:
            chains.remove(first, end, voids)
    return chains


@inside_transaction
def rebuild(parts: Iterable[tuple[int, int]]) -> None:
    """Derive the custody of ranges of labels anew; what lies beside them stays as it is."""
    wanted = merged(parts)
    if not wanted:
        return
    rows = _rows(list(chains_of(wanted).spans()))
    Custody.objects.bulk_create([*_cut_out(wanted), *rows], batch_size=1_000)


SLICE = 500
"""Edges of movements and custody between which one slice of labels lies."""
_EDGES = """
SELECT DISTINCT edge FROM (
    SELECT lower(label_range) AS edge FROM channel_movement UNION ALL SELECT lower(label_range) FROM channel_custody
) e WHERE edge > %(after)s ORDER BY 1 LIMIT %(limit)s
"""


def compare_custody(after: int, *, mends: bool) -> Compared:
    """Compare the custody of the labels behind ``after`` with what the movements tell. Raises `InProgress`.

    Locks as in `channel.papers`: documents that come meanwhile wait for one slice. Where a territory was corrected for
    days past, this is where it begins to count.
    """
    with one_at_a_time():
        with connection.cursor() as cursor:
            cursor.execute(_EDGES, {"after": after, "limit": SLICE + 1})
            edges = [row[0] for row in cursor.fetchall()]
        if not edges:
            return Compared(None, 0, 0)
        end = edges[SLICE] if len(edges) > SLICE else END
        window = (after + 1, end)
        moved = Movement.objects.filter(label_range__overlap=NumericRange(*window)).values_list(
            "label_range", flat=True
        )
        parts = merged((max(int(one.lower), window[0]), min(int(one.upper), end)) for one in moved)
        derived = _rows(list(chains_of(parts).spans())) if parts else []
        stored = Custody.objects.filter(label_range__overlap=NumericRange(*window))
        right, found = _cells(derived, window), _cells(stored, window)
        wrong = sorted(right.symmetric_difference(found), key=lambda cell: (cell[-2:], str(cell)))
        if wrong and mends:
            Custody.objects.bulk_create([*_cut_out([window]), *derived], batch_size=1_000)
    first, last = wrong[0][-2:] if wrong else (0, 0)
    sample = f"labels {first} to {last - 1}" if wrong else ""
    return Compared(end - 1 if end < END else None, len(right), len(wrong), sample)


Cell = tuple[Any, ...]


def _cells(rows: Iterable[Custody], window: tuple[int, int]) -> set[Cell]:
    """Return what rows say of the labels of a window; neighbours that say the same are one."""
    said: dict[Cell, list[tuple[int, int]]] = defaultdict(list)
    for row in rows:
        first, end = max(int(row.label_range.lower), window[0]), min(int(row.label_range.upper), window[1])
        if first < end:
            says = (row.during.lower, row.during.upper, row.movement_id, row.partner_id, row.state, row.shipment_id,
                    row.shipped_at, row.distributor_id, tuple(row.market))  # fmt: skip
            said[says].append((first, end))
    return {(*says, first, end) for says, parts in said.items() for first, end in merged(parts)}


def _columns(parts: Sequence[tuple[int, int]]) -> dict[str, str]:
    return {"firsts": array([first for first, _end in parts]), "ends": array([end for _first, end in parts])}


def _cut_out(parts: list[tuple[int, int]]) -> list[Custody]:
    """Delete the custody of these labels; return what is to be kept of rows that reach beyond them."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT DISTINCT c.id FROM channel_custody c, unnest(%(firsts)s::bigint[], %(ends)s::bigint[])"
            ' AS n (first, "end") WHERE c.label_range && int8range(n.first, n."end")',
            _columns(parts),
        )
        met = Custody.objects.filter(pk__in=[row[0] for row in cursor.fetchall()])
    kept = []
    for row in met:
        for first, end in without((row.label_range.lower, row.label_range.upper), parts):
            copy = Custody.objects.none().model(**{f.attname: getattr(row, f.attname) for f in Custody._meta.fields})
            copy.pk, copy.label_range = None, NumericRange(first, end)
            kept.append(copy)
    met.delete()
    return kept


def _rows(spans: list[Span]) -> list[Custody]:
    products = _products_of([span.first for span in spans])
    asked = [
        (span.bringing.holder, product, span.bringing.at)
        for span, product in zip(spans, products, strict=True)
        if span.bringing and span.bringing.holder is not None
    ]
    distinct = list(dict.fromkeys(asked))
    markets = dict(zip(distinct, markets_of(distinct), strict=True))
    documents = {span.bringing.document for span in spans if span.bringing}
    meant = dict(Document.objects.filter(pk__in=documents, market__isnull=False).values_list("pk", "market__code"))
    found = []
    for span, product in zip(spans, products, strict=True):
        step, bringing = span.step, span.bringing
        distributor: int | None = None
        market: tuple[str, ...] = ()
        if bringing and bringing.holder is not None:
            distributor, market = markets[bringing.holder, product, bringing.at]
            market = (meant[bringing.document],) if bringing.document in meant else market
        found.append(
            Custody(
                label_range=NumericRange(span.first, span.end),
                during=DateTimeTZRange(step.at, span.until),
                movement_id=step.key,
                partner_id=step.holder,
                state=step.state,
                shipment_id=bringing.document if bringing else None,
                shipped_at=bringing.at if bringing else None,
                distributor_id=distributor,
                market=list(market),
            )
        )
    return found


def _products_of(firsts: list[int]) -> list[int | None]:
    found: list[int | None] = [None] * len(firsts)
    with connection.cursor() as cursor:
        cursor.execute(_PRODUCTS, {"firsts": array(firsts)})
        for place, product_id in cursor.fetchall():
            found[place - 1] = product_id
    return found
