"""The same Idempotency-Key fifty times at once, and again after a restart: one effect, one answer, byte for byte."""

import threading
from collections.abc import Sequence
from pathlib import Path

import pytest

from brands.models import Brand
from redemption.models import Redemption, Request, Scan
from tests.races.hammer import same
from tests.races.world import World, make_world, phone
from tests.servers import Answer, Client, Web

pytestmark = pytest.mark.races

TWINS = 50
PATH = "/api/v1/redemptions"


def at_once(port: int, token: str, body: dict[str, str], key: str, times: int = TWINS) -> list[Answer]:
    """Post the same request ``times`` times at once; return all answers."""
    answers: list[Answer] = []
    start = threading.Barrier(times)

    def work() -> None:
        with Client(port, key=token) as client:
            client.call("GET", "/healthz")  # connected before the start
            start.wait()
            answers.append(client.post(PATH, body, idempotency_key=key))

    threads = [threading.Thread(target=work) for _ in range(times)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return answers


def body_of(world: World, n: int = 0) -> dict[str, str]:
    return {"code": world.secrets[n], "phone": phone(1), "retailer": world.partners["retailer"].number}


def receipts(answers: Sequence[Answer]) -> list[Answer]:
    return [answer for answer in answers if answer.status in {200, 201}]


def test_one_effect_and_one_answer_also_after_a_restart(real_commits: Brand, tmp_path: Path) -> None:
    world = make_world(labels=10)
    with Web(tmp_path / "web.log", threads=64) as web:
        answers = at_once(web.port, world.token, body_of(world), "the-key")
        web.kill()
        web.start()
        answers += at_once(web.port, world.token, body_of(world), "the-key", times=3)

    assert len(answers) == TWINS + 3
    assert {answer.status for answer in answers} == {201}
    assert same(answers)
    assert answers[0].json["outcome"] == "REDEEMED"
    assert (Redemption.objects.count(), Scan.objects.count(), Request.objects.count()) == (1, 1, 1)


def test_another_body_under_the_key_is_refused_and_writes_nothing(real_commits: Brand, tmp_path: Path) -> None:
    world = make_world(labels=10)
    with Web(tmp_path / "web.log") as web, Client(web.port, key=world.token) as client:
        first = client.post(PATH, body_of(world), idempotency_key="the-key")
        others = [
            client.post(PATH, {**body_of(world), **change}, idempotency_key="the-key")
            for change in (
                {"code": world.secrets[1]},
                {"phone": phone(2)},
                {"place": {"lat": 30.0, "lon": 120.0, "accuracy_m": 5}},
            )
        ]
        web.kill()
        client.close()
        web.start()
        others.append(client.post(PATH, {**body_of(world), "code": world.secrets[1]}, idempotency_key="the-key"))
        again = client.post(PATH, body_of(world), idempotency_key="the-key")

    assert first.status == 201
    assert [(answer.status, answer.json.get("code")) for answer in others] == [(409, "key_reused")] * 4
    assert (again.status, again.body) == (first.status, first.body)
    assert Redemption.objects.count() == Scan.objects.count() == 1


def test_one_key_with_many_bodies_at_once_has_one_effect(real_commits: Brand, tmp_path: Path) -> None:
    world = make_world(labels=20)
    answers: list[Answer] = []
    start = threading.Barrier(20)

    def work(n: int) -> None:
        with Client(web.port, key=world.token) as client:
            start.wait()
            answers.append(client.post(PATH, body_of(world, n), idempotency_key="the-key"))

    with Web(tmp_path / "web.log") as web:
        threads = [threading.Thread(target=work, args=(n,)) for n in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    assert sorted(answer.status for answer in answers) == [201] + [409] * 19
    assert Redemption.objects.count() == 1
