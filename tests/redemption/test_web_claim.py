"""Claiming at the web door: once, whatever is pressed; what is wrong is named; the secret stays in the body of a POST."""

from datetime import timedelta

import pytest
from django.test import override_settings

from brands.models import Brand
from common.clock import now
from labels.models import Batch
from members.models import Member
from redemption.models import Redemption, Scan
from tests.makers import (
    POINTS_PER_LABEL,
    PROMOTER_POINTS,
    RETAILER_POINTS,
    STRANGER_PHONE,
    balance_of,
    labels_of,
    make_active_batch,
    make_batch,
    make_campaign,
    make_partner,
    secret_of,
    serial_of,
)
from tests.redemption.web import Person, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def batch(brand: Brand) -> Batch:
    at = now() - timedelta(days=2)
    batch = make_active_batch(at=at)
    make_campaign(product=batch.product, at=at)
    return batch


@pytest.fixture
def secret(batch: Batch) -> str:
    return secret_of(labels_of(batch)[0])


@pytest.fixture
def address(batch: Batch) -> str:
    return f"/01/{batch.product.gtin}/21/{serial_of(labels_of(batch)[0])}"


def test_the_whole_way_from_scan_to_wallet(address: str, secret: str, batch: Batch) -> None:
    person = Person()

    done = person.claim(person.get(address), secret)
    receipt = person.get(done.url)
    wallet = person.get("/me")

    assert done.status_code == 303
    assert secret not in done.url
    assert f"+{POINTS_PER_LABEL} points" in words(receipt)
    assert f"0 → {POINTS_PER_LABEL}" in words(receipt)
    assert f"{POINTS_PER_LABEL} points" in words(wallet)
    assert batch.product.name in words(wallet)
    assert balance_of(person.phone) == POINTS_PER_LABEL


def test_a_receipt_survives_a_reload_and_opens_for_nobody_else(address: str, secret: str) -> None:
    person, stranger = Person(), Person()
    done = person.claim(person.get(address), secret)

    assert words(person.get(done.url)) == words(person.get(done.url))
    assert stranger.get(done.url).status_code == 404
    assert "points" not in words(stranger.get(done.url))


def test_the_member_opens_the_receipt_on_another_device(address: str, secret: str) -> None:
    person, tablet = Person(), Person()
    done = person.claim(person.get(address), secret)
    page = tablet.press(tablet.get("/me/sign-in"), "sign-in", "send", phone=person.phone)
    tablet.press(page, "sign-in", "enter", phone=person.phone, one_time_code=person.last_code())

    assert tablet.get(done.url).status_code == 200


def test_the_same_press_twice_gives_the_same_receipt(address: str, secret: str) -> None:
    person = Person()
    page = person.press(person.get(address), "claim", "send", code=secret, phone=person.phone)
    typed = {"code": secret, "phone": person.phone, "one_time_code": person.last_code()}
    press_twice_at_once = Person()
    press_twice_at_once.cookies = person.cookies.copy()

    first = person.press(page, "claim", "redeem", **typed)
    second = press_twice_at_once.press(page, "claim", "redeem", **typed)
    third = person.press(page, "claim", "redeem", code=secret)

    assert first.status_code == second.status_code == third.status_code == 303
    assert first.url == second.url == third.url
    assert Redemption.objects.count() == 1
    assert Scan.objects.count() == 1
    assert balance_of(person.phone) == POINTS_PER_LABEL


def test_a_used_one_time_code_opens_nothing_in_another_page(address: str, secret: str) -> None:
    person, thief = Person(), Person()
    page = person.press(person.get(address), "claim", "send", code=secret, phone=person.phone)
    code = person.last_code()
    person.press(page, "claim", "redeem", code=secret, phone=person.phone, one_time_code=code)

    stolen = thief.press(thief.get("/claim"), "claim", "redeem", code="1", phone=person.phone, one_time_code=code)

    assert stolen.status_code == 400
    assert "member" not in stolen.cookies


def test_a_wrong_one_time_code_is_named_and_the_rest_stays(address: str, secret: str) -> None:
    person = Person()
    page = person.press(person.get(address), "claim", "send", code=secret, phone=person.phone)
    wrong = f"{(int(person.last_code()) + 1) % 1_000_000:06}"

    refused = person.press(page, "claim", "redeem", code=secret, phone=person.phone, one_time_code=wrong)

    assert refused.status_code == 400
    html = refused.content.decode()
    assert "That code is not valid." in words(refused)
    assert html.count('aria-invalid="true"') == 1
    assert f'value="{secret}"' in html
    assert f'value="{person.phone}"' in html
    assert not Redemption.objects.exists()


