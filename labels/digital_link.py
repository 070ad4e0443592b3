"""GS1 Digital Link, URI Syntax (GS1 standard, ISO/IEC 18975): built for the QR code, and read strictly.

``build`` writes what we print. ``parse`` reads any Digital Link of a GTIN or an SSCC, and says why it will not:

    found = parse(raw_path, query_string)
    if isinstance(found, BadLink):      # answer 400; found.reason and found.ai say what is wrong
        ...
    found.gtin, found.serial, found.link_type, found.extra      # a `Link`

**Pass the path as it was sent, not percent-decoded** (a ``%2F`` inside a serial is no separator); a path that is
decoded already is read rightly too unless a value holds ``%`` or ``/``. Which serials are ours, and what `normalise`
makes of one, is not decided here: `parse` keeps a serial's own case.
"""

import re
from dataclasses import dataclass, field
from enum import StrEnum
from urllib.parse import quote, unquote_to_bytes

from labels.identifiers import CHARSET_82, check_digit_is_right, excluded_by, fault_of, is_attribute

MAX_LENGTH = 2_000
_BAD_PERCENT = re.compile(r"%(?![0-9A-Fa-f]{2})")

GTIN, SSCC, VARIANT, LOT, SERIAL, THIRD_PARTY_SERIAL = "01", "00", "22", "10", "21", "235"
_QUALIFIERS = (VARIANT, LOT, SERIAL)
_MAX_QUALIFIER = {VARIANT: 20, LOT: 20, SERIAL: 20, THIRD_PARTY_SERIAL: 28}
_KEY_DIGITS = {GTIN: 14, SSCC: 18}
# Keys of other things (documents, places, assets …): they stand in no query, and we issue none of them.
_KEYS = {GTIN, SSCC, "253", "255", "401", "402", "8003", "8004", "8006", "8010", "8013", "8017", "8018"}


class Reason(StrEnum):
    """Why a link is answered by 400."""

    TOO_LONG = "too_long"
    BAD_ENCODING = "bad_encoding"
    COMPRESSED = "compressed"
    UNKNOWN_AI = "unknown_ai"
    REPEATED_AI = "repeated_ai"
    WRONG_ORDER = "wrong_order"
    MISSING_VALUE = "missing_value"
    BAD_LENGTH = "bad_length"
    BAD_CHARACTER = "bad_character"
    BAD_CHECK_DIGIT = "bad_check_digit"
    BAD_DATE = "bad_date"
    BAD_VALUE = "bad_value"
    BAD_PAIR = "bad_pair"
    QUALIFIER_IN_QUERY = "qualifier_in_query"


@dataclass(frozen=True, slots=True)
class BadLink:
    """A link that is not one: ``ai`` is the application identifier (or query key) at fault, where there is one."""

    reason: Reason
    ai: str = ""


@dataclass(frozen=True, slots=True)
class Link:
    """A Digital Link: its key (``01`` GTIN or ``00`` SSCC), qualifiers, attributes, and what else the query held.

    ``qualifiers`` and ``attributes`` map application identifiers to values; ``extra`` are the query's other pairs,
    in order, to be passed on with a redirect; ``link_type`` is the value of ``linkType``, as sent.
    """

    key: str
    value: str
    qualifiers: dict[str, str] = field(default_factory=dict)
    attributes: dict[str, str] = field(default_factory=dict)
    link_type: str | None = None
    extra: tuple[tuple[str, str], ...] = ()

    @property
    def gtin(self) -> str | None:
        """The GTIN-14, if the link names one."""
        return self.value if self.key == GTIN else None

    @property
    def serial(self) -> str | None:
        """The serial (21), as sent."""
        return self.qualifiers.get(SERIAL)


def build(host: str, gtin: str, serial: str, *, scheme: str = "HTTPS") -> str:
    """Return the link of one label in capitals, for a QR code's alphanumeric mode."""
    return f"{scheme}://{host}/01/{gtin}/21/{quote(serial, safe='')}".upper()


def parse(path: str, query: str = "") -> Link | BadLink:
    """Read a Digital Link from a path (``/01/…``) and a query string without its ``?``; see the module's text."""
    if len(path) + len(query) > MAX_LENGTH:
        return BadLink(Reason.TOO_LONG)
    try:
        segments = [_decode(segment) for segment in path.removeprefix("/").removesuffix("/").split("/")]
        pairs = [_pair(part) for part in query.split("&") if part]
    except ValueError:
        return BadLink(Reason.BAD_ENCODING)
    head = _read_path(segments)
    if isinstance(head, BadLink):
        return head
    key, value, qualifiers = head
    return _read_query(key, value, qualifiers, pairs)


