"""Messages that arrive at the same moment are dealt with together: each as if it were alone, with few connections."""

import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier

import pytest
from django.conf import LazySettings
from django.db import connection

from brands.models import Brand
from brands.phone_numbers import number_called
from common.clock import now
from sms_gateway import answering
from sms_gateway.carriers.twilio import Twilio
from sms_gateway.doors import IncomingText, Reply
from sms_gateway.models import InboundMessage, OutboundMessage
from tests.sms_gateway import world
from tests.sms_gateway.world import OURS, Signed, make_twilio, text

pytestmark = pytest.mark.races
SENDERS = 24


@pytest.fixture
def gathered(settings: LazySettings) -> Iterator[None]:
    settings.COLLECTOR_ENABLED = True
    yield
    answering.close()


def at_once(messages: Sequence[Signed]) -> list[tuple[int, str, bool]]:
    """Send messages from threads that start together; return status, answer, and whether a connection was held."""
    start = Barrier(len(messages))

    def send(message: Signed) -> tuple[int, str, bool]:
        start.wait()
        try:
            answer = message.call()
            return answer.status_code, answer.text, connection.connection is not None
        finally:
            connection.close()

    with ThreadPoolExecutor(len(messages)) as pool:
        return list(pool.map(send, messages))


def phone(n: int) -> str:
    return f"+86138{n:08}"


def test_each_is_answered_as_if_alone(real_commits: Brand, at: datetime, gathered: None) -> None:
    make_twilio(real_commits, at)
    assert number_called("twilio", OURS)
    bodies = ["poison" if n % 8 == 3 else f"good {n}" for n in range(SENDERS)]

    answers = at_once([text(body, sid=f"SM{n}", sender=phone(n)) for n, body in enumerate(bodies)])

    for body, (status, answer, _) in zip(bodies, answers, strict=True):
        assert status == 200
        assert (f"heard {body}" in answer) == ("good" in body)
    kept = InboundMessage.objects.all()
    assert Counter(kept.values_list("state", "reply_state")) == {
        ("decided", "inline"): SENDERS - SENDERS // 8,
        ("new", "outbox"): SENDERS // 8,
    }
    held = [held for body, (_, _, held) in zip(bodies, answers, strict=True) if "good" in body]
    assert not any(held), "who waits for an answer holds no connection"


def test_one_message_many_times_at_once_has_one_effect(real_commits: Brand, at: datetime, gathered: None) -> None:
    make_twilio(real_commits, at)

    answers = at_once([text("good", sid="SM1")] * SENDERS)

    assert {(status, answer) for status, answer, _ in answers} == {answers[0][:2]}
    assert "heard good" in answers[0][1]
    assert len(world.heard) == InboundMessage.objects.count() == OutboundMessage.objects.count() == 1


def test_of_one_error_many_times_at_once_one_is_answered(real_commits: Brand, at: datetime, gathered: None) -> None:
    make_twilio(real_commits, at)

    answers = at_once([text("what?", sid=f"SM{n}") for n in range(SENDERS)])

    assert sum("heard what?" in answer for _, answer, _ in answers) == 1


def slow(texts: Sequence[IncomingText]) -> list[Reply]:
    """Answer after half a second."""
    time.sleep(0.5)
    return [Reply("late", "en") for _ in texts]


def test_who_is_slow_answers_by_a_message_of_its_own(
    real_commits: Brand, at: datetime, gathered: None, settings: LazySettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_twilio(real_commits, at)
    settings.SMS_HANDLER = "tests.sms_gateway.test_together.slow"
    monkeypatch.setattr(Twilio, "wait_s", 0.2)

    [(status, answer, _)] = at_once([text("good")])
    answering.close()  # returns when what was begun is done

    assert (status, "<Message" in answer) == (200, False)
    row = InboundMessage.objects.get()
    assert (row.state, row.reply_state, row.reply and row.reply.state) == ("decided", "outbox", "waiting")


def test_what_cannot_be_kept_is_to_be_sent_again(
    real_commits: Brand, at: datetime, gathered: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    make_twilio(real_commits, at)
    monkeypatch.setattr(answering, "_take_in", lambda _coming: 1 / 0)

    [(status, _, _)] = at_once([text("good")])

    assert status == 503
    assert InboundMessage.objects.count() == 0
    monkeypatch.undo()
    assert "heard good" in text("good").call().text
    assert now() > at
