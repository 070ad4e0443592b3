"""A small China with three distributors, one of which lets goods slip into another's market, fitted: for the pages of diversion."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from django.db import transaction
from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from analytics import rollups
from analytics.models import FitRun, Inspector, Verdict
from analytics.services import fit
from channel.models import Custody, Document, Movement, Partner, Region, Territory
from labels.models import Batch
from redemption.models import Scan, ScanPlace
from redemption.routes import derive_routes
from redemption.rules import Act, AskerKind, Door, Outcome, asker_key
from tests.makers import make_batch, make_partner

CITIES = {
    "CN-GD": ("Guangdong", "广东", [("440100", "Guangzhou", "广州市", 23.12, 113.25, 19.1), ("440300", "Shenzhen", "深圳市", 22.54, 114.06, 17.5)]),
    "CN-SC": ("Sichuan", "四川", [("510100", "Chengdu", "成都市", 30.67, 104.07, 16.0), ("510700", "Mianyang", "绵阳市", 31.47, 104.77, 4.9)]),
    "CN-CQ": ("Chongqing", "重庆", [("500100", "Chongqing", "重庆市", 29.56, 106.55, 9.0)]),
    "CN-ZJ": ("Zhejiang", "浙江", [("330100", "Hangzhou", "杭州市", 30.29, 120.16, 11.9)]),
    "CN-SH": ("Shanghai", "上海", [("310100", "Shanghai", "上海市", 31.22, 121.46, 24.9)]),
    "CN-HB": ("Hubei", "湖北", [("420100", "Wuhan", "武汉市", 30.58, 114.27, 12.3)]),
    "CN-HN": ("Hunan", "湖南", [("430100", "Changsha", "长沙市", 28.2, 112.97, 10.0)]),
    "CN-YN": ("Yunnan", "云南", [("530100", "Kunming", "昆明市", 25.04, 102.72, 8.5)]),
}  # fmt: skip
HOLDERS = (
    ("Jinping Tea Trading", "锦屏茶叶经销", ("CN-SC", "CN-CQ")),
    ("Lingnan Distribution", "岭南商贸", ("CN-GD",)),
    ("East Lake Foods", "东湖食品", ("CN-ZJ", "CN-SH")),
)
SHIPMENTS, LABELS, SCANNED, CASE = 6, 240, 26, 24


@dataclass
class Trade:
    """What was made. ``partners``: West, which diverts, South, where its goods go, and East."""

    partners: list[Partner]
    run: FitRun


def load_china() -> dict[str, Region]:
    found = {"CN": Region.objects.create(code="CN", kind="country", name="China", name_zh="中国")}
    for code, (name, name_zh, cities) in CITIES.items():
        _number, _name, _zh, lat, lon, _millions = cities[0]
        found[code] = Region.objects.create(
            code=code, kind="province", parent=found["CN"], name=name, name_zh=name_zh, lat=lat, lon=lon
        )
        for number, city, city_zh, lat, lon, millions in cities:
            found[f"CN-{number}"] = Region.objects.create(
                code=f"CN-{number}", kind="city", parent=found[code], name=city, name_zh=city_zh, lat=lat, lon=lon,
                population=int(millions * 1e6),
            )  # fmt: skip
    return found


def make_trade(at: datetime, seed: int = 7) -> Trade:
    """Ship, scan over eleven weeks until ``at``, count and fit. West's last two shipments surface in Guangdong."""
    random = np.random.default_rng(seed)
    regions = load_china()
    partners = [make_partner("distributor", name=name) for name, _zh, _held in HOLDERS]
    for partner, (_name, name_zh, held) in zip(partners, HOLDERS, strict=True):
        Partner.objects.filter(pk=partner.pk).update(name_zh=name_zh)
        for code in held:
            Territory.objects.create(
                partner=partner, region=regions[code], valid_from=(at - timedelta(days=400)).date()
            )
    batch = make_batch(count=1)
    Batch.objects.filter(pk=batch.pk).update(label_range=(1, 100_001), count=100_000)
    homes = [
        [code for code in regions if regions[code].parent and regions[code].parent.code in held]
        for *_n, held in HOLDERS
    ]
    cities = [code for code, region in regions.items() if region.kind == "city"]
    first, scans, places = 1, [], []
    for round_ in range(SHIPMENTS):
        for number, partner in enumerate(partners):
            shipped = at - timedelta(days=80 - 6 * round_)
            _ship(partner, first, shipped, f"SH-{round_}{number}")
            strays = number == 0 and round_ >= SHIPMENTS - 2
            for offset in sorted(random.choice(LABELS, SCANNED, replace=False).tolist()):
                away = strays and offset < LABELS * 2 // 3
                home = homes[1] if away else homes[number]
                city = str(random.choice(home if random.random() > 0.07 else cities))
                moment = shipped + (at - shipped) * (0.05 + 0.9 * random.random())
                scans.append((first + offset, moment, len(scans) + 1))
                places.append((city, random.random(), str(random.choice(cities)) if random.random() < 0.15 else city))
            first += LABELS
    _scan(batch.product_id, scans, places, regions)
    rollups.touch(moment for _label, moment, _device in scans)
    rollups.refresh("hour")
    rollups.refresh("day")
    for days in (20, 10):
        fit(at=at - timedelta(days=days))
    run = fit(at=at)
    assert run is not None
    return Trade(partners, run)


