"""What a participant is told of a play and of entries: only what never changes, so that a repeat is told the same. Pure."""

from datetime import datetime
from typing import NamedTuple


class Prize(NamedTuple):
    """A tier as a winner hears of it. ``points``: of a prize of points."""

    tier: int
    kind: str
    name: str
    name_zh: str
    points: int | None

    def in_language(self, language: str | None) -> str:
        """Return the prize's name in a language (Django's tag)."""
        return self.name_zh if (language or "").startswith("zh") else self.name


class PlayTold(NamedTuple):
    """What one label's play came to: ``outcome`` is won, no_prize or points_only; ``claim`` the winner's claim."""

    outcome: str
    campaign: str
    campaign_name: str
    campaign_name_zh: str
    prize: Prize | None = None
    claim: str | None = None

    @property
    def won(self) -> bool:
        return self.prize is not None

    @property
    def lost(self) -> bool:
        return self.outcome == "no_prize"

    @property
    def points(self) -> int:
        """The points won, 0 for any other prize."""
        return (self.prize.points or 0) if self.prize else 0


class EntryTold(NamedTuple):
    """One entry of a draw. ``leaf`` and ``rules`` are hashes of 32 bytes, as its signed receipt states them."""

    entry: int
    draw: str
    draw_uuid: str
    close_at: datetime
    weight: int
    leaf: bytes
    rules: bytes
    at: datetime
