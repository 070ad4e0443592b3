"""FF1 of NIST SP 800-38G with AES: the judge (`General`), and one code at a time (`Scalar`)."""

import struct
from collections.abc import Sequence

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

ROUNDS = 10
SMALLEST_DOMAIN = 10**6
_BLOCK = 16
_first_64_bits = struct.Struct(">Q").unpack_from


def _encryptor(key: bytes):  # type: ignore[no-untyped-def]  # noqa: ANN202 - cryptography names no type for it
    return Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - FF1 is built on single blocks


class General:
    """FF1 for any radix from 2 to 65 536, any length and any tweak; plain, slow, close to the standard's text.

    Not to be shared by threads: it holds a cipher context.
    """

    def __init__(self, key: bytes, radix: int) -> None:
        if not 2 <= radix <= 1 << 16:
            raise ValueError("radix must be from 2 to 65536")
        self._radix = radix
        self._encrypt_block = _encryptor(key).update

    def encrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """Return the encrypted numerals (SP 800-38G, Algorithm 7)."""
        n, u = self._lengths(numerals)
        left, right = self._number(numerals[:u]), self._number(numerals[u:])
        for i in range(ROUNDS):
            m = self._radix ** (u if i % 2 == 0 else n - u)
            left, right = right, (left + self._y(i, right, n, tweak)) % m
        return self._numerals(left, u) + self._numerals(right, n - u)

    def decrypt(self, numerals: Sequence[int], tweak: bytes = b"") -> list[int]:
        """Return the decrypted numerals (SP 800-38G, Algorithm 8)."""
        n, u = self._lengths(numerals)
        left, right = self._number(numerals[:u]), self._number(numerals[u:])
        for i in reversed(range(ROUNDS)):
            m = self._radix ** (u if i % 2 == 0 else n - u)
            left, right = (right - self._y(i, left, n, tweak)) % m, left
        return self._numerals(left, u) + self._numerals(right, n - u)

    def _lengths(self, numerals: Sequence[int]) -> tuple[int, int]:
        n = len(numerals)
        if self._radix**n < SMALLEST_DOMAIN:
            raise ValueError("FF1 needs a domain of at least a million")
        if any(not 0 <= numeral < self._radix for numeral in numerals):
            raise ValueError("a numeral lies outside the radix")
        return n, n // 2

    def _number(self, numerals: Sequence[int]) -> int:
        value = 0
        for numeral in numerals:
            value = value * self._radix + numeral
        return value

    def _numerals(self, value: int, length: int) -> list[int]:
        numerals = [0] * length
        for place in reversed(range(length)):
            value, numerals[place] = divmod(value, self._radix)
        return numerals

    def _y(self, i: int, half: int, n: int, tweak: bytes) -> int:
        u, t = n // 2, len(tweak)
        b = ((self._radix ** (n - u) - 1).bit_length() + 7) // 8
        d = 4 * ((b + 3) // 4) + 4
        p = first_block(self._radix, n, t)
        q = tweak + bytes((-t - b - 1) % _BLOCK) + bytes([i]) + half.to_bytes(b, "big")
        mac = bytes(_BLOCK)
        for start in range(0, len(p + q), _BLOCK):
            block = (p + q)[start : start + _BLOCK]
            mac = self._encrypt_block(bytes(x ^ y for x, y in zip(mac, block, strict=True)))
        stream, counter = mac, 1
        while len(stream) < d:
            stream += self._encrypt_block((int.from_bytes(mac, "big") ^ counter).to_bytes(_BLOCK, "big"))
            counter += 1
        return int.from_bytes(stream[:d], "big")


def first_block(radix: int, n: int, t: int) -> bytes:
    """Return P, the first block of the CBC-MAC."""
    head = b"\x01\x02\x01" + radix.to_bytes(3, "big") + bytes([ROUNDS, n // 2 % 256])
    return head + n.to_bytes(4, "big") + t.to_bytes(4, "big")


def fold(key: bytes, radix: int, n: int, tweak: bytes) -> tuple[int, int]:
    """Return all that is constant in a round's AES input, as (128-bit number, b).

    The MAC is two blocks, AES(AES(P) xor Q): AES(P), tweak and padding are the same for every round and code. The
    round's input is the constant xor (i << 8b) xor NUM(B), and y is the first 64 bits of its output, provided that
    Q is one block and d = 8. Raises ValueError where that does not hold: use `General`.
    """
    b = ((radix ** (n - n // 2) - 1).bit_length() + 7) // 8
    if radix ** (n - n // 2) > 1 << 32 or len(tweak) > 11:
        raise ValueError("only halves below 2^32 and tweaks of at most 11 bytes fold")
    if radix**n < SMALLEST_DOMAIN:
        raise ValueError("FF1 needs a domain of at least a million")
    first = _encryptor(key).update(first_block(radix, n, len(tweak)))
    padded = tweak + bytes(_BLOCK - len(tweak))
    return int.from_bytes(first, "big") ^ int.from_bytes(padded, "big"), b


class Scalar:
    """FF1 of one number at a time, for domains whose round folds into one AES block (`fold`).

    Numbers stand for their n numerals, most significant first. Not to be shared by threads.
    """

    __slots__ = ("_backwards", "_forwards", "_high", "_low", "_update")

    def __init__(self, key: bytes, radix: int, n: int, tweak: bytes) -> None:
        constant, b = fold(key, radix, n, tweak)
        rounds = [constant ^ (i << 8 * b) for i in range(ROUNDS)]
        self._forwards = tuple(zip(rounds[::2], rounds[1::2], strict=True))
        self._backwards = self._forwards[::-1]
        self._high: int = radix ** (n // 2)
        self._low: int = radix ** (n - n // 2)
        self._update = _encryptor(key).update

    def encrypt(self, number: int) -> int:
        """Return the encrypted number."""
        high, low, update = self._high, self._low, self._update
        a, b = divmod(number, low)
        for even, odd in self._forwards:
            a = (a + _first_64_bits(update((even ^ b).to_bytes(16, "big")))[0]) % high
            b = (b + _first_64_bits(update((odd ^ a).to_bytes(16, "big")))[0]) % low
        return a * low + b

    def decrypt(self, number: int) -> int:
        """Return the decrypted number."""
        high, low, update = self._high, self._low, self._update
        a, b = divmod(number, low)
        for even, odd in self._backwards:
            b = (b - _first_64_bits(update((odd ^ a).to_bytes(16, "big")))[0]) % low
            a = (a - _first_64_bits(update((even ^ b).to_bytes(16, "big")))[0]) % high
        return a * low + b
