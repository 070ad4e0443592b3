"""The codes of one file, in the order of its lines: computed when they are read, never kept."""

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate
from typing import NamedTuple, Protocol

import numpy as np

from labels.codes import bulk
from labels.codes.forms import B12, Form
from printing import qr
from printing.stencil import Bytes


class Codes(NamedTuple):
    """Serials and hidden codes of some lines: uint8 rows of ASCII symbols, not grouped."""

    serials: Bytes
    codes: Bytes


class Source(Protocol):
    """Where the codes of a file come from."""

    count: int

    def read(self, start: int, end: int) -> Codes:
        """Return the codes of lines ``start`` … ``end − 1``, the first line being 0."""


@dataclass(frozen=True, slots=True)
class Order:
    """What all lines of one file share. ``host`` is the brand's, for the link; ``roll`` is printed in the rows."""

    host: str
    gtin: str
    form: Form
    roll: str

    @property
    def prefix(self) -> str:
        """What every link begins with."""
        return qr.prefix(self.host, self.gtin)


class BulkSource:
    """Codes of ranges of labels, one behind the other: canaries, the roll, canaries. Not to be shared by threads."""

    def __init__(self, serial: bulk.Series, secret: bulk.Series, spans: Sequence[tuple[int, int]]) -> None:
        """``spans`` are (first label, end), in the order of the file's lines."""
        if serial[0] is not B12:
            raise ValueError("serials have the form B12")
        self._serial, self._secret = serial, secret
        self._spans = list(spans)
        self._ends = list(accumulate(end - first for first, end in spans))
        self.count = self._ends[-1] if self._ends else 0

    def label_nos(self, start: int, end: int) -> np.ndarray[tuple[int], np.dtype[np.uint64]]:
        """Return the labels of lines ``start`` … ``end − 1``."""
        parts = []
        place = bisect_right(self._ends, start)
        while start < end:
            first, stop = self._spans[place]
            line = self._ends[place] - (stop - first)
            until = min(end, self._ends[place])
            parts.append(np.arange(first + start - line, first + until - line, dtype=np.uint64))
            start, place = until, place + 1
        return np.concatenate(parts) if parts else np.empty(0, np.uint64)

    def read(self, start: int, end: int) -> Codes:
        """Return the codes of lines ``start`` … ``end − 1``."""
        label_nos = self.label_nos(start, end)
        return Codes(self._rows(self._serial, label_nos), self._rows(self._secret, label_nos))

    def _rows(self, series: bulk.Series, label_nos: np.ndarray[tuple[int], np.dtype[np.uint64]]) -> Bytes:
        form, number, permutation = series
        rows = np.empty((len(label_nos), form.length), np.uint8)
        bulk.write_codes(form, number, permutation.encrypt(label_nos), rows)
        return rows


def grouped(form: Form, codes: Bytes) -> Bytes:
    """Return codes as they are printed: ``3904 2590 3095 9168``."""
    rows = np.full((len(codes), form.length + len(form.groups) - 1), ord(" "), np.uint8)
    column = start = 0
    for size in form.groups:
        rows[:, column : column + size] = codes[:, start : start + size]
        column, start = column + size + 1, start + size
    return rows


def ungrouped(form: Form, rows: Bytes) -> Bytes:
    """Return printed codes without the blanks between their groups."""
    keep = [place for place, symbol in enumerate(form.grouped("0" * form.length)) if symbol != " "]
    return np.ascontiguousarray(rows[:, keep])
