"""Partners' people: invited by a link that works once, at home in the portal, nowhere else."""

import re
from collections.abc import Callable
from datetime import timedelta
from html import unescape

import pytest
from django.test import Client, override_settings

from channel.models import Partner
from channel.services import pause, resume
from common.clock import now
from portal import services
from portal.models import Account, Invitation
from staff.models import Audit, User
from staff.services import NameTaken
from tests.conftest import NOW
from tests.flows.two_brands import routes
from tests.portal.makers import PASSWORD, make_person

LINK = re.compile(r"https?://[^\"'<\s]+/portal/join#([\w-]+)")


@pytest.fixture
def owner(brand: object) -> User:
    return User.objects.create_user("ada", password="x", role="owner")


def invite_on_console(client: Client, partner: Partner, name: str = "ning") -> str:
    answer = client.post(f"/console/partners/{partner.public_id}/access/new", {"username": name, "language": "en"})
    found = LINK.search(unescape(answer.content.decode()))
    assert found, answer.content.decode()[-2000:]
    return found[1]


def test_an_invitation_opens_one_account_once(distributor: Partner, owner: User, browse: Callable[..., Client]) -> None:
    token = invite_on_console(browse(owner), distributor)
    guest = browse()
    welcomed = guest.post("/portal/join", {"token": f"https://brand.localhost/portal/join#{token}"})
    assert "North Tea Trading" in welcomed.content.decode()

    form = {"token": token, "password": PASSWORD, "again": PASSWORD}
    joined = guest.post("/portal/join", form)
    assert joined["Location"] == "/portal/sign-in"

    assert guest.post("/portal/join", form).status_code == 422
    let_in = guest.post("/portal/sign-in", {"login": "ning", "password": PASSWORD})
    assert let_in["Location"] == "/portal/"
    assert "North Tea Trading" in guest.get("/portal/").content.decode()
    assert Account.objects.get().partner == distributor
    kept = [bytes(row.digest) for row in Invitation.objects.all()]
    assert token.encode() not in kept
    assert not Audit.objects.filter(after__icontains=token).exists()


def test_an_invitation_ends(distributor: Partner) -> None:
    row, token = services.invite(distributor, username="ning", at=NOW, asked_by="ada")
    assert services.invitation_of(token, at=row.expires_at - timedelta(seconds=1)) == row

    with pytest.raises(services.NoInvitation):
        services.accept(token, password=PASSWORD, at=row.expires_at)
    services.withdraw(row, at=NOW)
    with pytest.raises(services.NoInvitation):
        services.accept(token, password=PASSWORD, at=NOW)
    assert not User.objects.filter(username="ning").exists()


def test_a_new_invitation_ends_the_one_before(distributor: Partner, rival: Partner) -> None:
    _row, first = services.invite(distributor, username="ning", at=NOW, asked_by="ada")
    _row, second = services.invite(distributor, username="ning", at=NOW, asked_by="ada")

    with pytest.raises(services.NoInvitation):
        services.accept(first, password=PASSWORD, at=NOW)
    with pytest.raises(NameTaken):
        services.invite(rival, username="ning", at=NOW, asked_by="ada")
    assert services.accept(second, password=PASSWORD, at=NOW).username == "ning"
    with pytest.raises(NameTaken):
        services.invite(distributor, username="NING", at=NOW, asked_by="ada")


@pytest.mark.parametrize("password", ["short", "1234567890", "password123"])
def test_a_poor_password_leaves_the_invitation_open(
    distributor: Partner, browse: Callable[..., Client], password: str
) -> None:
    _row, token = services.invite(distributor, username="ning", at=now(), asked_by="ada")

    refused = browse().post("/portal/join", {"token": token, "password": password, "again": password})

    assert refused.status_code == 422
    assert not User.objects.filter(username="ning").exists()
    assert services.accept(token, password=PASSWORD, at=now()).role == "partner"


def test_the_console_is_shut_to_partners_and_the_portal_to_staff(
    ning: User, owner: User, browse: Callable[..., Client]
) -> None:
    partner, staff = browse(ning), browse(owner)
    assert partner.get("/portal/").status_code == 200
    assert staff.get("/console/").status_code == 200

    opened = []
    for route, pattern in routes():
        if pattern.pattern.converters or not route.startswith("console/"):
            continue
        answer = partner.get(f"/{route}")
        away = answer.status_code == 307 and answer["Location"].startswith("/portal/")
        home = answer.status_code == 302 and answer["Location"] == "/portal/"
        if not (answer.status_code in {403, 405} or away or home):
            opened.append((route, answer.status_code, answer.headers.get("Location")))
    assert opened == []

    for route, pattern in routes():
        if route.startswith("portal/") and getattr(pattern.callback, "operation", None):
            path = re.sub(r"<\w+:\w+>", "1", route)
            assert staff.get(f"/{path}").status_code == 403, route


def test_every_page_of_the_portal_is_guarded() -> None:
    open_pages = {
        route
        for route, pattern in routes()
        if route.startswith("portal/") and not hasattr(pattern.callback, "operation")
    }
    assert {page for page in open_pages if not page.startswith("portal/account/")} == {
        "portal/sign-in",
        "portal/sign-in/code",
        "portal/sign-out",
        "portal/join",
        "portal/manifest.json",
        "portal/sw.js",
    }


