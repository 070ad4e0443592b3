"""Symbols by table: a million QR codes or DataMatrix symbols a second, from a few dozen drawn by a reference encoder.

For a fixed prefix, length, version, level and mask a symbol is an affine function over GF(2) of its data bits:
Reed-Solomon is linear over GF(256), hence over GF(2); interleaving and placement move bits; header, padding, mask and
format are constants. So ``symbol = base xor T_0[unit 0] xor … xor T_k[unit k]``, where a unit is a run of symbols of
the serial that shares data bits, and each table is learned by Gaussian elimination.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache, cached_property

import numpy as np
from numpy.typing import NDArray

from labels.codes.checks import gf32
from labels.codes.forms import B12, BASE32

Bytes = NDArray[np.uint8]
U64 = NDArray[np.uint64]
SERIAL = B12.length
CHUNK = 2_048  # serials at a time: tables and sums stay in the second-level cache
NOTHING = "0" * SERIAL


class ProofFailed(Exception):
    """A table does not give what the reference encoder draws, or a finished file is not what was ordered."""


@dataclass(frozen=True, slots=True)
class Unit:
    """One or two neighbouring symbols of the serial, and the image that each of their values adds."""

    column: int
    symbols: int
    table: Bytes


class Symbols:
    """The tables of all symbols of one prefix. An image is ``size`` bytes: modules, 1 = dark, rows filled to bytes."""

    def __init__(self, side: int, base: Bytes, units: Sequence[Unit], drawn: int) -> None:
        self.side = side
        self.row_bytes = -(-side // 8)
        self.size = side * self.row_bytes
        self.drawn = drawn
        self.words = -(-self.size // 8)
        self._units = units
        self._base = base

    def images(self, serials: Bytes, *, inverted: bool = False) -> Bytes:
        """Return the images of serials (uint8 rows of 12 ASCII symbols); ``inverted``: 0 = dark, as masks paint."""
        out = np.empty((len(serials), self.words), np.uint64)
        for start in range(0, len(serials), CHUNK):
            self._add_up(serials[start : start + CHUNK], out[start : start + CHUNK], inverted=inverted)
        images: Bytes = out.view(np.uint8)[:, : self.size]
        return images

    def image(self, serial: str) -> Bytes:
        """Return one image."""
        image: Bytes = self.images(np.frombuffer(serial.encode(), np.uint8).reshape(1, -1))[0]
        return image

    def modules(self, image: Bytes) -> Bytes:
        """Return an image as a square of 0 and 1."""
        bits: Bytes = np.unpackbits(image.reshape(self.side, self.row_bytes), axis=1)[:, : self.side]
        return bits

    def _add_up(self, serials: Bytes, total: U64, *, inverted: bool) -> None:
        added = np.empty_like(total)
        for number, unit in enumerate(self._units):
            table = self._tables[-1 if inverted and not number else number]
            # "raise" would make numpy buffer ``out``
            np.take(
                table, entries(serials, unit.column, unit.symbols), axis=0, out=added if number else total, mode="clip"
            )
            if number:
                np.bitwise_xor(total, added, out=total)

    @cached_property
    def _tables(self) -> list[U64]:
        """The tables as words, the base folded into the first; the last is the first once more, inverted."""
        tables = [self._as_words(unit.table) for unit in self._units]
        inverted = tables[0] ^ self._as_words(np.invert(self._base)[None])
        tables[0] ^= self._as_words(self._base[None])
        return [*tables, inverted]

    def _as_words(self, images: Bytes) -> U64:
        padded = np.zeros((len(images), 8 * self.words), np.uint8)
        padded[:, : self.size] = images
        return padded.view(np.uint64)


def learn(values: Sequence[int], draw: Callable[[int], Bytes], base: Bytes) -> tuple[Bytes, int]:
    """Return the image that each entry adds to ``base``, and how many symbols were drawn for it.

    ``values`` are the data bits of each entry, the first being the base's; ``draw(entry)`` asks the reference encoder.
    """
    pivots: dict[int, tuple[int, Bytes]] = {}
    table = np.zeros((len(values), len(base)), np.uint8)
    for entry, value in enumerate(values):
        rest, image = value ^ values[0], np.zeros_like(base)
        while pivot := pivots.get(rest.bit_length()):
            rest, image = rest ^ pivot[0], image ^ pivot[1]
        if rest:
            drawn = draw(entry) ^ base
            pivots[rest.bit_length()] = (rest, drawn ^ image)
            image = drawn
        table[entry] = image
    return table, len(pivots)


def packed(modules: object) -> Bytes:
    """Return a square of modules as an image."""
    image: Bytes = np.packbits(np.array(modules, bool), axis=1).reshape(-1)
    return image


def entries(serials: Bytes, column: int, symbols: int) -> NDArray[np.intp]:
    """Return the table entries of one symbol, or of two as one number below 1 024."""
    if symbols == 1:
        return _single().take(serials[:, column])
    pairs = np.ndarray((len(serials),), "<u2", serials, column, (serials.strides[0],))
    return _pair().take(pairs)


def samples(seed: bytes, count: int) -> Iterator[str]:
    """Yield serials for a proof, the same for the same seed."""
    numbers = np.random.default_rng(list(seed))
    for values in numbers.integers(0, 32, (count, SERIAL - 1)):
        body = [int(value) for value in values]
        yield "".join(BASE32[value] for value in (*body, gf32(body)))


@cache
def _single() -> NDArray[np.intp]:
    table = np.zeros(256, np.intp)
    table[np.frombuffer(BASE32.encode(), np.uint8)] = np.arange(32)
    return table


@cache
def _pair() -> NDArray[np.intp]:
    table: NDArray[np.intp] = _single()[:, None] + 32 * _single()[None, :]  # little-endian: the first symbol is low
    return np.ascontiguousarray(table.reshape(-1))
