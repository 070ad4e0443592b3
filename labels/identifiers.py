"""GS1 application identifiers that describe what a key names, and what their values may be. Pure.

Of the GS1 General Specifications, section 3, all but the primary keys and their qualifiers. A line of the table gives
identifiers (``n``: any digit; ``a-b``: a range of the last digit) and the parts of their value: N digits or X character
set 82, a length or a range of lengths, and a rule; a part in brackets may be absent. Countries are checked for their
form (ISO 3166-1 gives new numbers each year), currencies likewise.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

CHARSET_82 = frozenset("!\"%&'()*+,-./0123456789:;<=>?ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz")

_TABLE = """
02              N14.check
11 12 13 15 16 17   N6.date0
20              N2
240 241         X1-30
242             N1-6
243             X1-20
250 251         X1-30
254             X1-20
30 37           N1-8
310[0-5] 311[0-5] 312[0-5] 313[0-5] 314[0-5] 315[0-5] 316[0-5]      N6
32n[0-5] 33[0-6][0-5] 337[0-5] 34n[0-5] 35[0-7][0-5] 36n[0-5]       N6
390n 392n       N1-15
391n 393n       N3.currency N1-15
394[0-3]        N4
395[0-5]        N6
400 403         X1-30
41[0-7]         N13.check
420             X1-20
421             N3.country X1-9
422 424 426     N3.country
423 425         N3-15.countries
427             X1-3
4300 4301 4310 4311 4320    X1-35.encoded
430[2-6] 431[2-6]           X1-70.encoded
4307 4317       X2.letters
4308 4319       X1-30
4309            N10.latitude N10.longitude
4318            X1-20
4321 4322 4323  N1.yesno
4324 4325       N6.date0 N4.hhmm99
4326            N6.date
4330 4331 4332 4333         N6 [X1.hyphen]
7001            N13
7002            X1-30
7003            N6.date N4.hhmm
7004            N1-4
7005            X1-12
7006            N6.date
7007            N6.date [N6.date]
7008            X1-3
7009            X1-10
7010            X1-2
7011            N6.date [N4.hhmm]
7020 7021 7022  X1-20
7023            X1-30
703n            N3.country X1-27
7040            N1 X1 X1 X1
71[0-6]         X1-20
723n            X2 X1-28
7240            X1-20
7241            N2
7242            X1-25
8001            N4.nonzero N5.nonzero N3.nonzero N1.winding N1
8002            X1-20
8005            N6
8007            X1-34.iban
8008            N8.datehour [N2-4.minutes]
8009            X1-50
8011            N1-12.nozero
8012            X1-20
8019            N1-10
8020            X1-25
8026            N14.check N4.pieces
8110 8112       X1-70
8111            N4
8200            X1-70
90              X1-30
9[1-9]          X1-90
"""
# Identifiers that exclude each other (section 4.14 of the General Specifications); with itself: two decimal places.
_EXCLUDE = (
    ("420", "421"), ("421", "4307"), ("422", "426"), ("423", "426"), ("424", "426"), ("425", "426"), ("390.", "391."),
    ("390.", "394."), ("390.", "8111"), ("394.", "8111"), ("392.", "393."), ("395.", "392."), ("395.", "393."),
    ("395.", "8005"), ("4330", "4331"), ("4332", "4333"),
)  # fmt: skip
_SERIES = re.compile(r"3[1-69][0-9]{2}")  # the last digit says where the decimal point is: one of a series at most
_WITH_GTIN = {"02", "37"}  # these count what is inside a logistic unit


class Fault(StrEnum):
    """What is wrong with a value; the names are those of `labels.digital_link.Reason`."""

    BAD_LENGTH = "bad_length"
    BAD_CHARACTER = "bad_character"
    BAD_CHECK_DIGIT = "bad_check_digit"
    BAD_DATE = "bad_date"
    BAD_VALUE = "bad_value"


@dataclass(frozen=True, slots=True)
class Part:
    """One part of a value."""

    digits: bool
    shortest: int
    longest: int
    rule: str
    optional: bool


@cache
def _table() -> list[tuple[re.Pattern[str], list[Part]]]:
    found = []
    for line in _TABLE.strip().splitlines():
        words = line.split()
        names = [word for word in words if not _PART.fullmatch(word)]
        pattern = re.compile("|".join(name.replace("n", "[0-9]") for name in names))
        found.append((pattern, [_part(word) for word in words if _PART.fullmatch(word)]))
    return found


_PART = re.compile(r"\[?([NX])([0-9]+)(?:-([0-9]+))?(?:\.([a-z0-9]+))?\]?")


def _part(word: str) -> Part:
    kind, shortest, longest, rule = _PART.fullmatch(word).groups()  # type: ignore[union-attr]  # a word of the table
    return Part(kind == "N", int(shortest), int(longest or shortest), rule or "", word.startswith("["))


def is_attribute(ai: str) -> bool:
    """Return whether there is such an identifier, beside keys and qualifiers."""
    return any(pattern.fullmatch(ai) for pattern, _parts in _table())


def excluded_by(ai: str, others: Iterable[str], *, key: str) -> bool:
    """Return whether an identifier does not go with the key or with another one."""
    if key == "01" and ai in _WITH_GTIN:
        return True
    for other in others:
        if _SERIES.fullmatch(ai) and ai != other and ai[:3] == other[:3] and len(other) == len(ai):
            return True
        if any(
            (re.fullmatch(one, ai) and re.fullmatch(two, other)) or (re.fullmatch(two, ai) and re.fullmatch(one, other))
            for one, two in _EXCLUDE
        ):
            return True
    return False


def fault_of(ai: str, value: str) -> Fault | None:
    """Return what is wrong with the value of an attribute that `is_attribute` knows."""
    parts = next(parts for pattern, parts in _table() if pattern.fullmatch(ai))
    rest = value
    for place, part in enumerate(parts):
        if part.optional and not rest:
            return None
        is_last = place == len(parts) - 1
        piece, rest = (rest, "") if is_last else (rest[: part.longest], rest[part.longest :])
        fault = _fault_of_part(part, piece)
        if fault is not None:
            return fault
    return Fault.BAD_LENGTH if rest else None


def _fault_of_part(part: Part, piece: str) -> Fault | None:
    if part.digits and not (piece.isascii() and piece.isdecimal()) and piece:
        return Fault.BAD_CHARACTER
    if not CHARSET_82.issuperset(piece):
        return Fault.BAD_CHARACTER
    if not part.shortest <= len(piece) <= part.longest:
        return Fault.BAD_LENGTH
    return _fault_of_rule(part.rule, piece)


def _fault_of_rule(rule: str, piece: str) -> Fault | None:
    match rule:
        case "check":
            return None if check_digit_is_right(piece) else Fault.BAD_CHECK_DIGIT
        case "date" | "date0":
            return None if is_date(piece) and (rule == "date0" or piece[4:] != "00") else Fault.BAD_DATE
        case "datehour":
            return None if is_date(piece[:6]) and piece[4:6] != "00" and piece[6:] < "24" else Fault.BAD_DATE
        case "minutes":
            return None if len(piece) % 2 == 0 and all(piece[at : at + 2] < "60" for at in (0, 2)) else Fault.BAD_DATE
        case "hhmm":
            return None if piece[:2] < "24" and piece[2:] < "60" else Fault.BAD_DATE
        case "hhmm99":
            return None if piece == "9999" else _fault_of_rule("hhmm", piece)
        case "countries":
            return None if len(piece) % 3 == 0 else Fault.BAD_LENGTH
        case "iban":
            return None if _is_iban(piece) else Fault.BAD_VALUE
    pattern = _PATTERNS.get(rule)
    return None if pattern is None or re.fullmatch(pattern, piece) else Fault.BAD_VALUE


_PATTERNS = {
    "country": "[0-9]{3}",
    "currency": "[0-9]{3}",
    "encoded": "(?:[^%]|%[0-9A-Fa-f]{2})+",
    "letters": "[A-Z]{2}",
    "latitude": "0[0-9]{9}|1[0-7][0-9]{8}|1800000000",
    "longitude": "[0-2][0-9]{9}|3[0-5][0-9]{8}|3600000000",
    "yesno": "[01]",
    "hyphen": "-",
    "nonzero": ".*[1-9].*",
    "winding": "[019]",
    "nozero": "0|[1-9][0-9]*",
    "pieces": "(?!00)([0-9]{2})(?!00)[0-9]{2}",
}


def check_digit_is_right(digits: str) -> bool:
    """Return whether the last digit is the GS1 check digit of the others (weights 3, 1 from the right)."""
    total = sum(int(digit) * (3 if place % 2 else 1) for place, digit in enumerate(reversed(digits)))
    return total % 10 == 0


def is_date(text: str) -> bool:
    """Return whether ``text`` begins with YYMMDD; day 00 stands for the month's end (GS1 General Specifications)."""
    month, day = int(text[2:4]), int(text[4:6])
    longest = (31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    return 1 <= month <= 12 and day <= longest[month - 1] and (month != 2 or day < 29 or int(text[:2]) % 4 == 0)


def _is_iban(text: str) -> bool:
    """Return whether the check digits of an IBAN fit (ISO 13616: the remainder by 97 is 1)."""
    if not re.fullmatch(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{1,30}", text):
        return False
    return int("".join(str(int(sign, 36)) for sign in text[4:] + text[:4])) % 97 == 1
