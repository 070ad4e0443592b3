"""Goods on paper, written as rows: what a scan is judged by is `Custody`, however the acts of the channel derive it."""

from datetime import datetime, timedelta

from django.db.backends.postgresql.psycopg_any import DateTimeTZRange

from channel.models import Custody, Document, Movement, Partner, Region, Territory, Unit, UnitRange
from tests.makers import make_partner

_HASH = bytes(32)


def make_region(code: str, parent: Region | None = None, kind: str = "province", **values: object) -> Region:
    return Region.objects.create(code=code, kind=kind, parent=parent, name=code, **values)


def make_land() -> dict[str, Region]:
    """Make a country of two provinces with two cities each, far apart."""
    country = make_region("CN", kind="country")
    found = {"CN": country}
    for code, zh, lat, lon in (("CN-GD", "广东省", 23.1, 113.3), ("CN-SC", "四川省", 30.6, 104.1)):
        found[code] = make_region(code, country, name_zh=zh)
        for number, (city, people) in enumerate((("01", 9_000_000), ("02", 3_000_000))):
            place = f"{code}-{city}"
            found[place] = make_region(
                place,
                found[code],
                "city",
                lat=lat + number,
                lon=lon + number,
                population=people,
                name_zh=f"{zh[0]}{city}市",
            )
    return found


def give(partner: Partner, region: Region, since: datetime, until: datetime | None = None) -> Territory:
    return Territory.objects.create(
        partner=partner, region=region, valid_from=since.date(), valid_to=until.date() if until else None
    )


def distributor(name: str) -> Partner:
    return make_partner("distributor", name=name)


def document(kind: str, number: str, *, source: Partner | None, to: Partner | None, at: datetime) -> Document:
    return Document.objects.create(
        kind=kind, number=number, content_hash=_HASH, status="ACCEPTED", source=source, destination=to,
        happened_at=at, recorded_at=at + timedelta(seconds=1),
    )  # fmt: skip


def hold(
    first: int,
    end: int,
    *,
    partner: Partner | None,
    paper: Document,
    since: datetime,
    until: datetime | None = None,
    market: tuple[str, ...] = (),
    state: str = "in_transit",
) -> Custody:
    """Let a partner hold labels ``first`` … ``end − 1`` during a time, by a document."""
    movement = Movement.objects.create(
        document=paper, label_range=(first, end), destination=partner, state=state, happened_at=since, recorded_at=since
    )
    back = partner is None
    return Custody.objects.create(
        label_range=(first, end),
        during=DateTimeTZRange(since, until),
        movement=movement,
        partner=partner,
        state=state,
        shipment=None if back else paper,
        shipped_at=None if back else since,
        distributor=partner,
        market=list(market),
    )


def pack(first: int, end: int, at: datetime, number: int = 1) -> Unit:
    """Pack labels into a case."""
    body = f"0690123{number:010}"
    digit = -sum(int(one) * (3 if place % 2 == 0 else 1) for place, one in enumerate(body)) % 10
    unit = Unit.objects.create(sscc=f"{body}{digit}", kind="case", created_at=at)
    UnitRange.objects.create(unit=unit, label_range=(first, end), opened_at=at)
    return unit
