"""Delivery reports: in any order, any number of times."""

import itertools
from datetime import datetime

import pytest
from django.test import Client

from brands.models import Brand
from sms_gateway.models import DeliveryReport, OutboundMessage, Spending
from sms_gateway.outbox import send_due
from sms_gateway.services import queue_message
from tests.sms_gateway.world import OURS, PHONE, Signed, Teller, make_twilio, signed

STATUSES = ("queued", "sent", "undelivered", "delivered")


def sent(brand: Brand, at: datetime) -> OutboundMessage:
    make_twilio(brand, at)
    message = queue_message(PHONE, "hello", purpose="reply", at=at)
    send_due(clock=lambda: at)
    return message


def report(message: OutboundMessage, status: str, **fields: str) -> Signed:
    path = f"/webhooks/twilio/status?message=brand_a.{message.uuid}"
    return signed(path, {"MessageSid": "SM1", "MessageStatus": status, "From": OURS, "To": PHONE, **fields})


@pytest.mark.parametrize("order", list(itertools.permutations(STATUSES)))
def test_the_state_only_rises_in_whatever_order(
    brand: Brand, at: datetime, client: Client, teller: Teller, order: tuple[str, ...]
) -> None:
    message = sent(brand, at)

    for status in order:
        assert report(message, status).send(client).status_code == 200

    message.refresh_from_db()
    assert message.state == "delivered"
    assert DeliveryReport.objects.count() == len(STATUSES)


def test_one_report_ten_times_is_one(brand: Brand, at: datetime, client: Client, teller: Teller) -> None:
    message = sent(brand, at)

    for _ in range(10):
        report(message, "undelivered", ErrorCode="30003").send(client)

    message.refresh_from_db()
    assert (message.state, message.problem) == ("undelivered", "30003")
    assert DeliveryReport.objects.count() == 1


def test_the_true_price_is_entered_into_the_budgets(brand: Brand, at: datetime, client: Client, teller: Teller) -> None:
    message = sent(brand, at)

    report(message, "delivered", NumSegments="2", Price="-0.12").send(client)

    message.refresh_from_db()
    assert (message.parts, message.cost) == (2, 120_000)
    assert set(Spending.objects.values_list("spent", flat=True)) == {120_000}


@pytest.mark.parametrize("name", ["", "brand_a", "brand_a.x", "public.00000000-0000-0000-0000-000000000000", "x.y.z"])
def test_reports_about_nothing_change_nothing(brand: Brand, at: datetime, client: Client, name: str) -> None:
    make_twilio(brand, at)
    fields = {"MessageSid": "SM1", "MessageStatus": "sent", "From": OURS, "To": PHONE}

    assert signed(f"/webhooks/twilio/status?message={name}", fields).send(client).status_code in {200, 400}
    assert DeliveryReport.objects.count() == 0


def test_a_number_speaks_for_its_own_brand_only(
    brand: Brand, stranger_brand: Brand, at: datetime, client: Client, teller: Teller
) -> None:
    message = sent(brand, at)
    make_twilio(stranger_brand, at, e164="+862160003333")
    fields = {"MessageSid": "SM1", "MessageStatus": "delivered", "From": "+862160003333", "To": PHONE}

    signed(f"/webhooks/twilio/status?message=brand_a.{message.uuid}", fields).send(client)

    message.refresh_from_db()
    assert message.state == "sent"


def test_a_report_that_is_not_signed_is_refused(brand: Brand, at: datetime, client: Client, teller: Teller) -> None:
    message = sent(brand, at)
    good = report(message, "delivered")

    assert Signed(good.path, good.fields, "").send(client).status_code == 403
    assert good.send(client).status_code == 200
