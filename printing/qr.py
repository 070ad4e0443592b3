"""QR codes of GS1 Digital Links, by table. The reference encoder is ``qrcode``; the method is in `printing.symbols`.

ISO/IEC 18004, alphanumeric mode: a pair (a, b) is the 11-bit number 45a + b, a lone last character 6 bits. Not linear
in the characters, but in these bits; so units are the pairs, counted from the first character of the whole text.
"""

from dataclasses import dataclass
from functools import lru_cache
from importlib import metadata

import numpy as np
import qrcode
import zxingcpp
from qrcode.util import MODE_ALPHA_NUM, QRData

from labels.codes.forms import BASE32
from printing.symbols import NOTHING, SERIAL, Bytes, ProofFailed, Symbols, Unit, learn, packed, samples

ALPHANUMERIC = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ $%*+-./:"
MASK = 2  # any would do: another mask is one more constant
CAPACITY = {3: 61, 4: 90}  # characters at level M (ISO/IEC 18004, table 7)
PROVED, READ = 64, 16
QUIET_ZONE = 4


@dataclass(frozen=True, slots=True)
class Version:
    """The size of the QR codes of one prefix; ``long_host``: 3-M would not hold them."""

    number: int

    @property
    def side(self) -> int:
        """Modules along an edge, without quiet zone."""
        return 17 + 4 * self.number

    @property
    def long_host(self) -> bool:
        """Whether the host's name made the symbol larger than it need be."""
        return self.number > min(CAPACITY)


def prefix(host: str, gtin: str) -> str:
    """Return what all links of one product begin with, in capitals."""
    return f"HTTPS://{host}/01/{gtin}/21/".upper()


def version(start: str) -> Version:
    """Return the smallest version for links that begin with ``start``. Raises ValueError where none fits."""
    if not set(start) <= set(ALPHANUMERIC):
        raise ValueError("a QR code of this kind holds capitals, digits and $%*+-./: only")
    for number, characters in CAPACITY.items():
        if len(start) + SERIAL <= characters:
            return Version(number)
    raise ValueError("the host's name is too long for a QR code of 33 modules")


def symbols(start: str) -> Symbols:
    """Return the proved tables of all links that begin with ``start``."""
    return _symbols(start, version(start).number, MASK, metadata.version("qrcode"))


def draw(text: str, number: int, mask: int = MASK) -> Bytes:
    """Return the image that the reference encoder draws, at level M."""
    code = qrcode.QRCode(version=number, error_correction=qrcode.ERROR_CORRECT_M, border=0, mask_pattern=mask)
    code.add_data(QRData(text.encode(), mode=MODE_ALPHA_NUM, check_data=False), optimize=0)
    code.make(fit=False)
    return packed(code.modules)


@lru_cache(maxsize=64)
def _symbols(start: str, number: int, mask: int, _encoder: str) -> Symbols:
    base = draw(start + NOTHING, number, mask)
    units, drawn = [], 1
    for first in range(-(len(start) % 2), SERIAL, 2):
        column, end = max(first, 0), min(first + 2, SERIAL)
        before = start[-1] if first < 0 else ""
        values = [_bits(before + text) for text in _texts(end - column)]
        table, count = learn(
            values,
            lambda entry, column=column, end=end: draw(  # type: ignore[misc]
                start + NOTHING[:column] + _texts(end - column)[entry] + NOTHING[end:], number, mask
            ),
            base,
        )
        units.append(Unit(column, end - column, table))
        drawn += count
    found = Symbols(17 + 4 * number, base, units, drawn)
    _prove(found, start, number, mask)
    return found


def _prove(found: Symbols, start: str, number: int, mask: int) -> None:
    for place, serial in enumerate(samples(start.encode(), PROVED)):
        image = found.image(serial)
        if not np.array_equal(image, draw(start + serial, number, mask)):
            raise ProofFailed(f"the QR table of {start} differs from the reference encoder")
        if place < READ:
            picture = np.kron(1 - np.pad(found.modules(image), QUIET_ZONE), np.full((3, 3), 255, np.uint8))
            read = zxingcpp.read_barcodes(
                picture.astype(np.uint8), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode), is_pure=True
            )
            if [one.text for one in read] != [start + serial]:
                raise ProofFailed(f"a QR code of {start} does not read as itself")


def _texts(symbols_of_unit: int) -> list[str]:
    return list(BASE32) if symbols_of_unit == 1 else [a + b for a in BASE32 for b in BASE32]


def _bits(text: str) -> int:
    values = [ALPHANUMERIC.index(symbol) for symbol in text]
    return values[0] if len(values) == 1 else 45 * values[0] + values[1]
