"""The console's pages of messages: what they show and hide, and who may do what."""

from datetime import datetime, timedelta

import pytest
from django.test import Client

from brands.models import Brand
from brands.phone_numbers import number_called
from brands.queries import brand_date
from common.clock import now
from sms_gateway import inbound
from sms_gateway.models import InboundMessage, OutboundMessage, Spending, SpendingBudget
from sms_gateway.outbox import send_due
from sms_gateway.services import queue_message, suppress
from staff.approvals import decide, waiting
from staff.models import User
from tests.channel.test_pages import as_role
from tests.sms_gateway.world import OURS, PHONE, Teller, make_twilio, text


@pytest.fixture
def owner(brand: Brand, at: datetime) -> Client:
    make_twilio(brand, at, takes_calls=True)
    return as_role("owner")


def page(client: Client, path: str) -> str:
    answer = client.get(path)
    assert answer.status_code == 200, path
    return answer.content.decode()


def test_the_log_shows_both_ways_without_codes_and_numbers(owner: Client, at: datetime) -> None:
    text("code 1234 5678 9012 3456").send(owner)
    queue_message(PHONE, "Your code is 482193", purpose="one_time_code", at=at)
    row, out = InboundMessage.objects.get(), OutboundMessage.objects.order_by("-id")[0]

    came, went = page(owner, "/console/messages"), page(owner, "/console/messages?way=out")

    assert "138****8000" in came
    assert "138****8000" in went
    assert "3456" not in came
    assert "482193" not in went + page(owner, f"/console/messages/out/{out.uuid}")
    assert PHONE not in came + went
    assert "heard" in page(owner, f"/console/messages/in/{row.uuid}")


def test_the_log_is_found_by_number_and_by_state(owner: Client) -> None:
    text("hello").send(owner)

    for query, there in (
        ("?q=13800138000", True),
        ("?q=13900139000", False),
        ("?q=nonsense", False),
        ("?state=parked", False),
        ("?state=decided", True),
        ("?q=%00", False),
    ):
        assert ("138****8000" in page(owner, f"/console/messages{query}")) is there, query


def test_a_parked_message_is_tried_again_by_a_button(owner: Client, at: datetime) -> None:
    text("poison").send(owner)
    row = InboundMessage.objects.get()
    for _ in range(5):
        [claimed] = inbound.claim_due(at=now() + timedelta(hours=1), most=1) or [None]
        if claimed is None:
            break
        inbound.fail(row.pk, "RuntimeError", at=now())
    row.refresh_from_db()
    assert row.state == "parked"
    assert "Try again" in page(owner, f"/console/messages/in/{row.uuid}")

    owner.post(f"/console/messages/in/{row.uuid}/replay")

    row.refresh_from_db()
    assert (row.state, row.attempts) == ("new", 0)


def test_what_was_stopped_is_never_sent_again_by_a_button(owner: Client, at: datetime, teller: Teller) -> None:
    suppress(PHONE, source="keyword", at=at)
    message = queue_message(PHONE, "news", purpose="notice", at=at)
    send_due(clock=lambda: at)

    owner.post(f"/console/messages/out/{message.uuid}/replay")

    message.refresh_from_db()
    assert message.state == "refused"


def test_numbers_and_their_health(owner: Client) -> None:
    text("hello").send(owner)

    shown = page(owner, "/console/numbers")

    assert OURS in shown
    assert "Channel health" in shown
    number = number_called("twilio", OURS)
    assert number is not None
    changed = {"first": "en", "second": "", "preference": 3}
    assert owner.post(f"/console/numbers/{number.id}", changed).status_code == 302
    after = number_called("twilio", OURS)
    assert after is not None
    assert (after.languages, after.preference) == (("en",), 3)
    assert owner.post(f"/console/numbers/{number.id}", {**changed, "second": "en"}).status_code == 422


def test_a_strangers_number_is_not_there(owner: Client, stranger_brand: Brand, at: datetime) -> None:
    make_twilio(stranger_brand, at, e164="+862160003333")
    number = number_called("twilio", "+862160003333")
    assert number is not None

    assert owner.get(f"/console/numbers/{number.id}").status_code == 404
    assert "+862160003333" not in page(owner, "/console/numbers")


def test_a_limit_goes_down_at_once_and_up_with_a_second_person(owner: Client, at: datetime) -> None:
    budget = SpendingBudget.objects.get(subject="prefix")
    path = f"/console/spending/{budget.pk}"

    owner.post(path, {"per_day": "15.00"})
    budget.refresh_from_db()
    assert budget.per_day == 15_000_000
    owner.post(path, {"per_day": "40.00"})
    budget.refresh_from_db()
    assert budget.per_day == 15_000_000, "asked for, not done"

    [asked] = waiting(now())
    other = User.objects.create(username="owner-2", role="owner")
    decide(asked.pk, approved=True, by=other, at=now())
    owner.post(path, {"per_day": "41.00"})
    budget.refresh_from_db()
    assert budget.per_day == 15_000_000, "approved was something else"
    owner.post(path, {"per_day": "40.00"})
    budget.refresh_from_db()
    assert budget.per_day == 40_000_000


def test_alarms_stand_on_the_page(owner: Client, at: datetime, true_budgets: None) -> None:
    day = brand_date(now())
    Spending.objects.create(
        subject="prefix", key_index="+861380013", day=day, spent=20_000_000, refused=7, last_refused_at=at
    )
    Spending.objects.create(subject="country", key_index="CN", day=day, spent=1_900_000_000)

    shown = page(owner, "/console/spending")

    assert "7 messages were not sent" in shown
    assert "four fifths" in shown
    assert "Day,Cost" in owner.get("/console/spending?format=csv").content.decode("utf-8-sig")


@pytest.mark.parametrize(
    ("role", "path", "status"),
    [
        ("support", "/console/messages", 200),
        ("auditor", "/console/messages", 200),
        ("marketer", "/console/messages", 403),
        ("finance", "/console/spending", 200),
        ("finance", "/console/messages", 403),
        ("support", "/console/spending/1", 403),
        ("support", "/console/numbers/1", 403),
        ("production", "/console/numbers", 403),
    ],
)
def test_who_may(brand: Brand, role: str, path: str, status: int) -> None:
    assert as_role(role).get(path).status_code == status
