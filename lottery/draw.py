"""LD1, the draw: winners from a list of entries that was fixed before the public value that decides was known.

Pure. An entry is ``{entry, who, kin, weight, src, ref}``; its leaf is ``SHA-256(00 ‖ C(entry))``; the list is sorted by
leaf and has a Merkle root. docs/algorithms/draws.md has the protocol.
"""

import hmac
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from typing import Any, Literal
from uuid import UUID

from common import merkle
from common.canonical import canonical

ALGORITHM = "LD1-SHA256"
OnePer = Literal["entry", "who", "kin"]
_SPACE = 2**256


@dataclass(frozen=True, slots=True)
class Entry:
    """One entry as it is published. ``who``, ``kin`` (or "") and ``ref`` are 32 hex digits that only a key explains."""

    entry: int
    who: str
    weight: int
    src: str
    ref: str
    kin: str = ""

    def as_json(self) -> dict[str, Any]:
        """Return what is hashed."""
        return {
            "entry": self.entry,
            "who": self.who,
            "kin": self.kin,
            "weight": self.weight,
            "src": self.src,
            "ref": self.ref,
        }

    def leaf(self) -> bytes:
        """Return the hash of the entry's leaf."""
        return merkle.leaf(canonical(self.as_json()))

    def key(self, one_per: OnePer) -> object:
        """Return what may be picked once."""
        if one_per == "entry":
            return self.entry
        return (self.kin or self.who) if one_per == "kin" else self.who


@dataclass(frozen=True, slots=True)
class Prize:
    """So many units of a tier, and so many alternates for them."""

    tier: int
    quantity: int
    alternates: int

    @classmethod
    def usual(cls, tier: int, quantity: int, alternates: int | None = None) -> "Prize":
        """Return a prize with the alternates of the rules, else the usual: 10, or 20 % of the quantity if that is more."""
        return cls(tier, quantity, max(10, -(-quantity // 5)) if alternates is None else alternates)


@dataclass(frozen=True, slots=True)
class Pick:
    """Pick number ``pick``: the entry at ``index`` of the list, after ``tries`` tries. ``unit`` counts from 1."""

    pick: int
    index: int
    tier: int
    unit: int
    role: Literal["winner", "alternate"]
    tries: int


@dataclass(frozen=True, slots=True)
class Listed:
    """Entries in the order of their leaves, with what is signed about them."""

    entries: list[Entry]
    leaves: list[bytes]
    root: bytes
    weight: int


def _alias(key: bytes, tag: bytes, value: bytes) -> str:
    return hmac.digest(key, tag + value, "sha256").hex()[:32]


def who_of(key: bytes, member: UUID) -> str:
    """Return a member's name in a draw, under the draw's secret key."""
    return _alias(key, b"who", member.bytes)


def kin_of(key: bytes, household: UUID | None) -> str:
    """Return a household's name in a draw, "" for none."""
    return _alias(key, b"kin", household.bytes) if household else ""


def ref_of(key: bytes, src: str, number: int) -> str:
    """Return the name of what earned an entry: a label number, a ledger hold, a free entry."""
    return _alias(key, b"ref" + src.encode("ascii"), number.to_bytes(8, "big"))


def carried_ref(key: bytes, ref: str) -> str:
    """Return the name of an entry carried over from the series' draw before, where it was ``ref``."""
    return _alias(key, b"refcarry", ref.encode("ascii"))


def listed(entries: Iterable[Entry]) -> Listed:
    """Sort entries by their leaves and compute the root."""
    pairs = sorted(((entry.leaf(), entry) for entry in entries), key=lambda pair: pair[0])
    leaves = [leaf for leaf, _entry in pairs]
    found = [entry for _leaf, entry in pairs]
    return Listed(found, leaves, merkle.root(leaves), sum(entry.weight for entry in found))


def seed_of(*, rules_hash: bytes, root: bytes, beacon: bytes) -> bytes:
    """Return the seed: SHA-256("LD1" ‖ rules hash ‖ root ‖ beacon bytes). No secret of ours has a part in it."""
    return sha256(b"LD1" + rules_hash + root + beacon).digest()


def order_of(prizes: Sequence[Prize]) -> list[tuple[int, int, Literal["winner", "alternate"]]]:
    """Return (tier, unit, role) of every pick, in turn: all winners, then each tier's alternates."""
    tiers = sorted(prizes, key=lambda prize: prize.tier)
    winners = [(prize.tier, unit, "winner") for prize in tiers for unit in range(1, prize.quantity + 1)]
    others = [(prize.tier, unit, "alternate") for prize in tiers for unit in range(1, prize.alternates + 1)]
    return [*winners, *others]  # type: ignore[list-item]  # mypy widens the literals


def select(*, seed: bytes, entries: Sequence[Entry], prizes: Sequence[Prize], one_per: OnePer) -> list[Pick]:
    """Return the picks, in turn; where no entry is left that may be picked, the rest are missing: unfilled.

    Pick j, try a: ``x = HMAC-SHA256(seed, be32(j) ‖ be32(a))``; an x in the last, incomplete stretch of W is rejected,
    so that each unit of weight has the same chance; an entry whose key was picked before is rejected too.
    """
    upto = list(accumulate(entry.weight for entry in entries))
    total = upto[-1] if upto else 0
    keys = [entry.key(one_per) for entry in entries]
    weight_of: dict[object, int] = {}
    for key, entry in zip(keys, entries, strict=True):
        weight_of[key] = weight_of.get(key, 0) + entry.weight
    left, gone, picks = total, set[object](), []
    limit = _SPACE // total * total if total else 0
    for j, (tier, unit, role) in enumerate(order_of(prizes)):
        if not left:
            break
        tries = 0
        while True:
            x = int.from_bytes(hmac.digest(seed, j.to_bytes(4, "big") + tries.to_bytes(4, "big"), "sha256"), "big")
            tries += 1
            if x >= limit:
                continue
            index = bisect_right(upto, x % total)
            if keys[index] not in gone:
                break
        gone.add(keys[index])
        left -= weight_of[keys[index]]
        picks.append(Pick(j, index, tier, unit, role, tries))
    return picks