def test_a_missing_phone_and_code_are_named_at_their_fields(address: str) -> None:
    person = Person(language="zh-CN")

    refused = person.press(person.get(address), "claim", "redeem", code="", phone="", one_time_code="")

    assert refused.status_code == 400
    assert "请输入银色刮层下的号码。" in words(refused)
    assert refused.content.decode().count('aria-invalid="true"') == 3


def test_sending_the_code_works_by_script_too(address: str, secret: str) -> None:
    person = Person()
    page = person.get(address)

    bad = person.press(page, "claim", "send", as_script=True, code=secret, phone="12")
    good = person.press(page, "claim", "send", as_script=True, code=secret, phone=person.phone)

    assert bad.json() == {"said": "That is not a telephone number. Check each digit.", "done": False}
    assert good.json()["done"] is True
    assert len(person.last_code()) == 6


def test_a_fourth_code_within_the_hour_is_not_sent(address: str, secret: str) -> None:
    person = Person()
    page = person.get(address)
    for _turn in range(3):
        assert person.press(page, "claim", "send", as_script=True, code=secret, phone=person.phone).json()["done"]

    refused = person.press(page, "claim", "send", code=secret, phone=person.phone)

    assert refused.status_code == 400
    assert "Too many codes were asked for." in words(refused)
    assert f'value="{secret}"' in refused.content.decode()


def test_a_slip_in_the_code_is_named_kept_and_mended(address: str, secret: str) -> None:
    person = Person()
    page = person.get(address)
    slip = secret[:-1] + str((int(secret[-1]) + 1) % 10)

    refused = person.claim(page, slip)
    mended = person.press(refused, "claim", "redeem", code=secret)

    assert refused.status_code == 400
    assert "One digit seems wrong." in words(refused)
    assert f'value="{slip}"' in refused.content.decode()
    assert mended.status_code == 303
    assert balance_of(person.phone) == POINTS_PER_LABEL


def test_going_back_and_typing_another_code_is_another_attempt(batch: Batch) -> None:
    person = Person()
    first, second = (secret_of(label_no) for label_no in labels_of(batch)[:2])
    form = person.get("/claim")
    signed = person.claim(form, first)

    again = person.press(form, "claim", "redeem", code=second)

    assert signed.status_code == again.status_code == 303
    assert signed.url != again.url
    assert balance_of(person.phone) == 2 * POINTS_PER_LABEL


@override_settings(FAILURE_BUDGET_SCALE=1)
def test_the_code_of_another_label_is_no_pair_and_tries_are_counted(address: str, batch: Batch) -> None:
    person = Person()

    refused = person.claim(person.get(address), secret_of(labels_of(batch)[1]))

    assert refused.status_code == 404
    assert "Not a pair This is not the code of the label you scanned" in words(refused)
    assert "tries left" in words(refused)
    assert not Redemption.objects.exists()


@override_settings(FAILURE_BUDGET_SCALE=1)
def test_each_other_labels_code_is_a_failure_of_its_own(address: str, batch: Batch) -> None:
    person = Person()
    page = person.claim(person.get(address), secret_of(labels_of(batch)[1]))

    for place in (2, 2, 3):
        page = person.press(page, "claim", "redeem", code=secret_of(labels_of(batch)[place]))

    assert "7 tries left" in words(page)  # of a member's ten an hour, three labels


def test_a_code_redeemed_by_another_offers_help_and_by_you_the_old_receipt(address: str, secret: str) -> None:
    person, other = Person(), Person(phone=STRANGER_PHONE)
    done = person.claim(person.get(address), secret)

    refused = other.claim(other.get("/claim"), secret)
    yours = person.press(person.get("/claim"), "claim", "redeem", code=secret)

    assert "Redeemed before" in words(other.get(refused.url))
    assert "Have you just scratched it?" in words(other.get(refused.url))
    assert "You redeemed this code on" in words(yours)
    assert f'href="{done.url}"' in yours.content.decode()
    assert balance_of(other.phone) == 0


