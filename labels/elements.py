"""What a scanner sent, or somebody typed: GS1 element strings, Digital Links, bare numbers. Pure.

biip knows the application identifiers; what is accepted is decided here (GS1 General Specifications, 3 and 7.8):
length and character set, check digits, dates, which identifiers go together. What is right is reported although
something else is wrong, and that is named. Our serials have 12 symbols, so a separator lost behind one is mended.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal

from biip import ParseError
from biip.gs1_application_identifiers import GS1ApplicationIdentifier
from django.utils.translation import gettext as _

from labels import digital_link
from labels.codes.checks import check_is_right
from labels.codes.forms import B12, B14, B16, N16, N18, N20, R12, Form
from labels.codes.normalise import normalise
from labels.identifiers import CHARSET_82, check_digit_is_right, is_date

MOST = 300
SEPARATOR = "\x1d"
SYMBOLOGIES = {"]d2": "GS1 DataMatrix", "]Q3": "GS1 QR", "]Q1": "QR", "]C1": "GS1-128", "]e0": "GS1 DataBar"}
_SEPARATORS = re.compile("<GS>|\\{GS\\}|<FNC1>|\u241d|\x1d")
_LINK = re.compile(r"(?i)(?:https?://[^/\s]+)?(/(?:01|00)/\S+)")
_BRACKETS = re.compile(r"\((\d{2,4})\)([^(]*)")
_CHECKED = {"00", "01", "02", "410", "411", "412", "413", "414", "415", "416", "417"}
_DATES = {"11", "12", "13", "15", "16", "17", "7006"}
GTIN, SERIAL, THIRD_PARTY_SERIAL = "01", "21", "235"


class Fault(StrEnum):
    """What is wrong with an element."""

    UNKNOWN_AI = "unknown_ai"
    BAD_VALUE = "bad_value"
    BAD_CHARACTER = "bad_character"
    BAD_CHECK_DIGIT = "bad_check_digit"
    BAD_DATE = "bad_date"
    REPEATED = "repeated"
    NEEDS_GTIN = "needs_gtin"
    EXCLUDES_SERIAL = "excludes_serial"
    BAD_LINK = "bad_link"


@dataclass(frozen=True, slots=True)
class Element:
    """One element: identifier, what GS1 calls it, value as sent, and what is wrong with it (None: nothing)."""

    ai: str
    title: str
    value: str
    fault: Fault | None = None

    @property
    def fault_text(self) -> str:
        """What is wrong, for people."""
        return _text_of(self.fault) if self.fault else ""


@dataclass(frozen=True, slots=True)
class Candidate:
    """Something that a bare number can be, as its check symbol fits. A secret's ``value`` is for look-ups only."""

    kind: Literal["gtin", "sscc", "serial", "secret", "receipt"]
    value: str


@dataclass(frozen=True, slots=True)
class Reading:
    """All of it. ``mended``: a lost separator was put back; ``folded``: the case was turned round."""

    symbology: str = ""
    elements: tuple[Element, ...] = ()
    candidates: tuple[Candidate, ...] = ()
    mended: bool = False
    folded: bool = False

    @property
    def is_remarkable(self) -> bool:
        """Whether people should see how it was read, and not only what it led to."""
        return self.mended or self.folded or any(element.fault for element in self.elements)

    def value(self, ai: str) -> str | None:
        """Return the value of an element that is in order."""
        return next((element.value for element in self.elements if element.ai == ai and not element.fault), None)

    @property
    def serial(self) -> str | None:
        """The serial of a GTIN, as sent."""
        return self.value(SERIAL)

    @property
    def gtin(self) -> str | None:
        """The GTIN-14."""
        return self.value(GTIN)


def read(text: str) -> Reading:
    """Read anything."""
    text = text.strip(" \t\r\n")[:MOST]
    identifier = text[:3]
    folded = identifier not in SYMBOLOGIES and identifier.swapcase() in SYMBOLOGIES
    if folded:  # a keyboard wedge with Caps Lock on
        text, identifier = text.swapcase(), identifier.swapcase()
    symbology = SYMBOLOGIES.get(identifier, "")
    body = text[3:] if symbology else text
    if link := _LINK.fullmatch(body):
        return Reading(symbology, _of_link(link[1]), folded=folded)
    parts = _SEPARATORS.split(body)
    started = len(parts) > 1 or (symbology and identifier != "]Q1") or _looks_like_elements(body)
    if started or _BRACKETS.match(body):
        found = list(_of_brackets(body) if _BRACKETS.match(body) else _of_parts(parts))
        elements, mended = _mended(found)
        return Reading(symbology, tuple(_associated(elements)), mended=mended, folded=folded)
    return Reading(symbology, candidates=tuple(_candidates(body)), folded=folded)


def _looks_like_elements(text: str) -> bool:
    """Return whether text without any mark starts with a GTIN or SSCC and goes on, or is an SSCC with its 00."""
    gtin, sscc = text[2:16], text[2:20]
    return (text.startswith("01") and len(text) > 18 and _is_number(gtin, 14)) or (
        text.startswith("00") and len(text) >= 20 and _is_number(sscc, 18)
    )


def _is_number(digits: str, length: int) -> bool:
    return len(digits) == length and digits.isascii() and digits.isdecimal() and check_digit_is_right(digits)


def _of_link(path: str) -> tuple[Element, ...]:
    path, _mark, query = path.partition("?")
    link = digital_link.parse(path, query)
    if isinstance(link, digital_link.BadLink):
        return (Element(link.ai, "", "", Fault.BAD_LINK),)
    pairs = {link.key: link.value} | link.qualifiers | link.attributes
    return tuple(Element(ai, _title(ai), value) for ai, value in pairs.items())


