"""The one place that reads the clock. Doors call `now()` and pass the result down as ``at``."""

from datetime import UTC, datetime


def now() -> datetime:
    """Return the present moment, aware, in UTC."""
    return datetime.now(UTC)
