"""The speed of codes: the vector path against the bound of AES, against other FF1s, and `decode` against its core.

Rates are per CPU-second of this process; each pair is measured in turns, five rounds, and the ratio is the median.
"""

import os
import time
from collections.abc import Callable, Iterator
from importlib import metadata
from pathlib import Path
from tempfile import TemporaryDirectory

import django
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bench.frame import Figure, interleaved
from labels.codes import bulk
from labels.codes.decode import BatchRow, SlotRef, Table, decode
from labels.codes.encode import cipher, encode
from labels.codes.ff1_fast import CHUNK
from labels.codes.forms import B12, N16, Form

ROUNDS = 5
KEY = bytes(range(32))
os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
SLOT = 3
LABELS = np.arange(1, 64 * CHUNK + 1, dtype=np.uint64)
BATCHES, BATCH_LABELS = 5_000, 10_000
Rate = Callable[[], float]


def figures() -> Iterator[Figure]:
    """Measure every row of the table."""
    vector = bulk.vector(KEY, N16, SLOT, 0)
    out = np.empty_like(LABELS)
    fast = _rate(lambda: vector.encrypt(LABELS, out), len(LABELS))
    yield Figure("bulk FF1 N16, encrypt", fast() / 1e6, None, "M codes/CPU-s")
    yield Figure(
        "bulk FF1 N16, decrypt", _rate(lambda: vector.decrypt(LABELS, out), len(LABELS))() / 1e6, None, "M codes/CPU-s"
    )
    yield _ratio("bulk FF1 N16 ÷ AES-256-ECB bound", fast, _aes_bound(), 0.28, "bound: 10 blocks a code, nothing else")
    for name, target, rival in (
        ("fastfpe", 50, _fastfpe),
        ("libffx", 200, _libffx),
        ("dealcode", 800, _dealcode_encode),
    ):
        yield from _against(f"bulk FF1 N16 ÷ {name}", name, fast, target, rival)
    with TemporaryDirectory() as folder:
        rows = _rows_to_file(Path(folder) / "rows.csv")
        yield _ratio("rows to file (serial, secret) ÷ bulk FF1 N16", rows, fast, 0.30, "two codes a row")
    decoding, bare = _decoding()
    ratio = interleaved(decoding, bare, ROUNDS).ratio
    yield Figure("time of decode over 5,000 batches ÷ bare scalar FF1", ratio, 2.0, at_most=True)
    yield from _against("decode ÷ dealcode.decode", "dealcode", decoding, 8, _dealcode_decode)


def _ratio(name: str, ours: Rate, other: Rate, target: float, note: str = "") -> Figure:
    rates = interleaved(other, ours, ROUNDS)
    return Figure(name, rates.ratio, target, note=note or f"the other: {_median(rates.first):,.0f} a CPU-second")


def _median(values: list[float]) -> float:
    return sorted(values)[len(values) // 2]


def _against(name: str, package: str, ours: Rate, target: float, rival: Callable[[], Rate]) -> Iterator[Figure]:
    """Yield the ratio to a rival; one that is not installed is named as such."""
    try:
        version, rate = metadata.version(package), rival()
    except (ImportError, metadata.PackageNotFoundError):
        yield Figure(name, 0.0, None, note=f"{package} is not installed: requirements/bench.txt")
        return
    rates = interleaved(rate, ours, ROUNDS)
    yield Figure(name, rates.ratio, target, note=f"{package} {version}: {_median(rates.first):,.0f} a CPU-second")


def _rate(work: Callable[[], object], count: int) -> Rate:
    """Return a measurement of ``work``, which does ``count`` things, repeated for at least 0.15 CPU-seconds."""

    def measure() -> float:
        done, start = 0, time.process_time()
        while (spent := time.process_time() - start) < 0.15:
            work()
            done += count
        return done / spent

    work()
    return measure


def _aes_bound() -> Rate:
    update_into = Cipher(algorithms.AES(KEY), modes.ECB()).encryptor().update_into
    source, target = os.urandom(16 * CHUNK), bytearray(16 * CHUNK + 15)

    def work() -> None:
        for _ in range(10):
            update_into(source, target)

    return _rate(work, CHUNK)


def _fastfpe() -> Rate:
    from fastfpe import ff1

    key, tweak = KEY.hex(), N16.tweak(SLOT, 0).hex()
    plain = [f"{number:014}" for number in range(1, 2001)]
    assert ff1.encrypt(key, tweak, "0123456789", plain[0]) == _core(N16, 1)
    return _rate(lambda: [ff1.encrypt(key, tweak, "0123456789", text) for text in plain], len(plain))


def _libffx() -> Rate:
    from ffx import FF1

    permutation, tweak = FF1(KEY, radix=10), N16.tweak(SLOT, 0)
    plain = [f"{number:014}" for number in range(1, 1001)]
    assert permutation.encrypt(plain[0], tweak=tweak) == _core(N16, 1)
    return _rate(lambda: [permutation.encrypt(text, tweak=tweak) for text in plain], len(plain))


def _dealcode_encode() -> Rate:
    codec = _dealcode()
    return _rate(lambda: [codec.encode(number) for number in range(1, 301)], 300)


def _dealcode_decode() -> Rate:
    codec = _dealcode()
    codes = [codec.encode(number) for number in range(1, 301)]
    return _rate(lambda: [codec.decode(code) for code in codes], 300)


def _dealcode():
    from dealcode import Dealcode

    return Dealcode(key=KEY, alphabet="0123456789", min_length=14)


def _core(form: Form, label_no: int) -> str:
    return encode(form, SLOT, cipher(KEY, form, SLOT, 0), label_no)[form.slot_symbols : -1]


def _rows_to_file(path: Path) -> Rate:
    series = [(B12, SLOT, bulk.vector(KEY, B12, SLOT, 0)), (N16, SLOT, bulk.vector(KEY, N16, SLOT, 0))]

    def work() -> None:
        with path.open("wb", buffering=0) as file:
            for rows in bulk.lines(series, 1, len(LABELS) + 1):
                file.write(rows.data)

    return _rate(work, len(LABELS))


def _decoding() -> tuple[Rate, Rate]:
    """Return `decode` of grouped codes spread over all batches, and the bare decryption of the same cores."""
    secret = SlotRef(1, "secret", N16, SLOT, 0, 1, False, "secret")
    serial = SlotRef(2, "serial", B12, SLOT, 0, 1, False, "serial")
    batches = [
        BatchRow(1 + place * BATCH_LABELS, 1 + (place + 1) * BATCH_LABELS, place, 1, "09501101530003", 1, 2)
        for place in range(BATCHES)
    ]
    table = Table(batches, [secret, serial])
    permutation = cipher(KEY, N16, SLOT, 0)
    label_nos = range(1, BATCHES * BATCH_LABELS, 9_973)
    codes = [N16.grouped(encode(N16, SLOT, permutation, label_no)) for label_no in label_nos]
    cores = [permutation.encrypt(label_no) for label_no in label_nos]
    django.setup()
    from labels import keys as label_keys

    label_keys._keep(secret.ident, permutation)
    keys = label_keys.ThreadKeys
    assert [decode(code, table, keys).label_no for code in codes] == list(label_nos)

    def decode_all() -> None:
        for code in codes:
            decode(code, table, keys)

    def decrypt_all() -> None:
        decrypt = permutation.decrypt
        for core in cores:
            decrypt(core)

    return _rate(decode_all, len(codes)), _rate(decrypt_all, len(cores))
