"""Templates: read strictly, warned about in sentences, shown as they will print; cards of constant width."""

import base64
import re
from io import BytesIO
from typing import Any

import numpy as np
import PIL.Image
import pypdfium2
import pytest
import zxingcpp

from printing import cards, code128, preview
from printing.cards import CardRecord
from printing.labels import roll
from printing.preflight import warnings
from printing.template import BadTemplate, CardNo, Code128, Name, Qr, Sheet, card, parse
from tests.printing.makers import EVEN_HOST, ODD_HOST, make_order, make_source, make_template, template_json

SERIAL, CODE = "5JQ2D4Y8562N", "3904259030959168"


def make_sample(host: str = EVEN_HOST) -> preview.Sample:
    return preview.Sample(make_order(host), SERIAL, CODE)


def _art(color: str = "red") -> str:
    file = BytesIO()
    PIL.Image.new("RGB", (8, 8), color).save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_a_template_is_read_back_as_it_was_written_and_named_by_its_content() -> None:
    template = make_template()

    assert parse(template.as_json()) == template
    assert parse(template.as_json()).sha256 == template.sha256
    assert make_template(width=61).sha256 != template.sha256


@pytest.mark.parametrize(
    ("changed", "said"),
    [
        ({"width": "60"}, "template.width"),
        ({"width": -1}, "wider"),
        ({"dpi": 10}, "dots"),
        ({"colour": "red"}, "no field"),
        ({"kind": "poster"}, "template.kind"),
        ({"elements": [{"type": "hologram", "x": 1, "y": 1}]}, "elements[0]"),
        ({"elements": [{"type": "qr", "x": 1}]}, "lacks"),
        ({"elements": [{"type": "qr", "x": 1, "y": True}]}, "elements[0].y"),
        ({"elements": [{"type": "name", "x": 1, "y": 1}]}, "does not belong"),
        ({"elements": [{"type": "code128", "x": 1, "y": 1, "height": 5, "of": "123"}]}, "set C"),
        ({"elements": [{"type": "image", "x": 1, "y": 1, "width": 1, "height": 1, "data": "?"}]}, "base64"),
        ({"elements": [{"type": "qr", "x": 70, "y": 1}]}, "outside"),
        ({"sheet": {"rows": 0}}, "sheet.rows"),
        ({"sheet": {"rows": 1000}}, "too large"),
    ],
)
def test_what_cannot_be_drawn_is_refused_and_named(changed: dict[str, Any], said: str) -> None:
    make_template()

    with pytest.raises(BadTemplate, match=re.escape(said)):
        make_template(**changed)


def _with(*elements: dict[str, Any], **changed: Any) -> list[str]:
    made = parse(template_json(elements=list(elements), **changed))
    return warnings(made, make_sample())


QR = {"type": "qr", "x": 3, "y": 3}
AREA = {"type": "scratch_area", "x": 15, "y": 9, "width": 28, "height": 4}
CODE_AT = {"type": "code", "x": 16, "y": 12, "size": 6}


@pytest.mark.parametrize(
    ("elements", "said"),
    [
        ([QR | {"dots": 2}], "0.169 mm"),
        ([QR | {"x": 0}], "beyond the label"),
        ([QR, {"type": "text", "x": 13, "y": 8, "text": "close"}], "quiet zone"),
        ([QR, {"type": "line", "x": 0, "y": 3, "x2": 20, "y2": 3}], "quiet zone"),
        ([QR, {"type": "serial", "x": 50, "y": 8}], "is cut"),
        ([QR, {"type": "serial", "x": 20, "y": 8, "size": 3}], "4 points"),
        ([CODE_AT], "under a scratch area"),
        ([AREA, CODE_AT | {"size": 9}], "under a scratch area"),
        ([AREA, QR | {"x": 20}], "readable before"),
        ([{"type": "serial", "x": 20, "y": 8}, {"type": "serial", "x": 21, "y": 8}], "overlap"),
        ([{"type": "datamatrix", "x": 5, "y": 5}], "DataMatrix"),
    ],
)
def test_what_would_not_print_well_is_said(elements: list[dict[str, Any]], said: str) -> None:
    assert any(said in warning for warning in _with(*elements)), _with(*elements)


def test_a_good_label_has_no_warnings_and_a_frame_around_a_symbol_is_none() -> None:
    frame = {"type": "rect", "x": 1, "y": 1, "width": 58, "height": 18}

    assert _with(QR, AREA, CODE_AT, frame, {"type": "serial", "x": 18, "y": 6}) == []


