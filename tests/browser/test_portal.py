"""The portal on a telephone: scanning without a network, each document once; pages looked at in both languages."""

from collections.abc import Callable

import pytest
from django.conf import settings
from django.test import Client
from playwright.sync_api import Page, expect

from channel.models import Document
from common.clock import now
from tests.browser.conftest import DESK, LANGUAGES, PHONE, Watch, looked_at
from tests.portal.world import MARK_NAME, World, make_world

expect.set_options(timeout=20_000)  # a busy machine is no fault


@pytest.fixture
def world(live: str) -> World:
    return make_world(now())


@pytest.fixture
def client(world: World) -> Client:
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(world.ning)
    client.get("/portal/account")  # leaves the token for forms that a sign-in by hand leaves
    return client


def wedge(page: Page, text: str) -> None:
    """Type as a scanner does: fast, with Enter at the end."""
    page.locator("#code").focus()
    page.keyboard.type(text)
    page.keyboard.press("Enter")


def settled(page: Page) -> None:
    """Return once the page has tried to send, and nothing waits on the device any more."""
    page.wait_for_selector("html[data-waiting='0']", timeout=20_000)


def shipments(world: World) -> list[Document]:
    return list(Document.objects.filter(issuer=world.north, kind="shipment").order_by("id"))


def test_scans_without_a_network_survive_and_are_sent_once(
    world: World, client: Client, visit: Callable[..., Page], watch: Watch
) -> None:
    page = visit(client=client, size=PHONE)
    page.goto("/portal/ship")
    page.wait_for_selector("html[data-offline=ready]", timeout=30_000)
    page.reload()
    page.wait_for_function("navigator.serviceWorker.controller !== null")
    wedge(page, world.case(0))
    expect(page.locator("#rows li.ok")).to_have_count(1)

    page.context.set_offline(True)
    wedge(page, f"https://brand.localhost/00/{world.case(1)}")
    wedge(page, f"]C100{world.case(1)}")
    expect(page.locator("#count")).to_have_text("2")
    expect(page.locator("#hit")).to_contain_text("counted once")
    page.close()

    page = watch.over(page.context.new_page())
    page.goto("/portal/ship")
    expect(page.locator("#count")).to_have_text("2")
    wedge(page, world.case(2))
    page.locator("#finish").click()
    expect(page.locator("#done")).to_contain_text("Kept on this device")
    expect(page.locator("#pill")).to_contain_text("Offline · 1 waiting")
    assert shipments(world) == []
    page.close()

    page = watch.over(page.context.new_page())
    page.context.set_offline(False)
    page.goto("/portal/ship")
    settled(page)
    expect(page.locator("#count")).to_have_text("0")
    (sent,) = shipments(world)
    assert (sent.accepted, sent.rejected, sent.labels, sent.destination) == (3, 0, 12, world.shop)
    page.reload()
    settled(page)
    assert len(shipments(world)) == 1
    watch.faults[:] = [fault for fault in watch.faults if "ERR_INTERNET_DISCONNECTED" not in fault]


def test_what_was_sent_but_not_answered_is_not_sent_twice(
    world: World, client: Client, visit: Callable[..., Page]
) -> None:
    page = visit(client=client, size=PHONE)
    page.goto("/portal/return")
    wedge(page, world.case(0))
    expect(page.locator("#rows li.ok")).to_have_count(1)
    page.evaluate(  # the server has it; the answer never arrives
        """() => {
          const real = window.fetch;
          window.fetch = async (url, options) => {
            const answer = await real(url, options);
            if (url !== "/portal/documents" || options?.method !== "POST" || window.lost) return answer;
            window.lost = answer.status;
            throw new TypeError("lost");
          };
        }"""
    )
    page.locator("#finish").click()
    expect(page.locator("#pill")).to_contain_text("1 waiting")
    assert page.evaluate("window.lost") == 201

    page.goto("/portal/")
    settled(page)

    assert Document.objects.filter(issuer=world.north, kind="return").count() == 1


def test_a_token_that_was_replaced_is_asked_for_again(world: World, client: Client, visit: Callable[..., Page]) -> None:
    page = visit(client=client, size=PHONE)
    page.goto("/portal/return")
    wedge(page, world.case(0))
    expect(page.locator("#rows li.ok")).to_have_count(1)
    page.context.clear_cookies(name=settings.CSRF_COOKIE_NAME)
    page.locator("#finish").click()
    expect(page.locator("#done")).to_contain_text("1 line is recorded.")
    assert Document.objects.filter(issuer=world.north, kind="return").count() == 1


def test_each_line_is_answered_kindly_and_names_nobody(
    world: World, client: Client, visit: Callable[..., Page]
) -> None:
    page = visit(client=client, size=PHONE)
    page.goto("/portal/ship")
    for text in (world.case(0), world.case(7), "hello world", world.case(0)):
        wedge(page, text)

    expect(page.locator("#rows li.ok")).to_have_count(1)
    expect(page.locator("#rows li.no")).to_have_count(2)
    expect(page.locator("#rows")).to_contain_text("a return or a transfer comes first")
    expect(page.locator("#units")).to_have_text("package · 4 items")
    page.locator("#sound").click()
    expect(page.locator("#sound")).to_have_attribute("aria-pressed", "false")
    page.locator("#finish").click()
    expect(page.locator("#done")).to_contain_text("1 line is recorded.")
    assert MARK_NAME not in page.content()


