"""kill -9 of the database and of the web process under load: nothing acknowledged is lost, nothing is done twice.

Every label plays a game and enters a draw, so that prizes and entries are in flight as well.

Each time at least sixteen requests are under way. A request whose answer was lost is sent again under its id; one that
had been committed gets its first answer.
"""

import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Self

import pytest
from django.core.management import call_command
from django.db import connection
from django_tenants.utils import get_tenant_model

from common.clock import now
from labels.queries import receipt_nos
from lottery.models import Entry, Play
from redemption.models import Redemption, Request
from sms_gateway.models import InboundMessage
from tests.environment import BRAND, embedded
from tests.history import Call, faults
from tests.lottery import world as games
from tests.races.hammer import Try, call_of, content
from tests.races.test_replayed_webhooks import deliver
from tests.races.world import World, history_of, ledger_sum, make_world, play_faults
from tests.servers import Client, Postgres, SlowCommits, Web
from tests.sms_gateway.world import make_twilio, text

pytestmark = pytest.mark.races

ROUNDS = pytest.mark.parametrize("kills", [5, pytest.param(100, marks=pytest.mark.torture)])
THREADS, IN_FLIGHT = 32, 16
LABELS = 3000
PATIENCE_S = 60
PRIZES = (games.tier(1, 20), games.tier(2, 1000))
MESSAGES = 300
COMMIT_ANSWER_S = 0.25  # longer than a kill takes


@dataclass
class Load:
    """Threads that redeem without pause; at a lost answer each waits until it may ask again."""

    port: int
    world: World
    calls: list[Call] = field(default_factory=list)
    in_flight: int = 0
    lost: dict[str, Try] = field(default_factory=dict)
    may_retry: threading.Event = field(default_factory=threading.Event)
    ending: threading.Event = field(default_factory=threading.Event)
    lock: threading.Lock = field(default_factory=threading.Lock)
    errors: list[BaseException] = field(default_factory=list)
    threads: list[threading.Thread] = field(default_factory=list)

    def __enter__(self) -> Self:
        self.may_retry.set()
        self.threads = [threading.Thread(target=self._work, args=(n,)) for n in range(THREADS)]
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ending.set()
        self.may_retry.set()
        for thread in self.threads:
            thread.join()

    def _work(self, number: int) -> None:
        chance = random.Random(number)
        try:
            with Client(self.port, key=self.world.token, timeout_s=15) as client:
                for n in range(1_000_000):
                    if self.ending.is_set():
                        return
                    code = chance.choice(self.world.secrets)
                    self._settle(client, (f"t{number}-{n}", code, self.world.phones[number % 32]))
        except BaseException as error:
            self.errors.append(error)

    def _settle(self, client: Client, one: Try) -> None:
        request_id, code, phone = one
        partners = {kind: partner.number for kind, partner in self.world.partners.items()}
        until = time.monotonic() + PATIENCE_S
        while True:
            started = time.monotonic()
            with self.lock:
                self.in_flight += 1
            answer = client.post(
                "/api/v1/redemptions", content(code, phone, partners=partners), idempotency_key=request_id
            )
            call = call_of(one, answer.json if answer.status in {200, 201} else None, started, time.monotonic())
            with self.lock:
                self.in_flight -= 1
                self.calls.append(call)
                if call.outcome is not None:
                    self.lost.pop(request_id, None)
                    return
                self.lost[request_id] = one
            self.may_retry.wait(PATIENCE_S)
            assert time.monotonic() < until, f"{request_id} gets no answer: {answer}"
            time.sleep(0.05)

    def until_busy(self) -> None:
        """Return once at least sixteen requests are under way, and some time has passed since the last kill."""
        seen = len(self.calls)
        until = time.monotonic() + PATIENCE_S
        while self.in_flight < IN_FLIGHT or len(self.calls) < seen + 2 * THREADS:
            assert time.monotonic() < until, f"the load does not run: {self.errors}"
            time.sleep(0.001)


@dataclass
class Seen:
    """What the kills showed: how many requests were under way at each, and the receipts of lost but committed ones."""

    in_flight: list[int] = field(default_factory=list)
    committed: dict[str, str] = field(default_factory=dict)


