"""A public value that two persons type: equal it is stored, different both are told, and neither sees the other's before."""

from datetime import timedelta
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.http import HttpResponse

from lottery import keys, private_chain
from lottery.beacons import key_string
from lottery.errors import BadValue, DrawState
from lottery.models import BeaconValue, Draw, TypedValue
from lottery.services import Reading, advance, type_for
from lottery.services.readings import key_text
from staff.models import Audit
from tests.console.games import client_of
from tests.lottery import world
from tests.lottery.pictures import photograph

DUE = world.CLOSE + timedelta(minutes=30)
LATER = DUE + timedelta(hours=1)
TYPED = "05 2 12 8 10\n9319"
EVENT = "Even numbers of 26 November, smallest first, by the lottery of Shanghai"


@pytest.fixture
def draw(brand) -> Draw:
    keys.forget()
    beacon = world.manual("typed").as_json()
    terms = {"enter": world.ENTER_ALL, "beacon": beacon, "beacon_bits": 64, "beacon_event": EVENT}
    _campaign, [draw] = world.open_draws(world.tier(1, 1, use="draw", alternates=2), terms=terms)
    world.fill(draw, 3)
    return advance(draw.pk, at=world.LISTED)


def reading(**more: Any) -> Reading:
    day = LATER.date()
    return Reading(**{"numbers": TYPED, "published_on": day, "url": "https://a.example/", "image": b"x", **more})


def test_a_line_is_a_source_and_zeros_before_a_number_say_nothing():
    assert key_text(" 2.5.12 \n\n９３１９") == "2.5.12./9319./" == key_string([([2, 5, 12], True), ([9319], True)])


@pytest.mark.parametrize("numbers", ["", "\n", "5 six", "5 -6", "9" * 21, "1 2\n" * 300, "5 ²"])
def test_what_is_no_number_is_refused(numbers):
    with pytest.raises(BadValue):
        key_text(numbers)


def test_the_same_of_two_persons_is_stored_and_draws(draw):
    assert type_for(draw.pk, reading(), by="ada", at=LATER) is None
    assert advance(draw.pk, at=LATER).state == Draw.State.LISTED
    assert type_for(draw.pk, reading(), by="ada", at=LATER) is None  # one person twice is one person

    value = type_for(draw.pk, reading(url="https://b.example/"), by="ben", at=LATER)

    assert value is not None
    assert (bytes(value.value), value.brought_by) == (b"5.2.12.8.10./9319./", "ada, ben")
    assert advance(draw.pk, at=LATER).state == Draw.State.PUBLISHED
    trail = Audit.objects.filter(act__in=["type_value", "store_value"]).order_by("id")
    assert [row.after["by"] for row in trail] == ["ada", "ada", "ben"]
    assert "9319" not in str([row.after for row in trail])


def test_different_ones_wait_for_a_third_person(draw):
    type_for(draw.pk, reading(), by="ada", at=LATER)
    assert type_for(draw.pk, reading(numbers="5 2 12 8 10\n9318"), by="ben", at=LATER) is None
    assert not BeaconValue.objects.filter(source="manual").exists()
    with pytest.raises(BadValue, match="typed another value before"):
        type_for(draw.pk, reading(), by="ben", at=LATER)

    assert type_for(draw.pk, reading(), by="cem", at=LATER) is not None


def test_another_day_is_another_value(draw):
    late = LATER + timedelta(days=2)
    type_for(draw.pk, reading(), by="ada", at=late)

    assert type_for(draw.pk, reading(published_on=late.date()), by="ben", at=late) is None


@pytest.mark.parametrize("days", [-1, 1])
def test_numbers_of_before_the_list_or_of_tomorrow_are_refused(draw, days):
    with pytest.raises(BadValue, match="after the entries were listed"):
        type_for(draw.pk, reading(published_on=LATER.date() + timedelta(days=days)), by="ada", at=LATER)

    assert not TypedValue.objects.exists()


def test_nothing_is_typed_before_its_moment_or_after(draw):
    with pytest.raises(DrawState):
        type_for(draw.pk, reading(), by="ada", at=DUE - timedelta(seconds=10))
    for name in ("ada", "ben"):
        type_for(draw.pk, reading(), by=name, at=LATER)
    advance(draw.pk, at=LATER)

    with pytest.raises(DrawState):
        type_for(draw.pk, reading(), by="cem", at=LATER)


# --- the page --------------------------------------------------------------------------------------------------------------


def send(client: Any, to: Draw, **more: Any) -> HttpResponse:
    picture = SimpleUploadedFile("numbers.png", photograph(), "image/png")
    typed = {"draw": to.public_id, "numbers": TYPED, "published_on": LATER.date(), "url": "https://a.example/x"}
    return client.post("/console/draws/value", {**typed, "image": picture, **more})


