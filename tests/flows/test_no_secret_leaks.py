"""Canary codes, telephone numbers and API keys go through every door; then every place where they could stick is searched.

Searched for: the canaries as people write them, and every unkeyed digest of them, bare and in common framings: a code of
sixteen digits or a telephone number is found from its digest in seconds. Searched in: the logs of both web processes at
their most talkative, a dump of the database, everything in Valkey (cache, budgets, the broker's queues with the tasks'
arguments), and every error answer. The same search first finds what is planted in each of them.
"""

import base64
import hashlib
import io
import logging
import os
import re
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import redis
from django.conf import settings
from django.core.cache import cache
from django.db import connection
from django.test import Client

from brands.models import Brand
from common.clock import now
from config.celery import app
from labels.models import Product
from labels.services import order_batch
from members.personal import export_member
from members.queries import member_by_phone
from redemption import services
from staff.models import User
from tests import environment
from tests.environment import embedded
from tests.flows.two_brands import sign_in
from tests.races.world import World, make_world
from tests.redemption.web import Person
from tests.servers import Client as Caller, Web

pytestmark = [pytest.mark.races]

PHONE, OTHER_PHONE = "+8613812340987", "+8613912340988"
PASSWORD = "canary horse battery staple"
DIGESTS = ("md5", "sha1", "sha224", "sha256", "sha384", "sha512", "sha3_256", "blake2b", "blake2s")
Search = Callable[[bytes], set[str]]


# --- the search -----------------------------------------------------------------------------------------------------------


def written(kind: str, canary: str) -> Iterator[str]:
    """Yield a canary as people and programs write it."""
    yield canary
    if kind == "phone":
        national = canary.removeprefix("+86")
        yield from (national, f"86{national}", f"0086{national}")
        for sign in " -":
            yield sign.join((national[:3], national[3:7], national[7:]))
        yield national[-8:]
    if kind == "code":
        for sign in " -":
            yield sign.join(canary[at : at + 4] for at in range(0, 16, 4))


def framed(text: str) -> Iterator[bytes]:
    """Yield what a careless program would digest."""
    for frame in (
        "{}",
        "{}\n",
        '"{}"',
        "code:{}",
        "phone:{}",
        "tel:{}",
        "brand_a:{}",
        "brand_a/{}",
        "{}:brand_a",
        "request\0{}",
    ):
        yield frame.format(text).encode()


def needles(canaries: dict[str, str]) -> dict[bytes, str]:
    """Return every byte string to look for, with what it would give away."""
    found: dict[bytes, str] = {}
    for name, canary in canaries.items():
        kind = name.partition(" ")[0]
        for text in written(kind, canary):
            found[text.encode()] = f"{name} as {text}"
        if kind not in {"phone", "code"}:
            continue  # a digest of 256 random bits gives nothing away
        for text in {canary, canary.removeprefix("+"), canary.removeprefix("+86")}:
            for content in framed(text):
                for method in DIGESTS:
                    digest = hashlib.new(method, content).digest()
                    for form in (digest.hex(), digest.hex().upper(), base64.b64encode(digest).decode().rstrip("=")):
                        found[form[:32].encode()] = f"{method} of {name} in {content!r}"
                    found[digest[:16]] = f"{method} of {name} in {content!r}, raw"
    return found


SHORTEST = 8  # bytes of the shortest needle


def searcher(canaries: dict[str, str]) -> Search:
    """Return a function that names what it finds in a sink.

    There are tens of thousands of needles: each place of the sink is asked once, by its first bytes, for all of them.
    """
    wanted = needles(canaries)
    heads: dict[bytes, list[bytes]] = {}
    for needle in wanted:
        assert len(needle) >= SHORTEST, needle
        heads.setdefault(needle[:SHORTEST], []).append(needle)

    def find(sink: bytes) -> set[str]:
        return {
            wanted[needle]
            for at in range(len(sink) - SHORTEST + 1)
            if (head := sink[at : at + SHORTEST]) in heads
            for needle in heads[head]
            if sink.startswith(needle, at)
        }

    return find


# --- the places -----------------------------------------------------------------------------------------------------------


def database() -> bytes:
    """Return a dump of the whole database."""
    cluster, name = environment.CLUSTER, str(settings.DATABASES["default"]["NAME"])
    return subprocess.run(
        [str(embedded.postgres_binary("pg_dump")), "--dbname", cluster.url("postgres", name), "--inserts"],
        check=True, capture_output=True,
    ).stdout  # fmt: skip


