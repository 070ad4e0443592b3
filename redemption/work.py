"""Proof of work: a puzzle that costs a telephone a second or two, asked of a network or a brand that saw too many failures.

`altcha` makes and checks the puzzle (find the number whose SHA-256 behind a salt is given); static/work.js solves it.
A solution is worth `TRIES` tries within `LIVES`: they are counted in the store by the puzzle's own challenge, so that
sending a solution again gains nothing.
"""

import json
from datetime import datetime, timedelta
from typing import Final

from altcha.v1 import ChallengeOptions, Payload, create_challenge, verify_solution

from labels.keys import audit_mac

LIVES = timedelta(minutes=10)
TRIES = 6  # looking at a label, counting the visit and redeeming are one each
HARDEST = 40_000  # half of it on average; a telephone digests some ten thousand short texts a second
_ALGORITHM: Final = "SHA-256"


def _key() -> str:
    return audit_mac(b"proof of work").hex()


def make_puzzle(*, at: datetime) -> str:
    """Return a puzzle as JSON: challenge, salt, signature, and the highest number that may solve it."""
    options = ChallengeOptions(algorithm=_ALGORITHM, max_number=HARDEST, hmac_key=_key(), expires=at + LIVES)
    return json.dumps({**create_challenge(options).to_dict(), "maxnumber": HARDEST})


def read_solution(text: str) -> str | None:
    """Return the challenge that a solution (JSON) solves, or None if it solves none of ours, or one that is too old."""
    try:
        told = json.loads(text)
        number = int(told["number"])
        challenge, salt, signature = (told[name] for name in ("challenge", "salt", "signature"))
    except (ValueError, KeyError, TypeError, OverflowError, RecursionError):
        return None
    if not (0 <= number <= HARDEST and all(isinstance(part, str) for part in (challenge, salt, signature))):
        return None
    good, _error = verify_solution(Payload(_ALGORITHM, challenge, number, salt, signature), _key())
    return challenge if good else None
