"""Packs, coupons, shelf talkers and cards: numbers given out once, files that read as what was ordered."""

import itertools
import re
import threading
from dataclasses import replace
from datetime import datetime
from io import BytesIO

import numpy as np
import pypdfium2
import pytest
import zxingcpp
from django.db import IntegrityError, connection, connections

from brands.models import Brand
from labels.digital_link import check_digit_is_right
from labels.elements import read
from labels.models import Batch
from labels.queries import serials_of
from printing import designs, gs1, record_proof, records, runs, starters
from printing.models import Run, SsccCounter, TemplateVersion
from printing.records import Record
from printing.runs import NewPacks, Subject
from printing.symbols import ProofFailed
from printing.zpl import code128_data
from tests.makers import make_batch

PREFIX = "9501101"


@pytest.fixture
def prefix(brand: Brand) -> str:
    connection.tenant.gs1_prefix = PREFIX
    return PREFIX


def version(kind: str, at: datetime) -> TemplateVersion:
    return designs.create_template(name=kind, kind=kind, layout=starters.layout(kind), at=at)


def packs(made: TemplateVersion, batch: Batch, at: datetime, key: str = "k", **changed: object) -> Run:
    new = replace(NewPacks(batch, 1, 50, 24, "2611A"), **changed)  # type: ignore[arg-type]
    return runs.order_packs(made, new, order_key=key, at=at, asked_by="ada")


def read_page(data: bytes, page: int = 0, scale: float = 300 / 72) -> dict[str, str]:
    """Return what the symbols of a page say, by symbology."""
    picture = pypdfium2.PdfDocument(data)[page].render(scale=scale, grayscale=True).to_numpy()
    return {one.symbology_identifier + one.text[:4]: one.text for one in zxingcpp.read_barcodes(picture)}


# --- numbers of GS1 ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prefix", "count", "sscc"),
    [  # an example of GS1
        ("0614141", 10**9 + 234_567_890, "106141412345678908"),
    ],
)
def test_an_sscc_is_extension_prefix_reference_and_check_digit(prefix: str, count: int, sscc: str) -> None:
    assert gs1.sscc(gs1.first_number(prefix, count)) == sscc
    assert check_digit_is_right(sscc)


def test_ssccs_end_with_the_tenth_extension() -> None:
    last = 10 * gs1.references(PREFIX) - 1

    assert gs1.sscc(gs1.first_number(PREFIX, last)).startswith("99501101")
    with pytest.raises(ValueError, match="no SSCC left"):
        gs1.first_number(PREFIX, last + 1)


def test_elements_are_parted_behind_values_of_variable_length() -> None:
    assert (
        gs1.plain("(00)340123450000000017(02)09501101530003(37)24(10)A-1")
        == "00340123450000000017020950110153000337" + "24\x1d10A-1"
    )


@pytest.mark.parametrize(
    ("text", "data"),
    [
        ("00340123450000000017", ">;>800340123450000000017"),
        ("3724\x1d10A-1", ">;>83724>810>6A-1"),
        ("37240\x1d10AB123456", ">;>83724>60>810AB>5123456"),
    ],
)
def test_zpl_data_is_in_set_c_where_digits_pair(text: str, data: str) -> None:
    assert code128_data(text) == data


# --- packs ---------------------------------------------------------------------------------------------------------


def test_each_pack_has_a_number_and_its_part_of_the_labels(prefix: str, at: datetime) -> None:
    batch = make_batch(count=50, at=at)

    run = packs(version("case", at), batch, at)

    made = list(runs.packs(run))
    assert [(one.count, one.from_label, one.to_label) for one in made] == [(24, 1, 24), (24, 25, 48), (2, 49, 50)]
    assert len({one.sscc for one in made}) == 3
    assert all(check_digit_is_right(one.sscc) and one.sscc.startswith("0" + PREFIX) for one in made)
    found = runs.pack_of(made[1].sscc)
    assert found is not None
    assert (found.seq, found.first, found.end) == (2, made[1].first, made[1].end)


