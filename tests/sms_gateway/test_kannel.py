"""Kannel's dialect; and Debian's own Kannel, which nobody here wrote, with its ``fakesmsc`` for the telephone."""

import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from urllib.parse import quote, unquote_to_bytes

import pytest
from django.test import Client

from brands.models import Brand
from config import embedded
from sms_gateway.models import DeliveryReport, InboundMessage, OutboundMessage
from sms_gateway.outbox import send_due
from sms_gateway.services import queue_message
from tests.sms_gateway import world
from tests.sms_gateway.programs import running, wait_for, web
from tests.sms_gateway.world import KANNEL_SECRET, PHONE, make_kannel

SMS = f"/webhooks/kannel/{KANNEL_SECRET}/sms"
FAKESMSC = Path("/usr/lib/kannel/test/fakesmsc")
PROGRAMS = [shutil.which(name, path="/usr/sbin:/usr/bin") for name in ("bearerbox", "smsbox")]


def ask(client: Client, text: str, *, path: str = SMS, message_id: str = "1", **rest: str) -> object:
    fields = {"from": PHONE, "to": "10690001", "coding": "0", "charset": "UTF-8", "id": message_id, **rest}
    query = "&".join(f"{name}={quote(value)}" for name, value in fields.items())
    return client.get(f"{path}?{query}&text={text}")


def test_a_message_is_answered_in_plain_text(brand: Brand, at: datetime, client: Client) -> None:
    make_kannel(brand, at)

    answer = ask(client, "hello")

    assert (answer.status_code, answer.text) == (200, "heard hello")
    assert answer["Content-Type"] == "text/plain; charset=utf-8"
    assert answer["X-Kannel-Coding"] == "0"
    assert ask(client, "hello").content == answer.content
    assert len(world.heard) == 1


def test_chinese_comes_and_goes_as_ucs_2(brand: Brand, at: datetime, client: Client) -> None:
    make_kannel(brand, at)

    answer = ask(client, quote("查 1234".encode("utf-16-be")), coding="2", charset="UTF-16BE")

    assert answer.text == "heard 查 1234"
    assert answer["X-Kannel-Coding"] == "2"


@pytest.mark.parametrize("path", ["/webhooks/kannel/wrong/sms", "/webhooks/kannel/sms", "/webhooks/aliyun/x/sms"])
def test_a_wrong_secret_is_refused(brand: Brand, at: datetime, client: Client, path: str) -> None:
    make_kannel(brand, at)
    assert ask(client, "hello").status_code == 200

    assert ask(client, "hello", path=path, message_id="2").status_code == 403
    assert InboundMessage.objects.count() == 1


def test_another_source_is_refused(brand: Brand, at: datetime, client: Client) -> None:
    make_kannel(brand, at)

    answer = client.get(SMS, {"from": PHONE, "to": "10690001", "text": "x", "id": "1"}, REMOTE_ADDR="203.0.113.9")

    assert answer.status_code == 403
    assert InboundMessage.objects.count() == 0


@pytest.mark.parametrize(("text", "charset"), [("%ff%fe%fd", "UTF-8"), ("%d8", "UTF-16BE"), ("x", "klingon")])
def test_bytes_that_are_no_text_are_refused(
    brand: Brand, at: datetime, client: Client, text: str, charset: str
) -> None:
    make_kannel(brand, at)

    assert ask(client, text, charset=charset).status_code == 400


# --- the real one ------------------------------------------------------------------------------------------------------

CONFIGURATION = """
group = core
admin-port = {admin}
admin-password = admin
admin-allow-ip = "127.0.0.1"
smsbox-port = {boxes}
box-allow-ip = "127.0.0.1"
dlr-storage = internal

group = smsc
smsc = fake
smsc-id = FAKE
host = 127.0.0.1
port = {smsc}

group = smsbox
bearerbox-host = 127.0.0.1
sendsms-port = {sendsms}
sendsms-interface = "127.0.0.1"

group = sendsms-user
username = zhenbiao
password = kannel
max-messages = 2
concatenation = true

group = sms-service
keyword = default
get-url = "{url}?from=%p&to=%P&text=%b&coding=%c&charset=%C&id=%I"
max-messages = 2
concatenation = true
accept-x-kannel-headers = true
omit-empty = true
"""


