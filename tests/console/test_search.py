from collections.abc import Callable

import pytest
from django.test import Client

from brands.models import Brand
from labels.queries import receipt_no
from redemption.models import Scan
from redemption.services import redeem
from tests.makers import (
    labels_of,
    make_active_batch,
    make_attempt,
    make_campaign,
    make_partner,
    make_product,
    secret_of,
    serial_of,
)


@pytest.fixture
def known(real_commits: Brand) -> dict[str, str]:
    """One of everything, and how each is called."""
    product = make_product(name="Mist Ridge Oolong", name_zh="雾岭乌龙", sku="MRO-250")
    campaign = make_campaign(product=product, name="Spring Thanks", name_zh="春季谢礼")
    batch = make_active_batch(5, product=product)
    make_partner("retailer", number="R1001", name="Bluestone Street")
    number = labels_of(batch)[0]
    redeem(make_attempt(secret_of(number)))
    serial = serial_of(number)
    receipt = receipt_no(Scan.objects.get().pk)
    return {
        "serial": serial,
        "secret": secret_of(number),
        "spaced secret": " ".join(secret_of(number)),
        "link": f"HTTPS://BRAND.LOCALHOST/01/{product.gtin}/21/{serial}",
        "receipt": receipt,
        "spaced receipt": f"{receipt[:4]} {receipt[4:8]}-{receipt[8:]}",
        "batch": batch.number.lower(),
        "batch id": batch.public_id,
        "gtin": product.gtin,
        "short gtin": product.gtin.lstrip("0"),
        "sku": "mro-250",
        "product": "oolong",
        "product zh": "乌龙",
        "phone": "138 0013 8000",
        "partner": "r1001",
        "partner name": "bluestone",
        "campaign": campaign.public_id,
        "campaign name": "thanks",
    }


WHERE = {
    "serial": "/console/labels/", "secret": "/console/labels/", "spaced secret": "/console/labels/",
    "link": "/console/labels/", "receipt": "/console/receipts/", "spaced receipt": "/console/receipts/",
    "batch": "/console/batches/", "batch id": "/console/batches/", "gtin": "/console/products/",
    "short gtin": "/console/products/", "sku": "/console/products/", "product": "/console/products/",
    "product zh": "/console/products/", "phone": "/console/members/", "partner": "/console/partners/",
    "partner name": "/console/partners/", "campaign": "/console/campaigns/", "campaign name": "/console/campaigns/",
}  # fmt: skip


def test_every_kind_of_number_finds_its_page(known: dict[str, str]) -> None:
    client = _client("owner")
    found = {name: client.post("/console/search", {"q": typed})["Location"] for name, typed in known.items()}

    assert {name: href[: len(WHERE[name])] for name, href in found.items()} == WHERE
    assert known["secret"] not in "".join(found.values())


def test_what_a_scanner_sends_finds_the_label_and_says_what_it_read(known: dict[str, str]) -> None:
    typed = "]d20109501101530003" + "21" + known["serial"] + "10LOT7\x1d17270231"

    page = _client("owner").post("/console/search", {"q": typed})

    text = page.content.decode()
    assert f"/console/labels/{known['serial']}" in [hit.href for hit in page.context["hits"]]
    assert [name for name, _value in page.context["read"][0].parts] == ["GTIN", "Serial", "Lot"]
    assert "There is no such date." in text
    assert "separator was lost" in text


def test_a_wrong_digit_finds_nothing(known: dict[str, str]) -> None:
    client = _client("owner")
    for name in ("serial", "secret", "receipt"):
        typed = known[name]
        wrong = typed[:-1] + ("1" if typed[-1] != "1" else "2")

        page = client.post("/console/search", {"q": wrong})

        assert page.status_code == 200
        assert page.context["hits"] == []


def test_all_hits_are_shown(known: dict[str, str]) -> None:
    make_product(name="Oolong of the valley", name_zh="谷中乌龙")

    page = _client("owner").post("/console/search", {"q": "oolong"})

    assert len(page.context["hits"]) == 2


def test_a_role_finds_only_what_it_may_open(known: dict[str, str]) -> None:
    assert _client("support").post("/console/search", {"q": known["phone"]}).status_code == 302

    page = _client("warehouse").post("/console/search", {"q": known["phone"]})

    assert page.context["hits"] == []


def test_another_brand_finds_nothing(known: dict[str, str]) -> None:
    from django.db import connection

    from brands.models import Brand as AnyBrand

    connection.set_tenant(AnyBrand.objects.get(schema_name="stranger"))
    client = _client("owner", host="stranger.localhost")

    for typed in known.values():
        page = client.post("/console/search", {"q": typed})
        assert page.status_code == 200, typed
        assert page.context["hits"] == []


@pytest.mark.parametrize(
    "typed", ["", "\x00", "'", "%", "😀" * 300, "٣٣٣٣", "/01/x/21/y", "٪", "+", "a" * 10_000, "\ud800"]
)
def test_nothing_typed_breaks_it(browse: Callable[..., Client], typed: str) -> None:
    data = f"q={typed}".encode("utf-8", "surrogatepass")

    page = browse().post("/console/search", data, content_type="application/x-www-form-urlencoded")

    assert page.status_code == 200


def _client(role: str, host: str = "brand.localhost") -> Client:
    from staff.models import User

    user, _ = User.objects.get_or_create(username=f"the-{role}", defaults={"role": role})
    client = Client(HTTP_HOST=host)
    client.force_login(user)
    return client
