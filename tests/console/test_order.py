"""The wizard of orders: what follows is in view, and the choice of template and press goes on to the print."""

from collections.abc import Callable, Iterator
from datetime import datetime

import pyrage
import pytest
from django.test import Client

from brands.models import Brand
from brands.queries import forget_hosts
from common.clock import now
from labels.models import Batch, Product
from printing.services import check_key, create_press
from tests.makers import make_product
from tests.printing.versions import make_version

Browse = Callable[..., Client]


@pytest.fixture
def product(brand: Brand) -> Product:
    return make_product(name="Spring Tea", at=now())


@pytest.fixture
def demanding(brand: Brand) -> Iterator[Brand]:
    Brand.objects.filter(pk=brand.pk).update(activation_requires="received")
    forget_hosts()
    yield brand
    forget_hosts()


def fields(product: Product, **changed: object) -> dict[str, object]:
    return {
        "order_key": "k1",
        "product": product.pk,
        "count": 25_000,
        "secret_form": "N16",
        "roll_labels": 10_000,
    } | changed


def test_the_choice_of_template_and_press_goes_on_to_the_print(browse: Browse, product: Product) -> None:
    version, at = make_version(now()), now()
    press = create_press(name="Red Press", recipient=str(pyrage.x25519.Identity.generate().to_public()), at=at)
    check_key(press, read_out=press.fingerprint, at=at, asked_by="pia")
    owner, chosen = browse(), {"template": version.template.public_id, "press": press.public_id}

    seen = owner.post("/console/batches/preview", fields(product, **chosen)).content.decode()
    ordered = owner.post("/console/batches/new", fields(product, **chosen))["Location"]
    batch = Batch.objects.get()

    assert "<svg" in seen
    assert "3 rolls of 10,000" in seen
    assert seen.count('class="done"') == 4
    assert ordered == f"/console/batches/{batch.public_id}?template={chosen['template']}&press={chosen['press']}"
    Batch.objects.update(state="generated", generated_at=at)
    form = f"/console/batches/{batch.public_id}/print?template={chosen['template']}&amp;press={chosen['press']}"
    assert form in owner.get(ordered).content.decode()
    asked = owner.get(form.replace("&amp;", "&")).context["form"].initial
    assert (asked["template"], asked["press"]) == (version.template_id, press.pk)


def test_a_brand_of_received_rolls_orders_in_rolls(demanding: Brand, browse: Browse, product: Product) -> None:
    owner = browse()
    assert owner.get("/console/batches/new").context["form"]["roll_labels"].value() == 10_000

    refused = owner.post("/console/batches/new", fields(product, roll_labels=""))
    tried = owner.post(
        "/console/batches/new", fields(product, roll_labels="", order_key="k2", test_series="on", count=5)
    )

    assert (refused.status_code, tried.status_code) == (422, 302)
    assert "received rolls" in refused.content.decode()
    assert Batch.objects.get().is_test


@pytest.mark.parametrize(
    "wrong", [{"template": "tpl_nothing"}, {"press": "\x00"}, {"count": "x"}, {"secret_form": "N99"}]
)
def test_what_cannot_be_is_told_beside_its_field(
    browse: Browse, product: Product, wrong: dict[str, str], at: datetime
) -> None:
    assert browse().post("/console/batches/preview", fields(product, **wrong)).status_code == 200
    assert browse().post("/console/batches/new", fields(product, **wrong)).status_code == 422
    assert Batch.objects.count() == 0
