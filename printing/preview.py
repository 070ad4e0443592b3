"""What a label will look like: SVG at its true size, PNG in the device's own dots. Never with a live code.

Preview codes come from a key of their own (purpose "preview"), and SAMPLE stands across them.
"""

import base64
from collections.abc import Iterator
from dataclasses import dataclass
from io import BytesIO
from xml.sax.saxutils import escape

import numpy as np
import PIL.Image
import PIL.ImageDraw
import PIL.ImageFont
from django.utils.translation import gettext as _

from printing import code128, data_matrix, fonts, qr, records
from printing.pdf import BOLD, SHIFT
from printing.records import Record
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
    Field,
    Gs1,
    Image,
    Line,
    Name,
    Qr,
    Rect,
    ScratchArea,
    Serial,
    Template,
    Text,
    grey,
)

SAMPLE = "SAMPLE"
CARD_NO, NAME = "0000000000000000", "Sample Name"
NOTHING = Record({})
STAGE = 8.0  # millimetres beside the label on its stage
Symbol = Qr | DataMatrix | Code128 | Gs1
Lettering = Serial | Code | CardNo | Name | Field | Text


@dataclass(frozen=True, slots=True)
class Sample:
    """What stands on a preview: preview codes, never live ones; ``record`` is that of anything but a unit label."""

    order: Order
    serial: str
    code: str
    card_no: str = CARD_NO
    name: str = NAME
    record: Record = NOTHING


def svg(template: Template, sample: Sample, *, bleed: bool = False, mark: bool = True) -> str:
    """Return one label as SVG in millimetres, with its letters as shapes of the printed fonts.

    Each element is a group with its number (``data-element``). ``bleed``: with what is cut off; ``mark``: SAMPLE on it.
    """
    edge = template.bleed if bleed else 0.0
    wide, high = template.width, template.height
    body = "".join(
        f'<g data-element="{place}">{_svg(element, template, sample)}</g>'
        for place, element in enumerate(template.elements)
    )
    across = fonts.outline(SAMPLE, fixed=True)
    size = min(wide / across.width, high) * 0.55
    scale = size / across.units
    word = (
        f'<path transform="translate({wide / 2:.4g} {high / 2:.4g}) rotate(-12) scale({scale:.6f} {-scale:.6f}) '
        f'translate({-across.width * across.units / 2:.1f} {-0.35 * across.units:.1f})" d="{across.path}" '
        f'fill="#c62828" fill-opacity="0.28"/>'
    )
    start = f"{0 - edge:g}"
    whole = f"{start} {start} {wide + 2 * edge:g} {high + 2 * edge:g}"
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{wide + 2 * edge:g}mm" height="{high + 2 * edge:g}mm" '
        f'viewBox="{whole}"><rect x="{start}" y="{start}" width="{wide + 2 * edge:g}" '
        f'height="{high + 2 * edge:g}" fill="#fff"/>{body}{word if mark else ""}</svg>'
    )


def stage(template: Template, sample: Sample) -> str:
    """Return the label on its stage: crop marks, bleed, and a ruler in millimetres along two edges."""
    wide, high, edge = template.width, template.height, template.bleed
    label = svg(template, sample, bleed=True).replace(
        f'width="{wide + 2 * edge:g}mm" height="{high + 2 * edge:g}mm"',
        f'x="{0 - edge:g}" y="{0 - edge:g}" width="{wide + 2 * edge:g}" height="{high + 2 * edge:g}"',
        1,
    )
    whole = stage_size(template)
    ticks, figures = [], []
    top = -edge - 2.2
    for mm in range(int(wide) + 1):
        ticks.append(f"M{mm} {top}v-{1.6 if mm % 10 == 0 else 1.1 if mm % 5 == 0 else 0.7}")
        if mm % 10 == 0:
            figures.append(f'<text x="{mm}" y="{top - 2.2}" text-anchor="middle">{mm}</text>')
    for mm in range(int(high) + 1):
        ticks.append(f"M{top} {mm}h-{1.6 if mm % 10 == 0 else 1.1 if mm % 5 == 0 else 0.7}")
        if mm % 10 == 0:
            figures.append(f'<text x="{top - 2}" y="{mm + 0.7}" text-anchor="end">{mm}</text>')
    crop = "".join(
        f"M{x - out * (edge + 2)} {y}h{out * 1.6}M{x} {y - down * (edge + 2)}v{down * 1.6}"
        for x, out in ((0, 1), (wide, -1))
        for y, down in ((0, 1), (high, -1))
    )
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" class="stage" width="{whole[0]:g}mm" height="{whole[1]:g}mm" '
        f'viewBox="{-STAGE - edge:g} {-STAGE - edge:g} {whole[0]:g} {whole[1]:g}" role="img" '
        f'aria-labelledby="stage-title"><title id="stage-title">{escape(_("Preview of the label"))}</title>'
        f'<g class="rule"><path d="{"".join(ticks)}{crop}"/>{"".join(figures)}</g>{label}'
        f'<rect class="trim" width="{wide:g}" height="{high:g}"/></svg>'
    )


