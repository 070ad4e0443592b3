"""Hiding codes in texts that are kept. Pure."""

import re
import unicodedata

_HIDDEN = "•"
_NUMERALS = "0-9零〇一二三四五六七八九"
_DIGIT = re.compile(f"[{_NUMERALS}]")
_RUNS = (
    re.compile(rf"[{_NUMERALS}](?:[ \t\r\n.,_\-–—/]{{0,2}}[{_NUMERALS}]){{5,}}"),  # digits, in groups or not
    re.compile(r"(?:[0-9A-Za-z]{3,6}[ .\-]){2,}[0-9A-Za-z]{2,6}"),  # letter forms in groups
    re.compile(r"(?<![0-9A-Za-z])[0-9A-Za-z]{8,}(?![0-9A-Za-z])"),  # letter forms in one piece
)


def mask_codes(text: str) -> str:
    """Return ``text`` with everything that may be a code, or a part of one, as dots of the same length.

    Words without a digit stay; any Unicode digit counts as one.
    """
    plain = text if text.isascii() else "".join(map(_ascii_digit, text))
    spans = {match.span() for run in _RUNS for match in run.finditer(plain) if _DIGIT.search(match[0])}
    letters = list(text)
    for start, end in spans:
        letters[start:end] = [
            _HIDDEN if letter.isalnum() else kept
            for letter, kept in zip(plain[start:end], letters[start:end], strict=True)
        ]
    return "".join(letters)


def _ascii_digit(letter: str) -> str:
    """Return one character for one: places in both texts must stay the same."""
    folded = unicodedata.normalize("NFKC", letter)
    digit = unicodedata.digit(letter, None)
    return str(digit) if digit is not None else folded if len(folded) == 1 else letter