def valkey() -> bytes:
    """Return every key and value of the cache and of the broker."""
    found: list[bytes] = []
    for url in (os.environ["CACHE_URL"], os.environ["BROKER_URL"]):
        with redis.Redis.from_url(url) as store:
            for key in store.scan_iter(count=1000):
                found += [key, *_values(store, key)]
    # Celery's messages are JSON around base64 around JSON.
    found += [base64.b64decode(part) for part in re.findall(rb'"body": "([A-Za-z0-9+/=]+)"', b"\n".join(found))]
    return b"\n".join(found)


def _values(store: "redis.Redis[bytes]", key: bytes) -> list[bytes]:
    match store.type(key):
        case b"string":
            return [store.get(key) or b""]
        case b"list":
            return store.lrange(key, 0, -1)
        case b"set":
            return list(store.smembers(key))
        case b"hash":
            return [part for pair in store.hgetall(key).items() for part in pair]
        case b"zset":
            return store.zrange(key, 0, -1)
    return []


@contextmanager
def listening() -> Iterator[io.StringIO]:
    """Collect what this process logs, formatted as it would be written, at its most talkative."""
    root, sink = logging.getLogger(), io.StringIO()
    [handler] = [one for one in root.handlers if type(one) is logging.StreamHandler][:1]
    level, stream = root.level, handler.setStream(sink)
    root.setLevel(logging.DEBUG)
    try:
        yield sink
    finally:
        root.setLevel(level)
        handler.setStream(stream)


# --- the doors ------------------------------------------------------------------------------------------------------------


def through_the_api(port: int, world: World, codes: list[str]) -> list[bytes]:
    """Use every operation, rightly and wrongly; return the bodies of error answers."""
    errors: list[bytes] = []
    turned = codes[0][1] + codes[0][0] + codes[0][2:]
    place = {"lat": 30.25, "lon": 120.17, "accuracy_m": 12}
    right, wrong = f"Bearer {world.token}", f"Bearer {world.token[:-1]}!"
    with Caller(port) as client:

        def call(body: object, key: str, path: str = "/api/v1/redemptions", token: str = right) -> None:
            client.headers["Authorization"] = token
            answer = client.post(path, body, idempotency_key=key)
            assert answer.status in {200, 201, 400, 401, 403, 404, 405, 409, 413, 415, 422}, answer
            if answer.status >= 400:
                errors.append(answer.body)

        call({"code": codes[0], "phone": PHONE}, "check", "/api/v1/checks")
        call({"serial": world.serials[codes[0]], "phone": PHONE, "place": place}, "serial", "/api/v1/checks")
        call({"code": codes[0], "phone": PHONE, "place": place}, "one")
        call({"code": codes[0], "phone": PHONE, "place": place}, "one")
        call({"code": codes[1], "phone": PHONE}, "one")  # the key with other content
        call({"code": codes[0], "phone": OTHER_PHONE}, "two")
        call({"code": turned, "phone": PHONE}, "three")
        call({"code": " ".join(codes[1]), "phone": "138 1234 0987"}, "four")
        call({"code": codes[2], "phone": PHONE, "asker": "both"}, "five")
        call({"code": codes[2], "phone": f"x{PHONE}"}, "six")
        call({"code": codes[2], "phone": PHONE, "retailer": codes[2]}, "seven")
        call({"code": codes[2], "phone": PHONE, codes[2]: PHONE}, "eight")
        call({"code": {"code": codes[2]}, "phone": [PHONE]}, "nine")
        call({"code": codes[2], "asker": codes[2]}, "ten")
        call({"attempts": [{"request_id": "b1", "code": codes[3], "phone": PHONE}, {"request_id": "b2", "code": codes[3]}]}, "", "/api/v1/redemptions/bulk")  # fmt: skip
        call({"code": codes[2], "phone": PHONE}, "k", token=wrong)
        call({"code": codes[2], "phone": PHONE}, "k", token=codes[2])
        for raw in (f'{{"code": "{codes[2]}", "phone": "{PHONE}"', f"code={codes[2]}&phone={PHONE}", codes[2] * 70_000):
            answer = client.call("POST", "/api/v1/redemptions", raw.encode(), {"Content-Type": "application/json"})
            errors.append(answer.body)
    return errors


