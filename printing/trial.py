"""Trying a template before anything is ordered: what its sample reads as, and a page that shows what a device can do."""

from dataclasses import dataclass, replace
from io import BytesIO

import numpy as np
import PIL.Image
import zxingcpp
from django.utils.translation import gettext as _

from printing import cards, labels, preflight, preview, records
from printing.cards import CardRecord
from printing.pdf import Sink
from printing.preview import Sample, Symbol
from printing.source import Codes
from printing.template import Code128, DataMatrix, Element, Gs1, Line, Qr, Rect, Sheet, Template, Text

A4 = (210.0, 297.0)
TOP, LEFT = 32.0, 25.0  # where the label lies on the trial page
MOST_DOTS = 40_000_000


@dataclass(frozen=True, slots=True)
class Fact:
    """A sentence that holds (``good``) or does not."""

    text: str
    good: bool


def facts(template: Template, sample: Sample) -> list[Fact]:
    """Return, for each symbol, its size and whether the sample's picture reads as what was put in."""
    found = []
    if template.dots(template.width) * template.dots(template.height) > MOST_DOTS:
        return [Fact(_("The label has too many dots for a sample to be decoded here."), good=False)]
    with PIL.Image.open(BytesIO(preview.png(template, sample, mark=False))) as opened:
        picture = np.array(opened)
    for element in template.elements:
        if not isinstance(element, Symbol):
            continue
        box = preflight.box_of(element, template, sample)
        name = {Qr: _("QR code"), DataMatrix: _("DataMatrix")}.get(type(element), _("Bar code"))
        size = _("{name}: {wide} × {high} mm, {dots} dots a module = {mm} mm").format(
            name=name,
            wide=f"{box.right - box.left:.1f}",
            high=f"{box.bottom - box.top:.1f}",
            dots=element.dots,
            mm=f"{template.mm(element.dots):.3f}",
        )
        found.append(Fact(size, good=template.mm(element.dots) >= preflight.LEAST_MODULE_MM))
        reads = _reads(picture, element, box, template, sample)
        found.append(
            Fact(_("The sample was decoded and says what was put in."), good=True)
            if reads
            else Fact(_("{name}: the sample cannot be decoded.").format(name=name), good=False)
        )
    return found


def _reads(picture: np.ndarray, element: Symbol, box: preflight.Box, template: Template, sample: Sample) -> bool:
    edge = template.mm(10 * element.dots)
    left, top = max(0, template.dots(box.left - edge)), max(0, template.dots(box.top - edge))
    right, bottom = template.dots(box.right + edge), template.dots(box.bottom + edge)
    part = np.pad(picture[top:bottom, left:right], 16, constant_values=255)
    return says(element, template, sample) in {one.text for one in zxingcpp.read_barcodes(part, try_invert=False)}


def says(element: Symbol, template: Template, sample: Sample) -> str:
    """Return what a symbol of the sample says, as a reader reports it."""
    match element:
        case Code128():
            return {"code": sample.code, "card_no": sample.card_no}.get(element.of, element.of)
        case Gs1():
            return sample.record.elements.get(element.of, "")
        case Qr() if template.kind == "card":
            return sample.card_no
        case Qr() if template.kind != "unit":
            return sample.record.link
        case Qr():
            return sample.order.prefix + sample.serial
        case DataMatrix() if template.kind != "unit":
            return sample.record.elements.get("all", "")
        case DataMatrix():
            return f"(01){sample.order.gtin}(21){sample.serial}"


class _OneSample:
    count = 1

    def __init__(self, sample: Sample) -> None:
        self._codes = Codes(*(np.frombuffer(text.encode(), np.uint8)[None] for text in (sample.serial, sample.code)))

    def read(self, start: int, end: int) -> Codes:
        return self._codes


def write(template: Template, sample: Sample, *, title: str, file: Sink) -> None:
    """Write the trial page as PDF: the label at its size with crop marks, rulers, and bars of one to six dots."""
    page = _page(template, title)
    if template.kind == "unit":
        labels.roll(page, sample.order, 1).write(file, _OneSample(sample))
    elif template.kind == "card":
        cards.write(page, [CardRecord(sample.card_no, sample.name, sample.card_no)], file)
    else:
        records.write(page, [sample.record], file)


