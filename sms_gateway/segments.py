"""How many parts a text message takes: GSM 7-bit (3GPP TS 23.038), else UCS-2. Pure."""

from dataclasses import dataclass
from typing import Literal

_BASIC = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_EXTENSION = frozenset("\f^{}\\[~]|€")  # each is sent as two: an escape and the character
_GSM_7 = _BASIC | _EXTENSION
_FOLD = str.maketrans(
    {"‘": "'", "’": "'", "“": '"', "”": '"', "–": "-", "—": "-", "…": "...", "\u00a0": " ", "\u202f": " "}
)


@dataclass(frozen=True, slots=True)
class Parts:
    """``units``: septets of GSM 7-bit, or 16-bit units of UCS-2."""

    encoding: Literal["GSM-7", "UCS-2"]
    units: int
    count: int


def fold(text: str) -> str:
    """Replace typographic quotes, dashes and no-break blanks, which alone would double the cost of a message."""
    return text.translate(_FOLD)


def parts_of(text: str) -> Parts:
    """Count the parts of ``text`` as it stands. A pair of units that makes one character is never split."""
    if _GSM_7.issuperset(text):
        return _count("GSM-7", [2 if letter in _EXTENSION else 1 for letter in text], single=160, each=153)
    return _count("UCS-2", [2 if ord(letter) > 0xFFFF else 1 for letter in text], single=70, each=67)


def _count(encoding: Literal["GSM-7", "UCS-2"], sizes: list[int], *, single: int, each: int) -> Parts:
    units = sum(sizes)
    if units <= single:
        return Parts(encoding, units, 1 if units else 0)
    count, room = 1, each
    for size in sizes:
        if size > room:
            count, room = count + 1, each
        room -= size
    return Parts(encoding, units, count)
