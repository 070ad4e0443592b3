"""What a diverted unit of a shipment costs: the margin of its products, as they are written on them."""

from collections import defaultdict
from collections.abc import Collection
from typing import NamedTuple

from django.db import connection
from django.db.models import Avg

from labels.models import Product


class Worth(NamedTuple):
    """The products of a shipment; the mean margin of its units in minor units of ``currency``, None where none is known."""

    products: tuple[int, ...] = ()
    margin: float | None = None
    currency: str = ""

    def priority(self, probability: float, units: float, usual: float) -> float:
        """Return P × expected units × margin: what to work on first. ``usual`` stands in for an unknown margin."""
        return probability * units * (usual if self.margin is None else self.margin)


_PRODUCTS = """
SELECT m.document_id, b.product_id, sum(upper(m.label_range * b.label_range) - lower(m.label_range * b.label_range))
  FROM channel_movement m JOIN labels_batch b ON b.label_range && m.label_range
 WHERE m.document_id = ANY (%s) AND b.product_id IS NOT NULL
 GROUP BY 1, 2 ORDER BY 1, 2
"""


def usual_margin() -> float:
    """Return the mean margin of the products that have one; 1, so that units alone count, where none has."""
    mean: float | None = Product.objects.filter(margin__isnull=False).aggregate(mean=Avg("margin"))["mean"]
    return 1.0 if mean is None else float(mean)


def worth_of(shipment_ids: Collection[int]) -> dict[int, Worth]:
    """Return what is known of each shipment's products, by its number. A margin in two currencies is none."""
    if not shipment_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(_PRODUCTS, [list(shipment_ids)])
        rows = cursor.fetchall()
    held: dict[int, list[tuple[int, int]]] = defaultdict(list)
    for shipment_id, product_id, labels in rows:
        held[shipment_id].append((product_id, int(labels)))
    named = {product_id for _shipment, product_id, _labels in rows}
    margins = {row.pk: (row.margin, row.currency) for row in Product.objects.filter(pk__in=named, margin__isnull=False)}
    return {shipment_id: _mean(parts, margins) for shipment_id, parts in held.items()}


def _mean(parts: list[tuple[int, int]], margins: dict[int, tuple[int | None, str]]) -> Worth:
    products = tuple(product_id for product_id, _labels in parts)
    known = [(labels, *margins[product_id]) for product_id, labels in parts if product_id in margins]
    currencies = {currency for _labels, _margin, currency in known}
    if len(currencies) != 1:
        return Worth(products)
    total = sum(labels for labels, _margin, _currency in known)
    return Worth(products, sum(labels * (margin or 0) for labels, margin, _ in known) / total, currencies.pop())
