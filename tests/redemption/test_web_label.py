"""A label's page: safe to fetch, right at first sight, counted once when seen."""

import gzip
from collections.abc import Callable
from datetime import timedelta

import pytest
from django.apps import apps
from django.test import override_settings

from brands.models import Brand
from common.clock import now
from labels.models import Batch
from redemption.models import ConsumerReport, Scan, ScanPlace, WasThatYou
from tests.makers import POINTS_PER_LABEL, labels_of, make_active_batch, make_batch, make_campaign, secret_of, serial_of
from tests.redemption.web import Person, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(brand: Brand) -> Batch:
    at = now() - timedelta(days=2)
    batch = make_active_batch(at=at)
    make_campaign(product=batch.product, at=at)
    return batch


@pytest.fixture
def address(batch: Batch) -> str:
    return address_of(batch)


def address_of(batch: Batch, place: int = 0) -> str:
    return f"/01/{batch.product.gtin}/21/{serial_of(labels_of(batch)[place])}"


def rows() -> dict[str, int]:
    return {model._meta.label: model.objects.count() for model in apps.get_app_config("redemption").get_models()}


def test_the_first_answer_is_the_verdict_and_what_the_label_holds(address: str, batch: Batch) -> None:
    page = Person().get(address)

    assert page.status_code == 200
    assert "Genuine First check of this label" in words(page)
    assert batch.product.name in words(page)
    assert f"{POINTS_PER_LABEL} points are inside" in words(page)
    assert page.content.decode().count("<h1") == 1
    assert secret_of(labels_of(batch)[0]) not in page.content.decode()


def test_fetching_writes_nothing_and_sets_no_cookie_of_ours(address: str) -> None:
    before = rows()
    for agent in ("WhatsApp/2", "facebookexternalhit/1.1", "MicroMessenger", "Googlebot", "curl/8"):
        page = Person(HTTP_USER_AGENT=agent).get(address)
        assert page.status_code == 200
        assert set(page.cookies) <= {"csrf"}
    Person().head(address)

    assert rows() == before


def test_a_fetch_costs_few_queries(address: str, django_assert_max_num_queries) -> None:
    person = Person()
    person.get(address)

    with django_assert_max_num_queries(4):
        person.get(address)


@pytest.mark.parametrize("shape", [str, str.lower, str.upper, lambda path: path + "/", lambda path: path.lower() + "/"])
def test_any_case_and_a_trailing_slash_answer_without_redirect(address: str, shape: Callable[[str], str]) -> None:
    page = Person().get(shape(address))

    assert page.status_code == 200
    assert "Genuine" in words(page)


def test_the_page_is_kept_by_no_cache_and_carries_the_rules_of_security(address: str) -> None:
    page = Person().get(address)

    assert page.headers["Cache-Control"] == "no-store"
    assert "Cookie" in page.headers["Vary"]
    assert "'nonce-" in page.headers["Content-Security-Policy"]
    assert "unsafe-inline" not in page.headers["Content-Security-Policy"]
    assert " style=" not in page.content.decode()
    assert " onclick=" not in page.content.decode()


@pytest.mark.parametrize("language", ["en", "zh-CN"])
def test_the_first_response_is_light(address: str, language: str) -> None:
    page = Person(language=language).get(address, headers={"Accept-Encoding": "gzip"})

    assert page.headers["Content-Encoding"] == "gzip"
    assert len(page.content) + sum(len(f"{name}: {value}\r\n") for name, value in page.headers.items()) <= 14 * 1024
    assert len(gzip.decompress(page.content)) <= 50 * 1024


def test_a_slip_in_the_serial_is_400_and_a_serial_never_issued_404(address: str, batch: Batch, brand: Brand) -> None:
    gtin, serial = batch.product.gtin, address.rsplit("/", 1)[1]
    slip = serial[:-1] + next(sign for sign in "023456789" if sign != serial[-1])

    typo = Person().get(f"/01/{gtin}/21/{slip}")
    link = Person().get(f"/01/{gtin[:-1]}0/21/{serial}" if gtin[-1] != "0" else f"/01/{gtin[:-1]}1/21/{serial}")
    unknown = Person().get(f"/01/09501101530003/21/{serial}")

    assert typo.status_code == 400
    assert "Read it again" in words(typo)
    assert link.status_code == 400
    assert "The product number in the address is not right." in words(link)
    assert unknown.status_code == 404
    assert "No such code" in words(unknown)
    assert brand.hotline in words(unknown)


