"""The editor's form and the layout that it means: fields by name, in the order of the elements; what cannot be read stays.

A field of element 3 is called ``e3-size``; ``act`` names what a button does: ``add:text``, ``drop:3``, ``up:3``, ``down:3``,
``copy:3``.
"""

from collections.abc import Iterator, Mapping
from dataclasses import MISSING, dataclass, fields
from typing import Any, Literal, get_args, get_origin, get_type_hints

from django.utils.functional import Promise
from django.utils.translation import gettext as _, gettext_lazy, pgettext_lazy

from printing.models import ART
from printing.template import BARS, FIELDS, OWN, STILL, TYPES, Element, Gs1, Sheet, Template

MOST_IN_EDITOR = 80  # a form has at most a thousand fields
Text = str | Promise
TITLES: dict[str, Text] = {
    "qr": gettext_lazy("QR code"),
    "datamatrix": gettext_lazy("DataMatrix"),
    "code128": gettext_lazy("Bar code (Code 128)"),
    "gs1_128": gettext_lazy("Bar code (GS1-128)"),
    "serial": gettext_lazy("Serial"),
    "code": gettext_lazy("Hidden code"),
    "card_no": gettext_lazy("Card number"),
    "name": gettext_lazy("Name of the member"),
    "field": gettext_lazy("Text of the piece"),
    "text": gettext_lazy("Text"),
    "line": pgettext_lazy("drawing", "Line"),
    "rect": gettext_lazy("Rectangle"),
    "image": gettext_lazy("Picture"),
    "scratch_area": gettext_lazy("Scratch area"),
}
LABELS: dict[str, Text] = {
    "width": gettext_lazy("Width, mm"),
    "height": gettext_lazy("Height, mm"),
    "bleed": gettext_lazy("Bleed, mm"),
    "dpi": gettext_lazy("Dots an inch of the device"),
    "rows": gettext_lazy("Rows"),
    "columns": gettext_lazy("Columns"),
    "gap_x": gettext_lazy("Gap across, mm"),
    "gap_y": gettext_lazy("Gap down, mm"),
    "margin": gettext_lazy("Margin, mm"),
    "x": gettext_lazy("From the left, mm"),
    "y": gettext_lazy("From the top, mm"),
    "x2": gettext_lazy("To, across, mm"),
    "y2": gettext_lazy("To, down, mm"),
    "dots": gettext_lazy("Dots a module"),
    "size": gettext_lazy("Size, points"),
    "of": gettext_lazy("What it says"),
    "longest": gettext_lazy("Most characters"),
    "text": gettext_lazy("Text"),
    "color": gettext_lazy("Colour"),
    "bold": gettext_lazy("Bold"),
    "align": gettext_lazy("Alignment"),
    "line": gettext_lazy("Outline, mm"),
    "tint": gettext_lazy("Filling, 0 to 1"),
    "data": gettext_lazy("Picture"),
}
CHOICES: dict[str, Text] = {
    "left": pgettext_lazy("side", "left"),
    "center": gettext_lazy("centre"),
    "right": gettext_lazy("right"),
    "sscc": gettext_lazy("number of the pack (SSCC)"),
    "content": gettext_lazy("content of the pack (GTIN, count, lot)"),
    "first": gettext_lazy("first serial inside"),
    "last": gettext_lazy("last serial inside"),
    "count": gettext_lazy("units inside"),
    "seq": gettext_lazy("number in this print"),
    "partner": gettext_lazy("name of the partner"),
    "partner_no": gettext_lazy("number of the partner"),
    "coupon": gettext_lazy("number of the coupon"),
    "code": gettext_lazy("hidden code"),
    "card_no": gettext_lazy("card number"),
}
_NEW: dict[str, Any] = {"x": 2.0, "y": 5.0, "x2": 20.0, "y2": 5.0, "width": 20.0, "height": 10.0, "text": "Text"}
_PAGE = ("width", "height", "bleed", "dpi")


@dataclass(frozen=True, slots=True)
class Control:
    """One input: ``value`` as typed; ``kind`` number, whole, text, color, check or choice."""

    name: str
    label: Text
    kind: str
    value: str
    choices: tuple[tuple[str, Text], ...] = ()
    error: str = ""

    @property
    def step(self) -> str:
        """By how much the arrow keys change it."""
        return "1" if self.kind == "whole" else "0.1"


@dataclass(frozen=True, slots=True)
class Row:
    """One element's inputs."""

    place: int
    type: str
    title: Text
    summary: str
    controls: tuple[Control, ...]
    is_open: bool


