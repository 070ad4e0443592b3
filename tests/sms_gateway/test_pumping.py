"""Whoever makes us write a thousand messages meets a hard stop, and nothing is used up beyond it."""

from datetime import datetime

import pytest
from django.conf import LazySettings
from django.test import Client

from brands.models import Brand
from brands.queries import brand_date
from common.clock import now
from sms_gateway import inbound
from sms_gateway.answering import decide_due
from sms_gateway.models import InboundMessage, OutboundMessage, Spending, SpendingBudget
from tests.sms_gateway import world
from tests.sms_gateway.world import make_twilio, text

PART = 50_000
BLOCK_LIMIT = 20_000_000


@pytest.mark.usefixtures("true_budgets")
def test_a_thousand_sign_ups_in_one_block_stop_at_the_budget(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)

    answers = [text(f"hello {n}", sid=f"SM{n}", sender=f"+861380013{n:04}").call().text for n in range(1000)]

    paid = BLOCK_LIMIT // PART
    assert sum("<Message" in answer for answer in answers) == paid == 400
    assert OutboundMessage.objects.count() == paid
    assert len(world.heard) == paid, "what would not be answered is not decided: nothing is used up"
    assert Spending.objects.get(subject="prefix").spent == BLOCK_LIMIT
    assert InboundMessage.objects.filter(state="parked", problem="budget_prefix").count() == 600
    assert "<Message" in text("hello", sid="SMx", sender="+8613900139000").send(client).text, "others are served"


@pytest.mark.usefixtures("true_budgets")
def test_a_parked_message_is_answered_when_it_is_tried_again(brand: Brand, at: datetime, client: Client) -> None:
    make_twilio(brand, at)
    Spending.objects.create(subject="brand", key_index="", day=brand_date(now()), spent=2_000_000_000)
    assert "<Message" not in text("hello").send(client).text
    row = InboundMessage.objects.get()
    assert (row.state, row.problem) == ("parked", "budget_brand")

    assert inbound.replay(row.pk, at=at)
    decide_due(at=at)

    row.refresh_from_db()
    assert (row.state, row.reply_state) == ("decided", "outbox")
    assert OutboundMessage.objects.get().state == "waiting"


@pytest.mark.usefixtures("true_budgets")
def test_a_reply_that_is_dearer_than_most_is_not_said_where_it_passes_a_limit(
    brand: Brand, at: datetime, client: Client, settings: LazySettings
) -> None:
    """There was room for one part when the message came; the answer has two."""
    make_twilio(brand, at)
    SpendingBudget.objects.filter(subject="number").update(per_day=3 * PART)
    settings.SMS_HANDLER = "tests.sms_gateway.world.long_chinese"

    answers = [text("hello", sid=f"SM{n}").call().text for n in range(2)]

    assert ["<Message" in answer for answer in answers] == [True, False]
    refused = InboundMessage.objects.get(message_id="SM1")
    assert (refused.state, refused.silence) == ("decided", "budget_number")
    taken = Spending.objects.filter(subject__in=("number", "brand")).order_by("subject")
    assert list(taken.values_list("subject", "spent", "refused")) == [("brand", 2 * PART, 0), ("number", 2 * PART, 1)]
