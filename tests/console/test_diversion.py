"""The list of findings: whose, in which order, narrowed as asked, and as a file."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from analytics.casework import open_case
from brands.models import Brand
from channel.models import Document
from labels.models import Product
from staff.models import User
from tests.conftest import NOW
from tests.console.found import Found, another, finding_of, make_found, make_run

PATH = "/console/diversion"
Browse = Callable[..., Client]


@pytest.fixture
def found(brand: Brand) -> Found:
    return make_found()


def numbers(client: Client, query: str = "") -> list[str]:
    """Return the numbers of the shipments that the page lists, in its order."""
    page = client.get(f"{PATH}{query}")
    assert page.status_code == 200, page.content[:500]
    return [row.shipment.number for row in page.context["rows"]]


def test_a_finding_says_who_where_and_how_sure(browse: Browse, found: Found) -> None:
    text = browse("analyst").get(PATH).content.decode()

    for words in (found.a.display_name, f"→ {found.b.display_name}", "0.94", "accusable", found.shipment.number):
        assert words in text, words
    assert "50.0 %" in text  # four of eight labels scanned
    assert "no file" in text


def test_without_a_run_the_page_says_what_is_missing(browse: Browse, brand: Brand) -> None:
    page = browse("analyst").get(PATH)

    assert page.status_code == 200
    assert "Nothing has been judged yet." in page.content.decode()


def test_the_order_is_what_may_be_lost(browse: Browse, found: Found) -> None:
    dear, cheap = another(found, priority=900.0, probability=0.8), another(found, priority=0.5, probability=0.99)
    of = {row.pk: row.number for row in Document.objects.all()}

    listed = numbers(browse("analyst"))

    assert listed == [of[dear.shipment_id], found.shipment.number, of[cheap.shipment_id]]


def test_the_newest_finding_of_the_newest_run_stands(browse: Browse, found: Found) -> None:
    finding_of(found.run, found.shipment, dest=found.b, probability=0.99, found_at=NOW + timedelta(hours=1))
    page = browse("analyst").get(PATH)
    assert [row.finding.probability for row in page.context["rows"]] == [0.99]

    make_run(NOW + timedelta(days=1))

    assert numbers(browse("analyst")) == []


def test_what_is_not_on_the_list_is_shown_on_request(browse: Browse, found: Found) -> None:
    another(found, alert=False, level="watch", probability=0.3)

    assert len(numbers(browse("analyst"))) == 1
    assert len(numbers(browse("analyst"), "?watched=1")) == 2


@pytest.mark.parametrize(
    ("query", "listed"),
    [
        ("?level=accusable", 1),
        ("?level=watch", 0),
        ("?distributor={a}", 1),
        ("?distributor={b}", 0),
        ("?distributor=par_unknown", 0),
        ("?region=CN-44", 1),
        ("?region=CN-440100", 1),
        ("?region=CN-51", 1),
        ("?region=CN-11", 0),
        ("?state=none", 1),
        ("?state=new", 0),
        ("?first=2000-01-01", 1),
        ("?first=2100-01-01", 0),
        ("?last=2000-01-01", 0),
        ("?first=nonsense&level=%00&last=9999-99-99", 1),
        ("?product={product}", 1),
        ("?product=prd_unknown", 0),
    ],
)
def test_the_list_is_narrowed_by_its_address(browse: Browse, found: Found, query: str, listed: int) -> None:
    product = Product.objects.get(pk=found.goods.batch.product_id)
    finding_of(found.run, found.shipment, dest=found.b, products=[product.pk], found_at=NOW + timedelta(hours=1))

    query = query.format(a=found.a.public_id, b=found.b.public_id, product=product.public_id)

    assert len(numbers(browse("analyst"), query)) == listed


def test_the_state_is_that_of_the_file(browse: Browse, found: Found, real_file: None) -> None:
    assert numbers(browse("analyst"), "?state=new") == [found.shipment.number]
    assert numbers(browse("analyst"), "?state=watch") == []
    assert numbers(browse("analyst"), "?state=none") == []


@pytest.fixture
def real_file(found: Found) -> None:
    open_case(found.shipment.pk, at=NOW, by="ada", finding=found.finding)


def test_today_tells_what_has_no_file(browse: Browse, found: Found) -> None:
    words = "1 shipment may have been diverted, and has no file"
    assert words in browse("analyst").get("/console/").content.decode()
    assert words not in browse("support").get("/console/").content.decode()

    open_case(found.shipment.pk, at=NOW, by="ada", finding=found.finding)

    assert "may have been diverted" not in browse("analyst").get("/console/").content.decode()


def test_a_regional_manager_sees_the_own_regions(browse: Browse, found: Found) -> None:
    client = browse("regional")
    assert numbers(client) == []

    for regions, listed in (("CN-44", 1), ("CN-510100", 1), ("CN", 1), ("CN-11", 0)):
        User.objects.filter(role="regional").update(regions=regions)

        assert len(numbers(client)) == listed, regions


@pytest.mark.parametrize(
    ("role", "status"),
    [("owner", 200), ("analyst", 200), ("investigator", 200), ("legal", 200), ("auditor", 200), ("support", 403),
     ("finance", 403), ("marketer", 403)],
)  # fmt: skip
def test_who_may_read_findings(browse: Browse, found: Found, role: str, status: int) -> None:
    client = browse(role)

    for path in (PATH, f"{PATH}/shipments/{found.shipment.public_id}", f"{PATH}/codes", f"{PATH}/farms"):
        assert client.get(path).status_code == status, path


def test_the_file_has_what_is_on_screen_and_no_formulas(browse: Browse, found: Found) -> None:
    type(found.a).objects.filter(pk=found.a.pk).update(name="=1+1")
    another(found, level="watch")

    rows = browse("analyst").get(f"{PATH}?level=accusable&format=csv").content.decode("utf-8-sig").splitlines()

    assert len(rows) == 2
    assert found.shipment.number in rows[1]
    assert ",=1" not in rows[1]


def test_more_rows_ask_no_more(browse: Browse, found: Found) -> None:
    client = browse("analyst")
    client.get(PATH)
    with CaptureQueriesContext(
        connection,
    ) as few:
        client.get(PATH)
    for _ in range(4):
        another(found)

    with CaptureQueriesContext(connection) as many:
        assert len(numbers(client)) == 5

    assert len(many) <= len(few)