class Draft:
    """A template as it stands in the form. ``layout`` is what `printing.template.parse` reads; ``faults`` what it cannot."""

    def __init__(self, kind: str, layout: Mapping[str, Any], faults: Mapping[str, str] | None = None) -> None:
        self.kind, self.layout = kind, dict(layout)
        self._typed: Mapping[str, str] = {}
        self.faults: dict[str, str] = dict(faults or {})
        self.opened = -1  # the element that the last act was about

    @classmethod
    def of_form(cls, kind: str, posted: Mapping[str, str]) -> "Draft":
        """Read the form; numbers that are none become 0 and a fault, and stay as typed."""
        draft = cls(kind, {})
        draft._typed = posted
        layout: dict[str, Any] = {"kind": kind}
        layout |= {name: draft._read(name, _hints(Template)[name]) for name in _PAGE}
        layout["sheet"] = {field.name: draft._read(field.name, _hints(Sheet)[field.name]) for field in fields(Sheet)}
        elements = []
        for place in range(MOST_IN_EDITOR):
            made = TYPES.get(posted.get(f"e{place}-type", ""))
            if made is None:
                break
            values = {one.name: draft._read(f"e{place}-{one.name}", _hints(made)[one.name]) for one in fields(made)}
            elements.append({"type": made.type} | {name: value for name, value in values.items() if value is not None})
        draft.layout = layout | {"elements": elements}
        return draft

    def act(self, word: str) -> None:
        """Do what a button says; a word that means nothing does nothing."""
        verb, _colon, what = word.partition(":")
        elements: list[dict[str, Any]] = self.layout.setdefault("elements", [])
        if verb == "add" and what in self.offered() and len(elements) < MOST_IN_EDITOR:
            elements.append(new_element(what, self.kind))
            self.opened = len(elements) - 1
        place = int(what) if what.isdecimal() and len(what) < 4 else -1
        if verb in {"drop", "up", "down", "copy"} and 0 <= place < len(elements):
            taken = elements.pop(place)
            if verb == "copy":
                elements[place:place] = [taken, {**taken, "x": taken["x"] + 2, "y": taken["y"] + 2}]
                self.opened = place + 1
            elif verb != "drop":
                self.opened = min(len(elements), max(0, place + (1 if verb == "down" else -1)))
                elements.insert(self.opened, taken)
        self._typed = {}

    def offered(self) -> dict[str, Text]:
        """Return the types that can be added to this kind of template, and what they are called."""
        return {made.type: TITLES[made.type] for made in (*OWN[self.kind], *STILL)}

    def page(self) -> list[Control]:
        """Return the inputs of the label itself."""
        return [self._control(name, _hints(Template)[name], self.layout.get(name)) for name in _PAGE]

    def sheet(self) -> list[Control]:
        """Return the inputs of the sheet."""
        given = self.layout.get("sheet", {})
        return [
            self._control(one.name, _hints(Sheet)[one.name], given.get(one.name, one.default)) for one in fields(Sheet)
        ]

    def rows(self, pictures: list[tuple[str, str]]) -> Iterator[Row]:
        """Yield the inputs of the elements; ``pictures`` are (hash, name)."""
        for place, element in enumerate(self.layout.get("elements", [])):
            made = TYPES[element["type"]]
            controls = tuple(
                self._control(
                    f"e{place}-{one.name}",
                    _hints(made)[one.name],
                    element.get(one.name, "" if one.default is MISSING else one.default),
                    made=made,
                    pictures=pictures,
                )
                for one in fields(made)
            )
            summary = str(element.get("text") or CHOICES.get(str(element.get("of", "")), ""))[:40]
            faulty = any(control.error for control in controls)
            is_open = faulty or place == self.opened
            yield Row(place, element["type"], TITLES[element["type"]], summary, controls, is_open)

    def _control(
        self,
        name: str,
        hint: Any,
        value: Any,
        *,
        made: type[Element] | None = None,
        pictures: list[tuple[str, str]] | None = None,
    ) -> Control:
        field = name.rpartition("-")[2]
        kind, choices = "text", tuple[tuple[str, Text], ...]()
        if field == "of" and made is not None:
            kind, choices = "choice", tuple((one, CHOICES[one]) for one in self._says(made))
        elif get_origin(hint) is Literal:
            kind, choices = "choice", tuple((one, CHOICES[one]) for one in get_args(hint))
        elif field == "data":
            kind, choices = "choice", tuple((ART + digest, shown) for digest, shown in pictures or [])
        elif hint is float:
            kind = "number"
        elif hint is int:
            kind = "whole"
        elif hint is bool:
            kind = "check"
        elif field == "color":
            kind = "color"
        shown = self._typed.get(name, value) if name in self.faults else value
        text = f"{shown:g}" if isinstance(shown, float) else str(shown if shown is not None else "")
        return Control(
            name, LABELS.get(field, field), kind, "on" if shown is True else text, choices, self.faults.get(name, "")
        )

    def _says(self, made: type[Element]) -> tuple[str, ...]:
        if made.type == "code128":
            return ("card_no",) if self.kind == "card" else ("code",)
        return (BARS if made is Gs1 else FIELDS).get(self.kind, ())

    def _read(self, name: str, hint: Any) -> Any:
        typed = self._typed.get(name, "").strip()
        if hint is bool:
            return typed == "on"
        if hint not in {float, int}:
            return self._typed[name].replace("\x00", "") if name in self._typed else None
        try:
            value = float(typed.replace(",", "."))
            if hint is int and not value.is_integer():
                raise ValueError
        except (ValueError, OverflowError):
            self.faults[name] = _("That is not a number.") if hint is float else _("That is not a whole number.")
            return hint(1)
        if not abs(value) < 10_000:
            self.faults[name] = _("That number is too large.")
            return hint(1)
        return hint(value)


def new_element(type_: str, kind: str) -> dict[str, Any]:
    """Return an element as it is added: where one sees it, in the size that is usual."""
    made = TYPES[type_]
    element: dict[str, Any] = {"type": type_}
    for one in fields(made):
        if one.name == "of":
            element["of"] = {"code128": "card_no" if kind == "card" else "code"}.get(
                type_, next(iter((BARS if made is Gs1 else FIELDS).get(kind, ("",))))
            )
        elif one.default is not MISSING:
            element[one.name] = one.default
        else:
            element[one.name] = _NEW.get(one.name, "")
    return element


def _hints(made: Any) -> dict[str, Any]:
    return get_type_hints(made)
