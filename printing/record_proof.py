"""Files of packs, shelf talkers, coupons and cards read back: pages drawn at the device's dots, all they say compared.

Up to `PAGES` pages are drawn, the first and the last among them; every symbol is decoded by zxing-cpp, every text is
extracted by PDFium.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from typing import TypeVar

import numpy as np
import pypdfium2
import zxingcpp

from printing import records
from printing.cards import CardRecord
from printing.layout import layout
from printing.records import Record
from printing.symbols import ProofFailed
from printing.template import CardNo, Code128, DataMatrix, Element, Field, Gs1, Name, Qr, Template, Text

PAGES = 24
_MARGIN = 16
_FORMATS = zxingcpp.BarcodeFormats(
    [zxingcpp.BarcodeFormat.QRCode, zxingcpp.BarcodeFormat.DataMatrix, zxingcpp.BarcodeFormat.Code128]
)
T = TypeVar("T")


def check(data: bytes, template: Template, pieces: Sequence[Record]) -> int:
    """Prove a PDF of records; return how many pieces were read. Raises ProofFailed."""
    return _check(data, template, pieces, _symbol_of_record, _text_of_record)


def check_cards(data: bytes, template: Template, people: Sequence[CardRecord]) -> int:
    """Prove a PDF of member cards; return how many were read. Raises ProofFailed."""
    return _check(data, template, people, _symbol_of_card, _text_of_card)


def _symbol_of_record(element: Element, record: Record) -> str | None:
    match element:
        case Qr():
            return record.link
        case DataMatrix():
            return record.elements["all"]
        case Gs1():
            return record.elements[element.of]
    return None


def _text_of_record(element: Element, record: Record) -> str | None:
    return records.text_of(element, record) if isinstance(element, Field) else None


def _symbol_of_card(element: Element, card: CardRecord) -> str | None:
    match element:
        case Qr():
            return card.qr_payload
        case Code128():
            return card.card_no if element.of == "card_no" else element.of
    return None


def _text_of_card(element: Element, card: CardRecord) -> str | None:
    match element:
        case CardNo():
            return card.card_no
        case Name():
            return card.name[: element.longest]
    return None


def _check(
    data: bytes,
    template: Template,
    pieces: Sequence[T],
    symbol_of: Callable[[Element, T], str | None],
    text_of: Callable[[Element, T], str | None],
) -> int:
    place = layout(template)
    opened, read = pypdfium2.PdfDocument(data), 0
    try:
        pages = -(-len(pieces) // place.places)
        if len(opened) != pages:
            raise ProofFailed("the file has more or fewer pages than its pieces need")
        for number in sorted({round(at) for at in np.linspace(0, pages - 1, min(PAGES, pages))}):
            part = pieces[number * place.places : (number + 1) * place.places]
            page = opened[number]
            picture = page.render(scale=template.dpi / 72 * (1 - 1e-6), grayscale=True).to_numpy()
            picture = picture.reshape(picture.shape[:2])
            wanted: Counter[str] = Counter()
            for corner, piece in zip(place.corners, part, strict=False):
                _decode(picture, corner, template, [symbol_of(one, piece) for one in template.elements], number)
                said = [text_of(one, piece) for one in template.elements]
                still = [one.text for one in template.elements if isinstance(one, Text)]
                wanted.update(_signs("".join([*(text for text in said if text), *still])))
                read += 1
            text = page.get_textpage()
            if Counter(_signs(str(text.get_text_range()))) != wanted:
                raise ProofFailed(f"page {number + 1}: the text is not that of its pieces")
            text.close()
    finally:
        opened.close()
    return read


def _signs(text: str) -> str:
    """Return text without blanks and hyphens: PDFium joins and parts words as they lie on the page."""
    return re.sub(r"[\s\u0000-\u001f\ufffe-]", "", text)


def _decode(
    picture: np.ndarray, corner: tuple[int, int], template: Template, said: Sequence[str | None], number: int
) -> None:
    x, y = corner
    piece = picture[y : y + template.dots(template.height), x : x + template.dots(template.width)]
    found = zxingcpp.read_barcodes(
        np.pad(piece, _MARGIN, constant_values=255), formats=_FORMATS, try_rotate=False, try_invert=False
    )
    if sorted(one.text for one in found) != sorted(text for text in said if text is not None):
        raise ProofFailed(f"page {number + 1}: a symbol does not read as it should")
