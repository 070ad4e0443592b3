"""What a night found, written by hand: A's goods in cases of four, seen in B's town, and the run that says so."""

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from itertools import count
from typing import Any

from django.db import transaction

from analytics.models import CaseFinding, Finding, FitRun, FitState, ScanFinding, ShipmentScore
from channel.models import Document, Partner, Region, Territory, Unit
from redemption.models import Scan, ScanPlace
from redemption.routes import derive_routes
from redemption.rules import Act, Door, Outcome
from tests.channel.goods import Goods, make_goods, make_region, send
from tests.conftest import NOW

_askers = count(7_001)
DAY = timedelta(days=1)


@dataclass
class Found:
    """A shipment of ``goods`` from A with its finding, and the regions: A sells in CN-51, B in CN-44."""

    goods: Goods
    run: FitRun
    shipment: Document
    finding: Finding
    a: Partner
    b: Partner
    scans: list[Scan] = field(default_factory=list)

    def shop_of_a(self) -> Partner:
        """A retailer who buys from A."""
        return self.goods.shop


def make_land(goods: Goods) -> dict[str, Region]:
    country = make_region("CN", None, "country", "China")
    regions = {"CN": country}
    for province, city, name, partner in (
        ("CN-51", "CN-510100", "Chengdu", goods.a),
        ("CN-44", "CN-440100", "Guangzhou", goods.b),
    ):
        regions[province] = make_region(province, country, "province", province)
        regions[city] = make_region(city, regions[province], "city", name)
        Territory.objects.create(partner=partner, region=regions[province], valid_from=(NOW - 900 * DAY).date())
    return regions


def make_run(at: datetime = NOW, alert_from: float = 0.7, *, kept: bool = True) -> FitRun:
    """Write a run; ``kept``: as the newest, with a state that nothing can be judged with."""
    run = FitRun.objects.create(
        began_at=at, ended_at=at, scans_from=at - 365 * DAY, scans_until=at, eta=0.8, parameters={}, counts={},
        data_hash=bytes(32), code_version="test", seconds=1.0, alert_from=alert_from,
    )  # fmt: skip
    if kept:
        FitState.objects.all().delete()
        FitState.objects.create(run=run, blob=b"")
    return run


def finding_of(run: FitRun, shipment: Document, *, dest: Partner | None = None, **values: Any) -> Finding:
    told = {
        "run": run, "shipment_id": shipment.pk, "distributor_id": shipment.destination_id,
        "dest_id": dest.pk if dest else None, "probability": 0.94, "distributor_probability": 0.97, "alert": True,
        "level": "accusable", "expected_cases": 1.6, "expected_units": 6.4, "labels": 4, "devices": 4, "cases": 2,
        "scans": 4, "shipped_labels": 8, "first_scan_at": NOW - 3 * DAY, "last_scan_at": NOW - DAY, "travelled": 0.03,
        "online": 0.04, "border": 0.0, "away": 0.12,
        "without": {
            "gps": 0.9, "ip": 0.88, "phone": 0.93, "device": 0.91, "travelled": 0.92, "online": 0.92, "border": 0.94,
            "away": 0.85,
        },
        "scans_away": 3, "expected_away": 0.4, "copied_labels": 0, "priority": 6.0, "found_at": run.scans_until,
    }  # fmt: skip
    return Finding.objects.create(**{**told, **values})


def make_found(**values: Any) -> Found:
    goods = make_goods(2, at=NOW - 20 * DAY)
    make_land(goods)
    sent = send(goods, goods.a, 0, 1, at=NOW - 15 * DAY)
    Document.objects.filter(pk=sent.document.pk).update(recorded_at=NOW - 15 * DAY)  # in time
    run = make_run()
    finding = finding_of(run, sent.document, dest=goods.b, **values)
    ShipmentScore.objects.create(
        shipment_id=sent.document.pk, run=run, distributor_id=goods.a.pk, dest_id=goods.b.pk,
        probability=finding.probability, scans=4, log_factors=b"", scored_at=NOW,
    )  # fmt: skip
    found = Found(goods, run, sent.document, finding, goods.a, goods.b)
    for case, sources, score in (
        (0, {"gps": "CN-440100", "ip": "CN-44"}, 1.68),
        (0, {"ip": "CN-44"}, 0.9),
        (1, {"phone": "CN-44"}, 0.3),
        (1, {"gps": "CN-510100"}, -2.0),
    ):
        see(found, case, sources, score)
    units = dict(Unit.objects.values_list("sscc", "pk"))
    for case, probability in ((0, 0.98), (1, 0.2)):
        CaseFinding.objects.create(
            finding=finding, unit_id=units[goods.cases[case]], holder_id=goods.a.pk, probability=probability, scans=2
        )
    return found


def see(found: Found, case: int, sources: dict[str, str], score: float, asker: int | None = None) -> Scan:
    """Let a device, by itself a new one, scan the next label of a case."""
    taken = {scan.label_no for scan in found.scans}
    label_no = next(one for one in found.goods.labels(case) if one not in taken)
    at = NOW - 3 * DAY + timedelta(hours=len(found.scans))
    scan = Scan.objects.create(
        at=at, label_no=label_no, asker=asker or next(_askers), act=Act.CHECK, door=Door.WEB, outcome=Outcome.GENUINE_FIRST,
        product_id=found.goods.batch.product_id,
    )  # fmt: skip
    for source, region in sources.items():
        ScanPlace.objects.create(
            scan_id=scan.pk, source=source, region=region, at=at, accuracy_m=20 if source == "gps" else None
        )
    with transaction.atomic():
        derive_routes([(scan.pk, label_no, at)], as_of=at)
    ScanFinding.objects.create(finding=found.finding, scan_id=scan.pk, score=score)
    found.scans.append(scan)
    return scan


def another(found: Found, **values: Any) -> Finding:
    """Write one more finding, of one more shipment of A's."""
    goods = replace(found.goods, **vars(make_goods(1, at=NOW - 20 * DAY)) | {"a": found.a, "b": found.b})
    sent = send(goods, found.a, 0, at=NOW - 15 * DAY)
    return finding_of(found.run, sent.document, **{"dest": found.b, **values})
