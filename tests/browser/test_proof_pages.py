"""The proof of a draw in a real browser: it holds, it fails on one changed entry, and anybody can read the page."""

import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.db import transaction
from django.test import Client
from playwright.sync_api import Page, Route, expect

from analytics import fair_play
from brands.models import Brand
from common.canonical import canonical
from lottery import bundles, content, keys, verify_draw
from lottery.models import BeaconValue, Bundle, Campaign, Draw, Entry
from lottery.services import advance, reveal
from lottery.services.arming import close_due
from lottery.services.playing import Ask
from staff.keys import sign_key
from staff.models import User
from tests.browser.conftest import DESK, LANGUAGES, PHONE, looked_at
from tests.conftest import NOW
from tests.lottery import world
from tests.lottery.pictures import photograph
from tests.makers import labels_of, make_active_batch, make_member

VISIT = Callable[..., Page]
LOOKS = [(language, dark, size) for language in LANGUAGES for dark, size in ((False, PHONE), (True, DESK))]


@pytest.fixture
def draw(real_commits: Brand) -> Draw:
    keys.forget()
    tiers = [world.tier(1, 1, use="draw", alternates=2), world.tier(2, 2, use="draw", alternates=2)]
    [draw] = world.open_draws(*tiers, terms={"enter": world.ENTER_ALL})[1]
    world.fill(draw)
    return world.drawn(draw)


def checked(page: Page, draw: Draw | Campaign, *, receipt: str = "") -> dict[str, str]:
    """Press the button; return what became of each check, and of the whole under ``""``."""
    page.goto(f"/draws/{draw.public_id}")
    page.fill("#receipt", receipt)
    page.click("#check-start")
    expect(page.locator("#check-said.holds, #check-said.fails")).to_be_visible()
    found = {
        item.get_attribute("data-check"): item.get_attribute("data-result")
        for item in page.locator("#check-list li").all()
    }
    return {**found, "": page.locator("#check-said").get_attribute("class") or ""}  # type: ignore[dict-item]


def serve(page: Page, data: bytes) -> None:
    """Let the server send another file for the proof."""

    def answer(route: Route) -> None:
        route.fulfill(body=data, content_type="application/zip")

    page.route("**/bundle.zip", answer)


def tampered(data: bytes, change: Callable[[bytes], bytes], *, sign_anew: bool = False) -> bytes:
    """Return a proof with other entries; signed anew as the publisher could, or as it was."""
    files = verify_draw.unpack(data)
    files["entries.jsonl"] = change(files["entries.jsonl"])
    if not sign_anew:
        return verify_draw.pack(files)
    key = sign_key(at=NOW)
    signatures = {
        "draw_rules": bundles.sign(key, content.DRAW_RULES_TAG, files["rules.json"]).hex(),
        "root": bundles.sign(key, content.ROOT_TAG, files["root.json"]).hex(),
    }
    for gone in ("manifest.json", "signatures.json"):
        del files[gone]
    return bundles.pack("draw", files, signatures, edition=1, before=None, key=key)


