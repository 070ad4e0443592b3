from collections.abc import Callable
from datetime import datetime

import pytest
from django.db import DatabaseError, connection, transaction
from django.test import Client

from brands.models import Brand
from staff import audit
from staff.apikeys import create_key
from staff.models import ApiKey, Audit, User


def test_a_change_names_who_and_why(brand: Brand, at: datetime) -> None:
    with transaction.atomic(), audit.acting("ada", "because", "req-1", "203.0.113.0/24"):
        create_key("Till", ["read"], at=at)

    row = Audit.objects.get(table_name="staff_apikey")
    assert (row.act, row.actor, row.reason, row.request_id, row.ip_prefix) == (
        "insert", "ada", "because", "req-1", "203.0.113.0/24",
    )  # fmt: skip
    assert row.after["name"] == "Till"
    assert "digest" not in row.after


def test_what_comes_after_is_nobodys(brand: Brand, at: datetime) -> None:
    with audit.acting("ada"):
        create_key("First", ["read"], at=at)
    create_key("Second", ["read"], at=at)

    keys = Audit.objects.filter(table_name="staff_apikey").order_by("id")
    assert list(keys.values_list("actor", flat=True)) == ["ada", ""]


def test_raw_sql_is_caught_too(brand: Brand, at: datetime) -> None:
    key, _ = create_key("Till", ["read"], at=at)
    with connection.cursor() as cursor:
        cursor.execute("UPDATE staff_apikey SET scopes = '[\"redeem\"]' WHERE id = %s", [key.pk])

    row = Audit.objects.order_by("-id").first()
    assert (row.act, row.before["scopes"], row.after["scopes"]) == ("update", ["read"], ["redeem"])


def test_the_trail_cannot_be_changed(brand: Brand, at: datetime) -> None:
    create_key("Till", ["read"], at=at)
    count = Audit.objects.count()
    for statement in ("UPDATE staff_audit SET actor = 'x'", "DELETE FROM staff_audit", "TRUNCATE staff_audit"):
        with pytest.raises(DatabaseError, match=r"append-only|permission denied"), transaction.atomic():
            connection.cursor().execute(statement)
    assert Audit.objects.count() == count


def test_an_act_of_the_console_names_its_actor(owner: User, browse: Callable[..., Client]) -> None:
    browse(owner).post(
        "/console/keys/new",
        {"name": "Till", "scopes": ["read"]},
        REMOTE_ADDR="203.0.113.9",
        headers={"X-Request-ID": "r1"},
    )

    row = Audit.objects.get(table_name="staff_apikey")
    assert (row.actor, row.ip_prefix, row.request_id) == ("ada", "203.0.113.0/24", "r1")


def test_an_export_leaves_a_row(owner: User, browse: Callable[..., Client]) -> None:
    client = browse(owner)
    assert client.get("/console/keys").status_code == 200
    assert not Audit.objects.filter(act="export").exists()

    client.get("/console/keys?format=csv")

    row = Audit.objects.get(act="export")
    assert (row.actor, row.after) == ("ada", {"path": "/console/keys", "rows": 0})


def test_the_page_filters_and_pages(owner: User, browse: Callable[..., Client], at: datetime) -> None:
    for i in range(60):
        with audit.acting("bo" if i % 2 else "kim"):
            create_key(f"Key {i}", ["read"], at=at)
    client = browse(owner)

    first = client.get("/console/audit?table=staff_apikey").context["page"]
    second = client.get(f"/console/audit{first.next_query}").context["page"]
    only = client.get("/console/audit?actor=bo").context["page"]

    assert (len(first.rows), len(second.rows), second.next_query) == (50, 10, "")
    assert {row.actor for row in only.rows} == {"bo"}
    assert client.get("/console/audit?day=nonsense").status_code == 200


def test_a_key_is_shown_once_and_revoked_by_its_prefix(owner: User, browse: Callable[..., Client]) -> None:
    client = browse(owner)
    made = client.post("/console/keys/new", {"name": "Till", "scopes": ["read", "redeem"], "expires_on": "2030-01-31"})
    token, key = made.context["token"], ApiKey.objects.get()
    assert token in made.content.decode()
    assert token not in client.get(f"/console/keys/{key.prefix}").content.decode()
    assert key.expires_at.isoformat() == "2030-01-31T16:00:00+00:00"  # the end of that day in Shanghai

    assert client.post(f"/console/keys/{key.prefix}", {"typed": "no"}).status_code == 422
    assert client.post(f"/console/keys/{key.prefix}", {"typed": key.prefix}).status_code == 302
    key.refresh_from_db()
    assert key.revoked_at is not None
