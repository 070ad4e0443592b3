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
from labels.codes.forms import B12, B14, B16, DECIMAL, N16, N18, N20, Form
from labels.codes.normalise import count_symbols, symbols_of

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


_ACTIVE = Status.ACTIVE  # a class attribute of an Enum is slow to read
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


class Lane:
    """The slots of one form and purpose, by number: the generations of each, newest first.

    Every look-up tries as many keys as the slot with most generations has; None stands for a dummy.
    """

    __slots__ = ("form", "nothing", "slots")

    def __init__(self, form: Form, slots: Iterable[SlotRef]) -> None:
        self.form = form
        found: dict[int, list[SlotRef | None]] = {}
        for slot in sorted(slots, key=lambda slot: -slot.generation):
            found.setdefault(slot.number, []).append(slot)
        longest = max(map(len, found.values()), default=1)
        self.slots = {number: (*refs, *[None] * (longest - len(refs))) for number, refs in found.items()}
        self.nothing: tuple[SlotRef | None, ...] = (None,) * longest


class Table:
    """All batches and slots of a brand, for look-ups without a query."""

    def __init__(self, batches: Iterable[BatchRow], slots: Iterable[SlotRef]) -> None:
        self.batches = sorted(batches)
        self.gtins = {batch.gtin for batch in self.batches}
        self.firsts = [batch.first for batch in self.batches]
        self.slots = {slot.id: slot for slot in slots}
        refs = self.slots.values()
        secrets = [slot for slot in refs if slot.purpose == "secret"]
        sixteen = B16 if any(slot.form is B16 for slot in secrets) else N16  # a brand never owns slots of both
        self.secrets = {
            form.length: Lane(form, [slot for slot in secrets if slot.form is form])
            for form in (sixteen, N18, N20, B12, B14)
        }
        self.serials = Lane(B12, [slot for slot in refs if slot.purpose == "serial"])
        self.lanes = {"secret": self.secrets, "serial": {B12.length: self.serials}}
        self.lengths = {"secret": {slot.form.length for slot in secrets} or {N16.length}, "serial": {B12.length}}

    def batch_of(self, label_no: int) -> BatchRow | None:
        """Return the batch that owns a label."""
        place = bisect_right(self.firsts, label_no) - 1
        if place < 0:
            return None
        batch = self.batches[place]
        return batch if label_no < batch.end else None


class Opener(Protocol):
    """A permutation, as far as decoding needs it."""

    def decrypt(self, number: int) -> int:
        """Return the decrypted number."""


class Keys(Protocol):
    """The keys of a brand, for the calling thread."""

    def cipher(self, slot: SlotRef) -> Opener:
        """Return the permutation of a slot."""

    def dummy(self, form: Form) -> Opener:
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
    code = symbols_of(typed)
    lane = None if code is None else table.lanes[purpose].get(len(code))
    # The serial of another company's product may look like anything: it is not ours, and no slip.
    strange = purpose == "serial" and gtin is not None and gtin.zfill(14) not in table.gtins
    if code is None or lane is None or (lane.form.radix == DECIMAL and not code.isdigit()):
        failed = _malformed(typed, code, table, keys, purpose)
        return failed._replace(status=Status.UNKNOWN, detail=None, want=None, got=None) if strange else failed
    form = lane.form
    if not check_is_right(form.radix, code):
        return _failed(Status.UNKNOWN if strange else Status.TYPO, code, form, keys)

    hit, retired = _look_up(lane, code, table, keys)
    scanned = None
    if purpose == "secret":
        if serial is not None:
            scanned = _scanned(serial, table, keys)
        if form is B12 and _look_up(table.serials, code, table, keys)[0] is not None and hit is None:
            return _failed(Status.SERIAL_TYPED, code, form, keys, scanned)
    if hit is None:
        status = Status.RETIRED if retired else Status.UNKNOWN if serial is None else Status.MISMATCH
        return _failed(status, code, form, keys, scanned)

    label_no, slot, batch = hit
    scanned_no = scanned[0] if scanned else None
    status, detail = _ACTIVE, None
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
        None,
        None,
        "",
        None,
        scanned_no,
    )


def readings(typed: str, table: Table, purpose: Purpose) -> list[tuple[SlotRef, int]]:
    """Return the slots whose permutations `decode` will ask about a well-formed code, each with its core."""
    code = symbols_of(typed)
    lane = None if code is None else table.lanes[purpose].get(len(code))
    if code is None or lane is None or (lane.form.radix == DECIMAL and not code.isdigit()):
        return []
    if not check_is_right(lane.form.radix, code):
        return []
    number, core = split(lane.form, code)
    return [(slot, core) for slot in lane.slots.get(number, ()) if slot is not None and not slot.retired]


def _of_gtin(batch: BatchRow, gtin: str | None) -> bool:
    return gtin is None or gtin.zfill(14) == batch.gtin


def _look_up(lane: Lane, code: bytes, table: Table, keys: Keys) -> tuple[_Hit | None, bool]:
    """Return the label that ``code`` decrypts to, newest generation first, else whether a key was destroyed."""
    form = lane.form
    number, core = split(form, code)
    hit: _Hit | None = None
    retired = False
    for slot in lane.slots.get(number, lane.nothing):
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
    code = symbols_of(serial)
    if code is None or len(code) != B12.length or not check_is_right(B12.radix, code):
        keys.dummy(B12).decrypt(0)
        return None
    return _look_up(table.serials, code, table, keys)[0]


def _failed(status: Status, code: bytes, form: Form, keys: Keys, scanned: _Hit | None = None) -> Resolution:
    return Resolution(
        status,
        form=form.name,
        detail=status.value if status in _TOLD else None,
        masked=mask(code.decode()),
        mac=keys.mac(code),
        scanned_label_no=scanned[0] if scanned else None,
    )


def _malformed(typed: str, code: bytes | None, table: Table, keys: Keys, purpose: Purpose) -> Resolution:
    got = count_symbols(typed) if code is None else len(code)
    want = min(table.lengths[purpose], key=lambda length: (abs(length - got), -length))
    if got == want and code is not None:  # the right length, but letters among digits
        got = sum(48 <= symbol < 58 for symbol in code)
    return Resolution(
        Status.MALFORMED,
        detail=Status.MALFORMED.value,
        want=want,
        got=got,
        masked=mask((code or b"").decode()),
        mac=keys.mac(typed.encode(errors="surrogatepass") if code is None else code),
    )


def mask(text: str) -> str:
    """Return the first four and the last two symbols; less of a text too short to hide the rest."""
    return f"{text[:4]}…{text[-2:]}" if len(text) >= 12 else f"{text[:2]}…" if text else ""
