"""Pure rules of an offer: which slot a need starts at, and the day on which points expire."""

import calendar
import zlib
from datetime import date

SLOTS = 16


def slot_of(key: str) -> int:
    """Return the budget slot (0..15) at which the need of this request starts."""
    return zlib.crc32(key.encode()) % SLOTS


def expires_on(earned_on: date, months: int | None) -> date | None:
    """Return the last day of the month that lies ``months`` after the day of earning; None never ends."""
    if months is None:
        return None
    count = earned_on.year * 12 + earned_on.month - 1 + months
    year, month = divmod(count, 12)
    return date(year, month + 1, calendar.monthrange(year, month + 1)[1])
