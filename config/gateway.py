"""The application that granian serves: what waits for its batch holds no thread, everything else has one of its own.

Plain calls of the operations that machines make thousands of times a second (`redemption.api.TOGETHER`) are gathered as
they come, read, done and answered together in the threads of a collector, and sent by the event loop, which never touches
the database. So are the messages that carriers bring, which the event loop itself reads (`config.webhooks`). All else goes
to Django, a WSGI application, in a thread (`Threads`). Of the two, ASGI alone tells the address as it was sent
(docs/decisions/0013).
"""

import asyncio
import os
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from io import BytesIO
from typing import IO, Any, ParamSpec, TypeVar
from urllib.parse import unquote_to_bytes

from config.wsgi import application as django

# isort: split
# Django is set up from here on.
from django.conf import settings

from brands.queries import brand_at_hand
from config.middleware import host_of
from config.webhooks import answer_meanwhile, may_bring_message
from redemption.api import TOGETHER, Asked, ask

Message = dict[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Wsgi = Callable[[Environ, Any], Iterable[bytes]]
P = ParamSpec("P")
R = TypeVar("R")
IN_MEMORY = 1_048_576
MOST_BODY = max(settings.DATA_UPLOAD_MAX_MEMORY_SIZE, *settings.LARGER_BODIES.values())


async def application(scope: Message, receive: Receive, send: Send) -> None:
    """Answer one request."""
    with suppress(_Gone):
        await _answer(scope, headers_of(scope), receive, send)


async def _answer(scope: Message, headers: dict[str, str], receive: Receive, send: Send) -> None:
    if scope["path"] in TOGETHER and _is_plain(scope, headers) and (brand := brand_at_hand(host_of(headers))):
        body = await _whole_body(receive)
        asked = Asked(
            headers.get("HTTP_AUTHORIZATION", ""),
            body,
            headers.get("HTTP_IDEMPOTENCY_KEY"),
            headers.get("HTTP_ACCEPT_LANGUAGE"),
        )
        reply = await ask(scope["path"], asked, brand)
        await _send(send, reply.status, reply.headers, reply.content)
    elif scope["path"].startswith("/webhooks/") and may_bring_message(scope["method"], scope["path"], headers):
        body = await _whole_body(receive) if "CONTENT_LENGTH" in headers else b""
        response = await answer_meanwhile(environ_of(scope, headers, BytesIO(body)), _in_threads.call)
        if response is None:
            await _in_threads(scope, headers, _again(body), send)
        else:
            await _send(send, response.status_code, response.items(), response.content)
    else:
        await _in_threads(scope, headers, receive, send)


def headers_of(scope: Message) -> dict[str, str]:
    """Return the headers by their CGI names (RFC 3875, 4.1.18).

    A header that is sent twice has both values. One with an underscore is left out: it would pass for another.
    """
    headers: dict[str, str] = {}
    for raw, value in scope["headers"]:
        name = raw.decode("latin-1").upper()
        if "_" in name:
            continue
        name = name.replace("-", "_")
        if name not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
            name = f"HTTP_{name}"
        text = value.decode("latin-1")
        if name in headers:
            text = f"{headers[name]}{'; ' if name == 'HTTP_COOKIE' else ','}{text}"
        headers[name] = text
    return headers


def _is_plain(scope: Message, headers: Mapping[str, str]) -> bool:
    """Return whether the call is a POST of JSON of a declared and allowed length."""
    length = headers.get("CONTENT_LENGTH", "")
    return (
        scope["method"] == "POST"
        and headers.get("CONTENT_TYPE", "").partition(";")[0].strip() == "application/json"
        and length.isdecimal()
        and 0 < int(length) <= settings.DATA_UPLOAD_MAX_MEMORY_SIZE
        and "HTTP_TRANSFER_ENCODING" not in headers
    )


async def _whole_body(receive: Receive) -> bytes:
    """Read a body whose length was declared. Raises `_Gone`."""
    body, more = b"", True
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Gone
        body += message.get("body", b"")
        more = message.get("more_body", False)
    return body


def _again(body: bytes) -> Receive:
    """Return what tells a body that was read already."""

    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive


async def _send(send: Send, status: int, headers: Iterable[tuple[str, str]], content: bytes) -> None:
    await send(_start(status, headers))
    await send({"type": "http.response.body", "body": content})


def _start(status: int, headers: Iterable[tuple[str, str]]) -> Message:
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in headers]
    return {"type": "http.response.start", "status": status, "headers": pairs}