def give_verdicts(at: datetime, told: Sequence[tuple[float, str, int]]) -> None:
    """Let investigations end: (probability that was told, decision, days ago), each on a shipment of its own."""
    Verdict.objects.bulk_create(
        Verdict(
            shipment_id=900_000 + number, probability=probability, decision=decision,
            decided_at=at - timedelta(days=days), decided_by="ines",
        )
        for number, (probability, decision, days) in enumerate(told)
    )  # fmt: skip


def _ship(partner: Partner, first: int, at: datetime, number: str) -> None:
    paper = Document.objects.create(
        kind="shipment", number=number, content_hash=bytes(32), status="ACCEPTED", destination=partner, labels=LABELS,
        happened_at=at, recorded_at=at,
    )  # fmt: skip
    span = (first, first + LABELS)
    movement = Movement.objects.create(
        document=paper, label_range=span, destination=partner, state="in_transit", happened_at=at, recorded_at=at
    )
    Custody.objects.create(
        label_range=span, during=DateTimeTZRange(at, None), movement=movement, partner=partner, state="in_transit",
        shipment=paper, shipped_at=at, distributor=partner,
    )  # fmt: skip


def _scan(
    product_id: int,
    scans: list[tuple[int, datetime, int]],
    places: list[tuple[str, float, str]],
    regions: dict[str, Region],
) -> None:
    rows = Scan.objects.bulk_create(
        Scan(
            at=at, label_no=label, asker=asker_key(AskerKind.VISITOR, device), act=Act.CHECK, door=Door.WEB,
            outcome=Outcome.GENUINE_FIRST, product_id=product_id,
        )
        for label, at, device in scans
    )  # fmt: skip
    told = []
    for row, (city, chance, seeming) in zip(rows, places, strict=True):
        if chance < 0.45:
            told.append(ScanPlace(scan_id=row.pk, source="gps", region=city, at=row.at, accuracy_m=20.0))
        if chance < 0.8:
            told.append(ScanPlace(scan_id=row.pk, source="ip", region=seeming, at=row.at))
        elif chance < 0.92:
            parent = regions[city].parent
            assert parent is not None
            told.append(ScanPlace(scan_id=row.pk, source="phone", region=parent.code, at=row.at))
    ScanPlace.objects.bulk_create(told)
    Inspector.objects.create(asker=asker_key(AskerKind.VISITOR, 10**9), added_at=rows[0].at, added_by="maker")
    with transaction.atomic():
        derive_routes([(row.pk, row.label_no or 0, row.at) for row in rows], as_of=rows[0].at)
