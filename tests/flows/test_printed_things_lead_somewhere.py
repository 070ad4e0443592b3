"""What is printed is scanned: a shelf talker's QR code names its shop at the redemption, a case's leads to the case."""

from datetime import datetime
from io import BytesIO
from urllib.parse import urlsplit

import numpy as np
import pypdfium2
import pytest
import zxingcpp
from django.db import connection
from django.test import Client

from brands.models import Brand
from channel.models import Partner
from channel.services import close
from common.clock import now
from console.print_views import cards_of, talkers_of
from members.card_numbers import card_numbers, member_id_of
from members.models import Member
from members.personal import erase_member
from printing import designs, runs, starters
from printing.runs import NewPacks, NotToRun
from redemption.models import Redemption
from staff.models import Audit, User
from tests.makers import (
    RETAILER_POINTS,
    make_active_batch,
    make_campaign,
    make_member,
    make_partner,
    secret_of,
    serial_of,
)
from tests.redemption.web import Person, words


def staff(role: str = "owner") -> Client:
    User.objects.get_or_create(username=role, defaults={"role": role})
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.get(username=role))
    return client


def scanned(data: bytes, page: int = 0) -> list[str]:
    picture = pypdfium2.PdfDocument(BytesIO(data))[page].render(scale=300 / 72, grayscale=True).to_numpy()
    return [one.text for one in zxingcpp.read_barcodes(np.asarray(picture))]


@pytest.fixture
def shop(brand: Brand, at: datetime) -> Partner:
    return make_partner("retailer", name="Bluestone Street Tea")


def test_a_shelf_talker_pays_the_shop_that_hung_it(brand: Brand, shop: Partner) -> None:
    at = now()
    batch = make_active_batch(1, at=at)
    make_campaign(product=batch.product, at=at)
    version = designs.create_template(name="Shelf", kind="talker", layout=starters.layout("talker"), at=at)
    office = staff()
    ordered = office.post(
        "/console/runs/talkers", {"order_key": "k", "template": version.template.pk, "subjects": [shop.public_id]}
    )
    pdf = office.get(f"{ordered['Location']}/file.pdf", follow=True)
    (link,) = scanned(pdf.content)

    person = Person()
    person.get(urlsplit(link).path)
    secret, serial = secret_of(batch.label_range.lower), serial_of(batch.label_range.lower)
    person.claim(person.get(f"/01/{batch.gtin_printed}/21/{serial}"), secret)

    assert link == f"https://brand.localhost/p/{shop.number}"
    assert Redemption.objects.get().retailer_id == shop.pk
    shop.account.refresh_from_db()
    assert shop.account.posted == RETAILER_POINTS
    assert Audit.objects.filter(act="export", table_name="printing_run").count() == 1


def test_a_closed_partner_gets_no_shelf_talker(brand: Brand, shop: Partner, at: datetime) -> None:
    version = designs.create_template(name="Shelf", kind="talker", layout=starters.layout("talker"), at=at)
    run = runs.order_for(version, [shop.public_id], order_key="k", at=at)
    assert len(talkers_of(run)) == 1

    close(shop.public_id)

    with pytest.raises(NotToRun):
        talkers_of(run)


def test_a_case_is_known_by_its_qr_code_at_the_door_and_in_the_search_box(brand: Brand, at: datetime) -> None:
    connection.tenant.gs1_prefix = "9501101"
    batch = make_active_batch(24, at=at)
    version = designs.create_template(name="Case", kind="case", layout=starters.layout("case"), at=at)
    run = runs.order_packs(version, NewPacks(batch, 1, 24, 24), order_key="k", at=at)
    said = scanned(runs.pdf(run, runs.records_of(run)))
    link = next(text for text in said if text.startswith("HTTPS"))
    sscc = link.rpartition("/")[2]

    page = Client(HTTP_HOST="brand.localhost", HTTP_ACCEPT_LANGUAGE="en").get(urlsplit(link).path)
    found = staff().post("/console/search", {"q": f"]C100{sscc}"}, follow=True)

    assert page.status_code == 200
    assert f"24 × {batch.product.name}" in words(page)
    assert (
        found.redirect_chain[-1][0] == f"/console/runs/{run.public_id}"
        or f"/console/runs/{run.public_id}" in found.content.decode()
    )
    assert Client(HTTP_HOST="brand.localhost").get("/00/106141412345678908").status_code == 404


def test_a_card_has_name_and_number_and_the_number_finds_the_member(brand: Brand, at: datetime) -> None:
    member = make_member(at=at)
    version = designs.create_template(name="Card", kind="card", layout=starters.layout("card"), at=at)
    office = staff()

    ordered = office.post(
        "/console/runs/cards", {"order_key": "k", "template": version.template.pk, "subjects": [member.public_id]}
    )
    pdf = office.get(f"{ordered['Location']}/file.pdf", follow=True)

    (number,) = card_numbers([member.pk])
    assert scanned(pdf.content) == [number, number]
    assert member_id_of(f"{number[:4]} {number[4:]}") == member.pk
    assert member_id_of(number[:-1] + str((int(number[-1]) + 1) % 10)) is None
    assert f"/console/members/{member.public_id}" in str(
        office.post("/console/search", {"q": number}, follow=True).redirect_chain
    )
    assert staff("production").get(ordered["Location"] + "/file.pdf", follow=True).status_code == 403
    erase_member(member, at=at, asked_by="ada")
    with pytest.raises(NotToRun):
        cards_of(runs.Run.objects.get())
    assert Member.objects.get().phone == ""
