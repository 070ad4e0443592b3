"""What the event loop does by itself: the address as it was sent, bodies, answers piece by piece, calls that go together."""

import asyncio
import http.client
import io
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from django.utils import timezone

from brands.models import Brand
from config.gateway import Threads, environ_of, headers_of
from labels.models import Product
from labels.queries import serials_of
from sms_gateway.models import InboundMessage
from staff.apikeys import create_key
from tests.makers import CONSUMER, labels_of, make_active_batch, make_campaign, secrets_of
from tests.servers import Client, Web
from tests.sms_gateway.world import Signed, make_twilio, text


def scope_of(raw: bytes = b"/", *, headers: list[tuple[bytes, bytes]] | None = None, query: bytes = b"") -> Any:
    return {
        "type": "http", "http_version": "1.1", "method": "POST", "scheme": "http", "path": raw.decode("latin-1"),
        "raw_path": raw, "query_string": query, "headers": headers or [], "client": ("192.0.2.1", 4711),
        "server": ("127.0.0.1", 8000),
    }  # fmt: skip


# --- what a WSGI application is told -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "path"),
    [(b"/01/x/10/A%2FB", "/01/x/10/A/B"), (b"/%E8%8C%B6", "/\xe8\x8c\xb6"), (b"/%ff%00", "/\xff\x00"), (b"/100%", "/100%")],
)  # fmt: skip
def test_the_address_is_told_decoded_and_as_it_was_sent(raw: bytes, path: str) -> None:
    environ = environ_of(scope_of(raw, query=b"q=\xff"), {"HTTP_HOST": "a.example"}, io.BytesIO())

    assert (environ["PATH_INFO"], environ["RAW_URI"]) == (path, raw.decode())
    assert (environ["QUERY_STRING"], environ["HTTP_HOST"], environ["REMOTE_ADDR"]) == (
        "q=\xff",
        "a.example",
        "192.0.2.1",
    )


def test_headers_have_their_names_of_cgi_and_none_passes_for_another() -> None:
    sent = [
        (b"host", b"a.example"), (b"content-type", b"text/plain"), (b"cookie", b"a=1"), (b"cookie", b"b=2"),
        (b"x-forwarded-for", b"192.0.2.7"), (b"x_forwarded_for", b"203.0.113.9"), (b"accept", b"a"), (b"accept", b"b"),
    ]  # fmt: skip

    assert headers_of(scope_of(headers=sent)) == {
        "HTTP_HOST": "a.example",
        "CONTENT_TYPE": "text/plain",
        "HTTP_COOKIE": "a=1; b=2",
        "HTTP_X_FORWARDED_FOR": "192.0.2.7",
        "HTTP_ACCEPT": "a,b",
    }


# --- threads -----------------------------------------------------------------------------------------------------------


class Pieces:
    """A streaming answer that remembers whether it was closed."""

    streaming = True

    def __init__(self) -> None:
        self.closed = False

    def __iter__(self) -> Iterator[bytes]:
        yield from (b"one", b"two")

    def close(self) -> None:
        self.closed = True


def run(
    answer: Any, *, headers: dict[str, str] | None = None, pieces: tuple[bytes, ...] = (), broken: bool = False
) -> tuple[list[dict[str, Any]], dict[str, Any], int]:
    """Hand one request to `Threads`; return what was sent, what the application was told, and how much was read."""
    seen: dict[str, Any] = {}

    def application(environ: dict[str, Any], start: Any) -> Any:
        seen.update(environ, body=environ["wsgi.input"].read(), thread=threading.current_thread().name)
        start("200 OK", [("Content-Type", "text/plain")])
        return answer

    sent: list[dict[str, Any]] = []
    coming = iter(pieces)
    read = 0

    async def receive() -> dict[str, Any]:
        nonlocal read
        piece = next(coming, b"")
        read += len(piece)
        return {"type": "http.request", "body": piece, "more_body": bool(piece)}

    async def send(message: dict[str, Any]) -> None:
        if broken and sent:
            raise ConnectionError
        sent.append(message)

    in_a_loop(Threads(application, count=1, most_body=10), headers or {}, receive, send)
    return sent, seen, read


def in_a_loop(threads: Threads, headers: dict[str, str], receive: Any, send: Any) -> None:
    """Let an event loop of its own answer; this thread may have one already (playwright's)."""
    with ThreadPoolExecutor(1) as pool, threads.pool:
        pool.submit(lambda: asyncio.run(threads(scope_of(), headers, receive, send))).result()


def test_an_answer_that_is_there_is_sent_whole() -> None:
    sent, seen, _read = run([b"one", b"two"])

    assert [message.get("body") for message in sent] == [None, b"onetwo"]
    assert sent[0]["headers"] == [(b"content-type", b"text/plain")]
    assert seen["thread"].startswith("web")


def test_a_streaming_answer_is_sent_piece_by_piece_and_closed() -> None:
    answer = Pieces()

    sent, _seen, _read = run(answer)

    assert [message.get("body") for message in sent] == [None, b"one", b"two", b""]
    assert answer.closed


def test_a_stream_whose_reader_has_gone_is_closed() -> None:
    answer = Pieces()

    with pytest.raises(ConnectionError):
        run(answer, broken=True)

    assert answer.closed


