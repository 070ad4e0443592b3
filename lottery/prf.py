"""IW1, the instant game: exactly so many winners of each tier among the labels of a pool, with no row for any label.

Each label has a pseudo-random number ``r(i)``, the first half of the AES-256 block of ``tag ‖ be64(i)``; those whose
pair ``(r(i), i)`` is not above a tier's threshold win it. Pairs compare in order, so ties break by the label number and
counts are exact. Pure: keys, secrets and the beacon's value are passed in. docs/algorithms/draws.md has the protocol.
"""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import accumulate
from struct import unpack
from threading import Lock
from uuid import UUID

import numpy as np
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from numpy.typing import NDArray

ALGORITHM = "IW1-AES256"
CHUNK = 1 << 18  # labels at once: 4 MB of key stream, which stays near the processor
BUCKETS = 1 << 16

Threshold = tuple[int, int] | None  # the last pair that wins, None where no label does
Span = tuple[int, int]  # labels from the first to before the second
U64 = NDArray[np.uint64]


def committed(secret: bytes, nonce: bytes) -> bytes:
    """Return k_j, by which a secret of 32 bytes is bound: SHA-256("IW1-SECRET" ‖ s_j ‖ n_j)."""
    return sha256(b"IW1-SECRET" + secret + nonce).digest()


def game_key(*, s1: bytes, s2: bytes, beacon: bytes, campaign: UUID) -> bytes:
    """Return K (32 bytes): HKDF-SHA256 (RFC 5869) of the secrets, salted with the beacon's bytes. ``s2`` may be empty."""
    derived = HKDF(algorithm=hashes.SHA256(), length=32, salt=beacon, info=b"IW1-KEY" + campaign.bytes)
    return derived.derive(s1 + s2)


def pool_tag(campaign: UUID, pool: int) -> bytes:
    """Return the 8 bytes that set a pool's labels apart from all others'."""
    return sha256(b"IW1-POOL" + campaign.bytes + pool.to_bytes(4, "big")).digest()[:8]


class Blocks:
    """The blocks of single labels under one key. The cipher is set up once; threads share it."""

    def __init__(self, key: bytes) -> None:
        self._cipher = Cipher(algorithms.AES(key), modes.ECB()).encryptor()  # noqa: S305 - a PRF of single blocks
        self._lock = Lock()

    def of(self, tag: bytes, labels: Sequence[int]) -> bytes:
        """Return AES-256(K, ``tag ‖ be64(i)``) of labels in any order, 16 bytes each."""
        plain = b"".join([tag + label.to_bytes(8, "big") for label in labels])
        with self._lock:
            return self._cipher.update(plain)


def number(key: bytes, tag: bytes, label_no: int) -> int:
    """Return r(i) of one label."""
    return int(numbers_of(key, tag, [label_no])[0])


def numbers_of(key: bytes, tag: bytes, labels: Sequence[int]) -> U64:
    """Return r(i) of labels in any order: uint64 (n,)."""
    return np.frombuffer(Blocks(key).of(tag, labels), dtype=">u8")[::2].astype(np.uint64)


def numbers(key: bytes, tag: bytes, first: int, beyond: int) -> U64:
    """Return r(i) of a range of labels: one AES-CTR key stream, whose counter is ``tag ‖ be64(i)``. uint64 (n,)."""
    return _stream(key, tag, first, beyond)[::2].astype(np.uint64)


def _stream(key: bytes, tag: bytes, first: int, beyond: int) -> NDArray[np.uint64]:
    counter = modes.CTR(tag + first.to_bytes(8, "big"))
    stream = Cipher(algorithms.AES(key), counter).encryptor().update(_zeros(beyond - first))
    return np.frombuffer(stream, dtype=">u8")


_ZEROS = memoryview(bytes(16 * CHUNK))


def _zeros(blocks: int) -> memoryview:
    return _ZEROS[: 16 * blocks] if blocks <= CHUNK else memoryview(bytes(16 * blocks))


def _chunks(spans: Sequence[Span]) -> Iterator[Span]:
    for first, beyond in spans:
        for start in range(first, beyond, CHUNK):
            yield start, min(start + CHUNK, beyond)


def subtract(spans: Sequence[Span], excluded: Sequence[Span]) -> list[Span]:
    """Return the labels of ``spans`` that are in none of ``excluded``, as sorted spans that do not touch."""
    left, taken = merged(spans), merged(excluded)
    found: list[Span] = []
    at = 0
    for first, beyond in left:
        while at < len(taken) and taken[at][1] <= first:
            at += 1
        place, start = at, first
        while place < len(taken) and taken[place][0] < beyond:
            if taken[place][0] > start:
                found.append((start, taken[place][0]))
            start = taken[place][1]
            place += 1
        if start < beyond:
            found.append((start, beyond))
    return found


def merged(spans: Sequence[Span]) -> list[Span]:
    """Return the same labels as sorted spans that neither overlap nor touch."""
    found: list[Span] = []
    for first, beyond in sorted(span for span in spans if span[0] < span[1]):
        if found and first <= found[-1][1]:
            found[-1] = (found[-1][0], max(found[-1][1], beyond))
        else:
            found.append((first, beyond))
    return found


