"""FF1 of many numbers at once: numpy around one AES-ECB call a round.

The round's AES input is a constant xor the round number xor NUM(B) (`ff1.fold`): one block a code and round. y fills
64 bits, so it is reduced before it is added, and the sum is reduced by letting ``x − m`` wrap around: the smaller of
``x`` and ``x − m``, both unsigned, is the right one.
"""

import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from numpy.typing import NDArray

from labels.codes.ff1 import ROUNDS, fold

CHUNK = 8_192
_SPARE = 15  # `update_into` wants a block less one byte more than it writes
U64 = NDArray[np.uint64]


class Vector:
    """FF1 of arrays, for the same domains as `ff1.Scalar`. Holds scratch arrays: not to be shared by threads."""

    def __init__(self, key: bytes, radix: int, n: int, tweak: bytes, chunk: int = CHUNK) -> None:
        constant, b = fold(key, radix, n, tweak)
        self._b = 8 * b
        self._low_word = constant & 0xFFFF_FFFF_FFFF_FFFF
        self._update_into = Cipher(algorithms.AES(key), modes.ECB()).encryptor().update_into  # noqa: S305
        self._high, self._low = radix ** (n // 2), radix ** (n - n // 2)
        self._binary = radix & (radix - 1) == 0
        self._chunk = chunk
        self._in = np.empty((chunk, 2), ">u8")
        self._in[:, 0] = constant >> 64
        self._in_bytes = self._in.data.cast("B")
        self._out = bytearray(16 * chunk + _SPARE)
        self._y = np.frombuffer(self._out, ">u8", 2 * chunk)[::2]
        self._s, self._t = np.empty(chunk, np.uint64), np.empty(chunk, np.uint64)

    def encrypt(self, numbers: U64, out: U64 | None = None) -> U64:
        """Return the encrypted numbers (uint64, each below radix^n), written to ``out`` where it is given."""
        return self._run(numbers, out, self._forwards)

    def decrypt(self, numbers: U64, out: U64 | None = None) -> U64:
        """Return the decrypted numbers (uint64, each below radix^n), written to ``out`` where it is given."""
        return self._run(numbers, out, self._backwards)

    def _run(self, numbers: U64, out: U64 | None, rounds) -> U64:  # type: ignore[no-untyped-def]  # noqa: ANN001
        result = np.empty_like(numbers) if out is None else out
        low = np.uint64(self._low)
        for start in range(0, len(numbers), self._chunk):
            part = numbers[start : start + self._chunk]
            a, b = np.divmod(part, low)
            rounds(a, b)
            a *= low
            np.add(a, b, out=result[start : start + len(part)])
        return result

    def _forwards(self, a: U64, b: U64) -> None:
        for i in range(0, ROUNDS, 2):
            self._add(a, self._reduced(i, b, self._high), self._high)
            self._add(b, self._reduced(i + 1, a, self._low), self._low)

    def _backwards(self, a: U64, b: U64) -> None:
        for i in range(ROUNDS - 2, -1, -2):
            self._subtract(b, self._reduced(i + 1, a, self._low), self._low)
            self._subtract(a, self._reduced(i, b, self._high), self._high)

    def _reduced(self, i: int, half: U64, m: int) -> U64:
        """Return y of round ``i`` modulo ``m``, in a scratch array."""
        count = len(half)
        np.bitwise_xor(half, np.uint64(self._low_word ^ (i << self._b)), out=self._in[:count, 1], casting="equiv")
        self._update_into(self._in_bytes[: 16 * count], self._out)
        y, s = self._y[:count], self._s[:count]
        if self._binary:
            np.bitwise_and(y, np.uint64(m - 1), out=s)
            return s
        t = self._t[:count]
        s[:] = y
        np.floor_divide(s, np.uint64(m), out=t)
        np.multiply(t, np.uint64(m), out=t)
        np.subtract(s, t, out=s)
        return s

    def _add(self, half: U64, y: U64, m: int) -> None:
        np.add(half, y, out=half)
        self._wrap(half, m)

    def _subtract(self, half: U64, y: U64, m: int) -> None:
        np.add(half, np.uint64(m), out=half)
        np.subtract(half, y, out=half)
        self._wrap(half, m)

    def _wrap(self, half: U64, m: int) -> None:
        if self._binary:
            np.bitwise_and(half, np.uint64(m - 1), out=half)
        else:
            less = self._t[: len(half)]
            np.subtract(half, np.uint64(m), out=less)
            np.minimum(half, less, out=half)
