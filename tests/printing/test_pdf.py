"""The PDF of a roll: exact to the byte, readable by others, proved whole, and small in memory."""

import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pypdfium2
import pytest

from labels.codes import bulk
from labels.codes.forms import B14, N16, N20, Form
from printing import proof
from printing.labels import Roll, roll
from printing.source import BulkSource, Codes
from printing.symbols import ProofFailed
from tests.printing.makers import (
    EVEN_HOST,
    ODD_HOST,
    SHEET,
    make_order,
    make_ordered,
    make_pdf,
    make_series,
    make_source,
    make_template,
)

both = pytest.mark.parametrize("deflate", [False, True], ids=["raw", "deflated"])
MEMORY_MB = 500


@both
@pytest.mark.parametrize(("host", "form"), [(EVEN_HOST, N16), (ODD_HOST, N20), ("BRANDS-ARE-ALWAYS.EXAMPLE", B14)])
def test_a_roll_proves_and_its_sample_reads(host: str, form: Form, deflate: bool) -> None:
    data, made = make_pdf(47, deflate=deflate, host=host, form=form)

    report = proof.check(BytesIO(data), made, make_ordered(47, form, sample=32))

    assert (report.labels, report.size) == (47, len(data))
    assert report.decoded == report.texts >= 32
    assert {"zxing-cpp", "pypdfium2"} <= set(report.tools)


def test_every_label_of_500_reads_at_the_devices_resolution() -> None:
    data, made = make_pdf(500, host=ODD_HOST)

    report = proof.check(BytesIO(data), made, make_ordered(500, sample=500))

    assert report.decoded == report.texts == 500


@pytest.mark.torture
@both
def test_every_label_of_20_000_reads_at_the_devices_resolution(deflate: bool) -> None:
    data, made = make_pdf(20_000, deflate=deflate)

    report = proof.check(BytesIO(data), made, make_ordered(20_000, sample=20_000))

    assert report.decoded == report.texts == 20_000


@both
def test_one_flipped_bit_anywhere_is_found(deflate: bool) -> None:
    data, made = make_pdf(31, deflate=deflate)
    proof.check(BytesIO(data), made, make_ordered(31))
    places = np.random.default_rng(4).integers(0, len(data), 150)

    for place in {0, len(data) - 1, *map(int, places)}:
        wrong = bytearray(data)
        wrong[place] ^= 1 << place % 8
        with pytest.raises(ProofFailed):
            proof.check(BytesIO(wrong), made, make_ordered(31))


def test_words_that_stand_close_are_still_compared(monkeypatch: pytest.MonkeyPatch) -> None:
    data, made = make_pdf(15)
    whole = proof._pdfium_text
    monkeypatch.setattr(proof.shutil, "which", lambda _name: None)

    def says(text: Callable[[str], str]) -> None:
        monkeypatch.setattr(proof, "_pdfium_text", lambda page: text(whole(page)))
        proof.check(BytesIO(data), made, make_ordered(15, sample=15))

    serials = bulk.texts(make_source(15).read(0, 15).serials)
    says(lambda text: "".join(text.split()))
    for wrong in (
        lambda text: text.replace("Scan", "Scam", 1),
        lambda text: text.replace(serials[3], serials[3][::-1]),
        lambda text: text + " more",
        lambda text: text.replace(serials[3], ""),
    ):
        with pytest.raises(ProofFailed, match="not that of its labels"):
            says(wrong)


@both
def test_a_file_cut_short_or_too_long_is_found(deflate: bool) -> None:
    data, made = make_pdf(31, deflate=deflate)

    for wrong in (data[:-1], data + b"\n"):
        with pytest.raises(ProofFailed):
            proof.check(BytesIO(wrong), made, make_ordered(31))


def test_a_label_twice_a_foreign_code_and_codes_of_two_labels_are_found() -> None:
    made = roll(make_template(), make_order(), 30)
    serial, secret = make_series()
    good, twice = make_source(30), BulkSource(serial, secret, [(1, 16), (1, 16)])
    foreign = BulkSource(serial, (N16, 4, bulk.vector(bytes(32), N16, 4, 0)), [(1, 31)])

    class Shifted:
        count = 30

        def read(self, start: int, end: int) -> Codes:
            return Codes(good.read(start, end).serials, make_source(30, first=2).read(start, end).codes)

    proof.check(_file(made, good), made, make_ordered(30))
    for source, fault in ((twice, "twice"), (foreign, "slot"), (Shifted(), "different labels")):
        with pytest.raises(ProofFailed, match=fault):
            proof.check(_file(made, source), made, replace(make_ordered(30), wanted=None))


def test_a_picture_that_says_something_else_is_found_by_the_decoder() -> None:
    made = roll(make_template(), make_order(), 30)
    other = roll(make_template(), make_order(ODD_HOST), 30)
    codes = make_source(30).read(0, 30)
    wrong = Roll(made.document, made.order, {**made.symbols, "qr": other.symbols["qr"]})

    proof.check(_file(made, make_source(30)), made, make_ordered(30, sample=30))
    with pytest.raises(ProofFailed, match="does not read"):
        # both passes draw the same wrong picture: only the decoder can tell
        proof.check(_file(wrong, make_source(30)), wrong, make_ordered(30, sample=30))
    assert not np.array_equal(wrong.columns(codes)["qr"], made.columns(codes)["qr"])


