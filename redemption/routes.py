"""Whose goods a scanned label was: written with the scan, and anew when a document comes late."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from django.conf import settings
from django.db import transaction
from django.utils.module_loading import import_string

from channel.queries import Routed, ask_routes, documents_to_sweep, swept, touched
from common.clock import now
from common.db import array, ask, inside_transaction, moments, pipelined, texts
from common.derived import Compared
from redemption.models import Scan, ScanRoute

MOST_SCANS = 2_000
"""Scans that one transaction re-attributes."""


def write_routes(
    scans: Sequence[tuple[int, int, datetime]], routes: Sequence[Routed], *, as_of: datetime, anew: bool = False
) -> None:
    """Write the routes of (scan, label, moment) beside them; ``anew`` replaces what stands there. One statement."""
    if not scans:
        return
    ids, label_nos, at = zip(*scans, strict=True)
    replace = (
        "DO UPDATE SET shipment_id = excluded.shipment_id, unit_id = excluded.unit_id,"
        " distributor_id = excluded.distributor_id, market = excluded.market, as_of = excluded.as_of"
    )
    ask(
        f"""
        INSERT INTO redemption_scanroute (scan_id, label_no, at, shipment_id, unit_id, distributor_id, market, as_of)
        SELECT scan_id, label_no, at, shipment_id, unit_id, distributor_id, market::varchar(20)[], %s
          FROM unnest(%s::bigint[], %s::bigint[], %s::timestamptz[], %s::bigint[], %s::bigint[], %s::bigint[], %s::text[])
               AS n (scan_id, label_no, at, shipment_id, unit_id, distributor_id, market)
            ON CONFLICT (scan_id) {replace if anew else "DO NOTHING"}
        """,  # noqa: S608 - one of two texts of ours
        [
            as_of,
            array(ids),
            array(label_nos),
            moments(at),
            array(route.shipment_id for route in routes),
            array(route.unit_id for route in routes),
            array(route.distributor_id for route in routes),
            texts("{" + ",".join(route.market) + "}" for route in routes),
        ],
    )


@inside_transaction
def derive_routes(scans: Sequence[tuple[int, int, datetime]], *, as_of: datetime) -> list[int]:
    """Judge these scans (scan, label, moment) by the documents as they stand now; return those whose route changed."""
    if not scans:
        return []
    with pipelined():
        ask_found = ask_routes([label_no for _scan, label_no, _at in scans], [at for _scan, _label, at in scans])
    found = ask_found()
    before = ScanRoute.objects.in_bulk([scan_id for scan_id, _label, _at in scans])
    changed, fresh, routes, gone = [], [], [], []
    for place, scan in enumerate(scans):
        route, stood = found.get(place), before.get(scan[0])
        if route is None and stood is not None:
            gone.append(scan[0])
        elif route is not None and (stood is None or _said(stood) != route):
            fresh.append(scan)
            routes.append(route)
    ScanRoute.objects.filter(scan_id__in=gone).delete()
    write_routes(fresh, routes, as_of=as_of, anew=True)
    changed = [*gone, *(scan[0] for scan in fresh)]
    return sorted(changed)


def compare_routes(after: int, *, mends: bool) -> Compared:
    """Compare the routes of the scans behind ``after`` with what the documents tell; mended ones go to `SCAN_HANDLER`."""
    with transaction.atomic(durable=True):
        scans = Scan.objects.filter(pk__gt=after, label_no__isnull=False).order_by("pk")
        rows = [(pk, label or 0, at) for pk, label, at in scans.values_list("pk", "label_no", "at")[:MOST_SCANS]]
        is_last = len(rows) < MOST_SCANS
        strays = ScanRoute.objects.filter(pk__gt=after).exclude(pk__in=[row[0] for row in rows])
        strays = strays if is_last else strays.filter(pk__lte=rows[-1][0])
        wrong = [*derive_routes(rows, as_of=now()), *strays.values_list("pk", flat=True)]
        strays.delete()
        if not mends:
            transaction.set_rollback(True)
    if mends:
        tell_scans(wrong)
    sample = f"scan {wrong[0]}" if wrong else ""
    return Compared(None if is_last else rows[-1][0], len(rows), len(wrong), sample)


def _said(row: ScanRoute) -> Routed:
    return Routed(row.shipment_id or 0, row.unit_id, row.distributor_id, tuple(row.market))


def reattribute(document_id: int, *, at: datetime) -> list[int]:
    """Judge anew the scans that a document may have changed; return those whose route changed.

    In slices, each a transaction of its own: it may be repeated, and finds then what is left to change.
    """
    changed: list[int] = []
    for part in touched(document_id):
        scans = Scan.objects.filter(label_no__gte=part.first, label_no__lt=part.end, at__gte=part.since)
        rows = [
            (pk, label_no or 0, moment)
            for pk, label_no, moment in scans.order_by("id").values_list("id", "label_no", "at")
        ]
        for start in range(0, len(rows), MOST_SCANS):
            with transaction.atomic(durable=True):
                changed += derive_routes(rows[start : start + MOST_SCANS], as_of=at)
    return changed


def sweep_documents(*, at: datetime, limit: int = 100) -> int:
    """Re-attribute the scans of documents that came since the last sweep; tell `SCAN_HANDLER`; return how many changed."""
    count = 0
    for document_id in documents_to_sweep(limit):
        changed = reattribute(document_id, at=at)
        tell_scans(changed)
        swept([document_id], at=at)
        count += len(changed)
    return count


def tell_scans(scan_ids: Iterable[int]) -> None:
    """Hand the ids of scans that are committed to the floor above (`settings.SCAN_HANDLER`)."""
    ids = list(scan_ids)
    if settings.SCAN_HANDLER and ids:
        import_string(settings.SCAN_HANDLER)(ids)
