"""What every carrier's adapter does, in our words. An adapter is made for one account and keeps nothing else."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Protocol

from django.http import HttpRequest, HttpResponse

from brands.phone_numbers import Account, Number
from common.errors import Forbidden, Invalid
from common.phone import BadPhone, parse_phone
from sms_gateway.doors import OptOut

HTTP_TIMEOUT_S = 10.0
_NUMBER = re.compile(r"\+?[0-9][0-9 ()./-]{6,24}")
SHORT_CODE_DIGITS = 7


class BadSignature(Forbidden):
    """The request does not come from the carrier."""

    code = "bad_signature"


class Unreadable(Invalid):
    """The request is not as the carrier sends them."""

    code = "unreadable"


class Status(StrEnum):
    """What a report says of a message: the states of `OutboundMessage` that a carrier can bring about."""

    SENDING = "sending"
    SENT = "sent"
    FAILED = "failed"
    UNDELIVERED = "undelivered"
    DELIVERED = "delivered"


@dataclass(frozen=True, slots=True, kw_only=True)
class Inbound:
    """A message that has come in. ``sender`` is E.164, or None where no reply can reach it (names, short codes)."""

    message_id: str
    sender: str | None
    to: str
    body: str
    received_at: datetime
    opt_out: OptOut | None = None


@dataclass(frozen=True, slots=True)
class Said:
    """A reply as the carrier gets it; ``reference`` is our id, which its delivery reports name."""

    reference: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outbound:
    """A message to send. ``template`` and ``parameters`` for carriers that take nothing else."""

    reference: str
    to: str
    body: str
    language: str = ""
    template: str = ""
    parameters: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Accepted:
    """The carrier has the message; ``ref`` is its own name for it."""

    ref: str
    parts: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """What a carrier says about a message. Found by our ``reference`` or the carrier's ``ref``. ``cost``: millionths."""

    status: Status
    reference: str = ""
    ref: str = ""
    code: str = ""
    parts: int | None = None
    cost: int | None = None


class SendError(Exception):
    """The carrier did not take the message. ``code`` is its own."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code[:60]


class Temporary(SendError):
    """It may be tried again, later or elsewhere."""


class Permanent(SendError):
    """It will never be taken."""


class Stopped(Permanent):
    """The carrier knows that this number wants no messages."""


class Carrier(Protocol):
    """One account with one carrier."""

    name: ClassVar[str]
    templates_only: bool  # approved template ids, no free text
    signs: bool  # else its webhooks have a secret in their path
    inline: bool  # whether the answer to the webhook can carry the reply
    wait_s: float  # how long the carrier waits for that answer, with room to spare

    def __init__(self, account: Account) -> None: ...

    @classmethod
    def called(cls, request: HttpRequest, /) -> str:
        """Return which of our numbers an unproven request names. Raises `Unreadable`."""

    def authenticate(self, request: HttpRequest, number: Number | None) -> None:
        """Raise `BadSignature` unless the request comes from the carrier. Nothing has been written yet."""

    def parse_inbound(self, request: HttpRequest, *, at: datetime) -> list[Inbound]:
        """Return the messages of a request. Raises `Unreadable`."""

    def acknowledge(self, pairs: Sequence[tuple[Inbound, Said | None]], number: Number | None) -> HttpResponse:
        """Return the answer to a request, with the replies where the carrier takes them so."""

    def send(self, message: Outbound, number: Number) -> Accepted:
        """Send a message. Raises `Temporary` or `Permanent`. Call it outside transactions."""

    def parse_receipts(self, request: HttpRequest) -> list[Report]:
        """Return the delivery reports of a request. Raises `Unreadable`."""


def sender_of(text: str) -> str | None:
    """Return the sender as E.164, or None for names, short codes and what is no number at all."""
    digits = re.sub(r"\D", "", text) if text.isascii() else ""
    if len(digits) <= SHORT_CODE_DIGITS or not _NUMBER.fullmatch(text.strip()):
        return None
    try:
        return parse_phone(text.strip())
    except BadPhone:
        return None


def text_of(value: str, most: int) -> str:
    """Return a field that PostgreSQL can keep. Raises `Unreadable` if it cannot."""
    if len(value) > most or "\x00" in value:
        raise Unreadable
    return value