def test_labels_in_another_order_or_of_another_roll_are_found() -> None:
    made = roll(make_template(), make_order(), 30)
    serial, secret = make_series()
    swapped = BulkSource(serial, secret, [(16, 31), (1, 16)])

    proof.check(_file(made, make_source(30)), made, make_ordered(30))
    for source in (swapped, make_source(30, first=2)):
        with pytest.raises(ProofFailed, match="not of the labels that were ordered"):
            proof.check(_file(made, source), made, make_ordered(30))


@both
@pytest.mark.parametrize("count", [1, 14, 15, 16, 30])
def test_the_last_page_has_as_many_labels_as_are_left(count: int, deflate: bool) -> None:
    data, _ = make_pdf(count, deflate=deflate)

    opened = pypdfium2.PdfDocument(data)
    text = opened[len(opened) - 1].get_textpage().get_text_range()
    serials = bulk.texts(make_source(count).read(0, count).serials)
    left = count - 15 * (len(opened) - 1)

    assert len(opened) == -(-count // 15)
    assert [word for word in text.split() if len(word) == 12] == serials[-left:]
    assert text.count("Scan") == left  # what is the same on all labels does not stay behind


@both
def test_the_cross_reference_table_points_at_every_object(deflate: bool) -> None:
    data, _ = make_pdf(4_000, deflate=deflate)  # 267 pages: a tree of two levels
    start = int(data[data.rindex(b"startxref\n") + 10 :].split()[0])
    lines = data[start:].split(b"\r\n")
    size = int(re.match(rb"xref\n0 (\d+)\n", data[start:])[1])

    entries = [int(line[:10]) for line in lines[1:size]]

    assert len(entries) == size - 1
    for number, offset in enumerate(entries, 1):
        assert data[offset : offset + len(str(number)) + 6] == b"%d 0 obj" % number
    for node in re.findall(rb"/Count (\d+) /Kids \[(.*?)\]", data):
        assert node[1].count(b" R") <= 256


def test_boxes_are_exact_and_modules_are_whole_dots() -> None:
    data, made = make_pdf(15)

    page = pypdfium2.PdfDocument(data)[0]
    left, bottom, right, top = page.get_trimbox()

    assert (right - left) / 72 * 25.4 == pytest.approx(3 * 60 + 2 * SHEET["gap_x"], abs=1e-3)
    assert (top - bottom) / 72 * 25.4 == pytest.approx(5 * 20 + 4 * SHEET["gap_y"], abs=1e-3)
    assert page.get_bleedbox()[0] == pytest.approx(left - 72 / 25.4, abs=1e-3)
    picture = page.render(scale=300 / 72 * (1 - 1e-6), grayscale=True).to_numpy()
    x, y = made.document.layout.x(0, 3), made.document.layout.y(0, 3)
    modules = picture[y : y + 116, x : x + 116].reshape(29, 4, 29, 4)
    assert (modules == modules[:, :1, :, :1]).all()  # each module is one colour, edge to edge


def test_the_largest_roll_is_made_proved_and_encrypted_in_little_memory(tmp_path: Path) -> None:
    program = (
        "import sys, pyrage\n"
        "from pathlib import Path\n"
        "from labels.services import MAX_ROLL\n"
        "from printing import handover\n"
        "from tests.printing.makers import make_order, make_series, make_template\n"
        "key = str(pyrage.x25519.Identity.generate().to_public())\n"
        "for output in ('pdf_raw', 'pdf', 'zpl'):\n"
        "    content = handover.Content(*make_series(), make_order(), output, make_template())\n"
        "    spans = [(1, 7), (100, 100 + MAX_ROLL), (200_000, 200_006)]\n"
        "    built = handover.build(content, spans, recipient=key, path=Path(sys.argv[1]), sample=300)\n"
        "    assert built.report['labels'] == MAX_ROLL + 12, built.report\n"
        # VmHWM is this program's own peak; ru_maxrss would begin at the size of the test run that started it.
        "[peak] = [line for line in open('/proc/self/status') if line.startswith('VmHWM')]\n"
        "print(int(peak.split()[1]) // 1024)\n"
    )
    with_django = f"import django; django.setup()\n{program}"

    command = [sys.executable, "-c", with_django, str(tmp_path / "roll.age")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)

    assert int(done.stdout) < MEMORY_MB


def test_the_same_order_gives_the_same_bytes_and_another_roll_another_id() -> None:
    data, _ = make_pdf(20)
    again, _ = make_pdf(20)
    other = roll(make_template(), replace(make_order(), roll="2611-A-2"), 20)

    assert data == again
    assert _file(other, make_source(20)).getvalue()[-100:] != data[-100:]


def _file(made: proof.Roll, source: object) -> BytesIO:
    file = BytesIO()
    made.write(file, source)
    file.seek(0)
    return file
