"""A simulated world as rows of a brand: the same that `simulator.write_world` writes as files."""

from datetime import UTC, date, datetime, timedelta

import numpy as np
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from analytics import files
from analytics.goods import NONE
from analytics.models import Inspector
from channel.models import Custody, Document, Movement, Partner, Region, Territory, Unit, UnitRange
from labels.models import Batch
from redemption.models import Scan, ScanPlace, ScanRoute
from redemption.routes import derive_routes
from redemption.rules import Act, AskerKind, Door, Outcome, asker_key
from tests.makers import make_batch, make_partner

LONG_AGO = date(2020, 1, 1)


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(float(seconds), UTC)


def sscc(number: int) -> str:
    body = f"0690123{number:010}"
    digit = -sum(int(one) * (3 if place % 2 == 0 else 1) for place, one in enumerate(body)) % 10
    return f"{body}{digit}"


def asker_of(device: int) -> int | None:
    return None if device == NONE else asker_key(AskerKind.VISITOR, int(device))


def load_land(world: files.World) -> list[Partner]:
    regions: dict[str, Region] = {}
    for one in world.regions:
        regions[one.code] = Region.objects.create(
            code=one.code, kind=one.level, parent=regions.get(one.parent), name=one.code,
            lat=one.lat, lon=one.lon, population=round(one.population),
        )  # fmt: skip
    partners = [make_partner("distributor", name=name) for name in world.distributor_ids]
    for partner, online in zip(partners, world.sells_online.tolist(), strict=True):
        Partner.objects.filter(pk=partner.pk).update(sells_online=online)
    Territory.objects.bulk_create(
        Territory(
            partner=partners[one.distributor], region=regions[one.region], valid_from=one.valid_from or LONG_AGO,
            valid_to=one.valid_to,
        )
        for one in world.territories
    )  # fmt: skip
    return partners


def load_goods(world: files.World, partners: list[Partner]) -> dict[int, int]:
    """Write shipments and the cases of which anything was scanned; return the documents by the shipments' numbers."""
    sent, number = world.shipments, 0
    units = []
    codes = np.unique(world.scans.code)
    spans = [(int(sent.first[place]), int(sent.last[place]) + 1) for place in range(len(sent))]
    times = [moment(at) for at in sent.shipped_at]
    holders = [partners[one] for one in sent.distributor]
    papers = Document.objects.bulk_create(
        Document(
            kind="shipment", number=name, content_hash=bytes(32), status="ACCEPTED", destination=holder,
            labels=end - first, happened_at=at, recorded_at=at + timedelta(minutes=1),
        )
        for name, (first, end), at, holder in zip(world.shipment_ids, spans, times, holders, strict=True)
    )  # fmt: skip
    movements = Movement.objects.bulk_create(
        Movement(
            document=paper, label_range=span, destination=holder, state="in_transit", happened_at=at, recorded_at=at
        )
        for paper, span, at, holder in zip(papers, spans, times, holders, strict=True)
    )
    Custody.objects.bulk_create(
        Custody(
            label_range=span, during=DateTimeTZRange(at, None), movement=movement, partner=holder,
            state="in_transit", shipment=movement.document, shipped_at=at, distributor=holder,
        )
        for movement, span, at, holder in zip(movements, spans, times, holders, strict=True)
    )  # fmt: skip
    for place, (first, end) in enumerate(spans):
        inside = codes[(codes >= first) & (codes < end)]
        for case in np.unique((inside - first) // sent.labels_per_case[place]).tolist():
            number += 1
            low = first + case * int(sent.labels_per_case[place])
            units.append(
                (low, min(low + int(sent.labels_per_case[place]), end), times[place] - timedelta(days=1), number)
            )
    made = Unit.objects.bulk_create(Unit(sscc=sscc(n), kind="case", created_at=at) for _low, _end, at, n in units)
    UnitRange.objects.bulk_create(
        UnitRange(unit=unit, label_range=(low, end), opened_at=at)
        for unit, (low, end, at, _n) in zip(made, units, strict=True)
    )
    return {place: paper.pk for place, paper in enumerate(papers)}


def load_scans(world: files.World) -> list[int]:
    """Write the scans with their places and routes; return their ids in the world's order."""
    batch = make_batch(count=1)
    Batch.objects.filter(pk=batch.pk).update(label_range=(1, 10**8 + 1), count=10**8)
    scans, codes = world.scans, (*world.region_codes, "")
    rows = Scan.objects.bulk_create(
        Scan(
            at=moment(scans.at[place]), label_no=int(scans.code[place]),
            asker=asker_of(scans.device[place]), act=Act.CHECK, door=Door.WEB,
            outcome=Outcome.GENUINE_FIRST, product_id=batch.product_id,
        )
        for place in range(len(scans))
    )  # fmt: skip
    places = []
    for source in ("gps", "ip", "phone"):
        answers = getattr(scans, source)
        places += [
            ScanPlace(
                scan_id=rows[place].pk, source=source, region=codes[answers[place]], at=rows[place].at,
                accuracy_m=float(scans.gps_accuracy_m[place]) if source == "gps" else None,
            )
            for place in np.flatnonzero(answers != NONE).tolist()
        ]  # fmt: skip
    ScanPlace.objects.bulk_create(places)
    Inspector.objects.bulk_create(
        Inspector(asker=asker_of(device), added_at=rows[0].at, added_by="maker")
        for device in np.unique(scans.device[scans.staff]).tolist()
    )
    known = [(row.pk, row.label_no or 0, row.at) for row in rows]
    with transaction.atomic():
        derive_routes(known, as_of=rows[0].at)
    assert ScanRoute.objects.count() <= len(rows)
    return [row.pk for row in rows]