# --- WSGI --------------------------------------------------------------------------------------------------------------


class Threads:
    """A WSGI application (PEP 3333) behind ASGI: each request in one of ``count`` threads.

    The body is read before a thread begins, on disk if it is large, up to ``most_body`` bytes; of one that is larger, or
    says so, no more is read, and its CONTENT_LENGTH tells the application. An answer that is there at once is sent
    whole; a streaming one piece by piece, as fast as its reader takes it.
    """

    def __init__(self, application: Wsgi, *, count: int, most_body: int) -> None:
        self.application, self.most_body = application, most_body
        self.pool = ThreadPoolExecutor(count, thread_name_prefix="web")

    async def __call__(self, scope: Message, headers: dict[str, str], receive: Receive, send: Send) -> None:
        """Answer one request."""
        declared = headers.get("CONTENT_LENGTH")
        with _room_for(declared) as body:
            try:
                length = await self._read(declared, receive, body)
            except _Gone:
                return
            if length is not None:
                headers = {**headers, "CONTENT_LENGTH": str(length)}
            body.seek(0)
            loop = asyncio.get_running_loop()
            environ = environ_of(scope, headers, body)
            answer = await loop.run_in_executor(self.pool, self._answer, environ, _Stream(loop, send))
        if answer is not None:
            await _send(send, *answer)

    async def call(self, function: Callable[P, R], *arguments: P.args, **_nothing: P.kwargs) -> R:
        """Do something else that waits, in one of the threads."""
        return await asyncio.get_running_loop().run_in_executor(self.pool, function, *arguments)

    async def _read(self, declared: str | None, receive: Receive, body: IO[bytes]) -> int | None:
        """Read the body; return its length if that is known now, and was not before."""
        if declared is not None and not (declared.isdecimal() and int(declared) <= self.most_body):
            return None
        length, more = 0, True
        while more and length <= self.most_body:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _Gone
            piece = message.get("body", b"")
            body.write(piece)
            length += len(piece)
            more = message.get("more_body", False)
        return length if declared is None and length else None

    def _answer(self, environ: Environ, stream: "_Stream") -> tuple[int, Headers, bytes] | None:
        """Run the application; return its whole answer, or None once it is streamed."""
        answer = self.application(environ, stream.begin)
        try:
            if getattr(answer, "streaming", False):
                stream.send(answer)
                return None
            return stream.status, stream.headers, b"".join(answer)
        finally:
            getattr(answer, "close", lambda: None)()


class _Gone(Exception):
    """The client went away while it sent its body."""


def _room_for(declared: str | None) -> IO[bytes]:
    """Return where a body is kept: on disk once it is large."""
    small = declared is not None and declared.isdecimal() and int(declared) <= IN_MEMORY
    return BytesIO() if small else tempfile.SpooledTemporaryFile(IN_MEMORY)


class _Stream:
    """What a WSGI application says of its answer, and the way on which a thread sends it piece by piece."""

    def __init__(self, loop: asyncio.AbstractEventLoop, send: Send) -> None:
        self.loop, self._send = loop, send
        self.status, self.headers = 500, Headers()

    def begin(self, status: str, headers: Headers, _error: object = None) -> None:
        """Take in status and headers (WSGI's ``start_response``)."""
        self.status, self.headers = int(status.partition(" ")[0]), headers

    def send(self, pieces: Iterable[bytes]) -> None:
        """Send the answer; each piece once the one before has left."""
        self._now(_start(self.status, self.headers))
        for piece in pieces:
            self._now({"type": "http.response.body", "body": piece, "more_body": True})
        self._now({"type": "http.response.body", "body": b""})

    def _now(self, message: Message) -> None:
        asyncio.run_coroutine_threadsafe(self._pass_on(message), self.loop).result()

    async def _pass_on(self, message: Message) -> None:
        await self._send(message)


def environ_of(scope: Message, headers: Mapping[str, str], body: IO[bytes]) -> Environ:
    """Return what a WSGI application is told of a request. RAW_URI: the path as it was sent, not decoded."""
    raw = scope["raw_path"].partition(b"?")[0]
    address, port = scope["server"] or ("localhost", 80)
    return {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(raw).decode("latin-1"),
        "RAW_URI": raw.decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_NAME": address,
        "SERVER_PORT": str(port),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "REMOTE_ADDR": scope["client"][0] if scope["client"] else "",
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.input": body,
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
        **headers,
    }


_in_threads = Threads(django, count=int(os.environ.get("WEB_THREADS", "64")), most_body=MOST_BODY)
