"""Goods on the console."""

from datetime import date

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client

from brands.models import Brand
from channel.acts import agree, propose_transfer
from channel.models import Contract, Document, Partner, Territory
from channel.queries import custody_at
from common.clock import now
from staff.models import User
from tests.channel.goods import Goods, ago, items, make_goods, make_region, paper, send


@pytest.fixture
def goods(brand: Brand) -> Goods:
    return make_goods()


def signed_in(role: str) -> Client:
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.create_user(role, password="x", role=role))
    return client


@pytest.fixture
def owner(brand: Brand) -> Client:
    return signed_in("owner")


def test_lines_are_typed_and_uploaded_and_answered(owner: Client, goods: Goods) -> None:
    file = SimpleUploadedFile("lines.csv", f"\ufeffitem,condition\r\n{goods.cases[1]},\r\nnonsense,\r\n".encode())
    form = {"act": "ship", "partner": goods.a.number, "number": "SO-9", "items": goods.cases[0], "file": file}

    answer = owner.post("/console/goods/record", form)

    page = owner.get(answer.headers["Location"]).content.decode()
    document = Document.objects.get(number="SO-9")
    assert (document.accepted, document.rejected, document.recorded_by) == (2, 1, "owner")
    assert "neither an SSCC nor a serial" in page
    assert goods.cases[0] in page
    came = {"act": "receive", "partner": goods.a.number, "number": "R", "items": f"{goods.cases[0]}, short"}
    owner.post("/console/goods/record", came)
    held = custody_at(goods.labels(0)[0], now())
    assert held is not None
    assert held.state == "missing"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"partner": "D9999"}, "no such partner"),
        ({"items": ""}, "at least one line"),
        ({"happened_at": "0001-01-01T00:00"}, "no such goods then"),
        ({"number": ""}, "required"),
        ({"file": SimpleUploadedFile("x.csv", b"\xff\xfe")}, "not in UTF-8"),
        ({"file": SimpleUploadedFile("x.csv", b"sscc\n1\n")}, "no column item"),
        ({"file": SimpleUploadedFile("x.csv", b"item" * 60_000)}, "cannot be read"),
    ],
)
def test_a_form_that_cannot_be_read_says_why(
    owner: Client, goods: Goods, change: dict[str, object], words: str
) -> None:
    form = {"act": "ship", "partner": goods.a.number, "number": "SO-9", "items": goods.cases[0]} | change

    answer = owner.post("/console/goods/record", form)

    assert answer.status_code == 422
    assert words in answer.content.decode()


def test_pages_show_documents_units_and_regions(owner: Client, goods: Goods) -> None:
    region = make_region("CN", kind="country", name="China")
    Territory.objects.create(partner=goods.a, region=region, valid_from=date(2020, 1, 1))
    sent = send(goods, goods.a, 0).document
    send(goods, goods.b, 0)

    pages = {path: owner.get(path).content.decode() for path in (
        "/console/goods", "/console/goods?kind=desk", f"/console/goods/{sent.public_id}",
        f"/console/goods/units/{goods.cases[0]}", "/console/regions", f"/console/partners/{goods.a.public_id}",
    )}  # fmt: skip

    assert sent.number in pages["/console/goods"]
    assert sent.number not in pages["/console/goods?kind=desk"]
    assert "held" not in pages[f"/console/goods/{sent.public_id}"]
    assert goods.a.display_name in pages[f"/console/goods/units/{goods.cases[0]}"]
    assert "China" in pages["/console/regions"]
    assert "China" in pages[f"/console/partners/{goods.a.public_id}"]
    assert sent.number in owner.get("/console/goods?format=csv").content.decode()
    assert owner.get("/console/goods/units/395210000123456786").status_code == 404
    assert owner.get("/console/goods/doc_none").status_code == 404
    assert owner.get("/console/regions?in=%00&q=%00").status_code == 200


