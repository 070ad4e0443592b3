"""Public values that decide: when a round comes out, and whether a value is the one. Only checks; fetching is a task's.

drand (https://docs.drand.love/docs/specification): scheme ``bls-unchained-g1-rfc9380``, checked by the package
drand-verify. A private chain has the same scheme under a key of our own; production refuses it. A manual value is what
a named publisher makes known, put into the key string of RFC 3797, section 4.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Any, Literal

import drand_verify

Source = Literal["drand", "private", "manual"]

QUICKNET_CHAIN = "52db9ba70e0cc0f6eaf7803dd07447a1f5477735fd3f661792ba94600c84e971"  # pragma: allowlist secret
QUICKNET_KEY = (
    "83cf0f2896adee7eb8b5f01fcad3912212c437e0073e911fb90022d3e760183c8c4b450b6a0a6c3ac6a5776a2d106451"  # pragma: allowlist secret
    "0d1fec758c921cc22b0e17e63aaf4bcb5ed66304de9cf809bd274ca73bab4af5a6e9c76a4bc09e76eae8991ef5ece45a"  # pragma: allowlist secret
)
QUICKNET_GENESIS = 1_692_803_367
LEAD_S = 1800  # between what is fixed and the round that decides
_SIGNATURE = re.compile(r"[0-9a-f]{96}")


class BadValue(Exception):
    """The value is not what the beacon says for that round."""


@dataclass(frozen=True, slots=True)
class Beacon:
    """Which beacon, as the rules fix it. ``genesis``: Unix time of round 1; ``period_s``: seconds between rounds."""

    source: Source
    chain: str
    key: str = ""
    genesis: int = 0
    period_s: int = 3

    def as_json(self) -> dict[str, Any]:
        """Return the beacon as rules and bundles hold it."""
        return {
            "source": self.source,
            "chain": self.chain,
            "key": self.key,
            "genesis": self.genesis,
            "period": self.period_s,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> "Beacon":
        """Read what `as_json` wrote."""
        return cls(value["source"], value["chain"], value["key"], value["genesis"], value["period"])

    def time_of(self, round_no: int) -> int:
        """Return the Unix time at which a round comes out."""
        return self.genesis + self.period_s * (round_no - 1)

    def round_at(self, moment: int) -> int:
        """Return the newest round at a Unix time; 0 before the first."""
        return max(0, (moment - self.genesis) // self.period_s + 1)

    def first_round_from(self, moment: int) -> int:
        """Return the first round that comes out at a Unix time or later."""
        return max(1, -(-(moment - self.genesis) // self.period_s) + 1)


QUICKNET = Beacon("drand", QUICKNET_CHAIN, QUICKNET_KEY, QUICKNET_GENESIS)


def check(beacon: Beacon, round_no: int, signature: str) -> bytes:
    """Return the beacon's bytes (48), if the signature is the round's. Raises `BadValue`.

    The text is looked at first: drand-verify 0.2.1 panics on what is no hexadecimal, and a panic is no ``Exception``.
    """
    if not (_SIGNATURE.fullmatch(signature) and 1 <= round_no < 2**63):
        raise BadValue("a signature is 96 hexadecimal digits in lower case")
    verify = drand_verify.verify_quicknet if beacon.source == "drand" else drand_verify.verify_bls_unchained_g1_rfc9380
    value = bytes.fromhex(signature)
    try:
        randomness = verify(round_no, signature, beacon.key)
    except ValueError as error:
        raise BadValue("the signature is not that of this round") from error
    if randomness != sha256(value).hexdigest():
        raise BadValue("the signature is not that of this round")
    return value


def key_string(sources: Sequence[tuple[Sequence[int], bool]]) -> str:
    """Return RFC 3797's key string: per source its numbers (sorted unless their order matters), ``.`` after each, then ``/``."""
    return "".join(
        "".join(f"{value}." for value in (values if in_order else sorted(values))) + "/" for values, in_order in sources
    )
