"""Labels go on sale, by ranges, bound to a product.

Locks: the batch's row, before its activations and blocks.
"""

from collections.abc import Sequence
from datetime import date, datetime
from typing import TypedDict, Unpack

from django.db import IntegrityError, connection, transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils.translation import gettext as _

from brands.models import Brand
from common.db import inside_transaction
from common.errors import Conflict, Invalid
from labels import queries
from labels.models import Activation, Batch, Product, Recall
from labels.services.generation import NotReady
from staff import approvals
from staff.models import Approval, User

ACTIVATE_ACT = "labels.activate"


class RangeOutsideBatch(Invalid):
    """The range does not lie inside one batch."""

    code = "range_outside_batch"


class WrongGtin(Invalid):
    """The labels carry the GTIN of another product."""

    code = "wrong_gtin"


class AlreadyActive(Conflict):
    """Some labels of the range are active already."""

    code = "already_active"


class NotOnSale(Conflict):
    """Not every label of the range is on sale."""

    code = "not_on_sale"


class NeedsSecondPerson(Conflict):
    """So many labels go on sale only with a second person's word."""

    code = "needs_second_person"


class UnderRecall(Conflict):
    """The product or lot is recalled."""

    code = "under_recall"


@inside_transaction
def lock_batch_of(label_range: tuple[int, int]) -> Batch:
    """Lock and return the batch that a half-open range of labels lies in. Raises `RangeOutsideBatch`."""
    first, end = label_range
    outside = RangeOutsideBatch(_("The range does not lie inside one batch."))
    if not 1 <= first < end <= 10**14:
        raise outside
    batches = Batch.objects.select_for_update(no_key=True).filter(label_range__contains=NumericRange(first, end))
    batch = batches.first()
    if batch is None:
        raise outside
    return batch


class OfGoods(TypedDict, total=False):
    """What is said of the goods that labels are put on."""

    lot: str
    expires_on: date | None
    market: str
    valid_until: date | None
    document: str


def activate(
    *, label_range: tuple[int, int], product: Product, at: datetime, asked_by: str = "", **of_goods: Unpack[OfGoods]
) -> Activation:
    """Put the labels ``first`` … ``end − 1`` on sale, bound to a product; see `activate_ranges`."""
    return activate_ranges(label_ranges=[label_range], product=product, at=at, asked_by=asked_by, **of_goods)[0]


def activate_ranges(
    *,
    label_ranges: Sequence[tuple[int, int]],
    product: Product,
    at: datetime,
    asked_by: str = "",
    **of_goods: Unpack[OfGoods],
) -> list[Activation]:
    """Put ranges of labels (rolls, cartons) on sale, all or none; neighbours of one batch become one activation.

    Above the brand's ``activation_limit`` an approval of exactly this is used up.

    Raises `RangeOutsideBatch`, `NotReady` (by the brand's ``activation_requires``, or lapsed), `WrongGtin`,
    `AlreadyActive`, `UnderRecall`, `NeedsSecondPerson`.
    """
    with transaction.atomic(durable=True):
        made = []
        if needs_second_person(label_ranges):
            _use_approval(activation_payload(label_ranges, product, of_goods), at)
        for first, end in merged(label_ranges):
            batch = lock_batch_of((first, end))
            if end > batch.goods[1]:
                raise RangeOutsideBatch(_("The range reaches into the set-up strips of the batch."))
            _refuse_unready(batch, (first, end), at)
            _refuse_other_gtin(batch, product)
            _refuse_recalled(product, of_goods.get("lot", ""))
            made.append(_bind(batch, (first, end), product, at=at, asked_by=asked_by, of_goods=of_goods))
            if batch.state != Batch.State.ACTIVE:
                batch.state = Batch.State.ACTIVE
                batch.save(update_fields=["state"])
    return made


def needs_second_person(label_ranges: Sequence[tuple[int, int]]) -> bool:
    """Return whether so many labels are above what one person may put on sale at once."""
    limit = connection.tenant.activation_limit
    return limit is not None and sum(end - first for first, end in label_ranges) > limit


def activation_payload(
    label_ranges: Sequence[tuple[int, int]], product: Product, of_goods: OfGoods
) -> dict[str, str | int]:
    """Return what a second person approves: labels by batch and place, and what they are put on."""
    parts = []
    for first, end in merged(label_ranges):
        batch = Batch.objects.filter(label_range__contains=NumericRange(first, end)).first()
        if batch is None:
            raise RangeOutsideBatch(_("The range does not lie inside one batch."))
        start = int(batch.label_range.lower)
        parts.append(f"{batch.number}: {first - start + 1}-{end - start}")
    told = {name: str(value) for name, value in of_goods.items() if value}
    count = sum(end - first for first, end in label_ranges)
    return {"labels": "; ".join(parts), "count": count, "product": product.public_id, **told}


