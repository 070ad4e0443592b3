"""From typed text to a label: steps 1 to 6 of verifying. Pure; `labels.queries` brings table and keys.

All well-formed wrong secrets cost the same: as many decryptions as the form has generations (a dummy key stands in
where there is no slot), the serial's decryption whenever a serial is given, one MAC.
"""

from bisect import bisect_right
from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Literal, NamedTuple, Protocol

from labels.codes.checks import check_is_right
from labels.codes.encode import split
from labels.codes.ff1 import Scalar
from labels.codes.forms import B12, B14, B16, DECIMAL, N16, N18, N20, Form
from labels.codes.normalise import count_symbols, normalise

Purpose = Literal["secret", "serial"]


class Status(StrEnum):
    """Every answer about a typed code (the first eight, and ACTIVE) or a label (`labels.queries.states`)."""

    MALFORMED = "malformed"
    TYPO = "typo"
    UNKNOWN = "unknown"
    RETIRED = "retired"
    SERIAL_TYPED = "serial_typed"
    MISMATCH = "mismatch"
    WRONG_GTIN = "wrong_gtin"
    TEST_LABEL = "test_label"
    RECALLED = "recalled"
    VOID = "void"
    BLOCKED = "blocked"
    NOT_ACTIVE = "not_active"
    LAPSED = "lapsed"
    ENDED = "ended"
    ACTIVE = "active"


# The statuses with a text of their own at the doors.
_TOLD = {Status.MALFORMED, Status.TYPO, Status.SERIAL_TYPED, Status.MISMATCH, Status.TEST_LABEL, Status.RETIRED}


class Resolution(NamedTuple):
    """What a typed code is. ``status`` ACTIVE means: decoded well, now ask `labels.queries.states`.

    ``want`` and ``got`` count symbols (malformed). ``masked`` (first 4, last 2) and ``mac`` describe failed input that
    is no label of ours. A secret that hits an issued label is known by ``label_no`` alone, also when it is a mismatch;
    ``scanned_label_no`` is then the label of the serial that came with it.
    """

    status: Status
    label_no: int | None = None
    batch_id: int | None = None
    product_id: int | None = None
    form: str | None = None
    slot: int | None = None
    generation: int | None = None
    detail: str | None = None
    want: int | None = None
    got: int | None = None
    masked: str = ""
    mac: bytes | None = None
    scanned_label_no: int | None = None

    @property
    def known(self) -> bool:
        """Whether the code decoded into a label of ours and nothing speaks against reading its state."""
        return self.label_no is not None and self.status is Status.ACTIVE


@dataclass(frozen=True, slots=True, eq=False)
class SlotRef:
    """A slot as `decode` needs it. ``ident`` names its key in whatever store holds the keys."""

    id: int
    purpose: str
    form: Form
    number: int
    generation: int
    root_version: int
    retired: bool
    ident: str


class BatchRow(NamedTuple):
    """A batch as `decode` needs it: labels ``first`` … ``end − 1``."""

    first: int
    end: int
    batch_id: int
    product_id: int
    gtin: str
    secret_slot: int
    serial_slot: int


class Table:
    """All batches and slots of a brand, for look-ups without a query."""

    def __init__(self, batches: Iterable[BatchRow], slots: Iterable[SlotRef]) -> None:
        self.batches = sorted(batches)
        self.firsts = [batch.first for batch in self.batches]
        by_symbols: dict[tuple[str, str, int], list[SlotRef]] = {}
        for slot in sorted(slots, key=lambda slot: -slot.generation):
            by_symbols.setdefault((slot.purpose, slot.form.name, slot.number), []).append(slot)
        # Every look-up of a form tries as many keys as its slot with most generations has: None is a dummy.
        generations: dict[tuple[str, str], int] = {}
        self.lengths: dict[str, set[int]] = {"secret": set(), "serial": {B12.length}}
        for (purpose, form, _), refs in by_symbols.items():
            generations[purpose, form] = max(len(refs), generations.get((purpose, form), 1))
            self.lengths[purpose].add(refs[0].form.length)
        self.slots: dict[tuple[str, str, int], tuple[SlotRef | None, ...]] = {
            key: (*refs, *[None] * (generations[key[:2]] - len(refs))) for key, refs in by_symbols.items()
        }
        self.no_slot = {key: (None,) * count for key, count in generations.items()}
        sixteen = B16 if ("secret", B16.name) in generations else N16  # a brand never owns slots of both
        self.forms: dict[str, dict[int, Form]] = {
            "secret": {form.length: form for form in (N18, N20, B12, B14, sixteen)},
            "serial": {B12.length: B12},
        }

    def slots_of(self, purpose: Purpose, form: Form, number: int) -> tuple[SlotRef | None, ...]:
        """Return the generations of a slot, newest first, filled up with None."""
        found = self.slots.get((purpose, form.name, number))
        return found if found is not None else self.no_slot.get((purpose, form.name), (None,))

    def batch_of(self, label_no: int) -> BatchRow | None:
        """Return the batch that owns a label."""
        place = bisect_right(self.firsts, label_no) - 1
        if place < 0:
            return None
        batch = self.batches[place]
        return batch if label_no < batch.end else None


