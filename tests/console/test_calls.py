"""Who is calling: the card on the consoles of support, its history, the note by one click."""

from collections.abc import Callable
from datetime import timedelta

import pytest
from django.db import connection
from django.test import Client

from brands.models import Brand
from brands.phone_numbers import forget_numbers, number_called
from common.clock import now
from members.models import Member
from members.personal import erase_member
from redemption.models import CallNote
from redemption.rules import Door
from redemption.services import redeem
from sms_gateway.models import Call
from sms_gateway.telephone import WITHHELD, Telephone, over_client
from staff.models import Role
from staff.permissions import TABLE
from tests.makers import CONSUMER, labels_of, make_active_batch, make_attempt, make_campaign, make_member, secret_of
from tests.sms_gateway.world import OURS, make_twilio

Browse = Callable[..., Client]
NOW = "/console/calls/now"


@pytest.fixture
def ring(brand: Brand) -> Callable[[str], Telephone]:
    at = now()
    make_twilio(Brand.objects.get(pk=brand.pk), at, carrier="simulator", takes_calls=True, languages=["en"])
    forget_numbers()
    line = number_called("simulator", OURS)
    assert line is not None
    connection.set_tenant(brand)
    return lambda phone: Telephone(phone, line, over_client(Client()))


def seen_in(page: str) -> str:
    return page.split(f"{NOW}?seen=")[1].split('"', maxsplit=1)[0]


def test_a_call_opens_the_caller_s_card_and_asks_on(ring: Callable[[str], Telephone], browse: Browse) -> None:
    support = browse("support")
    assert 'hx-trigger="load, every 2s"' in support.get("/console/").content.decode()
    member = make_member()
    make_campaign(at=now() - timedelta(days=1))
    batch = make_active_batch(2, at=now() - timedelta(days=1))
    redeem(make_attempt(secret_of(labels_of(batch)[0]), door=Door.SMS, client_id=None, at=now()))
    assert support.get(f"{NOW}?seen=").status_code == 204

    call = ring(CONSUMER).call()
    page = support.get(f"{NOW}?seen=").content.decode()

    assert "138****8000" in page
    assert f"/console/members/{member.public_id}" in page
    assert '<b class="num">100</b>' in page
    assert "Spring Tea" in page
    assert "is calling" in page
    assert CONSUMER not in page
    assert support.get(f"{NOW}?seen={seen_in(page)}").status_code == 204
    call.press(secret_of(labels_of(batch)[1]))
    heard = support.get(f"{NOW}?seen={seen_in(page)}").content.decode()
    assert "In this call" in heard
    assert "Redeemed" in heard
    call.hang_up()
    assert "Call ended" in support.get(f"{NOW}?seen={seen_in(heard)}").content.decode()


def test_a_withheld_number_is_told_as_such(ring: Callable[[str], Telephone], browse: Browse) -> None:
    ring(WITHHELD).call()

    page = browse("support").get(NOW + "?seen=x").content.decode()

    assert "Number withheld" in page
    assert "/console/members/" not in page


def test_a_number_without_member_is_told_as_such(ring: Callable[[str], Telephone], browse: Browse) -> None:
    ring("+8613700137000").call()

    page = browse("support").get(NOW + "?seen=x").content.decode()

    assert "137****7000" in page
    assert "No member has this number." in page


@pytest.mark.parametrize("role", [role.value for role in Role])
def test_only_those_who_answer_calls_see_them(role: str, ring: Callable[[str], Telephone], browse: Browse) -> None:
    ring(CONSUMER).call()
    client = browse(role)
    may = role in TABLE["calls.answer"]

    assert ("/console/calls/now" in client.get("/console/").content.decode()) is may
    answers = [client.get(path) for path in (f"{NOW}?seen=x", "/console/calls")]
    assert {answer.status_code for answer in answers} == ({200} if may else {403})
    assert any("138****8000" in answer.content.decode() for answer in answers) is may
    uuid = Call.objects.get().uuid
    assert client.post(f"/console/calls/{uuid}/note", {"kind": "points"}).status_code == (302 if may else 403)
    assert CallNote.objects.exists() is may


def test_a_note_is_one_click_and_is_there_at_the_next_call(ring: Callable[[str], Telephone], browse: Browse) -> None:
    support, other = browse("support"), browse("owner")
    member = make_member()
    ring(CONSUMER).call()
    uuid = Call.objects.get().uuid

    after = support.post(
        f"/console/calls/{uuid}/note", {"kind": "points", "text": "asks for <b>240</b>"}, headers={"HX-Request": "true"}
    )

    assert after.status_code == 200
    assert "138****8000" not in after.content.decode()
    assert support.get(f"{NOW}?seen=").status_code == 204
    assert "138****8000" in other.get(f"{NOW}?seen=").content.decode()
    note = CallNote.objects.get()
    assert (note.member_id, note.kind, note.text) == (member.pk, "points", "asks for <b>240</b>")
    ring(CONSUMER).call()
    page = support.get(f"{NOW}?seen=").content.decode()
    assert "1 call before" in page
    assert "asks for &lt;b&gt;240&lt;/b&gt;" in page
    assert "asks for &lt;b&gt;240" in support.get("/console/calls").content.decode()
    assert "asks for &lt;b&gt;240" in support.get(f"/console/calls/{uuid}").content.decode()


@pytest.mark.parametrize("typed", [{}, {"kind": "gossip"}, {"kind": "points", "text": "x" * 301}])
def test_a_note_without_a_subject_is_refused(
    typed: dict[str, str], ring: Callable[[str], Telephone], browse: Browse
) -> None:
    ring(CONSUMER).call()
    uuid = Call.objects.get().uuid

    refused = browse("support").post(f"/console/calls/{uuid}/note", typed, headers={"HX-Request": "true"})

    assert refused.status_code == 422
    assert not CallNote.objects.exists()


def test_what_was_noted_goes_with_the_person(ring: Callable[[str], Telephone], browse: Browse) -> None:
    member = make_member()
    ring(CONSUMER).call()
    browse("support").post(f"/console/calls/{Call.objects.get().uuid}/note", {"kind": "other", "text": "canary"})
    assert CallNote.objects.get().text == "canary"

    erase_member(Member.objects.get(pk=member.pk), at=now(), asked_by="test")

    assert CallNote.objects.get().text == ""
    assert "138****8000" not in browse("owner").get("/console/calls").content.decode()


def test_waiting_for_calls_is_no_presence(ring: Callable[[str], Telephone], browse: Browse) -> None:
    support = browse("support")
    support.get("/console/")
    session = support.session
    session["seen"] = session["seen"] - 1700
    session.save()

    support.get(f"{NOW}?seen=", headers={"X-Poll": "1"})
    assert support.session["seen"] == session["seen"]

    support.get("/console/calls")
    assert support.session["seen"] > session["seen"]


def test_another_brand_s_calls_are_not_there(ring: Callable[[str], Telephone], stranger_brand: Brand) -> None:
    from staff.models import User

    ring(CONSUMER).call()
    uuid = Call.objects.get().uuid
    connection.set_tenant(stranger_brand)
    eve = User.objects.create_user("eve", password="x", role="support")
    client = Client(HTTP_HOST="stranger.localhost")
    client.force_login(eve)

    assert client.get(f"{NOW}?seen=").status_code == 204
    assert client.get(f"/console/calls/{uuid}").status_code == 404
