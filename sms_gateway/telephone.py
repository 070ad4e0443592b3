"""A telephone and its carrier in one: sends messages and makes calls through our own webhooks, signed as a carrier signs.

`manage.py sms_sim` and `ivr_sim`, scenario files and tests use it; /dev/phone does the same in the browser. It fakes no
success: what it shows is what the webhook answered, and an answer that is no 200 is a `Refused`.
"""

import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit
from xml.etree.ElementTree import Element, fromstring

from brands.phone_numbers import Number
from sms_gateway.carriers.simulator import ACCOUNT_SID
from sms_gateway.simulated import signature

WITHHELD = "anonymous"
MOST_REDIRECTS = 20
# path with query, fields, headers → status, body
Post = Callable[[str, Mapping[str, str], Mapping[str, str]], tuple[int, str]]


class Refused(Exception):
    """The webhook did not answer with 200."""

    def __init__(self, status: int, body: str) -> None:
        super().__init__(f"{status}: {body[:200]}")
        self.status, self.body = status, body


@dataclass(frozen=True, slots=True)
class Answered:
    """A text message that came back with the answer to ours. ``callback``: where its delivery is reported."""

    body: str
    callback: str


@dataclass(frozen=True, slots=True)
class Exchange:
    """One request and its answer, for traces."""

    path: str
    fields: Mapping[str, str]
    signature: str
    status: int
    body: str
    took_ms: float


@dataclass
class Telephone:
    """A telephone with a number (E.164) that texts and calls one of our numbers."""

    number: str
    line: Number
    post: Post
    trace: list[Exchange] = field(default_factory=list)

    def text(self, body: str, *, message_id: str = "") -> list[Answered]:
        """Send a message; return what came back with the answer. Raises `Refused`."""
        sid = message_id or f"SM{secrets.token_hex(16)}"
        said = self.ask(
            "/webhooks/simulator/sms",
            {"MessageSid": sid, "SmsSid": sid, "From": self.number, "To": self.line.e164, "Body": body},
        )
        return [Answered(message.text or "", message.get("statusCallback", "")) for message in _parse(said)]

    def report(self, answered: Answered, status: str) -> None:
        """Report how the delivery of an answer goes ("sent", "delivered", "undelivered")."""
        path = urlsplit(answered.callback)
        fields = {
            "MessageSid": f"SM{secrets.token_hex(16)}",
            "MessageStatus": status,
            "From": self.line.e164,
            "To": self.number,
        }
        self.ask(f"{path.path}?{path.query}", fields)

    def call(self) -> "Call":
        """Make a call and listen to the greeting."""
        return Call(self)

    def ask(self, path: str, fields: Mapping[str, str]) -> str:
        """Post a signed request and return the body of the answer. Raises `Refused`."""
        sent = {"AccountSid": ACCOUNT_SID, "ApiVersion": "2010-04-01", **fields}
        signed = signature(self.line, f"{self.line.base_url}{path}", sent)
        started = time.monotonic()
        status, body = self.post(path, sent, {"X-Twilio-Signature": signed})
        self.trace.append(Exchange(path, sent, signed, status, body, (time.monotonic() - started) * 1000))
        if status != 200:
            raise Refused(status, body)
        return body


class Call:
    """One call. Follows each answer as a carrier does: speaks, and waits at the question that is asked."""

    def __init__(self, telephone: Telephone) -> None:
        self.telephone = telephone
        self.call_id = f"CA{secrets.token_hex(16)}"
        self.heard: list[str] = []
        self.gather: Element | None = None
        self.dialled = ""
        self.over = False
        self._go("/webhooks/simulator/voice", {})

    @property
    def said(self) -> str:
        """All that was spoken since the last key, in one line."""
        return " ".join(self.heard)

    def press(self, keys: str) -> str:
        """Press keys at the question ("" waits until time is up); return what is spoken then."""
        if self.gather is None or self.over:
            raise ValueError("nothing is being asked")
        gather = self.gather
        pressed = _as_sent(keys, finish=gather.get("finishOnKey", "#"), most=int(gather.get("numDigits", "0")))
        self._go(gather.get("action", ""), {"Digits": pressed})
        return self.said

    def hang_up(self) -> None:
        """End the call, as the carrier reports it."""
        self.over = True
        self.telephone.ask("/webhooks/simulator/status", {**self._fields(), "CallStatus": "completed"})

    def _fields(self) -> dict[str, str]:
        return {
            "CallSid": self.call_id,
            "From": self.telephone.number,
            "To": self.telephone.line.e164,
            "CallStatus": "in-progress",
            "Direction": "inbound",
        }

    def _go(self, path: str, fields: Mapping[str, str]) -> None:
        self.heard, self.gather = [], None
        for _turn in range(MOST_REDIRECTS):
            body = self.telephone.ask(path, {**self._fields(), **fields})
            following = self._play(_parse(body))
            if following is None:
                return
            path, fields = following, {}
        raise Refused(200, "redirected without end")

    def _play(self, verbs: Sequence[Element]) -> str | None:
        """Carry out verbs in order; return where a Redirect leads."""
        for verb in verbs:
            match verb.tag:
                case "Say" | "Play":
                    self.heard.append(verb.text or "")
                case "Gather":
                    self.heard += [prompt.text or "" for prompt in verb if prompt.tag in {"Say", "Play"}]
                    self.gather = verb
                    return None
                case "Redirect":
                    return verb.text or ""
                case "Dial":
                    self.dialled = "".join(verb.itertext())
                    self.over = True
                    return None
                case "Hangup":
                    self.over = True
                    return None
        self.over = True  # a document that ends, ends the call
        return None


def _as_sent(keys: str, *, finish: str, most: int) -> str:
    """Return the digits that a carrier sends: up to the finishing key, or the number that was asked for."""
    digits = keys.partition(finish)[0] if finish else keys
    return digits[:most] if most else digits


def _parse(twiml: str) -> list[Element]:
    return list(fromstring(twiml)) if twiml.strip() else []  # noqa: S314 - it is our own server that answers


def over_http(base_url: str, *, host: str = "") -> Post:
    """Return a `Post` to a server that runs at ``base_url``."""
    import requests

    session = requests.Session()

    def post(path: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, str]:
        more = {"Host": host} if host else {}
        answer = session.post(f"{base_url}{path}", data=dict(fields), headers={**headers, **more}, timeout=20)
        answer.encoding = "utf-8"
        return answer.status_code, answer.text

    return post


def over_client(client: Any) -> Post:
    """Return a `Post` through Django's test client."""

    def post(path: str, fields: Mapping[str, str], headers: Mapping[str, str]) -> tuple[int, str]:
        answer = client.post(path, dict(fields), headers=dict(headers))
        return answer.status_code, answer.content.decode()

    return post
