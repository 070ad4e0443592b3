"""One number that several brands share: the code's slot names the brand, and nothing else does."""

import re
from datetime import datetime

from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from brands.models import Brand, SlotLease, UnroutedMessage
from sms_gateway.models import InboundMessage
from tests.sms_gateway import world
from tests.sms_gateway.world import SHARED, make_twilio, text

A_BRANDS_TABLE = re.compile(
    r'(?:FROM|INTO|UPDATE|JOIN) "(?:sms_gateway|labels|members|staff|redemption)_', re.IGNORECASE
)


def kept_by(brand: Brand) -> int:
    connection.set_tenant(brand)
    return InboundMessage.objects.count()


def lease(brand: Brand, slot: int, at: datetime, ended_at: datetime | None = None) -> None:
    SlotLease.objects.create(form="N20", number=slot, brand=brand, leased_at=at, ended_at=ended_at)


def test_codes_of_two_brands_reach_their_own_only(
    brand: Brand, stranger_brand: Brand, at: datetime, client: Client
) -> None:
    make_twilio(None, at, e164=SHARED)
    lease(brand, 1, at)
    lease(stranger_brand, 2, at)

    for n in range(6):
        answer = text(f"slot {1 + n % 2}", sid=f"SM{n}", to=SHARED).send(client)
        assert f"heard slot {1 + n % 2}" in answer.text
        assert f"message={'stranger' if n % 2 else 'brand_a'}." in answer.text

    assert (kept_by(brand), kept_by(stranger_brand)) == (3, 3)
    assert UnroutedMessage.objects.count() == 0


def test_an_unknown_slot_is_answered_without_trying_any_brand(
    brand: Brand, stranger_brand: Brand, at: datetime, client: Client
) -> None:
    make_twilio(None, at, e164=SHARED)
    lease(brand, 1, at)
    lease(stranger_brand, 3, at, ended_at=at)
    text("slot 1", sid="warm", to=SHARED).send(client)
    world.forget()

    with CaptureQueriesContext(connection) as asked:
        answers = [text(f"slot {slot}", sid=f"SM{slot}", to=SHARED).send(client) for slot in (2, 3)]

    assert all("No brand here issued this code" in answer.text for answer in answers)
    assert world.heard == []
    assert len(asked) >= 4, "the leases were asked, and the messages kept"
    assert not [query["sql"] for query in asked if A_BRANDS_TABLE.search(query["sql"])]
    assert list(UnroutedMessage.objects.order_by("slot").values_list("form", "slot", "sender_masked")) == [
        ("N20", 2, "138****8000"),
        ("N20", 3, "138****8000"),
    ]
    assert kept_by(stranger_brand) == 0


def test_an_unrouted_message_that_comes_again_gets_the_same_answer(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(None, at, e164=SHARED)

    answers = {text("查 123", sid="SM1", to=SHARED).send(client).content for _ in range(5)}

    assert len(answers) == 1
    assert "本平台" in answers.pop().decode()
    assert UnroutedMessage.objects.count() == 1


def test_strangers_are_answered_a_few_times_only(
    brand: Brand, at: datetime, client: Client, true_budgets: None
) -> None:
    make_twilio(None, at, e164=SHARED)

    answers = [text("junk", sid=f"SM{n}", to=SHARED, sender="+8613700137000").send(client).text for n in range(6)]

    assert ["<Message>" in answer for answer in answers] == [True, True, True, False, False, False]
