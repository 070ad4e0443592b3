"""What would not print or read well on a template, said in sentences before anything is made."""

import base64
from collections.abc import Iterator
from functools import lru_cache
from io import BytesIO
from typing import NamedTuple

import PIL.Image
from django.utils.translation import gettext as _

from printing import code128, data_matrix, fonts, qr, records
from printing.pdf import SHIFT
from printing.preview import Lettering, Sample, Symbol, is_wide, text_of
from printing.template import (
    CARD_MARGIN,
    MM_PER_INCH,
    PACKS,
    PLACEHOLDERS,
    PLACEHOLDERS_OF_PACKS,
    POINTS_PER_INCH,
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

LEAST_MODULE_MM = 0.25
ASCENT, DESCENT = 0.78, 0.22  # of a line of text, in ems
CARD_DIGITS = 16
LEAST_SSCC_MM, LEAST_SSCC_HEIGHT_MM = 0.495, 31.75  # GS1 General Specifications, symbol specification table 5
LEAST_POINTS = 4
LIGHT = 0.15  # a ground that takes less than this from white does a symbol no harm
LEAST_DIFFERENCE = 90  # of 255, between ink and ground


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
Found = list[tuple[Element, Box]]


class Finding(NamedTuple):
    """What to mend, in the reader's language, and at which element (its place in the template; None: the whole)."""

    text: str
    element: int | None


def warnings(template: Template, sample: Sample) -> list[str]:
    """Return what to mend, in the reader's language; nothing where all is well."""
    return [finding.text for finding in findings(template, sample)]


def findings(template: Template, sample: Sample) -> list[Finding]:
    """Return what to mend, and where."""
    places = {id(element): place for place, element in enumerate(template.elements)}
    found = [Finding(text, places.get(id(element))) for text, element in _findings(template, sample)]
    return list(dict.fromkeys(found))


def box_of(element: Element, template: Template, sample: Sample) -> Box:
    """Return the room that an element takes, without quiet zone."""
    match element:
        case Qr() | DataMatrix() | Code128() | Gs1():
            wide, high = _modules(element, template, sample)
            side = template.mm(element.dots)
            height = element.height if isinstance(element, Code128 | Gs1) else side * high
            return Box(element.x, element.y, element.x + side * wide, element.y + height)
        case Line():
            left, right = sorted((element.x, element.x2))
            top, bottom = sorted((element.y, element.y2))
            return Box(left, top, right, bottom).grown(element.width / 2)
        case Rect() | Image() | ScratchArea():
            return Box(element.x, element.y, element.x + element.width, element.y + element.height)
        case _:
            em = element.size * MM_PER_INCH / POINTS_PER_INCH
            wide_mm = _letters(element, sample) * em
            left = element.x - (SHIFT[element.align] * wide_mm if isinstance(element, Text) else 0)
            return Box(left, element.y - ASCENT * em, left + wide_mm, element.y + DESCENT * em)


def _findings(template: Template, sample: Sample) -> Iterator[tuple[str, Element | None]]:
    trim = Box(0, 0, template.width, template.height)
    boxes: Found = [(element, box_of(element, template, sample)) for element in template.elements]
    for symbol, box in boxes:
        if isinstance(symbol, Symbol):
            for text in _symbol_findings(symbol, box, template, sample, boxes):
                yield text, symbol
    letterings = [(element, box) for element, box in boxes if isinstance(element, Lettering)]
    for place, (lettering, box) in enumerate(letterings):
        for text in _text_findings(lettering, box, template, sample):
            yield text, lettering
        for another, its_box in letterings[place + 1 :]:
            if box.meets(its_box):
                yield _("“{type}” and “{other}” overlap.").format(type=lettering.type, other=another.type), another
    for element, box in boxes:
        ink = _ink_of(element)
        if ink is not None and abs(ink - _ground(element, box, boxes)) < LEAST_DIFFERENCE:
            yield _("“{type}” has too little contrast with what is beneath it.").format(type=element.type), element
        if not box.lies_in(trim.grown(template.bleed)) and not isinstance(element, Lettering | Symbol):
            yield _("“{type}” reaches beyond the label and its bleed.").format(type=element.type), element
    yield from _scratch_findings(boxes)
    if template.bleed and template.sheet.places > 1 and min(_gaps(template)) < 2 * template.bleed:
        yield _("The gaps between labels are narrower than two bleeds."), None


def _symbol_findings(symbol: Symbol, box: Box, template: Template, sample: Sample, boxes: Found) -> Iterator[str]:
    module, order = template.mm(symbol.dots), sample.order
    if module < LEAST_MODULE_MM:
        yield _("{type}: a module is {mm} mm; below 0.25 mm many telephones cannot read it.").format(
            type=symbol.type, mm=f"{module:.3f}"
        )
    quiet = _quiet_zone(symbol, box, template)
    for other, its_box in boxes:
        if other is not symbol and not isinstance(other, ScratchArea) and _touches(other, its_box, quiet):
            yield _("{type}: “{other}” lies in its quiet zone.").format(type=symbol.type, other=other.type)
    if not quiet.lies_in(Box(0, 0, template.width, template.height).grown(template.bleed)):
        yield _("{type}: the quiet zone reaches beyond the label.").format(type=symbol.type)
    if not box.lies_in(Box(0, 0, template.width, template.height)):
        yield _("{type}: reaches beyond the edge where the label is cut.").format(type=symbol.type)
    if isinstance(symbol, Code128) and symbol.of == "code" and (order.form.radix != 10 or order.form.length % 2):
        yield _("A bar code of set C holds codes of an even number of digits only.")
    small = module < LEAST_SSCC_MM or getattr(symbol, "height", 0) < LEAST_SSCC_HEIGHT_MM
    if isinstance(symbol, Gs1) and symbol.of == "sscc" and small:
        yield _("Scanners of warehouses rely on an SSCC with modules of 0.495 mm and bars 31.75 mm high.")
    if template.kind == "unit" and isinstance(symbol, DataMatrix):
        yield _("Many telephone cameras do not open a DataMatrix by themselves.")
    if template.kind == "unit" and isinstance(symbol, Qr) and qr.version(order.prefix).long_host:
        yield _("The host's name has more than 19 characters: the QR code is larger (33 modules) for it.")


def _text_findings(lettering: Lettering, box: Box, template: Template, sample: Sample) -> Iterator[str]:
    trim = Box(0, 0, template.width, template.height)
    if template.kind == "card" and not box.lies_in(trim.grown(-CARD_MARGIN)):
        yield _("“{type}” reaches beyond the safe margin of the card.").format(type=lettering.type)
    elif not box.lies_in(trim):
        yield _("“{type}” reaches beyond the edge where the label is cut.").format(type=lettering.type)
    if lettering.size < LEAST_POINTS:
        yield _("“{type}” is smaller than 4 points: few people can read it.").format(type=lettering.type)
    said = text_of(lettering, sample)
    lacking = fonts.missing(said, fixed=not is_wide(lettering))
    if lacking:
        yield _("The font has no glyph for: {signs}").format(signs=" ".join(lacking[:12]))
    if isinstance(lettering, Text):
        known = PLACEHOLDERS_OF_PACKS if template.kind in PACKS else PLACEHOLDERS
        unknown = [word for word in _words_in_braces(lettering.text) if word not in known]
        if unknown:
            yield _("Nothing is filled in for {words}.").format(words=", ".join(f"{{{word}}}" for word in unknown))


def _words_in_braces(text: str) -> list[str]:
    return [part.partition("}")[0] for part in text.split("{")[1:] if "}" in part]


def _scratch_findings(boxes: Found) -> Iterator[tuple[str, Element | None]]:
    areas = [box for element, box in boxes if isinstance(element, ScratchArea)]
    for element, box in boxes:
        hidden = isinstance(element, Code) or (isinstance(element, Code128) and element.of == "code")
        if hidden and not any(box.lies_in(area) for area in areas):
            yield _("The hidden code is not wholly under a scratch area."), element
        if isinstance(element, Qr | DataMatrix | Serial) and any(box.meets(area) for area in areas):
            text = _("“{type}” is under a scratch area, though it must be readable before.").format(type=element.type)
            yield text, element


def _touches(other: Element, its_box: Box, quiet: Box) -> bool:
    """Return whether something is drawn inside a quiet zone; a frame around it, or a light ground, is not."""
    if isinstance(other, Rect) and _darkness(other) < LIGHT:
        edge = other.line / 2
        return bool(other.line) and its_box.grown(edge).meets(quiet) and not quiet.lies_in(its_box.grown(-edge))
    if isinstance(other, Image):
        return its_box.meets(quiet) and _lightness(other.data) < (1 - LIGHT) * 255
    return its_box.meets(quiet)


def _darkness(rect: Rect) -> float:
    return rect.tint * (255 - grey(rect.color)) / 255


def _ink_of(element: Element) -> int | None:
    """Return how light the ink of letters and symbols is, from 0 to 255."""
    if isinstance(element, Text):
        return grey(element.color) if element.text.strip() else None
    return 0 if isinstance(element, Lettering | Symbol) else None


def _ground(element: Element, box: Box, boxes: Found) -> float:
    """Return how light it is beneath an element: of what was drawn before it, the darkest or lightest that it meets."""
    middle = Box(
        (box.left + box.right) / 2, (box.top + box.bottom) / 2, (box.left + box.right) / 2, (box.top + box.bottom) / 2
    )
    light = 255.0
    for other, its_box in boxes:
        if other is element:
            break
        if not middle.lies_in(its_box):
            continue
        if isinstance(other, Rect) and other.tint:
            light = (1 - other.tint) * light + other.tint * grey(other.color)
        elif isinstance(other, Image):
            light = _lightness(other.data)
    return light


@lru_cache(maxsize=32)
def _lightness(data: str) -> float:
    with PIL.Image.open(BytesIO(base64.b64decode(data))) as opened:
        small = opened.convert("RGBA")
        small.thumbnail((32, 32))
    white = PIL.Image.new("RGBA", small.size, "white")
    white.alpha_composite(small)
    values = white.convert("L").tobytes()
    return sum(values) / len(values)


def _quiet_zone(element: Symbol, box: Box, template: Template) -> Box:
    modules = {Qr: qr.QUIET_ZONE, DataMatrix: data_matrix.QUIET_ZONE, Code128: 10, Gs1: 10}[type(element)]
    edge = template.mm(modules * element.dots)
    return box.grown(edge, 0) if isinstance(element, Code128 | Gs1) else box.grown(edge)


def _modules(element: Symbol, template: Template, sample: Sample) -> tuple[int, int]:
    """Return how many modules wide and high a symbol is."""
    if isinstance(element, Code128):
        digits = {"code": sample.order.form.length, "card_no": CARD_DIGITS}.get(element.of, len(element.of))
        return code128.width(digits), 1
    if isinstance(element, Gs1) or template.kind != "unit":
        try:
            shape = records.modules(element, sample.record).shape
        except ValueError:
            return 1, 1
        return shape[1], shape[0]
    side = qr.version(sample.order.prefix).side if isinstance(element, Qr) else data_matrix.SIDE
    return side, side


def _letters(element: Lettering, sample: Sample) -> float:
    """Return how wide an element's text is at most, in ems."""
    if isinstance(element, Name):
        return element.longest * fonts.ADVANCE
    if isinstance(element, Field) and element.of != records.WIDE:
        return len(text_of(element, sample)) * fonts.ADVANCE
    return fonts.width_of(text_of(element, sample), fixed=not is_wide(element))


def _gaps(template: Template) -> list[float]:
    sheet = template.sheet
    return [gap for gap, count in ((sheet.gap_x, sheet.columns), (sheet.gap_y, sheet.rows)) if count > 1]
