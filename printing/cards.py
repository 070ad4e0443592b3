"""Member cards, CR80 (ISO/IEC 7810 ID-1), one a page or on a sheet. Who is a member is known above: here are records."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import qrcode

from printing import code128
from printing.pdf import Columns, Document, Sink, hexadecimal
from printing.stencil import Bytes
from printing.symbols import packed
from printing.template import Code128, Name, Qr, Template

DIGITS = 16
BAR_CODE = "code128 card_no"
MOST_PAYLOAD = 120


@dataclass(frozen=True, slots=True)
class CardRecord:
    """One card: a number of 16 digits, the name on it, what its QR code says."""

    card_no: str
    name: str
    qr_payload: str


def write(template: Template, records: Sequence[CardRecord], file: Sink, *, deflate: bool = False) -> int:
    """Write the cards as PDF. Return its bytes. Raises ValueError for a record that does not fit its template."""
    for record in records:
        if len(record.card_no) != DIGITS or not (record.card_no.isascii() and record.card_no.isdecimal()):
            raise ValueError("a card's number has 16 digits")
        if len(record.qr_payload.encode()) > MOST_PAYLOAD:
            raise ValueError("a card's QR code says too much")
    shapes: dict[str, tuple[int, int]] = {BAR_CODE: (code128.width(DIGITS), 1)}
    version = 0
    if any(isinstance(element, Qr) for element in template.elements):
        version = max(_version(record.qr_payload) for record in records)
        shapes["qr"] = (17 + 4 * version, 17 + 4 * version)
    longest = max((element.longest for element in template.elements if isinstance(element, Name)), default=0)
    document = Document(
        template,
        count=len(records),
        shapes=shapes,
        widths={"card_no": DIGITS + 3, "name": 4 * longest},
        deflate=deflate,
        name=records[0].card_no.encode(),
        characters="".join(sorted({letter for record in records for letter in record.name})) if longest else "",
    )
    wanted = document.columns()

    def columns(start: int, end: int) -> Columns:
        part = records[start:end]
        numbers = np.frombuffer("".join(record.card_no for record in part).encode(), np.uint8).reshape(-1, DIGITS)
        found: Columns = {"card_no": _in_fours(numbers)}
        if BAR_CODE in wanted:
            bars = np.packbits(1 - code128.modules(numbers), axis=1)
            found[BAR_CODE] = hexadecimal(bars, bars.shape[1])
        if "qr" in wanted:
            images = np.array([_qr(record.qr_payload, version) ^ 0xFF for record in part], np.uint8)
            found["qr"] = hexadecimal(images, images.shape[1])
        if "name" in wanted:
            found["name"] = _names(document, [record.name[:longest] for record in part], longest)
        return found

    return document.write(file, columns)


def has_bar_code(template: Template) -> bool:
    """Return whether the card's number is also a bar code."""
    return any(isinstance(element, Code128) and element.of == "card_no" for element in template.elements)


def _in_fours(numbers: Bytes) -> Bytes:
    rows = np.full((len(numbers), DIGITS + 3), ord(" "), np.uint8)
    for group in range(4):
        rows[:, 5 * group : 5 * group + 4] = numbers[:, 4 * group : 4 * group + 4]
    return rows


def _names(document: Document, names: Sequence[str], longest: int) -> Bytes:
    """Return names as hex strings of glyphs, filled up with blanks, which a reader of PDF skips between digits."""
    if document.wide is None:
        return np.full((len(names), 4 * longest), ord(" "), np.uint8)
    texts = "".join(document.wide.string(name).ljust(4 * longest) for name in names)
    return np.frombuffer(texts.encode(), np.uint8).reshape(-1, 4 * longest)


def _version(payload: str) -> int:
    code = qrcode.QRCode(error_correction=qrcode.ERROR_CORRECT_M)
    code.add_data(payload)
    return int(code.best_fit(start=1))


def _qr(payload: str, version: int) -> Bytes:
    code = qrcode.QRCode(version=version, error_correction=qrcode.ERROR_CORRECT_M, border=0, mask_pattern=2)
    code.add_data(payload)
    code.make(fit=False)
    return packed(code.modules)
