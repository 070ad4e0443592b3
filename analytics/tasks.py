"""What follows from scans: roll-ups, plain copies, scores; and periodic work over what happened.

Each task may be sent twice, and die anywhere. What follows from scans is found again at night, should a message be lost.
"""

import time
from datetime import timedelta

from celery import shared_task
from celery.utils.log import get_task_logger
from django.db import connection

from analytics import codes, fair_play, farms, photos, queries, rollups, services
from analytics.models import EvidenceBundle, Touched, TouchedShipment
from brands.queries import brand_date
from common import jobs
from common.clock import now
from common.periodic import advisory_lock, run_once
from labels.tasks import push
from lottery.models import Campaign
from redemption.models import Scan, ScanRoute

log = get_task_logger(__name__)
SILENT_S = 10.0
"""After the broker refused a message, for so long nothing is sent to it: redemptions must not wait for it."""
MOST_SHIPMENTS = 200
LOOK_BACK = timedelta(hours=48)
_quiet_until = 0.0


def after_scans(scan_ids: list[int]) -> None:
    """Take in scans that are committed (`settings.SCAN_HANDLER`). Costs one message, and never fails."""
    global _quiet_until
    if time.monotonic() < _quiet_until:
        return
    try:
        look_at.apply_async((scan_ids,), retry=False)
    except Exception:  # whatever the broker's library raises
        _quiet_until = time.monotonic() + SILENT_S
        log.warning("the broker did not take the scans; they are looked at by night")


@shared_task
def look_at(scan_ids: list[int]) -> None:
    """Note what follows from these scans: plain copies at once, hours to count, shipments to judge again."""
    note(scan_ids)


def note(scan_ids: list[int]) -> None:
    """Do as `look_at`."""
    codes.note_codes(scan_ids, tracked=queries.tracked_products(), at=now())
    rollups.touch_scans(scan_ids)
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO analytics_touchedshipment (shipment_id, n)"
            " SELECT DISTINCT shipment_id, 1 FROM redemption_scanroute"
            " WHERE scan_id = ANY (%s) AND shipment_id IS NOT NULL ORDER BY 1"
            " ON CONFLICT (shipment_id) DO UPDATE SET n = analytics_touchedshipment.n + 1",
            [scan_ids],
        )


@shared_task
def rescore_touched() -> None:
    """Judge again the shipments of which something new was seen."""
    with advisory_lock("analytics.rescore_touched") as free:
        if free:
            rescore_some()


def rescore_some(limit: int = MOST_SHIPMENTS) -> int:
    """Judge up to ``limit`` touched shipments again; return how many."""
    waiting = list(TouchedShipment.objects.order_by("pk").values_list("shipment_id", "n")[:limit])
    for shipment_id, n in waiting:
        services.rescore(shipment_id, at=now())
        TouchedShipment.objects.filter(pk=shipment_id, n=n).delete()
    return len(waiting)


@shared_task
def count_hours() -> None:
    """Count again the hours in which something happened."""
    rollups.refresh(Touched.Grain.HOUR)


@shared_task
def count_days() -> None:
    """Count again the days in which something happened."""
    rollups.refresh(Touched.Grain.DAY)


@shared_task
def fit_all() -> None:
    """Fit all that was scanned in the last twelve months, once a night of the brand."""
    at = now()
    run_once("analytics.fit_all", brand_date(at).isoformat(), nightly, at=at)


def nightly() -> None:
    """Look once more at the scans of the last two days, of which a message may be lost; then fit."""
    at = now()
    recent = Scan.objects.filter(at__gte=at - LOOK_BACK, at__lt=at, label_no__isnull=False)
    ids = list(recent.order_by("id").values_list("pk", flat=True).iterator(chunk_size=20_000))
    tracked = queries.tracked_products()
    for start in range(0, len(ids), 5_000):
        part = ids[start : start + 5_000]
        codes.note_codes(part, tracked=tracked, at=at)
        rollups.touch_scans(part)
    if ScanRoute.objects.exists():
        run = services.fit(at=at)
        if run is not None:
            farms.note_farms(run, since=at - services.MONTHS, until=at)
            farms.hold_rewards(run, at=at)


@shared_task
def report_fairness() -> None:
    """Make the fairness reports that are due."""
    at = now()
    with advisory_lock("analytics.report_fairness") as free:
        for game in fair_play.due(at=at) if free else []:
            fair_play.keep(game, at=at)


@shared_task
def report_fairness_of(campaign_id: int) -> None:
    """Make the fairness report of one game now."""
    fair_play.keep(Campaign.objects.get(pk=campaign_id), at=now())


@shared_task
def forget_old_photos() -> None:
    """Delete the photographs of files that were closed long ago."""
    photos.forget_old(at=now())


@shared_task
def make_bundle(bundle_id: int) -> None:
    """Make a bundle of evidence."""
    from analytics import bundling  # what draws pages is read when they are drawn

    bundling.make(bundle_id)


@shared_task
def sweep_bundles() -> None:
    """Push bundles again that nobody works on."""
    forsaken = jobs.forsaken(EvidenceBundle.JOB_KIND, at=now())
    for bundle_id in EvidenceBundle.objects.filter(job__in=forsaken).values_list("id", flat=True):
        push(make_bundle, bundle_id)