@pytest.mark.parametrize("sscc", ["", "1" * 18, "095011010999999993", "09501101000000000x"])
def test_a_number_that_is_not_ours_is_no_pack(prefix: str, at: datetime, sscc: str) -> None:
    packs(version("case", at), make_batch(count=50, at=at), at)

    assert runs.pack_of(sscc) is None


def test_the_same_order_twice_is_one_run_and_another_is_refused(prefix: str, at: datetime) -> None:
    made, batch = version("case", at), make_batch(count=50, at=at)
    run = packs(made, batch, at)

    assert packs(made, batch, at).pk == run.pk
    with pytest.raises(runs.KeyUsed):
        packs(made, batch, at, per_pack=12)
    with pytest.raises(runs.InAPackAlready):
        packs(made, batch, at, key="other", first=40)
    assert packs(version("pallet", at), batch, at, key="pallet", per_pack=50).count == 1
    assert SsccCounter.objects.get().next == 4


def test_a_cancelled_run_frees_labels_but_no_number(prefix: str, at: datetime) -> None:
    made, batch = version("case", at), make_batch(count=50, at=at)
    first = packs(made, batch, at)

    runs.cancel(first, at=at)
    second = packs(made, batch, at, key="again")

    assert second.numbers.lower == first.numbers.upper
    with pytest.raises(IntegrityError, match="no_sscc_is_given_out_twice"):
        Run.objects.create(
            order_key="thief", version=made, kind="case", count=1, batch=batch, label_range=(1, 2), per_pack=1,
            numbers=first.numbers, created_at=at, cancelled_at=at,
        )  # fmt: skip


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"last": 51}, runs.NotToRun),
        ({"first": 0}, runs.NotToRun),
        ({"per_pack": 0}, runs.NotToRun),
        ({"first": 9, "last": 8}, runs.NotToRun),
    ],
)
def test_labels_that_are_none_are_refused(
    prefix: str, at: datetime, changed: dict[str, int], error: type[Exception]
) -> None:
    made, batch = version("case", at), make_batch(count=50, at=at)

    with pytest.raises(error):
        packs(made, batch, at, **changed)
    assert packs(made, batch, at).count == 3


def test_without_a_company_prefix_nothing_is_numbered(brand: Brand, at: datetime) -> None:
    with pytest.raises(runs.NoPrefix):
        packs(version("case", at), make_batch(count=50, at=at), at)
    assert not Run.objects.exists()


def test_runs_at_the_same_moment_never_share_a_number(real_commits: Brand, at: datetime) -> None:
    made, batches = version("case", at), [make_batch(count=50, at=at) for _ in range(6)]
    found: list[Run] = []

    def order(batch: Batch) -> None:
        connection.set_tenant(real_commits)
        connection.tenant.gs1_prefix = PREFIX
        found.append(packs(made, batch, at, key=batch.number))
        connections.close_all()

    threads = [threading.Thread(target=order, args=(batch,)) for batch in batches]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)

    ranges = sorted((run.numbers.lower, run.numbers.upper) for run in found)
    assert len(ranges) == 6
    assert all(before[1] == after[0] for before, after in itertools.pairwise(ranges))


def test_a_case_label_says_its_number_its_content_and_its_serials(prefix: str, at: datetime) -> None:
    batch = make_batch(count=50, at=at)
    run = packs(version("case", at), batch, at)

    data = runs.pdf(run, runs.records_of(run))

    pack, opened = runs.pack_at(run, 3), pypdfium2.PdfDocument(data)
    text = opened[2].get_textpage().get_text_range()
    content = f"(02){batch.gtin_printed}(37)2(10)2611A"
    said = {one.text for one in zxingcpp.read_barcodes(opened[2].render(scale=300 / 72).to_numpy())}
    assert len(opened) == 3
    assert said == {
        f"(00){pack.sscc}",
        content,
        f"(00){pack.sscc}{content}",
        f"HTTPS://BRAND.LOCALHOST/00/{pack.sscc}",
    }
    assert all(serial in text for serial in serials_of([pack.first, pack.end - 1]))
    reading = read(f"]C1{gs1.plain(content)}")
    assert (reading.value("37"), reading.value("10"), [one.fault for one in reading.elements]) == (
        "2",
        "2611A",
        [None] * 3,
    )


