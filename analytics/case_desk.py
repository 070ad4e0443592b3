"""What every act upon a file shares: it is locked first, its log has a line more, and what is wrong has a name."""

from datetime import datetime
from typing import Any

from django.utils.translation import gettext as _

from analytics.case_models import Case, CaseEntry
from common.db import inside_transaction
from common.errors import Conflict, Invalid, NotFound


class NoSuchFile(NotFound):
    """There is no such file."""

    code = "no_such_file"


class MovedMeanwhile(Conflict):
    """Somebody else was faster: look at the file as it stands now, then act."""

    code = "moved_meanwhile"


class FileIsClosed(Conflict):
    """The file is closed. An appeal opens it again."""

    code = "file_is_closed"


class BadEntry(Invalid):
    """Something is missing."""

    code = "bad_entry"


@inside_transaction
def locked(case_id: int) -> Case:
    """Lock a file. Raises `NoSuchFile`."""
    case = Case.objects.select_for_update(no_key=True).filter(pk=case_id).first()
    if case is None:
        raise NoSuchFile
    return case


@inside_transaction
def opened(case_id: int) -> Case:
    """Lock a file that is not closed. Raises `NoSuchFile`, `FileIsClosed`."""
    case = locked(case_id)
    if case.state == Case.State.CLOSED:
        raise FileIsClosed
    return case


def as_seen(case: Case, seen: str) -> None:
    """Raise `MovedMeanwhile` if the file is in another state than the one that was looked at."""
    if case.state != seen:
        raise MovedMeanwhile(
            _("Somebody else was faster: the file is now “%(state)s”. Look at it again, then act.")
            % {"state": case.get_state_display()}
        )


def needed(text: str, most: int) -> str:
    """Return a text without what cannot be stored. Raises `BadEntry` if nothing, or too much, is left."""
    text = text.replace("\x00", "").strip()
    if not text:
        raise BadEntry
    if len(text) > most:
        raise BadEntry(_("Write at most %(most)s characters.") % {"most": most})
    return text


@inside_transaction
def log(case: Case, kind: str, *, at: datetime, by: str, text: str = "", **data: Any) -> CaseEntry:
    """Write a line of a file's log."""
    return CaseEntry.objects.create(
        case=case, at=at, by=by, kind=kind, text=text.replace("\x00", "")[:2_000], data=data
    )
