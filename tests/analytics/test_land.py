"""What the fit reads of the land: territories by product line, fixes near a border, members' homes; and papers as of each scan."""

from datetime import datetime, timedelta

import numpy as np
import pytest

from analytics import diversion, judging
from analytics.goods import NONE
from analytics.queries import Record, read_record
from analytics.rescoring import from_bytes, state_of, to_bytes
from brands.models import Brand
from channel import acts
from channel.models import Partner, ProductLine, Region, Territory
from redemption.models import Scan, ScanPlace
from redemption.routes import sweep_documents
from redemption.rules import AskerKind, Door, asker_key
from redemption.services import redeem, verify
from tests.channel.goods import Goods, ago, items, make_goods, paper, send
from tests.conftest import NOW
from tests.makers import (
    labels_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_check,
    make_member,
    make_product,
    secrets_of,
    serial_of,
)
from tests.redemption.goods import distributor, document, give, hold, make_land

DAY = timedelta(days=1)
SHIPPED = NOW - 40 * DAY


@pytest.fixture
def land(brand: Brand) -> dict[str, Region]:
    return make_land()


def see(label_no: int, region: str = "", at: datetime = NOW, beside: list[str] | None = None) -> int:
    verify(make_check(serial=serial_of(label_no), at=at))
    scan_id = int(Scan.objects.order_by("-id").values_list("pk", flat=True)[0])
    if region:
        ScanPlace.objects.create(scan_id=scan_id, source="gps", region=region, at=at, beside=beside)
    return scan_id


def read() -> Record:
    return read_record(since=NOW - 100 * DAY, until=NOW + DAY)


def line_of(name: str, *products: object) -> ProductLine:
    line = ProductLine.objects.create(name=name)
    line.products.set(products)
    return line


def test_each_product_is_judged_by_the_territories_of_its_line(land: dict[str, Region]) -> None:
    """South has the south for all but cups, which West sells there too; each gets tea and cups on one paper."""
    make_campaign()
    tea, cups = make_product(name="Tea"), make_product(name="Cups")
    line = line_of("Cups", cups)
    south, west = distributor("South"), distributor("West")
    give(south, land["CN-GD"], SHIPPED - 100 * DAY)
    give(west, land["CN-SC"], SHIPPED - 100 * DAY)
    Territory.objects.create(partner=west, region=land["CN-GD"], line=line, valid_from=(SHIPPED - 100 * DAY).date())
    scans: dict[tuple[str, str], int] = {}
    for partner, name in ((south, "south"), (west, "west")):
        mixed = document("shipment", name, source=None, to=partner, at=SHIPPED)
        for product, what in ((tea, "tea"), (cups, "cups")):
            first, second = labels_of(make_active_batch(2, product=product))
            hold(first, second + 1, partner=partner, paper=mixed, since=SHIPPED)
            scans[name, what] = see(first, "CN-GD-01")

    record = read()
    problem, _, _ = judging.pose(record.facts)
    cases = diversion.weigh_cases(problem, diversion.first_guess(problem))

    told = dict(zip(record.scan_ids[problem.witnesses.row].tolist(), cases.score.tolist(), strict=True))
    assert told[scans["south", "tea"]] < 0
    assert told[scans["west", "tea"]] > 1, "West's tea has no business in the south"
    assert told[scans["west", "cups"]] < 0, "its cups have"
    assert told[scans["south", "cups"]] == 0, "there South has no market, and West sells everywhere"
    parameters = diversion.first_guess(problem)
    kept = record.land
    state = state_of(problem, parameters, regions=kept.regions, territories=kept.territories, partners=kept.partners)
    again = from_bytes(to_bytes(state))
    assert again.geography.assortments == ((), (line.pk,))
    assert np.array_equal(again.geography.owners, record.facts.geography.owners)


def test_of_two_lines_the_narrower_one_has_its_product(land: dict[str, Region]) -> None:
    tea, cups, pots = (make_product(name=name) for name in ("Tea", "Cups", "Pots"))
    wide, narrow = line_of("Table", cups, pots), line_of("Cups", cups)
    south, west, east = (distributor(name) for name in ("South", "West", "East"))
    give(south, land["CN-GD"], SHIPPED - 100 * DAY)
    for partner, line in ((west, wide), (east, narrow)):
        Territory.objects.create(
            partner=partner, region=land["CN-GD"], line=line, valid_from=(SHIPPED - 100 * DAY).date()
        )
    for product in (tea, cups, pots):
        labels = labels_of(make_active_batch(1, product=product))
        hold(
            labels[0],
            labels[0] + 1,
            partner=south,
            paper=document("shipment", product.name, source=None, to=south, at=SHIPPED),
            since=SHIPPED,
        )
        see(labels[0], "CN-GD-01")

    record = read()

    land_read, epochs = record.facts.geography, record.facts.scan_epoch
    assert epochs is not None
    cell = land_read.codes.index("CN-GD-01")
    owners = [record.land.partners[land_read.owners[epoch, cell]] for epoch in epochs]
    assert owners == [south.pk, east.pk, west.pk]


def test_a_fix_near_a_border_counts_half_only_where_somebody_else_sells_beyond(land: dict[str, Region]) -> None:
    make_campaign()
    numbers = labels_of(make_active_batch(4))
    south, west = distributor("South"), distributor("West")
    give(south, land["CN-GD"], SHIPPED - 100 * DAY)
    give(west, land["CN-SC"], SHIPPED - 100 * DAY)
    hold(
        numbers[0],
        numbers[-1] + 1,
        partner=south,
        paper=document("shipment", "S1", source=None, to=south, at=SHIPPED),
        since=SHIPPED,
    )
    see(numbers[0], "CN-GD-01", beside=["CN-GD-02"])
    see(numbers[1], "CN-GD-01", beside=["CN-SC-01"])
    see(numbers[2], "CN-GD-01", beside=[])
    see(numbers[3], "CN-GD-01")

    assert read().facts.scans.at_border.tolist() == [False, True, False, False]