def request_activation(
    *,
    label_ranges: Sequence[tuple[int, int]],
    product: Product,
    by: User,
    at: datetime,
    **of_goods: Unpack[OfGoods],
) -> Approval:
    """Ask for a second person's word on putting exactly this on sale. Raises `RangeOutsideBatch`."""
    return approvals.request(ACTIVATE_ACT, activation_payload(label_ranges, product, of_goods), by=by, at=at)


@inside_transaction
def _use_approval(payload: dict[str, str | int], at: datetime) -> None:
    found = approvals.approved_for(ACTIVATE_ACT, payload, at=at)
    if found is None:
        raise NeedsSecondPerson(_("So many labels go on sale only with a second person's word."))
    approvals.consume(found.pk, ACTIVATE_ACT, payload, at=at)


@inside_transaction
def bind_anew(
    batch: Batch,
    *,
    label_range: tuple[int, int],
    product: Product,
    at: datetime,
    asked_by: str = "",
    **of_goods: Unpack[OfGoods],
) -> Activation:
    """Bind labels on sale to other goods; what was on sale around the range stays as it was. The batch is locked.

    Raises `NotOnSale`, `WrongGtin`.
    """
    _refuse_other_gtin(batch, product)
    first, end = label_range
    open_ones = Activation.objects.filter(cancelled_at=None)
    met = list(open_ones.filter(label_range__overlap=NumericRange(first, end)).order_by("id"))
    bound = sum(min(row.label_range.upper, end) - max(row.label_range.lower, first) for row in met)
    if bound != end - first:
        raise NotOnSale(_("Not every label of the range is on sale: bind them by putting them on sale."))
    open_ones.filter(pk__in=[row.pk for row in met]).update(cancelled_at=at, cancelled_by=asked_by)
    for row in met:
        for rest in ((row.label_range.lower, first), (end, row.label_range.upper)):
            if rest[0] < rest[1]:
                row.pk = None
                row.label_range = NumericRange(*rest)
                row.save(force_insert=True)
    return _bind(batch, label_range, product, at=at, asked_by=asked_by, of_goods=of_goods)


def merged(label_ranges: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return half-open ranges in order, neighbours joined. Those that overlap stay: the database refuses them."""
    found: list[tuple[int, int]] = []
    for first, end in sorted(label_ranges):
        if found and found[-1][1] == first:
            found[-1] = (found[-1][0], end)
        else:
            found.append((first, end))
    return found


@inside_transaction
def _bind(
    batch: Batch, label_range: tuple[int, int], product: Product, *, at: datetime, asked_by: str, of_goods: OfGoods
) -> Activation:
    activation = Activation(
        batch=batch,
        label_range=NumericRange(*label_range),
        product=product,
        activated_at=at,
        activated_by=asked_by,
        **of_goods,
    )
    try:
        with transaction.atomic():
            activation.save(force_insert=True)
    except IntegrityError as error:
        if "a_label_is_activated_once" not in str(error):
            raise
        raise AlreadyActive(_("Some labels of the range are active already.")) from error
    return activation


def _refuse_other_gtin(batch: Batch, product: Product) -> None:
    if batch.gtin_printed != product.gtin:
        raise WrongGtin(_("The labels carry the GTIN of another product."))


def _refuse_recalled(product: Product, lot: str) -> None:
    """Refuse to put goods on sale that are recalled: a recall speaks for what is activated later too."""
    if Recall.objects.filter(product=product, lot__in=["", lot], lifted_at=None).exists():
        raise UnderRecall(_("This product or lot is recalled: nothing of it goes on sale."))


def _refuse_unready(batch: Batch, label_range: tuple[int, int], at: datetime) -> None:
    ready = {Batch.State.RECEIVED, Batch.State.ACTIVE}
    if connection.tenant.activation_requires == Brand.ActivationRequires.GENERATED:
        ready |= {Batch.State.GENERATED, Batch.State.HANDED_OVER}
    if batch.state not in ready:
        raise NotReady(
            _("A batch that is “%(state)s” cannot be activated.") % {"state": batch.get_state_display()},
            state=batch.state,
        )
    if ready == {Batch.State.RECEIVED, Batch.State.ACTIVE} and not queries.is_received(*label_range):
        raise NotReady(_("These labels are on rolls that have not been received."), state="not_received")
    if batch.activate_by is not None and batch.activate_by < queries.local_date(at):
        raise NotReady(_("The labels of this batch have lapsed: they were not activated in time."), state="lapsed")


def cancel_activation(activation: Activation, *, at: datetime, asked_by: str = "") -> Activation:
    """Take an activation back; its labels are not active again. Cancelling twice changes nothing."""
    with transaction.atomic(durable=True):
        Batch.objects.select_for_update(no_key=True).get(pk=activation.batch_id)
        open_ones = Activation.objects.filter(pk=activation.pk, cancelled_at=None)
        open_ones.update(cancelled_at=at, cancelled_by=asked_by)
        activation.refresh_from_db()
    return activation
