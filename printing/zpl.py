"""ZPL II for thermal printers: the layout is stored in the printer once, each label then sends its data only.

The printer makes the symbols, so their codewords are its own choice; what they say is not.
"""

import base64
import re
from collections.abc import Iterator, Sequence
from io import BytesIO

import PIL.Image

from printing import fonts, gs1
from printing.records import Record, text_of
from printing.source import Order
from printing.stencil import Slot, Stencil
from printing.template import (
    Code,
    Code128,
    DataMatrix,
    Element,
    Field,
    Gs1,
    Image,
    Line,
    Qr,
    Rect,
    Serial,
    Template,
    Text,
    grey,
)

STORED = "R:T.ZPL"
FNC1 = "_1"  # with "_" as the escape character of ^BX


class Printer:
    """The stored layout of a template, and the stencil of a label's data."""

    def __init__(self, order: Order, template: Template) -> None:
        self._order, self._template = order, template
        layout: list[str] = []
        data: list[bytes | Slot] = [f"^XA^XF{STORED}^FS".encode()]
        number = 0
        for element in template.elements:
            drawn, parts = self._field(element)
            if parts:
                number += 1
                data += [f"^FN{number}^FD".encode(), *parts, b"^FS"]
                drawn += f"^FN{number}^FS"
            layout.append(drawn)
        size = f"^PW{template.dots(template.width)}^LL{template.dots(template.height)}"
        self.stored = f"^XA^DF{STORED}^FS^CI28{size}{''.join(layout)}^XZ\n".encode()
        self.label = Stencil([*data, b"^XZ\n"])

    def _field(self, element: Element) -> tuple[str, list[bytes | Slot]]:
        """Return what stands in the layout, and what each label sends for it (nothing, if it is always the same)."""
        dots, form = self._template.dots, self._order.form
        at = f"^FO{max(0, dots(element.x))},{max(0, dots(element.y))}"
        base = f"^FT{max(0, dots(element.x))},{max(0, dots(element.y))}"  # text stands on its base line
        match element:
            case Qr():
                # the printer puts a quiet zone of ten dots above a QR code of its own accord
                top = f"^FO{max(0, dots(element.x))},{max(0, dots(element.y) - 10)}"
                return f"{top}^BQN,2,{element.dots}", [b"MA," + self._order.prefix.encode(), Slot("serial", 12)]
            case DataMatrix():
                start = f"{FNC1}01{self._order.gtin}21".encode()
                return f"{at}^BXN,{element.dots},200,20,20,,_", [start, Slot("serial", 12)]
            case Code128():
                bars = f"^BY{element.dots}{at}^BCN,{dots(element.height)},N,N,N"
                if element.of.isdecimal():
                    return f"{bars}^FD>;{element.of}^FS", []
                return bars, [b">;", Slot("code", form.length)]
            case Serial():
                return base + self._font(element.size), [Slot("serial", 12)]
            case Code():
                return base + self._font(element.size), [Slot("code_grouped", form.length + len(form.groups) - 1)]
            case _:
                return "".join(_still(element, self._template, at)), []

    def _font(self, size: float) -> str:
        return _font(self._template, size)


def of_records(template: Template, records: Sequence[Record]) -> bytes:
    """Return packs or coupons as ZPL: the layout is stored once, each piece then sends its data only."""
    own = [element for element in template.elements if isinstance(element, Qr | DataMatrix | Gs1 | Field)]
    layout = []
    number = 0
    for element in template.elements:
        if isinstance(element, Qr | DataMatrix | Gs1 | Field):
            number += 1
            layout.append(f"{_of_piece(element, template)}^FN{number}^FS")
        else:
            layout += _still(element, template, _at(element, template))
    size = f"^PW{template.dots(template.width)}^LL{template.dots(template.height)}"
    out = [f"^XA^DF{STORED}^FS^CI28{size}{''.join(layout)}^XZ\n"]
    for record in records:
        data = "".join(f"^FN{number}{_data(element, record)}^FS" for number, element in enumerate(own, 1))
        out.append(f"^XA^XF{STORED}^FS{data}^XZ\n")
    return "".join(out).encode()


def _of_piece(element: Qr | DataMatrix | Gs1 | Field, template: Template) -> str:
    x, y = (max(0, template.dots(value)) for value in (element.x, element.y))
    match element:
        case Qr():
            return f"^FO{x},{max(0, y - 10)}^BQN,2,{element.dots}"
        case DataMatrix():
            return f"^FO{x},{y}^BXN,{element.dots},200,0,0,,|"
        case Gs1():
            return f"^BY{element.dots}^FO{x},{y}^BCN,{template.dots(element.height)},N,N,N"
        case Field():
            return f"^FT{x},{y}{_font(template, element.size)}"