@pytest.mark.parametrize(
    "path",
    [
        "/01/",
        "/01//21/",
        "/01/x/21/y",
        "/01/%00/21/%ff",
        "/01/" + "9" * 3000,
        "/01/０９５０１１０１５３０００３/21/А",
        "/01/..%2f",
    ],
)
def test_nonsense_gets_a_page_and_never_a_fault(brand: Brand, path: str) -> None:
    page = Person().get(path)

    assert page.status_code in {400, 404}
    assert "<h1" in page.content.decode()


def test_a_visit_is_counted_when_the_page_is_seen_once_for_each_page(address: str) -> None:
    person = Person()
    page = person.get(address)

    first = person.press(page, "visit", as_script=True)
    again = person.press(page, "visit", as_script=True)

    assert first.json() == again.json()
    assert len(first.json()["receipt"].replace(" ", "")) == 12
    assert Scan.objects.count() == 1
    assert "asker" in first.cookies


def test_without_script_a_button_gives_the_receipt(address: str) -> None:
    person = Person()

    page = person.press(person.get(address), "visit")

    assert page.status_code == 200
    number = page.content.decode().split('id="receipt">')[1].split("<")[0]
    assert person.get(f"/r/{number.replace(' ', '')}").status_code == 200


def test_a_token_of_another_label_or_brand_or_an_old_one_counts_nothing(
    address: str, batch: Batch, monkeypatch: pytest.MonkeyPatch
) -> None:
    person = Person()
    page = person.get(address)
    token = page.content.decode().split('name="visit" value="')[1].split('"')[0]

    elsewhere = person.post(address_of(batch, 1), {"step": "visit", "visit": token})
    forged = person.post(address, {"step": "visit", "visit": token[:-2] + "xx"})
    monkeypatch.setattr("redemption.views.VISIT_TOKEN_FOR_S", -1)
    late = person.post(address, {"step": "visit", "visit": token})

    assert {elsewhere.status_code, forged.status_code, late.status_code} == {400}
    assert Scan.objects.count() == 0


def test_another_persons_check_turns_the_page_amber_and_asks(address: str) -> None:
    first, second = Person(), Person(language="zh-CN")
    first.press(first.get(address), "visit")

    own = first.get(address)
    other = second.get(address)

    assert "Genuine" in words(own)
    assert "曾被查询 标签为真，此前已被查询 1 次" in words(other)
    assert "之前是您本人查询的吗？" in words(other)
    assert "刮层下的号码尚未使用。" in words(other)


@pytest.mark.parametrize(("step", "yes"), [("mine", True), ("other", False)])
def test_the_answer_to_was_that_you_is_kept_beside_the_scan(address: str, step: str, *, yes: bool) -> None:
    first, second = Person(), Person()
    first.press(first.get(address), "visit")

    page = second.press(second.get(address), "visit", step)

    kept = WasThatYou.objects.get()
    assert kept.yes is yes
    assert Scan.objects.get(pk=kept.scan_id).earlier_count == 1
    assert ("Then it may be a copy" in words(page)) is not yes


def test_a_place_is_kept_on_a_tap_and_nonsense_is_none(address: str) -> None:
    person = Person()
    page = person.get(address)

    nowhere = person.press(page, "visit", "place", as_script=True, lat="91", lon="x", accuracy="1")
    there = person.press(page, "visit", "place", as_script=True, lat="30.25", lon="120.17", accuracy="20")

    assert nowhere.json()["done"] is False
    assert there.json()["done"] is True
    place = ScanPlace.objects.get()
    assert (place.lat, place.city) == (30.25, "Hangzhou")


def test_a_label_not_yet_on_sale_says_so_and_offers_help(brand: Brand) -> None:
    batch = make_batch(at=now() - timedelta(days=1))

    page = Person().get(address_of(batch))

    assert "Not released" in words(page)
    assert "Where did you get it?" in words(page)
    assert 'name="code"' not in page.content.decode()


