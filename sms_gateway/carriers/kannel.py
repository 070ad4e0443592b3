"""Kannel, the SMS gateway for SMPP lines and GSM modems (https://www.kannel.org/download/kannel-userguide).

It does not sign: its webhooks have a secret in their path and a list of source networks. Account secrets: ``path``;
``url``, ``username``, ``password`` of its sendsms service. In Kannel's configuration:

    get-url = "https://HOST/webhooks/kannel/SECRET/sms?from=%p&to=%P&text=%b&coding=%c&charset=%C&id=%I"
    accept-x-kannel-headers = true        max-messages = 2        concatenation = true        omit-empty = true

``%b`` with ``&coding`` and ``&charset`` leaves the text's encoding to us; ``%a`` (already UTF-8) comes as ``text`` with
``charset`` empty.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import ClassVar
from urllib.parse import quote, unquote_to_bytes

import requests
from django.http import HttpRequest, HttpResponse

from brands.phone_numbers import Account, Number
from common.net import client_ip
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
    Temporary,
    Unreadable,
    sender_of,
    text_of,
)
from sms_gateway.segments import parts_of

DELIVERED, UNDELIVERABLE, QUEUED, AT_CENTRE, REJECTED = 1, 2, 4, 8, 16
REPORTS = {
    DELIVERED: Status.DELIVERED,
    UNDELIVERABLE: Status.UNDELIVERED,
    QUEUED: Status.SENDING,
    AT_CENTRE: Status.SENT,
    REJECTED: Status.FAILED,
}
MASK = DELIVERED | UNDELIVERABLE | AT_CENTRE | REJECTED
CHARSETS = {"utf-8": "utf-8", "utf-16be": "utf-16-be", "ucs-2": "utf-16-be", "iso-8859-1": "latin-1", "": "utf-8"}
MESSAGE_LENGTH = 1600


class Kannel:
    """See `sms_gateway.carriers.base.Carrier`."""

    name: ClassVar[str] = "kannel"
    templates_only = False
    signs = False
    inline = True
    wait_s = 1.5

    def __init__(self, account: Account) -> None:
        self.account = account

    @classmethod
    def called(cls, request: HttpRequest) -> str:
        """See `Carrier.called`."""
        return request.GET.get("to", "")

    def authenticate(self, request: HttpRequest, number: Number | None) -> None:
        """The secret in the path has named the account; the address must be one of its sources."""
        if not self.account.admits(client_ip(request)):
            raise BadSignature

    def parse_inbound(self, request: HttpRequest, *, at: datetime) -> list[Inbound]:
        """See `Carrier.parse_inbound`."""
        fields = request.GET
        message_id = fields.get("id", "")
        if not message_id or not fields.get("to"):
            raise Unreadable
        return [
            Inbound(
                message_id=text_of(message_id, 64),
                sender=sender_of(fields.get("from", "")),
                to=text_of(fields["to"], 20),
                body=_text(request).replace("\x00", "")[:MESSAGE_LENGTH],
                received_at=at,
            )
        ]

    def acknowledge(self, pairs: Sequence[tuple[Inbound, Said | None]], number: Number | None) -> HttpResponse:
        """Answer with the text itself; its delivery reports come to an address named in a header."""
        said = next((reply for _, reply in pairs if reply), None)
        response = HttpResponse(said.body if said else "", content_type="text/plain; charset=utf-8")
        if said:
            response.headers["X-Kannel-Coding"] = _coding(said.body)
            response.headers["X-Kannel-Charset"] = "UTF-8"
        if said and said.reference and number:
            response.headers["X-Kannel-DLR-Mask"] = str(MASK)
            response.headers["X-Kannel-DLR-Url"] = self._report_url(number, said.reference)
        return response

    def _report_url(self, number: Number, reference: str) -> str:
        path = self.account.secrets["path"]
        return f"{number.base_url}/webhooks/kannel/{quote(path)}/status?message={quote(reference)}&type=%d&answer=%A"

    def send(self, message: Outbound, number: Number) -> Accepted:
        """Send by its sendsms service."""
        secrets = self.account.secrets
        try:
            answer = requests.get(
                secrets["url"],
                params={
                    "username": secrets["username"],
                    "password": secrets["password"],
                    "from": number.e164,
                    "to": message.to,
                    "text": message.body,
                    "coding": _coding(message.body),
                    "charset": "UTF-8",
                    "dlr-mask": str(MASK),
                    "dlr-url": self._report_url(number, message.reference),
                },
                timeout=HTTP_TIMEOUT_S,
            )
        except (requests.RequestException, OSError) as error:
            raise Temporary(type(error).__name__) from None
        if answer.status_code == 202:  # "0: Accepted for delivery", "3: Queued for later delivery"
            return Accepted("")
        if answer.status_code in {400, 404}:
            raise Permanent(str(answer.status_code))
        raise Temporary(str(answer.status_code))

    def parse_receipts(self, request: HttpRequest) -> list[Report]:
        """See `Carrier.parse_receipts`."""
        kind = request.GET.get("type", "")
        status = REPORTS.get(int(kind)) if kind.isascii() and kind.isdigit() and len(kind) < 3 else None
        reference = request.GET.get("message", "")
        if status is None or not reference:
            raise Unreadable
        return [Report(status=status, reference=reference, code=text_of(request.GET.get("answer", "")[:40], 40))]


def _coding(text: str) -> str:
    return "2" if parts_of(text).encoding == "UCS-2" else "0"


def _text(request: HttpRequest) -> str:
    """Return the text in the charset that Kannel names; Django has read the query as if it were UTF-8."""
    named = request.GET.get("charset", "").lower()
    charset = CHARSETS.get("utf-16be" if not named and request.GET.get("coding") == "2" else named, "")
    for pair in request.META.get("QUERY_STRING", "").split("&"):
        name, _, value = pair.partition("=")
        if name == "text":
            try:
                return unquote_to_bytes(value.replace("+", " ")).decode(charset or named)
            except (UnicodeDecodeError, LookupError):
                raise Unreadable from None
    return ""
