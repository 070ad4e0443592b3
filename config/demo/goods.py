"""Where the demo's goods went: China's regions, a territory for each distributor, shipments, and cases on a pallet."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from channel.acts import Item, Paper, receive, ship
from channel.models import Partner, Region, Territory
from channel.packing import Filling, pack
from channel.regions import load
from channel.services import give_territory
from labels.models import Batch
from labels.queries import serials_of
from printing.gs1 import sscc

CASES, PER_CASE = 12, 24
FIRST_SSCC = 3_9521_0001_9000_0000  # of GS1's prefix for demonstrations


def seed_goods(batches: Sequence[Batch], partners: Sequence[Partner], began: datetime, *, at: datetime) -> None:
    """Send the first half of each batch to the distributors in equal parts, and a pallet to the first; safe to run again."""
    distributors = [partner for partner in partners if partner.kind == Partner.Kind.DISTRIBUTOR]
    if not distributors:
        return
    if not Region.objects.filter(code="CN").exists():
        load(["CN"])
    for partner in distributors:
        if partner.region and not Territory.objects.filter(partner=partner).exists():
            give_territory(partner, region=partner.region, valid_from=(began - timedelta(days=10)).date())
    for batch in batches:
        first, end = batch.goods
        part = (end - first) // 2 // len(distributors)
        on = max(began, batch.created_at) + timedelta(days=1)
        for place, partner in enumerate(distributors):
            here = first + place * part
            _send(f"{batch.number}-{place + 1}", partner, _range(here, here + part), on, at)
    _pallet(batches[0], distributors[0], max(began, batches[0].created_at) + timedelta(days=2), at)


def _send(number: str, partner: Partner, text: str, on: datetime, at: datetime) -> None:
    sent = ship(Paper(f"SO-{number}", None, on, at, "demo"), [Item(text)], source=None, destination=partner)
    if on + timedelta(days=2) <= at:
        page = Paper(f"GR-{number}", partner, on + timedelta(days=2), at, "demo")
        receive(page, [], receiver=partner, shipment=sent.document)


def _pallet(batch: Batch, partner: Partner, on: datetime, at: datetime) -> None:
    first, end = batch.goods
    first += (end - first) // 2
    if first + CASES * PER_CASE > end:
        return
    pallet, *cases = [sscc(FIRST_SSCC + batch.pk * 100 + place) for place in range(CASES + 1)]
    fillings = [
        Filling(case, "case", _range(first + place * PER_CASE, first + (place + 1) * PER_CASE))
        for place, case in enumerate(cases)
    ]
    pack(Paper(f"PK-{batch.number}", None, on, at, "demo"), fillings)
    pack(Paper(f"PP-{batch.number}", None, on, at, "demo"), [Filling(pallet, "pallet", case) for case in cases])
    _send(f"{batch.number}-P", partner, pallet, on + timedelta(hours=3), at)


def _range(first: int, end: int) -> str:
    return "..".join(serials_of([first, end - 1]))
