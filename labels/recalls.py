"""Recalling a lot, a product or a range: one row, and a block on every activation that it meets.

Locks: the rows of all batches met, in the order of their ids; `services.activate` takes the batch's row too and then
looks for open recalls, so that what is put on sale at the same moment is either recalled or refused.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from django.db import transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils.translation import gettext as _

from common.errors import Conflict, Invalid
from labels.models import Activation, Batch, Block, Product, Recall
from labels.services import lock_batch_of


class NothingToRecall(Conflict):
    """No label on sale is of that product, lot or range."""

    code = "nothing_to_recall"


class RecallOfWhat(Invalid):
    """A recall is of a product (and a lot), or of a range."""

    code = "recall_of_what"


@dataclass(frozen=True, slots=True)
class Scope:
    """What a recall is of: a product, a product's lot, or a half-open range of labels."""

    product: Product | None = None
    lot: str = ""
    label_range: tuple[int, int] | None = None

    def activations(self) -> Iterable[Activation]:
        """Return the activations that it meets, by batch and range. Raises `RecallOfWhat`."""
        found = Activation.objects.filter(cancelled_at=None).order_by("batch_id", "label_range")
        if self.label_range is not None and self.product is None and not self.lot:
            return found.filter(label_range__overlap=NumericRange(*self.label_range))
        if self.product is None or self.label_range is not None:
            raise RecallOfWhat(_("A recall is of a product (and a lot), or of a range."))
        found = found.filter(product=self.product)
        return found.filter(lot=self.lot) if self.lot else found

    def part_of(self, activation: Activation) -> tuple[int, int]:
        """Return the labels of an activation that are recalled."""
        first, end = int(activation.label_range.lower), int(activation.label_range.upper)
        if self.label_range is None:
            return first, end
        return max(first, self.label_range[0]), min(end, self.label_range[1])

    def parts(self) -> list[tuple[int, int]]:
        """Return the ranges of labels that would be recalled now."""
        return [self.part_of(activation) for activation in self.activations()]


def recall(scope: Scope, *, at: datetime, note: str = "", asked_by: str = "") -> Recall:
    """Recall: the safety text at every door for each label met, also for those redeemed.

    Raises `NothingToRecall` (for a range: nothing of it is on sale), `RecallOfWhat`, `RangeOutsideBatch`.
    """
    activations = scope.activations()  # read below, once the batches are locked
    with transaction.atomic(durable=True):
        _lock_batches(scope)
        row = Recall.objects.create(
            product=scope.product,
            lot=scope.lot,
            label_range=NumericRange(*scope.label_range) if scope.label_range else None,
            labels=0,
            note=note,
            opened_at=at,
            opened_by=asked_by,
        )
        blocks = [
            Block(
                batch_id=activation.batch_id,
                label_range=NumericRange(*scope.part_of(activation)),
                reason=Block.Reason.RECALLED,
                recall=row,
                spares_redeemed=False,
                note=note,
                opened_at=at,
                opened_by=asked_by,
            )
            for activation in activations
        ]
        if not blocks:
            raise NothingToRecall(_("No label on sale is of that product, lot or range."))
        Block.objects.bulk_create(blocks, batch_size=1_000)
        row.labels = sum(block.label_range.upper - block.label_range.lower for block in blocks)
        row.save(update_fields=["labels"])
    return row


def _lock_batches(scope: Scope) -> None:
    """Lock every batch whose activations may be met, in order: an activation under way ends first."""
    if scope.product is not None:
        of_gtin = Batch.objects.filter(gtin_printed=scope.product.gtin)
        list(of_gtin.select_for_update(no_key=True).order_by("id").values_list("id", flat=True))
    elif scope.label_range is not None:
        lock_batch_of(scope.label_range)


def lift_recall(row: Recall, *, at: datetime, asked_by: str = "") -> Recall:
    """End a recall: its blocks are lifted. Lifting twice changes nothing."""
    with transaction.atomic(durable=True):
        open_ones = Recall.objects.filter(pk=row.pk, lifted_at=None).update(lifted_at=at, lifted_by=asked_by)
        if open_ones:
            Block.objects.filter(recall=row, lifted_at=None).update(lifted_at=at, lifted_by=asked_by)
        row.refresh_from_db()
    return row
