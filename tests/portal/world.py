"""A world with two distributors: what one of them may see, and, in the other, all that it must not."""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from django.db.backends.postgresql.psycopg_any import NumericRange

from channel.acts import receive
from channel.models import Document, Partner, Territory, Unit
from labels.models import Batch
from portal.services import make_key
from redemption.models import Scan, ScanPlace, ScanRoute
from redemption.rules import Act, Door, Outcome
from staff.models import User
from tests.channel.goods import PER_CASE, Goods, items, make_region, new_sscc, paper, range_text
from tests.makers import labels_of, make_active_batch, make_partner, make_product
from tests.portal.makers import make_person

MARK_NAME, MARK_NAME_ZH = "Rival Orchid House", "兰亭对手商行"
CASES = 24


@dataclass
class World:
    """``north`` is the distributor who looks; ``south`` its rival; ``shop`` stands below north, ``stall`` below south."""

    goods: Goods
    north: Partner
    south: Partner
    shop: Partner
    stall: Partner
    ning: User
    token: str
    at: datetime
    shipments: dict[str, Document]

    def case(self, place: int) -> str:
        return self.goods.cases[place]


def make_world(at: datetime) -> World:
    """Pack, ship, receive and scan: north holds three cases and waits for one; south's goods surface in north's area."""
    from channel.packing import Filling, pack

    tea = make_product(name="Mist Ridge Oolong", name_zh="雾岭乌龙", at=at - timedelta(days=60))
    batch = make_active_batch(CASES * PER_CASE, product=tea, at=at - timedelta(days=60))
    ssccs = [new_sscc() for _ in range(CASES)]
    numbers = labels_of(batch)
    fillings = [
        Filling(one, "case", range_text(numbers[place * PER_CASE : (place + 1) * PER_CASE]))
        for place, one in enumerate(ssccs)
    ]
    packed = pack(paper_at(at - timedelta(days=50), at), fillings)
    assert packed.status == "ACCEPTED"
    Unit.objects.filter(sscc__in=ssccs).update(product=tea)
    north, south, shop, stall = _partners(at)
    _places(north, south, (at - timedelta(days=365)).date())
    goods = Goods(batch, ssccs, north, south, shop)
    found = {
        "arrived": _send(goods, north, (0, 1, 2), at - timedelta(days=40), at),
        "coming": _send(goods, north, (3,), at - timedelta(days=1), at),
        "rival": _send(goods, south, tuple(range(6, 18)), at - timedelta(days=40), at),
    }
    receive(paper_at(at - timedelta(days=39), at, north), items(*ssccs[:3]), receiver=north, shipment=found["arrived"])
    receive(paper_at(at - timedelta(days=39), at, south), items(*ssccs[6:18]), receiver=south, shipment=found["rival"])
    _scan_all(goods, found, at)
    owner = User.objects.create_user("olga", password="x", role="owner")
    token = make_key(north, name="Warehouse", at=at, created_by=owner)[1]
    return World(goods, north, south, shop, stall, make_person(north, "ning"), token, at, found)


def paper_at(happened_at: datetime, at: datetime, issuer: Partner | None = None):
    from dataclasses import replace

    return replace(paper(happened_at, issuer), at=at)


def _partners(at: datetime) -> tuple[Partner, ...]:
    north = make_partner("distributor", number="D1001", name="North Tea Trading", at=at)
    south = make_partner("distributor", number="D7707", name=MARK_NAME, at=at)
    Partner.objects.filter(pk=south.pk).update(name_zh=MARK_NAME_ZH)
    shop = make_partner("retailer", number="R1001", name="Bluestone Street Tea", at=at)
    stall = make_partner("retailer", number="R7717", name="Rival Stall Seventeen", at=at)
    Partner.objects.filter(pk=shop.pk).update(parent=north, name_zh="青石街茶行")
    Partner.objects.filter(pk=north.pk).update(name_zh="北江茶叶贸易")
    Partner.objects.filter(pk=stall.pk).update(parent=south, name_zh="对手十七号摊")
    for one in (north, south, shop, stall):
        one.refresh_from_db()
    return north, south, shop, stall


def _places(north: Partner, south: Partner, since: date) -> None:
    country = make_region("CN", kind="country", name="China")
    province = make_region("CN-GD", country, "province", "Guangdong")
    own = make_region("CN-440100", province, "city", "Guangzhou")
    other = make_region("CN-440300", province, "city", "Shenzhen")
    Territory.objects.create(partner=north, region=own, valid_from=since)
    Territory.objects.create(partner=south, region=other, valid_from=since)


def _send(goods: Goods, to: Partner, cases: tuple[int, ...], happened_at: datetime, at: datetime) -> Document:
    from channel.acts import ship

    answer = ship(paper_at(happened_at, at), items(*(goods.cases[n] for n in cases)), source=None, destination=to)
    assert answer.status == "ACCEPTED", answer.lines
    return answer.document


def monday_before(at: datetime) -> datetime:
    """Return the Monday noon of the last whole week."""
    local = at - timedelta(days=at.weekday() + 7)
    return local.replace(hour=12, minute=0, second=0, microsecond=0)


def _scan_all(goods: Goods, found: dict[str, Document], at: datetime) -> None:
    """Scan south's goods in north's area by seven devices last week and three the week before; north's own by six."""
    day = monday_before(at)
    rival = [number for case in range(6, 18) for number in goods.labels(case)]
    for n in range(7):
        scan(rival[n], 9_000 + n, day + timedelta(hours=n), found["rival"], goods.b, city="Guangzhou")
    for n in range(3):
        scan(rival[20 + n], 9_100 + n, day - timedelta(days=7 - n), found["rival"], goods.b, city="Guangzhou")
    for n in range(11):
        scan(
            goods.labels(n // 4)[n % 4],
            9_200 + n % 6,
            day + timedelta(hours=n),
            found["arrived"],
            goods.a,
            city="Guangzhou",
        )


def scan(
    label_no: int,
    asker: int,
    at: datetime,
    shipment: Document,
    holder: Partner,
    *,
    city: str,
    region: str = "CN-440100",
) -> Scan:
    """Write one scan with its place and route."""
    product_id = Batch.objects.filter(label_range__contains=NumericRange(label_no, label_no + 1)).values_list(
        "product_id", flat=True
    )[0]
    row = Scan.objects.create(
        at=at,
        label_no=label_no,
        asker=asker,
        product_id=product_id,
        act=Act.CHECK,
        door=Door.WEB,
        outcome=Outcome.GENUINE_FIRST,
    )
    ScanPlace.objects.create(
        scan_id=row.pk, source="gps", region=region, city=city, city_zh="广州", confidence=0.9, at=at
    )
    ScanRoute.objects.create(
        scan_id=row.pk,
        label_no=label_no,
        at=at,
        shipment_id=shipment.pk,
        distributor_id=holder.pk,
        market=[region],
        as_of=at,
    )
    return row
