"""ZPL II for thermal printers: the layout is stored in the printer once, each label then sends its data only.

The printer makes the symbols, so their codewords are its own choice; what they say is not.
"""

import base64
from collections.abc import Iterator
from io import BytesIO

import PIL.Image

from printing.source import Order
from printing.stencil import Slot, Stencil
from printing.template import (
    Code,
    Code128,
    DataMatrix,
    Element,
    Image,
    Line,
    Qr,
    Rect,
    Serial,
    Template,
    Text,
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
                return "".join(self._still(element, at, base)), []

    def _still(self, element: Element, at: str, base: str) -> Iterator[str]:
        dots = self._template.dots
        match element:
            case Text():
                yield f"{base}{self._font(element.size)}^FH_^FD{_escaped(element.text)}^FS"
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
                thick = min(wide, high) if element.tint >= 0.5 else max(1, dots(element.line)) * bool(element.line)
                if thick:
                    yield f"{at}^GB{wide},{high},{thick}^FS"
            case Image():
                yield at + _bitmap(element, dots(element.width), dots(element.height))

    def _font(self, size: float) -> str:
        high = round(size * self._template.dpi / 72)
        return f"^A0N,{high},{round(0.9 * high)}"


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
