"""Orders of labels: label numbers and slots are taken for ever, once per order key.

Locks: the counter's row, before any other row.
"""

import hashlib
from datetime import datetime
from functools import partial
from uuid import uuid4
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.backends.postgresql.psycopg_any import NumericRange
from django.utils.translation import gettext as _

from common import jobs
from common.canonical import canonical
from common.errors import Conflict, Invalid
from labels.codes.forms import B12, LABEL_FORMS, Form
from labels.models import Batch, Product, Slot
from labels.services.generation import JOB_KIND, push_generation
from labels.services.slots import HARD_MAX_ODDS, lock_counter, max_odds_of_brand, take_slot

MAX_ORDER = 200_000_000
LEAST_ROLL, MAX_ROLL = 1, 100_000
STRIPS = 12  # set-up strips that one handover of a roll takes: half before the labels, half after them
HANDOVERS_A_ROLL = 4


class BadCount(Invalid):
    """A batch has from 1 to 200,000,000 labels."""

    code = "bad_count"


class BadRoll(Invalid):
    """A roll has from 1 to 100,000 labels."""

    code = "bad_roll"


class UnknownForm(Invalid):
    """There is no such form of code."""

    code = "unknown_form"


class OrderKeyReused(Conflict):
    """The order key belongs to another order."""

    code = "order_key_reused"


def order_batch(
    *,
    order_key: str,
    product: Product,
    count: int,
    secret_form: str = "N16",  # noqa: S107 - the name of a form
    at: datetime,
    asked_by: str = "",
    max_odds: float | None = None,
    test_series: bool = False,
    roll_labels: int | None = None,
) -> Batch:
    """Order labels, once per ``order_key``: the same order again returns the same batch.

    Takes label numbers and slots for ever, and leaves a job that generates. ``max_odds`` may only lower the limit.
    With ``roll_labels`` a press prints the batch in rolls of so many: labels for set-up strips are then taken too.
    Raises `OrderKeyReused` (same key, other order), `OddsTooHigh`, `FormsClash`, `BadCount`, `UnknownForm`.
    """
    if not 1 <= count <= MAX_ORDER:
        raise BadCount(_("A batch has from 1 to 200,000,000 labels."))
    form = LABEL_FORMS.get(secret_form)
    if form is None:
        raise UnknownForm(_("There is no such form of code."))
    order_hash = _order_hash(product, count, form, test_series, roll_labels)
    strips = 0 if roll_labels is None else strips_of(count, roll_labels)
    total = count + strips
    with transaction.atomic(durable=True):
        counter = lock_counter()
        earlier = Batch.objects.filter(order_key=order_key).first()
        if earlier is not None:
            if bytes(earlier.order_hash) != order_hash:
                raise OrderKeyReused(_("This order key belongs to another order."))
            return earlier
        limit = max_odds_of_brand(max_odds)
        secret_slot = take_slot(Slot.Purpose.SECRET, form, total, limit, test_series=test_series, at=at)
        serial_slot = take_slot(Slot.Purpose.SERIAL, B12, total, HARD_MAX_ODDS, test_series=test_series, at=at)
        first = counter.next
        counter.next += total
        counter.version = uuid4()
        counter.save()
        number = _next_batch_number(at)
        batch = Batch.objects.create(
            number=number,
            order_key=order_key,
            order_hash=order_hash,
            product=product,
            gtin_printed=product.gtin,
            count=count,
            label_range=NumericRange(first, first + total),
            roll_labels=roll_labels,
            canary_range=NumericRange(first + count, first + total) if strips else None,
            secret_slot=secret_slot,
            serial_slot=serial_slot,
            created_at=at,
            ordered_by=asked_by,
            job=jobs.create(kind=JOB_KIND, subject=number, total=total, at=at, asked_by=asked_by),
        )
        transaction.on_commit(partial(push_generation, batch.pk))
    return batch


def strips_of(count: int, roll_labels: int) -> int:
    """Return how many labels are taken for set-up strips. Raises `BadRoll`."""
    if not LEAST_ROLL <= roll_labels <= MAX_ROLL:
        raise BadRoll(_("A roll has from 1 to 100,000 labels."))
    rolls: int = -(-count // roll_labels)
    return rolls * STRIPS * HANDOVERS_A_ROLL


def _order_hash(product: Product, count: int, form: Form, test_series: bool, roll_labels: int | None) -> bytes:
    order = {"product": product.public_id, "count": count, "form": form.name, "test_series": test_series}
    if roll_labels is not None:
        order["roll_labels"] = roll_labels
    return hashlib.sha256(canonical(order)).digest()


def _next_batch_number(at: datetime) -> str:
    """Return the month and a letter: 2611-A … 2611-Z, 2611-AA … (the counter's row is locked)."""
    month = at.astimezone(ZoneInfo(connection.tenant.time_zone)).strftime("%y%m-")
    place, letters = Batch.objects.filter(number__startswith=month).count(), ""
    while place >= 0:
        place, letter = divmod(place, 26)
        letters = chr(ord("A") + letter) + letters
        place -= 1
    return month + letters
