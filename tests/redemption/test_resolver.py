"""The brand's host as a GS1 resolver: links elsewhere, linksets, and nothing invalid answered by 200."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.apps import apps
from django.http import HttpResponse

from brands.models import Brand
from common.clock import now
from labels.links import NewLink, add_link
from labels.models import Batch
from labels.services import block
from redemption.models import FailedInput, Scan
from redemption.rules import Detail
from tests.makers import labels_of, make_active_batch, make_product, serial_of
from tests.redemption.web import Person, words

pytestmark = pytest.mark.django_db
VOC = "https://ref.gs1.org/voc/"
LINKSET = "application/linkset+json"
STRANGE = "05412345000013"


@pytest.fixture
def batch(brand: Brand) -> Batch:
    return make_active_batch(at=now() - timedelta(days=2))


@pytest.fixture
def gtin(batch: Batch) -> str:
    return batch.product.gtin


@pytest.fixture
def serial(batch: Batch) -> str:
    return serial_of(labels_of(batch)[0])


@pytest.fixture
def label(gtin: str, serial: str) -> str:
    return f"/01/{gtin}/21/{serial}"


@pytest.fixture
def link_to(batch: Batch) -> Callable[..., None]:
    def make(link_type: str = "pip", **values: Any) -> None:
        new = {"href": f"https://tea.example/{link_type}", "title": "Oolong", "title_zh": "乌龙茶"} | values
        add_link(batch.product, NewLink(link_type, **new), at=now())

    return make


def fetch(
    path: str, query: str = "", language: str = "en", method: str = "get", *, raw_told: bool = True, **more: Any
) -> HttpResponse:
    """Fetch an address as it stands, through a server that tells it raw, or only decoded."""
    person = Person(language=language, **({"RAW_URI": path} if raw_told else {}))
    return getattr(person, method)(path + (f"?{query}" if query else ""), **more)


def rows() -> int:
    return sum(model.objects.count() for model in apps.get_app_config("redemption").get_models())


# --- what is no link -----------------------------------------------------------------------------------------------

GOOD = "/01/09501101530003"
INVALID = {
    "check digit": ("/01/09501101530004/21/A", ""),
    "check digit of an SSCC": ("/00/106141412345678907", ""),
    "check digit of a GLN": (GOOD, "414=9506000134353"),
    "GTIN-13": ("/01/9501101530003/21/A", ""),
    "GTIN-8": ("/01/95011013", ""),
    "letters in the GTIN": ("/01/0950110153000X", ""),
    "serial before lot": (f"{GOOD}/21/A/10/B", ""),
    "serial before variant": (f"{GOOD}/21/A/22/B", ""),
    "third party's serial beside ours": (f"{GOOD}/235/A/21/B", ""),
    "something after an SSCC": ("/00/106141412345678908/21/A", ""),
    "serial twice": (f"{GOOD}/21/A/21/A", ""),
    "attribute twice": (GOOD, "17=271200&17=271200"),
    "unknown AI in the path": (f"{GOOD}/98/A", ""),
    "another key": ("/414/9506000134352", ""),
    "a key alone": ("/01", ""),
    "no value": (f"{GOOD}/21", ""),
    "empty value": (f"{GOOD}/21/", ""),
    "GTIN in the query": (GOOD, "01=09501101530003"),
    "qualifier in the query": (GOOD, "21=A"),
    "unknown number in the query": (GOOD, "9999=1"),
    "no date": (GOOD, "17=261300"),
    "blank in the serial": (f"{GOOD}/21/A%20B", ""),
    "hanzi in the serial": (f"{GOOD}/21/%E8%8C%B6", ""),
    "hash in the serial": (f"{GOOD}/21/A%23B", ""),
    "serial too long": (f"{GOOD}/21/{'A' * 21}", ""),
    "address too long": (f"{GOOD}/21/A", "x=" + "y" * 2000),
    "broken percent": (f"{GOOD}/21/A%2", ""),
    "percent that is none": (f"{GOOD}/21/A%zz", ""),
    "broken percent in the query": (GOOD, "a=%"),
    "bad UTF-8": (f"{GOOD}/21/A%FF", ""),
    "overlong UTF-8": (f"{GOOD}/21/%C0%AF", ""),
    "compressed": ("/ARFKk4XB0CDKWcnpq", ""),
    "partly compressed": (f"{GOOD}/BEQ", ""),
    "two link types": (GOOD, "linkType=gs1:pip&linkType=gs1:dpp"),
}


@pytest.mark.parametrize(("path", "query"), INVALID.values(), ids=INVALID)
def test_what_is_no_link_is_400_with_the_reason_and_never_200(brand: Brand, path: str, query: str) -> None:
    before = rows()

    for raw_told in (True, False):
        page = fetch(path, query, raw_told=raw_told)
        assert page.status_code == 400
        assert "Not readable" in words(page)
    assert fetch(path, query, headers={"Accept": LINKSET}).status_code == 400
    assert fetch(path, f"{query}&linkType=linkset".lstrip("&")).status_code == 400
    assert fetch(path, query, method="post").status_code == 400
    assert rows() == before


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_reason_names_the_part_and_what_is_wrong_with_it(brand: Brand, language: str) -> None:
    reasons = {words(fetch(path, query, language)) for path, query in INVALID.values()}

    assert len(reasons) >= 15
    if language == "en":
        page = words(fetch("/01/09501101530004/21/A"))
        assert "The product number in the address is not right. The check digit of (01) does not fit." in page


@pytest.mark.parametrize(
    "tail",
    ["/21/{serial}", "/10/LOT+1/21/{serial}", "/22/2A/10/a%2Fb/21/{serial}/", "/21/{spaced}", "/21/{lower}"],
)
def test_valid_links_of_a_label_lead_to_its_page(gtin: str, serial: str, tail: str) -> None:
    spaced = f"{serial[:4]}-{serial[4:8]}-{serial[8:]}"

    page = fetch(f"/01/{gtin}" + tail.format(serial=serial, spaced=spaced, lower=serial.lower()), "17=271200&a=b+c")

    assert page.status_code == 200
    assert "Genuine" in words(page)


@pytest.mark.parametrize("lot", ["A%2", "A%FF", "%C0%AF", "A%20B", "%E8%8C%B6", "A%23", "A" * 21, "A%25zz%"])
def test_a_known_serial_saves_no_bad_link(gtin: str, serial: str, lot: str) -> None:
    for raw_told in (True, False):
        assert fetch(f"/01/{gtin}/10/LOT/21/{serial}", raw_told=raw_told).status_code == 200
        assert fetch(f"/01/{gtin}/10/{lot}/21/{serial}", raw_told=raw_told).status_code == 400


def test_a_percent_sign_in_a_value_is_read_where_the_server_tells_the_raw_address(gtin: str, serial: str) -> None:
    assert fetch(f"/01/{gtin}/10/50%25/21/{serial}").status_code == 200
    assert fetch(f"/01/{gtin}/10/50%25/21/{serial}", raw_told=False).status_code == 400


@pytest.mark.parametrize("value", ["50%25", "A%2FB", "A%2f10%2FB", "%2541"])
def test_a_value_may_hold_what_parts_an_address(gtin: str, serial: str, value: str) -> None:
    assert fetch(f"/01/{gtin}/10/{value}/21/{serial}").status_code == 200


def test_a_capital_host_is_the_same_brand(label: str) -> None:
    page = Person().get(label, HTTP_HOST="BRAND.LOCALHOST")

    assert page.status_code == 200
    assert page.headers["Link"].startswith("<http://brand.localhost/01/")


# --- what is not ours ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "path",
    [
        "/00/106141412345678908",
        f"/01/{STRANGE}",
        f"/01/{STRANGE}/21/abc%2Bd",
        f"/01/{STRANGE}/21/5JQ2D4Y8562N",
        f"/01/{STRANGE}/21/5JQ2D4Y8562M",
        "/01/{gtin}/235/TPX1",
        "/01/{gtin}/21/5JQ2D4Y8562N",
    ],
)
def test_what_is_not_ours_is_404(gtin: str, path: str) -> None:
    for more in ({}, {"headers": {"Accept": LINKSET}}):
        page = fetch(path.format(gtin=gtin), **more)
        assert page.status_code == 404
        assert "<h1" in page.content.decode()


def test_a_serial_under_another_gtin_is_404_kept_as_a_scan_and_raises_an_alarm(
    serial: str, gtin: str, brand: Brand
) -> None:
    from console.today import alarms, today

    other = make_product(at=now()).gtin
    person = Person()

    page = person.get(f"/01/{other}/21/{serial}")
    assert (page.status_code, Scan.objects.count()) == (404, 0)
    told = person.press(page, "visit", as_script=True)

    assert told.json()["outcome"] == "UNKNOWN"
    scan = Scan.objects.get()
    assert scan.detail is Detail.WRONG_GTIN
    assert FailedInput.objects.get(scan_id=scan.pk).masked == f"{other}/{serial}"
    assert "/console/receipts?show=wrong_gtin" in [alarm.href for alarm in alarms(today(now()))]


def test_a_strangers_serial_is_kept_as_a_scan_of_nothing_known(gtin: str) -> None:
    person = Person()

    person.press(person.get(f"/01/{STRANGE}/21/abc"), "visit")

    assert (Scan.objects.get().outcome, Scan.objects.get().detail) == ("UNKNOWN", None)


# --- links elsewhere -----------------------------------------------------------------------------------------------


def test_without_a_link_elsewhere_our_page_answers_and_tells_where_the_linkset_is(label: str, gtin: str) -> None:
    of_label, of_product = fetch(label), fetch(f"/01/{gtin}/")

    for page, path in ((of_label, label), (of_product, f"/01/{gtin}")):
        assert page.status_code == 200
        assert (
            page.headers["Link"] == f'<http://brand.localhost{path}?linkType=linkset>; rel="linkset"; type="{LINKSET}"'
        )
        assert page.headers["Cache-Control"] == "no-store"
        assert page.headers["Access-Control-Allow-Origin"] == "*"
        assert {"Accept", "Accept-Language"} <= set(page.headers["Vary"].split(", "))
    assert "Spring Tea This address names the product, not one pack." in words(of_product)


def test_the_default_link_leads_away_in_the_readers_language_with_the_query(
    label: str, link_to: Callable[..., None]
) -> None:
    link_to(href="https://tea.example/en?u=1", language="en", is_default=True)
    link_to(href="https://tea.example/zh", language="zh-Hans", is_default=True)

    english = fetch(label, "a=1&17=271200&b=x+y", "en-GB,zh;q=0.5")
    chinese = fetch(label, "", "fr,zh-CN;q=0.9,en;q=0")
    head = fetch(label, "", "zh", "head")

    assert (english.status_code, english.headers["Location"]) == (307, "https://tea.example/en?u=1&a=1&17=271200&b=x+y")
    assert (chinese.status_code, chinese.headers["Location"]) == (307, "https://tea.example/zh")
    assert (head.status_code, head.headers["Location"], head.content) == (307, "https://tea.example/zh", b"")
    assert fetch(label, "linkType=gs1:verificationService").status_code == 200
    assert fetch(label, "linkType=gs1:defaultLink").status_code == 307


def test_nobody_is_led_past_a_recall(label: str, batch: Batch, link_to: Callable[..., None]) -> None:
    link_to(is_default=True)
    assert fetch(label).status_code == 307

    block(label_range=(batch.label_range.lower, batch.label_range.upper), reason="recalled", at=now(), asked_by="t")

    page = fetch(label)
    assert page.status_code == 200
    assert "Do not use this product" in words(page)


@pytest.mark.parametrize("asked", ["gs1:pip", "https://gs1.org/voc/pip", "https%3A%2F%2Fref.gs1.org%2Fvoc%2Fpip"])
def test_a_link_type_that_is_there_leads_to_it_also_from_a_label(
    label: str, gtin: str, link_to: Callable[..., None], asked: str
) -> None:
    link_to()

    for path in (label, f"/01/{gtin}"):
        found = fetch(path, f"a=1&linkType={asked}")
        assert (found.status_code, found.headers["Location"]) == (307, "https://tea.example/pip?a=1")


@pytest.mark.parametrize("asked", ["gs1:dpp", "gs1:nothingSuch", "pip", "", "%00"])
def test_a_link_type_that_is_not_there_is_404(label: str, link_to: Callable[..., None], asked: str) -> None:
    link_to()

    page = fetch(label, f"linkType={asked}")

    assert page.status_code == 404
    assert "There is no link of this kind." in words(page)


def test_our_own_links_are_told_until_the_brand_sets_others(
    label: str, gtin: str, link_to: Callable[..., None]
) -> None:
    assert fetch(label, "linkType=gs1:recallStatus").status_code == 200
    assert fetch(f"/01/{gtin}", "linkType=gs1:verificationService").status_code == 200
    assert fetch(label, "linkType=gs1:loyaltyProgram").headers["Location"] == "http://brand.localhost/me"

    link_to("loyaltyProgram")

    assert fetch(label, "linkType=gs1:loyaltyProgram").headers["Location"] == "https://tea.example/loyaltyProgram"


# --- linksets ------------------------------------------------------------------------------------------------------


def sound(response: HttpResponse) -> list[dict[str, Any]]:
    """Return the contexts of a linkset after checking it against RFC 9264, section 4.2."""
    assert response.status_code == 200
    assert response.headers["Content-Type"].partition(";")[0] in {LINKSET, "application/json"}
    assert response.headers["Access-Control-Allow-Origin"] == "*"
    document = json.loads(response.content)
    assert set(document) == {"linkset"}
    for context in document["linkset"]:
        assert context["anchor"].startswith("http://brand.localhost/01/")
        for relation, targets in context.items():
            if relation != "anchor":
                assert relation.startswith(VOC)
                for target in targets:
                    assert set(target) <= {"href", "type", "title", "title*", "hreflang"}
                    assert {"href", "type", "title"} <= set(target)
                    assert all(isinstance(target[name], str) for name in ("href", "type", "title"))
                    assert all(isinstance(tag, str) for tag in target.get("hreflang", []))
                    assert all(set(text) == {"value", "language"} for text in target.get("title*", []))
    defaults = [context[f"{VOC}defaultLink"] for context in document["linkset"] if f"{VOC}defaultLink" in context]
    assert [len(found) for found in defaults] == [1]
    return list(document["linkset"])


@pytest.mark.parametrize(
    ("query", "accept"),
    [("linkType=linkset", "*/*"), ("linkType=all", "text/html"), ("", LINKSET), ("", f"text/html;q=0.5, {LINKSET}"), ("", "application/json")],
)  # fmt: skip
def test_the_linkset_of_a_label_has_its_own_level_and_its_products(
    label: str, gtin: str, link_to: Callable[..., None], query: str, accept: str
) -> None:
    link_to(language="en")
    link_to(language="zh-Hans")

    of_label, of_product = sound(fetch(label, query, headers={"Accept": accept}))

    assert of_label["anchor"] == f"http://brand.localhost{label}"
    assert of_label[f"{VOC}defaultLink"][0]["href"] == of_label["anchor"]
    assert of_label[f"{VOC}defaultLink"][0]["title"] == "Spring Tea"
    assert of_product["anchor"] == f"http://brand.localhost/01/{gtin}"
    assert [target["hreflang"] for target in of_product[f"{VOC}pip"]] == [["en"], ["zh-Hans"]]


def test_the_linkset_of_a_product_has_one_level(gtin: str, link_to: Callable[..., None]) -> None:
    link_to(language="en", is_default=True, href="https://tea.example/en")
    link_to(language="zh-Hans", is_default=True, href="https://tea.example/zh")

    [found] = sound(fetch(f"/01/{gtin}", "linkType=linkset"))

    assert found[f"{VOC}defaultLink"][0]["href"] == "https://tea.example/zh"  # the brand's own language
    assert {target["href"] for target in found[f"{VOC}defaultLinkMulti"]} == {
        "https://tea.example/en",
        "https://tea.example/zh",
    }


def test_a_browser_gets_the_page(label: str) -> None:
    page = fetch(label, headers={"Accept": f"text/html,application/xhtml+xml,*/*;q=0.8,{LINKSET};q=0.1"})

    assert page.headers["Content-Type"].startswith("text/html")


# --- other methods -------------------------------------------------------------------------------------------------


def test_options_tells_methods_and_opens_to_scripts(label: str) -> None:
    for path in (label, f"{GOOD}/x", "/.well-known/gs1resolver"):
        found = Person().options(path, headers={"Origin": "https://shop.example"})

        assert (found.status_code, found.content) == (204, b"")
        assert {"GET", "HEAD", "OPTIONS"} <= set(found.headers["Allow"].split(", "))
        assert found.headers["Access-Control-Allow-Methods"] == "GET, HEAD, OPTIONS"
        assert found.headers["Access-Control-Allow-Origin"] == "*"
        assert "Access-Control-Allow-Credentials" not in found.headers


def test_head_has_the_headers_of_get_and_no_body(label: str) -> None:
    get, head = fetch(label), fetch(label, method="head")

    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Link"] == get.headers["Link"]
    assert fetch(f"{GOOD[:-1]}4", method="head").status_code == 400


@pytest.mark.parametrize("method", ["put", "delete", "patch"])
def test_other_methods_are_refused(label: str, method: str) -> None:
    assert fetch(label, method=method).status_code == 405


def test_the_resolver_describes_itself(brand: Brand) -> None:
    found = Person().get("/.well-known/gs1resolver")

    about = found.json()
    assert found.headers["Content-Type"] == "application/json"
    assert found.headers["Access-Control-Allow-Origin"] == "*"
    assert about["resolverRoot"] == "http://brand.localhost"
    assert about["supportedPrimaryKeys"] == ["01", "00"]
    assert about["linkTypeDefaultCanBeLinkset"] is False


def test_no_fetch_writes_and_each_first_answer_is_light(label: str, gtin: str, link_to: Callable[..., None]) -> None:
    link_to(is_default=False)
    before = rows()

    for path in (label, f"/01/{gtin}", f"/01/{STRANGE}/21/abc", f"{GOOD}/21/A%20B", "/00/106141412345678908"):
        for query in ("", "linkType=linkset", "linkType=gs1:pip", "linkType=gs1:dpp"):
            answer = fetch(path, query, headers={"Accept-Encoding": "gzip"})
            headers = sum(len(f"{name}: {value}\r\n") for name, value in answer.headers.items())
            assert len(answer.content) + headers <= 14 * 1024

    assert rows() == before
