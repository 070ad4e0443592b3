"""One order, one template and the codes of its roll, for all tests of printing."""

from io import BytesIO
from typing import Any

from labels.codes import bulk
from labels.codes.forms import B12, N16, Form
from printing import proof
from printing.labels import Roll, roll
from printing.rows import Kind, Rows
from printing.source import BulkSource, Order
from printing.template import Template, parse

KEY = bytes(range(32))
GTIN = "09501101530003"
EVEN_HOST, ODD_HOST = "BRANDS.EXAMPLE", "BRAND.EXAMPLE"
TEXT = "真标 刮开 Scan me"
SHEET = {"rows": 5, "columns": 3, "gap_x": 4, "gap_y": 4, "margin": 5}


def make_series(form: Form = N16) -> tuple[bulk.Series, bulk.Series]:
    return (B12, 5, bulk.vector(KEY, B12, 5, 0)), (form, 3, bulk.vector(KEY, form, 3, 0))


def make_source(count: int, form: Form = N16, first: int = 1) -> BulkSource:
    return BulkSource(*make_series(form), [(first, first + count)])


def make_order(host: str = EVEN_HOST, form: Form = N16) -> Order:
    return Order(host, GTIN, form, "2611-A-1")


def make_label_nos(form: Form = N16) -> proof.LabelNos:
    return proof.label_nos(*make_series(form))


def make_ordered(count: int, form: Form = N16, sample: int = 0) -> proof.Ordered:
    return proof.Ordered(count, make_label_nos(form), make_source(count, form).label_nos, sample)


def template_json(**changed: Any) -> dict[str, Any]:
    return {
        "kind": "unit",
        "width": 60,
        "height": 20,
        "bleed": 1,
        "dpi": 300,
        "sheet": SHEET,
        "elements": [
            {"type": "qr", "x": 3, "y": 3},
            {"type": "serial", "x": 16, "y": 6},
            {"type": "code", "x": 16, "y": 12, "size": 6},
            {"type": "text", "x": 16, "y": 17, "text": TEXT, "size": 6},
            {"type": "scratch_area", "x": 15, "y": 9, "width": 28, "height": 4},
            {"type": "datamatrix", "x": 50, "y": 4},
        ],
    } | changed


def make_template(**changed: Any) -> Template:
    return parse(template_json(**changed))


def make_pdf(count: int, *, deflate: bool = False, host: str = EVEN_HOST, form: Form = N16) -> tuple[bytes, Roll]:
    made, file = roll(make_template(), make_order(host, form), count, deflate=deflate), BytesIO()
    made.write(file, make_source(count, form))
    return file.getvalue(), made


def make_rows(kind: Kind, count: int) -> tuple[bytes, Rows]:
    rows, file = Rows(make_order(), kind, template=make_template() if kind == "zpl" else None), BytesIO()
    rows.write(file, make_source(count))
    return file.getvalue(), rows
