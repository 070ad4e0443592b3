"""Files of investigations as people see them, and a check in a shop on a telephone whose network comes and goes."""

from collections.abc import Callable
from datetime import timedelta
from uuid import uuid4

import pytest
from django.test import Client
from playwright.sync_api import Page, expect

from analytics import case_evidence, casework
from analytics.case_evidence import Seen
from analytics.models import CasePhoto, FieldCheck
from analytics.photos import Spot
from common.clock import now
from labels.queries import serials_of
from staff.models import User
from tests.analytics.files import Filed, make_file, make_person_of, photo, picture
from tests.browser.conftest import DESK, PHONE, Watch, looked_at


@pytest.fixture
def filed(live: str) -> Filed:
    return make_file()


def enter(user: User) -> Client:
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(user)
    return client


def investigated(filed: Filed) -> None:
    """Lead the file to a decision, with something of everything in it."""
    at, pk = now() - timedelta(days=3), filed.case.pk
    casework.set_due(pk, due_on=(at - timedelta(days=1)).date(), at=at, by="ana")
    casework.move(pk, seen="new", to="field_check", at=at, by="ina")
    shop = Seen(serials_of(filed.goods.labels(0))[1], "天河一店，体育西路 12 号", "INV-2026-000777", None, "",
                Spot(23.1291, 113.2644, 12), (photo("teal"), photo("olive")))  # fmt: skip
    case_evidence.field_check(pk, uuid=uuid4(), seen=shop, at=at, by="ina")
    case_evidence.add_photo(pk, photo=photo("navy"), at=at, by="ina", spot=Spot(23.13, 113.26, 8))
    asked = case_evidence.ask(
        pk, partner_id=filed.goods.a.pk, text="Where did case 1 go?", released=[], at=at, by="lea"
    )
    case_evidence.answer(asked.pk, text="It went to our own shop in the old town.", at=at, by="shop-a")
    casework.open_cautions(pk, effect="hold_reward", at=at, by="ina", text="until it is decided")
    casework.note(pk, text="Two shops sell the same lot side by side.", at=at, by="ina")


@pytest.mark.parametrize(("language", "dark"), [("en", False), ("zh-CN", True)])
def test_pages(filed: Filed, visit: Callable[..., Page], language: str, dark: bool) -> None:
    investigated(filed)
    make_person_of("owner", "ada")
    file = f"/console/cases/{filed.case.public_id}"
    pages = {
        "files": "/console/cases",
        "files-none": "/console/cases?state=closed",
        "file": file,
        "check": f"{file}/check",
    }
    client = enter(filed.lea)

    for size in (DESK, PHONE):
        page = visit(language=language, dark=dark, size=size, client=client)
        for name, path in pages.items():
            answer = page.goto(path)
            assert answer is not None
            assert answer.status == 200, path
            for summary in page.locator("main details > summary").all():
                summary.click()
            looked_at(page, f"{name}-{size['width']}-{language[:2]}-{'dark' if dark else 'light'}")


def test_a_check_survives_a_lost_network_and_two_taps(filed: Filed, visit: Callable[..., Page], watch: Watch) -> None:
    where = {"latitude": 23.1291, "longitude": 113.2644, "accuracy": 12}
    page = visit(size=PHONE, client=enter(filed.ina), geolocation=where, permissions=["geolocation"])
    label, path = serials_of(filed.goods.labels(0))[0], f"/console/cases/{filed.case.public_id}/check"
    page.goto(path)
    page.get_by_label("Label", exact=True).fill(label)
    page.get_by_label("Shop", exact=True).fill("Tianhe 12")
    page.get_by_role("button", name="Note where I am").click()
    expect(page.get_by_text("Place noted, to about 12 m.")).to_be_visible()

    page.context.set_offline(True)
    page.get_by_role("button", name="Send the check").click()
    expect(page.get_by_text("Not sent: there is no connection.")).to_be_visible()
    page.context.set_offline(False)
    page.reload()
    expect(page.get_by_label("Shop", exact=True)).to_have_value("Tianhe 12")
    page.get_by_label("Photographs").set_input_files([{"name": "a.jpg", "mimeType": "image/jpeg", "buffer": picture()}])
    page.get_by_label("Photographs").set_input_files(
        [{"name": "b.jpg", "mimeType": "image/jpeg", "buffer": picture("blue")}]
    )
    page.evaluate("const f = document.querySelector('#check'); f.requestSubmit(); f.requestSubmit();")
    page.wait_for_url(f"**/console/cases/{filed.case.public_id}")

    check = FieldCheck.objects.get()
    assert (check.shop, check.lat, check.photos.count()) == ("Tianhe 12", 23.1291, 2)
    assert CasePhoto.objects.count() == 2
    page.goto(path)
    expect(page.get_by_label("Shop", exact=True)).to_have_value("")
    watch.faults = [fault for fault in watch.faults if "ERR_INTERNET_DISCONNECTED" not in fault]
