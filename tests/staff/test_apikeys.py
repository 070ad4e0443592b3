from datetime import datetime, timedelta

import pytest
from django.db import connection

from brands.models import Brand
from staff import apikeys
from staff.apikeys import BadScope, authenticate, create_key, forget_keys, revoke_key
from staff.models import ApiKey


@pytest.fixture(autouse=True)
def _no_cache():
    forget_keys()
    yield
    forget_keys()


def test_a_token_opens_with_its_scopes(brand: Brand, at: datetime) -> None:
    key, token = create_key("Till", ["redeem", "check"], at=at)

    found = authenticate(token, at=at)

    assert found is not None
    assert (found.id, found.scopes, found.is_test) == (key.pk, {"redeem", "check"}, False)
    assert token.startswith("ak_live_")
    assert key.prefix == token[:14]


def test_the_token_itself_is_stored_nowhere(brand: Brand, at: datetime) -> None:
    key, token = create_key("Till", ["read"], at=at)

    with connection.cursor() as cursor:
        cursor.execute("SELECT row_to_json(k)::text FROM staff_apikey k WHERE id = %s", [key.pk])
        (stored,) = cursor.fetchone()

    assert key.prefix in stored  # the search finds what is there
    assert token[14:] not in stored


@pytest.mark.parametrize("token", ["", "ak_live_", "ak_live_wrong", "\x00", "\ud800", "正品"])
def test_other_tokens_open_nothing(brand: Brand, at: datetime, token: str) -> None:
    assert authenticate(token, at=at) is None


def test_a_key_opens_nothing_for_another_brand(brand: Brand, stranger_brand: Brand, at: datetime) -> None:
    _, token = create_key("Till", ["read"], at=at)
    assert authenticate(token, at=at) is not None

    connection.set_tenant(stranger_brand)

    assert authenticate(token, at=at) is None


def test_a_key_ends_at_its_expiry(brand: Brand, at: datetime) -> None:
    _, token = create_key("Till", ["read"], at=at, expires_at=at + timedelta(days=1))

    assert authenticate(token, at=at + timedelta(hours=23)) is not None
    assert authenticate(token, at=at + timedelta(days=1)) is None


def test_a_revoked_key_is_forgotten_here_at_once(brand: Brand, at: datetime) -> None:
    key, token = create_key("Till", ["read"], at=at)
    assert authenticate(token, at=at) is not None

    revoke_key(key, at=at)

    assert authenticate(token, at=at) is None


def test_a_key_revoked_elsewhere_lives_ten_seconds_more(
    brand: Brand, at: datetime, monkeypatch: pytest.MonkeyPatch
) -> None:
    key, token = create_key("Till", ["read"], at=at)
    clock = [100.0]
    monkeypatch.setattr(apikeys.time, "monotonic", lambda: clock[0])
    authenticate(token, at=at)
    ApiKey.objects.filter(pk=key.pk).update(revoked_at=at)

    clock[0] += apikeys.KEEP_S - 0.1
    assert authenticate(token, at=at) is not None
    clock[0] += 0.2
    assert authenticate(token, at=at) is None


def test_a_known_token_asks_the_database_once(brand: Brand, at: datetime, django_assert_num_queries) -> None:
    _, token = create_key("Till", ["read"], at=at)
    authenticate(token, at=at)

    with django_assert_num_queries(0):
        assert authenticate(token, at=at) is not None


def test_last_use_is_kept_to_the_hour(brand: Brand, at: datetime) -> None:
    key, token = create_key("Till", ["read"], at=at)
    for minutes in (0, 30, 61):
        forget_keys()
        authenticate(token, at=at + timedelta(minutes=minutes))
        key.refresh_from_db()
        assert key.last_used_at == at + timedelta(minutes=61 if minutes == 61 else 0)


@pytest.mark.parametrize(("name", "scopes"), [("", ["read"]), ("  ", ["read"]), ("Till", []), ("Till", ["root"])])
def test_a_key_needs_a_name_and_known_scopes(brand: Brand, at: datetime, name: str, scopes: list[str]) -> None:
    with pytest.raises(BadScope):
        create_key(name, scopes, at=at)
