"""Blocks on ranges of labels, opened and lifted.

Locks: the batch's row, before its blocks.
"""

from collections.abc import Sequence
from datetime import datetime

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils.translation import gettext as _

from common.db import inside_transaction
from common.errors import Conflict, Invalid
from labels.models import Block
from labels.services.activation import lock_batch_of, merged


class NoSuchReason(Invalid):
    """There is no such reason to block."""

    code = "no_such_reason"


class BlockIsFinal(Conflict):
    """A block of this reason is final and cannot be lifted."""

    code = "block_is_final"


def block(
    *,
    label_range: tuple[int, int],
    reason: str,
    at: datetime,
    spares_redeemed: bool | None = None,
    note: str = "",
    asked_by: str = "",
) -> Block:
    """Block the labels ``first`` … ``end − 1`` for every redemption that starts after this commit.

    Unless said otherwise, reasons of production ("void") spare labels already redeemed, the others do not; a recall
    spares none. Raises `RangeOutsideBatch`, `NoSuchReason`.
    """
    how = {"spares_redeemed": spares_redeemed, "note": note, "asked_by": asked_by}
    return block_ranges(label_ranges=[label_range], reason=reason, at=at, **how)[0]  # type: ignore[arg-type]


def block_ranges(
    *,
    label_ranges: Sequence[tuple[int, int]],
    reason: str,
    at: datetime,
    spares_redeemed: bool | None = None,
    note: str = "",
    asked_by: str = "",
) -> list[Block]:
    """Block ranges of labels (rolls, a lot), all or none; neighbours become one block. Raises as `block`."""
    if reason not in Block.Reason.values:
        raise NoSuchReason(_("There is no such reason to block."))
    if spares_redeemed is None or reason == Block.Reason.RECALLED:
        spares_redeemed = reason in Block.VOIDING
    with transaction.atomic(durable=True):
        return open_blocks(
            merged(label_ranges), reason=reason, spares_redeemed=spares_redeemed, note=note, at=at, asked_by=asked_by
        )


@inside_transaction
def open_blocks(
    label_ranges: Sequence[tuple[int, int]],
    *,
    reason: str,
    spares_redeemed: bool,
    note: str,
    at: datetime,
    asked_by: str,
) -> list[Block]:
    """Open one block for each range, each within one batch, whose row is locked. Raises `RangeOutsideBatch`."""
    return [
        Block.objects.create(
            batch=lock_batch_of(label_range),
            label_range=NumericRange(*label_range),
            reason=reason,
            spares_redeemed=spares_redeemed,
            note=note,
            opened_at=at,
            opened_by=asked_by,
        )
        for label_range in label_ranges
    ]


def lift(block: Block, *, at: datetime, asked_by: str = "") -> Block:
    """Lift a reversible block. Raises `BlockIsFinal`. Lifting twice changes nothing."""
    if block.is_final:
        raise BlockIsFinal(_("A block for this reason is final and cannot be lifted."))
    Block.objects.filter(pk=block.pk, lifted_at=None).update(lifted_at=at, lifted_by=asked_by)
    block.refresh_from_db()
    return block