@pytest.fixture
def kannel(tmp_path: Path, real_commits: Brand, at: datetime) -> Iterator[tuple[Path, int]]:
    """A running Kannel that brings its messages to us; yields the folder of its logs and fakesmsc's port."""
    if not all(PROGRAMS) or not FAKESMSC.exists():
        pytest.skip("Kannel is not installed (Debian: apt-get install kannel kannel-extras)")
    ports = {name: embedded.free_port() for name in ("admin", "boxes", "smsc", "sendsms")}
    with ExitStack() as stack:
        port = stack.enter_context(web())
        url = f"http://127.0.0.1:{port}"
        sendsms = f"http://127.0.0.1:{ports['sendsms']}/cgi-bin/sendsms"
        make_kannel(real_commits, at, url=sendsms, base_url=url)
        configuration = tmp_path / "kannel.conf"
        configuration.write_text(CONFIGURATION.format(url=url + SMS, **ports))
        for program in PROGRAMS:
            log = tmp_path / f"{Path(program or '').name}.log"
            stack.enter_context(running(program or "", str(configuration), log=log))
            wait_for(log, "startup|MAIN: Start-up done|Connected to bearerbox|bearerbox.*connected|Identifying", 1)
        time.sleep(0.5)
        yield tmp_path, ports["smsc"]


GOT = r"Got message \d+: <(\S+) (\S+) (\S+) (.*)>"


def fakesmsc(folder: Path, port: int, *messages: str) -> "object":
    arguments = ["-H", "127.0.0.1", "-r", str(port), "-i", "0.1", "-m", str(len(messages)), *messages]
    return running(str(FAKESMSC), *arguments, log=folder / "fakesmsc.log")


def parts(found: list[tuple[str, str, str, str]]) -> list[tuple[bytes, str]]:
    """Return of each part its user data header and its text."""
    read = []
    for _sender, _receiver, kind, rest in found:
        assert kind == "udh"
        header, _, data = rest.partition(" data ")
        read.append((unquote_to_bytes(header), unquote_to_bytes(data.replace("+", " ")).decode("utf-16-be")))
    return sorted(read)


@pytest.mark.races
def test_a_message_in_comes_back_as_two_ucs_2_parts(kannel: tuple[Path, int], settings: pytest.FixtureRequest) -> None:
    settings.SMS_HANDLER = "tests.sms_gateway.world.long_chinese"
    folder, port = kannel

    with fakesmsc(folder, port, f"{PHONE} 10690001 ucs2 %67%E5%00%31%00%32"):
        found = wait_for(folder / "fakesmsc.log", GOT, times=2)

    assert [text.body for text in world.heard] == ["查12"]
    assert {(sender, receiver) for sender, receiver, _, _ in found} == {("10690001", PHONE)}
    (first, begin), (second, end) = parts(found)
    assert first[:3] == second[:3] == b"\x05\x00\x03", "concatenation, 8-bit reference (3GPP TS 23.040, 9.2.3.24.1)"
    assert first[3] == second[3], "of one message"
    assert (first[4:], second[4:]) == (b"\x02\x01", b"\x02\x02")
    assert begin + end == "真标" * 50
    assert len(begin) == 67


@pytest.mark.races
def test_a_message_out_is_sent_and_its_delivery_reported(kannel: tuple[Path, int], at: datetime) -> None:
    from django.db import transaction

    folder, port = kannel
    with transaction.atomic():
        message = queue_message(PHONE, "您好 482193", purpose="one_time_code", at=at)

    with fakesmsc(folder, port, f"{PHONE} 10690001 text nop hush"):
        wait_for(folder / "fakesmsc.log", "sent message")
        send_due(clock=lambda: at)
        wait_for(folder / "fakesmsc.log", "Got message")
        until = time.monotonic() + 60
        while DeliveryReport.objects.filter(message=message, status="delivered").count() == 0:
            assert time.monotonic() < until, "no report came"
            time.sleep(0.1)

    assert OutboundMessage.objects.get(pk=message.pk).state == "delivered"