def rounds(load: Load, kills: int, kill: Callable[[], None], restart: Callable[[], None]) -> Seen:
    """Kill and restart so many times, and on (three times as many at the most) until a lost answer was of a committed request; look before any retry."""
    seen = Seen()
    chance = random.Random(7)
    while len(seen.in_flight) < kills or (not seen.committed and len(seen.in_flight) < 3 * kills):
        load.until_busy()
        time.sleep(0.05 + chance.random() * COMMIT_ANSWER_S / 2)  # into the time when a commit waits for its answer
        load.may_retry.clear()
        until = time.monotonic() + PATIENCE_S
        while (under_way := load.in_flight) < IN_FLIGHT:
            assert time.monotonic() < until
            time.sleep(0)
        kill()
        seen.in_flight.append(under_way)
        restart()
        seen.committed |= _committed(load)
        load.may_retry.set()
    return seen


def _committed(load: Load) -> dict[str, str]:
    """Return the receipts of requests whose answer was lost although they are in the database."""
    connection.close()
    with load.lock:
        lost = list(load.lost)
    rows = list(Request.objects.filter(request_id__in=lost))
    numbers = receipt_nos([row.scan_id for row in rows])
    return {row.request_id: number for row, number in zip(rows, numbers, strict=True)}


def judge(world: World, load: Load, seen: Seen, kills: int) -> None:
    assert load.errors == []
    assert len(seen.in_flight) >= kills
    assert min(seen.in_flight) >= IN_FLIGHT
    assert Redemption.objects.count() > 0
    assert faults(history_of(world, load.calls)) == []
    assert seen.committed, "no answer was lost of a request that had been committed: the kills prove nothing"
    first = {call.request_id: call for call in load.calls if call.outcome is not None}
    for request_id, receipt in seen.committed.items():
        assert first[request_id].receipt == receipt or first[request_id].mine
    assert Play.objects.filter(outcome=Play.Outcome.WON).exists()
    assert Entry.objects.exists()
    assert play_faults() == []
    assert ledger_sum() == 0
    call_command("verify_ledger")


@pytest.fixture
def mortal(reachable_folder: Path, django_db_blocker: pytest.FixtureRequest) -> Iterator[Postgres]:
    """A database server of this test's own, with this process and its children connected to it."""
    with Postgres(reachable_folder) as postgres, django_db_blocker.unblock(), postgres.connected():
        connection.set_tenant(get_tenant_model().objects.get(schema_name=BRAND))
        yield postgres
        connection.close()


@ROUNDS
def test_the_database_is_killed(mortal: Postgres, tmp_path: Path, kills: int) -> None:
    world = make_world(labels=LABELS, prizes=PRIZES, enters=True)
    with closing(SlowCommits(mortal.cluster.port, COMMIT_ANSWER_S)) as wire:
        through = replace(mortal.cluster, port=wire.port).url(embedded.APP_ROLE)
        with Web(tmp_path / "web.log", {"DATABASE_URL": through}, threads=64) as web:
            with Load(web.port, world) as load:
                seen = rounds(
                    load,
                    kills,
                    lambda: (wire.hold(), mortal.kill(), wire.cut()),
                    lambda: (mortal.start(), web.wait_ready()),
                )
            judge(world, load, seen, kills)


def test_the_database_is_killed_while_messages_are_answered(mortal: Postgres, tmp_path: Path) -> None:
    """Whatever a carrier was told is there afterwards, although not every commit waited for the disk (decision 0012)."""
    world = make_world(labels=MESSAGES)
    make_twilio(connection.tenant, now())
    posts = [text(secret, sid=f"SM{n:032x}", sender=f"+861380000{n:04}") for n, secret in enumerate(world.secrets)]
    with Web(tmp_path / "web.log") as web:
        answers = deliver(web.port, posts, answered=MESSAGES // 2, then=mortal.kill)
    mortal.start()
    connection.close()

    told = {message_id for message_id, answer in answers if answer.status == 200 and b"<Message" in answer.body}
    decided = InboundMessage.objects.filter(message_id__in=told, state="decided", reply__state="sent")
    assert MESSAGES // 3 < len(told) < MESSAGES, "the kill met messages that were being answered"
    assert told - set(decided.values_list("message_id", flat=True)) == set()
    redeemed = Request.objects.filter(request_id__in=[f"twilio:{one}" for one in told]).values("scan_id")
    assert Redemption.objects.filter(scan_id__in=redeemed).count() == len(told)
    assert ledger_sum() == 0


@ROUNDS
def test_the_web_process_is_killed(mortal: Postgres, tmp_path: Path, kills: int) -> None:
    world = make_world(labels=LABELS, prizes=PRIZES, enters=True)
    with Web(tmp_path / "web.log", threads=64) as web:
        with Load(web.port, world) as load:
            seen = rounds(load, kills, web.kill, web.start)
        judge(world, load, seen, kills)