def through_the_pages(world: World, codes: list[str]) -> None:
    """Claim, sign in, look, export; type codes and numbers where they do not belong."""
    person = Person(phone=PHONE)
    label = f"/01/{world.product.gtin}/21/{world.serials[codes[4]]}"
    person.claim(person.get(label), codes[4])
    person.claim(person.get("/claim"), codes[4])
    person.claim(person.get("/claim"), codes[0][::-1])
    person.get("/me/export")
    person.post(label, {"code": codes[5], "phone": PHONE})
    person.post("/report", {"kind": "fake", "label": codes[5], "note": "a note", "phone": PHONE})
    person.get(f"/01/{world.product.gtin}/21/{world.serials[codes[4]]}?code={codes[5]}&phone={PHONE}")
    ada = User.objects.create_user("ada", password=PASSWORD, role="owner")
    guest = Client(HTTP_HOST="brand.localhost")
    guest.post("/console/sign-in", {"login": "ada", "password": PASSWORD + "?"})
    guest.post("/console/sign-in", {"login": "ada", "password": PASSWORD})
    staff = Client(HTTP_HOST="brand.localhost")
    sign_in(staff, ada)
    staff.post("/console/members/search", {"phone": PHONE})
    for path in ("/console/search?q=", "/console/labels?q=", "/console/labels?code=", "/console/receipts?q="):
        staff.get(path + codes[4])
        staff.get(path + PHONE.removeprefix("+86"))
    staff.post("/console/labels", {"code": codes[4], "q": codes[4]})
    staff.get("/dev/phone")
    export_member(member_by_phone(PHONE))


def through_failures(world: World, codes: list[str], monkeypatch: pytest.MonkeyPatch) -> list[bytes]:
    """Let the service fail with the canaries in its error and its variables; return what is answered."""

    def broken(attempts: object) -> object:
        raise RuntimeError(f"cannot redeem {codes[6]} of {PHONE}: {attempts}")

    monkeypatch.setattr(services, "redeem_each", broken)
    monkeypatch.setattr(services, "verify_each", broken)
    client = Client(HTTP_HOST="brand.localhost", raise_request_exception=False)
    headers = {"Authorization": f"Bearer {world.token}", "Idempotency-Key": "broken"}
    body = {"code": codes[6], "phone": PHONE}
    answers = [
        client.post(f"/api/v1/{path}", body, content_type="application/json", headers=headers)
        for path in ("redemptions", "checks")
    ]
    label = f"/01/{world.product.gtin}/21/{world.serials[codes[6]]}"
    answers.append(client.get(label))
    answers.append(client.post("/claim", {**body, "step": "redeem"}))
    assert {answer.status_code for answer in answers} & {500, 503}
    return [answer.content for answer in answers if answer.status_code >= 400]


def test_nothing_secret_sticks_anywhere(real_commits: Brand, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with redis.Redis.from_url(os.environ["BROKER_URL"]) as broker:
        broker.flushdb()  # labels of the same numbers have the same codes, and other tests plant theirs here
    world = make_world(labels=10)
    codes = world.secrets
    canaries = {f"code {n}": code for n, code in enumerate(codes)}
    canaries |= {"phone one": PHONE, "phone two": OTHER_PHONE, "key": world.token, "password": PASSWORD}
    find = searcher(canaries)
    with listening() as log:
        with Web(tmp_path / "web.log", {"LOG_LEVEL": "DEBUG"}) as web:
            errors = through_the_api(web.port, world, codes)
        through_the_pages(world, codes)
        order_batch(order_key="more", product=world.product, count=5, at=now())  # pushes a task
        errors += through_failures(world, codes, monkeypatch)
        connection.set_tenant(real_commits)
        sinks = {
            "log of the web process": (tmp_path / "web.log").read_bytes(),
            "log of this process": log.getvalue().encode(),
            "database": database(),
            "valkey": valkey(),
            "error answers": b"\n".join(errors),
        }
        assert b"django.request" in sinks["log of the web process"]
        assert b"request_started" in sinks["log of this process"]
        assert b"redemption_scan" in sinks["database"]
        assert b"labels.tasks" in sinks["valkey"]
        assert len(errors) > 10
        assert {place: find(sink) for place, sink in sinks.items()} == {place: set() for place in sinks}

        # And the search would have seen it.
        digest = hashlib.sha256(codes[0].encode()).hexdigest()
        logging.getLogger("planted").warning("redeemed %s", codes[0])
        Product.objects.filter(pk=world.product.pk).update(description=f"{digest} {PHONE}")
        cache.set("planted", digest)
        app.send_task("labels.tasks.planted", args=[PHONE])
        planted = {
            "log": find(log.getvalue().encode()),
            "database": find(database()),
            "valkey": find(valkey()),
            "error answers": find(b'{"detail": "No such code: ' + codes[0].encode() + b'"}'),
        }
    assert all(planted.values()), planted
    assert any("sha256 of code" in found for found in planted["valkey"])
    assert any("phone" in found for found in planted["valkey"])
