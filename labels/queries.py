"""What a typed code is, and what is known about a label."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Literal

Purpose = Literal["secret", "serial"]


class Status(StrEnum):
    """Every answer about a typed code or a label (docs/algorithms/codes.md, "Verifying")."""

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


@dataclass(frozen=True, slots=True)
class Resolution:
    """What a typed code is. ``status`` ACTIVE means: decoded well, now ask `states`."""

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

    @property
    def known(self) -> bool:
        """Whether the code decoded into a label of ours and nothing speaks against reading its state."""
        return self.label_no is not None and self.status is Status.ACTIVE


@dataclass(frozen=True, slots=True)
class Typed:
    """One input of `resolve_many`."""

    code: str
    purpose: Purpose = "secret"
    serial: str | None = None
    gtin: str | None = None
    test_mode: bool = False


@dataclass(frozen=True, slots=True)
class LabelState:
    """The first status that applies to a label, of: recalled, void, blocked, lapsed, not_active, ended, active."""

    label_no: int
    status: Status
    spares_redeemed: bool
    reason: str | None
    product_id: int | None
    batch_id: int | None
    lot: str
    market: str
    ended_on: date | None


def resolve(
    typed: str, *, purpose: Purpose, serial: str | None = None, gtin: str | None = None, test_mode: bool = False
) -> Resolution:
    """Decode one typed code."""
    return resolve_many([Typed(typed, purpose, serial, gtin, test_mode)])[0]


def resolve_many(typed: Sequence[Typed]) -> list[Resolution]:
    """Decode typed codes."""
    raise NotImplementedError


def states(label_nos: Sequence[int], at: datetime) -> Mapping[int, LabelState]:
    """Return each label's state, in one query."""
    raise NotImplementedError


def serials_of(label_nos: Sequence[int]) -> list[str]:
    """Return the serials of labels."""
    raise NotImplementedError


def secrets_of(label_nos: Sequence[int]) -> list[str]:
    """Return the hidden codes of labels: for printing, proofs and the demo only."""
    raise NotImplementedError


def receipt_no(scan_id: int) -> str:
    """Return the 12 digits that name a scan."""
    return receipt_nos([scan_id])[0]


def receipt_nos(scan_ids: Sequence[int]) -> list[str]:
    """Return the 12 digits that name each scan."""
    raise NotImplementedError


def scan_id_of(receipt: str) -> int | None:
    """Return the scan that a receipt number names, or None."""
    raise NotImplementedError
