"""Files that got lost: closed for good, and issued again under two persons; or leaked, and the roll is blocked.

Nothing is kept to issue from: the same codes are computed again, with set-up strips of the new copy's own.
Locks: the batch's row, the roll's, the hand-over's.
"""

from datetime import datetime
from functools import partial

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils.translation import gettext as _

from common.errors import Conflict
from labels import rolls
from labels.models import Block, Roll
from printing import services
from printing.models import Handover, PrintJob
from staff.models import User

_State = Handover.State
_MAY_BE_LOST = {_State.READY, _State.DOWNLOADED, _State.ACKNOWLEDGED, _State.EXPIRED}


class NotLost(Conflict):
    """Only a file that was built can be lost, and only before its roll came back."""

    code = "not_lost"


class FileLeaked(Conflict):
    """Somebody else may have the file: the roll is blocked, and replaced by a new order."""

    code = "file_leaked"


def report(handover_id: int, *, leaked: bool, note: str = "", at: datetime, asked_by: str) -> Handover:
    """Note that a file is lost: it is deleted here and its link ends.

    ``leaked``: it may be in wrong hands, so the roll is blocked (`file_leak`) from this commit on. Raises `NotLost`.
    """
    with transaction.atomic(durable=True):
        roll = rolls.lock_roll(Handover.objects.values_list("roll_id", flat=True).get(pk=handover_id))
        one = Handover.objects.select_for_update().get(pk=handover_id)
        if one.state not in _MAY_BE_LOST or (roll.state == Roll.State.RECEIVED and not leaked):
            raise NotLost(_("Only a file that was built can be lost, and only before its roll came back."))
        one.state, one.lost_at, one.lost_by, one.deleted_at = _State.LOST, at, asked_by, one.deleted_at or at
        one.save(update_fields=["state", "lost_at", "lost_by", "deleted_at"])
        if leaked:
            Block.objects.create(
                batch=roll.batch,
                label_range=NumericRange(roll.label_range.lower, roll.label_range.upper),
                reason=Block.Reason.FILE_LEAK,
                spares_redeemed=False,
                note=(note or one.public_id)[:300],
                opened_at=at,
                opened_by=asked_by,
            )
        transaction.on_commit(partial(services.delete_file, one.public_id))
    return one


def issue_again(one: Handover, *, by: User, at: datetime) -> PrintJob:
    """Ask for a lost file again, for the same press; another person must approve. Raises as `printing.services.request`.

    Raises `NotLost` for a file that nobody reported lost, `FileLeaked` where the roll is blocked for it.
    """
    if one.state != _State.LOST:
        raise NotLost(_("Report the file as lost first: its link ends, and a copy that turns up can be told apart."))
    if leak_of(one) is not None:
        raise FileLeaked(_("The file may be in wrong hands and its roll is blocked: order labels to replace it."))
    number = one.roll.number
    was = one.print_job
    new = services.NewPrint(
        one.roll.batch, number, number, was.press, was.output, version=was.version, proof=was.proof, reissue_of=one
    )
    return services.request(new, by=by, at=at)


def leak_of(one: Handover) -> Block | None:
    """Return the open block of the file's roll that says that a file leaked."""
    whole = NumericRange(one.roll.label_range.lower, one.roll.label_range.upper)
    found = Block.objects.filter(reason=Block.Reason.FILE_LEAK, lifted_at=None, label_range__overlap=whole)
    return found.order_by("id").first()