def test_gaps_and_a_long_host_are_said() -> None:
    narrow = _with(QR, sheet={"rows": 2, "columns": 2, "gap_x": 1, "gap_y": 3})
    long = warnings(make_template(elements=[QR]), make_sample("A-VERY-LONG-NAME.EXAMPLE"))

    assert any("gaps" in warning for warning in narrow)
    assert any("19 characters" in warning for warning in long)


def test_the_preview_is_true_to_size_reads_and_says_sample() -> None:
    template = make_template(elements=[QR, {"type": "text", "x": 20, "y": 8, "text": "<真标>"}])

    drawn = preview.svg(template, make_sample())
    picture = PIL.Image.open(BytesIO(preview.png(template, make_sample(ODD_HOST))))

    assert 'width="60mm" height="20mm" viewBox="0 0 60 20"' in drawn
    assert drawn.count("#c62828") == 1
    assert "<script" not in drawn
    assert "style=" not in drawn
    assert picture.size == (template.dots(60), template.dots(20))
    corner = np.array(picture)[: template.dots(18), : template.dots(18)]
    assert [one.text for one in zxingcpp.read_barcodes(corner)] == [make_order(ODD_HOST).prefix + SERIAL]


def test_all_elements_are_drawn_by_all_outputs() -> None:
    elements = [
        QR,
        {"type": "image", "x": 20, "y": 1, "width": 8, "height": 8, "data": _art()},
        {"type": "image", "x": 30, "y": 1, "width": 8, "height": 8, "data": _art("gray")},
        {"type": "code128", "x": 1, "y": 16, "height": 3, "of": "0950110153000300"},
        {"type": "rect", "x": 40, "y": 2, "width": 5, "height": 5, "tint": 0.5},
        {"type": "line", "x": 48, "y": 2, "x2": 50, "y2": 9},
        {"type": "serial", "x": 48, "y": 14},
        AREA,
    ]
    template = make_template(elements=elements, sheet={})
    file = BytesIO()

    roll(template, make_order(), 1).write(file, make_source(1))

    page = pypdfium2.PdfDocument(file.getvalue())[0].render(scale=300 / 72).to_numpy()
    read = {one.text for one in zxingcpp.read_barcodes(page)}
    assert "0950110153000300" in read
    assert preview.svg(template, make_sample()).count("<image") == 2
    assert preview.png(template, make_sample())


FRONT = card(
    (
        Qr(x=65, y=35, dots=3),
        Code128(x=8, y=38, height=8, of="card_no"),
        CardNo(x=8, y=30),
        Name(x=8, y=20),
    ),
    sheet=Sheet(rows=2, columns=2, gap_x=6, gap_y=6, margin=8),
)


@pytest.mark.parametrize("count", [1, 5])
def test_cards_carry_number_name_and_symbols(count: int) -> None:
    records = [
        CardRecord(f"{6200000000000000 + place}", ("王小明", "Zoë Ångström")[place % 2], f"https://c.example/{place}")
        for place in range(count)
    ]
    file = BytesIO()

    cards.write(FRONT, records, file, deflate=True)

    opened = pypdfium2.PdfDocument(file.getvalue())
    last = opened[len(opened) - 1]
    text = last.get_textpage().get_text_range()
    read = {one.text for one in zxingcpp.read_barcodes(last.render(scale=300 / 72).to_numpy())}
    assert len(opened) == -(-count // 4)
    assert records[-1].name in text
    assert {records[-1].card_no, records[-1].qr_payload} <= read


def test_a_bar_code_of_16_digits_is_123_modules_wide_whatever_they_are() -> None:
    numbers = np.frombuffer(b"00000000000000009999999999999999", np.uint8).reshape(2, 16)

    assert code128.modules(numbers).shape == (2, 123)
    assert code128.width(16) == 123


def test_a_card_number_of_another_length_is_refused() -> None:
    cards.write(FRONT, [CardRecord("6200000000000000", "A", "x")], BytesIO())

    with pytest.raises(ValueError, match="16 digits"):
        cards.write(FRONT, [CardRecord("620000000000000", "A", "x")], BytesIO())


def test_a_card_warns_about_its_safe_margin() -> None:
    said = warnings(card((CardNo(x=1, y=30),)), make_sample())

    assert any("safe margin" in warning for warning in said)
