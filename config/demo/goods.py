"""Where the demo's goods went: China's regions, territories, shipments of loose labels, and cases with what is in them."""

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta

from channel.acts import Item, Paper, receive, ship
from channel.models import Document, Partner, Region, Territory
from channel.packing import Filling, pack
from channel.regions import load
from channel.services import give_territory
from config.demo import trade
from config.demo.story import KEPT_BACK, BrandPlan
from labels.models import Batch
from labels.queries import serials_of
from printing.gs1 import sscc

CASES, PER_CASE = 12, trade.PER_CASE
NEWEST = 4  # cases that went to each distributor last
FIRST_SSCC = 3_9521_0001_9000_0000  # of GS1's prefix for demonstrations


def seed_goods(
    plan: BrandPlan, batches: Mapping[str, Batch], partners: Sequence[Partner], began: datetime, *, at: datetime
) -> None:
    """Send the batches that are sold to the distributors, and a pallet to the first; safe to run again."""
    distributors = [partner for partner in partners if partner.kind == Partner.Kind.DISTRIBUTOR]
    if not distributors:
        return
    if not Region.objects.filter(code="CN").exists():
        load(["CN"])
    for partner, planned in zip(distributors, plan.distributors, strict=True):
        held = set(Territory.objects.filter(partner=partner).values_list("region__code", flat=True))
        for region in planned.territory:
            if region not in held:
                give_territory(partner, region=region, valid_from=(began - timedelta(days=10)).date())
    _put_shops_below(plan, partners, distributors)
    for key in [key for key, _weight in plan.sold] + ([plan.game] if plan.game else []):
        on = max(began, batches[key].created_at) + timedelta(days=1)
        _send_batch(plan, key, batches[key], distributors, on, at=at)
    key = plan.sold[0][0]
    _pallet(batches[key], plan.parts_of(key)[-1][1], distributors[0], began + timedelta(days=2), at=at)
    if plan.cartons:
        _send_cartons(batches[plan.cartons], distributors, began, at)
        _send_newest(batches[plan.cartons], distributors, at)


def _put_shops_below(plan: BrandPlan, partners: Sequence[Partner], distributors: Sequence[Partner]) -> None:
    """Put each shop below the distributor whose territory it stands in: that is to whom a distributor ships on."""
    for shop in partners:
        if shop.kind != Partner.Kind.RETAILER or shop.parent_id:
            continue
        for distributor, planned in zip(distributors, plan.distributors, strict=True):
            if any(shop.region == region or shop.region.startswith(f"{region}-") for region in planned.territory):
                shop.parent = distributor
                shop.save(update_fields=["parent"])
                break


def _send_newest(batch: Batch, distributors: Sequence[Partner], at: datetime) -> None:
    """Send some cases to each distributor yesterday: nobody has confirmed them yet. Once: the days go on."""
    if Document.objects.filter(number__startswith=f"SO-{batch.number}-N").exists():
        return
    first, on = batch.goods[0] + len(trade.CONSIGNMENTS) * trade.LABELS, at - timedelta(hours=20)
    for place, distributor in enumerate(distributors):
        number = f"{batch.number}-N{place + 1}"
        cases = [sscc(FIRST_SSCC + 1_100_000 + place * 100 + case) for case in range(NEWEST)]
        pack(Paper(f"PK-{number}", None, on, at, "demo"), _cases(cases, first + place * NEWEST * PER_CASE))
        _send(number, distributor, cases, on, at)


def _send_batch(
    plan: BrandPlan, key: str, batch: Batch, distributors: Sequence[Partner], on: datetime, *, at: datetime
) -> None:
    """Send equal parts to all, and the rest to the first: but the pallet's, what was stolen, and what is kept back."""
    first = batch.goods[0]
    for place, (partner, (start, end)) in enumerate(zip(distributors, plan.parts_of(key), strict=True), 1):
        _send(f"{batch.number}-{place}", partner, [_range(first + start, first + end)], on, at)
    planned = next(one for one in plan.batches if one.key == key)
    start = plan.parts_of(key)[-1][1] + (CASES * PER_CASE if key == plan.sold[0][0] else 0)
    rest = []
    for gone in sorted((block.first, block.end) for block in planned.blocks if block.reason in {"stolen", "lost"}):
        rest.append((start, gone[0]))
        start = gone[1]
    rest.append((start, planned.labels - KEPT_BACK))
    lines = [_range(first + start, first + end) for start, end in rest if start < end]
    _send(f"{batch.number}-R", distributors[0], lines, on + timedelta(hours=2), at)


def _send(number: str, partner: Partner, lines: Sequence[str], on: datetime, at: datetime) -> None:
    paper = Paper(f"SO-{number}", None, on, at, "demo")
    sent = ship(paper, [Item(line) for line in lines], source=None, destination=partner)
    if on + timedelta(days=2) <= at:
        page = Paper(f"GR-{number}", partner, on + timedelta(days=2), at, "demo")
        receive(page, [], receiver=partner, shipment=sent.document)


def _pallet(batch: Batch, start: int, partner: Partner, on: datetime, *, at: datetime) -> None:
    """Send a pallet of the labels that follow the equal parts."""
    first = batch.goods[0] + start
    pallet, *cases = [sscc(FIRST_SSCC + batch.pk * 100 + place) for place in range(CASES + 1)]
    pack(Paper(f"PK-{batch.number}", None, on, at, "demo"), _cases(cases, first))
    pack(Paper(f"PP-{batch.number}", None, on, at, "demo"), [Filling(pallet, "pallet", case) for case in cases])
    _send(f"{batch.number}-P", partner, [pallet], on + timedelta(hours=3), at)


def _send_cartons(batch: Batch, distributors: Sequence[Partner], began: datetime, at: datetime) -> None:
    first = batch.goods[0]
    for place, one in enumerate(trade.CONSIGNMENTS):
        on = began + timedelta(days=one.day, hours=3)
        if on > at:
            continue
        number = f"{batch.number}-C{place + 1:02d}"
        cases = [sscc(FIRST_SSCC + 1_000_000 + place * 100 + case) for case in range(trade.CASES)]
        pack(Paper(f"PK-{number}", None, on - timedelta(hours=2), at, "demo"), _cases(cases, first + one.first))
        _send(number, distributors[one.distributor], cases, on, at)


def _cases(ssccs: Sequence[str], first: int) -> list[Filling]:
    """Return what lies in cases that follow each other on the roll."""
    return [
        Filling(case, "case", _range(first + place * PER_CASE, first + (place + 1) * PER_CASE))
        for place, case in enumerate(ssccs)
    ]


def _range(first: int, end: int) -> str:
    return "..".join(serials_of([first, end - 1]))