def _decode(text: str) -> str:
    if _BAD_PERCENT.search(text):
        raise ValueError(text)
    return unquote_to_bytes(text).decode()


def _pair(part: str) -> tuple[str, str]:
    name, _, value = part.replace("+", " ").partition("=")
    return _decode(name), _decode(value)


def _read_path(segments: list[str]) -> tuple[str, str, dict[str, str]] | BadLink:
    key = segments[0]
    if key not in _KEY_DIGITS:
        return BadLink(Reason.UNKNOWN_AI if key.isdecimal() else Reason.COMPRESSED, key[:4] if key.isdecimal() else "")
    if len(segments) % 2:
        last = segments[-1]
        known = last in _MAX_QUALIFIER or last in _KEY_DIGITS
        return BadLink(Reason.MISSING_VALUE if known else Reason.UNKNOWN_AI, last[:4])
    value = segments[1]
    fault = _fault_of_digits(value, _KEY_DIGITS[key], checked=True)
    if fault:
        return BadLink(fault, key)
    qualifiers: dict[str, str] = {}
    for ai, text in zip(segments[2::2], segments[3::2], strict=True):
        reason = _fault_of_qualifier(key, ai, text, qualifiers)
        if reason:
            return BadLink(reason, ai[:4])
        qualifiers[ai] = text
    return key, value, qualifiers


def _fault_of_qualifier(key: str, ai: str, text: str, before: dict[str, str]) -> Reason | None:
    if ai not in _MAX_QUALIFIER:
        return Reason.UNKNOWN_AI
    if ai in before:
        return Reason.REPEATED_AI
    if key == SSCC or THIRD_PARTY_SERIAL in before or (before and ai == THIRD_PARTY_SERIAL):
        return Reason.WRONG_ORDER
    if ai in _QUALIFIERS and any(_QUALIFIERS.index(ai) < _QUALIFIERS.index(earlier) for earlier in before):
        return Reason.WRONG_ORDER
    return _fault_of_text(text, _MAX_QUALIFIER[ai])


def _read_query(key: str, value: str, qualifiers: dict[str, str], pairs: list[tuple[str, str]]) -> Link | BadLink:
    attributes: dict[str, str] = {}
    link_type: str | None = None
    extra: list[tuple[str, str]] = []
    for name, text in pairs:
        if name == "linkType":
            if link_type is not None:
                return BadLink(Reason.REPEATED_AI, name)
            link_type = text
        elif name.isdecimal():
            reason = _fault_of_attribute(key, name, text, attributes)
            if reason:
                return BadLink(reason, name[:4])
            attributes[name] = text
        else:
            extra.append((name, text))
    return Link(key, value, qualifiers, attributes, link_type, tuple(extra))


def _fault_of_attribute(key: str, ai: str, text: str, before: dict[str, str]) -> Reason | None:
    if ai in _KEYS or ai in _MAX_QUALIFIER:
        if (key, ai) == (SSCC, LOT):  # no qualifier of this key: the lot of what is inside
            return Reason.REPEATED_AI if ai in before else _fault_of_text(text, _MAX_QUALIFIER[ai])
        return Reason.QUALIFIER_IN_QUERY
    if not is_attribute(ai):
        return Reason.UNKNOWN_AI
    if ai in before:
        return Reason.REPEATED_AI
    if not text:
        return Reason.MISSING_VALUE
    fault = fault_of(ai, text)
    if fault is not None:
        return Reason(fault.value)
    return Reason.BAD_PAIR if excluded_by(ai, before, key=key) else None


def _fault_of_digits(text: str, length: int, *, checked: bool) -> Reason | None:
    if not text:
        return Reason.MISSING_VALUE
    if not (text.isascii() and text.isdecimal()):
        return Reason.BAD_CHARACTER
    if len(text) != length:
        return Reason.BAD_LENGTH
    return Reason.BAD_CHECK_DIGIT if checked and not check_digit_is_right(text) else None


def _fault_of_text(text: str, longest: int) -> Reason | None:
    if not text:
        return Reason.MISSING_VALUE
    if not CHARSET_82.issuperset(text):
        return Reason.BAD_CHARACTER
    return Reason.BAD_LENGTH if len(text) > longest else None
