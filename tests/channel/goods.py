"""Goods for the tests of the channel: two distributors, a shop, and cases of four labels."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import count

from channel.acts import Answer, Item, Paper, ship
from channel.custody import compare_custody
from channel.models import Partner, Region
from channel.packing import Filling, pack
from labels.models import Batch
from printing.gs1 import sscc
from tests.conftest import NOW
from tests.makers import labels_of, make_active_batch, make_partner, serial_of

_numbers = count(1)
_ssccs = count(3_0690_1230_0000_0000)
PER_CASE = 4
TODAY = NOW.date()


def ago(**period: float) -> datetime:
    return NOW - timedelta(**period)


@dataclass
class Goods:
    """``cases`` of four labels each, packed ten days ago."""

    batch: Batch
    cases: list[str]
    a: Partner
    b: Partner
    shop: Partner

    def labels(self, case: int) -> list[int]:
        return labels_of(self.batch)[case * PER_CASE : (case + 1) * PER_CASE]


def new_sscc() -> str:
    return sscc(next(_ssccs))


def paper(happened_at: datetime | None = NOW, issuer: Partner | None = None, number: str = "", **values: str) -> Paper:
    return Paper(number or f"N{next(_numbers)}", issuer, happened_at, NOW, values.pop("by", "ada"), **values)


def items(*texts: str, condition: str = "") -> list[Item]:
    return [Item(text, condition) for text in texts]


def make_goods(cases: int = 2, *, at: datetime = NOW) -> Goods:
    batch = make_active_batch(cases * PER_CASE, at=at)
    ssccs = [new_sscc() for _ in range(cases)]
    numbers = labels_of(batch)
    fillings = [
        Filling(one, "case", range_text(numbers[place * PER_CASE : (place + 1) * PER_CASE]))
        for place, one in enumerate(ssccs)
    ]
    assert pack(Paper(f"N{next(_numbers)}", None, at - timedelta(days=10), at, "ada"), fillings).status == "ACCEPTED"
    a, b = (make_partner("distributor", name=name) for name in ("A", "B"))
    shop = make_partner("retailer")
    Partner.objects.filter(pk=shop.pk).update(parent=a)
    shop.refresh_from_db()
    return Goods(batch, ssccs, a, b, shop)


def range_text(numbers: Sequence[int]) -> str:
    return f"{serial_of(numbers[0])}..{serial_of(numbers[-1])}"


def send(goods: Goods, to: Partner, *cases: int, at: datetime = NOW, source: Partner | None = None) -> Answer:
    texts = [goods.cases[case] for case in cases]
    return ship(paper(at, source), items(*texts), source=source, destination=to)


def reasons(answer: Answer) -> list[str]:
    return [line.reason or line.outcome for line in answer.lines]


def make_region(code: str, parent: Region | None = None, kind: str = "province", name: str = "") -> Region:
    return Region.objects.create(code=code, kind=kind, parent=parent, name=name or code, name_zh=name or code)


def make_custody_anew() -> None:
    """Derive all custody once more from the movements."""
    after: int | None = 0
    while after is not None:
        after = compare_custody(after, mends=True).upto
