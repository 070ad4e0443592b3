"""Many threads, few codes, every door: each code is redeemed once, each answer can be explained, the ledger is exact.

The same threads against a version that looks before it writes show that the harness would have seen a code pay twice.
"""

import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest
from django.conf import settings
from django.core.management import call_command
from django.db import connection

from brands.models import Brand
from common.clock import now
from redemption import collector
from redemption.models import Redemption, Scan
from redemption.rules import Attempt, Door as DoorKind
from tests import environment
from tests.environment import embedded
from tests.history import ALREADY, REDEEMED, Call, History, Redemption as Redeemed, Scan as Looked, faults
from tests.races.hammer import Door, Doors, Try, bulk, hammer, single
from tests.races.world import World, history_of, ledger_sum, make_world, outcomes_kept
from tests.servers import Web

pytestmark = pytest.mark.races

ATTEMPTS, THREADS, CODES = 10_000, 32, 100


@pytest.fixture
def collecting(settings: object) -> Iterator[None]:
    """The collector of this process, running."""
    settings.COLLECTOR_ENABLED = True
    yield
    collector.close()


def in_process(world: World, partners: dict[str, str], brand: Brand) -> Doors:
    """The service itself, through the collector, as the API's views call it."""

    @contextmanager
    def opened() -> Iterator[Door]:
        connection.set_tenant(brand)

        def door(tries: Sequence[Try]) -> list[Call]:
            [(request_id, code, phone)] = tries
            started = time.monotonic()
            attempt = Attempt(
                door=DoorKind.API,
                at=now(),
                request_id=request_id,
                code=code,
                phone=phone,
                client_id=world.key_id,
                **partners,
            )
            told = collector.redeem(attempt)
            return [
                Call(
                    request_id=request_id,
                    code=code,
                    holder=phone,
                    started=started,
                    ended=time.monotonic(),
                    outcome=str(told.outcome),
                    receipt=told.receipt_no,
                    points=told.points,
                    balance=told.balance,
                    mine=told.outcome == ALREADY and told.redeemed is not None and told.redeemed.by == "you",
                )
            ]

        yield door

    return Doors(opened)


@pytest.mark.parametrize("attempts", [ATTEMPTS, pytest.param(10 * ATTEMPTS, marks=pytest.mark.torture)])
def test_ten_thousand_tries_redeem_a_hundred_codes_once(
    real_commits: Brand, collecting: None, tmp_path: Path, attempts: int
) -> None:
    world = make_world(labels=CODES)
    partners = {kind: partner.number for kind, partner in world.partners.items()}
    with Web(tmp_path / "web.log") as web:
        kinds = [
            single(web.port, world.token, partners),
            bulk(web.port, world.token, partners),
            in_process(world, partners, real_commits),
        ]
        calls = hammer(world.secrets, world.phones, [kinds[n % 3] for n in range(THREADS)], attempts=attempts)

    assert len({call.request_id for call in calls}) == attempts // THREADS * THREADS
    assert Redemption.objects.count() == CODES
    assert Scan.objects.count() == attempts // THREADS * THREADS
    assert outcomes_kept()[REDEEMED] == CODES
    assert set(outcomes_kept()) == {REDEEMED, ALREADY}
    assert faults(history_of(world, calls)) == []
    assert ledger_sum() == 0
    call_command("verify_ledger")


def naive(database: str, numbers: Iterator[int]) -> Doors:
    """A planted fault: a service that looks whether a code is unused, and then writes."""

    @contextmanager
    def opened() -> Iterator[Door]:
        with psycopg.connect(environment.CLUSTER.url(embedded.OWNER_ROLE, database), autocommit=True) as session:

            def door(tries: Sequence[Try]) -> list[Call]:
                [(request_id, code, phone)] = tries
                started, number = time.monotonic(), next(numbers)
                spent = session.execute("SELECT 1 FROM naive_redemption WHERE code = %s", [code]).fetchone()
                if not spent:
                    session.execute("INSERT INTO naive_redemption VALUES (%s, %s)", [code, str(number)])
                outcome = ALREADY if spent else REDEEMED
                session.execute("INSERT INTO naive_scan VALUES (%s, %s, %s)", [number, code, outcome])
                return [
                    Call(
                        request_id=request_id,
                        code=code,
                        holder=phone,
                        started=started,
                        ended=time.monotonic(),
                        outcome=outcome,
                        receipt=str(number),
                    )
                ]

            yield door

    return Doors(opened)


def test_the_same_harness_sees_a_naive_version_pay_twice(real_commits: Brand) -> None:
    database = str(settings.DATABASES["default"]["NAME"])
    codes, phones = [f"code {n}" for n in range(CODES)], [f"phone {n}" for n in range(THREADS)]
    with psycopg.connect(environment.CLUSTER.url(embedded.OWNER_ROLE, database), autocommit=True) as owner:
        owner.execute("CREATE TABLE naive_redemption (code text, receipt text)")
        owner.execute("CREATE TABLE naive_scan (number bigint, code text, outcome text)")

        calls = hammer(codes, phones, [naive(database, itertools.count(1))] * THREADS, attempts=ATTEMPTS)

        redemptions = owner.execute("SELECT code, receipt FROM naive_redemption").fetchall()
        scans = owner.execute("SELECT number, code, outcome FROM naive_scan").fetchall()

    history = History(
        calls=tuple(calls),
        scans=tuple(Looked(number=n, receipt=str(n), code=code, outcome=outcome) for n, code, outcome in scans),
        redemptions=tuple(Redeemed(code=code, receipt=receipt) for code, receipt in redemptions),
        paid=(),
    )
    assert len(redemptions) > CODES
    assert any(finding.startswith("doubled: code") for finding in faults(history))
