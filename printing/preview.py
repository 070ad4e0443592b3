"""What a label will look like: SVG at its true size, PNG in the device's own dots. Never with a live code.

Preview codes come from a key of their own (purpose "preview"), and SAMPLE stands across them.
"""

import base64
from collections.abc import Iterator
from io import BytesIO
from xml.sax.saxutils import escape

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont

from printing import code128, data_matrix, fonts, qr
from printing.source import Order
from printing.stencil import Bytes
from printing.template import (
    MM_PER_INCH,
    POINTS_PER_INCH,
    CardNo,
    Code,
    Code128,
    DataMatrix,
    Element,
    Image,
    Line,
    Name,
    Qr,
    Rect,
    ScratchArea,
    Serial,
    Template,
    Text,
)

SAMPLE = "SAMPLE"
CARD_NO, NAME = "0000000000000000", "Sample Name"


def svg(template: Template, order: Order, *, serial: str, code: str) -> str:
    """Return one label as SVG in millimetres. ``serial`` and ``code`` are preview codes, never live ones."""
    wide, high = template.width, template.height
    body = "".join(_svg(element, template, order, serial, code) for element in template.elements)
    mark = (
        f'<text x="{wide / 2:g}" y="{high / 2:g}" font-size="{wide / 6:g}" text-anchor="middle" '
        f'dominant-baseline="middle" fill="#d33" fill-opacity="0.35" '
        f'transform="rotate({-18} {wide / 2:g} {high / 2:g})">{SAMPLE}</text>'
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide:g}mm" height="{high:g}mm" viewBox="0 0 {wide:g} {high:g}" '
        f'role="img"><rect width="{wide:g}" height="{high:g}" fill="#fff"/>{body}{mark}</svg>'
    )


