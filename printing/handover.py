"""The file of one roll: rows, their SHA-256, encryption, and a signed manifest. No plain text touches a disk.

The rows go through ``age`` as they are computed (X25519, https://age-encryption.org/v1). They are then computed a second
time and proved line by line (`printing.proof`): the proof's hash must be that of what was encrypted.
"""

import hashlib
import os
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import IO, Any, cast

import pyrage
from django.conf import settings

from common.canonical import canonical
from common.db import schema_name
from common.signing import is_signed, sign
from labels.codes import bulk
from labels.codes.forms import B12, Form
from printing import proof
from printing.rows import COLUMNS, Kind, Rows
from printing.source import BulkSource, Order
from printing.symbols import ProofFailed

TAG = "handover/v1"
FINGERPRINT_TAG = b"press/v1\x00"


def fingerprint(recipient: str) -> str:
    """Return what two people compare by telephone: 16 bytes of SHA-256, as 32 hexadecimal digits."""
    return hashlib.sha256(FINGERPRINT_TAG + recipient.encode()).hexdigest()[:32]


def folder() -> Path:
    """Return where this brand's encrypted files are kept until they are fetched."""
    return Path(settings.VAR_DIR) / "print" / schema_name()


def path_of(public_id: str) -> Path:
    """Return the encrypted file of a handover."""
    return folder() / f"{public_id}.age"


class HashingReader:
    """What pieces add up to, as a file to read from, with its SHA-256."""

    def __init__(self, pieces: Iterable[bytes | memoryview]) -> None:
        self._pieces = iter(pieces)
        self._rest = memoryview(b"")
        self._hash = hashlib.sha256()

    def read(self, size: int = -1, /) -> bytes:
        """Return the next ``size`` bytes, fewer only at the end."""
        found = bytearray()
        while size < 0 or len(found) < size:
            if not self._rest:
                piece = next(self._pieces, None)
                if piece is None:
                    break
                self._rest = memoryview(bytes(piece))
            part = self._rest if size < 0 else self._rest[: size - len(found)]
            found += part
            self._rest = self._rest[len(part) :]
        self._hash.update(found)
        return bytes(found)

    @property
    def sha256(self) -> str:
        """The hash of what has been read."""
        return self._hash.hexdigest()


class _HashingWriter:
    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._hash, self.size = file, hashlib.sha256(), 0

    def write(self, data: bytes) -> int:
        self._hash.update(data)
        self.size += len(data)
        return self._file.write(data)

    def flush(self) -> None:
        self._file.flush()

    @property
    def sha256(self) -> str:
        return self._hash.hexdigest()


@dataclass(frozen=True, slots=True)
class Content:
    """Whose codes a file holds, and how: the slots' permutations, what all lines share, and the kind of file."""

    serial: bulk.Series
    secret: bulk.Series
    order: Order
    kind: str

    def source(self, spans: list[tuple[int, int]]) -> BulkSource:
        """Return the codes of ranges of labels, one behind the other."""
        return BulkSource(self.serial, self.secret, spans)

    def rows(self) -> Rows:
        """Return what writes the lines."""
        return Rows(self.order, cast("Kind", self.kind))


@dataclass(frozen=True, slots=True)
class Built:
    """An encrypted file that stands on the disk, proved."""

    plain_hash: str
    cipher_hash: str
    cipher_bytes: int
    first_serial: str
    last_serial: str
    report: dict[str, Any]


def build(content: Content, spans: list[tuple[int, int]], *, recipient: str, path: Path) -> Built:
    """Write the encrypted file of a roll, whole or not at all, and prove it. Raises `printing.symbols.ProofFailed`."""
    source, rows = content.source(spans), content.rows()
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    plain = HashingReader(rows.pieces(source))
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - by descriptor
        cipher = _HashingWriter(file)
        pyrage.encrypt_io(plain, cipher, [pyrage.x25519.Recipient.from_str(recipient)])
        file.flush()
        os.fsync(file.fileno())
    again = HashingReader(rows.pieces(source))
    report = proof.check_rows(again, rows, source.count, proof.label_nos(content.serial, content.secret))
    if report.sha256 != plain.sha256:
        raise ProofFailed("what was proved is not what was encrypted")
    part.replace(path)
    head = spans[0][1] - spans[0][0]
    goods = spans[1][1] - spans[1][0]
    ends = [bytes(source.read(line, line + 1).serials).decode() for line in (head, head + goods - 1)]
    return Built(plain.sha256, cipher.sha256, cipher.size, ends[0], ends[1], report.as_json())


def manifest(
    built: Built,
    *,
    handover: str,
    order_key: str,
    press: str,
    roll: str,
    spans: list[tuple[int, int]],
    form: Form,
    gtin: str,
    kind: str,
    created_at: datetime,
    expires_at: datetime,
) -> bytes:
    """Return the canonical JSON that travels with the file: what it holds, and the hashes of it."""
    head, goods, tail = (end - first for first, end in spans)
    return canonical(
        {
            "version": 1,
            "handover": handover,
            "order_key": order_key,
            "press": press,
            "roll": roll,
            "lines": head + goods + tail,
            "set_up": {"head": head, "tail": tail},
            "file": kind,
            "columns": list(COLUMNS),
            "serial_form": B12.name,
            "code_form": form.name,
            "gtin": gtin,
            "first_serial": built.first_serial,
            "last_serial": built.last_serial,
            "plain_sha256": built.plain_hash,
            "cipher_sha256": built.cipher_hash,
            "cipher_bytes": built.cipher_bytes,
            "proof": built.report,
            "created": created_at.isoformat(),
            "expires": expires_at.isoformat(),
        }
    )


def signed(key: bytes, content: bytes) -> bytes:
    """Return the signature of a manifest."""
    return sign(key, TAG, content)


def is_genuine(public: bytes, content: bytes, signature: bytes) -> bool:
    """Return whether a manifest is as it was signed."""
    return is_signed(public, TAG, content, signature)
