"""A template: what a label, card or sheet of them looks like, in millimetres from its upper left corner.

Stored as JSON; a version that was used never changes, so its SHA-256 names it. Where something does not print well,
`preflight.warnings` says so; what cannot be drawn at all is refused here.
"""

import base64
import binascii
import hashlib
import re
import types
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, asdict, dataclass, fields, replace
from typing import Any, ClassVar, Literal, Union, get_args, get_origin, get_type_hints

from django.utils.translation import gettext as _

from common.canonical import canonical
from common.errors import Invalid

MM_PER_INCH = 25.4
POINTS_PER_INCH = 72
MOST_MM = 2_000.0
MOST_ELEMENTS = 200
MOST_IMAGE_BYTES = 2_000_000
BLACK = "#000000"
CARD_WIDTH, CARD_HEIGHT, CARD_CORNER, CARD_BLEED, CARD_MARGIN = 85.6, 54.0, 3.18, 2.0, 3.0  # ISO/IEC 7810 ID-1

_PLACEHOLDER = re.compile(r"\{([a-z_]{2,20})\}")
_COLOR = re.compile(r"#[0-9a-f]{6}")

Kind = Literal["unit", "inner", "case", "pallet", "talker", "card", "coupon"]


class BadTemplate(Invalid):
    """The template cannot be drawn."""

    code = "bad_template"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Placed:
    x: float
    y: float


@dataclass(frozen=True, slots=True, kw_only=True)
class _Box(_Placed):
    width: float
    height: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Qr(_Placed):
    """The link of the label. ``dots`` of the device make a module; x, y are the symbol's corner, without quiet zone."""

    type: ClassVar[str] = "qr"
    dots: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class DataMatrix(_Placed):
    """GTIN and serial as a GS1 DataMatrix of 20 × 20 modules."""

    type: ClassVar[str] = "datamatrix"
    dots: int = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Code128(_Placed):
    """A bar code of set C: ``of`` is "card_no", "code" (a form of digits only), or the digits themselves."""

    type: ClassVar[str] = "code128"
    height: float
    of: str
    dots: int = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Serial(_Placed):
    """The serial, in the monospaced font; x, y are the left end of its base line, ``size`` is in points."""

    type: ClassVar[str] = "serial"
    size: float = 6.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Code(_Placed):
    """The hidden code in print groups."""

    type: ClassVar[str] = "code"
    size: float = 8.0


@dataclass(frozen=True, slots=True, kw_only=True)
class CardNo(_Placed):
    """The number of a member card, in groups of four."""

    type: ClassVar[str] = "card_no"
    size: float = 9.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Name(_Placed):
    """The name on a member card, at most ``longest`` characters."""

    type: ClassVar[str] = "name"
    size: float = 10.0
    longest: int = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Field(_Placed):
    """A text of the record of a case, a shelf talker or a coupon (`FIELDS`), at most ``longest`` characters."""

    type: ClassVar[str] = "field"
    of: Literal["sscc", "first", "last", "count", "seq", "partner", "partner_no", "coupon"]
    size: float = 9.0
    longest: int = 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Gs1(_Placed):
    """A GS1-128 bar code: the SSCC (00), the content of a pack (02, 37, 10), or the number of a coupon (255)."""

    type: ClassVar[str] = "gs1_128"
    height: float
    of: Literal["sscc", "content", "coupon"]
    dots: int = 5


@dataclass(frozen=True, slots=True, kw_only=True)
class Text(_Placed):
    """Text that is the same on all labels of a file, in any language; ``{product}`` and its like are filled in once.

    ``x`` is the left end of the base line, its middle or its right end.
    """

    type: ClassVar[str] = "text"
    text: str
    size: float = 7.0
    color: str = BLACK
    bold: bool = False
    align: Literal["left", "center", "right"] = "left"


@dataclass(frozen=True, slots=True, kw_only=True)
class Line(_Placed):
    """A line, ``width`` thick."""

    type: ClassVar[str] = "line"
    x2: float
    y2: float
    width: float = 0.25
    color: str = BLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Rect(_Box):
    """A rectangle: an outline ``line`` thick (0: none), filled with ``tint`` parts of its colour (0: not)."""

    type: ClassVar[str] = "rect"
    line: float = 0.25
    tint: float = 0.0
    color: str = BLACK


@dataclass(frozen=True, slots=True, kw_only=True)
class Image(_Box):
    """A picture: ``data`` is a PNG or JPEG file in base64."""

    type: ClassVar[str] = "image"
    data: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ScratchArea(_Box):
    """Where the scratch layer goes: an outline on a printing plate of its own, which is not ink on the label."""

    type: ClassVar[str] = "scratch_area"
    width: float
    height: float


