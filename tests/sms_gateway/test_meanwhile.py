"""Messages that wait for their batch on the event loop: answered as their view does, without a thread of Django's."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any, NamedTuple

import pytest
from django.conf import LazySettings
from django.db import OperationalError, connections

from brands.models import Brand
from brands.phone_numbers import forget_numbers, number_called
from config import gateway
from config.gateway import Threads
from config.webhooks import SOON_READ
from config.wsgi import application as django
from sms_gateway import answering, inbound
from sms_gateway.carriers.twilio import Twilio
from sms_gateway.models import InboundMessage, OutboundMessage
from tests.sms_gateway import test_together, world
from tests.sms_gateway.world import KANNEL_SECRET, OURS, SHARED, Signed, make_kannel, make_twilio, signed, text

pytestmark = pytest.mark.races
FORM = "application/x-www-form-urlencoded"


class Answer(NamedTuple):
    """What was sent."""

    status: int
    headers: dict[bytes, bytes]
    body: bytes


class Gateway:
    """The gateway as granian serves it, with one thread for Django; ``by_view``: the paths that Django was asked for."""

    def __init__(self) -> None:
        self.by_view: list[str] = []
        self.threads = Threads(self._django, count=1, most_body=gateway.MOST_BODY)

    def _django(self, environ: dict[str, Any], start_response: Any) -> Any:
        self.by_view.append(environ["PATH_INFO"])
        return django(environ, start_response)

    def send(self, *requests: "Request", patience_s: float = 30) -> list[Answer | None]:
        """Send requests at once on an event loop of their own; None for who got no answer, or went away before."""

        async def all_at_once() -> list[Answer | None]:
            answers = await asyncio.gather(*(self._ask(request, patience_s) for request in requests))
            await self.threads.call(connections.close_all)
            return answers

        with ThreadPoolExecutor(1) as pool:
            return pool.submit(lambda: asyncio.run(all_at_once())).result()

    async def _ask(self, request: "Request", patience_s: float) -> Answer | None:
        sent: list[dict[str, Any]] = []
        coming = iter(request.comes)

        async def receive() -> dict[str, Any]:
            return next(coming)

        async def send(message: dict[str, Any]) -> None:
            sent.append(message)

        try:
            async with asyncio.timeout(patience_s):
                await gateway.application(request.scope, receive, send)
        except TimeoutError:
            return None
        return Answer(sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]) if sent else None


class Request(NamedTuple):
    """A request as an ASGI server tells it."""

    scope: dict[str, Any]
    comes: Sequence[dict[str, Any]]


def request_of(message: Signed, *, body: bytes | None = None, **changes: Any) -> Request:
    """Return the request that brings a message; ``changes``: path, query_string, method, kind (of content), length."""
    content = message.body if body is None else body
    length = changes.get("length", len(content))
    headers = [
        (b"host", b"anything.example"),
        (b"content-type", changes.get("kind", FORM).encode()),
        (b"x-twilio-signature", message.signature.encode()),
        *([] if length is None else [(b"content-length", b"%d" % length)]),
    ]
    path = changes.get("path", message.path)
    scope = {
        "type": "http", "http_version": "1.1", "method": changes.get("method", "POST"), "scheme": "http", "path": path,
        "raw_path": path.encode(), "query_string": changes.get("query_string", b""), "headers": headers,
        "client": ("127.0.0.1", 4711), "server": ("127.0.0.1", 8000),
    }  # fmt: skip
    return Request(scope, [{"type": "http.request", "body": content, "more_body": False}])


@pytest.fixture
def door(settings: LazySettings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    settings.COLLECTOR_ENABLED = True
    door = Gateway()
    monkeypatch.setattr(gateway, "_in_threads", door.threads)
    yield door
    door.threads.pool.shutdown()
    answering.close()


def phone(n: int) -> str:
    return f"+86138{n:08}"


@pytest.fixture
def line(real_commits: Brand, at: datetime, door: Gateway) -> Gateway:
    """A number of the brand that this process knows already."""
    make_twilio(real_commits, at)
    assert number_called("twilio", OURS)
    return door


# --- alike -------------------------------------------------------------------------------------------------------------


def test_messages_at_once_are_answered_as_if_alone_and_without_django(line: Gateway) -> None:
    bodies = ["poison" if n % 8 == 3 else f"good & {n}" for n in range(24)]

    answers = line.send(
        *(request_of(text(body, sid=f"SM{n}", sender=phone(n))) for n, body in enumerate(bodies)),
        *[request_of(text("good & 0", sid="SM0", sender=phone(0)))] * 3,
    )

    assert line.by_view == []
    for n, (body, answer) in enumerate(zip(bodies, answers, strict=False)):
        assert answer is not None
        alone = text(body, sid=f"SM{n}", sender=phone(n)).call()
        assert (answer.status, answer.body) == (alone.status_code, alone.content), "as the view tells it again"
        assert answer.headers[b"content-type"] == alone["Content-Type"].encode()
        assert answer.headers[b"content-length"] == b"%d" % len(answer.body)
        assert (b"heard good &amp; %d<" % n in answer.body) == ("good" in body)
    assert {answer.body for answer in answers[24:] if answer} == {answers[0].body if answers[0] else b""}
    assert InboundMessage.objects.count() == 24
    assert OutboundMessage.objects.count() == 21


def test_a_message_by_get_and_a_secret_path_goes_the_same_way(line: Gateway, real_commits: Brand, at: datetime) -> None:
    make_kannel(real_commits, at)
    assert number_called("kannel", "10690001")
    query = f"from={world.PHONE}&to=10690001&text=%E8%8C%B6&coding=2&charset=utf-8&id=K1".replace("+", "%2B").encode()
    came = Signed(f"/webhooks/kannel/{KANNEL_SECRET}/sms", {}, "")

    good, forged = line.send(
        request_of(came, method="GET", query_string=query, length=None),
        request_of(came, method="GET", query_string=query, length=None, path="/webhooks/kannel/other/sms"),
    )

    assert (good and (good.status, good.body.decode()), forged and forged.status) == ((200, "heard 茶"), 403)
    assert line.by_view == []


SHORT = text("hello")
NUL = signed(SHORT.path, {**SHORT.fields, "MessageSid": "S\x00"})
REFUSED: dict[str, tuple[Request, int]] = {
    "forged": (request_of(Signed(SHORT.path, SHORT.fields, "forged")), 403),
    "signature that is no ASCII": (request_of(Signed(SHORT.path, SHORT.fields, "签名")), 403),
    "changed on the way": (request_of(SHORT, body=SHORT.body + b"1"), 403),
    "address changed": (request_of(SHORT, query_string=b"a=%ff%00"), 403),
    "no number of ours": (request_of(text("hello", to="+862160009999")), 403),
    "half of it": (request_of(SHORT, body=SHORT.body[:20]), 400),
    "empty": (request_of(SHORT, body=b""), 400),
    "NUL": (request_of(NUL), 400),
    "NULs": (request_of(SHORT, body=b"\x00" * 99), 400),
    "no UTF-8": (request_of(SHORT, body=b"To=%ff%fe&\xff=\xfe"), 403),
    "JSON": (request_of(SHORT, kind="application/json"), 400),
    "no type": (request_of(SHORT, kind=""), 400),
    "odd type": (request_of(SHORT, kind=f"{FORM}; charset=utf-7"), 400),
    "files": (request_of(SHORT, kind="multipart/form-data; boundary=x"), 400),
    "files without end": (request_of(SHORT, kind="multipart/form-data"), 400),
    "too many fields": (request_of(SHORT, body=b"To=1&" * 1001), 400),
    "too long": (request_of(SHORT, body=b"x" * 1_048_577), 413),
    "longer than it says": (request_of(SHORT, length=7), 400),
    "no length": (request_of(Signed(SHORT.path, SHORT.fields, "forged"), length=None), 403),
    "secret where none is": (request_of(SHORT, path="/webhooks/twilio/secret/sms"), 403),
    "nobody": (request_of(SHORT, path="/webhooks/nobody/sms"), 404),
    "NUL in the address": (request_of(SHORT, path="/webhooks/\x00/sms"), 404),
    "other method": (request_of(SHORT, method="PUT"), 405),
    "read by GET": (request_of(SHORT, method="GET"), 400),
}


@pytest.mark.parametrize("name", REFUSED)
def test_both_ways_refuse_alike(
    brand: Brand, at: datetime, door: Gateway, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    request, status = REFUSED[name]
    make_twilio(brand, at)
    assert number_called("twilio", OURS)

    [here] = door.send(request)
    monkeypatch.setattr(gateway, "may_bring_message", lambda *_: False)
    [there] = door.send(request)

    assert here
    assert there
    assert here.status == there.status == status
    assert here.headers.keys() == there.headers.keys()
    assert here.headers[b"content-type"] == there.headers[b"content-type"]
    assert here.body == there.body or b'"request_id"' in here.body
    assert not InboundMessage.objects.exists()
    assert world.heard == []


# --- later -------------------------------------------------------------------------------------------------------------


def test_who_is_slow_answers_by_a_message_of_its_own(
    line: Gateway, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings.SMS_HANDLER = f"{test_together.__name__}.slow"
    monkeypatch.setattr(Twilio, "wait_s", 0.2)

    [answer] = line.send(request_of(text("good")))
    answering.close()  # returns when what was begun is done

    assert answer
    assert (answer.status, b"<Message" in answer.body) == (200, False)
    assert line.by_view == []
    row = InboundMessage.objects.get()
    assert (row.state, row.reply_state, row.reply and row.reply.state) == ("decided", "outbox", "waiting")


def test_who_goes_away_has_brought_the_message(line: Gateway, settings: LazySettings) -> None:
    settings.SMS_HANDLER = f"{test_together.__name__}.slow"

    assert line.send(request_of(text("good")), patience_s=0.2) == [None]
    answering.close()
    [again] = line.send(request_of(text("good")))

    assert again
    assert (again.status, b">late</Message>" in again.body) == (200, True)
    assert OutboundMessage.objects.count() == 1


def test_who_goes_away_before_the_end_has_brought_nothing(line: Gateway) -> None:
    whole = request_of(text("good"))
    half = Request(whole.scope, [{**whole.comes[0], "more_body": True}, {"type": "http.disconnect"}])

    assert line.send(half) == [None]
    assert (line.by_view, InboundMessage.objects.count()) == ([], 0)


@pytest.mark.parametrize("fault", ["keeping", "telling"])
def test_what_fails_is_to_be_brought_again(line: Gateway, monkeypatch: pytest.MonkeyPatch, fault: str) -> None:
    def away(*_: object) -> None:
        raise OperationalError

    monkeypatch.setattr(inbound, *{"keeping": ("keep_many", away), "telling": ("leave_to_worker", away)}[fault])

    [answer] = line.send(request_of(text("poison")))

    assert answer
    assert (answer.status, answer.headers[b"retry-after"]) == (503, b"2")
    assert line.by_view == []
    monkeypatch.undo()


# --- not here ----------------------------------------------------------------------------------------------------------


def large(door: Gateway) -> Signed:
    message = text("good")
    return signed(message.path, {**message.fields, "Padding": "x" * SOON_READ})


def not_at_hand(door: Gateway) -> Signed:
    forget_numbers()
    return text("good")


def to_nobody(door: Gateway) -> Signed:
    make_twilio(None, datetime.now().astimezone(), e164=SHARED)
    assert number_called("twilio", SHARED)
    return text("good", to=SHARED)


@pytest.mark.parametrize(
    ("message_of", "said"), [(large, b"heard good"), (not_at_hand, b"heard good"), (to_nobody, b"No brand here")]
)
def test_what_would_stop_the_event_loop_goes_to_the_view(
    line: Gateway, message_of: Callable[[Gateway], Signed], said: bytes
) -> None:
    message = message_of(line)

    [answer] = line.send(request_of(message))

    assert answer
    assert (answer.status, said in answer.body) == (200, True)
    assert line.by_view == [message.path]