def png(template: Template, order: Order, *, serial: str, code: str) -> bytes:
    """Return one label as PNG, a pixel a dot of the device. ``serial`` and ``code`` are preview codes."""
    size = template.dots(template.width), template.dots(template.height)
    picture = PIL.Image.new("L", size, 255)
    for element in template.elements:
        _paint(picture, element, template, order, (serial, code))
    font = PIL.ImageFont.truetype(str(fonts.mono_path()), max(8, size[0] // 8))
    PIL.ImageDraw.Draw(picture).text((size[0] / 2, size[1] / 2), SAMPLE, fill=170, font=font, anchor="mm")
    file = BytesIO()
    picture.save(file, "PNG", dpi=(template.dpi, template.dpi))
    return file.getvalue()


def modules_of(element: Qr | DataMatrix | Code128, order: Order, serial: str, code: str) -> Bytes:
    """Return a symbol's modules, 1 = dark; a bar code is one row."""
    match element:
        case Qr():
            number = qr.version(order.prefix).number
            side = 17 + 4 * number
            return np.unpackbits(qr.draw(order.prefix + serial, number).reshape(side, -1), axis=1)[:, :side]
        case DataMatrix():
            symbols = data_matrix.symbols(order.gtin)
            return symbols.modules(symbols.image(serial))
        case Code128():
            digits = {"code": code, "card_no": CARD_NO}.get(element.of, element.of)
            return code128.modules(np.frombuffer(digits.encode(), np.uint8).reshape(1, -1))


def text_of(element: Serial | Code | CardNo | Name | Text, order: Order, serial: str, code: str) -> str:
    """Return what a text element says on the sample."""
    match element:
        case Serial():
            return serial
        case Code():
            return order.form.grouped(code)
        case CardNo():
            return " ".join(CARD_NO[place : place + 4] for place in range(0, len(CARD_NO), 4))
        case Name():
            return NAME
        case Text():
            return element.text


def _svg(element: Element, template: Template, order: Order, serial: str, code: str) -> str:
    x, y = f"{element.x:g}", f"{element.y:g}"
    match element:
        case Qr() | DataMatrix() | Code128():
            modules = modules_of(element, order, serial, code)
            dot = template.mm(element.dots)
            high = element.height if isinstance(element, Code128) else dot
            path = "".join(
                f"M{start * dot:.4f} {row * high:.4f}h{length * dot:.4f}v{high:.4f}h{-length * dot:.4f}z"
                for row, start, length in _runs(modules)
            )
            return f'<path transform="translate({x} {y})" d="{path}" fill="#000" shape-rendering="crispEdges"/>'
        case Serial() | Code() | CardNo() | Name() | Text():
            family = "sans-serif" if isinstance(element, Text | Name) else "'IBM Plex Mono',monospace"
            size = element.size * MM_PER_INCH / POINTS_PER_INCH
            said = escape(text_of(element, order, serial, code))
            return f'<text x="{x}" y="{y}" font-family="{family}" font-size="{size:.4f}" xml:space="preserve">{said}</text>'
        case Line():
            return (
                f'<line x1="{x}" y1="{y}" x2="{element.x2:g}" y2="{element.y2:g}" stroke="#000" '
                f'stroke-width="{element.width:g}"/>'
            )
        case Rect():
            return (
                f'<rect x="{x}" y="{y}" width="{element.width:g}" height="{element.height:g}" stroke="#000" '
                f'stroke-width="{element.line:g}" fill="#000" fill-opacity="{element.tint:g}"/>'
            )
        case ScratchArea():
            return (
                f'<rect x="{x}" y="{y}" width="{element.width:g}" height="{element.height:g}" stroke="#888" '
                f'stroke-width="0.2" stroke-dasharray="0.8 0.4" fill="#999" fill-opacity="0.25"/>'
            )
        case Image():
            kind = "png" if element.data.startswith("iVBOR") else "jpeg"
            return (
                f'<image x="{x}" y="{y}" width="{element.width:g}" height="{element.height:g}" '
                f'preserveAspectRatio="none" href="data:image/{kind};base64,{element.data}"/>'
            )


def _runs(modules: Bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (row, first column, length) of each run of dark modules."""
    for row, line in enumerate(modules):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line, [0]]).astype(np.int8)))
        for start, end in edges.reshape(-1, 2):
            yield row, int(start), int(end - start)


def _paint(
    picture: PIL.Image.Image, element: Element, template: Template, order: Order, codes: tuple[str, str]
) -> None:
    dots, draw = template.dots, PIL.ImageDraw.Draw(picture)
    at = dots(element.x), dots(element.y)
    match element:
        case Qr() | DataMatrix() | Code128():
            modules = modules_of(element, order, *codes)
            high = dots(element.height) if isinstance(element, Code128) else element.dots
            pixels = np.repeat(np.repeat(255 * (1 - modules), high, axis=0), element.dots, axis=1).astype(np.uint8)
            picture.paste(PIL.Image.fromarray(pixels), at)
        case Serial() | Code() | CardNo() | Name() | Text():
            path = fonts.wide_path() if isinstance(element, Text | Name) else fonts.mono_path()
            font = PIL.ImageFont.truetype(str(path), max(1, round(element.size * template.dpi / POINTS_PER_INCH)))
            draw.text(at, text_of(element, order, *codes), fill=0, font=font, anchor="ls")
        case Line():
            draw.line([at, (dots(element.x2), dots(element.y2))], fill=0, width=max(1, dots(element.width)))
        case Rect():
            line, fill = dots(element.line), 255 - round(255 * element.tint) if element.tint else None
            draw.rectangle(_corners(element, template), outline=0 if line else None, width=max(1, line), fill=fill)
        case ScratchArea():
            draw.rectangle(_corners(element, template), outline=128)
        case Image():
            with PIL.Image.open(BytesIO(base64.b64decode(element.data))) as art:
                white = PIL.Image.new("RGBA", art.size, "white")
                white.alpha_composite(art.convert("RGBA"))
            picture.paste(white.convert("L").resize((max(1, dots(element.width)), max(1, dots(element.height)))), at)


def _corners(element: Rect | ScratchArea, template: Template) -> tuple[int, int, int, int]:
    dots = template.dots
    left, top = dots(element.x), dots(element.y)
    return left, top, left + max(1, dots(element.width)), top + max(1, dots(element.height))
