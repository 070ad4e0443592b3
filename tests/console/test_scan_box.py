"""The search box as a scan box: whatever a scanner sends is read, and the page says as what."""

from collections.abc import Callable
from dataclasses import dataclass

import pytest
from django.db import connection
from django.http import HttpResponse
from django.test import Client
from django.utils import translation

from brands.models import Brand
from console.scanned import hides, readings
from labels.queries import receipt_no, secrets_of, serials_of
from redemption.models import Scan
from redemption.services import verify
from tests.makers import labels_of, make_active_batch, make_attempt, make_product

SSCC = "106141412345678908"
FNC1 = "\x1d"


@dataclass(frozen=True, slots=True)
class World:
    """One label of each brand's form, and how it is called."""

    gtin: str
    serial: str
    secret: str
    other_gtin: str

    @property
    def page(self) -> str:
        return f"/console/labels/{self.serial}"


@pytest.fixture
def world(brand: Brand) -> World:
    batch = make_active_batch(3)
    [number] = labels_of(batch)[:1]
    return World(batch.product.gtin, serials_of([number])[0], secrets_of([number])[0], make_product().gtin)


@pytest.fixture
def scan(browse: Callable[..., Client]) -> Callable[[str], HttpResponse]:
    client = browse()

    def send(text: str) -> HttpResponse:
        return client.post("/console/search", {"q": text}, follow=True)

    return send


LABELS = {
    "link": "HTTPS://BRAND.LOCALHOST/01/{gtin}/21/{serial}",
    "link in small letters": "https://brand.localhost/01/{gtin}/21/{small}",
    "link under caps lock": "hTTPS://bRAND.lOCALHOST/01/{gtin}/21/{small}",
    "link with attributes": "https://id.example/shop/01/{gtin}/10/L1/21/{serial}?17=271200&x=1#top",
    "link from a scanner": "]Q1HTTPS://BRAND.LOCALHOST/01/{gtin}/21/{serial}",
    "DataMatrix": "]d201{gtin}21{serial}",
    "DataMatrix with a lot": "]d201{gtin}21{serial}\x1d10L1",
    "GS1 QR": "]Q301{gtin}21{serial}",
    "GS1-128": "]C101{gtin}21{serial}",
    "DataBar": "]e001{gtin}21{serial}",
    "bare FNC1": "\x1d01{gtin}21{serial}",
    "brackets": "(01){gtin}(21){serial}",
    "brackets and a lot": "(01) {gtin} (10) L1 (21) {serial}",
    "no separator at all": "01{gtin}21{serial}",
    "serial": "{serial}",
    "serial as printed": "{spaced}",
}


@pytest.mark.parametrize("text", LABELS.values(), ids=LABELS)
def test_every_way_to_send_a_label_leads_to_it(world: World, scan: Callable[[str], HttpResponse], text: str) -> None:
    serial = world.serial
    typed = text.format(
        gtin=world.gtin, serial=serial, small=serial.lower(), spaced=f"{serial[:4]}-{serial[4:8]} {serial[8:]}".lower()
    )

    page = scan(typed)

    assert page.redirect_chain == [(world.page, 302)]
    if world.gtin in typed:
        assert f"GTIN {world.gtin}" in page.content.decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("]d201{gtin}21{serial}17271200", "A separator was lost behind the serial and has been put back."),
        ("]D201{gtin}21{small}", "is Caps Lock on?"),
    ],
)
def test_what_was_mended_is_said_before_the_hit_is_opened(
    world: World, scan: Callable[[str], HttpResponse], text: str, said: str
) -> None:
    page = scan(text.format(gtin=world.gtin, serial=world.serial, small=world.serial.lower()))

    assert world.page in [hit.href for hit in page.context["hits"]]
    assert said in page.content.decode()
    assert world.gtin in page.content.decode()


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("/01/09501101530004/21/A", "The check digit of (01) does not fit."),
        ("https://b.example/01/09501101530003/21/A/10/B", "(10) stands in the wrong place."),
        ("(01)09501101530004(21)A", "(01) The check digit is wrong."),
        ("(21)5JQ2D4Y8562N", "(21) A serial says nothing without its GTIN."),
        ("(01)09501101530003(17)261399", "(17) There is no such date."),
        ("(01)09501101530003(10)A(10)B", "(10) The identifier is there twice, with two values."),
        (f"]C100{SSCC}", f'SSCC</span> <span class="id">{SSCC}'),
        (SSCC, "No case or pallet of this number is known."),
        ("/00/106141412345678908", f'SSCC</span> <span class="id">{SSCC}'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_named(brand: Brand, scan: Callable[[str], HttpResponse], text: str, said: str) -> None:
    page = scan(text)

    assert page.status_code == 200
    assert said in page.content.decode()
    assert "Read as" in page.content.decode()


def test_a_serial_under_another_gtin_shows_label_and_product_and_says_so(
    world: World, scan: Callable[[str], HttpResponse]
) -> None:
    page = scan(f"(01){world.other_gtin}(21){world.serial}")

    assert {hit.href.rsplit("/", 1)[0] for hit in page.context["hits"]} == {"/console/labels", "/console/products"}
    assert "The serial is ours, but of another product than this GTIN." in page.content.decode()


def test_a_product_alone_and_a_receipt_lead_to_their_pages(world: World, scan: Callable[[str], HttpResponse]) -> None:
    verify(make_attempt(None, serial=world.serial))

    assert scan(f"]e001{world.gtin}").redirect_chain[0][0].startswith("/console/products/")
    assert scan(receipt_no(Scan.objects.get().pk)).redirect_chain[0][0].startswith("/console/receipts/")


def test_a_receipt_that_could_be_a_serial_leads_to_its_page_all_the_same(
    world: World, scan: Callable[[str], HttpResponse]
) -> None:
    verify(make_attempt(None, serial=world.serial))
    last = Scan.objects.get().pk
    likely = next(pk for pk in range(last + 1, last + 10_000) if any(way.notes for way in readings(receipt_no(pk))))
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval('redemption_scan_id_seq') FROM generate_series(%s, %s)", [last + 2, likely])
    verify(make_attempt(None, serial=world.serial))

    assert scan(receipt_no(likely)).redirect_chain[0][0].startswith("/console/receipts/")


def test_a_hidden_code_opens_its_label_and_is_never_shown_whole(
    world: World, scan: Callable[[str], HttpResponse], browse: Callable[..., Client]
) -> None:
    found = scan(" ".join(world.secret))
    slip = world.secret[:-1] + str((int(world.secret[-1]) + 1) % 10)
    wrong = scan(slip)

    assert found.redirect_chain == [(world.page, 302)]
    assert world.secret not in found.content.decode()
    assert wrong.status_code == 200
    assert slip not in wrong.content.decode()
    assert browse().get(f"/console/labels/{world.secret}").status_code == 404
    assert browse().get(world.page).status_code == 200


def test_a_hidden_code_beside_other_hits_is_masked(world: World) -> None:
    with translation.override("en"):
        [read] = readings(world.secret)

    assert read.line() == f"Read as Hidden code: Code {world.secret[:4]}…{world.secret[-2:]}."
    assert hides(world.secret, [read])
    assert not hides(world.serial, readings(world.serial))
    assert not hides("oolong", readings("oolong"))


def test_a_name_is_still_found_and_stays_in_the_box(world: World, scan: Callable[[str], HttpResponse]) -> None:
    page = scan("Tea")

    assert len(page.context["hits"]) == 2
    assert 'value="Tea"' in page.content.decode()
