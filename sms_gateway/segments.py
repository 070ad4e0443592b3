"""How many parts a text message takes: GSM 7-bit (3GPP TS 23.038), else UCS-2. Pure."""

from collections.abc import Callable
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


def is_gsm_7(text: str) -> bool:
    """Return whether GSM 7-bit has every character of ``text``."""
    return _GSM_7.issuperset(text)


def parts_of(text: str) -> Parts:
    """Count the parts of ``text`` as it stands. A pair of units that makes one character is never split."""
    if is_gsm_7(text):
        plain = _EXTENSION.isdisjoint(text)
        return _count("GSM-7", text, None if plain else _EXTENSION.__contains__, single=160, each=153)
    return _count("UCS-2", text, None if max(text) <= "\uffff" else "\uffff".__lt__, single=70, each=67)


def _count(
    encoding: Literal["GSM-7", "UCS-2"], text: str, is_pair: Callable[[str], bool] | None, *, single: int, each: int
) -> Parts:
    """Count; ``is_pair`` tells which characters take two units (None: none does)."""
    units = len(text) + (sum(map(is_pair, text)) if is_pair else 0)
    if units <= single:
        return Parts(encoding, units, 1 if units else 0)
    if is_pair is None:
        return Parts(encoding, units, -(-units // each))
    count, room = 1, each
    for letter in text:
        size = 2 if is_pair(letter) else 1
        if size > room:
            count, room = count + 1, each
        room -= size
    return Parts(encoding, units, count)
