"""The scratch card and the draws of the wallet: told from what was committed, the same after a refresh, nobody else's."""

import gzip
import json
from datetime import datetime
from pathlib import Path

import pytest
from django.test import Client

from brands.models import Brand
from common.clock import now
from ledger.models import Hold
from lottery import verify_draw
from lottery.models import Campaign, Claim, Draw, Entry, Exclusion
from lottery.services import advance, close_draw
from members.models import Member
from redemption import page as pages
from redemption.models import Redemption
from tests.lottery import world
from tests.makers import (
    STRANGER_PHONE,
    balance_of,
    labels_of,
    make_active_batch,
    make_campaign,
    secret_of,
    secrets_of,
    serial_of,
)
from tests.redemption.test_web_wallet import signed_in
from tests.redemption.web import Person, words

pytestmark = pytest.mark.django_db


@pytest.fixture
def at(brand: Brand) -> datetime:
    return now()


def played(at: datetime, *tiers: object, person: Person | None = None) -> tuple[Person, str]:
    """Redeem the only label of a game at the web door; return the person and the receipt's address."""
    batch = make_active_batch(1, at=at)
    make_campaign(product=batch.product, at=at)
    world.game_now(batch, *tiers, at=at)
    person = person or Person()
    address = f"/01/{batch.product.gtin}/21/{serial_of(labels_of(batch)[0])}"
    done = person.claim(person.get(address), secret_of(labels_of(batch)[0]))
    return person, done.url


def test_a_prize_is_under_the_scratch_card_and_stays_there(at: datetime) -> None:
    person, address = played(at, world.tier(1, 1))

    first, again = person.get(address), person.get(address)

    assert "Prize 1 Yours if you claim it until" in words(first)
    assert "1 in 1 wins · rules" in words(first)
    assert 'id="win"' in first.content.decode()
    assert words(first) == words(again)
    claim = Claim.objects.get()
    assert claim.play.scan_id == Redemption.objects.get().scan_id


def test_points_won_are_told_apart_from_those_of_the_code(at: datetime) -> None:
    person, address = played(at, world.tier(1, 1, kind="points"))

    shown = words(person.get(address))

    assert "+100 points Balance went from 0 to 100" in shown
    assert "+50 points, they are in your wallet. You have 150 now." in shown
    assert balance_of() == 150
    assert "Prize" in words(person.get("/me"))


def test_no_prize_is_told_plainly(at: datetime) -> None:
    person, address = played(at, world.tier(1, 0))

    shown = words(person.get(address))

    assert "No prize this time Your points are yours all the same." in shown
    assert "Claim my prize" not in shown


def test_before_the_code_is_redeemed_no_page_holds_a_prize(at: datetime) -> None:
    batch = make_active_batch(1, at=at)
    world.game_now(batch, world.tier(1, 1), at=at)
    person = Person()

    for page in (person.get(f"/01/{batch.product.gtin}/21/{serial_of(labels_of(batch)[0])}"), person.get("/claim")):
        assert "Prize 1" not in page.content.decode()
        assert 'id="win"' not in page.content.decode()


def test_nobody_else_opens_the_card(at: datetime) -> None:
    _person, address = played(at, world.tier(1, 1))

    stranger = Person(phone=STRANGER_PHONE)

    assert stranger.get(address).status_code == 404
    assert stranger.get(f"{address}/play.json").status_code == 404


def test_the_card_is_said_in_chinese(at: datetime) -> None:
    person, address = played(at, world.tier(1, 1), person=Person(language="zh-CN"))

    shown = words(person.get(address))

    assert "奖品 1" in shown
    assert "直接揭晓" in shown


def test_the_receipt_with_a_card_is_small(at: datetime) -> None:
    person, address = played(at, world.tier(1, 1))

    answer = person.get(address, headers={"Accept-Encoding": "gzip"})

    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.content) < 14 * 1024
    assert len(gzip.decompress(answer.content)) > len(pages.scratch_script())


def test_the_signed_receipt_of_a_play_is_handed_out(at: datetime) -> None:
    person, address = played(at, world.tier(1, 1))

    signed = json.loads(person.get(f"{address}/play.json").content)

    assert signed["content"]["kind"] == "play"
    assert (signed["content"]["outcome"], signed["content"]["tier"]) == ("won", 1)
    assert verify_draw.is_signed(
        bytes.fromhex(signed["key"]), "lottery-receipt/v1", verify_draw.canonical(signed["content"]),
        bytes.fromhex(signed["signature"]),
    )  # fmt: skip


# --- draws -----------------------------------------------------------------------------------------------------------------

POINTS = {"enter": {"points": 1, "points_price": 10, "label": 1, "free": 1}, "draw": {"max_weight": 20}}


def open_draw(at: datetime, **terms: object) -> Draw:
    _campaign, draw = world.draw_now(world.tier(1, 1, use="draw"), at=at, terms=POINTS | terms)
    return draw


def rich(at: datetime) -> Person:
    """Return a member who is signed in and has 100 points."""
    batch = make_active_batch(1, at=at)
    make_campaign(product=batch.product, at=at)
    person = Person()
    person.claim(person.get("/claim"), secrets_of(batch)[0])
    return person


