from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

import pytest
from allauth.mfa.models import Authenticator
from allauth.mfa.totp.internal.auth import TOTP, generate_totp_secret, hotp_value, yield_hotp_counters_from_time
from django.conf import settings
from django.test import Client, override_settings

from brands.models import Brand
from common.clock import now
from staff import approvals, middleware
from staff.models import Approval, Audit, User
from tests.staff.conftest import PASSWORD


def sign_in(client: Client, name: str = "ada", password: str = PASSWORD, **extra: str):
    return client.post("/console/sign-in", {"login": name, "password": password}, **extra)


def test_a_good_password_lets_in_and_is_noted(owner: User, browse: Callable[..., Client]) -> None:
    client = browse()

    answer = sign_in(client)

    assert answer["Location"] == "/console/"
    assert client.get("/console/").status_code == 200
    assert Audit.objects.filter(act="sign_in", actor="ada").count() == 1


@pytest.mark.parametrize("next_url", ["https://elsewhere.example/", "//elsewhere.example", "javascript:alert(1)"])
def test_sign_in_leads_nowhere_else(owner: User, browse: Callable[..., Client], next_url: str) -> None:
    answer = browse().post("/console/sign-in", {"login": "ada", "password": PASSWORD, "next": next_url})

    assert answer["Location"] == "/console/"


@pytest.mark.parametrize("name", ["ada", "nobody", "ada\x00", "ａｄａ", "' OR 1=1 --", "x" * 150])
def test_wrong_names_and_passwords_are_told_alike(owner: User, browse: Callable[..., Client], name: str) -> None:
    answer = sign_in(browse(), name, "wrong")

    assert answer.status_code == 422
    assert "User name or password is not right." in answer.content.decode() or "\x00" in name


def test_of_another_brand_nobody_gets_in(owner: User, brand: Brand) -> None:
    assert sign_in(Client(HTTP_HOST="brand.localhost")).status_code == 302
    assert sign_in(Client(HTTP_HOST="stranger.localhost")).status_code == 422


@pytest.fixture
def real_budgets() -> Iterator[None]:
    with override_settings(FAILURE_BUDGET_SCALE=1):
        yield