def test_the_brand_decides(owner: Client, goods: Goods) -> None:
    sent = send(goods, goods.a, 0, 1, at=ago(days=1)).document
    proposal = propose_transfer(
        paper(ago(hours=1), goods.a), items(goods.cases[0]), source=goods.a, destination=goods.b
    )

    owner.post(f"/console/goods/{proposal.document.public_id}/decide", {"act": "refuse"})
    owner.post(f"/console/goods/{sent.public_id}/decide", {"act": "cancel"})

    states = Document.objects.in_bulk([proposal.document.pk, sent.pk])
    assert states[proposal.document.pk].state == "refused"
    assert states[sent.pk].state == "cancelled"
    assert signed_in("auditor").post(f"/console/goods/{sent.public_id}/decide").status_code == 403


def test_a_transfer_is_proposed_and_waits_for_both(owner: Client, goods: Goods) -> None:
    send(goods, goods.a, 0, at=ago(days=1))
    form = {"act": "transfer", "partner": goods.b.number, "giver": goods.a.number.lower(), "number": "T-1"}

    answer = owner.post("/console/goods/record", form | {"items": goods.cases[0]})

    proposed = Document.objects.get(kind="transfer")
    assert answer.headers["Location"] == f"/console/goods/{proposed.public_id}"
    assert (proposed.state, proposed.source, proposed.destination) == ("proposed", goods.a, goods.b)
    agree(proposed, side="source", at=now())
    assert agree(proposed, side="destination", at=now()).state == "done"
    held = custody_at(goods.labels(0)[0], now())
    assert held is not None
    assert held.partner_id == goods.b.pk
    alone = owner.post("/console/goods/record", form | {"giver": "", "number": "T-2", "items": goods.cases[0]})
    assert (alone.status_code, "no such partner" in alone.content.decode()) == (422, True)
    owner.post("/console/goods/record", form | {"number": "T-3", "items": goods.cases[1]})
    assert Document.objects.get(number="T-3").state == "refused", "nothing of it could ever move"


def test_territories_and_contracts_are_given(owner: Client, goods: Goods) -> None:
    make_region("CN", kind="country")
    days = {"valid_from": "2026-01-01", "valid_to": ""}
    path = f"/console/partners/{goods.a.public_id}"

    owner.post(f"{path}/territories", {"region": "CN", **days})
    owner.post(f"{path}/contracts", {"number": "V-1", **days})

    assert Territory.objects.get().partner == goods.a
    assert Contract.objects.get().number == "V-1"
    other = owner.post(f"/console/partners/{goods.b.public_id}/territories", {"region": "CN", **days})
    assert (other.status_code, "Somebody has this region" in other.content.decode()) == (422, True)
    again = owner.post(f"{path}/contracts", {"number": "V-1", **days})
    assert again.status_code == 422
    assert owner.post(f"{path}/territories", {"region": "XX", **days}).status_code == 422
    assert (
        owner.post(
            f"{path}/contracts", {"number": "V", "valid_from": "2026-02-01", "valid_to": "2026-01-01"}
        ).status_code
        == 422
    )


def test_a_partner_has_a_partner_above_and_a_gln(owner: Client, goods: Goods) -> None:
    base = {"name": "Shop", "name_zh": "", "region": ""}
    path = f"/console/partners/{goods.a.public_id}/edit"

    circle = owner.post(path, {**base, "parent": goods.shop.number})
    wrong = owner.post(path, {**base, "gln": "9521000000019"})
    right = owner.post(path, {**base, "gln": "9521000000018", "sells_online": "on"})

    assert (circle.status_code, wrong.status_code, right.status_code) == (422, 422, 302)
    saved = Partner.objects.get(pk=goods.a.pk)
    assert (saved.gln, saved.sells_online, saved.parent) == ("9521000000018", True, None)


@pytest.mark.parametrize(("kind", "letter"), [("sub_distributor", "S"), ("ecommerce", "E")])
def test_partners_of_every_kind_are_taken_on(owner: Client, kind: str, letter: str) -> None:
    owner.post("/console/partners/new", {"kind": kind, "name": "New", "name_zh": "", "region": ""})

    assert Partner.objects.get(kind=kind).number.startswith(letter)
