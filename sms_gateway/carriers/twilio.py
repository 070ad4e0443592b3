"""Twilio: signed form posts in, TwiML back, its REST API out (https://www.twilio.com/docs/messaging/twiml).

Account secrets: ``account_sid``, ``tokens`` (the one in use and, while it is being changed, the next), optionally
``api_base`` for a stand-in of the API.
"""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal, InvalidOperation
from typing import Any, ClassVar
from urllib.parse import quote

import requests
from django.http import HttpRequest, HttpResponse
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator, compare
from twilio.rest import Client

from brands.phone_numbers import Account, Number
from sms_gateway import twiml
from sms_gateway.carriers.base import (
    HTTP_TIMEOUT_S,
    Accepted,
    BadSignature,
    Inbound,
    Outbound,
    Permanent,
    Report,
    Said,
    Status,
    Stopped,
    Temporary,
    Unreadable,
    sender_of,
    text_of,
)
from sms_gateway.doors import OptOut

API = "https://api.twilio.com"
STATUSES = {
    "accepted": Status.SENDING,
    "scheduled": Status.SENDING,
    "queued": Status.SENDING,
    "sending": Status.SENDING,
    "sent": Status.SENT,
    "failed": Status.FAILED,
    "undelivered": Status.UNDELIVERED,
    "delivered": Status.DELIVERED,
    "read": Status.DELIVERED,
}
STOPPED_CODE = 21610
# Errors with a 4xx status that pass: too many requests, queue full, an account that must be put in order.
TEMPORARY_CODES = {20003, 20005, 20429, 21611, 30001, 30002, 30017, 30018, 63038}
MESSAGE_LENGTH = 1600


class Twilio:
    """See `sms_gateway.carriers.base.Carrier`."""

    name: ClassVar[str] = "twilio"
    templates_only = False
    signs = True
    inline = True
    wait_s = 8.0

    def __init__(self, account: Account) -> None:
        self.account = account

    @classmethod
    def called(cls, request: HttpRequest) -> str:
        """See `Carrier.called`. Reports about our own messages have our number as their sender."""
        fields = request.POST
        about_ours = request.path.endswith("/status") and "CallSid" not in fields
        ours = fields.get("From" if about_ours else "To", "")
        if not ours:
            raise Unreadable
        return ours

    def authenticate(self, request: HttpRequest, number: Number | None) -> None:
        """Check `X-Twilio-Signature` against the configured address of the number, with either token."""
        signature = request.META.get("HTTP_X_TWILIO_SIGNATURE", "")
        if number is None or not signature.isascii():
            raise BadSignature
        url = f"{number.base_url}{request.get_full_path()}"
        validators = [RequestValidator(token) for token in self._tokens()]
        if any(compare(one.compute_signature(url, request.POST), signature) for one in validators):
            return  # the usual case; `validate` works out the address with and without a port first
        if not any(one.validate(url, request.POST, signature) for one in validators):
            raise BadSignature

    def _tokens(self) -> Sequence[str]:
        return [token for token in self.account.secrets.get("tokens", ()) if token]

    def parse_inbound(self, request: HttpRequest, *, at: datetime) -> list[Inbound]:
        """See `Carrier.parse_inbound`."""
        fields = request.POST
        message_id = fields.get("MessageSid") or fields.get("SmsSid") or ""
        if not message_id:
            raise Unreadable
        said = fields.get("OptOutType", "")
        return [
            Inbound(
                message_id=text_of(message_id, 64),
                sender=sender_of(fields.get("From", "")),
                to=fields["To"],
                body=fields.get("Body", "").replace("\x00", "")[:MESSAGE_LENGTH],
                received_at=at,
                opt_out=OptOut(said) if said in list(OptOut) else None,
            )
        ]

    def acknowledge(self, pairs: Sequence[tuple[Inbound, Said | None]], number: Number | None) -> HttpResponse:
        """Answer with TwiML."""
        said = [
            (reply.body, self.report_url(number, reply.reference) if reply.reference else None)
            for _, reply in pairs
            if reply and number
        ]
        return HttpResponse(twiml.messages(said), content_type="text/xml; charset=utf-8")

    def report_url(self, number: Number, reference: str) -> str:
        """Return the address to which the reports about one message go."""
        return f"{number.base_url}/webhooks/{self.name}/status?message={quote(reference)}"

    def send(self, message: Outbound, number: Number) -> Accepted:
        """Send by the vendor's client."""
        try:
            made = self._client().messages.create(
                to=message.to,
                from_=number.e164,
                body=message.body,
                status_callback=self.report_url(number, message.reference),
            )
        except TwilioRestException as error:
            raise _sorted(error) from None
        except (TwilioException, requests.RequestException, OSError) as error:
            raise Temporary(type(error).__name__) from None
        segments = str(made.num_segments or "")
        return Accepted(str(made.sid), int(segments) if segments.isdigit() and int(segments) else None)

    def _client(self) -> Client:
        tokens = self._tokens()
        if not tokens:
            raise Temporary("no token")
        sid = self.account.secrets.get("account_sid", "")
        return Client(sid, tokens[0], http_client=_Http(self.account.secrets.get("api_base", "")))

    def parse_receipts(self, request: HttpRequest) -> list[Report]:
        """See `Carrier.parse_receipts`."""
        fields = request.POST
        status = STATUSES.get(fields.get("MessageStatus") or fields.get("SmsStatus") or "")
        if status is None:
            raise Unreadable
        segments = fields.get("NumSegments", "")
        return [
            Report(
                status=status,
                reference=request.GET.get("message", ""),
                ref=text_of(fields.get("MessageSid", ""), 64),
                code=text_of(fields.get("ErrorCode", ""), 40),
                parts=int(segments) if segments.isascii() and segments.isdigit() and len(segments) < 4 else None,
                cost=_cost(fields.get("Price", "")),
            )
        ]


def _sorted(error: TwilioRestException) -> Exception:
    code = str(error.code or error.status)
    if error.code == STOPPED_CODE:
        return Stopped(code)
    if error.status == 429 or error.status >= 500 or error.status == 401 or error.code in TEMPORARY_CODES:
        return Temporary(code)
    return Permanent(code)


def _cost(price: str) -> int | None:
    """Return a price as the carrier writes it ("-0.00750") in millionths."""
    try:
        return abs(int(Decimal(price) * 1_000_000)) if price and len(price) < 20 else None
    except (InvalidOperation, ValueError, OverflowError):
        return None


class _Http(TwilioHttpClient):
    """The vendor's HTTP client with a limit of time, and another address where a stand-in answers for the API."""

    def __init__(self, api_base: str) -> None:
        super().__init__(timeout=HTTP_TIMEOUT_S)
        self.api_base = api_base

    def request(self, method: str, url: str, **rest: Any) -> Any:
        """Send one request."""
        return super().request(method, url.replace(API, self.api_base, 1) if self.api_base else url, **rest)
