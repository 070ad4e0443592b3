"""The relay: order, retries, the second carrier, and what may not be sent at all."""

from datetime import UTC, datetime, timedelta

import pytest

from brands.models import Brand
from sms_gateway.carriers.base import Permanent, Stopped, Temporary
from sms_gateway.models import OutboundMessage, SendTry, Spending, SpendingBudget, Suppression
from sms_gateway.outbox import replay, send_due
from sms_gateway.services import lift_suppression, queue_message, suppress
from tests.sms_gateway.world import OURS, PHONE, Teller, make_twilio

OTHER_PHONE = "+8613900139000"
SECOND = "+862160002222"


def run(at: datetime) -> int:
    return send_due(clock=lambda: at)


def test_the_most_urgent_goes_first(brand: Brand, at: datetime, teller: Teller) -> None:
    make_twilio(brand, at)
    for purpose in ("notice", "reply", "one_time_code"):
        queue_message(PHONE, purpose, purpose=purpose, at=at)

    run(at)

    assert [body for _, _, body in teller.sent] == ["one_time_code", "reply", "notice"]
    assert set(OutboundMessage.objects.values_list("state", "carrier_ref")) == {
        ("sent", "SM1"),
        ("sent", "SM2"),
        ("sent", "SM3"),
    }


def test_a_failure_is_tried_again_after_a_growing_while_and_parked_after_five(
    brand: Brand, at: datetime, teller: Teller
) -> None:
    make_twilio(brand, at)
    message = queue_message(PHONE, "hello", purpose="reply", at=at)
    teller.errors[OURS] = Temporary("30001")
    waits = []

    for _ in range(5):
        run(at)
        message.refresh_from_db()
        waits.append((message.due_at - at).total_seconds())
        assert run(at) == 0, "not before its time"
        at = message.due_at if message.state == "waiting" else at

    assert (message.state, message.problem, message.attempts) == ("parked", "30001", 5)
    for wait, usual in zip(waits[:4], (1, 4, 16, 64), strict=True):
        assert usual * 0.75 <= wait <= usual * 1.25
    assert run(at + timedelta(days=1)) == 0, "parked is parked"
    teller.errors.clear()
    assert replay(message.pk, at=at)
    run(at)
    assert teller.sent == [(OURS, PHONE, "hello")]


def test_the_second_carrier_takes_over_at_once(brand: Brand, at: datetime, teller: Teller) -> None:
    make_twilio(brand, at, preference=1)
    make_twilio(brand, at, e164=SECOND, preference=2)
    teller.errors[OURS] = Temporary("20003")
    queue_message(PHONE, "hello", purpose="one_time_code", at=at)

    run(at)

    assert teller.sent == [(SECOND, PHONE, "hello")]
    assert list(SendTry.objects.order_by("id").values_list("number", "ok", "code")) == [
        (OURS, False, "20003"),
        (SECOND, True, ""),
    ]


def test_a_number_that_keeps_failing_stands_behind(brand: Brand, at: datetime, teller: Teller) -> None:
    make_twilio(brand, at, preference=1)
    make_twilio(brand, at, e164=SECOND, preference=2)
    teller.errors[OURS] = Temporary("timeout")
    for n in range(8):
        queue_message(PHONE, f"hello {n}", purpose="reply", at=at)
        run(at)

    tried = list(SendTry.objects.order_by("id").values_list("number", flat=True))

    assert tried.count(OURS) == 5, "five failures are enough"
    assert len(teller.sent) == 8


def test_a_permanent_failure_is_final_and_costs_nothing(brand: Brand, at: datetime, teller: Teller) -> None:
    make_twilio(brand, at)
    message = queue_message(PHONE, "hello", purpose="reply", at=at)
    teller.errors[OURS] = Permanent("21614")

    run(at)
    run(at + timedelta(hours=1))

    message.refresh_from_db()
    assert (message.state, message.problem, message.attempts, message.cost) == ("failed", "21614", 1, 0)
    assert set(Spending.objects.values_list("spent", flat=True)) == {0}


