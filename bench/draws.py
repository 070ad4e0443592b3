"""The speed of games and draws, each a ratio taken in turns: IW1 against FF1 and bare AES, slots of a budget against one
row, entries against holds, and the list of a million entries against writing them as canonical JSON.
"""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any
from uuid import UUID

import django
import numpy as np
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from bench.frame import ROUNDS, Figure, interleaved
from bench.server import BRAND, ROOT, Bench, running

KEY = bytes(range(32))
LABELS, POOL = 1 << 20, 10_000_000
ENTRIES = 1_000_000
CLIENTS, ROUND_S = 16, 3.0
HOLDS = 300
PLAYED, REDEEMED, PLAY_ROUNDS = 60_000, 3000, 7
AT = datetime(2026, 11, 22, 2, 42, tzinfo=UTC)


def figures() -> Iterator[Figure]:
    """Measure every row of the table."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    with running({"DRAW_BEACON": "private"}) as bench:
        os.environ.update(bench.environment)
        django.setup()
        yield from instant_game()
        yield from lists()
        yield from budgets()
        yield from entries()
        yield from plays(bench)


def _rate(work: Callable[[], object], n: int) -> Callable[[], float]:
    def rate() -> float:
        begun = time.process_time()
        work()
        return n / (time.process_time() - begun)

    return rate


def instant_game() -> Iterator[Figure]:
    from labels.codes import bulk
    from labels.codes.forms import N16
    from lottery import prf

    tag = prf.pool_tag(UUID(int=1), 1)
    limits = prf.thresholds(KEY, tag, [(1, 100_001)], [1, 10, 1000])
    label_nos = np.arange(1, LABELS + 1, dtype=np.uint64)
    out = np.empty_like(label_nos)
    vector = bulk.vector(KEY, N16, 3, 0)

    def evaluate() -> None:
        prf.tier_counts(KEY, tag, [(1, LABELS + 1)], limits)

    permuted = _rate(lambda: vector.encrypt(label_nos, out), LABELS)
    rates = interleaved(permuted, _rate(evaluate, LABELS), ROUNDS)
    yield Figure("IW1 evaluation ÷ FF1 permutation of the labels", rates.ratio, 5, note="three tiers each time")

    zeros = bytes(16 * prf.CHUNK)

    def bare() -> None:
        for _chunk in range(POOL // prf.CHUNK + 1):
            Cipher(algorithms.AES(KEY), modes.CTR(bytes(16))).encryptor().update(zeros)

    found = interleaved(
        _rate(lambda: prf.thresholds(KEY, tag, [(1, POOL + 1)], [1, 100, 100_000]), POOL), _rate(bare, POOL), ROUNDS
    )
    yield Figure("time of thresholds of 10 M labels ÷ bare AES-CTR", found.ratio, 4, at_most=True)


def lists() -> Iterator[Figure]:
    from common.canonical import canonical
    from lottery.draw import Entry, listed

    lines = [
        Entry(entry=n, who=f"{n * 7919:032x}", weight=1 + n % 9, src="points", ref=f"{n:032x}")
        for n in range(1, ENTRIES + 1)
    ]
    write = _rate(lambda: [canonical(line.as_json()) for line in lines], ENTRIES)
    listing = _rate(lambda: listed(lines), ENTRIES)
    rates = interleaved(listing, write, ROUNDS)
    yield Figure("time of listing 1 M entries ÷ canonicalising them", rates.ratio, 2, at_most=True)
    with TemporaryDirectory() as folder:
        path = Path(folder) / "bundle.zip"
        _bundle(path, listed(lines))
        seconds, peak_mb = _verify(path)
    listing_s = ENTRIES / sorted(rates.first)[len(rates.first) // 2]
    yield Figure("time of verifying 1 M entries ÷ listing them", seconds / listing_s, 2, at_most=True)
    yield Figure("peak memory of verifying 1 M entries", peak_mb, 1000, "MB", at_most=True)


def _bundle(path: Path, found: "object") -> None:
    """Write a proof over the entries, of the private chain, as a draw would."""
    from hashlib import sha256

    from common.canonical import canonical
    from common.signing import sign
    from lottery import bundles, content, private_chain
    from lottery.draw import Prize, order_of, seed_of, select

    beacon = private_chain.beacon()
    close = beacon.genesis + 3_000_000
    number = beacon.first_round_from(close + 1800)
    prizes = [Prize(1, 10, 10), Prize(2, 1000, 200)]
    rules = canonical({
        "v": 1, "algorithm": "LD1-SHA256", "draw": "00" * 16, "opens_at": close - 1000, "close_at": close,
        "beacon": {**beacon.as_json(), "round": number}, "alternates": {"1": 10, "2": 200}, "one_per": "who",
        "prizes": [{"tier": prize.tier, "quantity": prize.quantity} for prize in prizes], "weights": {},
        "max_weight": 1000, "eligible_labels": 0,
    })  # fmt: skip
    void = sha256(canonical([])).hexdigest()
    root = canonical({
        "v": 1, "draw": "00" * 16, "rules": sha256(rules).hexdigest(), "root": found.root.hex(), "n": len(found.entries),
        "weight": found.weight, "voided": void, "excluded": void, "round": number, "published_at": close + 60,
        "prizes": [{"tier": p.tier, "quantity": p.quantity, "alternates": p.alternates} for p in prizes],
    })  # fmt: skip
    signature = private_chain.sign(number)
    seed = seed_of(rules_hash=sha256(rules).digest(), root=found.root, beacon=bytes.fromhex(signature))
    picks = select(seed=seed, entries=found.entries, prizes=prizes, one_per="who")
    result = canonical({
        "v": 1, "draw": "00" * 16, "seed": seed.hex(), "unfilled": len(order_of(prizes)) - len(picks),
        "picks": [
            {"pick": p.pick, "tries": p.tries, "leaf": found.leaves[p.index].hex(), "tier": p.tier, "unit": p.unit,
             "role": p.role}
            for p in picks
        ],
    })  # fmt: skip
    value = {"v": 1, "source": "private", "chain": beacon.chain, "round": number, "url": "", "signature": signature}
    data = bundles.pack(
        "draw",
        {
            "rules.json": rules,
            "root.json": root,
            "result.json": result,
            "beacon.json": canonical(value),
            "entries.jsonl": b"".join(canonical(entry.as_json()) + b"\n" for entry in found.entries),
            "voided.jsonl": b"",
            "claims.jsonl": b"",
            "seals.json": canonical({"declared": {"rules_at": close - 2000}, "proofs": [], "seals": []}),
        },
        {
            "draw_rules": sign(KEY, content.DRAW_RULES_TAG, rules).hex(),
            "root": sign(KEY, content.ROOT_TAG, root).hex(),
        },
        edition=1,
        before=None,
        key=KEY,
    )
    path.write_bytes(data)


def _verify(path: Path) -> tuple[float, float]:
    """Run the verifier as a program; return its CPU seconds and its peak of memory in MB."""
    program = (
        "import resource, sys; sys.argv = sys.argv[1:]\n"
        "import runpy\n"
        "try: runpy.run_path(sys.argv[0], run_name='__main__')\n"
        "except SystemExit as end: code = end.code\n"
        "used = resource.getrusage(resource.RUSAGE_SELF)\n"
        "print(code, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)"
    )
    command = [sys.executable, "-I", "-c", program, str(ROOT / "lottery/verify_draw.py"), str(path)]
    said = subprocess.run(command, check=True, capture_output=True, text=True).stdout
    code, seconds, peak = said.splitlines()[-1].split()
    if code != "3":  # all holds, on a private chain
        raise RuntimeError(said)
    return float(seconds), float(peak)


def _in_brand() -> None:
    from django.db import connection
    from django_tenants.utils import get_tenant_model

    connection.set_tenant(get_tenant_model().objects.get(schema_name=BRAND))


def budgets() -> Iterator[Figure]:
    """Take one unit a transaction from 16 clients: each from a slot of its own, or all from one."""
    from django.db import connection, transaction

    from lottery.services import Need, NewAward, ask_take, create_campaign

    _in_brand()
    campaign = create_campaign(
        name="B", name_zh="B", opens_at=AT, awards=[NewAward(party="consumer", points=1)], budget=10**12, at=AT
    )
    budget_id = campaign.budget.pk

    def run(slot_of: Callable[[int], int]) -> float:
        counts, until = [0] * CLIENTS, time.monotonic() + ROUND_S

        def client(place: int) -> None:
            _in_brand()
            while time.monotonic() < until:
                with transaction.atomic():
                    ask_take([Need(budget_id, slot_of(place), 1)])()
                counts[place] += 1
            connection.close()

        threads = [threading.Thread(target=client, args=(place,)) for place in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return sum(counts) / ROUND_S

    rates = interleaved(lambda: run(lambda _place: 0), lambda: run(lambda place: place), ROUNDS)
    yield Figure(
        "16 slots of a budget ÷ one row, 16 clients", rates.ratio, 2.5, note=f"{rates.second[-1]:,.0f} takes/s"
    )


def entries() -> Iterator[Figure]:
    """Enter a draw for points, against holding the same points and nothing else."""
    from django.db import transaction

    from ledger.services import NewTransfer, hold, open_accounts, post, system_account
    from lottery.models import Campaign
    from lottery.services import (
        NewDraw,
        NewGame,
        NewTier,
        draft_game,
        enter_by_points,
        open_due,
        publish,
        publish_payload,
    )
    from staff import approvals
    from staff.models import User

    with transaction.atomic():
        [account] = open_accounts(1, party="consumer")
        post([NewTransfer(system_account("issuance"), account, 10**9, "award", "purchase", 1)], at=AT)
    close = AT + timedelta(days=2)
    prize = NewTier(
        use="draw", tier=1, kind="goods", name="P", name_zh="P", quantity=1, unit_cost=1, market_price=1, currency="CNY"
    )
    new = NewGame(
        kind="draw", name="D", name_zh="D", opens_at=AT, closes_at=close, zone="UTC", tiers=[prize],
        draws=[NewDraw(number=1, opens_at=AT, close_at=close)], terms={"enter": {"points_price": 1}},
    )  # fmt: skip
    campaign = draft_game(new, at=AT)
    people = [User.objects.create(username=f"bench-{place}", role="marketer") for place in range(2)]
    asked = approvals.request("lottery.publish", publish_payload(campaign), by=people[0], at=AT)
    with transaction.atomic():
        approvals.decide(asked.pk, approved=True, by=people[1], at=AT)
    publish(campaign.pk, approval_id=asked.pk, touched=[], at=AT, published_by="bench")
    open_due(at=AT + timedelta(minutes=1))
    draw = Campaign.objects.get(pk=campaign.pk).draws.get()
    numbers = iter(range(1, 10**9))

    def plain() -> float:
        begun = time.monotonic()
        for _turn in range(HOLDS):
            with transaction.atomic(durable=True):
                hold(account_id=account, amount=1, cause_kind="order", cause_id=next(numbers), at=AT, expires_at=close)
        return HOLDS / (time.monotonic() - begun)

    def entry() -> float:
        begun = time.monotonic()
        for _turn in range(HOLDS):
            enter_by_points(draw.pk, account_id=account, weight=1, request_id=f"r{next(numbers)}", at=AT)
        return HOLDS / (time.monotonic() - begun)

    rates = interleaved(plain, entry, ROUNDS)
    yield Figure(
        "entry of a draw by points ÷ a plain hold", rates.ratio, 0.8, note=f"{rates.second[-1]:,.0f} entries/s"
    )


def plays(bench: Bench) -> Iterator[Figure]:
    """Redeem through the collector in a brand whose labels all play an instant game, and in one without any game."""
    from bench.redeem import engine
    from bench.stock import stock_up

    stocks = []
    for schema in ("bench_plain", "bench_plays"):
        bench.manage(
            "create_brand", schema, f"{schema.replace('_', '-')}.localhost", "--name=Bench", "--name-zh=基准",
            "--activation-requires=generated",
        )  # fmt: skip
        stocks.append(stock_up(schema, labels=PLAYED))
    plain, playing = stocks
    _open_game(playing)
    for stock in stocks:
        engine(stock, 2000)  # keys unwrapped, members known
    rates = interleaved(lambda: engine(plain, REDEEMED), lambda: engine(playing, REDEEMED), PLAY_ROUNDS)
    yield Figure(
        "redeem with instant win ÷ without",
        rates.ratio,
        0.9,
        note=f"{rates.second[-1]:,.0f} codes/s, 64 clients, 1 in 50 wins",
    )


def _open_game(stock: Any) -> None:
    """Publish, arm and open a game over all labels of a stock."""
    from bench.stock import use_brand
    from common.clock import now
    from labels import manifests
    from labels.models import Manifest
    from lottery import private_chain
    from lottery.services import (
        NewGame,
        NewPool,
        NewTier,
        arm,
        arm_payload,
        draft_game,
        open_due,
        prepare_pools,
        publish,
        publish_payload,
    )
    from lottery.services.arming import first_commitment
    from lottery.services.beaconing import store

    use_brand(stock.schema)
    at = now()
    begun, armed = at - timedelta(hours=3), at - timedelta(hours=2)
    money = {"unit_cost": 1, "market_price": 1, "currency": "CNY"}
    labels = stock.end - stock.first
    tiers = [
        NewTier(use="instant", tier=1, kind="goods", name="P", name_zh="P", quantity=10, **money),
        NewTier(use="instant", tier=2, kind="points", name="Q", name_zh="Q", quantity=labels // 50, points=50, **money),
    ]
    new = NewGame(
        kind="instant", name="G", name_zh="G", opens_at=at - timedelta(hours=1), closes_at=at + timedelta(days=1),
        zone="UTC", tiers=tiers, pools=[NewPool(number=1, ranges=[(stock.first, stock.end)])],
    )  # fmt: skip
    campaign = draft_game(new, at=begun)
    for batch in prepare_pools(campaign.pk, at=begun):
        manifests.make(Manifest.objects.get(batch=batch).pk)
    approval = _approved("lottery.publish", publish_payload(campaign), begun)
    publish(campaign.pk, approval_id=approval, touched=[], at=begun, published_by="bench")
    _commitment, value = first_commitment(campaign)
    number = value["beacon"]["round"]
    store(private_chain.beacon(), number, private_chain.sign(number), at=armed)
    arm(campaign.pk, approval_id=_approved("lottery.arm", arm_payload(campaign), armed), at=armed, armed_by="bench")
    open_due(at=at)


def _approved(kind: str, payload: "dict[str, object]", at: datetime) -> int:
    from django.db import transaction

    from staff import approvals
    from staff.models import User

    people = [User.objects.get_or_create(username=f"bench-{n}", defaults={"role": "marketer"})[0] for n in range(2)]
    asked = approvals.request(kind, payload, by=people[0], at=at)
    with transaction.atomic():
        approvals.decide(asked.pk, approved=True, by=people[1], at=at)
    return asked.pk
