"""Aliyun (阿里云短信): approved templates out by the vendor's SDK, unsigned JSON arrays in.

Source: https://help.aliyun.com/zh/sms/developer-reference/, SmsUp and SmsReport.

Account secrets: ``path``; ``access_key_id``, ``access_key_secret``; ``sign_name``; ``templates``: for each of our names
("one_time_code", "reply", …) and languages the approved id, ``{"reply": {"zh-hans": "SMS_1"}}``; optionally ``endpoint``.
A message without parameters of its own fills the one variable ``content``.

Tencent Cloud is of the same kind: unsigned JSON by secret path and source list, replies only by a separate send, approved
templates. It differs in names (``SmsUp``: one object with ``mobile``, ``nationcode``, ``text``, ``extend``, ``time``;
``SmsReport``: an array with ``sid``, ``report_status``, ``errmsg``), numbers template variables instead of naming them,
and wants ``{"result": 0, "errmsg": "OK"}``. An adapter for it is this file with those names.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Any, ClassVar
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse

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

CHINA_TIME = timezone(timedelta(hours=8))
MOST_AT_ONCE = 500
MESSAGE_LENGTH = 1600
# What passes by itself or by another carrier; all other codes mean that this message will never be taken.
TEMPORARY_CODES = {
    "isv.BUSINESS_LIMIT_CONTROL",
    "isv.AMOUNT_NOT_ENOUGH",
    "isv.OUT_OF_SERVICE",
    "isv.ACCOUNT_ABNORMAL",
    "isv.DAY_LIMIT_CONTROL",
    "isv.MONTH_LIMIT_CONTROL",
    "isp.SYSTEM_ERROR",
    "isp.RAM_PERMISSION_DENY",
    "isv.SYSTEM_LIMIT",
    "SignatureDoesNotMatch",
    "InvalidAccessKeyId.NotFound",
    "Throttling.User",
    "ServiceUnavailable",
}


class Aliyun:
    """See `sms_gateway.carriers.base.Carrier`."""

    name: ClassVar[str] = "aliyun"
    templates_only = True
    signs = False
    inline = False
    wait_s = 1.5

    def __init__(self, account: Account) -> None:
        self.account = account

    @classmethod
    def called(cls, _request: HttpRequest) -> str:
        """Each message of an array names its own number."""
        return ""

    def authenticate(self, request: HttpRequest, number: Number | None) -> None:
        """The secret in the path has named the account; the address must be one of its sources."""
        if not self.account.admits(client_ip(request)):
            raise BadSignature

    def parse_inbound(self, request: HttpRequest, *, at: datetime) -> list[Inbound]:
        """See `Carrier.parse_inbound`."""
        return [
            Inbound(
                message_id=_field(entry, "sequence_id", 64, needed=True),
                sender=sender_of(_field(entry, "phone_number", 24)),
                to=_field(entry, "dest_code", 20, needed=True),
                body=_field(entry, "content", 4000).replace("\x00", "")[:MESSAGE_LENGTH],
                received_at=_time(entry.get("send_time"), at),
            )
            for entry in _entries(request)
        ]

    def acknowledge(self, pairs: Sequence[tuple[Inbound, Said | None]], number: Number | None) -> HttpResponse:
        """Say that the array has arrived."""
        return JsonResponse({"code": 0, "msg": "ok"})

    def send(self, message: Outbound, number: Number) -> Accepted:
        """Send an approved template by the vendor's SDK."""
        from alibabacloud_dysmsapi20170525.client import Client
        from alibabacloud_dysmsapi20170525.models import SendSmsRequest
        from alibabacloud_tea_openapi.models import Config
        from alibabacloud_tea_util.models import RuntimeOptions

        secrets = self.account.secrets
        template = template_of(self.account, message.template, message.language)
        if not template:
            raise Permanent("no template")
        endpoint = urlsplit(secrets.get("endpoint", "https://dysmsapi.aliyuncs.com"))
        parameters = dict(message.parameters) or {"content": message.body}
        wanted = SendSmsRequest(
            phone_numbers=message.to.removeprefix("+86").removeprefix("+"),
            sign_name=secrets.get("sign_name", ""),
            template_code=template,
            template_param=json.dumps(parameters, ensure_ascii=False),
            out_id=message.reference,
        )
        milliseconds = int(HTTP_TIMEOUT_S * 1000)
        try:
            client = Client(
                Config(
                    access_key_id=secrets.get("access_key_id", ""),
                    access_key_secret=secrets.get("access_key_secret", ""),
                    endpoint=endpoint.netloc,
                    protocol=endpoint.scheme,
                )
            )
            options = RuntimeOptions(
                autoretry=False, max_attempts=1, connect_timeout=milliseconds, read_timeout=milliseconds
            )
            answer = client.send_sms_with_options(wanted, options).body
        except Exception as error:  # the SDK raises its own, requests' and the HTTP library's
            raise _sorted(str(getattr(error, "code", "") or type(error).__name__)) from None
        if answer.code != "OK":
            raise _sorted(str(answer.code))
        return Accepted(str(answer.biz_id or ""))

    def parse_receipts(self, request: HttpRequest) -> list[Report]:
        """See `Carrier.parse_receipts`."""
        reports = []
        for entry in _entries(request):
            size = _field(entry, "sms_size", 4)
            reports.append(
                Report(
                    status=Status.DELIVERED if entry.get("success") is True else Status.UNDELIVERED,
                    reference=_field(entry, "out_id", 64),
                    ref=_field(entry, "biz_id", 64),
                    code=_field(entry, "err_code", 40),
                    parts=int(size) if size.isascii() and size.isdigit() else None,
                )
            )
        return reports


def template_of(account: Account, name: str, language: str) -> str:
    """Return the approved id of a template in a language, or in the account's first one, or ""."""
    known = account.secrets.get("templates", {}).get(name or "reply", {})
    return str(known.get(language) or next(iter(known.values()), ""))


def _sorted(code: str) -> Temporary | Permanent:
    passes = code in TEMPORARY_CODES or not code.startswith(("isv.", "isp.", "Invalid"))
    return Temporary(code) if passes else Permanent(code)


def _entries(request: HttpRequest) -> list[dict[str, Any]]:
    try:
        found = json.loads(request.body)
    except (ValueError, RecursionError):
        raise Unreadable from None
    if not isinstance(found, list) or len(found) > MOST_AT_ONCE or not all(isinstance(entry, dict) for entry in found):
        raise Unreadable
    return found


def _field(entry: dict[str, Any], name: str, most: int, *, needed: bool = False) -> str:
    value = entry.get(name)
    if not isinstance(value, str | int) or isinstance(value, bool):
        value = ""
    text = str(value)
    if needed and not text:
        raise Unreadable
    try:
        text.encode()
    except UnicodeEncodeError:
        raise Unreadable from None
    return text if name == "content" else text_of(text, most)


def _time(text: object, at: datetime) -> datetime:
    """Return a carrier's time ("2026-11-22 10:42:00", China's) if it is one in the last day, else ``at``."""
    try:
        told = datetime.strptime(str(text), "%Y-%m-%d %H:%M:%S").replace(tzinfo=CHINA_TIME)
    except ValueError:
        return at
    return told if at - timedelta(days=1) <= told <= at else at
