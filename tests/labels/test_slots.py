"""Slots: their odds are shown, they are retired and closed, and no key is ever shown."""

from collections.abc import Callable
from datetime import datetime

import pytest
from django.test import Client

from brands.models import Brand
from labels import keys, queries
from labels.models import Batch, Slot
from labels.services import SlotsInUse, order_batch
from labels.services.retiring import SlotNotOpen, close_slot, retire_slot
from tests.console.conftest import browse  # noqa: F401
from tests.labels.conftest import MakeBatch

Browse = Callable[..., Client]


def test_a_retired_slot_gets_no_order_and_still_reads_its_codes(make_batch: MakeBatch, at: datetime) -> None:
    batch = make_batch(100)
    code = queries.secrets_of([1])[0]
    retire_slot(batch.secret_slot_id)

    other = make_batch(100)

    assert (other.secret_slot.number, other.secret_slot.generation) == (batch.secret_slot.number + 1, 0)
    assert queries.resolve(code, purpose="secret").label_no == 1
    with pytest.raises(SlotNotOpen):
        retire_slot(batch.secret_slot_id)


def test_a_slot_is_closed_once_none_of_its_labels_lives(make_batch: MakeBatch, at: datetime) -> None:
    batch = make_batch(100)
    with pytest.raises(SlotNotOpen):
        close_slot(batch.secret_slot_id, at=at)
    retire_slot(batch.secret_slot_id)
    with pytest.raises(SlotsInUse):
        close_slot(batch.secret_slot_id, at=at)
    Batch.objects.update(state="closed")

    assert close_slot(batch.secret_slot_id, at=at).state == "closed"


def test_the_test_series_is_never_retired(make_batch: MakeBatch) -> None:
    with pytest.raises(SlotNotOpen):
        retire_slot(make_batch(10, test_series=True).secret_slot_id)


def test_the_pages_show_odds_and_no_key(make_batch: MakeBatch, browse: Browse) -> None:  # noqa: F811
    batch = make_batch(1000)
    slot = batch.secret_slot
    material = keys.slot_key(queries.slot_ref(slot)).hex()
    shown = browse("auditor").get("/console/slots").content.decode()
    one = browse("auditor").get(f"/console/slots/{slot.pk}").content.decode()
    lines = browse("auditor").get("/console/slots?format=csv").content.decode()

    for page in (shown, one):
        assert "1 in 100,000,000,000" in page  # 1000 of 10^14
        assert "1 in 1,000,000" in page  # when full
        assert material not in page.lower()
    assert batch.number in one
    assert "N16/1" in lines
    assert "100000000" in lines


def test_only_an_owner_retires_and_types_the_name(make_batch: MakeBatch, browse: Browse) -> None:  # noqa: F811
    slot = make_batch(10).secret_slot
    path = f"/console/slots/{slot.pk}/change"
    assert browse("production").post(path, {"typed": str(slot)}).status_code == 403
    browse().post(path, {"typed": "N16/2"})
    assert Slot.objects.get(pk=slot.pk).state == "open"

    browse().post(path, {"typed": str(slot)})
    assert Slot.objects.get(pk=slot.pk).state == "decrypt_only"
    browse().post(path, {"typed": str(slot)})  # labels are alive
    assert Slot.objects.get(pk=slot.pk).state == "decrypt_only"


def test_a_full_form_is_told(brand: Brand, make_batch: MakeBatch, at: datetime) -> None:
    batch = make_batch(10)
    for slot in Slot.objects.filter(purpose="secret"):
        retire_slot(slot.pk)

    assert order_batch(order_key="next", product=batch.product, count=1, at=at).secret_slot.number == 2
