"""Goods are recalled by what they are packed in, after exact counts: what it takes in, and where that is."""

import pytest
from django.test import Client

from brands.models import Brand
from channel.models import Document
from labels.models import Block
from redemption.services import redeem
from tests.channel.goods import Goods, ago, items, make_goods, paper, send
from tests.channel.test_goods_pages import signed_in
from tests.makers import make_attempt, make_campaign, secret_of, serial_of

PATH = "/console/recalls/goods"


@pytest.fixture
def goods(brand: Brand) -> Goods:
    return make_goods()


@pytest.fixture
def owner(goods: Goods) -> Client:
    return signed_in("owner")


def test_the_counts_are_shown_and_typed_before_anything_happens(owner: Client, goods: Goods) -> None:
    from channel.packing import unpack

    make_campaign(at=ago(days=5))
    send(goods, goods.a, 0, at=ago(days=2))
    redeem(make_attempt(secret_of(goods.labels(0)[0]), at=ago(days=1)))
    unpack(paper(ago(hours=3)), goods.cases[0], items(serial_of(goods.labels(0)[1])))
    form = {
        "items": f"{goods.cases[0]}\n{serial_of(goods.labels(1)[0])}\nnonsense",
        "number": "RC-1",
        "reason": "glass",
    }

    asked = owner.post(PATH, form)
    wrong = owner.post(PATH, form | {"typed": "4"})

    page = asked.content.decode()
    assert (asked.status_code, wrong.status_code) == (200, 422)
    assert "neither an SSCC nor a serial" in page
    assert goods.a.display_name in page
    assert "That is not the number of labels." in wrong.content.decode()
    assert not Document.objects.filter(kind="recall").exists()
    done = owner.post(PATH, form | {"typed": "5"})
    assert done.status_code == 302
    assert sum(one.label_range.upper - one.label_range.lower for one in Block.objects.filter(reason="recalled")) == 5
    assert owner.post(PATH, form | {"typed": "5"}).headers["Location"] == done.headers["Location"]


def test_lines_that_name_nothing_are_refused_and_kept(owner: Client, goods: Goods) -> None:
    answer = owner.post(PATH, {"items": "nonsense", "number": "RC-1", "reason": ""})

    page = answer.content.decode()
    assert (answer.status_code, "None of these lines" in page, "nonsense" in page) == (422, True, True)


def test_only_who_may_recall(goods: Goods) -> None:
    assert [signed_in(role).get(PATH).status_code for role in ("legal", "warehouse")] == [200, 403]
