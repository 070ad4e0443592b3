"""Goods, units and regions as people see them: both languages, light and dark, phone and desk."""

from collections.abc import Callable
from datetime import date

import pytest
from django.test import Client
from playwright.sync_api import Page

from brands.models import Brand
from channel.acts import Item, propose_transfer, receive, ship
from channel.models import Contract, Region, Territory
from channel.packing import Filling, pack, relabel
from channel.services import keep_line
from staff.models import User
from tests.browser.conftest import DESK, PHONE, looked_at
from tests.channel.goods import ago, items, make_goods, make_region, new_sscc, paper, send


@pytest.fixture
def signed_in(live: str, real_commits: Brand) -> tuple[Client, dict[str, str]]:
    ada = User.objects.create_user("ada", password="x", role="owner")
    goods, pallet = make_goods(3), new_sscc()
    pack(paper(ago(days=9)), [Filling(pallet, "pallet", case) for case in goods.cases])
    country = make_region("CN", kind="country", name="China")
    Region.objects.create(code="CN-GD", kind="province", parent=country, name="Guangdong", name_zh="广东")
    Territory.objects.create(partner=goods.a, region=country, valid_from=date(2025, 1, 1))
    Contract.objects.create(partner=goods.a, number="V-2025-0007", valid_from=date(2025, 1, 1), note="Tea, all lines")
    lines = items(goods.cases[0], goods.cases[0], "https://example.com/" + "x" * 120)
    sent = ship(paper(ago(days=2), number="SO-2026-0815"), lines, source=None, destination=goods.a).document
    send(goods, goods.b, 0)
    receive(paper(ago(days=1), goods.a), [Item(goods.cases[0], "damaged")], receiver=goods.a)
    move = propose_transfer(paper(ago(hours=2), goods.a), items(goods.cases[0]), source=goods.a, destination=goods.b)
    line = keep_line(None, name="Green teas", name_zh="绿茶", products=[goods.batch.product])
    Territory.objects.create(partner=goods.b, region=country, line=line, valid_from=date(2025, 1, 1))
    ended = Territory.objects.create(
        partner=goods.a, region=country, line=line, valid_from=date(2024, 1, 1), valid_to=date(2024, 12, 31)
    )
    old = goods.cases[2]
    relabel(paper(ago(hours=1)), old, new_sscc())
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(ada)
    return client, {
        "goods": "/console/goods",
        "goods-none": "/console/goods?kind=recall",
        "document": f"/console/goods/{sent.public_id}",
        "transfer": f"/console/goods/{move.document.public_id}",
        "case": f"/console/goods/units/{goods.cases[0]}",
        "pallet": f"/console/goods/units/{pallet}",
        "record": "/console/goods/record",
        "regions": "/console/regions",
        "regions-in": "/console/regions?in=CN",
        "partner-rights": f"/console/partners/{goods.a.public_id}",
        "pack": f"/console/goods/pack?sscc={goods.cases[1]}",
        "open": f"/console/goods/units/{goods.cases[1]}/open",
        "relabel": f"/console/goods/units/{goods.cases[1]}/relabel",
        "relabelled": f"/console/goods/units/{old}",
        "recall-goods": f"/console/recalls/goods?sscc={goods.cases[1]}",
        "lines": "/console/product-lines",
        "line": f"/console/product-lines/{line.public_id}",
        "line-edit": f"/console/product-lines/{line.public_id}/edit",
        "territory-days": f"/console/partners/{goods.a.public_id}/territories/{ended.pk}",
        "territory": f"/console/partners/{goods.a.public_id}/territories",
    }


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("zh-CN", True)])
def test_pages(signed_in: tuple[Client, dict[str, str]], visit: Callable[..., Page], language: str, dark: bool) -> None:
    client, pages = signed_in
    for size in (DESK, PHONE):
        page = visit(language=language, dark=dark, size=size, client=client)
        for name, path in pages.items():
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            looked_at(page, f"{name}-{size['width']}-{language[:2]}-{'dark' if dark else 'light'}")


@pytest.mark.parametrize(("language", "dark"), [("en", True), ("zh-CN", False)])
def test_counts_and_faults(
    signed_in: tuple[Client, dict[str, str]], visit: Callable[..., Page], language: str, dark: bool
) -> None:
    client, pages = signed_in
    for size in (DESK, PHONE):
        page = visit(language=language, dark=dark, size=size, client=client)
        look = f"{size['width']}-{language[:2]}-{'dark' if dark else 'light'}"
        page.goto(pages["recall-goods"])
        page.locator("form.form button").first.click()
        page.wait_for_selector("[name=typed]")
        looked_at(page, f"recall-goods-counted-{look}")
        page.goto(pages["pack"])
        page.locator("[name=sscc]").fill("306901230000000131")
        page.locator("[name=items]").fill("TYPED")
        page.locator("form.form button").first.click()
        page.wait_for_selector(".err")
        assert page.locator("[name=items]").input_value() == "TYPED"
        looked_at(page, f"pack-wrong-{look}")
