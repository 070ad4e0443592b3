"""Rows for data presses and label printers, read by other readers than the one that wrote them."""

import csv
import json
import re
from io import BytesIO, StringIO

import numpy as np
import pytest
import zxingcpp

from labels.codes import bulk
from labels.codes.forms import N16
from printing import proof, qr
from printing.rows import Kind, Rows
from printing.source import BulkSource
from printing.symbols import ProofFailed
from tests.printing.makers import (
    EVEN_HOST,
    GTIN,
    make_order,
    make_ordered,
    make_rows,
    make_series,
    make_source,
    make_template,
)

kinds = pytest.mark.parametrize("kind", ["csv", "jsonl", "zpl"])
COUNT = 1_234


def test_csv_and_json_lines_say_the_same() -> None:
    source = make_source(COUNT).read(0, COUNT)
    serials, codes = bulk.texts(source.serials), bulk.texts(source.codes)

    table = list(csv.DictReader(StringIO(make_rows("csv", COUNT)[0].decode())))
    lines = [json.loads(line) for line in make_rows("jsonl", COUNT)[0].decode().splitlines()]

    assert [{name: str(value) for name, value in line.items()} for line in lines] == table
    assert [line["seq"] for line in lines] == list(range(1, COUNT + 1))
    assert [line["serial"] for line in lines] == serials
    assert [line["code"] for line in lines] == codes
    assert [line["code_grouped"] for line in lines] == [N16.grouped(code) for code in codes]
    assert lines[0]["url"] == f"HTTPS://{EVEN_HOST}/01/{GTIN}/21/{serials[0]}"
    assert lines[0]["roll"] == "2611-A-1"
    assert "label_no" not in table[0]


def test_lines_may_end_as_windows_ends_them() -> None:
    file = BytesIO()
    rows = Rows(make_order(), "csv", crlf=True)

    rows.write(file, make_source(12))

    assert file.getvalue().count(b"\r\n") == 13 == file.getvalue().count(b"\n")
    assert proof.check(BytesIO(file.getvalue()), rows, make_ordered(12)).labels == 12


@kinds
def test_rows_prove_and_one_flipped_bit_is_found(kind: Kind) -> None:
    data, rows = make_rows(kind, COUNT)

    report = proof.check(BytesIO(data), rows, make_ordered(COUNT, sample=100))

    assert (report.labels, report.size, report.texts) == (COUNT, len(data), 100)
    assert report.decoded == (200 if kind == "zpl" else 100)  # the template has two symbols
    for place in map(int, np.random.default_rng(5).integers(0, len(data), 60)):
        wrong = bytearray(data)
        wrong[place] ^= 1 << place % 8
        with pytest.raises(ProofFailed):
            proof.check(BytesIO(wrong), rows, make_ordered(COUNT))


def test_what_a_printer_is_told_makes_symbols_that_read() -> None:
    stored, *labels = make_rows("zpl", 20)[0].decode().splitlines()
    serials = bulk.texts(make_source(20).read(0, 20).serials)

    assert stored.startswith("^XA^DFR:T.ZPL^FS")
    assert re.search(r"\^FO35,25\^BQN,2,4\^FN1\^FS", stored)
    assert "_E7_9C_9F_E6_A0_87" in stored  # 真标
    for line, serial in zip(labels, serials, strict=True):
        fields = dict(re.findall(r"\^FN(\d+)\^FD(.*?)\^FS", line))
        link = fields["1"].removeprefix("MA,")
        element = fields["4"].removeprefix("_1")
        modules = np.unpackbits(qr.draw(link, 3).reshape(29, 4), axis=1)[:, :29]
        picture = np.kron(1 - np.pad(modules, 4), np.full((3, 3), 255)).astype(np.uint8)
        assert [one.text for one in zxingcpp.read_barcodes(picture)] == [link]
        assert link.endswith(serial)
        assert element == f"01{GTIN}21{serial}"


def test_canaries_come_first_and_last() -> None:
    serial, secret = make_series()
    source = BulkSource(serial, secret, [(900, 903), (1, 11), (950, 953)])

    assert source.count == 16
    assert source.label_nos(0, 16).tolist() == [900, 901, 902, *range(1, 11), 950, 951, 952]
    assert source.label_nos(2, 4).tolist() == [902, 1]
    assert source.label_nos(3, 13).tolist() == list(range(1, 11))


def test_zpl_needs_a_template_and_data_has_none() -> None:
    Rows(make_order(), "zpl", template=make_template())

    with pytest.raises(ValueError, match="template"):
        Rows(make_order(), "zpl")
    with pytest.raises(ValueError, match="template"):
        Rows(make_order(), "csv", template=make_template())