def _data(element: Qr | DataMatrix | Gs1 | Field, record: Record) -> str:
    match element:
        case Qr():
            return f"^FDMA,{record.link}"
        case DataMatrix():
            return f"^FD|1{gs1.plain(record.elements['all'], '|1')}"
        case Gs1():
            return f"^FD{code128_data(gs1.plain(record.elements[element.of]))}"
        case Field():
            return f"^FH_^FD{_escaped(text_of(element, record))}"


def code128_data(text: str) -> str:
    """Return GS1-128 data as ``^BC`` takes it: set C for pairs of digits, set B for the rest; ``>8`` is FNC1."""
    out, in_c, at = [">;>8"], True, 0
    while at < len(text):
        digits = re.match(r"\d*", text[at:])
        run = len(digits[0]) if digits else 0
        if text[at] == gs1.SEPARATOR:
            out.append(">8")
            at += 1
        elif in_c and run >= 2:
            out.append(text[at : at + 2])
            at += 2
        elif in_c:
            out.append(">6")
            in_c = False
        elif run >= 4 and run % 2 == 0:
            out.append(">5")
            in_c = True
        else:
            out.append(">0" if text[at] == ">" else text[at])
            at += 1
    return "".join(out)


def _at(element: Element, template: Template) -> str:
    return f"^FO{max(0, template.dots(element.x))},{max(0, template.dots(element.y))}"


def _font(template: Template, size: float) -> str:
    high = round(size * template.dpi / 72)
    return f"^A0N,{high},{round(0.9 * high)}"


def _still(element: Element, template: Template, at: str) -> Iterator[str]:
    """Draw what is the same on all labels. A thermal printer knows black and white: light letters reverse their ground."""
    dots = template.dots
    match element:
        case Text():
            em = element.size * 25.4 / 72
            left = (
                element.x
                - {"left": 0.0, "center": 0.5, "right": 1.0}[element.align] * fonts.width_of(element.text) * em
            )
            start = f"^FT{max(0, dots(left))},{max(0, dots(element.y))}{_font(template, element.size)}"
            reverse = "^FR" if grey(element.color) > 127 else ""
            yield f"{start}{reverse}^FH_^FD{_escaped(element.text)}^FS"
        case Line():
            wide, high = abs(dots(element.x2 - element.x)), abs(dots(element.y2 - element.y))
            thick = max(1, dots(element.width))
            left, top = min(element.x, element.x2), min(element.y, element.y2)
            corner = f"^FO{max(0, dots(left))},{max(0, dots(top))}"
            if wide and high:
                lean = "R" if (element.x2 - element.x) * (element.y2 - element.y) < 0 else "L"
                yield f"{corner}^GD{wide},{high},{thick},B,{lean}^FS"
            else:
                yield f"{corner}^GB{max(wide, thick)},{max(high, thick)},{thick}^FS"
        case Rect():
            wide, high = dots(element.width), dots(element.height)
            dark = element.tint * (255 - grey(element.color)) / 255
            thick = min(wide, high) if dark >= 0.5 else max(1, dots(element.line)) * bool(element.line)
            if thick:
                yield f"{at}^GB{wide},{high},{thick}^FS"
        case Image():
            yield at + _bitmap(element, dots(element.width), dots(element.height))


def _escaped(text: str) -> str:
    """Return text for ``^FH_``: what ZPL would take for itself, and all that is not ASCII, as hex bytes of UTF-8."""
    return "".join(
        letter if letter.isascii() and letter.isprintable() and letter not in "^~_" else _hex(letter) for letter in text
    )


def _hex(letter: str) -> str:
    return "".join(f"_{byte:02X}" for byte in letter.encode())


def _bitmap(element: Image, wide: int, high: int) -> str:
    with PIL.Image.open(BytesIO(base64.b64decode(element.data))) as opened:
        white = PIL.Image.new("RGBA", opened.size, "white")
        white.alpha_composite(opened.convert("RGBA"))
    dark = white.convert("L").resize((max(1, wide), max(1, high))).point(lambda grey: 255 - grey).convert("1")
    data, row = dark.tobytes(), -(-max(1, wide) // 8)
    return f"^GFA,{len(data)},{len(data)},{row},{data.hex().upper()}^FS"
