"""A hundred signed messages, each delivered again and again, over a killed web process and an emptied cache."""

import random
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest
import redis
from django.conf import settings

from brands.models import Brand
from brands.phone_numbers import forget_numbers
from common.clock import now
from redemption.models import Redemption, Scan
from sms_gateway.models import InboundMessage, OutboundMessage, Spending
from tests.races.world import ledger_sum, make_world
from tests.servers import Answer, Client, Web
from tests.sms_gateway.world import OURS, Signed, make_twilio, text

pytestmark = pytest.mark.races

MESSAGES, THREADS, TRIES = 100, 12, 60
FORM = {"Content-Type": "application/x-www-form-urlencoded"}


def deliver(
    port: int, posts: Sequence[Signed], *, answered: int = 0, then: Callable[[], None] | None = None
) -> list[tuple[str, Answer]]:
    """Send the posts by some threads at once; return the message id and the answer of each.

    ``then`` is called by the thread that brings answer number ``answered``, while the others go on.
    """
    todo, answers, lock = iter(posts), [], threading.Lock()

    def loop() -> None:
        with Client(port, host="platform.localhost") as client:
            while True:
                with lock:
                    post = next(todo, None)
                if post is None:
                    return
                answer = client.call("POST", post.path, post.body, {**FORM, "X-Twilio-Signature": post.signature})
                with lock:
                    answers.append((post.fields["MessageSid"], answer))
                    count = len(answers)
                if then is not None and count == answered:
                    then()

    threads = [threading.Thread(target=loop) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


@pytest.mark.parametrize("deliveries", [600, pytest.param(10_000, marks=pytest.mark.torture)])
def test_a_hundred_messages_have_a_hundred_effects(real_commits: Brand, tmp_path: Path, deliveries: int) -> None:
    world = make_world(labels=MESSAGES)
    make_twilio(real_commits, now(), e164=OURS)
    forget_numbers()
    posts = [text(secret, sid=f"SM{n:032x}", sender=f"+861380000{n:04}") for n, secret in enumerate(world.secrets)]
    draw = random.Random(deliveries)
    again = [*posts, *draw.choices(posts, k=deliveries - MESSAGES)]
    draw.shuffle(again)
    first, rest = again[: deliveries // 2], again[deliveries // 2 :]
    with Web(tmp_path / "web.log") as web:
        answers = deliver(web.port, first, answered=len(first) // 4, then=web.kill)
        redis.Redis.from_url(settings.CACHE_URL).flushall()
        web.start()
        answers += deliver(web.port, [*rest, *posts, *posts])
        for _ in range(TRIES):  # what the kill left half done is taken up again once its lease has ended
            told = {message_id for message_id, answer in answers if answer.status == 200}
            missing = [post for post in posts if post.fields["MessageSid"] not in told]
            if not missing:
                break
            time.sleep(1)
            answers += deliver(web.port, missing)

    bodies = defaultdict(set)
    for message_id, answer in answers:
        assert answer.status in {200, 503, 0}
        if answer.status == 200:
            bodies[message_id].add(answer.body)
    assert {message_id: len(told) for message_id, told in bodies.items() if len(told) != 1} == {}
    assert len(bodies) == MESSAGES
    assert any(answer.status == 0 for _, answer in answers), "the kill met requests in flight"
    assert InboundMessage.objects.count() == Redemption.objects.count() == Scan.objects.count() == MESSAGES
    assert OutboundMessage.objects.count() == MESSAGES
    assert Spending.objects.get(subject="brand").spent == sum(OutboundMessage.objects.values_list("cost", flat=True))
    assert set(InboundMessage.objects.values_list("state", flat=True)) == {"decided"}
    assert ledger_sum() == 0