@pytest.mark.parametrize(
    ("declared", "pieces", "told", "body"),
    [
        ("6", (b"abc", b"def"), "6", b"abcdef"),
        (None, (b"abc", b"def"), "6", b"abcdef"),  # chunked
        (None, (), None, b""),
        ("11", (b"x" * 11,), "11", b""),
        ("-1", (b"x",), "-1", b""),
    ],
)
def test_a_body_is_read_as_far_as_it_may_be(
    declared: str | None, pieces: tuple[bytes, ...], told: str | None, body: bytes
) -> None:
    _sent, seen, read = run([b""], headers={} if declared is None else {"CONTENT_LENGTH": declared}, pieces=pieces)

    assert (seen.get("CONTENT_LENGTH"), seen["body"], read) == (told, body, len(body))


def test_a_client_that_goes_while_it_sends_is_not_answered() -> None:
    async def receive() -> dict[str, Any]:
        return {"type": "http.disconnect"}

    async def send(_message: dict[str, Any]) -> None:
        raise AssertionError

    threads = Threads(lambda *_: pytest.fail("half a body"), count=1, most_body=10)
    in_a_loop(threads, {"CONTENT_LENGTH": "5"}, receive, send)


def test_no_more_is_read_of_a_body_without_end() -> None:
    _sent, seen, read = run([b""], pieces=(b"xxxx",) * 100)

    assert read == 12
    assert seen["CONTENT_LENGTH"] == "12"


# --- the server as it runs ---------------------------------------------------------------------------------------------


@pytest.fixture
def web(real_commits: Brand, tmp_path: Path) -> Iterator[Web]:
    with Web(tmp_path / "web.log") as server:
        yield server


def test_one_server(web: Web, real_commits: Brand) -> None:
    """One start for all that needs granian itself."""
    make_campaign()
    batch = make_active_batch(2)
    gtin, [serial, _other] = Product.objects.get().gtin, serials_of(labels_of(batch))
    _the_address_as_it_was_sent(web, gtin, serial)
    _calls_go_together(web, secrets_of(batch))
    _bodies_and_queries(web)
    _messages_wait_together(web, real_commits)


def _the_address_as_it_was_sent(web: Web, gtin: str, serial: str) -> None:
    with Client(web.port) as client:
        for lot in ("A%2FB", "A%25B", "50%25%2F1"):
            assert client.call("GET", f"/01/{gtin}/10/{lot}/21/{serial}").status == 200, lot
        for nonsense in ("A/B", "A%B", "A%2GB", "%ff", "%00"):
            assert client.call("GET", f"/01/{gtin}/10/{nonsense}/21/{serial}").status == 400, nonsense
        forged = client.call("GET", f"/01/{gtin}/10/A/B/21/{serial}", headers={"X-Original-URI": f"/01/{gtin}/10/A%2FB/21/{serial}"})  # fmt: skip
        assert forged.status == 400


def _calls_go_together(web: Web, codes: list[str]) -> None:
    token = create_key("till", ["redeem"], at=timezone.now())[1]
    with Client(web.port, key=token) as client:
        for n, code in enumerate(codes):
            content = {"code": code, "phone": CONSUMER}
            first = client.post("/api/v1/redemptions", content, idempotency_key=f"k{n}")
            again = client.post("/api/v1/redemptions", content, idempotency_key=f"k{n}")
            assert (first.status, first.json["outcome"]) == (201, "REDEEMED")
            assert again.body == first.body
        wrong = client.call(
            "POST", "/api/v1/redemptions", b"{", {"Content-Type": "application/json", "Idempotency-Key": "x"}
        )
        assert (wrong.status, wrong.headers["content-type"]) == (400, "application/problem+json")
    with Client(web.port) as client:
        refused = client.post("/api/v1/redemptions", {}, idempotency_key="x")
        assert (refused.status, refused.headers["www-authenticate"]) == (401, "Bearer")


def _messages_wait_together(web: Web, brand: Brand) -> None:
    make_twilio(brand, timezone.now())
    first = text("help", sid="SM0")  # by Django, which reads whose number it is
    form = {"Content-Type": "application/x-www-form-urlencoded"}

    def bring(message: Signed, signature: str = "") -> tuple[int, str, bytes]:
        with Client(web.port, host="anything.example") as client:
            headers = {**form, "X-Twilio-Signature": signature or message.signature}
            answer = client.call("POST", message.path, message.body, headers)
            return answer.status, answer.headers.get("content-length", ""), answer.body

    one = bring(first)
    with ThreadPoolExecutor(16) as pool:
        others = [text("help", sid=f"SM{n}", sender=f"+86138{n:08}") for n in range(1, 33)]
        answers = list(pool.map(bring, [first, *others]))
    assert answers[0] == one
    assert [(status, b"<Message" in body) for status, _, body in answers] == [(200, True)] * 33
    assert all(int(length) == len(body) for _, length, body in answers)
    assert (bring(others[0], "forged")[0], bring(text("help", to="+1"))[0]) == (403, 403)
    assert InboundMessage.objects.count() == 33


def _bodies_and_queries(web: Web) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", web.port, timeout=30)
    headers = {"Host": "brand.localhost", "Content-Type": "application/json"}
    connection.request("POST", "/api/v1/checks", iter([b"x" * 65_536] * 20), headers, encode_chunked=True)
    answer = connection.getresponse()
    assert (answer.status, json.loads(answer.read())["code"]) == (413, "too_large")
    connection.close()
    with Client(web.port) as client:
        assert client.call("HEAD", "/readyz").body == b""
        assert client.call("GET", "/?q=%ff").status == 200
        assert client.call("GET", "/readyz", headers={"X_Forwarded_Host": "x"}).status == 200
