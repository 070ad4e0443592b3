"""The PDF of a roll of labels: template, order and codes brought together."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from printing import code128, data_matrix, qr
from printing.pdf import Columns, Document, Sink, hexadecimal
from printing.source import Codes, Order, Source, grouped
from printing.stencil import Bytes
from printing.symbols import Symbols
from printing.template import Code128, DataMatrix, Qr, Template


@dataclass(frozen=True, slots=True)
class Roll:
    """A PDF of labels: the document, and what turns codes into its columns."""

    document: Document
    order: Order
    symbols: dict[str, Symbols]

    def columns(self, codes: Codes) -> Columns:
        """Return the columns of some labels."""
        found: Columns = {"serial": codes.serials, "code": grouped(self.order.form, codes.codes)}
        for name, symbols in self.symbols.items():
            found[name] = hexadecimal(symbols.images(codes.serials, inverted=True), symbols.size)
        if BAR_CODE in self.document.columns():
            bars = np.packbits(1 - code128.modules(codes.codes), axis=1)
            found[BAR_CODE] = hexadecimal(bars, bars.shape[1])
        return {name: found[name] for name in self.document.columns()} or found

    def pieces(self, source: Source) -> Iterator[bytes | memoryview]:
        """Yield the file, piece by piece."""
        return self.document.pieces(lambda start, end: self.columns(source.read(start, end)))

    def write(self, file: Sink, source: Source) -> int:
        """Write the file. Return its bytes."""
        return self.document.write(file, lambda start, end: self.columns(source.read(start, end)))


BAR_CODE = "code128 code"


def roll(template: Template, order: Order, count: int, *, deflate: bool = False, mark: str = "") -> Roll:
    """Prepare the PDF of ``count`` labels; ``mark`` is printed across each, in grey.

    Raises ProofFailed where a symbol table is wrong, ValueError for what this template cannot show.
    """
    symbols: dict[str, Symbols] = {}
    if any(isinstance(element, Qr) for element in template.elements):
        symbols["qr"] = qr.symbols(order.prefix)
    if any(isinstance(element, DataMatrix) for element in template.elements):
        symbols["datamatrix"] = data_matrix.symbols(order.gtin)
    shapes = {name: (found.side, found.side) for name, found in symbols.items()}
    if any(isinstance(element, Code128) and element.of == "code" for element in template.elements):
        if order.form.radix != 10 or order.form.length % 2:
            raise ValueError("a bar code of set C holds codes of an even number of digits only")
        shapes[BAR_CODE] = (code128.width(order.form.length), 1)
    document = Document(
        template,
        count=count,
        shapes=shapes,
        widths={"serial": 12, "code": len(order.form.grouped("0" * order.form.length))},
        deflate=deflate,
        name=f"{order.prefix}{order.roll}/{count}".encode(),
        mark=mark,
    )
    return Roll(document, order, symbols)


def picture(symbols: Symbols, serial: str) -> Bytes:
    """Return the modules of one label's symbol, 1 = dark."""
    return symbols.modules(symbols.image(serial))
