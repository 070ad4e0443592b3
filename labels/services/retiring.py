"""The end of a slot: no order takes it any more; once no label of it is alive, it is closed.

Locks: the counter's row, before any other row, as orders do.
"""

from datetime import datetime

from django.db import transaction
from django.utils.translation import gettext as _

from common.errors import Conflict
from labels import queries
from labels.models import Slot
from labels.services.slots import SlotsInUse, lock_counter


class SlotNotOpen(Conflict):
    """The slot is not in the state for this."""

    code = "slot_not_open"


def retire_slot(slot_id: int) -> Slot:
    """Take a slot out of use for orders; its codes are read as before. Raises `SlotNotOpen`.

    The test series stays: there is one of each form.
    """
    with transaction.atomic(durable=True):
        lock_counter()
        slot = Slot.objects.select_for_update().get(pk=slot_id)
        if slot.state != Slot.State.OPEN or slot.is_test:
            raise SlotNotOpen(_("Only an open slot can be retired, and never the test series."))
        slot.state = Slot.State.DECRYPT_ONLY
        slot.save(update_fields=["state"])
    return slot


def close_slot(slot_id: int, *, at: datetime) -> Slot:
    """Close a retired slot for good, so that its root key may be destroyed. Raises `SlotNotOpen`, `SlotsInUse`."""
    with transaction.atomic(durable=True):
        lock_counter()
        slot = Slot.objects.select_for_update().get(pk=slot_id)
        if slot.state != Slot.State.DECRYPT_ONLY:
            raise SlotNotOpen(_("Only a retired slot can be closed."))
        if queries.live_labels(slot.purpose, slot.form, at)[slot.pk]:
            raise SlotsInUse(_("Labels of this slot are still alive: close, void or let end their batches first."))
        slot.state = Slot.State.CLOSED
        slot.save(update_fields=["state"])
    return slot