def _page(template: Template, title: str) -> Template:
    wide, high = max(A4[0], template.width + 2 * LEFT), max(A4[1], template.height + 130)
    moved = tuple(_moved(element) for element in template.elements)
    below = TOP + template.height + 18
    own: list[Element] = [
        Text(x=LEFT, y=14, text=f"{title} · {template.width:g} × {template.height:g} mm · {template.dpi} dpi", size=11),
        Text(
            x=LEFT,
            y=20,
            text=_("Print at 100 %, without fitting to the page. Codes are samples: they earn nothing."),
            size=8,
        ),
        *_crop_marks(template),
        *_ruler(LEFT, below, 160 if wide > 200 else wide - 50),
        *_down(LEFT - 15, TOP, min(high - TOP - 20, 240)),
        *_bars(template, LEFT, below + 14),
        *_letters(LEFT, below + 52),
    ]
    return replace(template, width=wide, height=high, bleed=0.0, sheet=Sheet(), elements=(*moved, *own))


def _moved(element: Element) -> Element:
    if isinstance(element, Line):
        return replace(element, x=element.x + LEFT, y=element.y + TOP, x2=element.x2 + LEFT, y2=element.y2 + TOP)
    return replace(element, x=element.x + LEFT, y=element.y + TOP)


def _crop_marks(template: Template) -> list[Element]:
    marks: list[Element] = []
    for x, out in ((LEFT, -1), (LEFT + template.width, 1)):
        for y, down in ((TOP, -1), (TOP + template.height, 1)):
            marks += [
                Line(x=x + out * (template.bleed + 1), y=y, x2=x + out * (template.bleed + 5), y2=y, width=0.1),
                Line(x=x, y=y + down * (template.bleed + 1), x2=x, y2=y + down * (template.bleed + 5), width=0.1),
            ]
    return marks


def _ruler(x: float, y: float, length: float) -> list[Element]:
    made: list[Element] = [Line(x=x, y=y, x2=x + int(length), y2=y, width=0.15)]
    for mm in range(int(length) + 1):
        tick = 4.0 if mm % 10 == 0 else 3.0 if mm % 5 == 0 else 1.8
        made.append(Line(x=x + mm, y=y, x2=x + mm, y2=y + tick, width=0.1))
        if mm % 10 == 0:
            made.append(Text(x=x + mm, y=y + 7, text=str(mm), size=6, align="center"))
    return made


def _down(x: float, y: float, length: float) -> list[Element]:
    made: list[Element] = [Line(x=x, y=y, x2=x, y2=y + int(length), width=0.15)]
    for mm in range(int(length) + 1):
        tick = 4.0 if mm % 10 == 0 else 3.0 if mm % 5 == 0 else 1.8
        made.append(Line(x=x, y=y + mm, x2=x + tick, y2=y + mm, width=0.1))
        if mm % 10 == 0:
            made.append(Text(x=x + 5, y=y + mm + 0.8, text=str(mm), size=6))
    return made


def _bars(template: Template, x: float, y: float) -> list[Element]:
    made: list[Element] = [
        Text(
            x=x,
            y=y,
            text=_("Bars and gaps of 1 to 6 dots: the finest that stay apart are the smallest module."),
            size=8,
        )
    ]
    for dots in range(1, 7):
        first = template.dots(x + (dots - 1) * 27)
        left, width = template.mm(first), template.mm(dots)
        made += [
            Rect(x=template.mm(first + 2 * bar * dots), y=y + 4, width=width, height=16, line=0, tint=1)
            for bar in range(12)
        ]
        made.append(Text(x=left, y=y + 25, text=_("{dots} = {mm} mm").format(dots=dots, mm=f"{width:.3f}"), size=6))
    return made


def _letters(x: float, y: float) -> list[Element]:
    made: list[Element] = []
    for size in (4.0, 5.0, 6.0, 8.0, 10.0):
        y += size * 0.55 + 1
        made.append(
            Text(x=x, y=y, text=f"{size:g} pt · {_('Scan, scratch, enter the code')} · 一物一码 验真得积分", size=size)
        )
    return made
