"""64 clients at the REST door claim the last prizes: exact quantities, one play a label, nothing doubled, no deadlock."""

import threading
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from django.core.management import call_command
from django.db import connections

from brands.models import Brand
from lottery.models import BudgetSlot, Claim, Play
from redemption.models import Redemption
from tests.lottery import world as games
from tests.races.world import ledger_sum, make_world, phone, play_faults
from tests.servers import Client, Web

pytestmark = pytest.mark.races
CLIENTS = 64
LABELS = 96
LAST, GOODS, POINTS = 1, 40, LABELS - 41  # every label wins something


def test_64_clients_at_the_last_prizes(real_commits: Brand, tmp_path: Path) -> None:
    """Each code is tried by three clients at once, each try sent twice."""
    prizes = [games.tier(1, LAST), games.tier(2, GOODS), games.tier(3, POINTS, kind="points")]
    world = make_world(labels=LABELS, prizes=prizes, enters=True)
    told: dict[str, list[dict[str, Any]]] = {code: [] for code in world.secrets}
    errors: list[BaseException] = []
    start = threading.Barrier(CLIENTS)
    tries = [(f"{turn}-{code}", code) for turn in range(3) for code in world.secrets]

    def work(place: int) -> None:
        try:
            with Client(site.port, key=world.token, timeout_s=60) as client:
                start.wait(timeout=60)
                for request_id, code in tries[place::CLIENTS]:
                    body = {"code": code, "phone": phone(place % 32)}
                    answers = [client.post("/api/v1/redemptions", body, idempotency_key=request_id) for _ in range(2)]
                    while any(answer.status == 503 for answer in answers):
                        answers = [
                            client.post("/api/v1/redemptions", body, idempotency_key=request_id) for _ in range(2)
                        ]
                    assert answers[0].body == answers[1].body, "the same request is told the same, byte for byte"
                    told[code].append(answers[0].json)
        except BaseException as error:
            errors.append(error)
            start.abort()
        finally:
            connections.close_all()

    with Web(tmp_path / "web.log", threads=CLIENTS) as site:
        threads = [threading.Thread(target=work, args=(place,)) for place in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert errors == []
    assert Redemption.objects.count() == LABELS
    won = Counter(Play.objects.values_list("tier__tier", flat=True))
    assert won == {1: LAST, 2: GOODS, 3: POINTS}
    assert set(BudgetSlot.objects.filter(budget__tier__isnull=False).values_list("left", flat=True)) == {0}
    assert play_faults() == []
    claims = dict(Claim.objects.values_list("play__label_no", "public_id"))
    for code, answers in told.items():
        winners = [answer for answer in answers if answer["outcome"] == "REDEEMED"]
        assert len(winners) == 1, code
        assert winners[0]["play"]["claim"] == claims[world.labels[code]]
        assert len(winners[0]["entries"]) == 1
    assert ledger_sum() == 0
    call_command("verify_ledger")