@pytest.mark.parametrize("name", ["ada", "nobody"])
def test_the_eleventh_failure_is_not_even_hashed(
    owner: User, browse: Callable[..., Client], real_budgets: None, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for i in range(10):
        assert "not right" in sign_in(browse(), name, "wrong", REMOTE_ADDR=f"198.51.{i}.1").content.decode()
    hashed = []
    monkeypatch.setattr("django.contrib.auth.authenticate", lambda *args, **kwargs: hashed.append(1))

    answer = sign_in(browse(), name, PASSWORD, REMOTE_ADDR="198.51.100.1")

    assert answer.status_code == 422
    assert "Too many failed sign-ins" in answer.content.decode()
    assert hashed == []


def test_a_network_that_fails_too_often_is_stopped(
    owner: User, browse: Callable[..., Client], real_budgets: None
) -> None:
    for i in range(30):
        sign_in(browse(), f"name{i}", "wrong", REMOTE_ADDR=f"203.0.113.{i}")

    assert sign_in(browse(), REMOTE_ADDR="203.0.113.77").status_code == 422
    assert sign_in(browse(), REMOTE_ADDR="198.51.100.1").status_code == 302


def test_a_store_that_is_gone_leaves_a_tenth(
    owner: User, browse: Callable[..., Client], real_budgets: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    from common import budgets

    def gone() -> None:
        raise ConnectionError

    monkeypatch.setattr(budgets, "_limiter", gone)
    budgets._own_limiter.cache_clear()

    assert sign_in(browse(), "bob", "wrong").status_code == 422
    assert "Too many" in sign_in(browse(), "bob", "wrong").content.decode()
    budgets._own_limiter.cache_clear()


def test_a_hundred_failures_lock_until_an_owner_helps(owner: User, browse: Callable[..., Client]) -> None:
    bob = User.objects.create_user("bob", password=PASSWORD, role="support", failures=99)
    sign_in(browse(), "bob", "wrong")
    assert "Too many" in sign_in(browse(), "bob").content.decode()

    page = browse(owner).post(f"/console/staff/{bob.pk}/password")

    bob.refresh_from_db()
    password = page.context["password"]
    assert bob.failures == 0
    assert sign_in(browse(), "bob", password).status_code == 302


def test_a_success_forgets_the_failures_before_it(owner: User, browse: Callable[..., Client]) -> None:
    for _ in range(3):
        sign_in(browse(), "ada", "wrong")
    owner.refresh_from_db()
    assert owner.failures == 3

    sign_in(browse())

    owner.refresh_from_db()
    assert owner.failures == 0


def test_a_session_ends_after_thirty_idle_minutes(
    owner: User, browse: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, clock = browse(owner), [1_000_000.0]
    monkeypatch.setattr(middleware.time, "time", lambda: clock[0])
    for _ in range(3):
        clock[0] += 29 * 60
        assert client.get("/console/").status_code == 200

    clock[0] += 31 * 60

    assert client.get("/console/").status_code == 302


def test_a_session_ends_after_twelve_hours(
    owner: User, browse: Callable[..., Client], monkeypatch: pytest.MonkeyPatch
) -> None:
    client, clock = browse(owner), [1_000_000.0]
    monkeypatch.setattr(middleware.time, "time", lambda: clock[0])
    client.get("/console/")
    for _ in range(12 * 60 // 20 - 1):
        clock[0] += 20 * 60
        assert client.get("/console/").status_code == 200
    clock[0] += 21 * 60

    assert client.get("/console/").status_code == 302


def test_signing_out_ends_the_session(owner: User, browse: Callable[..., Client]) -> None:
    client = browse(owner)
    assert client.get("/console/").status_code == 200

    client.post("/console/sign-out")

    assert client.get("/console/").status_code == 302


def test_nobody_signs_up(browse: Callable[..., Client]) -> None:
    assert browse().get("/console/sign-up").status_code == 404
    assert browse().get("/accounts/signup/").status_code == 404


def code_of(secret: str) -> str:
    return f"{hotp_value(secret, next(iter(yield_hotp_counters_from_time()))):06}"


def confirmed(client: Client, name: str = "ada") -> None:
    sign_in(client, name)
    assert client.post("/console/account/confirm", {"password": PASSWORD}).status_code == 302


@pytest.fixture
def asked(brand: Brand, at: datetime) -> Approval:
    mia = User.objects.create_user("mia", role="marketer")
    return approvals.request("labels.void", {"batch": "bat_1"}, by=mia, at=now())


def test_who_decides_gives_the_second_factor_anew(owner: User, browse: Callable[..., Client], asked: Approval) -> None:
    secret = generate_totp_secret()
    TOTP.activate(owner, secret)
    client = browse(owner)
    decide = f"/console/approvals/{asked.pk}/decide"

    held = client.post(decide, {"decision": "yes"})
    asked.refresh_from_db()
    assert asked.approved is None
    assert held["Location"].startswith("/console/account/confirm-code")

    client.post(held["Location"], {"code": "000000"})
    asked.refresh_from_db()
    assert asked.approved is None

    client.post(held["Location"], {"code": code_of(secret)}, follow=True)
    asked.refresh_from_db()
    assert asked.approved


@pytest.mark.parametrize(("role", "why"), [("marketer", "role"), ("production", "same_person")])
def test_who_may_not_decide_leaves_a_trace(
    brand: Brand, browse: Callable[..., Client], asked: Approval, role: str, why: str
) -> None:
    user = User.objects.create_user("pia", password=PASSWORD, role=role)
    if why == "same_person":
        Approval.objects.filter(pk=asked.pk).update(requested_by=user)
    client = browse()
    confirmed(client, "pia")

    client.post(f"/console/approvals/{asked.pk}/decide", {"decision": "yes"})

    asked.refresh_from_db()
    assert asked.approved is None
    trace = Audit.objects.get(act="refused")
    assert (trace.actor, trace.row_id, trace.after["refused"]) == ("pia", str(asked.pk), why)


def test_who_decides_too_late_leaves_a_trace(owner: User, browse: Callable[..., Client], asked: Approval) -> None:
    Approval.objects.filter(pk=asked.pk).update(expires_at=now() - timedelta(seconds=1))
    client = browse()
    confirmed(client)

    client.post(f"/console/approvals/{asked.pk}/decide", {"decision": "yes"})

    assert Audit.objects.get(act="refused").after["refused"] == "no_such_approval"


def test_a_second_factor_is_asked_for_and_kept_encrypted(
    owner: User, browse: Callable[..., Client], at: timedelta
) -> None:
    secret = generate_totp_secret()
    row = TOTP.activate(owner, secret).instance
    assert secret not in str(Authenticator.objects.get(pk=row.pk).data)
    client = browse()

    first = sign_in(client)

    assert first["Location"].startswith("/console/sign-in/code")
    assert client.get("/console/").status_code == 302
    assert client.post("/console/sign-in/code", {"code": code_of(secret)})["Location"] == "/console/"
    assert client.get("/console/").status_code == 200


@pytest.mark.parametrize(
    ("asked", "cookie", "heading"),
    [("fr", "", "登录"), ("fr,en-GB;q=0.5", "", "Sign in"), ("zh-CN", "", "登录"), ("fr", "en", "Sign in")],
)
def test_a_console_in_no_language_of_ours_speaks_the_brands(
    brand: Brand, browse: Callable[..., Client], asked: str, cookie: str, heading: str
) -> None:
    assert brand.default_language == "zh-hans"
    client = browse()
    if cookie:
        client.cookies[settings.LANGUAGE_COOKIE_NAME] = cookie

    assert heading in client.get("/console/sign-in", headers={"Accept-Language": asked}).content.decode()