def retold(data: bytes, change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a proof of an instant game whose reveal says something else, signed anew as the publisher could."""
    files, key = verify_draw.unpack(data), sign_key(at=NOW)
    value = json.loads(files["reveal.json"])
    change(value)
    files["reveal.json"] = canonical(value)
    signatures = json.loads(files["signatures.json"])
    for gone in ("manifest.json", "signatures.json"):
        del files[gone]
    return bundles.pack("reveal", files, signatures, edition=1, before=None, key=key)


def heavier(entries: bytes) -> bytes:
    assert b'"weight":2' in entries
    return entries.replace(b'"weight":2', b'"weight":9', 1)


def test_a_real_proof_holds(visit: VISIT, draw: Draw) -> None:
    mine = Entry.objects.filter(draw=draw).order_by("pk")[1]
    receipt = canonical(bundles.entry_receipt(mine, key=sign_key(at=NOW))).decode()

    found = checked(visit(), draw, receipt=receipt)

    assert found.pop("") == "said holds"
    assert found.pop("beacon_private") == "left"
    assert set(found.values()) == {"holds"}
    assert {
        "hashes",
        "signatures",
        "root",
        "seed",
        "picks",
        "root_first",
        "receipt_signed",
        "entry_listed",
    } <= found.keys()


def test_one_changed_entry_fails(visit: VISIT, draw: Draw) -> None:
    page, data = visit(), bytes(Bundle.objects.get(draw=draw).data)
    serve(page, tampered(data, heavier))
    as_served = checked(page, draw)
    page.unroute("**/bundle.zip")
    serve(page, tampered(data, heavier, sign_anew=True))

    signed_anew = checked(page, draw)

    assert as_served[""] == signed_anew[""] == "said fails"
    assert as_served["hashes"] == "fails"
    assert signed_anew["hashes"] == signed_anew["signatures"] == "holds"
    assert signed_anew["root"] == signed_anew["picks"] == "fails"


def test_a_receipt_of_an_entry_that_was_left_out_fails(visit: VISIT, draw: Draw) -> None:
    mine = Entry.objects.filter(draw=draw).order_by("pk")[1]
    receipt = canonical(bundles.entry_receipt(mine, key=sign_key(at=NOW))).decode()
    without = receipt.replace(bytes(mine.leaf).hex(), "ab" * 32)
    page = visit()

    by_number = checked(page, draw, receipt=str(mine.pk))
    unsigned = checked(page, draw, receipt=without)
    forged = Entry(pk=mine.pk, draw=draw, leaf=b"\xab" * 32, at=NOW)
    left_out = checked(page, draw, receipt=canonical(bundles.entry_receipt(forged, key=sign_key(at=NOW))).decode())

    assert by_number["entry_listed"] == "holds"
    assert unsigned["receipt_signed"] == "fails"
    assert left_out["receipt_missing"] == "fails"
    assert {one[""] for one in (unsigned, left_out)} == {"said fails"}


def other_threshold(value: dict[str, Any]) -> None:
    limit = value["pools"][0]["th"][0]
    limit[1] = str(int(limit[1]) + 1)


def other_range(value: dict[str, Any]) -> None:
    value["pools"][0]["ranges"][0][1] -= 1


def test_a_real_reveal_holds_and_fails_on_one_change(visit: VISIT, real_commits: Brand) -> None:
    keys.forget()
    batch = make_active_batch(300, at=world.NOW)
    game = world.open_game(batch, world.tier(1, 3), world.tier(2, 40), touched=labels_of(batch)[:9])
    close_due(at=world.CLOSES)
    data, page = bytes(reveal(game.pk, at=world.CLOSES).data), visit()

    found = checked(page, game)

    assert found.pop("") == "said holds"
    assert found.pop("beacon_private") == "left"
    assert set(found.values()) == {"holds"}
    assert {"hashes", "signatures", "secrets", "game_key", "thresholds", "ranges", "excluded", "pool"} <= found.keys()
    for change, broken in ((other_threshold, "thresholds"), (other_range, "ranges")):
        serve(page, retold(data, change))
        changed = checked(page, game)
        page.unroute("**/bundle.zip")
        assert changed[""] == "said fails"
        assert (changed["hashes"], changed["signatures"], changed[broken]) == ("holds", "holds", "fails")


def test_what_is_no_proof_is_said_to_be_none(visit: VISIT, draw: Draw) -> None:
    page = visit()
    serve(page, b"PK\x03\x04 nothing")

    assert checked(page, draw)[""] == "said fails"
    assert "no proof that can be read" in page.inner_text("#check-said")


@pytest.mark.parametrize(("language", "dark", "size"), LOOKS)
def test_pages_can_be_read_by_everybody(
    visit: VISIT, draw: Draw, language: str, dark: bool, size: dict[str, int]
) -> None:
    page = visit(language=language, dark=dark, size=size)
    name = f"{language}-{'dark' if dark else 'light'}"

    checked(page, draw, receipt=str(Entry.objects.filter(draw=draw).latest("pk").pk))
    looked_at(page, f"draw-{name}")
    page.goto("/draws")
    looked_at(page, f"draws-{name}")


def test_without_javascript_the_page_names_the_program(visit: VISIT, draw: Draw) -> None:
    page = visit(script=False)
    page.goto(f"/draws/{draw.public_id}")

    assert page.locator("#check form").is_hidden()
    assert "python verify_draw.py bundle.zip" in page.inner_text("main")
    page.fill("#entry-no", str(Entry.objects.filter(draw=draw).latest("pk").pk))
    page.click("#ask-server button")
    assert "took part" in page.inner_text("#entry")


def test_a_waiting_draw_says_for_what(visit: VISIT, real_commits: Brand) -> None:
    keys.forget()
    [draw] = world.open_draws(world.tier(1, 1, use="draw"), terms={"enter": world.ENTER_ALL})[1]
    waiting = advance(draw.pk, at=world.LISTED)
    page = visit(size=PHONE)

    page.goto(f"/draws/{draw.public_id}")

    assert f"Waiting for round {waiting.round}" in page.inner_text("main")
    looked_at(page, "draw-waiting")


@pytest.mark.parametrize(("language", "dark", "size"), LOOKS)
def test_records_and_reports_can_be_read(
    visit: VISIT, draw: Draw, language: str, dark: bool, size: dict[str, int]
) -> None:
    batch = make_active_batch(60, at=NOW + timedelta(minutes=50))
    game = world.open_game(batch, world.tier(1, 15))
    member = make_member("+8613900139000")
    keys.load([game.pk])
    asks = [
        Ask(label_no=no, scan_id=no, account_id=member.account_id, member_id=member.pk, at=world.OPENS, slot=3)
        for no in labels_of(batch)[:40]
    ]
    with transaction.atomic():
        world.play_all(asks)
    close_due(at=world.CLOSES)
    fair_play.keep(Campaign.objects.get(pk=game.pk), at=world.CLOSES)
    client = Client(HTTP_HOST="brand.localhost")
    client.force_login(User.objects.create_user("ada", password="x", role="owner"))
    page = visit(language=language, dark=dark, size=size, client=client)
    look = f"{language}-{'dark' if dark else 'light'}"
    for name, path in (
        ("record", f"/console/draws/{draw.public_id}"),
        ("records", "/console/draws"),
        ("fairness", f"/console/campaigns/{game.public_id}/fairness"),
        ("fairness-public", f"/draws/{game.public_id}/fairness"),
        ("game", f"/draws/{game.public_id}"),
    ):
        page.goto(path)
        looked_at(page, f"{name}-{look}")


@pytest.mark.parametrize(("language", "dark", "size"), [("en", False, PHONE), ("zh-CN", True, DESK)])
def test_published_numbers_are_typed_by_two(
    visit: VISIT, real_commits: Brand, language: str, dark: bool, size: dict[str, int]
) -> None:
    keys.forget()
    event = "Numbers of 24 November, smallest first, of the lottery of Shanghai"
    terms = {"enter": world.ENTER_ALL, "beacon": world.manual("typed").as_json(), "beacon_bits": 64}
    draws = world.draws(world.tier(1, 1, use="draw"), terms={**terms, "beacon_event": event})
    [draw] = world.opened(world.published(draws)).draws.all()
    advance(draw.pk, at=world.LISTED)
    day = (world.CLOSE + timedelta(days=1)).date()
    look = f"{language}-{'dark' if dark else 'light'}"
    pages = []
    for name, numbers in (("ada", "7 11 23"), ("ben", "7 11 24"), ("cem", "07 11 23")):
        client = Client(HTTP_HOST="brand.localhost")
        client.force_login(User.objects.create_user(name, password="x", role="owner"))
        page = visit(language=language, dark=dark, size=size, client=client)
        pages.append(page)
        page.goto(f"/console/draws/{draw.public_id}")
        page.locator(".note a").click()
        assert event in page.inner_text("main")
        looked_at(page, f"value-{name}-{look}")
        page.fill("[name=published_on]", day.isoformat())
        page.fill("[name=numbers]", numbers)
        page.fill("[name=url]", "https://numbers.example/24")
        page.set_input_files("[name=image]", {"name": "n.png", "mimeType": "image/png", "buffer": photograph()})
        page.locator("main form .btn.go").click()
        page.wait_for_load_state()
        looked_at(page, f"value-{name}-typed-{look}")

    assert BeaconValue.objects.get(source="manual").brought_by == "ada, cem"
    assert pages[2].url.endswith(f"/console/draws/{draw.public_id}")
    assert pages[2].locator(".note a").count() == 0  # nothing is waited for any more
