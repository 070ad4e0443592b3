"""Labels go on sale, or are blocked, by the case or pallet that they are in."""

from collections.abc import Callable
from datetime import date, datetime

import pytest
from django.db import connection, transaction
from django.test import Client

from brands.models import Brand
from common.clock import now
from labels import rolls
from labels.models import Activation, Batch, Block
from labels.services import activate
from printing import designs, runs, starters
from printing.models import TemplateVersion
from printing.runs import NewPacks, Pack
from tests.makers import make_batch

NEW = "/console/activations/new"
Browse = Callable[..., Client]


@pytest.fixture
def at() -> datetime:
    return now()


@pytest.fixture
def batch(brand: Brand, at: datetime) -> Batch:
    connection.tenant.gs1_prefix = "9501101"
    return make_batch(count=60, at=at)


@pytest.fixture
def cases(batch: Batch, at: datetime) -> list[Pack]:
    """Three cases of 24, 24 and 12 labels."""
    return print_packs(batch, at, per_pack=24)


def print_packs(batch: Batch, at: datetime, *, kind: str = "case", per_pack: int, lot: str = "2611A") -> list[Pack]:
    version: TemplateVersion = designs.create_template(name=kind, kind=kind, layout=starters.layout(kind), at=at)
    new = NewPacks(batch, 1, batch.count, per_pack, lot)
    return list(runs.packs(runs.order_packs(version, new, order_key=f"{batch.number}-{kind}", at=at)))


def span(pack: Pack) -> tuple[int, int]:
    return pack.first, pack.end


def on_sale() -> list[tuple[int, int]]:
    return [
        (int(row.label_range.lower), int(row.label_range.upper)) for row in Activation.objects.order_by("label_range")
    ]


@pytest.mark.parametrize(
    "shown",
    [
        "{0}",
        "{0:.4} {0:.18}",
        "(00){0}",
        "]C100{0}",
        "]d200{0}02095011015300033724\x1d102611A",
        "00{0}02095011015300033724\u241d102611A",
        "https://brand.example/00/{0}",
        "]Q1HTTPS://BRAND.EXAMPLE/00/{0}",
    ],
)
def test_a_case_is_named_as_it_was_typed_or_scanned(browse: Browse, cases: list[Pack], shown: str) -> None:
    sscc = cases[1].sscc
    typed = f"{sscc[:4]} {sscc[4:]}" if shown.startswith("{0:") else shown.format(sscc)
    goods = {"packs": f" {typed}\r\n", "expires_on": "2028-05-01", "market": "CN-53"}

    answer = browse("warehouse").post(NEW, goods)

    assert answer.status_code == 302, answer.content.decode()
    [row] = Activation.objects.all()
    assert on_sale() == [span(cases[1])]
    assert (row.product, row.lot, row.expires_on, row.market) == (
        cases[1].run.batch.product,  # type: ignore[union-attr]
        "2611A",
        date(2028, 5, 1),
        "CN-53",
    )


def test_several_cases_and_their_pallet_are_each_label_once(browse: Browse, cases: list[Pack], at: datetime) -> None:
    batch = Batch.objects.get()
    pallet = print_packs(batch, at, kind="pallet", per_pack=48)[0]
    lines = "\n".join(one.sscc for one in (cases[0], cases[2], cases[0]))

    assert browse("warehouse").post(NEW, {"packs": lines}).status_code == 302
    assert on_sale() == [span(cases[0]), span(cases[2])]
    counts = browse("warehouse").post("/console/activations/preview", {"packs": f"{pallet.sscc}\n{cases[1].sscc}"})
    assert "<dt>Labels</dt><dd><b>48</b></dd><dt>On sale</dt><dd>24</dd>" in counts.content.decode()


def test_labels_that_are_on_sale_already_make_a_conflict(browse: Browse, cases: list[Pack], at: datetime) -> None:
    batch = Batch.objects.get()
    activate(label_range=(cases[1].end - 1, cases[1].end + 3), product=batch.product, at=at)

    refused = browse("warehouse").post(NEW, {"packs": f"{cases[0].sscc}\n{cases[1].sscc}"})

    assert refused.status_code == 422
    assert "Some labels of the range are active already." in refused.content.decode()
    assert len(on_sale()) == 1
    assert browse("warehouse").post(NEW, {"packs": cases[0].sscc}).status_code == 302