def test_a_shop_and_a_promoter_named_by_their_codes_earn_too(address: str, secret: str) -> None:
    person = Person()
    shop, promoter = make_partner("retailer"), make_partner("promoter", name="Lin")
    landing = person.get(f"/p/{shop.number.lower()}")
    person.get(f"/p/{promoter.number}")
    page = person.get(address)

    receipt = person.get(person.claim(page, secret).url)

    assert "We remember this shop for seven days." in words(landing)
    assert "You come from Corner Shop and Lin." in words(page)
    assert f'value="{shop.number}"' in page.content.decode()
    assert f"The shop earned {RETAILER_POINTS} points, the promoter {PROMOTER_POINTS}." in words(receipt)
    shop.account.refresh_from_db()
    assert shop.account.posted == RETAILER_POINTS


def test_a_distributor_or_nobody_cannot_be_come_from_or_named(address: str, secret: str) -> None:
    person = Person()
    distributor = make_partner("distributor")

    assert person.get(f"/p/{distributor.number}").status_code == 404
    assert person.get("/p/R00000").status_code == 404
    refused = person.claim(person.get(address), secret, retailer=distributor.number, promoter="P99999")

    assert refused.status_code == 400
    assert words(refused).count("There is no such number.") == 2
    assert not Redemption.objects.exists()


def test_forgetting_the_shop_forgets_it(batch: Batch) -> None:
    person = Person()
    page = person.get(f"/p/{make_partner().number}")
    assert "You come from" in words(person.get("/"))

    person.press(page, "/p/forget")

    assert "You come from" not in words(person.get("/"))


def test_a_budget_that_is_used_up_leaves_the_code_unused(address: str, secret: str, brand: Brand) -> None:
    batch = make_active_batch(2, at=now() - timedelta(days=1))
    make_campaign(product=batch.product, retailer=0, promoter=0, budget=POINTS_PER_LABEL, at=now() - timedelta(days=1))
    first, second = (secret_of(label_no) for label_no in labels_of(batch))
    person = Person()

    paid = person.get(person.claim(person.get("/claim"), first).url)
    short = person.get(person.press(person.get("/claim"), "claim", "redeem", code=second).url)

    assert f"+{POINTS_PER_LABEL} points" in words(paid)
    assert "Genuine All points of this offer are given out. Your code stays unused." in words(short)
    assert Redemption.objects.count() == 1


def test_not_you_signs_out_and_keeps_the_code(address: str, secret: str) -> None:
    person = Person()
    page = person.press(person.get("/me/sign-in"), "sign-in", "send", phone=person.phone)
    person.press(page, "sign-in", "enter", phone=person.phone, one_time_code=person.last_code())
    page = person.get(address)
    assert "The points go to 138****8000." in words(page)

    changed = person.press(page, "claim", "sign-out", code=secret)

    assert 'name="one_time_code"' in changed.content.decode()
    assert f'value="{secret}"' in changed.content.decode()


def test_a_forged_or_stale_form_redeems_nothing(address: str, secret: str) -> None:
    person = Person()
    page = person.press(person.get(address), "claim", "send", code=secret, phone=person.phone)

    refused = person.press(
        page, "claim", "redeem", claim="forged", code=secret, phone=person.phone, one_time_code=person.last_code()
    )

    assert refused.status_code == 400
    assert not Redemption.objects.exists()
    assert Member.objects.count() == 0


def test_when_nothing_can_be_answered_the_form_says_that_nothing_was_used_up(
    address: str, secret: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    from redemption.services import TryLater

    def later(_attempt: object) -> None:
        raise TryLater

    person = Person()
    page = person.get(address)
    monkeypatch.setattr("redemption.collector.redeem", later)

    refused = person.claim(page, secret)
    monkeypatch.undo()
    done = person.press(refused, "claim", "redeem")

    assert refused.status_code == 503
    assert "Nothing was used up." in words(refused)
    assert f'value="{secret}"' in refused.content.decode()
    assert done.status_code == 303


@pytest.mark.parametrize(("form", "keyboard"), [("N16", "numeric"), ("B12", "text")])
def test_the_keyboard_fits_the_codes_of_the_brand(brand: Brand, form: str, keyboard: str) -> None:
    make_batch(count=1, secret_form=form)

    page = Person().get("/claim").content.decode()

    assert f'name="code" type="text" value="" maxlength="64" inputmode="{keyboard}"' in page