def test_what_is_missing_of_a_shipment_is_reported(world: World, client: Client, visit: Callable[..., Page]) -> None:
    shipment = world.shipments["coming"]
    page = visit(client=client, size=PHONE)
    page.goto(f"/portal/receive?shipment={shipment.public_id}")
    wedge(page, world.case(8))
    expect(page.locator("#rows li.no")).to_contain_text("not sent to you")
    expect(page.locator("#finish")).to_be_disabled()
    wedge(page, world.case(4))
    expect(page.locator("#rows li.no")).to_have_count(2)
    page.locator("#rows li", has_text=world.case(4)[13:17]).get_by_role("button", name="Take in as extra").click()
    expect(page.locator("#rows li.ok")).to_have_count(1)
    page.locator("#rest").check()
    page.locator("#finish").click()
    expect(page.locator("#done")).to_contain_text("2 lines are recorded.")

    receipt = Document.objects.filter(issuer=world.north, kind="receipt").latest("id")
    assert sorted(receipt.lines.values_list("item", "condition")) == sorted(
        [(world.case(4), "over"), (world.case(3), "short")]
    )


def test_the_reader_runs_under_the_policy_of_its_page(world: World, client: Client, visit: Callable[..., Page]) -> None:
    page = visit(client=client, size=PHONE)
    page.goto("/portal/ship")

    read = page.evaluate(
        """async () => {
          const { reader, wasm } = JSON.parse(document.querySelector("#settings").textContent);
          await new Promise((resolve, reject) => document.head.append(Object.assign(document.createElement("script"), { src: reader, onload: resolve, onerror: reject })));
          await ZXingWASM.prepareZXingModule({ overrides: { locateFile: () => wasm }, fireImmediately: true });
          const blank = new ImageData(64, 64);
          return (await ZXingWASM.readBarcodes(blank, { formats: ["QRCode", "DataMatrix", "Code128"] })).length;
        }"""
    )

    assert read == 0


READINGS = {
    "395011014200000412": None,
    "395011014200000411": "00395011014200000411",
    "(00)395011014200000411": "00395011014200000411",
    "]C100395011014200000411": "00395011014200000411",
    "00395011014200000411": "00395011014200000411",
    "https://tea.example/00/395011014200000411": "00395011014200000411",
    "HTTPS://TEA.EXAMPLE/01/09501101530003/21/5JQ2D4Y8562N": "215JQ2D4Y8562N",
    "(01)09501101530003(21)5jq2d4y8562n(10)A1": "215JQ2D4Y8562N",
    "]d20109501101530003215JQ2D4Y8562N\x1d10A1": "215JQ2D4Y8562N",
    "0109501101530003215JQ2D4Y8562N<GS>10A1": "215JQ2D4Y8562N",
    "01095011015300031727010110A1\x1d215JQ2D4Y8562N": None,
    "5jq2 d4y8 562n": "215JQ2D4Y8562N",
    "hello": None,
    "": None,
}


def test_the_page_reads_what_the_server_reads(world: World, client: Client, visit: Callable[..., Page]) -> None:
    from channel.items import Item, read

    page = visit(client=client, size=PHONE)
    page.goto("/portal/ship")
    for text, key in READINGS.items():
        found = page.evaluate("(text) => Portal.codes.read(text)?.key ?? null", text)
        assert found == key, text
        if key and key.startswith("00"):
            assert read([Item(text)])[0].sscc == key[2:], text


@pytest.mark.parametrize("language", LANGUAGES)
def test_pages_are_fit_to_be_seen(world: World, client: Client, visit: Callable[..., Page], language: str) -> None:
    for dark in (False, True):
        for width, size in ((360, PHONE), (1280, DESK)):
            page = visit(client=client, size=size, dark=dark, language=language)
            for name in ("", "ship", "receive", "return", "stock", "documents", "points", "report", "account"):
                page.goto(f"/portal/{name}")
                if name == "ship":
                    page.locator("#code").wait_for()
                    for text in (world.case(0), world.case(7), world.case(0)):
                        wedge(page, text)
                    expect(page.locator("#rows li.no")).to_have_count(1)
                looked_at(page, f"portal-{name or 'home'}-{language}-{width}-{'dark' if dark else 'light'}")
            page.goto(f"/portal/documents/{world.shipments['coming'].public_id}")
            looked_at(page, f"portal-document-{language}-{width}-{'dark' if dark else 'light'}")
            page.context.close()


def test_somebody_invited_comes_in(world: World, visit: Callable[..., Page], live: str) -> None:
    from portal.services import invite
    from tests.portal.makers import PASSWORD

    _row, token = invite(world.north, username="mei", at=now(), asked_by="olga")
    page = visit(size=PHONE)
    page.goto(f"/portal/join#{token}")
    expect(page.locator("main")).to_contain_text("North Tea Trading")
    assert token not in page.url
    looked_at(page, "portal-join")
    page.locator("[name=password]").fill(PASSWORD)
    page.locator("[name=again]").fill(PASSWORD)
    page.get_by_role("button", name="Open my account").click()
    looked_at(page, "portal-sign-in")
    page.locator("[name=login]").fill("mei")
    page.locator("[name=password]").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    expect(page.locator("h1")).to_contain_text("North Tea Trading")
