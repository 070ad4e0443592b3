"""Aliyun: the vendor's own SDK sends to a stand-in; arrays of messages and reports come by a secret path from a known source."""

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest
from django.test import Client

from brands.models import Brand
from sms_gateway.models import InboundMessage, OutboundMessage, SendTry
from sms_gateway.outbox import send_due
from sms_gateway.reports import reference_of
from sms_gateway.services import queue_message
from tests.sms_gateway import world
from tests.sms_gateway.world import ALIYUN_SECRET, PHONE, make_aliyun

SMS, STATUS = (f"/webhooks/aliyun/{ALIYUN_SECRET}/{name}" for name in ("sms", "status"))


class Vendor:
    """A server in the place of dysmsapi.aliyuncs.com: keeps what it is asked, answers what ``answers`` says next."""

    def __init__(self) -> None:
        self.asked: list[dict[str, str]] = []
        self.headers: list[dict[str, str]] = []
        self.answers: list[tuple[int, dict[str, str]]] = []
        vendor = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                vendor.asked.append(dict(parse_qsl(urlsplit(self.path).query) + parse_qsl(body)))
                vendor.headers.append({name.lower(): value for name, value in self.headers.items()})
                status, told = vendor.answers.pop(0) if vendor.answers else (200, {"Code": "OK", "BizId": "9006^0"})
                content = json.dumps({"RequestId": "R1", "Message": "m", **told}).encode()
                self.send_response(status)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}"


