"""Messages in through the webhook, each a signed one with a code to redeem, in turns with pgbench's TPC-B.

Each is whole: its signature proved, the message kept and committed, the code redeemed and paid for, the reply kept with its
price taken from four budgets, and answered as TwiML.
"""

import os
import statistics
import time
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlencode

from bench.frame import ROUNDS, Figure, cpu_s_of
from bench.load import drive
from bench.redeem import CLIENTS, WEB_WORKERS, web
from bench.server import BRAND, running

LABELS = 60_000
ROUND_S = 4.0
TOKEN = "0123456789abcdef" * 2
BASE_URL = "https://labels.example"
OURS = "+862160001111"


def figures() -> Iterator[Figure]:
    """Start the servers, measure in turns, and yield the figures."""
    with running() as bench:
        os.environ.update(bench.environment)
        import django

        django.setup()
        from bench.stock import stock_up

        stock = stock_up(BRAND, labels=LABELS)
        _number(BRAND)
        tpcb, rates, p95, cpu = [], [], [], []
        with web(bench) as (port, process):
            count = 1000
            drive(port, posts(stock, count), CLIENTS)  # warm
            for _ in range(ROUNDS):
                tpcb.append(bench.tpcb_tps())
                before = cpu_s_of(process.pid), cpu_s_of(bench.server.pid)
                report = drive(port, posts(stock, count), CLIENTS, keep_bodies=True)
                after = cpu_s_of(process.pid), cpu_s_of(bench.server.pid)
                said = sum(b"<Message" in body for body in report.bodies)
                if said != count or set(report.statuses) != {200}:
                    raise RuntimeError(f"{said} of {count} were answered: {dict(report.statuses)}")
                rates.append(report.per_s)
                p95.append(report.quantile_ms(0.95))
                cpu.append(tuple((b - a) / count * 1e6 for a, b in zip(before, after, strict=True)))
                count = int(ROUND_S * report.per_s)
        python, server = (statistics.median(side) for side in zip(*cpu, strict=True))
        yield Figure("pgbench TPC-B beside messages", statistics.median(tpcb), unit="tps")
        yield Figure(
            f"messages in through the webhook ({WEB_WORKERS} workers) ÷ TPC-B",
            statistics.median(rate / one for rate, one in zip(rates, tpcb, strict=True)),
            0.5,
            note=f"{statistics.median(rates):,.0f}/s; CPU each: Python {python:,.0f} µs, PostgreSQL {server:,.0f} µs",
        )
        yield Figure("messages in, 95 of 100 answered within", statistics.median(p95), 300, "ms", at_most=True)


def _number(schema: str) -> None:
    """Make a number with Twilio, and pay for everything."""
    from django.db import connection
    from django_tenants.utils import get_tenant_model

    from brands.phone_numbers import keep_account, keep_number
    from common.clock import now

    secrets = {"account_sid": "AC" + "0" * 32, "tokens": [TOKEN]}
    account = keep_account("bench", carrier="twilio", secrets=secrets, at=now())
    brand = get_tenant_model().objects.get(schema_name=schema)
    keep_number(OURS, account=account, brand=brand, at=now(), base_url=BASE_URL, languages=["en"])
    connection.set_tenant(brand)


def posts(stock: Any, count: int) -> list[bytes]:
    """Return the bytes of signed posts, each with a new code from one of the known members."""
    from twilio.request_validator import RequestValidator

    validator, path = RequestValidator(TOKEN), "/webhooks/twilio/sms"
    made = []
    for n, content in enumerate(stock.contents(count, parties=False)):
        fields = {
            "MessageSid": f"SM{time.time_ns():020}{n:012}",
            "From": content["phone"],
            "To": OURS,
            "Body": content["code"],
            "NumSegments": "1",
        }
        body = urlencode(fields).encode()
        signature = validator.compute_signature(BASE_URL + path, fields)
        head = (
            f"POST {path} HTTP/1.1\r\nHost: bench.localhost\r\nX-Twilio-Signature: {signature}\r\n"
            f"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: {len(body)}\r\n\r\n"
        )
        made.append(head.encode() + body)
    return made