Element = (
    Qr | DataMatrix | Code128 | Gs1 | Serial | Code | CardNo | Name | Field | Text | Line | Rect | Image | ScratchArea
)
TYPES: dict[str, type[Element]] = {element.type: element for element in get_args(Element)}
# What a kind of template may carry beside what is the same on all of them; which texts and bar codes its records have.
PACKS = ("inner", "case", "pallet")
_OF_PACKS = (Qr, DataMatrix, Gs1, Field)
OWN: dict[str, tuple[type[Element], ...]] = {
    "unit": (Qr, DataMatrix, Code128, Serial, Code, ScratchArea),
    **dict.fromkeys(PACKS, _OF_PACKS),
    "talker": (Qr, Field),
    "card": (Qr, Code128, CardNo, Name),
    "coupon": (Qr, Gs1, Field, ScratchArea),
}
STILL = (Text, Line, Rect, Image)
FIELDS: dict[str, tuple[str, ...]] = {
    **dict.fromkeys(PACKS, ("sscc", "first", "last", "count", "seq")),
    "talker": ("partner", "partner_no"),
    "coupon": ("coupon", "seq"),
}
BARS: dict[str, tuple[str, ...]] = {**dict.fromkeys(PACKS, ("sscc", "content")), "coupon": ("coupon",)}
PLACEHOLDERS = ("product", "product_zh", "gtin", "brand", "brand_zh", "hotline", "host")
PLACEHOLDERS_OF_PACKS = (*PLACEHOLDERS, "lot")


@dataclass(frozen=True, slots=True, kw_only=True)
class Sheet:
    """How labels lie on a page. One row of one column is a roll: a page a label."""

    rows: int = 1
    columns: int = 1
    gap_x: float = 0.0
    gap_y: float = 0.0
    margin: float = 0.0

    @property
    def places(self) -> int:
        """Labels on a page."""
        return self.rows * self.columns


@dataclass(frozen=True, slots=True, kw_only=True)
class Template:
    """A whole template. ``width`` and ``height`` are of the trimmed label."""

    kind: Kind = "unit"
    width: float
    height: float
    bleed: float = 0.0
    dpi: int = 300
    sheet: Sheet = Sheet()
    elements: tuple[Element, ...] = ()

    @property
    def sha256(self) -> str:
        """Return the name of exactly this template."""
        return hashlib.sha256(canonical(_whole(self.as_json()))).hexdigest()

    def dots(self, mm: float) -> int:
        """Return a length in whole dots of the device."""
        return round(mm * self.dpi / MM_PER_INCH)

    def mm(self, dots: float) -> float:
        """Return a length in millimetres."""
        return dots * MM_PER_INCH / self.dpi

    def points(self, dots: float) -> float:
        """Return a length in points of 1/72 inch."""
        return dots * POINTS_PER_INCH / self.dpi

    def texts(self) -> str:
        """Return each character of the texts once, sorted."""
        return "".join(
            sorted({sign for element in self.elements if isinstance(element, Text) for sign in element.text})
        )

    def filled(self, values: Mapping[str, str]) -> "Template":
        """Return the template with ``{product}`` and its like replaced by what one file says; others stay as they are."""

        def fill(text: str) -> str:
            return _PLACEHOLDER.sub(lambda found: values.get(found[1], found[0]), text)

        elements = (replace(one, text=fill(one.text)) if isinstance(one, Text) else one for one in self.elements)
        return replace(self, elements=tuple(elements))

    def as_json(self) -> dict[str, Any]:
        """Return what `parse` reads."""
        elements = [{"type": element.type} | asdict(element) for element in self.elements]
        return asdict(replace(self, elements=())) | {"elements": elements}


def parse(data: Mapping[str, Any]) -> Template:
    """Read a template. Raises BadTemplate, which says where the fault lies."""
    if not isinstance(data, Mapping):
        raise BadTemplate(_("A template is a JSON object."))
    given = dict(data)
    elements = given.pop("elements", [])
    if not isinstance(elements, list) or len(elements) > MOST_ELEMENTS:
        raise BadTemplate(_("The elements are a list of at most {most}.").format(most=MOST_ELEMENTS))
    sheet = _read(Sheet, given.pop("sheet", {}), "sheet")
    template: Template = replace(
        _read(Template, given, "template"),
        sheet=sheet,
        elements=tuple(_element(element, f"elements[{place}]") for place, element in enumerate(elements)),
    )
    for fault in _faults(template):
        raise BadTemplate(fault)
    return template


def _element(data: Any, where: str) -> Element:
    kind = data.get("type") if isinstance(data, Mapping) else None
    if kind not in TYPES:
        raise BadTemplate(_("{where}: there is no element of this type.").format(where=where))
    element: Element = _read(TYPES[kind], {name: value for name, value in data.items() if name != "type"}, where)
    return element


