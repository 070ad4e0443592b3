"""The speed of printing: symbols, pages and rows a CPU-second, against the usual libraries doing the same work.

Each pair is measured in turns, five rounds, and the ratio is the median. The naive way is one label after the other
by ``qrcode`` and ``reportlab``: same page, same link, same texts.
"""

import ctypes
import ctypes.util
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from io import BytesIO
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from bench import server
from bench.codes import ROUNDS, Rate, _against, _median, _rate, _ratio
from bench.frame import Figure, interleaved
from labels.codes import bulk
from labels.codes.forms import B12, N16
from printing import data_matrix, proof, qr
from printing.labels import roll
from printing.rows import Rows
from printing.source import BulkSource, Order
from printing.template import MM_PER_INCH, POINTS_PER_INCH, parse

KEY = bytes(range(32))
ORDER = Order("BRANDS.EXAMPLE", "09501101530003", N16, "BENCH-1")
COUNT = 40_960
DECODED = 1_440
LABELS = 1_000_000  # of the order that is built from click to files
ROWS = 10_000_000
NAIVE = 40
TEMPLATE = parse(
    {
        "width": 50,
        "height": 20,
        "sheet": {"rows": 12, "columns": 3, "gap_x": 3, "gap_y": 3, "margin": 5},
        "elements": [
            {"type": "qr", "x": 3, "y": 3},
            {"type": "serial", "x": 17, "y": 7},
            {"type": "code", "x": 17, "y": 13, "size": 7},
        ],
    }
)


class Nowhere:
    """A file that forgets."""

    def write(self, data: bytes | memoryview) -> None:
        """Take bytes."""


def figures() -> Iterator[Figure]:
    """Measure every row of the table."""
    codes = source().read(0, COUNT)
    naive = _qrcode_and_reportlab()
    links = qr.symbols(ORDER.prefix)
    qr_codes = _rate(lambda: links.images(codes.serials), COUNT)
    yield Figure("QR bitmaps", qr_codes() / 1e6, None, "M/CPU-s")
    yield _ratio("QR bitmaps ÷ qrcode + reportlab", qr_codes, naive, 50_000)
    yield from _against_library("QR bitmaps ÷ libqrencode", qr_codes, 500)
    yield from _against("QR bitmaps ÷ segno", "segno", qr_codes, 4_000, _segno)
    matrices = data_matrix.symbols(ORDER.gtin)
    squares = _rate(lambda: matrices.images(codes.serials), COUNT)
    yield Figure("DataMatrix bitmaps", squares() / 1e6, None, "M/CPU-s")
    yield from _against("DataMatrix bitmaps ÷ zxing-cpp", "zxing-cpp", squares, 100, _zxing)
    for name, deflate, target in (("PDF raw", False, 5_000), ("PDF deflated", True, 1_000)):
        made = roll(TEMPLATE, ORDER, COUNT, deflate=deflate)
        pages = _rate(lambda made=made: made.write(Nowhere(), source()), COUNT)
        yield Figure(f"{name}, codes included", pages() / 1e3, None, "k labels/CPU-s")
        yield _ratio(f"{name} ÷ qrcode + reportlab", pages, naive, target)
    yield from _against("PDF raw ÷ segno + reportlab", "segno", _pdf(), None, _segno_and_reportlab)
    printer = Rows(ORDER, "zpl", template=TEMPLATE)
    yield _ratio("ZPL ÷ qrcode + reportlab", _rate(lambda: printer.write(Nowhere(), source()), COUNT), naive, 2_500)
    yield Figure("full proof of a deflated PDF", _proof()() / 1e3, None, "k labels/CPU-s")
    yield Figure("every label decoded, by zxing-cpp and pdftotext", _decoding()(), None, "labels/CPU-s")
    yield _rows_to_file()
    yield from _whole_order()


def source(count: int = COUNT) -> BulkSource:
    serial = (B12, 5, bulk.vector(KEY, B12, 5, 0))
    return BulkSource(serial, (N16, 3, bulk.vector(KEY, N16, 3, 0)), [(1, count + 1)])


def _pdf() -> Rate:
    made = roll(TEMPLATE, ORDER, COUNT)
    return _rate(lambda: made.write(Nowhere(), source()), COUNT)


