"""The file of one roll: made, proved, hashed, encrypted as one stream, with a signed manifest. No plain text on a disk.

    codes → rows or pages → proof (`printing.proof`) → SHA-256 → ``age`` (X25519, https://age-encryption.org/v1) → file

What is encrypted has passed the proof; a file whose proof fails is deleted. At most a few thousand labels are in memory.
"""

import hashlib
import os
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Literal, cast

import pyrage
from django.conf import settings

from common.canonical import canonical
from common.db import schema_name
from common.signing import is_signed, sign
from labels.codes import bulk
from labels.codes.forms import B12, Form
from printing import labels, proof
from printing.rows import COLUMNS, Kind, Rows
from printing.source import BulkSource, Order
from printing.streams import HashingReader, HashingWriter
from printing.symbols import ProofFailed
from printing.template import Template

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


Output = Literal["csv", "jsonl", "pdf", "pdf_raw", "zpl"]


@dataclass(frozen=True, slots=True)
class Content:
    """Whose codes a file holds, and how: the slots' permutations, what all lines share, the kind of file, its template."""

    serial: bulk.Series
    secret: bulk.Series
    order: Order
    output: Output
    template: Template | None = None

    def source(self, spans: list[tuple[int, int]]) -> BulkSource:
        """Return the codes of ranges of labels, one behind the other."""
        return BulkSource(self.serial, self.secret, spans)

    def made(self, count: int) -> labels.Roll | Rows:
        """Return what makes the file. Raises ValueError for a template that cannot show these labels."""
        if self.output in {"pdf", "pdf_raw"}:
            if self.template is None:
                raise ValueError("a PDF needs a template")
            return labels.roll(self.template, self.order, count, deflate=self.output == "pdf")
        return Rows(self.order, cast("Kind", self.output), template=self.template)


@dataclass(frozen=True, slots=True)
class Built:
    """An encrypted file that stands on the disk, proved."""

    plain_hash: str
    cipher_hash: str
    cipher_bytes: int
    first_serial: str
    last_serial: str
    report: dict[str, Any]


class NotProved(ProofFailed):
    """A file did not pass its proof and is gone. ``report`` says how far the proof came, and what it found."""

    def __init__(self, report: proof.Report) -> None:
        super().__init__("; ".join(report.failures))
        self.report = report.as_json()


def build(
    content: Content,
    spans: list[tuple[int, int]],
    *,
    recipient: str,
    path: Path,
    sample: int = proof.OTHER_ROLLS,
    watch: Callable[[int], None] = lambda _lines: None,
) -> Built:
    """Write the encrypted file of a roll, whole and proved or not at all; ``sample`` labels are decoded.

    ``watch(lines)`` hears how far it is, and may raise to stop. Raises `NotProved`.
    """
    source = content.source(spans)
    made = content.made(source.count)
    ordered = proof.Ordered(
        source.count, proof.label_nos(content.serial, content.secret), source.label_nos, sample, watch
    )
    passing = proof.Passing(made.pieces(source), made, ordered)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    part = path.with_suffix(".part")
    try:
        plain, cipher = _encrypt(passing, recipient, part)
        if passing.report.sha256 != plain.sha256:
            passing.report.failures.append("what was proved is not what was encrypted")
        if passing.report.failures:
            raise NotProved(passing.report)
    except ProofFailed:
        raise NotProved(passing.report) from None
    else:
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    head = spans[0][1] - spans[0][0]
    goods = spans[1][1] - spans[1][0]
    ends = [bytes(source.read(line, line + 1).serials).decode() for line in (head, head + goods - 1)]
    return Built(plain.sha256, cipher.sha256, cipher.size, ends[0], ends[1], passing.report.as_json())


def _encrypt(passing: proof.Passing, recipient: str, part: Path) -> tuple[HashingReader, HashingWriter]:
    plain = HashingReader(passing)
    with open(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - by descriptor
        cipher = HashingWriter(file)
        try:
            pyrage.encrypt_io(plain, cipher, [pyrage.x25519.Recipient.from_str(recipient)])
        except pyrage.EncryptError as error:
            raise plain.error or cipher.error or error from None
        file.flush()
        os.fsync(file.fileno())
    return plain, cipher


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
    template: Template | None = None,
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
            "columns": list(COLUMNS) if template is None else [],
            "template": template.sha256 if template else "",
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
