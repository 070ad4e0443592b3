"""When something that failed is tried again. Pure but for its jitter."""

import random
from datetime import datetime, timedelta

BACK_OFF_S = (1, 4, 16, 64, 256)
MOST_TRIES = len(BACK_OFF_S)
JITTER = 0.25


def next_try(failures: int, at: datetime) -> datetime:
    """Return when to try again after so many failures: 1, 4, 16, 64, 256 s later, give or take a quarter."""
    wait_s = BACK_OFF_S[min(max(failures, 1), MOST_TRIES) - 1]
    return at + timedelta(seconds=wait_s * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 # nosec B311 - no secret