class Keys(Protocol):
    """The keys of a brand, for the calling thread."""

    def cipher(self, slot: SlotRef) -> Scalar:
        """Return the permutation of a slot."""

    def dummy(self, form: Form) -> Scalar:
        """Return a permutation that stands in where there is no slot."""

    def mac(self, data: bytes) -> bytes:
        """Return the audit MAC of failed input."""


_Hit = tuple[int, SlotRef, BatchRow]


def decode(
    typed: str,
    table: Table,
    keys: Keys,
    *,
    purpose: Purpose = "secret",
    serial: str | None = None,
    gtin: str | None = None,
    test_mode: bool = False,
) -> Resolution:
    """Return what ``typed`` is; ``serial`` and ``gtin`` are of the label that it is said to belong to."""
    text = normalise(typed)
    form = table.forms[purpose].get(len(text)) if text is not None else None
    if text is None or form is None or (form.radix == DECIMAL and not text.isdecimal()):
        return _malformed(typed, text, table, keys, purpose)
    code = text.encode()
    if not check_is_right(form.radix, code):
        return _failed(Status.TYPO, text, form, keys)

    hit, retired = _look_up(form, code, table, keys, purpose)
    scanned = None
    if purpose == "secret":
        if serial is not None:
            scanned = _scanned(serial, table, keys)
        if form is B12 and _look_up(form, code, table, keys, "serial")[0] is not None and hit is None:
            return _failed(Status.SERIAL_TYPED, text, form, keys, scanned)
    if hit is None:
        status = Status.RETIRED if retired else Status.UNKNOWN if serial is None else Status.MISMATCH
        return _failed(status, text, form, keys, scanned)

    label_no, slot, batch = hit
    scanned_no = scanned[0] if scanned else None
    status, detail = Status.ACTIVE, None
    if purpose == "secret" and serial is not None and (scanned_no != label_no or not _of_gtin(batch, gtin)):
        status, detail = Status.MISMATCH, Status.MISMATCH.value
        keys.mac(code)  # the answer does not need it; the cost must be that of any other wrong secret
    elif purpose == "serial" and not _of_gtin(batch, gtin):
        status = Status.WRONG_GTIN
    elif slot.number == 0 and not test_mode:
        status, detail = Status.TEST_LABEL, Status.TEST_LABEL.value
    return Resolution(
        status,
        label_no,
        batch.batch_id,
        batch.product_id,
        form.name,
        slot.number,
        slot.generation,
        detail,
        scanned_label_no=scanned_no,
    )


def _of_gtin(batch: BatchRow, gtin: str | None) -> bool:
    return gtin is None or gtin.zfill(14) == batch.gtin


def _look_up(form: Form, code: bytes, table: Table, keys: Keys, purpose: Purpose) -> tuple[_Hit | None, bool]:
    """Return the label that ``code`` decrypts to, newest generation first, else whether a key was destroyed."""
    number, core = split(form, code)
    hit: _Hit | None = None
    retired = False
    for slot in table.slots_of(purpose, form, number):
        if slot is None or slot.retired:
            keys.dummy(form).decrypt(core)
            retired = retired or slot is not None
            continue
        label_no = keys.cipher(slot).decrypt(core)
        batch = table.batch_of(label_no)
        if batch is not None and hit is None and slot.id in (batch.secret_slot, batch.serial_slot):
            hit = label_no, slot, batch
    return hit, retired


def _scanned(serial: str, table: Table, keys: Keys) -> _Hit | None:
    text = normalise(serial)
    code = text.encode() if text is not None and len(text) == B12.length else b""
    if not code or not check_is_right(B12.radix, code):
        keys.dummy(B12).decrypt(0)
        return None
    return _look_up(B12, code, table, keys, "serial")[0]


def _failed(status: Status, text: str, form: Form | None, keys: Keys, scanned: _Hit | None = None) -> Resolution:
    return Resolution(
        status,
        form=form.name if form else None,
        detail=status.value if status in _TOLD else None,
        masked=mask(text),
        mac=keys.mac(text.encode()),
        scanned_label_no=scanned[0] if scanned else None,
    )


def _malformed(typed: str, text: str | None, table: Table, keys: Keys, purpose: Purpose) -> Resolution:
    got = len(text) if text is not None else count_symbols(typed)
    want = min(table.lengths[purpose] or {16}, key=lambda length: (abs(length - got), -length))
    if got == want and text is not None:  # the right length, but letters among digits
        got = sum(symbol.isdecimal() for symbol in text)
    return Resolution(
        Status.MALFORMED,
        detail=Status.MALFORMED.value,
        want=want,
        got=got,
        masked=mask(text or ""),
        mac=keys.mac((text if text is not None else typed).encode(errors="surrogatepass")),
    )


def mask(text: str) -> str:
    """Return the first four and the last two symbols; less of a text too short to hide the rest."""
    return f"{text[:4]}…{text[-2:]}" if len(text) >= 12 else f"{text[:2]}…" if text else ""
