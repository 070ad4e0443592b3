"""What would not print or read well on a template, said in sentences before anything is made."""

from collections.abc import Iterator
from typing import NamedTuple

from django.utils.translation import gettext as _

from printing import code128, data_matrix, fonts, qr
from printing.source import Order
from printing.template import (
    CARD_MARGIN,
    MM_PER_INCH,
    POINTS_PER_INCH,
    CardNo,
    Code,
    Code128,
    DataMatrix,
    Element,
    Line,
    Name,
    Qr,
    Rect,
    ScratchArea,
    Serial,
    Template,
    Text,
)

LEAST_MODULE_MM = 0.25
ASCENT, DESCENT = 0.78, 0.22  # of a line of text, in ems
CARD_DIGITS = 16
LEAST_QR_MM = 9.0


class Box(NamedTuple):
    """A rectangle in millimetres from the label's upper left corner."""

    left: float
    top: float
    right: float
    bottom: float

    def grown(self, by: float, high: float | None = None) -> "Box":
        """Return the box with an edge around it."""
        more = by if high is None else high
        return Box(self.left - by, self.top - more, self.right + by, self.bottom + more)

    def meets(self, other: "Box") -> bool:
        """Return whether the boxes share more than an edge."""
        return (
            self.left < other.right - _LEAST
            and other.left < self.right - _LEAST
            and self.top < other.bottom - _LEAST
            and other.top < self.bottom - _LEAST
        )

    def lies_in(self, other: "Box") -> bool:
        """Return whether nothing of this box is outside the other."""
        return (
            self.left >= other.left - _LEAST
            and self.top >= other.top - _LEAST
            and self.right <= other.right + _LEAST
            and self.bottom <= other.bottom + _LEAST
        )


_LEAST = 0.01
Symbol = Qr | DataMatrix | Code128
Lettering = Serial | Code | CardNo | Name | Text


def warnings(template: Template, order: Order) -> list[str]:
    """Return what to mend, in the reader's language; nothing where all is well."""
    return list(_warnings(template, order))


def box_of(element: Element, template: Template, order: Order) -> Box:
    """Return the room that an element takes, without quiet zone."""
    match element:
        case Qr() | DataMatrix():
            side = template.mm(element.dots * _modules(element, order))
            return Box(element.x, element.y, element.x + side, element.y + side)
        case Code128():
            wide = template.mm(element.dots * _modules(element, order))
            return Box(element.x, element.y, element.x + wide, element.y + element.height)
        case Line():
            left, right = sorted((element.x, element.x2))
            top, bottom = sorted((element.y, element.y2))
            return Box(left, top, right, bottom).grown(element.width / 2)
        case Serial() | Code() | CardNo() | Name() | Text():
            em = element.size * MM_PER_INCH / POINTS_PER_INCH
            wide = _letters(element, order) * em
            return Box(element.x, element.y - ASCENT * em, element.x + wide, element.y + DESCENT * em)
        case _:
            return Box(element.x, element.y, element.x + element.width, element.y + element.height)


def _warnings(template: Template, order: Order) -> Iterator[str]:
    trim = Box(0, 0, template.width, template.height)
    safe = trim.grown(-CARD_MARGIN) if template.kind == "card" else trim
    boxes = [(element, box_of(element, template, order)) for element in template.elements]
    symbols = [(element, box) for element, box in boxes if isinstance(element, Symbol)]
    for symbol, box in symbols:
        yield from _symbol_warnings(symbol, box, template, order, trim)
        quiet = _quiet_zone(symbol, box, template)
        for other, its_box in boxes:
            if other is not symbol and not isinstance(other, ScratchArea) and _touches(other, its_box, quiet):
                yield _("{type}: “{other}” lies in its quiet zone.").format(type=symbol.type, other=other.type)
    for element, box in boxes:
        if isinstance(element, Lettering):
            if not box.lies_in(safe):
                yield (
                    _("“{type}” reaches beyond the safe margin of the card.")
                    if template.kind == "card"
                    else _("“{type}” reaches beyond the edge where the label is cut.")
                ).format(type=element.type)
            if element.size < 4:
                yield _("“{type}” is smaller than 4 points: few people can read it.").format(type=element.type)
    letterings = [(element, box) for element, box in boxes if isinstance(element, Lettering)]
    for place, (lettering, box) in enumerate(letterings):
        for another, its_box in letterings[place + 1 :]:
            if box.meets(its_box):
                yield _("“{type}” and “{other}” overlap.").format(type=lettering.type, other=another.type)
    yield from _scratch_warnings(boxes)
    if template.bleed and template.sheet.places > 1 and min(_gaps(template)) < 2 * template.bleed:
        yield _("The gaps between labels are narrower than two bleeds.")
    if any(isinstance(element, Qr) for element in template.elements) and qr.version(order.prefix).long_host:
        yield _("The host's name has more than 19 characters: the QR code is larger (33 modules) for it.")