def test_labels_on_rolls_that_have_not_come_back_are_refused(browse: Browse, brand: Brand, at: datetime) -> None:
    connection.tenant.gs1_prefix = "9501101"
    Brand.objects.filter(pk=brand.pk).update(activation_requires=Brand.ActivationRequires.RECEIVED)
    batch = make_batch(count=200, roll_labels=100, at=at)
    first, second, third, *_ = print_packs(batch, at, per_pack=50)
    with transaction.atomic():
        rolls.hand_over(batch.rolls.get(number=1).pk, set_up=12, at=at)
    rolls.receive(batch.rolls.get(number=1).pk, good=100, at=at)

    refused = browse("warehouse").post(NEW, {"packs": f"{second.sscc}\n{third.sscc}"})

    assert (refused.status_code, on_sale()) == (422, [])
    assert "on rolls that have not been received" in refused.content.decode()
    assert browse("warehouse").post(NEW, {"packs": f"{first.sscc}\n{second.sscc}"}).status_code == 302
    assert on_sale() == [(first.first, second.end)]


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"packs": "106141412345678908"}, "No case or pallet of this brand has the number 106141412345678908."),
        ({"packs": "{0}\nsomething"}, "Line 2 is no SSCC"),
        ({"packs": "{0}\n" + "1" * 18}, "Line 2 is no SSCC"),
        ({"packs": "https://brand.example/00/123"}, "Line 1 is no SSCC"),
        ({"packs": "{0}\n" * 501}, "at most 500"),
        ({"packs": "9\x00"}, "Null characters"),
        ({"packs": "{0}", "first": "1", "last": "9"}, "in one way only"),
        ({"packs": "{0}", "rolls": "1"}, "in one way only"),
        ({"packs": "{0}", "lot": "OTHER"}, "lot 2611A"),
        ({"packs": ""}, "This field is required."),
    ],
)
def test_what_names_no_case_comes_back(browse: Browse, cases: list[Pack], changes: dict[str, str], said: str) -> None:
    fields = {name: text.format(cases[0].sscc) for name, text in changes.items()}

    answer = browse("warehouse").post(NEW, fields)

    assert (answer.status_code, on_sale()) == (422, [])
    assert said in answer.content.decode()
    assert browse("warehouse").post("/console/activations/preview", fields).status_code == 200


def test_cases_of_two_batches_and_of_a_cancelled_print_are_refused(
    browse: Browse, cases: list[Pack], at: datetime
) -> None:
    other = print_packs(make_batch(count=24, product=Batch.objects.get().product, at=at), at, kind="inner", per_pack=24)

    several = browse("warehouse").post(NEW, {"packs": f"{cases[0].sscc}\n{other[0].sscc}"}).content.decode()
    assert "These are of several batches: " in several
    runs.cancel(cases[0].run, at=at)
    cancelled = browse("warehouse").post(NEW, {"packs": cases[0].sscc}).content.decode()

    assert f"The print of {cases[0].sscc} was cancelled" in cancelled
    assert on_sale() == []


def test_a_case_is_put_on_sale_from_the_page_of_its_print(browse: Browse, cases: list[Pack]) -> None:
    page = browse("owner").get(f"/console/runs/{cases[0].run.public_id}").content.decode()
    assert f"{NEW}?pack={cases[2].sscc}" in page
    form = browse("warehouse").get(f"{NEW}?pack={cases[2].sscc}").context["form"].initial

    assert (form["first"], form["last"], form["lot"]) == (49, 60, "2611A")
    assert browse("warehouse").get(f"{NEW}?pack=1%00").status_code == 200


def test_a_case_is_blocked_at_once_or_after_its_batch_was_typed(browse: Browse, cases: list[Pack]) -> None:
    owner = browse("owner")
    first = {"packs": f"(00){cases[0].sscc}", "reason": "lost"}
    assert owner.post("/console/blocks/new", {**first, "lot": "2611A"}).status_code == 422
    assert owner.post("/console/blocks/new", first).status_code == 302
    final = {"packs": f"{cases[1].sscc}\n{cases[2].sscc}", "reason": "destroyed"}
    asked = owner.post("/console/blocks/new", final)
    assert "36 labels would never be honoured again." in " ".join(asked.content.decode().split())
    number = Batch.objects.get().number

    assert owner.post("/console/blocks/new", {**final, "typed": number}).status_code == 302
    found = [(row.label_range.lower, row.label_range.upper) for row in Block.objects.order_by("label_range")]
    assert found == [span(cases[0]), (cases[1].first, cases[2].end)]
