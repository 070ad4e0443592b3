"""Files of things that are not unit labels: packs, shelf talkers, coupons. Each piece is a record of texts and symbols.

The symbols are drawn one by one by zxing-cpp (thousands a second are enough here), GS1-128 (`]C1`) and GS1 DataMatrix
(`]d2`) from element strings in brackets; where the symbols of a file differ in size, they get the room of the largest.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
import zxingcpp

from printing import fonts
from printing.pdf import Columns, Document, Sink, column_of, hexadecimal
from printing.stencil import Bytes
from printing.template import DataMatrix, Field, Gs1, Qr, Template

WIDE = "partner"  # the one field in the font for any text
MOST_LINK = 120
RecordSymbol = Qr | DataMatrix | Gs1


@dataclass(frozen=True, slots=True)
class Record:
    """One piece: ``texts`` by what a field is ``of``, the QR code's ``link``, GS1 ``elements`` in brackets by name.

    The names of elements are those of `printing.template.Gs1`, and "all" for a DataMatrix.
    """

    texts: Mapping[str, str]
    link: str = ""
    elements: Mapping[str, str] = field(default_factory=dict)


def modules(element: RecordSymbol, record: Record) -> Bytes:
    """Return a symbol's modules, 1 = dark, without quiet zone; a bar code is one row. Raises ValueError."""
    match element:
        case Qr():
            return _drawn(record.link, "QRCode")
        case DataMatrix():
            return _drawn(record.elements.get("all", ""), "DataMatrix")
        case Gs1():
            return _drawn(record.elements.get(element.of, ""), "Code128")[:1]


def text_of(element: Field, record: Record) -> str:
    """Return what a field says, cut to its longest."""
    return record.texts.get(element.of, "")[: element.longest]


@lru_cache(maxsize=256)
def _drawn(said: str, name: str) -> Bytes:
    if not said or len(said) > MOST_LINK:
        raise ValueError("there is nothing to draw, or too much")
    options = {"ec_level": "M"} if name == "QRCode" else {"gs1": True}
    symbol = zxingcpp.create_barcode(said, getattr(zxingcpp.BarcodeFormat, name), **options)
    picture = np.array(symbol.to_image(scale=1, add_quiet_zones=False))
    made: Bytes = (picture.reshape(picture.shape[:2]) < 128).astype(np.uint8)
    made.setflags(write=False)
    return made


def document(template: Template, records: Sequence[Record], *, deflate: bool = False) -> Document:
    """Return the PDF that `columns` fills. Raises ValueError where there are no records or one does not fit."""
    if not records:
        raise ValueError("a file has at least one piece")
    shapes = {}
    for element in _symbols(template):
        sizes = [modules(element, record).shape for record in records]
        shapes[column_of(element)] = (max(size[1] for size in sizes), max(size[0] for size in sizes))
    fields = [element for element in template.elements if isinstance(element, Field)]
    texts = "".join({letter for record in records for letter in record.texts.get(WIDE, "")})
    return Document(
        template,
        count=len(records),
        shapes=shapes,
        widths={
            column_of(element): (4 if element.of == WIDE else 2)
            * max(len(text_of(element, record)) for record in records)
            for element in fields
        },
        deflate=deflate,
        name="\n".join([repr(records[0]), repr(records[-1]), str(len(records))]).encode(),
        characters=texts if any(element.of == WIDE for element in fields) else "",
    )


def columns(made: Document, records: Sequence[Record]) -> Callable[[int, int], Columns]:
    """Return what `Document.write` asks for the columns of some pieces."""

    def of(start: int, end: int) -> Columns:
        part, found = records[start:end], Columns()
        for element in _symbols(made.template):
            wide, high = made.shapes[column_of(element)]
            room = np.zeros((len(part), high, wide), np.uint8)
            for place, record in enumerate(part):
                symbol = modules(element, record)
                room[place, : symbol.shape[0], : symbol.shape[1]] = symbol
            images = np.packbits(1 - room, axis=2).reshape(len(part), -1)
            found[column_of(element)] = hexadecimal(images, images.shape[1])
        for one in made.template.elements:
            if isinstance(one, Field):
                found[column_of(one)] = _texts(made, one, part)
        return found

    return of


def write(template: Template, records: Sequence[Record], file: Sink, *, deflate: bool = False) -> int:
    """Write the pieces as PDF. Return its bytes. Raises ValueError."""
    made = document(template, records, deflate=deflate)
    return made.write(file, columns(made, records))


def _texts(made: Document, element: Field, records: Sequence[Record]) -> Bytes:
    """Return texts as hex strings of glyphs or of ASCII, filled up with blanks, which a reader of PDF skips there."""
    width = made.widths[column_of(element)]
    said = [text_of(element, record) for record in records]
    if element.of == WIDE:
        hexed = [made.wide.string(text) if made.wide else "" for text in said]
    else:
        hexed = [text.encode("ascii", "replace").hex().upper() for text in said]
    return np.frombuffer("".join(text.ljust(width) for text in hexed).encode(), np.uint8).reshape(-1, width)


def _symbols(template: Template) -> Iterable[RecordSymbol]:
    return (element for element in template.elements if isinstance(element, RecordSymbol))


def missing_glyphs(records: Iterable[Record]) -> str:
    """Return the characters of the records' wide texts that the font lacks."""
    return fonts.missing("".join(record.texts.get(WIDE, "") for record in records))