def _symbol_warnings(element: Symbol, box: Box, template: Template, order: Order, trim: Box) -> Iterator[str]:
    module = template.mm(element.dots)
    if module < LEAST_MODULE_MM:
        yield _("{type}: a module is {mm} mm; below 0.25 mm many telephones cannot read it.").format(
            type=element.type, mm=f"{module:.3f}"
        )
    if not _quiet_zone(element, box, template).lies_in(trim.grown(template.bleed)):
        yield _("{type}: the quiet zone reaches beyond the label.").format(type=element.type)
    if isinstance(element, Code128) and element.of == "code" and (order.form.radix != 10 or order.form.length % 2):
        yield _("A bar code of set C holds codes of an even number of digits only.")
    if isinstance(element, DataMatrix):
        yield _("Many telephone cameras do not open a DataMatrix by themselves.")


def _scratch_warnings(boxes: list[tuple[Element, Box]]) -> Iterator[str]:
    areas = [box for element, box in boxes if isinstance(element, ScratchArea)]
    for element, box in boxes:
        if isinstance(element, Code) and not any(box.lies_in(area) for area in areas):
            yield _("The hidden code is not wholly under a scratch area.")
        if isinstance(element, Qr | DataMatrix | Serial) and any(box.meets(area) for area in areas):
            yield _("“{type}” is under a scratch area, though it must be readable before.").format(type=element.type)


def _touches(other: Element, its_box: Box, quiet: Box) -> bool:
    """Return whether something is drawn inside a quiet zone; a frame around it is not."""
    if isinstance(other, Rect) and not other.tint:
        edge = other.line / 2
        return its_box.grown(edge).meets(quiet) and not quiet.lies_in(its_box.grown(-edge))
    return its_box.meets(quiet)


def _quiet_zone(element: Symbol, box: Box, template: Template) -> Box:
    modules = {Qr: qr.QUIET_ZONE, DataMatrix: data_matrix.QUIET_ZONE, Code128: 10}[type(element)]
    edge = template.mm(modules * element.dots)
    return box.grown(edge, 0) if isinstance(element, Code128) else box.grown(edge)


def _modules(element: Symbol, order: Order) -> int:
    match element:
        case Qr():
            return qr.version(order.prefix).side
        case DataMatrix():
            return data_matrix.SIDE
        case Code128():
            return code128.width({"code": order.form.length, "card_no": CARD_DIGITS}.get(element.of, len(element.of)))


def _letters(element: Lettering, order: Order) -> float:
    """Return how wide an element's text is, in ems."""
    match element:
        case Serial():
            return 12 * fonts.ADVANCE
        case Code():
            return len(order.form.grouped("0" * order.form.length)) * fonts.ADVANCE
        case CardNo():
            return (CARD_DIGITS + 3) * fonts.ADVANCE
        case Name():
            return element.longest * fonts.ADVANCE
        case Text():
            return fonts.wide("".join(sorted(set(element.text)))).width(element.text, 1.0) if element.text else 0.0


def _gaps(template: Template) -> list[float]:
    sheet = template.sheet
    return [gap for gap, count in ((sheet.gap_x, sheet.columns), (sheet.gap_y, sheet.rows)) if count > 1]