@pytest.fixture
def vendor() -> Iterator[Vendor]:
    vendor = Vendor()
    thread = threading.Thread(target=vendor.server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield vendor
    vendor.server.shutdown()
    vendor.server.server_close()
    thread.join(timeout=10)


def post(client: Client, path: str, content: Any, **more: Any) -> Any:
    return client.post(path, json.dumps(content), content_type="application/json", **more)


def up(n: int = 1, content: str = "hello", **more: Any) -> dict[str, Any]:
    """One entry of SmsUp, as in the vendor's documentation."""
    return {
        "phone_number": "13800138000",
        "send_time": "2026-11-22 10:42:00",
        "content": content,
        "sign_name": "溪岚茶业",
        "dest_code": "1069",
        "sequence_id": 10000 + n,
        **more,
    }


def report(message: OutboundMessage, **more: Any) -> dict[str, Any]:
    """One entry of SmsReport."""
    return {
        "phone_number": "13800138000",
        "send_time": "2026-11-22 10:42:00",
        "report_time": "2026-11-22 10:42:05",
        "success": True,
        "err_code": "DELIVERED",
        "err_msg": "用户接收成功",
        "sms_size": "1",
        "biz_id": "9006^0",
        "out_id": reference_of(message.uuid),
        **more,
    }


# --- out ---------------------------------------------------------------------------------------------------------------


def test_an_approved_template_is_sent_by_the_sdk(brand: Brand, at: datetime, vendor: Vendor) -> None:
    make_aliyun(brand, at, endpoint=vendor.url)
    message = queue_message(
        PHONE, "您的验证码是482193", purpose="one_time_code", language="zh-hans", parameters={"code": "482193"}, at=at
    )

    send_due(clock=lambda: at)

    [asked], [headers] = vendor.asked, vendor.headers
    assert (asked["PhoneNumbers"], asked["SignName"], asked["TemplateCode"]) == ("13800138000", "溪岚茶业", "SMS_2")
    assert json.loads(asked["TemplateParam"]) == {"code": "482193"}
    assert asked["OutId"] == reference_of(message.uuid)
    assert headers["x-acs-action"] == "SendSms"
    assert "test-id" in headers["authorization"]
    assert "test-secret" not in json.dumps([asked, headers])
    message.refresh_from_db()
    assert (message.state, message.carrier, message.carrier_ref) == ("sent", "aliyun", "9006^0")


def test_a_text_without_parameters_fills_the_one_variable(brand: Brand, at: datetime, vendor: Vendor) -> None:
    make_aliyun(brand, at, endpoint=vendor.url)
    queue_message(PHONE, "正品", purpose="reply", language="zh-hans", at=at)

    send_due(clock=lambda: at)

    assert vendor.asked[0]["TemplateCode"] == "SMS_1"
    assert json.loads(vendor.asked[0]["TemplateParam"]) == {"content": "正品"}


@pytest.mark.parametrize(
    ("status", "code", "state"),
    [
        (200, "isv.BUSINESS_LIMIT_CONTROL", "waiting"),
        (200, "isv.MOBILE_NUMBER_ILLEGAL", "failed"),
        (400, "InvalidTemplateCode.Malformed", "failed"),
        (503, "ServiceUnavailable", "waiting"),
    ],
)
def test_a_code_says_whether_it_is_tried_again(
    brand: Brand, at: datetime, vendor: Vendor, status: int, code: str, state: str
) -> None:
    make_aliyun(brand, at, endpoint=vendor.url)
    message = queue_message(PHONE, "正品", purpose="reply", language="zh-hans", at=at)
    vendor.answers = [(status, {"Code": code})]

    send_due(clock=lambda: at)

    message.refresh_from_db()
    assert (message.state, message.problem) == (state, code)
    assert len(vendor.asked) == SendTry.objects.count() == 1, "the SDK tries no second time behind our back"


# --- in ----------------------------------------------------------------------------------------------------------------


def test_an_array_is_taken_in_each_message_once(brand: Brand, at: datetime, client: Client, vendor: Vendor) -> None:
    make_aliyun(brand, at, endpoint=vendor.url)
    entries = [up(1, "first"), up(2, "second"), up(1, "first")]

    answers = [post(client, SMS, entries) for _ in range(2)]

    assert [(answer.status_code, answer.json()) for answer in answers] == [(200, {"code": 0, "msg": "ok"})] * 2
    assert [heard.body for heard in world.heard] == ["first", "second"]
    assert {heard.sender for heard in world.heard} == {PHONE}
    assert InboundMessage.objects.filter(state="decided", reply_state="outbox").count() == 2
    send_due(clock=lambda: datetime.now(UTC))
    assert [json.loads(asked["TemplateParam"])["content"] for asked in vendor.asked] == ["heard first", "heard second"]


def test_only_the_secret_path_and_a_listed_source_are_heard(brand: Brand, at: datetime, client: Client) -> None:
    make_aliyun(brand, at)

    refused = [
        post(client, "/webhooks/aliyun/another-secret/sms", [up()]),
        post(client, "/webhooks/aliyun/sms", [up()]),
        post(client, "/webhooks/kannel/aliyun-path-secret/sms", [up()]),
        post(client, SMS, [up()], REMOTE_ADDR="203.0.113.9"),
    ]

    assert {answer.status_code for answer in refused} == {403}
    assert InboundMessage.objects.count() == 0
    assert post(client, SMS, [up()]).status_code == 200
    assert InboundMessage.objects.count() == 1


@pytest.mark.parametrize("odd", [{}, [1], [{"dest_code": "1069"}], [{**up(), "sequence_id": "x" * 65}], "text", None])
def test_what_is_no_array_of_messages_is_refused(brand: Brand, at: datetime, client: Client, odd: Any) -> None:
    make_aliyun(brand, at)

    assert post(client, SMS, odd).status_code == 400
    assert InboundMessage.objects.count() == 0


def test_reports_move_the_messages_they_name(brand: Brand, at: datetime, client: Client, vendor: Vendor) -> None:
    make_aliyun(brand, at, endpoint=vendor.url)
    good, bad = (queue_message(PHONE, text, purpose="reply", language="zh-hans", at=at) for text in ("正品", "假货"))
    send_due(clock=lambda: at)
    failure = report(bad, success=False, err_code="MOBILE_NOT_ON_SERVICE", sms_size="2")

    answers = [post(client, STATUS, [report(good), failure]) for _ in range(2)]

    assert {(answer.status_code, answer.json()["code"]) for answer in answers} == {(200, 0)}
    good.refresh_from_db()
    bad.refresh_from_db()
    assert (good.state, good.parts) == ("delivered", 1)
    assert (bad.state, bad.problem, bad.parts) == ("undelivered", "MOBILE_NOT_ON_SERVICE", 2)
    assert good.reports.count() == bad.reports.count() == 1
