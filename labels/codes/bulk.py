"""Codes by the million: label numbers in, rows of ASCII bytes out, and back again for proof.

Rows are ``uint8`` matrices, one code a row, written whole. The Damm digit is found through a table over groups of four
digits (10 states × 10 000 groups); the GF(32) check is linear, so it is the XOR of one 1 024-entry table per pair.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from labels.codes.checks import DAMM_STEPS, GF32_STEPS, gf32
from labels.codes.encode import digits
from labels.codes.ff1_fast import CHUNK, U64, Vector
from labels.codes.forms import DECIMAL, Form

Bytes = NDArray[np.uint8]


def vector(key: bytes, form: Form, number: int, generation: int, chunk: int = CHUNK) -> Vector:
    """Return the permutation of one slot, for arrays. Not to be shared by threads."""
    return Vector(key, form.radix, form.core, form.tweak(number, generation), chunk)


def write_codes(form: Form, number: int, cores: U64, rows: Bytes, column: int = 0) -> None:
    """Write the codes of encrypted ``cores`` into ``rows[:, column : column + form.length]``."""
    if not 0 <= number < form.slots:
        raise ValueError(f"{form.name} has no slot {number}")
    (_write_decimal if form.radix == DECIMAL else _write_base32)(form, number, cores, rows, column)


Series = tuple[Form, int, Vector]


def lines(series: Sequence[Series], first: int, end: int) -> Iterator[Bytes]:
    """Yield the codes of labels ``first`` … ``end − 1`` as lines of text (``serial,secret``), a matrix a chunk.

    ``series`` are (form, slot number, permutation), one a column. The matrix is used again for the next chunk.
    """
    rows = np.empty((CHUNK, sum(form.length + 1 for form, _, _ in series)), np.uint8)
    rows[:] = ord(",")
    rows[:, -1] = ord("\n")
    cores = np.empty(CHUNK, np.uint64)
    for start in range(first, end, CHUNK):
        label_nos = np.arange(start, min(start + CHUNK, end), dtype=np.uint64)
        part, column = rows[: len(label_nos)], 0
        for form, number, permutation in series:
            write_codes(form, number, permutation.encrypt(label_nos, cores[: len(label_nos)]), part, column)
            column += form.length + 1
        yield part


def read_codes(form: Form, rows: Bytes, column: int = 0) -> tuple[U64, Bytes]:
    """Return the cores in ``rows`` and the check states, 0 where a code is right. For proofs: plain, not fast."""
    values = _values()[rows[:, column : column + form.length]]
    flat = np.frombuffer(DAMM_STEPS if form.radix == DECIMAL else GF32_STEPS, np.uint8)
    radix = form.radix
    states = np.zeros(len(rows), np.intp)
    cores = np.zeros(len(rows), np.uint64)
    for place in range(form.length):
        states = flat[states * radix + values[:, place]].astype(np.intp)
        if form.slot_symbols <= place < form.length - 1:
            cores = cores * np.uint64(radix) + values[:, place]
    return cores, states.astype(np.uint8)


def texts(rows: Bytes) -> list[str]:
    """Return each row as text."""
    width = rows.shape[1]
    text = rows.tobytes().decode("ascii")
    return [text[start : start + width] for start in range(0, len(text), width)]


def _write_decimal(form: Form, number: int, cores: U64, rows: Bytes, column: int) -> None:
    """Cut ``S ‖ core`` into groups of four digits so that the check digit fills up the last one."""
    words = _four_digits()
    left = cores + np.uint64(number * form.space)
    state: Bytes | None = None
    lead = form.length % 4
    if lead:  # zeros in front leave the state at 0
        group, left = _cut(left, form.length - 1 - lead)
        rows[:, column : column + lead] = words[group].view(np.uint8).reshape(-1, 4)[:, 4 - lead :]
        state = _step(4, group, state)
    for start in range(column + lead, column + form.length - 4, 4):
        group, left = _cut(left, form.length - 1 - (start - column) - 4)
        _words_at(rows, start, "<u4")[:] = words.take(group)
        state = _step(4, group, state)
    group = left.view(np.int64)
    check = _step(3, group, state)
    group *= 10
    group += check
    _words_at(rows, column + form.length - 4, "<u4")[:] = words.take(group)


def _step(length: int, group: NDArray[np.int64], state: Bytes | None) -> Bytes:
    """Return the Damm states after groups of ``length`` digits."""
    steps = _damm_steps(length)
    if state is None:
        return steps.take(group)
    index = state.astype(np.int64)
    index *= 10**length
    index += group
    return steps.take(index)


def _cut(number: U64, digits_left: int) -> tuple[NDArray[np.int64], U64]:
    """Return the digits in front of the last ``digits_left``, and those."""
    power = np.uint64(10**digits_left)
    front = number // power
    return front.view(np.int64), number - front * power


def _write_base32(form: Form, number: int, cores: U64, rows: Bytes, column: int) -> None:
    head = digits(number, form.radix, form.slot_symbols)
    place = column + form.slot_symbols
    rows[:, column:place] = [ord(form.symbols[value]) for value in head]
    words = _two_symbols(form.symbols)
    tables, check = _gf32_pairs(form.core, tuple(head))
    state = np.full(len(cores), check, np.uint8)
    for pair in range(form.core // 2):
        shift = np.uint64(5 * (form.core - 2 * (pair + 1)))
        value = ((cores >> shift) & np.uint64(1023)).view(np.int64)
        _words_at(rows, place + 2 * pair, "<u2")[:] = words.take(value)
        state ^= tables[pair].take(value)
    rows[:, place + form.core] = np.frombuffer(form.symbols.encode(), np.uint8)[state]


def _words_at(rows: Bytes, column: int, dtype: str) -> NDArray[Any]:
    """Return neighbouring byte columns of ``rows`` as one column of words."""
    return np.ndarray((len(rows),), dtype, rows, column, (rows.strides[0],))


@cache
def _values() -> Bytes:
    table = np.zeros(256, np.uint8)
    for value, symbol in enumerate("0123456789ABCDEFGHJKMNPQRSTVWXYZ"):
        table[ord(symbol)] = value
    return table


@cache
def _four_digits() -> NDArray[np.uint32]:
    return np.frombuffer(b"".join(b"%04d" % number for number in range(10_000)), "<u4")


@cache
def _damm_steps(length: int) -> Bytes:
    """Return the next state, for state × 10^length + group of ``length`` digits."""
    flat = np.frombuffer(DAMM_STEPS, np.uint8).reshape(10, 10)
    group = np.arange(10**length)
    state = np.repeat(np.arange(10), 10**length).reshape(10, -1)
    for place in reversed(range(length)):
        state = flat[state, group // 10**place % 10]
    return np.ascontiguousarray(state.reshape(-1))


@cache
def _two_symbols(symbols: str) -> NDArray[np.uint16]:
    return np.frombuffer("".join(a + b for a in symbols for b in symbols).encode(), "<u2")


@cache
def _gf32_pairs(core: int, head: tuple[int, ...]) -> tuple[list[Bytes], int]:
    """Return a table for each pair of core symbols, and the check of the head followed by zeros."""
    check = gf32([*head, *[0] * core])
    tables = []
    for pair in range(core // 2):
        after = [0] * (core - 2 * pair - 2)
        tables.append(np.array([gf32([a, b, *after]) for a in range(32) for b in range(32)], np.uint8))
    return tables, check