def _proof() -> Rate:
    made, file = roll(TEMPLATE, ORDER, COUNT, deflate=True), BytesIO()
    made.write(file, source())

    def work() -> None:
        file.seek(0)
        proof.check(file, made, _ordered(COUNT))

    return _rate(work, COUNT)


def _decoding() -> Rate:
    made, file = roll(TEMPLATE, ORDER, DECODED, deflate=True), BytesIO()
    made.write(file, source(DECODED))

    def work() -> None:
        file.seek(0)
        proof.check(file, made, _ordered(DECODED, DECODED))

    return _rate(work, DECODED)


def _ordered(count: int, sample: int = 0) -> proof.Ordered:
    codes = source(count)
    return proof.Ordered(count, proof.label_nos(codes._serial, codes._secret), codes.label_nos, sample)


def _rows_to_file() -> Figure:
    """Measure ten million rows, written to a file once; the figure is for a hundred million."""
    rows = Rows(ORDER, "csv")
    with TemporaryDirectory() as folder, (Path(folder) / "rows.csv").open("wb", buffering=0) as file:

        class Scratch:
            def write(self, data: bytes | memoryview) -> None:
                if file.tell() > 256 * 2**20:  # the disk need not hold it all
                    file.seek(0)
                file.write(data)

        start = time.process_time()
        rows.write(Scratch(), source(ROWS))
        spent = time.process_time() - start
    return Figure(
        "100 M rows to file", 10 * spent, 35, "CPU-s", at_most=True, note=f"from 10 M; {ROWS / spent / 1e6:.1f} M/CPU-s"
    )


def _whole_order() -> Iterator[Figure]:
    """Order a million labels on servers of its own, and build its files as a worker does: made, proved, encrypted."""
    with server.running() as bench:
        for output in ("pdf", "csv"):
            command = [sys.executable, "-c", _ORDER, server.BRAND, output, str(LABELS)]
            variables = {**os.environ, **bench.environment, "PYTHONPATH": str(server.ROOT)}
            done = subprocess.run(
                command, cwd=server.ROOT, env=variables, check=True, capture_output=True, text=True
            ).stdout
            wall_s, cpu_s, click_s, peak_mb, size_mb, decoded = map(float, done.split())
            what = f"1,000,000 labels, {output.upper()}"
            note = f"100 files, {size_mb:,.0f} MB encrypted; {decoded:,.0f} symbols decoded; codes made first in {click_s:.1f} s"
            yield Figure(f"{what}: approval used to files ready", wall_s, None, "s", note=note)
            yield Figure(f"{what}: CPU of the worker", cpu_s, None, "CPU-s")
            yield Figure(f"{what}: peak of its memory", peak_mb, 500, "MB", at_most=True)


_ORDER = """
import sys, time
import django
django.setup()
import pyrage
from django.db import connection, transaction
from django_tenants.utils import get_tenant_model
from bench.print import TEMPLATE
from common.clock import now
from labels.models import Batch, Product
from labels.services import create_product, generate_batch, order_batch
from printing import building, samples, services
from printing.models import Template, TemplateVersion
from staff import approvals
from staff.models import User

schema, output, count = sys.argv[1], sys.argv[2], int(sys.argv[3])
connection.set_tenant(get_tenant_model().objects.get(schema_name=schema))
at = now()
product = Product.objects.first() or create_product(gtin="09501101530003", name="Oolong", name_zh="乌龙", at=at)
asker, approver = (User.objects.get_or_create(username=name, defaults={"role": "owner"})[0] for name in ("pia", "ola"))
key = str(pyrage.x25519.Identity.generate().to_public())
press = services.create_press(name=output, recipient=key, at=at)
services.check_key(press, read_out=press.fingerprint, at=at, asked_by="pia")
version = None
if output == "pdf":
    template = Template.objects.create(name="bench", kind="unit", created_at=at)
    version = TemplateVersion.objects.create(
        template=template, number=1, layout=TEMPLATE.as_json(), sha256=TEMPLATE.sha256, created_at=at
    )
began = time.perf_counter()
batch = order_batch(order_key=output, product=product, count=count, roll_labels=10_000, at=at)
generate_batch(batch.pk)
click = time.perf_counter() - began
batch = Batch.objects.get(pk=batch.pk)
row = services.request(services.NewPrint(batch, 1, count // 10_000, press, output=output, version=version), by=asker, at=at)
if version:
    samples.sign_off(row, by=approver, at=at)
with transaction.atomic():
    approvals.decide(row.approval_id, approved=True, by=approver, at=at)
wall, cpu = time.perf_counter(), time.process_time()
services.start(row.pk, at=now())
building.build(row.pk)
wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
done = list(row.handovers.filter(state="ready"))
assert len(done) == count // 10_000
[peak] = [int(line.split()[1]) for line in open("/proc/self/status") if line.startswith("VmHWM")]
size = sum(one.cipher_bytes for one in done) / 1e6
print(wall, cpu, click, peak / 1024, size, sum(one.report["decoded"] for one in done))
"""


