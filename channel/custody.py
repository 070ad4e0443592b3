"""Custody, derived from movements: made anew for the labels that a document touches, or for all.

Both ways run the same code over the same rows, so that the order in which documents arrived leaves no trace.
"""

from collections.abc import Iterable, Sequence

from django.db import connection
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange, NumericRange

from channel.chain import Chains, Span, Step, merged, without
from channel.goods import markets_of
from channel.models import Custody, Document, Movement
from common.db import array, inside_transaction

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


@inside_transaction
def rebuild_all() -> None:
    """Derive all custody anew, as after a restore, or when territories were corrected for days past."""
    rebuild([(int(part.lower), int(part.upper)) for part in Movement.objects.values_list("label_range", flat=True)])


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
