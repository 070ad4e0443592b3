"""Acts on batches and ranges that must know what was redeemed: voiding, closing, binding anew, exact counts.

Voiding and closing need two persons: one asks, another approves, and the approval is consumed by the act itself.
Locks: the batch's row, before its activations and blocks.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Unpack

from django.db import connection, transaction
from django.utils.translation import gettext as _

from common.db import array
from common.errors import Conflict, Invalid
from labels.models import Activation, Batch, Block, Product
from labels.queries import local_date
from labels.services import NotReady, OfGoods, bind_anew, lock_batch_of
from redemption.models import Redemption
from staff import approvals
from staff.models import Approval, User

VOID_ACT, CLOSE_ACT = "labels.void", "labels.close"
_OVER = {Batch.State.CLOSED, Batch.State.VOID}


class RedeemedAlready(Conflict):
    """A label of the range has been redeemed: it stays bound as it is."""

    code = "redeemed_already"


class ReasonMissing(Invalid):
    """Say why."""

    code = "reason_missing"


@dataclass(frozen=True, slots=True)
class Counts:
    """Labels of some ranges, those on sale, and those redeemed (and not taken back)."""

    labels: int
    active: int
    redeemed: int


_COUNT = """
WITH part AS (
    SELECT int8range(first, upto) AS labels FROM unnest(%(firsts)s::bigint[], %(ends)s::bigint[]) AS p (first, upto)
)
SELECT COALESCE((SELECT sum(upper(labels) - lower(labels)) FROM part), 0)::bigint,
       COALESCE((SELECT sum(upper(a.label_range * part.labels) - lower(a.label_range * part.labels))
                 FROM part JOIN labels_activation a ON a.label_range && part.labels AND a.cancelled_at IS NULL),
                0)::bigint,
       COALESCE((SELECT sum((SELECT count(*) FROM redemption_redemption r
                             WHERE r.label_no >= lower(part.labels) AND r.label_no < upper(part.labels)))
                 FROM part), 0)::bigint
"""


def count(label_ranges: Sequence[tuple[int, int]]) -> Counts:
    """Count what half-open ranges hold (ranges must not overlap): one query."""
    ends = {"firsts": array(one[0] for one in label_ranges), "ends": array(one[1] for one in label_ranges)}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT, ends)
        return Counts(*cursor.fetchone())


# --- void and close: two persons -----------------------------------------------------------------------------------


def request(act: str, batch: Batch, *, reason: str, by: User, at: datetime) -> Approval:
    """Ask for a second person's word on voiding (`VOID_ACT`) or closing (`CLOSE_ACT`) a batch.

    Raises `ReasonMissing`, and `NotReady` for a batch that is over.
    """
    if not reason.strip():
        raise ReasonMissing(_("Say why: the second person must be able to judge it."))
    _refuse_over(batch)
    payload = {"batch": batch.public_id, "number": batch.number, "labels": batch.count, "reason": reason.strip()[:200]}
    return approvals.request(act, payload, by=by, at=at)


def open_request(act: str, batch: Batch, *, at: datetime) -> Approval | None:
    """Return the newest request for a batch that has not lapsed, been refused or used."""
    found = Approval.objects.filter(kind=act, payload__batch=batch.public_id, consumed_at=None, expires_at__gt=at)
    return found.exclude(approved=False).order_by("-id").first()


def void_batch(approval_id: int, *, at: datetime, asked_by: str = "") -> Batch:
    """Make every label of a batch void for ever, sparing those redeemed, as approved.

    Raises `staff.approvals.NotApproved`, `NotReady`.
    """
    with transaction.atomic(durable=True):
        batch, reason = _consume(approval_id, VOID_ACT, at)
        Block.objects.create(
            batch=batch,
            label_range=batch.label_range,
            reason=Block.Reason.DESTROYED,
            spares_redeemed=True,
            note=reason,
            opened_at=at,
            opened_by=asked_by,
        )
        batch.state = Batch.State.VOID
        batch.save(update_fields=["state"])
    return batch


def close_batch(approval_id: int, *, at: datetime, asked_by: str = "") -> Batch:
    """End a batch before its time, as approved: labels never redeemed are over. Raises as `void_batch`."""
    with transaction.atomic(durable=True):
        batch, _reason = _consume(approval_id, CLOSE_ACT, at)
        if batch.state != Batch.State.ACTIVE:
            raise NotReady(_("Only a batch on sale can be closed; void one that never was."), state=batch.state)
        batch.state = Batch.State.CLOSED
        batch.save(update_fields=["state"])
    return batch


def _consume(approval_id: int, act: str, at: datetime) -> tuple[Batch, str]:
    approval = Approval.objects.filter(pk=approval_id, kind=act).first()
    payload: dict[str, Any] = approval.payload if approval else {}
    approvals.consume(approval_id, act, payload, at=at)
    batch = Batch.objects.select_for_update(no_key=True).get(public_id=payload["batch"])
    _refuse_over(batch)
    return batch, str(payload["reason"])


def _refuse_over(batch: Batch) -> None:
    if batch.state in _OVER:
        raise NotReady(_("This batch is over already."), state=batch.state)


_ENDED = """
SELECT b.id FROM labels_batch b
WHERE b.state = 'active'
  AND NOT EXISTS (SELECT FROM labels_activation a WHERE a.batch_id = b.id AND a.cancelled_at IS NULL
                  AND (a.valid_until IS NULL OR a.valid_until >= %(today)s))
  AND (b.activate_by < %(today)s OR
       (SELECT COALESCE(range_agg(a.label_range), '{}') FROM labels_activation a
        WHERE a.batch_id = b.id AND a.cancelled_at IS NULL)
       @> int8range(lower(b.label_range), lower(b.label_range) + b.count))
"""


def close_ended(*, at: datetime) -> int:
    """Close the batches of which nothing can be activated or redeemed any more; return how many. Changes no answer."""
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute(_ENDED, {"today": local_date(at)})
            ids = [row[0] for row in cursor.fetchall()]
        return Batch.objects.filter(pk__in=ids, state=Batch.State.ACTIVE).update(state=Batch.State.CLOSED)


# --- binding anew --------------------------------------------------------------------------------------------------


def rebind(
    *, label_range: tuple[int, int], product: Product, at: datetime, asked_by: str = "", **of_goods: Unpack[OfGoods]
) -> Activation:
    """Bind labels on sale to another product of the GTIN, lot, date or market: one cancel and new rows at once.

    What was on sale around the range stays as it was. Raises `RedeemedAlready`, `NotOnSale`, `WrongGtin`,
    `RangeOutsideBatch`, `NotReady`.
    """
    first, end = label_range
    with transaction.atomic(durable=True):
        batch = lock_batch_of(label_range)
        _refuse_over(batch)
        if Redemption.objects.filter(label_no__gte=first, label_no__lt=end).exists():
            raise RedeemedAlready(_("A label of the range has been redeemed: it stays bound as it is."))
        return bind_anew(batch, label_range=label_range, product=product, at=at, asked_by=asked_by, **of_goods)