def _of_brackets(text: str) -> Iterator[Element]:
    for ai, value in _BRACKETS.findall(text):
        yield _element(ai, value.strip())


def _of_parts(parts: list[str]) -> Iterator[Element]:
    """Walk through what lies between separators: elements of fixed length may follow each other without one."""
    for part in parts:
        rest = part
        while rest:
            identifier = _identifier(rest)
            if identifier is None:
                yield Element(rest[:4], "", rest[4:], Fault.UNKNOWN_AI)
                break
            end = len(rest) if identifier.separator_required else len(identifier.ai) + _length(identifier)
            yield _element(identifier.ai, rest[len(identifier.ai) : end])
            rest = rest[end:]


def _text_of(fault: Fault) -> str:
    texts = {
        Fault.UNKNOWN_AI: _("There is no such identifier."),
        Fault.BAD_VALUE: _("The value is too long, too short or of another kind."),
        Fault.BAD_CHARACTER: _("The value holds a character that GS1 does not allow."),
        Fault.BAD_CHECK_DIGIT: _("The check digit is wrong."),
        Fault.BAD_DATE: _("There is no such date."),
        Fault.REPEATED: _("The identifier is there twice, with two values."),
        Fault.NEEDS_GTIN: _("A serial says nothing without its GTIN."),
        Fault.EXCLUDES_SERIAL: _("A third party's serial does not go with a serial."),
        Fault.BAD_LINK: _("The link is no valid Digital Link."),
    }
    return texts[fault]


def _identifier(text: str) -> GS1ApplicationIdentifier | None:
    try:
        return GS1ApplicationIdentifier.extract(text)
    except ParseError:
        return None


def _length(identifier: GS1ApplicationIdentifier) -> int:
    """Return how long a value of fixed length is, from biip's format (``N2+N14``, ``N4+N6``)."""
    return sum(int(digits) for digits in re.findall(r"\d+", identifier.format.partition("+")[2]))


def _title(ai: str) -> str:
    identifier = _identifier(ai)
    return identifier.data_title if identifier else ""


def _element(ai: str, value: str) -> Element:
    identifier = _identifier(ai)
    if identifier is None or identifier.ai != ai:
        return Element(ai, "", value, Fault.UNKNOWN_AI)
    return Element(ai, identifier.data_title, value, _fault(identifier, value))


def _fault(identifier: GS1ApplicationIdentifier, value: str) -> Fault | None:
    if not CHARSET_82.issuperset(value):
        return Fault.BAD_CHARACTER
    if identifier.ai in _DATES and re.fullmatch(r"\d{6}|\d{12}", value):
        return None if _all_dates(value) else Fault.BAD_DATE
    if not re.fullmatch(identifier.pattern, identifier.ai + value):
        return Fault.BAD_VALUE
    if identifier.ai in _CHECKED and not check_digit_is_right(value):
        return Fault.BAD_CHECK_DIGIT
    return None


def _all_dates(value: str) -> bool:
    """Return whether YYMMDD (twice) are dates; day 00 is the month's end."""
    return all(is_date(value[at : at + 6]) for at in range(0, len(value), 6))


def _mended(elements: list[Element]) -> tuple[list[Element], bool]:
    """Put back the separator lost behind a serial of ours, if what follows it is in order."""
    out: list[Element] = []
    mended = False
    for element in elements:
        serial = normalise(element.value[: B12.length]) if element.ai == SERIAL else None
        if serial and len(serial) == B12.length < len(element.value) and _fits(B12, serial):
            after = list(_of_parts([element.value[B12.length :]]))
            if after and not any(other.fault for other in after):
                out += [_element(SERIAL, element.value[: B12.length]), *after]
                mended = True
                continue
        out.append(element)
    return out, mended


def _associated(elements: list[Element]) -> Iterator[Element]:
    """Name elements that do not go with the others: an identifier with two values, a serial without its GTIN."""
    values: dict[str, str] = {}
    for element in elements:
        values.setdefault(element.ai, element.value)
    for element in elements:
        fault = element.fault
        if not fault and values[element.ai] != element.value:
            fault = Fault.REPEATED
        elif not fault and element.ai in {SERIAL, THIRD_PARTY_SERIAL} and GTIN not in values:
            fault = Fault.NEEDS_GTIN
        elif not fault and element.ai == THIRD_PARTY_SERIAL and SERIAL in values:
            fault = Fault.EXCLUDES_SERIAL
        yield Element(element.ai, element.title, element.value, fault)


def _candidates(text: str) -> Iterator[Candidate]:
    """Yield all that a bare number can be. A code is never mended: its check symbol fits, or it is not there."""
    digits = re.sub(r"[\s-]", "", text)
    if len(digits) in {8, 12, 13, 14} and _is_number(digits, len(digits)):
        yield Candidate("gtin", digits.zfill(14))
    if _is_number(digits, 18):
        yield Candidate("sscc", digits)
    code = normalise(text) or ""
    if len(code) == B12.length and _fits(B12, code):
        yield Candidate("serial", code)
    if len(code) == R12.length and _fits(R12, code):
        yield Candidate("receipt", code)
    for form in (N16, N18, N20, B12, B14, B16):
        if len(code) == form.length and _fits(form, code):
            yield Candidate("secret", code)


def _fits(form: Form, code: str) -> bool:
    return set(code) <= set(form.symbols) and check_is_right(form.radix, code.encode())
