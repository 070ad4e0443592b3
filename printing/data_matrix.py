"""GS1 DataMatrix 20 × 20, by table (ISO/IEC 16022). The reference encoder is zxing-cpp's; see `printing.symbols`.

Exactly the 22 data codewords that 20 × 20 holds: 232 (FNC1), eight digit pairs of 01 and the GTIN, 151 (the pair 21),
and the serial's twelve symbols, each by itself as ASCII + 1, also where two are digits, so that the length is constant.
Encoders would pair them: so the tables are learned codeword by codeword from messages of 21 digit pairs and one other
pair or letter, which encode in one way only.
"""

from functools import cache, lru_cache

import numpy as np
import zxingcpp

from labels.codes.forms import BASE32
from labels.identifiers import check_digit_is_right
from printing.symbols import SERIAL, Bytes, ProofFailed, Symbols, Unit, learn, packed, samples

SIDE = 20
CODEWORDS = 22
QUIET_ZONE = 1
FNC1 = 232
PROVED = 16
_PAIRS = [(130 + pair, f"{pair:02}") for pair in range(100)]
_LETTERS = [(ord(letter) + 1, letter) for letter in map(chr, range(1, 128)) if not letter.isdigit()]
_ENTRIES = [*_PAIRS, *_LETTERS]


def symbols(gtin: str) -> Symbols:
    """Return the proved tables of all serials of one GTIN-14. Raises ValueError for what is none."""
    if len(gtin) != 14 or not gtin.isdecimal() or not check_digit_is_right(gtin):
        raise ValueError(f"{gtin} is no GTIN of 14 digits")
    return _symbols(gtin)


@cache
def codewords() -> tuple[Bytes, list[Bytes], int]:
    """Return the symbol of 22 times the pair 00, what each codeword at each place adds to it, and how many were drawn."""
    base = _draw("00" * CODEWORDS)
    tables, drawn = [], 1
    for place in range(CODEWORDS):

        def draw(entry: int, place: int = place) -> Bytes:
            return _draw("00" * place + _ENTRIES[entry][1] + "00" * (CODEWORDS - place - 1))

        learned, count = learn([codeword for codeword, _ in _ENTRIES], draw, base)
        tables.append(_all_values(learned))
        drawn += count
    return base, tables, drawn


@lru_cache(maxsize=64)
def _symbols(gtin: str) -> Symbols:
    image, tables, drawn = codewords()
    element = "01" + gtin
    head = [FNC1, *(130 + int(element[at : at + 2]) for at in range(0, 16, 2)), 130 + 21]
    for place, codeword in enumerate(head):
        image = image ^ tables[place][codeword]
    letters = np.frombuffer(BASE32.encode(), np.uint8) + 1
    units = []
    for column in range(0, SERIAL, 2):
        first, second = (tables[len(head) + column + odd][letters] for odd in (0, 1))
        units.append(Unit(column, 2, (first[:, None] ^ second[None]).reshape(len(BASE32) ** 2, -1)))
    found = Symbols(SIDE, image, units, drawn)
    _prove(found, gtin)
    return found


def _prove(found: Symbols, gtin: str) -> None:
    for serial in samples(gtin.encode(), PROVED):
        picture = np.kron(1 - np.pad(found.modules(found.image(serial)), 2), np.full((4, 4), 255, np.uint8))
        read = zxingcpp.read_barcodes(
            picture.astype(np.uint8), formats=zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.DataMatrix)
        )
        if [(one.symbology_identifier, one.text) for one in read] != [("]d2", f"(01){gtin}(21){serial}")]:
            raise ProofFailed(f"a DataMatrix of {gtin} does not read as itself")


def _draw(text: str) -> Bytes:
    symbol = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.DataMatrix)
    picture = np.array(symbol.to_image(scale=1, add_quiet_zones=False))
    if picture.shape != (SIDE, SIDE):
        raise ProofFailed("the reference encoder chose another size than 20 × 20")
    return packed(picture < 128)


def _all_values(learned: Bytes) -> Bytes:
    """Return what each of the 256 codewords adds, from those that messages can hold: they span all eight bits."""
    bits: dict[int, tuple[int, Bytes]] = {}
    for (codeword, _), image in zip(_ENTRIES, learned, strict=True):
        rest, sum_ = codeword ^ _ENTRIES[0][0], image
        while pivot := bits.get(rest.bit_length()):
            rest, sum_ = rest ^ pivot[0], sum_ ^ pivot[1]
        if rest:
            bits[rest.bit_length()] = (rest, sum_)
    table = np.zeros((256, learned.shape[1]), np.uint8)
    for codeword in range(256):
        rest = codeword ^ _ENTRIES[0][0]
        while rest:
            value, image = bits[rest.bit_length()]
            rest, table[codeword] = rest ^ value, table[codeword] ^ image
    return table
