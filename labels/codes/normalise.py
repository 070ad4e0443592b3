"""One reading of typed text for all doors."""

import re
import unicodedata

from labels.codes.forms import BASE32

MAX_CHARACTERS = 200
_INVISIBLE = {*map(chr, range(0x200B, 0x2010)), "\u2060", "\ufeff"}
_PUNCTUATION = {"\u2212", ".", "_", "/", "·"}
_LOOK_ALIKE = str.maketrans("OIL", "011")
_CODE = re.compile(f"[{BASE32}]*")

# The same steps for ASCII text, as one pass over bytes: what is dropped, and what each other byte becomes.
_DROPPED = bytes(byte for byte in range(128) if chr(byte).isspace() or chr(byte) in "-._/")
_BECOMES = bytes(
    ord(symbol) if symbol in BASE32 else 0
    for symbol in (chr(byte).upper().translate(_LOOK_ALIKE) if byte < 128 else "\0" for byte in range(256))
)


def normalise(text: str) -> str | None:
    """Return the symbols of ``text`` (base-32 alphabet, upper case), or None where it holds anything else.

    At most 200 characters; NFKC; any decimal digit becomes ASCII; white space, invisible characters, dashes and
    ``. _ / ·`` are dropped; O, I, L become 0, 1, 1. Idempotent.
    """
    code = symbols_of(text)
    return None if code is None else code.decode()


def symbols_of(text: str) -> bytes | None:
    """Return what `normalise` returns, as ASCII."""
    if len(text) > MAX_CHARACTERS:
        return None
    if text.isascii():
        plain = text.encode().translate(_BECOMES, _DROPPED)
        return None if 0 in plain else plain
    code = "".join(_step(symbol) for symbol in unicodedata.normalize("NFKC", text).upper()).translate(_LOOK_ALIKE)
    return code.encode() if _CODE.fullmatch(code) else None


def _step(symbol: str) -> str:
    if symbol.isspace() or symbol in _INVISIBLE or symbol in _PUNCTUATION or unicodedata.category(symbol) == "Pd":
        return ""
    digit = unicodedata.decimal(symbol, None)
    return symbol if digit is None else str(digit)


def count_symbols(text: str) -> int:
    """Return how many symbols a person would count in ``text``: what is left of it, were all of it allowed."""
    return sum(1 for symbol in unicodedata.normalize("NFKC", text[: 2 * MAX_CHARACTERS]) if _step(symbol))
