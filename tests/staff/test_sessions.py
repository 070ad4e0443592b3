"""Sessions: listed without their secret, ended one by one."""

import re
from collections.abc import Callable

from django.test import Client

from staff import sessions
from staff.models import Audit, User
from tests.staff.conftest import PASSWORD

FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
WECHAT = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15 MicroMessenger/8.0"
OWN = "/console/account/sessions"


def signed_in(browse: Callable[..., Client], user: User, agent: str = FIREFOX) -> Client:
    client = browse(user)
    client.get("/console/", headers={"User-Agent": agent}, REMOTE_ADDR="198.51.100.7")
    return client


def names(page: str) -> list[str]:
    return re.findall(r'name="session" value="([0-9a-f]+)"', page)


def test_one_sees_where_one_is_signed_in(owner: User, browse: Callable[..., Client]) -> None:
    here = signed_in(browse, owner)
    phone = signed_in(browse, owner, WECHAT)

    page = here.get(OWN).content.decode()

    assert "Firefox, Linux" in page
    assert "WeChat, iPhone" in page
    assert "198.51.100.0/24" in page
    assert len(names(page)) == 1
    for client in (here, phone):
        assert client.session.session_key not in page


def test_a_session_is_ended_and_the_others_go_on(owner: User, browse: Callable[..., Client]) -> None:
    here, phone = signed_in(browse, owner), signed_in(browse, owner, WECHAT)
    assert phone.get("/console/").status_code == 200
    [other] = names(here.get(OWN).content.decode())

    here.post(OWN, {"session": other})

    assert phone.get("/console/").status_code == 302
    assert here.get("/console/").status_code == 200
    assert Audit.objects.filter(act="end_session", actor="ada", row_id=str(owner.pk)).count() == 1


def test_nobody_ends_sessions_of_others_but_an_owner(owner: User, browse: Callable[..., Client]) -> None:
    mia = User.objects.create_user("mia", password=PASSWORD, role="marketer")
    hers, boss = signed_in(browse, mia), signed_in(browse, owner)
    [name] = names(boss.get(f"/console/staff/{mia.pk}/sessions").content.decode())
    [of_boss] = [one.name for one in sessions.of(owner, here="", at=_now())]

    assert hers.get(f"/console/staff/{owner.pk}/sessions").status_code == 403
    hers.post(OWN, {"session": of_boss})
    assert boss.get("/console/").status_code == 200

    boss.post(f"/console/staff/{mia.pk}/sessions", {"session": name})
    assert hers.get("/console/").status_code == 302


def _now() -> object:
    from common.clock import now

    return now()
