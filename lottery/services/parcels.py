"""Many goods sent at once: lines of claim, courier and tracking number, as a spreadsheet pastes them."""

import re
from dataclasses import dataclass
from datetime import datetime

from django.utils.translation import gettext as _

from common.errors import DomainError
from lottery.models import Claim
from lottery.services.claiming import send
from staff.models import User

MOST_LINES = 2_000
_PART = re.compile(r"[,\t;，；]")


@dataclass(frozen=True, slots=True)
class Wrong:
    """A line that was not taken, and why."""

    line: int
    text: str
    why: str


@dataclass(frozen=True, slots=True)
class Sent:
    """What became of the lines: each stands alone."""

    sent: int
    wrong: list[Wrong]


def send_many(text: str, *, by: User, at: datetime) -> Sent:
    """Note of each line's prize that it is sent; a line that cannot be taken changes nothing and is named."""
    rows = [(line, row.strip()) for line, row in enumerate(text.splitlines(), 1) if row.strip()]
    named = [_PART.split(row)[0].strip() for _line, row in rows[:MOST_LINES]]
    known = dict(Claim.objects.filter(public_id__in=named).values_list("public_id", "pk"))
    sent, wrong = 0, []
    for place, (line, row) in enumerate(rows):
        parts = [part.strip() for part in _PART.split(row)]
        if place >= MOST_LINES:
            wrong.append(Wrong(line, row, _("Send at most %(most)s lines at once.") % {"most": MOST_LINES}))
        elif len(parts) != 3 or not all(parts):
            wrong.append(Wrong(line, row, _("A line holds claim, courier and tracking number.")))
        elif parts[0] not in known:
            wrong.append(Wrong(line, row, _("There is no such claim.")))
        else:
            try:
                send(known[parts[0]], courier=parts[1], tracking_no=parts[2], by=by, seen=Claim.State.APPROVED, at=at)
            except DomainError as error:
                wrong.append(Wrong(line, row, error.detail))
            else:
                sent += 1
    return Sent(sent, wrong)