def count(spans: Sequence[Span]) -> int:
    """Return how many labels spans that do not overlap hold."""
    return sum(beyond - first for first, beyond in spans)


def thresholds(key: bytes, tag: bytes, spans: Sequence[Span], quantities: Sequence[int]) -> list[Threshold]:
    """Return each tier's threshold over the eligible labels: the (q_1 + … + q_t)-th smallest pair (r(i), i).

    ``spans`` do not overlap. Two passes: the first counts labels by the top 16 bits of r, the second sorts the few
    buckets in which a threshold lies. Raises ValueError if there are fewer labels than winners.
    """
    ranks = list(accumulate(quantities))
    if any(quantity < 0 for quantity in quantities) or (ranks and ranks[-1] > count(spans)):
        raise ValueError("there are fewer labels than winners")
    wanted = sorted({rank for rank in ranks if rank})
    if not wanted:
        return [None] * len(ranks)
    filled = np.zeros(BUCKETS, dtype=np.int64)
    for first, beyond in _chunks(spans):
        filled += np.bincount(_tops(_stream(key, tag, first, beyond)), minlength=BUCKETS)
    upto = np.cumsum(filled)
    buckets = np.searchsorted(upto, wanted)  # where each rank lies
    pairs = _pairs_in(key, tag, spans, np.unique(buckets))
    found: dict[int, Threshold] = {0: None}
    for rank, bucket in zip(wanted, buckets, strict=True):
        before = int(upto[bucket] - filled[bucket])
        found[rank] = pairs[int(bucket)][rank - before - 1]
    return [found[rank] for rank in ranks]


def _tops(stream: NDArray[np.uint64]) -> NDArray[np.uint16]:
    """Return the top 16 bits of each label's number."""
    return stream.view(">u2")[::8].astype(np.uint16)


def _pairs_in(key: bytes, tag: bytes, spans: Sequence[Span], buckets: NDArray[np.int64]) -> dict[int, list[Span]]:
    """Return the pairs (r, i) of the labels in some buckets, sorted."""
    is_wanted = np.zeros(BUCKETS, dtype=bool)
    is_wanted[buckets] = True
    pairs: dict[int, list[tuple[int, int]]] = {int(bucket): [] for bucket in buckets}
    for first, beyond in _chunks(spans):
        stream = _stream(key, tag, first, beyond)
        tops = _tops(stream)
        low = np.flatnonzero(tops <= buckets[-1])  # few, where few labels win
        places = low[is_wanted[tops[low]]]
        drawn = stream[::2][places].tolist()
        for place, top, value in zip(places.tolist(), tops[places].tolist(), drawn, strict=True):
            pairs[top].append((value, first + place))
    for found in pairs.values():
        found.sort()
    return pairs


def tier_of(value: int, label_no: int, limits: Sequence[Threshold]) -> int | None:
    """Return the tier (from 1) that a label with this r(i) wins, None if none."""
    pair = (value, label_no)
    return next((tier for tier, limit in enumerate(limits, 1) if limit is not None and pair <= limit), None)


def tiers_of(blocks: Blocks, tag: bytes, labels: Sequence[int], limits: Sequence[Threshold]) -> list[int | None]:
    """Return the tier that each label wins, None if none."""
    highest = max((limit for limit in limits if limit is not None), default=None)
    if highest is None or not labels:
        return [None] * len(labels)
    drawn = unpack(f">{2 * len(labels)}Q", blocks.of(tag, labels))[::2]
    top = highest[0]
    return [tier_of(value, label, limits) if value <= top else None for value, label in zip(drawn, labels, strict=True)]


def tier_counts(key: bytes, tag: bytes, spans: Sequence[Span], limits: Sequence[Threshold]) -> list[int]:
    """Return how many of the labels win each tier: what an audit compares with the rules."""
    upto = [0] * len(limits)
    highest = max((limit for limit in limits if limit is not None), default=None)
    if highest is None:
        return upto
    for first, beyond in _chunks(spans):
        drawn = numbers(key, tag, first, beyond)
        low = np.flatnonzero(drawn <= np.uint64(highest[0]))  # few, where few labels win
        values, labels = drawn[low], low + first
        for place, limit in enumerate(limits):
            if limit is None:
                continue
            value, label = np.uint64(limit[0]), limit[1]
            upto[place] += int(np.count_nonzero(values < value))
            upto[place] += int(np.count_nonzero(labels[values == value] <= label))
    return [here - before for before, here in zip([0, *upto], upto, strict=False)]


def thresholds_json(limits: Sequence[Threshold]) -> list[list[str] | None]:
    """Return thresholds as they are hashed: ``[r as 16 hex digits, label number as text]``, or null."""
    return [None if limit is None else [f"{limit[0]:016x}", str(limit[1])] for limit in limits]


def thresholds_from(texts: Sequence[Sequence[str] | None]) -> list[Threshold]:
    """Read what `thresholds_json` wrote."""
    return [None if text is None else (int(text[0], 16), int(text[1])) for text in texts]
