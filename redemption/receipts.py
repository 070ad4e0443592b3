"""The answer rendered from its scan: the first time, again for a repeated request id, and for a receipt number."""

from collections.abc import Iterable, Sequence
from datetime import datetime

from labels.models import Product
from labels.queries import receipt_nos, serials_of
from redemption.models import Redemption, Scan, ScanPlace
from redemption.rules import (
    Act,
    By,
    Door,
    Earlier,
    Outcome,
    Paid,
    ProductRef,
    Receipt,
    Redeemed,
)


def too_many_tries(act: Act, at: datetime, retry_after_s: int) -> Receipt:
    """Return the answer to an attempt that was not looked at."""
    return Receipt(outcome=Outcome.TOO_MANY_TRIES, act=act, at=at, retry_after_s=retry_after_s)


def receipts_of(scans: Sequence[Scan], *, with_serials: bool = False) -> list[Receipt]:
    """Return what each scan was told, from rows that never change; at most five statements for any number of scans.

    A scan without an id (`services.look`) gets no receipt number. Serials are computed for the page's scans, or for all.
    """
    redemptions = _redemptions(scans)
    firsts = _scans({scan.first_scan_id for scan in scans} | {made.scan_id for made in redemptions.values()}, scans)
    places = _places(firsts)
    products = _products({scan.product_id for scan in scans})
    numbers = _numbers(scans, redemptions)
    serials = _serials([scan for scan in scans if with_serials or scan.door is Door.WEB])
    return [
        Receipt(
            outcome=scan.outcome,
            detail=scan.detail,
            act=scan.act,
            at=scan.at,
            receipt_no=numbers.get(scan.pk),
            product=products.get(scan.product_id or 0),
            serial=serials.get(scan.label_no),
            points=0 if scan.act is Act.CHECK and scan.outcome is not Outcome.ALREADY_REDEEMED else scan.points,
            points_offered=scan.points if scan.act is Act.CHECK and scan.outcome is not Outcome.ALREADY_REDEEMED else 0,
            balance=scan.balance,
            earlier=_earlier(scan, firsts, places),
            redeemed=_redeemed(scan, redemptions, firsts, places),
            paid=_paid(scan, redemptions),
            secret_unused=scan.outcome in {Outcome.GENUINE_FIRST, Outcome.GENUINE_REPEAT} and not scan.spent,
            by_serial=scan.by_serial,
            want=scan.want,
            got=scan.got,
            tries_left=scan.tries_left,
            ended_on=scan.ended_on,
        )
        for scan in scans
    ]


def _redemptions(scans: Iterable[Scan]) -> dict[int, Redemption]:
    """Return the redemptions that the answers speak of, by label."""
    spoken = [scan for scan in scans if scan.spent or scan.outcome is Outcome.REDEEMED]
    wanted = {scan.label_no for scan in spoken if scan.label_no is not None}
    return {made.pk: made for made in Redemption.objects.filter(pk__in=wanted)} if wanted else {}


def _scans(wanted: set[int | None], present: Sequence[Scan]) -> dict[int, tuple[datetime, Door]]:
    """Return when and at which door each scan was made; those at hand are not read again."""
    found = {scan.pk: (scan.at, scan.door) for scan in present if scan.pk}
    missing = {scan_id for scan_id in wanted if scan_id is not None and scan_id not in found}
    if missing:
        rows = Scan.objects.filter(pk__in=missing).values_list("pk", "at", "door")
        found.update({pk: (at, door) for pk, at, door in rows})
    return found


def _places(scans: Iterable[int]) -> dict[int, tuple[str, str]]:
    rows = ScanPlace.objects.filter(scan_id__in=list(scans)).exclude(city="").order_by("-source")
    return {scan_id: (city, city_zh) for scan_id, city, city_zh in rows.values_list("scan_id", "city", "city_zh")}


def _products(ids: Iterable[int | None]) -> dict[int, ProductRef]:
    wanted = [pk for pk in ids if pk is not None]
    rows = Product.objects.filter(pk__in=wanted).values_list("pk", "public_id", "gtin", "name", "name_zh")
    return {row[0]: ProductRef(*row) for row in rows} if wanted else {}


def _numbers(scans: Sequence[Scan], redemptions: dict[int, Redemption]) -> dict[int, str]:
    """Return each scan's receipt number; a redeemer who asks again gets that of the redemption."""
    ids = {}
    for scan in scans:
        if scan.pk:
            yours = scan.outcome is Outcome.ALREADY_REDEEMED and scan.by is By.YOU
            ids[scan.pk] = redemptions[scan.label_no].scan_id if yours and scan.label_no in redemptions else scan.pk
    return dict(zip(ids, receipt_nos(list(ids.values())), strict=True))


def _serials(scans: Sequence[Scan]) -> dict[int | None, str]:
    label_nos = [label_no for label_no in {scan.label_no for scan in scans} if label_no is not None]
    return dict(zip(label_nos, serials_of(label_nos), strict=True)) if label_nos else {}


def _earlier(
    scan: Scan, firsts: dict[int, tuple[datetime, Door]], places: dict[int, tuple[str, str]]
) -> Earlier | None:
    if not scan.earlier_count or scan.first_scan_id not in firsts:
        return None
    at, door = firsts[scan.first_scan_id]
    return Earlier(scan.earlier_count, at, places.get(scan.first_scan_id), door, scan.by or By.UNKNOWN)


def _redeemed(
    scan: Scan,
    redemptions: dict[int, Redemption],
    firsts: dict[int, tuple[datetime, Door]],
    places: dict[int, tuple[str, str]],
) -> Redeemed | None:
    made = redemptions.get(scan.label_no or 0) if scan.spent else None
    if made is None:
        return None
    at, door = firsts[made.scan_id]
    return Redeemed(at, places.get(made.scan_id), door, scan.by or By.UNKNOWN)


def _paid(scan: Scan, redemptions: dict[int, Redemption]) -> tuple[Paid, ...]:
    made = redemptions.get(scan.label_no or 0)
    if made is None or scan.pk != made.scan_id:
        return ()
    parties = (
        Paid("consumer", made.points),
        Paid("retailer", made.retailer_points, made.retailer_id),
        Paid("promoter", made.promoter_points, made.promoter_id),
    )
    return tuple(party for party in parties if party.points)
