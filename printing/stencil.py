"""Text of constant length with slots, filled for thousands of records at once as one matrix of bytes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
BLANK, ZERO = ord(" "), ord("0")


@dataclass(frozen=True, slots=True)
class Slot:
    """A place for ``width`` bytes of the column ``name``."""

    name: str
    width: int


class Stencil:
    """What is the same in every record, and where each record's own bytes go (a column may have several places)."""

    def __init__(self, parts: Sequence[bytes | Slot]) -> None:
        self.places: list[tuple[str, int, int]] = []
        text = bytearray()
        for part in parts:
            if isinstance(part, Slot):
                self.places.append((part.name, len(text), part.width))
                text += b" " * part.width
            else:
                text += part
        self.text = bytes(text)

    def __len__(self) -> int:
        return len(self.text)

    def filled(self, count: int, columns: dict[str, Bytes]) -> Bytes:
        """Return ``count`` records, one a row."""
        rows = np.empty((count, len(self.text)), np.uint8)
        rows[:] = np.frombuffer(self.text, np.uint8)
        for name, offset, width in self.places:
            rows[:, offset : offset + width] = columns[name]
        return rows


def decimals(numbers: NDArray[np.int64], width: int, fill: int = BLANK) -> Bytes:
    """Return numbers (0 or more) as rows of decimal digits, right-justified and filled up in front."""
    rows = np.empty((len(numbers), width), np.uint8)
    left = numbers.copy()
    for place in reversed(range(width)):
        tens = left // 10
        rows[:, place] = left - 10 * tens + ZERO
        if fill != ZERO and place < width - 1:
            rows[left == 0, place] = fill
        left = tens
    if left.any():
        raise ValueError(f"a number has more than {width} digits")
    return rows


def cut_at_powers_of_ten(start: int, end: int, step: int) -> Iterator[tuple[int, int]]:
    """Yield parts of ``start`` … ``end − 1``, at most ``step`` long, whose numbers all have as many digits."""
    while start < end:
        stop = min(end, start + step, 10 ** len(str(start)))
        yield start, stop
        start = stop
