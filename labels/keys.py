"""The keys of labels: derived from the brand's roots, kept for at most an hour, each thread with its own ciphers.

Call these outside transactions: the first use of a root may ask a remote provider (`staff.keys`).
"""

import os
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from functools import cache
from typing import Any, TypeVar

from common.keys import hkdf, mac_under
from labels.codes.bulk import vector
from labels.codes.decode import SlotRef
from labels.codes.encode import cipher
from labels.codes.ff1 import Scalar
from labels.codes.ff1_fast import Vector
from labels.codes.forms import R12, Form
from staff.keys import brand_uuid, root_key

KEEP_S = 3600.0
KEEP_COUNT = 1024  # five for a brand: a server of a hundred brands that keeps too few makes each anew for every batch
BATCH = 512  # codes or receipts at once
_of_thread = threading.local()
_era = 0  # raised by `forget`, so that every thread drops what it keeps
T = TypeVar("T")


def derive(root: bytes, brand: bytes, *, purpose: str, form: str, number: int = 0, generation: int = 0) -> bytes:
    """Return the key of one purpose, form, slot and generation: HKDF-SHA256, salted with the brand's uuid."""
    info = f"labelcode/v1\0{purpose}\0{form}\0".encode() + number.to_bytes(2, "big") + generation.to_bytes(2, "big")
    return hkdf(root, salt=brand, info=info)


def slot_ident(purpose: str, form: str, number: int, generation: int, root_version: int) -> str:
    """Return the name under which the key of one of this brand's slots is kept."""
    return f"{brand_uuid().hex()}/{purpose}/{form}/{number}/{generation}/{root_version}"


def slot_key(slot: SlotRef) -> bytes:
    """Return K_slot."""
    return derive(
        root_key(slot.root_version),
        brand_uuid(),
        purpose=slot.purpose,
        form=slot.form.name,
        number=slot.number,
        generation=slot.generation,
    )


def slot_cipher(slot: SlotRef) -> Scalar:
    """Return the permutation of a slot, for this thread."""
    found: Scalar | None = _look(slot.ident)
    return found or _keep(slot.ident, cipher(slot_key(slot), slot.form, slot.number, slot.generation))


def slot_vector(slot: SlotRef) -> Vector:
    """Return the permutation of a slot for arrays, for the caller alone."""
    return vector(slot_key(slot), slot.form, slot.number, slot.generation)


def batch_vector(slot: SlotRef) -> Vector:
    """Return the permutation of a slot for arrays of the size of a batch, for this thread."""
    return _kept(
        f"{slot.ident}/batch", lambda: vector(slot_key(slot), slot.form, slot.number, slot.generation, chunk=BATCH)
    )


def receipt_key() -> bytes:
    """Return the key of receipt numbers."""
    return derive(root_key(), brand_uuid(), purpose="receipt", form=R12.name)


def receipt_cipher() -> Scalar:
    """Return the permutation of scan ids into receipt numbers, for this thread."""
    return _kept(f"{brand_uuid().hex()}/receipt", lambda: cipher(receipt_key(), R12, 0, 0))


def receipt_vector() -> Vector:
    """Return the permutation of scan ids for arrays of the size of a batch, for this thread."""
    return _kept(f"{brand_uuid().hex()}/receipts", lambda: vector(receipt_key(), R12, 0, 0, chunk=BATCH))


def receipts_ident() -> str:
    """Return the name under which this brand's receipt numbers may be kept by a process: another one after `forget`."""
    return f"{brand_uuid().hex()}/receipts/{_era}"


def manifest_key() -> bytes:
    """Return the key of the salts of manifests."""
    return derive(root_key(), brand_uuid(), purpose="manifest", form="none")


def audit_mac(data: bytes) -> bytes:
    """Return HMAC-SHA256 of ``data`` under the brand's audit key: for comparing what must not be stored."""
    return auditor()(data)


def auditor() -> Callable[[bytes], bytes]:
    """Return `audit_mac` with the brand's key at hand: for many texts of one batch."""
    return _kept(f"{brand_uuid().hex()}/audit", lambda: mac_under(_audit_key()))


class ThreadKeys:
    """The brand's keys as `labels.codes.decode.decode` asks for them."""

    cipher = staticmethod(slot_cipher)
    mac = staticmethod(audit_mac)

    @staticmethod
    def dummy(form: Form) -> Scalar:
        """Return a permutation under a key of this process, that opens nothing."""
        return _kept(f"dummy/{form.name}", lambda: cipher(_dummy_key(), form, 0, 0))


def forget() -> None:
    """Let every thread drop the keys that it keeps."""
    global _era
    _era += 1


def preview_series(form: Form) -> tuple[Form, int, Vector]:
    """Return what makes codes for pictures of labels, for the caller alone: well-formed, and of no slot that is asked."""
    key = derive(root_key(), brand_uuid(), purpose="preview", form=form.name)
    return form, 0, vector(key, form, 0, 0)


def _audit_key() -> bytes:
    return derive(root_key(), brand_uuid(), purpose="audit", form="none")


@cache
def _dummy_key() -> bytes:
    return os.urandom(32)


def _kept(name: str, make: Callable[[], T]) -> T:
    """Return what this thread keeps under ``name``, made anew if it is an hour old or was never made."""
    found: T | None = _look(name)
    return found if found is not None else _keep(name, make())


def _look(name: str) -> Any:
    kept = _kept_by_thread()
    found = kept.get(name)
    if found is None or found[0] < time.monotonic():
        return None
    kept.move_to_end(name)
    return found[1]


def _keep(name: str, value: T) -> T:
    kept = _kept_by_thread()
    kept[name] = (time.monotonic() + KEEP_S, value)
    kept.move_to_end(name)
    if len(kept) > KEEP_COUNT:
        kept.popitem(last=False)
    return value


def _kept_by_thread() -> OrderedDict[str, tuple[float, Any]]:
    if getattr(_of_thread, "era", None) != _era:
        _of_thread.era, _of_thread.kept = _era, OrderedDict()
    return _of_thread.kept  # type: ignore[no-any-return]
