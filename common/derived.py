"""Rows that are derived from others: compared with what they should say slice by slice, and made anew where they differ."""

from typing import NamedTuple, Protocol


class Compared(NamedTuple):
    """A slice that was compared: its rows, those that were wrong, missing or too many, and the first of them in words.

    ``upto``: from where the next slice goes on; None behind the last.
    """

    upto: int | None
    rows: int
    wrong: int
    sample: str = ""


class Compare(Protocol):
    """Compares the slice behind ``after`` (0: from the start) in one transaction, and mends it if it may."""

    def __call__(self, after: int, *, mends: bool) -> Compared: ...