def test_who_is_not_signed_in_signs_in_and_comes_back(browse: Callable[..., Client], ning: User) -> None:
    guest = browse()

    assert guest.get("/portal/account?x=1")["Location"] == "/portal/sign-in?next=/portal/account%3Fx%3D1"
    told = guest.get("/portal/account", headers={"Accept": "application/json"})
    assert (told.status_code, told.json()["go"][:15]) == (401, "/portal/sign-in")
    back = guest.post("/portal/sign-in", {"login": "ning", "password": PASSWORD, "next": "/portal/account"})
    assert back["Location"] == "/portal/account"


def test_a_paused_partner_shuts_its_people_out(distributor: Partner, ning: User, browse: Callable[..., Client]) -> None:
    client = browse(ning)
    assert client.get("/portal/").status_code == 200

    pause(distributor.public_id)
    assert client.get("/portal/").status_code == 403
    with pytest.raises(services.PartnerNotActive):
        services.invite(distributor, username="bo", at=NOW, asked_by="ada")
    resume(distributor.public_id)
    assert client.get("/portal/").status_code == 200


def test_a_closed_account_is_out_at_once(
    distributor: Partner, ning: User, owner: User, browse: Callable[..., Client]
) -> None:
    client = browse(ning)
    assert client.get("/portal/").status_code == 200
    path = f"/console/partners/{distributor.public_id}/access/people/{Account.objects.get().pk}"

    browse(owner).post(path, {"use": "no"})

    assert client.get("/portal/").status_code == 302
    assert browse(owner).post(path.replace(distributor.public_id, "par_x"), {"use": "yes"}).status_code == 404


def test_too_many_failures_lock_and_a_new_password_unlocks(
    distributor: Partner, ning: User, owner: User, browse: Callable[..., Client]
) -> None:
    User.objects.filter(pk=ning.pk).update(failures=User.MOST_FAILURES)
    login = {"login": "ning", "password": PASSWORD}
    assert browse().post("/portal/sign-in", login).status_code == 422

    answer = browse(owner).post(
        f"/console/partners/{distributor.public_id}/access/people/{Account.objects.get().pk}", {"password": "new"}
    )
    password = re.search(r'data-copy="([\w-]{16})"', answer.content.decode())
    assert password
    assert browse().post("/portal/sign-in", login | {"password": password[1]}).status_code == 302


@override_settings(STAFF_MFA="required")
def test_partners_need_a_second_factor_where_staff_do(ning: User, browse: Callable[..., Client]) -> None:
    client = browse()
    client.post("/portal/sign-in", {"login": "ning", "password": PASSWORD})

    asked = client.get("/portal/")
    assert asked["Location"] == "/portal/account/second-factor/app"
    confirm = client.get(asked["Location"])["Location"]
    assert confirm.startswith("/portal/account/confirm?")
    back = client.post(confirm, {"password": PASSWORD})
    assert back["Location"] == asked["Location"]
    shown = client.get(back["Location"])
    assert shown.status_code == 200
    assert 'class="portal' in shown.content.decode()
    led = client.post("/console/account/second-factor/app", {"code": "000000"})
    assert (led.status_code, led["Location"]) == (307, asked["Location"])


def test_a_second_factor_is_asked_at_the_portals_own_page(ning: User, browse: Callable[..., Client]) -> None:
    from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, hotp_value, yield_hotp_counters_from_time

    TOTP.activate(ning, secret := generate_totp_secret())
    client = browse()

    asked = client.post("/portal/sign-in", {"login": "ning", "password": PASSWORD})
    assert asked["Location"] == "/portal/sign-in/code"
    assert "/portal/" not in str(client.session.get("_auth_user_id", ""))
    assert client.post("/portal/sign-in/code", {"code": "12"}).status_code == 200
    code = f"{hotp_value(secret, next(iter(yield_hotp_counters_from_time()))):06}"
    assert client.post("/portal/sign-in/code", {"code": code})["Location"] == "/portal/"


def test_a_key_acts_for_one_partner_and_has_no_other_scope(
    distributor: Partner, owner: User, browse: Callable[..., Client]
) -> None:
    made = browse(owner).post(f"/console/partners/{distributor.public_id}/access/keys/new", {"name": "Warehouse"})
    token = re.search(r"ak_live_[\w-]{43}", made.content.decode())
    assert token

    refused = browse().get("/api/v1/receipts/112233445566", headers={"Authorization": f"Bearer {token[0]}"})
    assert (refused.status_code, refused.json()["code"]) == (403, "scope_missing")
    from portal.models import PartnerKey

    assert PartnerKey.objects.get().partner == distributor
    assert "act for one partner" not in browse(owner).get("/console/keys/new").content.decode()


def test_people_of_two_partners_are_apart(distributor: Partner, rival: Partner, browse: Callable[..., Client]) -> None:
    north, south = make_person(distributor, "ning"), make_person(rival, "sun")

    assert "South Tea" in browse(south).get("/portal/").content.decode()
    assert "South Tea" not in browse(north).get("/portal/").content.decode()