def test_two_persons_type_on_the_page_and_see_no_other(draw):
    ada, ben, page = client_of("ada"), client_of("ben", "legal"), f"/console/draws/{draw.public_id}"
    assert f"{page}/value" in ada.get(page).content.decode()
    assert EVENT in ada.get(f"{page}/value").content.decode()
    assert send(ada, draw).status_code == 302
    assert "5.2.12.8.10./9319./" in ada.get(f"{page}/value").content.decode()

    before = [ben.get(path).content.decode() for path in (page, f"{page}/value")]
    picture = ben.get(f"{page}/value/1.jpg").status_code
    answer = send(ben, draw)

    assert "1 person has typed the numbers." in before[1]
    assert not any("9319" in text or "a.example" in text for text in before)
    assert picture == 404
    assert answer["Location"] == page
    after = ben.get(page).content.decode()
    assert after.count("5.2.12.8.10./9319./") == 2
    shown = ben.get(f"{page}/value/1.jpg")
    assert (shown.status_code, shown["Content-Type"], shown.content[:2]) == (200, "image/jpeg", b"\xff\xd8")
    assert ben.get(f"{page}/value/3.jpg").status_code == 404


def test_both_are_told_kindly_that_they_differ(draw):
    ada, ben, page = client_of("ada"), client_of("ben"), f"/console/draws/{draw.public_id}/value"
    send(ada, draw)
    assert "differs" not in ada.get(page).content.decode()

    send(ben, draw, numbers="1 2 3")

    for client, other in ((ada, "1.2.3./"), (ben, "9319")):
        text = client.get(page).content.decode()
        assert "differs from what another person typed" in text
        assert "Ask one more person" in text
        assert other not in text


def test_the_page_refuses_who_and_what_it_must(draw):
    assert client_of("eve", "analyst").get(f"/console/draws/{draw.public_id}/value").status_code == 403
    assert send(client_of("eve", "analyst"), draw).status_code == 403
    ada = client_of("ada")
    wrong: list[dict[str, Any]] = [
        {"numbers": "seven"}, {"url": "ftp://x"}, {"published_on": "soon"}, {"image": ""}, {"numbers": "1\x002"},
        {"image": SimpleUploadedFile("a.png", b"no picture", "image/png")},
    ]  # fmt: skip
    assert [send(ada, draw, **one).status_code for one in wrong] == [422] * len(wrong)
    assert send(ada, draw, draw="drw_none").status_code == 404
    assert not TypedValue.objects.exists()
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM lottery_beaconvalue WHERE source = 'manual'")
        assert cursor.fetchone() == (0,)


# --- the signature of a late round -----------------------------------------------------------------------------------


@pytest.fixture
def late(brand, monkeypatch) -> Draw:
    """A draw whose round is out, and that no relay has brought."""
    keys.forget()
    _campaign, [draw] = world.open_draws(world.tier(1, 1, use="draw", alternates=2), terms={"enter": world.ENTER_ALL})
    world.fill(draw, 3)
    monkeypatch.setattr("lottery.draw_views.now", lambda: world.DRAWN)
    return advance(draw.pk, at=world.LISTED)


def test_a_late_signature_is_pasted_and_draws(late):
    client = client_of("mia")
    assert b"/signature" in client.get(f"/console/draws/{late.public_id}").content
    text = private_chain.sign(late.round)

    answer = client.post(f"/console/draws/{late.public_id}/signature", {"signature": f" {text.upper()}\n"}, follow=True)

    assert "goes on by itself" in answer.content.decode()
    assert BeaconValue.objects.get(round=late.round).brought_by == "mia"
    assert advance(late.pk, at=world.DRAWN).state == Draw.State.PUBLISHED


@pytest.mark.parametrize("text", ["", "zz", "0" * 96, "0" * 95, "\x00" * 96])
def test_a_signature_that_is_none_is_refused(late, text):
    answer = client_of("mia").post(f"/console/draws/{late.public_id}/signature", {"signature": text}, follow=True)

    assert answer.status_code == 200
    assert "goes on by itself" not in answer.content.decode()
    assert not BeaconValue.objects.filter(round=late.round).exists()


def test_who_may_not_decide_pastes_nothing(late):
    text = private_chain.sign(late.round)

    assert (
        client_of("sol", "support").post(f"/console/draws/{late.public_id}/signature", {"signature": text}).status_code
        == 403
    )
    assert not BeaconValue.objects.filter(round=late.round).exists()
