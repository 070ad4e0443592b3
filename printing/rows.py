"""Codes as rows of text, a file a roll: CSV and JSON lines for data presses, ZPL for label printers.

Spreadsheets ruin numbers of 16 digits, so ``code_grouped`` is always there. No row names a ``label_no``.
"""

import json
from collections.abc import Iterator
from typing import Literal

import numpy as np

from printing import zpl
from printing.pdf import Sink
from printing.source import Codes, Order, Source, grouped
from printing.stencil import Bytes, Slot, Stencil, cut_at_powers_of_ten, decimals
from printing.template import Template

Kind = Literal["csv", "jsonl", "zpl"]
COLUMNS = ("seq", "roll", "serial", "url", "code", "code_grouped")
LINES_AT_A_TIME = 8_192


class Rows:
    """One file of rows. ``seq`` counts from 1."""

    def __init__(self, order: Order, kind: Kind, *, crlf: bool = False, template: Template | None = None) -> None:
        """``template`` is wanted for ZPL, and only there."""
        self.order, self.kind = order, kind
        self._end = b"\r\n" if crlf else b"\n"
        self._printer = zpl.Printer(order, template) if kind == "zpl" and template else None
        if (kind == "zpl") != (template is not None):
            raise ValueError("ZPL needs a template, rows of data have none")
        self._stencils: dict[int, Stencil] = {}

    @property
    def head(self) -> bytes:
        """What comes before the first row."""
        if self._printer:
            return self._printer.stored
        return ",".join(COLUMNS).encode() + self._end if self.kind == "csv" else b""

    def lines(self, seq: int, codes: Codes) -> Bytes:
        """Return rows from number ``seq`` on as a matrix; all their numbers have equally many digits."""
        count, digits = len(codes.serials), len(str(seq))
        columns = {"serial": codes.serials, "code": codes.codes}
        if not self._printer:
            columns["seq"] = decimals(np.arange(seq, seq + count, dtype=np.int64), digits)
        columns["code_grouped"] = grouped(self.order.form, codes.codes)
        return self._stencil(digits).filled(count, columns)

    def pieces(self, source: Source) -> Iterator[bytes | memoryview]:
        """Yield the file, piece by piece."""
        if self.head:
            yield self.head
        for start, end in cut_at_powers_of_ten(1, source.count + 1, LINES_AT_A_TIME):
            yield self.lines(start, source.read(start - 1, end - 1)).reshape(-1).data

    def write(self, file: Sink, source: Source) -> int:
        """Write the whole file. Return its bytes."""
        written = 0
        for piece in self.pieces(source):
            file.write(piece)
            written += len(piece)
        return written

    def _stencil(self, digits: int) -> Stencil:
        if digits not in self._stencils:
            self._stencils[digits] = self._printer.label if self._printer else Stencil(self._parts(digits))
        return self._stencils[digits]

    def _parts(self, digits: int) -> list[bytes | Slot]:
        form = self.order.form
        serial = Slot("serial", 12)
        slots: dict[str, list[bytes | Slot]] = {
            "seq": [Slot("seq", digits)],
            "roll": [self.order.roll.encode()],
            "serial": [serial],
            "url": [self.order.prefix.encode(), serial],
            "code": [Slot("code", form.length)],
            "code_grouped": [Slot("code_grouped", form.length + len(form.groups) - 1)],
        }
        parts: list[bytes | Slot] = []
        for place, name in enumerate(COLUMNS):
            if self.kind == "csv":
                parts += [b"," if place else b"", *slots[name]]
            else:
                quote = b"" if name == "seq" else b'"'
                parts += [b"," if place else b"{", json.dumps(name).encode() + b":" + quote, *slots[name], quote]
        return [*parts, self._end if self.kind == "csv" else b"}" + self._end]
