"""Where staff are signed in: sessions listed without their secret, and ended one by one.

A session ends after twelve hours, or thirty minutes of rest (`staff.middleware`); an account that is closed ends all.
"""

from dataclasses import dataclass
from datetime import UTC, datetime

from django.contrib.auth import SESSION_KEY
from django.contrib.sessions.models import Session
from django.utils.crypto import salted_hmac

from staff import audit
from staff.models import User


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One session. ``name`` stands for its key, which nobody may see; ``network`` is an IP prefix."""

    name: str
    began_at: datetime | None
    seen_at: datetime | None
    network: str
    device: str
    is_here: bool


def of(user: User, *, here: str, at: datetime) -> list[OpenSession]:
    """Return the sessions of somebody, the last used first. ``here``: the key of the session that asks."""
    found = [
        OpenSession(
            name=_name(row.session_key),
            began_at=_moment(told.get("began")),
            seen_at=_moment(told.get("seen")),
            network=str(told.get("network", "")),
            device=str(told.get("device", "")),
            is_here=row.session_key == here,
        )
        for row, told in _rows(user, at)
    ]
    return sorted(found, key=lambda one: (one.is_here, one.seen_at or datetime.min.replace(tzinfo=UTC)), reverse=True)


def end(user: User, name: str, *, at: datetime) -> bool:
    """End one session of somebody; return whether there was one of that name."""
    for row, _told in _rows(user, at):
        if _name(row.session_key) == name:
            row.delete()
            audit.record("end_session", at=at, table="staff_user", row_id=str(user.pk))
            return True
    return False


def device_of(agent: str) -> str:
    """Return browser and system from a User-Agent, roughly: enough to know one's own again."""
    browsers = {
        "Edg/": "Edge",
        "MicroMessenger": "WeChat",
        "Firefox/": "Firefox",
        "Chrome/": "Chrome",
        "Safari/": "Safari",
    }
    systems = {
        "Windows": "Windows",
        "Android": "Android",
        "iPhone": "iPhone",
        "iPad": "iPad",
        "Mac OS": "macOS",
        "Linux": "Linux",
    }
    found = [next((name for mark, name in marks.items() if mark in agent), "") for marks in (browsers, systems)]
    return ", ".join(part for part in found if part)


def _rows(user: User, at: datetime) -> list[tuple[Session, dict[str, object]]]:
    """Return the live sessions of somebody: staff are few, and a session names its user only inside."""
    decoded = ((row, row.get_decoded()) for row in Session.objects.filter(expire_date__gt=at))
    return [(row, told) for row, told in decoded if told.get(SESSION_KEY) == str(user.pk)]


def _name(session_key: str) -> str:
    return salted_hmac("staff.sessions", session_key).hexdigest()[:20]


def _moment(seconds: object) -> datetime | None:
    return datetime.fromtimestamp(seconds, tz=UTC) if isinstance(seconds, int) else None