def test_a_case_label_as_zpl(prefix: str, at: datetime) -> None:
    run = packs(version("case", at), make_batch(count=50, at=at), at)

    lines = runs.zpl_of(run, runs.records_of(run)).decode().splitlines()

    pack = runs.pack_at(run, 1)
    assert len(lines) == 4
    assert lines[0].startswith("^XA^DFR:T.ZPL^FS")
    assert f"^FD>;>800{pack.sscc}^FS" in lines[1]
    assert f"^FD|100{pack.sscc}02" in lines[1]
    assert len(re.findall(r"\^FN\d+", lines[0])) == len(re.findall(r"\^FN\d+", lines[1]))


# --- proof ---------------------------------------------------------------------------------------------------------


def test_the_proof_finds_a_symbol_and_a_text_of_another_piece(prefix: str, at: datetime) -> None:
    run = packs(version("case", at), make_batch(count=50, at=at), at)
    template, made = runs.layout_of(run), runs.records_of(run)
    file = BytesIO()
    records.write(template, made, file, deflate=True)
    assert record_proof.check(file.getvalue(), template, made) == 3

    swapped = [replace(made[0], texts={**made[0].texts, "first": made[1].texts["first"]}), *made[1:]]
    with pytest.raises(ProofFailed, match="page 1: the text"):
        record_proof.check(file.getvalue(), template, swapped)
    wrong = [*made[:2], replace(made[2], link=made[0].link)]
    with pytest.raises(ProofFailed, match="page 3: a symbol"):
        record_proof.check(file.getvalue(), template, wrong)
    with pytest.raises(ProofFailed, match="pages"):
        record_proof.check(file.getvalue(), template, made[:2])


# --- coupons, shelf talkers ----------------------------------------------------------------------------------------


def test_coupons_take_the_next_numbers_and_read_as_them(prefix: str, at: datetime) -> None:
    made = version("coupon", at)

    first, second = (runs.order_coupons(made, count, order_key=str(count), at=at) for count in (3, 2))

    numbers = [runs.coupon_numbers(run.numbers.lower, run.numbers.upper) for run in (first, second)]
    assert len({*numbers[0], *numbers[1]}) == 5
    assert [len(number) for number in numbers[0]] == [12] * 3
    said = read_page(runs.pdf(first, runs.records_of(first)), 1)
    assert numbers[0][1] in said.values()
    assert any(text.startswith("(255)950110100000") and text.endswith(numbers[0][1]) for text in said.values())


def test_a_shelf_talker_carries_its_partner(brand: Brand, at: datetime) -> None:
    run = runs.order_for(version("talker", at), ["par_a", "par_b"], order_key="t", at=at)
    subjects = [
        Subject("R10018", "青石街茶铺", "https://brand.localhost/p/R10018"),
        Subject("P2002", "Lin (Wei)", "https://brand.localhost/p/P2002"),
    ]

    data = runs.pdf(run, runs.records_of(run, subjects))

    text = pypdfium2.PdfDocument(data)[1].get_textpage().get_text_range()
    assert "Lin (Wei)" in text
    assert "P2002" in text
    assert "https://brand.localhost/p/P2002" in read_page(data, 1).values()
    with pytest.raises(runs.NotToRun):
        runs.zpl_of(run, [])
    with pytest.raises(runs.NotToRun):
        runs.order_for(run.version, ["par_a", "par_a"], order_key="twice", at=at)


def test_symbols_of_different_sizes_share_a_file(brand: Brand, at: datetime) -> None:
    template = version("talker", at).as_template()
    made = [
        Record({"partner": "A", "partner_no": "R1000"}, link)
        for link in ("https://a.example/p/R1", "https://a.example/p/" + "R" * 60)
    ]
    file = BytesIO()

    records.write(template, made, file)

    assert record_proof.check(file.getvalue(), template, made) == 2
    with pytest.raises(ValueError, match="too much"):
        records.write(template, [Record({}, "x" * 500)], BytesIO())


def test_modules_are_black_and_white(brand: Brand) -> None:
    from printing.template import Qr

    assert set(np.unique(records.modules(Qr(x=0, y=0), Record({}, "A")))) == {0, 1}