def stage_size(template: Template) -> tuple[float, float]:
    """Return width and height of `stage` in millimetres."""
    edges = STAGE + 4 + 2 * template.bleed
    return round(template.width + edges, 3), round(template.height + edges, 3)


def png(template: Template, sample: Sample, *, mark: bool = True) -> bytes:
    """Return one label as PNG in greys, a pixel a dot of the device."""
    size = max(1, template.dots(template.width)), max(1, template.dots(template.height))
    picture = PIL.Image.new("L", size, 255)
    for element in template.elements:
        _paint(picture, element, template, sample)
    if mark:
        font = PIL.ImageFont.truetype(str(fonts.mono_path()), max(8, size[0] // 8))
        PIL.ImageDraw.Draw(picture).text((size[0] / 2, size[1] / 2), SAMPLE, fill=170, font=font, anchor="mm")
    file = BytesIO()
    picture.save(file, "PNG", dpi=(template.dpi, template.dpi))
    return file.getvalue()


def modules_of(element: Symbol, template: Template, sample: Sample) -> Bytes:
    """Return a symbol's modules, 1 = dark; a bar code is one row. Raises ValueError where there is none."""
    order = sample.order
    match element:
        case Gs1():
            return records.modules(element, sample.record)
        case Qr() | DataMatrix() if template.kind != "unit":
            return records.modules(element, sample.record)
        case Qr():
            number = qr.version(order.prefix).number
            side = 17 + 4 * number
            return np.unpackbits(qr.draw(order.prefix + sample.serial, number).reshape(side, -1), axis=1)[:, :side]
        case DataMatrix():
            symbols = data_matrix.symbols(order.gtin)
            return symbols.modules(symbols.image(sample.serial))
        case Code128():
            digits = {"code": sample.code, "card_no": sample.card_no}.get(element.of, element.of)
            if not digits.isdecimal() or len(digits) % 2:
                raise ValueError("a bar code of set C holds an even number of digits")
            return code128.modules(np.frombuffer(digits.encode(), np.uint8).reshape(1, -1))


def text_of(element: Lettering, sample: Sample) -> str:
    """Return what a text element says on the sample."""
    match element:
        case Serial():
            return sample.serial
        case Code():
            return sample.order.form.grouped(sample.code)
        case CardNo():
            return " ".join(sample.card_no[place : place + 4] for place in range(0, len(sample.card_no), 4))
        case Name():
            return sample.name[: element.longest]
        case Field():
            return records.text_of(element, sample.record)
        case Text():
            return element.text


def is_wide(element: Lettering) -> bool:
    """Return whether a text is set in the font for any text, and not in the monospaced one."""
    return isinstance(element, Text | Name) or (isinstance(element, Field) and element.of == records.WIDE)


def _svg(element: Element, template: Template, sample: Sample) -> str:
    x, y = f"{element.x:g}", f"{element.y:g}"
    match element:
        case Qr() | DataMatrix() | Code128() | Gs1():
            try:
                modules = modules_of(element, template, sample)
            except ValueError:
                return ""
            dot = template.mm(element.dots)
            high = element.height if isinstance(element, Code128 | Gs1) else dot
            path = "".join(
                f"M{start * dot:.4f} {row * high:.4f}h{length * dot:.4f}v{high:.4f}h{-length * dot:.4f}z"
                for row, start, length in _runs(modules)
            )
            return f'<path transform="translate({x} {y})" d="{path}" fill="#000" shape-rendering="crispEdges"/>'
        case Serial() | Code() | CardNo() | Name() | Field() | Text():
            return _letters(element, sample)
        case Line():
            return (
                f'<line x1="{x}" y1="{y}" x2="{element.x2:g}" y2="{element.y2:g}" stroke="{element.color}" '
                f'stroke-width="{element.width:g}"/>'
            )
        case Rect():
            line = f'stroke="{element.color}" stroke-width="{element.line:g}" ' if element.line else ""
            return (
                f'<rect x="{x}" y="{y}" width="{element.width:g}" height="{element.height:g}" {line}'
                f'fill="{element.color}" fill-opacity="{element.tint:g}"/>'
            )
        case ScratchArea():
            return (
                f'<rect x="{x}" y="{y}" width="{element.width:g}" height="{element.height:g}" stroke="#777" '
                f'stroke-width="0.2" stroke-dasharray="0.8 0.4" fill="#999" fill-opacity="0.25"/>'
            )
        case Image():
            kind = "png" if element.data.startswith("iVBOR") else "jpeg"
            return (
                f'<image x="{x}" y="{y}" width="{element.width:g}" height="{element.height:g}" '
                f'preserveAspectRatio="none" href="data:image/{kind};base64,{escape(element.data)}"/>'
            )


def _letters(element: Lettering, sample: Sample) -> str:
    shape = fonts.outline(text_of(element, sample), fixed=not is_wide(element))
    size = element.size * MM_PER_INCH / POINTS_PER_INCH
    color, left, bold = "#000", element.x, ""
    if isinstance(element, Text):
        color, left = element.color, element.x - SHIFT[element.align] * shape.width * size
        bold = f' stroke="{color}" stroke-width="{BOLD * shape.units:g}"' if element.bold else ""
    scale = size / shape.units
    return (
        f'<path transform="translate({left:.4f} {element.y:g}) scale({scale:.7f} {-scale:.7f})" d="{shape.path}" '
        f'fill="{color}"{bold}/>'
    )


def _runs(modules: Bytes) -> Iterator[tuple[int, int, int]]:
    """Yield (row, first column, length) of each run of dark modules."""
    for row, line in enumerate(modules):
        edges = np.flatnonzero(np.diff(np.concatenate([[0], line, [0]]).astype(np.int8)))
        for start, end in edges.reshape(-1, 2):
            yield row, int(start), int(end - start)


def _paint(picture: PIL.Image.Image, element: Element, template: Template, sample: Sample) -> None:
    dots, draw = template.dots, PIL.ImageDraw.Draw(picture)
    at = dots(element.x), dots(element.y)
    match element:
        case Qr() | DataMatrix() | Code128() | Gs1():
            try:
                modules = modules_of(element, template, sample)
            except ValueError:
                return
            high = dots(element.height) if isinstance(element, Code128 | Gs1) else element.dots
            pixels = np.repeat(np.repeat(255 * (1 - modules), high, axis=0), element.dots, axis=1).astype(np.uint8)
            picture.paste(PIL.Image.fromarray(pixels), at)
        case Serial() | Code() | CardNo() | Name() | Field() | Text():
            path = fonts.wide_path() if is_wide(element) else fonts.mono_path()
            em = element.size * template.dpi / POINTS_PER_INCH
            font = PIL.ImageFont.truetype(str(path), max(1, round(em)))
            ink, anchor, bold = 0, "ls", 0
            if isinstance(element, Text):
                ink, anchor = grey(element.color), {"left": "ls", "center": "ms", "right": "rs"}[element.align]
                bold = round(BOLD / 2 * em) if element.bold else 0
            draw.text(at, text_of(element, sample), fill=ink, font=font, anchor=anchor, stroke_width=bold)
        case Line():
            end = (dots(element.x2), dots(element.y2))
            draw.line([at, end], fill=grey(element.color), width=max(1, dots(element.width)))
        case Rect():
            ink = grey(element.color)
            fill = round(255 - element.tint * (255 - ink)) if element.tint else None
            line = max(1, dots(element.line)) if element.line else 0
            draw.rectangle(_corners(element, template), outline=ink if line else None, width=line, fill=fill)
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