def _links(count: int = NAIVE) -> list[tuple[str, str, str]]:
    codes = source().read(0, count)
    return [
        (ORDER.prefix + serial, serial, N16.grouped(code))
        for serial, code in zip(bulk.texts(codes.serials), bulk.texts(codes.codes), strict=True)
    ]


def _qrcode_and_reportlab() -> Rate:
    import qrcode

    def picture(link: str) -> object:
        code = qrcode.QRCode(version=3, error_correction=qrcode.ERROR_CORRECT_M, border=0, box_size=1)
        code.add_data(link)
        code.make(fit=False)
        return code.make_image().get_image()

    return _reportlab(picture)


def _segno_and_reportlab() -> Rate:
    import segno
    from PIL import Image

    def picture(link: str) -> object:
        code = segno.make_qr(link, version=3, error="m", boost_error=False)
        return Image.fromarray(np.array([[255 * (1 - dark) for dark in row] for row in code.matrix], np.uint8))

    return _reportlab(picture)


def _reportlab(picture: Callable[[str], object]) -> Rate:
    from reportlab.pdfgen.canvas import Canvas

    labels = _links()
    mm = POINTS_PER_INCH / MM_PER_INCH

    def work() -> None:
        canvas = Canvas(BytesIO(), pagesize=(170 * mm, 290 * mm), pageCompression=0)
        for place, (link, serial, code) in enumerate(labels):
            if place and place % 36 == 0:
                canvas.showPage()
            x, y = (5 + 53 * (place % 3)) * mm, (265 - 23 * (place // 3 % 12)) * mm
            canvas.drawInlineImage(picture(link), x, y, 9.8 * mm, 9.8 * mm)
            canvas.setFont("Courier", 6)
            canvas.drawString(x + 14 * mm, y + 12 * mm, serial)
            canvas.setFont("Courier", 7)
            canvas.drawString(x + 14 * mm, y + 6 * mm, code)
        canvas.save()

    return _rate(work, len(labels))


def _segno() -> Rate:
    import segno

    links = [link for link, _, _ in _links()]
    return _rate(lambda: [segno.make_qr(link, version=3, error="m", boost_error=False) for link in links], len(links))


def _zxing() -> Rate:
    import zxingcpp

    texts = [f"(01){ORDER.gtin}(21){serial}" for _, serial, _ in _links(400)]
    kind = zxingcpp.BarcodeFormat.DataMatrix

    def work() -> None:
        for text in texts:
            zxingcpp.create_barcode(text, kind, gs1=True).to_image(scale=1, add_quiet_zones=False)

    return _rate(work, len(texts))


def _against_library(name: str, ours: Rate, target: float) -> Iterator[Figure]:
    """Compare with libqrencode, called by ctypes: matrix only."""
    found = ctypes.util.find_library("qrencode")
    if not found:
        yield Figure(name, 0.0, None, note="libqrencode is not installed (Debian: libqrencode4)")
        return
    library = ctypes.CDLL(found)
    library.QRcode_encodeString.restype = ctypes.c_void_p
    library.QRcode_encodeString.argtypes = [ctypes.c_char_p, *[ctypes.c_int] * 4]
    library.QRcode_free.argtypes = [ctypes.c_void_p]
    library.QRcode_APIVersionString.restype = ctypes.c_char_p
    links = [link.encode() for link, _, _ in _links(400)]
    level_m, eight_bit, case_sensitive = 1, 2, 1

    def work() -> None:
        for link in links:
            library.QRcode_free(library.QRcode_encodeString(link, 3, level_m, eight_bit, case_sensitive))

    rates = interleaved(_rate(work, len(links)), ours, ROUNDS)
    version = library.QRcode_APIVersionString().decode()
    yield Figure(name, rates.ratio, target, note=f"libqrencode {version}: {_median(rates.first):,.0f} a CPU-second")