def test_the_language_is_that_of_switch_then_cookie_then_browser_then_brand(address: str, brand: Brand) -> None:
    person = Person(language="en-GB,en;q=0.9")
    assert "Genuine" in words(person.get(address))

    assert "正品" in words(person.get(f"{address}?lang=zh"))
    assert "正品" in words(person.get(address))
    assert 'lang="zh-hans"' in person.get(address).content.decode()

    assert brand.default_language == "zh-hans"
    assert "正品" in words(Person(language="fr").get(address))
    assert "Genuine" in words(Person(language="fr").get(f"{address}?lang=en"))


def test_forms_without_their_token_are_refused_in_grey(address: str) -> None:
    person = Person(enforce_csrf_checks=True)
    person.get(address)

    refused = person.post(address, {"step": "redeem", "code": "1234"})

    assert refused.status_code == 403
    assert "Nothing was used up." in words(refused)
    assert "1234" not in refused.content.decode()


def test_a_typed_serial_leads_to_its_page_and_a_typed_link_too(address: str) -> None:
    person = Person()
    home = person.get("/")
    serial = address.rsplit("/", 1)[1]

    by_serial = person.press(home, "typed", typed=f" {serial[:4]} {serial[4:]} ".lower())
    by_link = person.press(home, "typed", typed=f"HTTPS://BRAND.LOCALHOST{address}")

    assert (by_serial.status_code, by_serial.url) == (303, address)
    assert (by_link.status_code, by_link.url) == (303, address)


def test_a_typed_hidden_code_is_checked_not_used_and_ready_to_redeem(batch: Batch) -> None:
    person = Person()
    secret = secret_of(labels_of(batch)[0])

    page = person.press(person.get("/"), "typed", typed=secret)

    assert "Genuine" in words(page)
    assert f'value="{secret}"' in page.content.decode()
    assert 'action="/claim"' in page.content.decode()
    assert Scan.objects.get().outcome == "GENUINE_FIRST"


def test_a_typed_slip_keeps_the_text_and_names_the_field(batch: Batch) -> None:
    person = Person()
    secret = secret_of(labels_of(batch)[0])

    page = person.press(person.get("/"), "typed", typed=secret[:-1])

    assert page.status_code == 400
    assert f'value="{secret[:-1]}"' in page.content.decode()
    assert 'aria-invalid="true"' in page.content.decode()


def test_a_report_is_filed_once_and_its_phone_is_sealed(address: str) -> None:
    person = Person()
    page = person.get(f"/report?label={address.rsplit('/', 1)[1]}")

    empty = person.press(page, "report", note="thin paper")
    done = person.press(page, "report", kind="fake", note="thin paper", phone="138 0013 8000")
    again = person.press(page, "report", kind="fake", note="thin paper", phone="138 0013 8000")

    report = ConsumerReport.objects.get()
    assert empty.status_code == 400
    assert "Choose what is wrong." in words(empty)
    assert "thin paper" in empty.content.decode()
    assert report.public_id in words(done)
    assert report.public_id in words(again)
    assert b"8613800138000" not in bytes(report.phone_cipher)


def test_our_own_faults_are_grey_and_say_that_nothing_was_used_up(
    address: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_arguments: object) -> None:
        raise RuntimeError("planted")

    monkeypatch.setattr("redemption.services.look", broken)
    person = Person(raise_request_exception=False)

    page = person.get(address)

    assert page.status_code == 500
    assert "We cannot answer now Nothing was used up." in words(page)
    assert 'class="v calm"' in page.content.decode()
    assert "planted" not in page.content.decode()


@override_settings(FAILURE_BUDGET_SCALE=1)
def test_too_many_wrong_codes_get_a_page_with_the_time_to_come_back(batch: Batch) -> None:
    person = Person()
    wrong = [f"{number:016}" for number in range(1, 4000)]
    page = person.get("/")
    for code in wrong:
        answer = person.press(page, "typed", typed=code)
        if answer.status_code == 429:
            break
    scans = Scan.objects.count()
    label = person.get(f"/01/{batch.product.gtin}/21/{serial_of(labels_of(batch)[0])}")

    for refused in (answer, label):
        assert refused.status_code == 429
        assert 0 < int(refused.headers["Retry-After"]) <= 86_400
        assert "Please wait Too many tries. Please try again after" in words(refused)
    assert batch.product.name not in words(label)
    assert Scan.objects.count() == scans
    assert Person(REMOTE_ADDR="198.51.100.7").get(label.wsgi_request.path).status_code == 200