def _read(made: type[Any], data: Any, where: str) -> Any:
    """Build a dataclass from JSON: every field known, of its type, and within what can be drawn."""
    if not isinstance(data, Mapping):
        raise BadTemplate(_("{where} is not an object.").format(where=where))
    hints = get_type_hints(made)
    known = {field.name: field for field in fields(made) if field.name not in {"sheet", "elements"}}
    for name in data:
        if name not in known:
            raise BadTemplate(_("{where} has no field “{name}”.").format(where=where, name=name))
    values = {}
    for name, field in known.items():
        if name in data:
            values[name] = _value(hints[name], data[name], f"{where}.{name}")
        elif field.default is MISSING and field.default_factory is MISSING:
            raise BadTemplate(_("{where} lacks “{name}”.").format(where=where, name=name))
    return made(**values)


def _value(wanted: Any, value: Any, where: str) -> Any:
    if get_origin(wanted) is Literal:
        right = value in get_args(wanted)
    elif get_origin(wanted) in {Union, types.UnionType}:
        right = isinstance(value, get_args(wanted))
    elif wanted is float:
        right = isinstance(value, int | float) and not isinstance(value, bool) and abs(value) <= MOST_MM
        value = round(float(value), 3) if right else value
    elif wanted is int:
        right = isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= 10_000
    else:
        right = isinstance(value, wanted)
    if not right:
        raise BadTemplate(_("{where} has a value that cannot be drawn.").format(where=where))
    return value


def _faults(template: Template) -> Iterator[str]:
    if template.width <= 0 or template.height <= 0 or template.bleed < 0:
        yield _("A label is wider and higher than nothing.")
    if template.dpi < 72 or template.dpi > 2_540:
        yield _("A device has 72 to 2,540 dots an inch.")
    sheet = template.sheet
    if min(sheet.gap_x, sheet.gap_y, sheet.margin) < 0:
        yield _("Gaps and margins are not below nothing.")
    if sheet.rows * template.height > MOST_MM or sheet.columns * template.width > MOST_MM:
        yield _("The sheet is too large.")
    card = template.kind == "card"
    for element in template.elements:
        if not isinstance(element, (*STILL, *OWN[template.kind])):
            yield _("“{type}” does not belong on this kind of template.").format(type=element.type)
        size = getattr(element, "size", 1)
        if not 1 <= size <= 500 or getattr(element, "width", 0) < 0 or getattr(element, "height", 0) < 0:
            yield _("“{type}” has a size that cannot be drawn.").format(type=element.type)
        edge = template.bleed
        if not (-edge <= element.x <= template.width + edge and -edge <= element.y <= template.height + edge):
            yield _("“{type}” lies outside the label.").format(type=element.type)
        if not _COLOR.fullmatch(getattr(element, "color", BLACK)):
            yield _("A colour is # and six hexadecimal digits.")
        of = {Field: FIELDS, Gs1: BARS}.get(type(element))
        if of and getattr(element, "of", "") not in of.get(template.kind, ()):
            yield _("“{type}” does not belong on this kind of template.").format(type=element.type)
        if isinstance(element, Rect) and not 0 <= element.tint <= 1:
            yield _("A tint is between 0 and 1.")
        if isinstance(element, Code128) and not _can_be_code128(element.of, card=card):
            yield _("A bar code of set C holds an even number of digits, at most 48.")
        if isinstance(element, Image):
            try:
                base64.b64decode(element.data, validate=True)
            except (binascii.Error, ValueError):
                yield _("A picture is a PNG or JPEG file in base64.")
            if len(element.data) > MOST_IMAGE_BYTES:
                yield _("The picture is too large.")


def _can_be_code128(of: str, *, card: bool) -> bool:
    if of in {"card_no", "code"}:
        return card == (of == "card_no")
    return of.isascii() and of.isdecimal() and len(of) % 2 == 0 and len(of) <= 48


def _whole(value: Any) -> Any:
    """Return a JSON value with micrometres (thousandths of a point) in place of fractions."""
    if isinstance(value, float):
        return round(value * 1_000)
    if isinstance(value, dict):
        return {name: _whole(item) for name, item in value.items()}
    return [_whole(item) for item in value] if isinstance(value, list | tuple) else value


def cmyk(color: str) -> str:
    """Return "#rrggbb" as the four numbers that PDF's ``k`` takes: all grey of a colour is black ink."""
    red, green, blue = (int(color[at : at + 2], 16) / 255 for at in (1, 3, 5))
    most = max(red, green, blue)
    parts = [(most - part) / most if most else 0.0 for part in (red, green, blue)]
    return " ".join(f"{part:.3f}".rstrip("0").rstrip(".") for part in (*parts, 1 - most))


def grey(color: str) -> int:
    """Return how light "#rrggbb" is, from 0 to 255 (ITU-R BT.601)."""
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return round(0.299 * red + 0.587 * green + 0.114 * blue)


def card(elements: tuple[Element, ...], *, sheet: Sheet | None = None, dpi: int = 300) -> Template:
    """Return a template of member cards, CR80."""
    return Template(
        kind="card",
        width=CARD_WIDTH,
        height=CARD_HEIGHT,
        bleed=CARD_BLEED,
        dpi=dpi,
        sheet=sheet or Sheet(),
        elements=elements,
    )
