"""Makers of a partner's people."""

from channel.models import Partner
from portal.services import accept, invite
from staff.models import User
from tests.conftest import NOW

PASSWORD = "jasmine-before-rain"


def make_person(partner: Partner, username: str, *, language: str = "") -> User:
    """Invite somebody of a partner, and let them accept."""
    _row, token = invite(partner, username=username, language=language, at=NOW, asked_by="ada")
    return accept(token, password=PASSWORD, at=NOW)
