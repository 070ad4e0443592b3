"""What happened to a label, as lines of a timeline."""

from dataclasses import dataclass
from datetime import datetime

CHECKS, LABEL, POINTS = "checks", "label", "points"


@dataclass(frozen=True, slots=True)
class Event:
    """One thing that happened to a label."""

    at: datetime
    group: str
    title: str
    detail: str = ""
    look: str = ""
    icon: str = "info"
    door: str = ""
    ref: str = ""
    href: str = ""


@dataclass(frozen=True, slots=True)
class Alarm:
    """Something to look at."""

    look: str
    icon: str
    title: str
    detail: str
    href: str