def test_stop_holds_for_ever_but_answers_own_questions(brand: Brand, at: datetime, teller: Teller) -> None:
    make_twilio(brand, at)
    suppress(PHONE, source="keyword", at=at)
    suppress(PHONE, source="keyword", at=at)
    years_later = at + timedelta(days=2000)
    for purpose in ("marketing", "notice", "reply", "one_time_code"):
        queue_message(PHONE, purpose, purpose=purpose, at=years_later)
    queue_message(OTHER_PHONE, "to somebody else", purpose="notice", at=years_later)

    run(years_later)

    assert {body for _, _, body in teller.sent} == {"reply", "one_time_code", "to somebody else"}
    assert set(OutboundMessage.objects.filter(state="refused").values_list("purpose", "problem")) == {
        ("marketing", "stopped"),
        ("notice", "stopped"),
    }
    lift_suppression(PHONE, at=years_later)
    queue_message(PHONE, "asked for again", purpose="notice", at=years_later)
    run(years_later)
    assert teller.sent[-1][2] == "asked for again"


def test_the_carrier_knows_of_a_stop(brand: Brand, at: datetime, teller: Teller) -> None:
    make_twilio(brand, at)
    teller.errors["first"] = Stopped("21610")
    queue_message(PHONE, "first", purpose="notice", at=at)
    run(at)
    queue_message(PHONE, "second", purpose="notice", at=at)

    run(at)

    assert teller.sent == []
    assert Suppression.objects.get().source == "carrier"


def test_marketing_waits_for_the_morning(brand: Brand, teller: Teller) -> None:
    night = datetime(2026, 11, 22, 14, 30, tzinfo=UTC)  # 22:30 in Shanghai
    make_twilio(brand, night)
    message = queue_message(PHONE, "offer", purpose="marketing", at=night)
    queue_message(PHONE, "code", purpose="one_time_code", at=night)

    run(night)

    message.refresh_from_db()
    assert [body for _, _, body in teller.sent] == ["code"]
    assert message.due_at == datetime(2026, 11, 23, 0, 0, tzinfo=UTC)  # 08:00 in Shanghai
    run(message.due_at)
    assert [body for _, _, body in teller.sent] == ["code", "offer"]


def test_only_listed_countries_are_written_to(brand: Brand, at: datetime, teller: Teller) -> None:
    make_twilio(brand, at)
    queue_message("+447700900123", "abroad", purpose="one_time_code", at=at)
    queue_message(PHONE, "at home", purpose="one_time_code", at=at)

    run(at)

    assert [body for _, _, body in teller.sent] == ["at home"]
    assert OutboundMessage.objects.get(state="refused").problem == "country_closed"


@pytest.mark.parametrize("subject", ["number", "prefix", "country", "brand"])
def test_each_budget_is_a_hard_stop(
    brand: Brand, at: datetime, teller: Teller, true_budgets: None, subject: str
) -> None:
    make_twilio(brand, at)
    SpendingBudget.objects.filter(subject=subject).update(per_day=3 * 50_000)
    for n in range(5):
        queue_message(PHONE, f"hello {n}", purpose="reply", at=at)

    run(at)

    assert len(teller.sent) == 3, "n, and not n + 1"
    assert set(OutboundMessage.objects.filter(state="refused").values_list("problem", flat=True)) == {
        f"budget_{subject}"
    }
    assert Spending.objects.get(subject=subject).refused == 2
    assert set(Spending.objects.values_list("spent", flat=True)) == {150_000}
    tomorrow = at + timedelta(days=1)
    queue_message(PHONE, "a new day", purpose="reply", at=tomorrow)
    run(tomorrow)
    assert teller.sent[-1][2] == "a new day"


def test_a_block_of_its_own_limit(brand: Brand, at: datetime, teller: Teller, true_budgets: None) -> None:
    make_twilio(brand, at)
    SpendingBudget.objects.create(subject="prefix", key=PHONE[:-4], per_day=0)
    queue_message(PHONE, "closed", purpose="reply", at=at)
    queue_message(OTHER_PHONE, "open", purpose="reply", at=at)

    run(at)

    assert [body for _, _, body in teller.sent] == ["open"]


def test_a_message_of_a_worker_that_died_is_sent_by_the_next(brand: Brand, at: datetime, teller: Teller) -> None:
    from sms_gateway.outbox import claim

    make_twilio(brand, at)
    queue_message(PHONE, "hello", purpose="reply", at=at)
    assert len(claim(at=at, most=10)) == 1, "and then the worker dies"

    assert run(at + timedelta(seconds=60)) == 0
    run(at + timedelta(minutes=3))

    assert teller.sent == [(OURS, PHONE, "hello")]
