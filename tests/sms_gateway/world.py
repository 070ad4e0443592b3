"""Carriers for the tests: a number of the brand with each, requests signed as the vendor's own library signs them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from django.test import Client, RequestFactory
from twilio.request_validator import RequestValidator

from brands.models import Brand
from brands.phone_numbers import keep_account, keep_number
from sms_gateway import webhooks
from sms_gateway.doors import CallStep, IncomingText, Purpose, Reply, Say, VoiceAnswer

TOKEN = "0123456789abcdef0123456789abcdef"
NEXT_TOKEN = "fedcba9876543210fedcba9876543210"
BASE_URL = "https://labels.example"
OURS = "+862160001111"
SHARED = "+862160000000"
PHONE = "+8613800138000"
KANNEL_SECRET = "kannel-path-secret"
ALIYUN_SECRET = "aliyun-path-secret"


def make_twilio(brand: Brand | None, at: datetime, *, e164: str = OURS, carrier: str = "twilio", **fields: Any) -> None:
    """Make a number that Twilio (or the simulator) brings messages for."""
    secrets = {"account_sid": "AC" + "0" * 32, "tokens": [TOKEN, NEXT_TOKEN]}
    account = keep_account(carrier, carrier=carrier, secrets=secrets, at=at)
    values = {"base_url": BASE_URL, "languages": ["zh-hans", "en"], **fields}
    keep_number(e164, account=account, brand=brand, at=at, **values)


def make_kannel(brand: Brand | None, at: datetime, *, e164: str = "10690001", url: str = "", **fields: Any) -> None:
    """Make a number behind a Kannel."""
    secrets = {"path": KANNEL_SECRET, "url": url, "username": "zhenbiao", "password": "kannel"}
    account = keep_account("kannel", carrier="kannel", secrets=secrets, at=at, sources=["127.0.0.0/8"])
    values = {"base_url": BASE_URL, "languages": ["zh-hans", "en"], **fields}
    keep_number(e164, account=account, brand=brand, at=at, **values)


def make_aliyun(brand: Brand | None, at: datetime, *, endpoint: str = "", **fields: Any) -> None:
    """Make a number with Aliyun."""
    secrets = {
        "path": ALIYUN_SECRET,
        "access_key_id": "test-id",
        "access_key_secret": "test-secret",
        "sign_name": "溪岚茶业",
        "templates": {"reply": {"zh-hans": "SMS_1"}, "one_time_code": {"zh-hans": "SMS_2"}},
        **({"endpoint": endpoint} if endpoint else {}),
    }
    account = keep_account("aliyun", carrier="aliyun", secrets=secrets, at=at, sources=["127.0.0.1/32"])
    keep_number("1069", account=account, brand=brand, at=at, base_url=BASE_URL, languages=["zh-hans"], **fields)


@dataclass(frozen=True)
class Signed:
    """A form post with its signature, ready to be sent by any client."""

    path: str
    fields: dict[str, str]
    signature: str

    @property
    def body(self) -> bytes:
        return urlencode(self.fields).encode()

    def send(self, client: Client, host: str = "anything.example") -> Any:
        """Post it with Django's client. The host is nobody's: the number alone says whose message it is."""
        return client.post(
            self.path,
            self.body,
            content_type="application/x-www-form-urlencoded",
            headers={"X-Twilio-Signature": self.signature, "Host": host},
        )

    def call(self) -> Any:
        """Hand it to the view itself: what config/webhooks.py adds is not needed for this."""
        request = RequestFactory().post(
            self.path,
            self.body,
            content_type="application/x-www-form-urlencoded",
            headers={"X-Twilio-Signature": self.signature},
        )
        return webhooks.sms(request, carrier=self.path.split("/")[2])


def signed(path: str, fields: Mapping[str, str], *, token: str = TOKEN, base_url: str = BASE_URL) -> Signed:
    """Return a post as Twilio would make it to ``base_url`` + ``path``."""
    return Signed(path, dict(fields), RequestValidator(token).compute_signature(base_url + path, dict(fields)))


def text(
    body: str, *, sid: str = "SM1", sender: str = PHONE, to: str = OURS, carrier: str = "twilio", **rest: Any
) -> Signed:
    """Return a message in."""
    fields = {"MessageSid": sid, "From": sender, "To": to, "Body": body, "NumSegments": "1", "AccountSid": "AC0"}
    return signed(f"/webhooks/{carrier}/sms", fields, **rest)


# --- handlers of the tests ---------------------------------------------------------------------------------------------

heard: list[IncomingText] = []
failing: set[str] = set()


def forget() -> None:
    """Forget what was heard."""
    heard.clear()
    failing.clear()


def echo(texts: Sequence[IncomingText]) -> list[Reply | Exception | None]:
    """Answer what was said, and keep that it was heard; "poison" fails, "hush" has no answer, "?" is an error."""
    return [_echo(text) for text in texts]


def _echo(text: IncomingText) -> Reply | Exception | None:
    heard.append(text)
    if "poison" in text.body or text.body in failing:
        return RuntimeError("poison")
    if text.body == "hush":
        return None
    purpose = Purpose.ERROR if text.body.endswith("?") else Purpose.ANSWER
    return Reply(f"heard {text.body}", "en", purpose)


def long_chinese(texts: Sequence[IncomingText]) -> list[Reply]:
    """Answer in two parts of UCS-2."""
    heard.extend(texts)
    return [Reply("真标" * 50, "zh-hans") for _ in texts]


def slots(text: str) -> tuple[str, int] | None:
    """Route by "slot 7": the form N20, slot 7."""
    word, _, number = text.partition(" ")
    return ("N20", int(number)) if word == "slot" and number.isdigit() else None


def counting(step: CallStep) -> VoiceAnswer:
    """Say how often this call was asked, which only the handed-on state knows."""
    count = step.state.get("count", 0) + 1
    return VoiceAnswer(verbs=(Say(f"{count}: {step.step} {step.digits}"),), language="en", state={"count": count})


# --- a carrier that does as it is told -----------------------------------------------------------------------------------


class Teller:
    """Stands in for an adapter's ``send``: takes everything, but what `errors` says for a number of ours or a text."""

    def __init__(self) -> None:
        self.sent: list[tuple[str, str, str]] = []
        self.errors: dict[str, Exception] = {}

    def __call__(self, message: Any, number: Any) -> Any:
        from sms_gateway.carriers.base import Accepted

        error = self.errors.get(number.e164) or self.errors.get(message.body)
        if error is not None:
            raise error
        self.sent.append((number.e164, message.to, message.body))
        return Accepted(f"SM{len(self.sent)}")
