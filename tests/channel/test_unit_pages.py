"""Units by hand on the console: packed, opened, relabelled; product lines, and the days of a territory."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from brands.models import Brand
from channel.goods import markets_of, owner_of
from channel.items import units_by_sscc
from channel.models import Document, ProductLine, Territory, Unit, UnitRange
from common.clock import now
from staff.models import Audit
from tests.channel.goods import Goods, ago, make_goods, make_region, new_sscc, range_text, send
from tests.channel.test_goods_pages import signed_in
from tests.makers import labels_of, make_active_batch, make_product, serial_of


@pytest.fixture
def goods(brand: Brand) -> Goods:
    Brand.objects.filter(pk=brand.pk).update(gs1_prefix="6901230")
    brand.gs1_prefix = "6901230"
    return make_goods()


@pytest.fixture
def owner(goods: Goods) -> Client:
    return signed_in("owner")


def packing(**change: str) -> dict[str, str]:
    return {
        "kind": "case",
        "sscc": "",
        "lot": "",
        "items": "",
        "number": "P-1",
        "happened_at": "",
        "reason": "",
    } | change


def test_a_case_is_packed_under_a_new_number_once(owner: Client, goods: Goods) -> None:
    labels = labels_of(make_active_batch(3))
    form = packing(items=range_text(labels))

    first = owner.post("/console/goods/pack", form)
    again = owner.post("/console/goods/pack", form)

    assert (first.status_code, first.headers["Location"]) == (302, again.headers["Location"])
    made = Unit.objects.latest("pk")
    assert (made.kind, made.is_foreign, made.ranges.get().count) == ("case", False, 3)
    assert made.sscc[1:8] == "6901230"
    assert Document.objects.get(number="P-1").recorded_by == "owner"
    other = owner.post("/console/goods/pack", packing(number="P-2", items=serial_of(labels[0])))
    page = owner.get(other.headers["Location"]).content.decode()
    assert "That lies in another unit." in page


def listed(rows: str, number: str = "L-1") -> dict[str, object]:
    file = SimpleUploadedFile("list.csv", rows.encode("utf-8-sig"))
    return {"file": file, "number": number, "happened_at": "", "reason": ""}


def test_a_packing_list_fills_many_units_once(owner: Client, goods: Goods) -> None:
    labels = labels_of(make_active_batch(6))
    one, two, pallet = new_sscc(), new_sscc(), new_sscc()
    rows = [
        "unit,item,kind,lot",
        f"{one},{range_text(labels[:3])},,L7",
        f"(00){two},{range_text(labels[3:])},Case,L7",
        f"{pallet},{one},pallet,",
        f"{pallet},{two},pallet,",
        f"{two},nonsense,,",
    ]

    first = owner.post("/console/goods/packing-list", listed("\r\n".join(rows)))
    again = owner.post("/console/goods/packing-list", listed("\n".join(rows)))

    assert (first.status_code, first.headers["Location"]) == (302, again.headers["Location"])
    document = Document.objects.get(number="L-1")
    assert (document.kind, document.accepted, document.rejected) == ("packing", 4, 1)
    units = units_by_sscc([one, two, pallet])
    assert [(unit.kind, unit.lot) for unit in units.values()] == [("case", "L7"), ("case", "L7"), ("pallet", "")]
    assert {link.child for link in units[pallet].children.all()} == {units[one], units[two]}


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        ("item\nX\n", "no column unit"),
        ("unit,item\n123,X\n", "Line 2: unit is no SSCC"),
        ("unit,item,kind\n395210000123456786,X,box\n", "Line 2: kind is none of"),
        ("unit,item,lot\n395210000123456786,X," + "L" * 21, "Line 2: a lot has"),
        ("unit,item\n", "at least one line"),
    ],
)
def test_a_packing_list_that_is_none_says_where(owner: Client, goods: Goods, rows: str, words: str) -> None:
    answer = owner.post("/console/goods/packing-list", listed(rows))

    assert answer.status_code == 422
    assert words in answer.content.decode()
    assert not Document.objects.filter(number="L-1").exists()


def test_a_pallet_with_a_foreign_number_takes_cases(owner: Client, goods: Goods) -> None:
    pallet = new_sscc()

    owner.post("/console/goods/pack", packing(kind="pallet", sscc=f"(00){pallet}", items="\n".join(goods.cases)))

    unit = units_by_sscc([pallet])[pallet]
    assert (unit.kind, unit.children.count()) == ("pallet", 2)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"sscc": "306901230000000131"}, "That is no SSCC"),
        ({"items": ""}, "required"),
        ({"number": "N\0"}, "Null characters"),
        ({"happened_at": "2099-01-01T00:00"}, "not of the future"),
    ],
)
def test_what_is_wrong_keeps_what_was_typed(owner: Client, goods: Goods, change: dict[str, str], words: str) -> None:
    form = packing(items="SOMETHING-TYPED", reason="the night shift") | change

    answer = owner.post("/console/goods/pack", form)

    page = answer.content.decode()
    assert (answer.status_code, words in page, "the night shift" in page) == (422, True, True)
    assert not Document.objects.filter(number__startswith="P-").exists()


def test_without_a_prefix_no_number_is_given_out(brand: Brand) -> None:
    label = labels_of(make_active_batch(1))[0]

    answer = signed_in("owner").post("/console/goods/pack", packing(items=serial_of(label)))

    assert (answer.status_code, "no GS1 company prefix" in answer.content.decode()) == (422, True)


def test_a_unit_is_opened_in_part_and_wholly(owner: Client, goods: Goods) -> None:
    path = f"/console/goods/units/{goods.cases[0]}/open"
    form = {"number": "O-1", "items": serial_of(goods.labels(0)[0]), "happened_at": "", "reason": ""}

    owner.post(path, form)
    some = sum(one.count for one in UnitRange.objects.filter(unit__sscc=goods.cases[0], closed_at=None))
    owner.post(path, form | {"number": "O-2", "items": ""})

    assert some == 3
    assert not UnitRange.objects.filter(unit__sscc=goods.cases[0], closed_at=None).exists()
    wrong = owner.post(path, form | {"number": "O-2", "items": "other", "reason": "typed"})
    assert (wrong.status_code, "typed" in wrong.content.decode()) == (422, True)
    assert owner.get("/console/goods/units/395210000123456786/open").status_code == 404


def test_a_unit_gets_a_new_label_and_answers_to_the_old_number(owner: Client, goods: Goods) -> None:
    old, new = goods.cases[0], new_sscc()
    path = f"/console/goods/units/{old}/relabel"
    form = {"number": "L-1", "sscc": goods.cases[1], "happened_at": "", "reason": "torn"}

    taken = owner.post(path, form)
    owner.post(path, form | {"sscc": new})

    assert (taken.status_code, "has, or had, that SSCC" in taken.content.decode()) == (422, True)
    page = owner.get(f"/console/goods/units/{old}").content.decode()
    assert new in page
    assert f"before it was {old}" in page
    answer = send(goods, goods.a, 0)
    assert answer.status == "ACCEPTED"


def test_only_who_moves_goods_packs_and_only_who_edits_draws_lines(goods: Goods) -> None:
    warehouse, marketer = signed_in("warehouse"), signed_in("marketer")
    unit = f"/console/goods/units/{goods.cases[0]}"

    assert [warehouse.get(path).status_code for path in ("/console/goods/pack", f"{unit}/open", f"{unit}/relabel")] == [200] * 3  # fmt: skip
    assert [marketer.get(path).status_code for path in ("/console/goods/pack", f"{unit}/open", f"{unit}/relabel")] == [403] * 3  # fmt: skip
    assert (marketer.get("/console/product-lines/new").status_code, warehouse.get("/console/product-lines/new").status_code) == (200, 403)  # fmt: skip
    assert warehouse.get("/console/product-lines").status_code == 200
    assert "Pack by hand" not in marketer.get("/console/goods").content.decode()


def test_a_product_line_has_territories_of_its_own(owner: Client, goods: Goods) -> None:
    green, black = make_product(name="Green"), make_product(name="Black")
    make_region("CN", kind="country")
    made = owner.post("/console/product-lines/new", {"name": "Teas", "name_zh": "茶", "products": [green.pk]})
    line = ProductLine.objects.get()
    path = f"/console/product-lines/{line.public_id}"
    given = {"region": "CN", "line": line.pk, "valid_from": "2026-01-01", "valid_to": ""}

    owner.post(f"/console/partners/{goods.a.public_id}/territories", given)
    owner.post(f"/console/partners/{goods.b.public_id}/territories", given | {"line": ""})

    assert made.headers["Location"] == path
    assert (owner_of("CN", green.pk, now()), owner_of("CN", black.pk, now())) == (goods.a.pk, goods.b.pk)
    page = owner.get(path).content.decode()
    assert "Green" in page
    assert goods.a.display_name in page
    assert "Black" not in page
    owner.post(f"{path}/edit", {"name": "All teas", "name_zh": "", "products": [green.pk, black.pk]})
    assert owner_of("CN", black.pk, now()) == goods.a.pk
    assert ProductLine.objects.get().name == "All teas"
    assert Audit.objects.filter(table_name="channel_productline_products").count() >= 2
    twice = owner.post("/console/product-lines/new", {"name": "All teas", "name_zh": "又一", "products": []})
    assert (twice.status_code, "又一" in twice.content.decode()) == (422, True)
    assert owner.get("/console/product-lines/pln_nothing").status_code == 404


def test_a_territory_is_ended_and_corrected(owner: Client, goods: Goods) -> None:
    region = make_region("CN", kind="country")
    first = Territory.objects.create(partner=goods.a, region=region, valid_from=date(2026, 1, 1))
    Territory.objects.create(partner=goods.b, region=region, valid_from=date(2026, 6, 1))
    path = f"/console/partners/{goods.a.public_id}/territories/{first.pk}"

    owner.post(path, {"valid_from": "2026-01-01", "valid_to": "2026-03-31"})

    assert markets_of([(goods.a.pk, None, ago())]) == [(None, ())]
    assert "ended" in owner.get(f"/console/partners/{goods.a.public_id}").content.decode()
    wrong = owner.post(path, {"valid_from": "2026-04-01", "valid_to": "2026-03-31"})
    assert (wrong.status_code, "2026-04-01" in wrong.content.decode()) == (422, True)
    taken = owner.post(path, {"valid_from": "2026-06-01", "valid_to": ""})
    assert (taken.status_code, "Somebody has this region" in taken.content.decode()) == (422, True)
    assert owner.get(f"/console/partners/{goods.b.public_id}/territories/{first.pk}").status_code == 404
    assert Audit.objects.filter(table_name="channel_territory", act__iexact="update").exists()