def test_points_enter_a_draw_and_come_back_while_it_is_open(at: datetime) -> None:
    person = rich(at)
    draw = open_draw(at)

    page = person.get("/me/draws")
    done = person.press(page, "weight", weight="3")
    again = person.post("/me/draws", {**dict(done.wsgi_request.POST.items())})
    mine = person.get("/me/draws")

    assert (done.status_code, again.status_code) == (303, 303)
    assert "Enter for 10 points each" in words(page)
    entry = Entry.objects.get(source="points")
    assert (entry.draw_id, entry.weight) == (draw.pk, 3)
    assert "You can use 70 points" in words(mine)
    back = person.press(mine, f"/me/draws/entries/{entry.pk}/cancel")
    assert back.status_code == 303
    assert "Void" in words(person.get("/me/draws"))
    assert Hold.objects.get().state == "void"
    assert "You can use 100 points" in words(person.get("/me/draws"))


@pytest.mark.parametrize(
    ("weight", "status", "said"),
    [("21", 409, "1 to 20"), ("11", 409, "You have too few points for that."), ("0", 400, ""), ("x", 400, "")],
)
def test_a_wrong_number_of_entries_enters_nothing(at: datetime, weight: str, status: int, said: str) -> None:
    person = rich(at)
    open_draw(at)

    refused = person.press(person.get("/me/draws"), "weight", weight=weight)

    assert refused.status_code == status
    assert said in words(refused)
    assert 'role="alert"' in refused.content.decode()
    assert not Entry.objects.exists()
    assert not Hold.objects.exists()
    assert person.press(refused, "weight", weight="10").status_code == 303


def test_a_receipt_of_an_entry_proves_that_it_took_part(
    at: datetime, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    person = rich(at)
    draw = open_draw(at)
    person.press(person.get("/me/draws"), "weight", weight="2")
    entry = Entry.objects.get()
    (tmp_path / "r.json").write_bytes(person.get(f"/me/draws/entries/{entry.pk}.json").content)

    bundle = drawn(draw, tmp_path)
    code = verify_draw.main([str(bundle), "--receipt", str(tmp_path / "r.json")])

    assert code == 3  # all holds, on a private chain
    assert f"entry {entry.pk} took part" in capsys.readouterr().out
    assert Client(HTTP_HOST="brand.localhost").get(f"/me/draws/entries/{entry.pk}.json").status_code == 303
    stranger = signed_in(Person(phone=STRANGER_PHONE))
    assert stranger.get(f"/me/draws/entries/{entry.pk}.json").status_code == 404


def drawn(draw: Draw, folder: Path) -> Path:
    """Close, list, seed, select and publish a draw; return its proof."""
    close_draw(draw.pk, at=draw.close_at)
    listed = advance(draw.pk, at=draw.close_at)
    world.beacon_out(listed.round or 0, at=draw.close_at)
    published = advance(draw.pk, at=draw.close_at)
    path = folder / "bundle.zip"
    path.write_bytes(bytes(published.bundles.get().data))
    return path


def test_a_free_entry_needs_a_phone_and_no_purchase(at: datetime) -> None:
    draw = open_draw(at)
    person = Person()
    page = person.get(f"/draws/{draw.public_id}/enter")

    page = person.press(page, "free", "send", phone=person.phone)
    done = person.press(page, "free", "enter", phone=person.phone, one_time_code=person.last_code())
    second = person.press(person.get(f"/draws/{draw.public_id}/enter"), "free", "enter")

    assert (done.status_code, second.status_code) == (303, 303)
    entry = Entry.objects.get()
    assert (entry.source, entry.weight) == ("free", 1)
    assert "free entry" in words(person.get("/me/draws"))


def test_a_wrong_one_time_code_enters_nothing(at: datetime) -> None:
    draw = open_draw(at)
    person = Person()
    page = person.press(person.get(f"/draws/{draw.public_id}/enter"), "free", "send", phone=person.phone)

    refused = person.press(page, "free", "enter", phone=person.phone, one_time_code="000000")

    assert refused.status_code == 400
    assert not Entry.objects.exists()


def test_a_draw_without_free_entries_has_no_form(at: datetime) -> None:
    draw = open_draw(at, enter={"label": 1})

    assert Person().get(f"/draws/{draw.public_id}/enter").status_code == 404
    assert Person().get("/draws/drw_0/enter").status_code == 404


def test_excluded_people_enter_no_draw(at: datetime) -> None:
    person = rich(at)
    draw = open_draw(at)
    index = Member.objects.get().phone_index
    Exclusion.objects.create(by="phone", index=index, why="staff", added_by="maker", added_at=at)

    points = person.press(person.get("/me/draws"), "weight", weight="1")
    free = person.press(person.get(f"/draws/{draw.public_id}/enter"), "free", "enter")

    assert (points.status_code, free.status_code) == (409, 409)
    assert "You may not take part." in words(free)
    assert not Entry.objects.exists()


def test_the_limit_of_the_rules_holds_for_entries_of_any_source(at: datetime) -> None:
    person = rich(at)
    open_draw(at, limits=[{"act": "entry", "subject": "phone", "period": "all", "most": 1}])
    person.press(person.get("/me/draws"), "weight", weight="1")

    second = person.press(person.get("/me/draws"), "weight", weight="2")

    assert second.status_code == 409
    assert Entry.objects.count() == 1


def test_a_redeemed_code_says_which_draw_it_entered(at: datetime) -> None:
    draw = open_draw(at)
    person = rich(at)

    receipt = person.get(
        person.get("/me/receipts").content.decode().split('href="/r/')[1].split('"')[0].join(["/r/", ""])
    )

    entry = Entry.objects.get(source="label")
    assert f"Entry {entry.pk}, weight 1." in words(receipt)
    assert Campaign.objects.get(pk=draw.campaign_id).state == "open"
