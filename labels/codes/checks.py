"""The check symbol: finds slips of hand and eye, and gives no security.

N forms: H. M. Damm's quasigroup of order 10 (*Total anti-symmetrische Quasigruppen*, Marburg 2004). B forms: a
code over GF(32) with x^5 + x^2 + 1, whose generator 2 has order 31.
"""

from collections.abc import Iterable
from typing import Any

from labels.codes.forms import BASE32, DIGITS

DAMM = tuple(
    tuple(int(digit) for digit in row)
    for row in (
        "0317598642",
        "7092154863",
        "4206871359",
        "1750983426",
        "6123045978",
        "3674209581",
        "5869720134",
        "8945362017",
        "9438617205",
        "2581436790",
    )
)
MUL2 = tuple((2 * z) ^ 0x25 if 2 * z >= 32 else 2 * z for z in range(32))
# One look-up a symbol: the state walks a flat table.
DAMM_STEPS = bytes(DAMM[c][x] for c in range(10) for x in range(10))
GF32_STEPS = bytes(MUL2[c ^ x] for c in range(32) for x in range(32))


def damm(values: Iterable[int]) -> int:
    """Return the check digit of ``values``; over a whole code it is 0."""
    state = 0
    for value in values:
        state = DAMM_STEPS[state * 10 + value]
    return state


def gf32(values: Iterable[int]) -> int:
    """Return the check symbol's value of ``values``; over a whole code it is 0."""
    state = 0
    for value in values:
        state = GF32_STEPS[state << 5 | value]
    return state


def _automaton(steps: bytes, radix: int, symbols: str) -> list[Any]:
    """Return the start state; a state is a list that maps a symbol's ASCII code to the next state."""
    states: list[list[Any]] = [[None] * 128 for _ in range(radix)]
    for number, state in enumerate(states):
        for value, symbol in enumerate(symbols):
            state[ord(symbol)] = states[steps[number * radix + value]]
    return states[0]


_STARTS = {10: _automaton(DAMM_STEPS, 10, DIGITS), 32: _automaton(GF32_STEPS, 32, BASE32)}


def check_is_right(radix: int, code: bytes) -> bool:
    """Return whether the check symbol of a whole code fits (ASCII, every symbol in the radix's alphabet)."""
    start = state = _STARTS[radix]
    for symbol in code:
        state = state[symbol]
    return state is start