def test_a_members_home_is_where_it_redeemed_before(land: dict[str, Region]) -> None:
    make_campaign()
    south = distributor("South")
    give(south, land["CN-GD"], SHIPPED - 100 * DAY)
    batch = make_active_batch(5)
    numbers, codes, member = labels_of(batch), secrets_of(batch), make_member()
    hold(
        numbers[0],
        numbers[-1] + 1,
        partner=south,
        paper=document("shipment", "S1", source=None, to=south, at=SHIPPED),
        since=SHIPPED,
    )
    for place, region in enumerate(("CN-GD-02", "CN-GD-02", "CN-GD-02", "CN-GD-01", "CN-GD-01")):
        at = NOW - (10 - place) * DAY
        redeem(make_attempt(codes[place], member_id=member.pk, door=Door.WEB, at=at))
        scan_id = Scan.objects.order_by("-id").values_list("pk", flat=True)[0]
        ScanPlace.objects.create(scan_id=scan_id, source="gps", region=region, at=at)

    facts = read().facts

    homes = [facts.codes[home] if home != NONE else "" for home in facts.scans.home.tolist()]
    assert homes == ["", "", "", "CN-GD-02", "CN-GD-02"]
    assert set(facts.scans.device.tolist()) == {asker_key(AskerKind.MEMBER, member.pk)}


# --- the papers as of each scan: from the act to what is judged --------------------------------------------------------


@pytest.fixture
def goods(land: dict[str, Region]) -> Goods:
    """Cases of four; A sells in the south, B in the west."""
    make_campaign()
    made = make_goods(cases=2)
    give(made.a, land["CN-GD"], NOW - 300 * DAY)
    give(made.b, land["CN-SC"], NOW - 300 * DAY)
    return made


def judged(scan_ids: list[int]) -> list[tuple[Partner | None, str]]:
    """Return for each scan whose goods it is judged to have seen, and whether they were at home there."""
    record = read()
    facts = record.facts
    owners = facts.geography.owners
    found: list[tuple[Partner | None, str]] = []
    for scan_id in scan_ids:
        row = record.scan_ids.tolist().index(scan_id)
        shipment = int(facts.attribution.shipment[row])
        if shipment == NONE:
            flags = facts.attribution.before_shipping[row], facts.attribution.never_shipped[row]
            found.append((None, {(True, False): "early", (False, True): "never"}.get(flags, "with the brand")))
            continue
        who = int(facts.attribution.holder[row])
        cell = facts.geography.codes.index(facts.codes[facts.scans.gps[row]])
        at_home = owners[facts.epoch[shipment], cell] == who
        found.append((Partner.objects.get(pk=record.land.partners[who]), "home" if at_home else "away"))
    return found


def test_a_case_sent_to_another_within_a_minute_is_judged_as_of_each_scan(goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(seconds=50))
    acts.give_back(paper(ago(seconds=40), goods.a), items(goods.cases[0]), source=goods.a)
    acts.inspect(paper(ago(seconds=30)), items(goods.cases[0]), holder=None, resale=True)
    send(goods, goods.b, 0, at=ago(seconds=20))
    first, second, third, _ = goods.labels(0)

    scans = [see(first, "CN-GD-01", ago(seconds=55)), see(first, "CN-GD-01", ago(seconds=45)),
             see(second, "CN-GD-01", ago(seconds=35)), see(third, "CN-GD-01", ago(seconds=10))]  # fmt: skip

    assert judged(scans) == [(None, "early"), (goods.a, "home"), (None, "with the brand"), (goods.b, "away")]


def test_a_late_document_moves_what_was_seen_after_its_moment(goods: Goods) -> None:
    before, after = see(goods.labels(0)[0], "CN-SC-01", ago(days=6)), see(goods.labels(0)[1], "CN-SC-01", ago(days=4))
    assert judged([before, after]) == [(None, "with the brand")] * 2

    send(goods, goods.b, 0, at=ago(days=5))
    sweep_documents(at=NOW)

    assert judged([before, after]) == [(None, "early"), (goods.b, "home")]


def test_goods_returned_and_sent_to_another_region_are_judged_by_the_hands_of_the_day(goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(days=9))
    acts.give_back(paper(ago(days=7), goods.a), items(goods.cases[0]), source=goods.a)
    acts.inspect(paper(ago(days=6)), items(goods.cases[0]), holder=None, resale=True)
    send(goods, goods.b, 0, at=ago(days=5))
    labels = goods.labels(0)

    scans = [see(labels[0], "CN-SC-01", ago(days=8)), see(labels[1], "CN-SC-01", ago(days=6.5)),
             see(labels[2], "CN-SC-01", ago(days=4))]  # fmt: skip

    assert judged(scans) == [(goods.a, "away"), (None, "with the brand"), (goods.b, "home")]


def test_a_change_of_territory_counts_from_the_next_shipment(goods: Goods, land: dict[str, Region]) -> None:
    send(goods, goods.a, 0, at=ago(days=9))
    Territory.objects.filter(partner=goods.a).update(valid_to=ago(days=7).date())
    give(goods.b, land["CN-GD-01"], ago(days=6))
    send(goods, goods.b, 1, at=ago(days=5))

    old, new = (see(goods.labels(case)[0], "CN-GD-01") for case in (0, 1))

    assert judged([old, new]) == [(goods.a, "home"), (goods.b, "home")]
