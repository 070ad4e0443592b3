"""The dry run of a draft: the real code over 10,000 scans, on a public value that is past, and nothing kept but a report.

No Play, Pick, Claim, entry, ledger or budget row is written: only the `Job` that people watch. What it shows is marked
REHEARSAL. Labels are the draft's real ranges, the secrets are made for it and thrown away, entries are synthetic. The
job's own id seeds all choices, so a run that died half-way goes on where it stood.
"""

import math
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from hashlib import sha256
from itertools import accumulate
from typing import Any
from uuid import UUID

import numpy as np
from django.db import transaction

from common import jobs
from common.models import Job
from lottery import beacons, content, draw, prf
from lottery.beacon_settings import default_beacon
from lottery.beacons import QUICKNET, Beacon
from lottery.models import BeaconValue, Campaign, Draw, Pool, PrizeTier
from lottery.rules import Terms, share
from lottery.services.drafting import locked, void_spans

JOB_KIND = "lottery_rehearsal"
SCANS = 10_000
STEP = 1_000
_SEEN_95 = 1.96  # standard deviations of a normal distribution that hold 95 % of it
_BARS = 21
# drand quicknet's round 1000, out since 2023: what the dry run uses before any round was fetched.
_PAST_ROUND = 1000
_PAST_SIGNATURE = "b44679b9a59af2ec876b1a6b1ad52ea9b1615fc3982b19576350f93447cb1125e342b73a8dd2bacbe47e4b6b63ed5e39"  # pragma: allowlist secret


def ask_rehearsal(campaign_id: int, *, at: datetime, asked_by: str, touched: Iterable[int] = ()) -> Job:
    """Ask for a dry run of a draft, without the labels that publication would leave out. Raises `CampaignState`."""
    out = [list(span) for span in prf.merged([(label_no, label_no + 1) for label_no in touched])]
    with transaction.atomic():
        campaign = locked(campaign_id, Campaign.State.DRAFT)
        job = jobs.create(kind=JOB_KIND, subject=campaign.public_id, total=SCANS, at=at, asked_by=asked_by)
        if out:
            job.detail = {"out": out}
            job.save(update_fields=["detail"])
        transaction.on_commit(partial(_push, job.pk))
    return job


def _push(job_id: int) -> None:
    from labels.tasks import push
    from lottery.tasks import rehearse

    push(rehearse, job_id)


def newest_rehearsal(campaign: Campaign) -> Job | None:
    """Return a campaign's newest dry run."""
    return Job.objects.filter(kind=JOB_KIND, subject=campaign.public_id).order_by("-pk").first()


@dataclass(slots=True)
class _Stage:
    """A game armed for the rehearsal alone."""

    key: bytes
    pools: list[tuple[bytes, list[prf.Span], list[prf.Threshold]]]
    scanned: list[tuple[int, int]]  # (pool, label)
    round: int


def past_value(beacon: Beacon) -> tuple[int, bytes]:
    """Return a round that is out, and its bytes: the newest that was stored, else one that is always at hand."""
    stored = BeaconValue.objects.filter(source=beacon.source, chain=beacon.chain).order_by("-round").first()
    if stored is not None:
        return stored.round, bytes(stored.value)
    if beacon.source == "private":
        from lottery import private_chain

        return 1, beacons.check(beacon, 1, private_chain.sign(1))
    return _PAST_ROUND, beacons.check(QUICKNET, _PAST_ROUND, _PAST_SIGNATURE)


def rehearse(job_id: int) -> None:
    """Run a dry run to its end, from wherever it stands."""
    job = Job.objects.get(pk=job_id)
    campaign = Campaign.objects.get(public_id=job.subject)
    seed = job.public_id
    stages: list[_Stage] = []

    def stage() -> _Stage:
        if not stages:
            stages.append(_set(campaign, seed, job.detail.get("out", [])))
        return stages[0]

    def work() -> None:
        stage()

    def step(done: int) -> int:
        beyond = min(done + STEP, SCANS)
        won = _scan(stage(), done, beyond)
        row = Job.objects.select_for_update().get(pk=job_id)
        before: dict[str, int] = row.detail.get("won", {})
        row.detail = {**row.detail, "won": {tier: before.get(tier, 0) + won[int(tier)] for tier in _tiers(campaign)}}
        row.save(update_fields=["detail"])
        return beyond

    def finish() -> None:
        row = Job.objects.select_for_update().get(pk=job_id)
        row.detail = {**row.detail, **_report(campaign, stage(), row.detail.get("won", {}), seed)}
        row.save(update_fields=["detail"])

    jobs.run(job_id, step, finish, work=work)


def _tiers(campaign: Campaign) -> list[str]:
    found = campaign.tiers.filter(use=PrizeTier.Use.INSTANT).order_by("tier").values_list("tier", flat=True)
    return [str(tier) for tier in found]


def _set(campaign: Campaign, seed: UUID, touched: Iterable[Sequence[int]] = ()) -> _Stage:
    """Derive a key and thresholds just as arming does, from secrets of this rehearsal; touched ranges take no part."""
    round_no, value = past_value(Terms.read(campaign.terms, beacon=default_beacon()).beacon)
    secret = sha256(b"REHEARSAL" + seed.bytes).digest()
    key = prf.game_key(s1=secret, s2=b"", beacon=value, campaign=campaign.uuid)
    out = prf.merged([*void_spans(campaign), *((first, beyond) for first, beyond in touched)])
    rows: list[Pool] = list(campaign.pools.order_by("number"))
    eligible = [prf.subtract([(int(first), int(beyond)) for first, beyond in pool.ranges], out) for pool in rows]
    sizes = [prf.count(spans) for spans in eligible]
    tiers = list(campaign.tiers.filter(use=PrizeTier.Use.INSTANT).order_by("tier"))
    columns = [share(tier.quantity, sizes) for tier in tiers]
    pools = []
    for place, (pool, spans) in enumerate(zip(rows, eligible, strict=True)):
        quantities = pool.quantities or [column[place] for column in columns]
        tag = prf.pool_tag(campaign.uuid, pool.number)
        pools.append((tag, spans, prf.thresholds(key, tag, spans, quantities)))
    return _Stage(key, pools, _sample(eligible, seed), round_no)


def _sample(eligible: list[list[prf.Span]], seed: UUID) -> list[tuple[int, int]]:
    """Return 10,000 labels that are scanned (all, where there are fewer), in the order of their scans."""
    spans = [(pool, first, beyond) for pool, found in enumerate(eligible) for first, beyond in found]
    upto = list(accumulate(beyond - first for _pool, first, beyond in spans))
    if not upto:
        return []
    random = np.random.default_rng(seed.int % 2**64)
    chosen = random.choice(upto[-1], size=min(SCANS, upto[-1]), replace=False, shuffle=True)
    places = np.searchsorted(upto, chosen, side="right")
    return [
        (spans[place][0], spans[place][2] - (upto[place] - nth))
        for place, nth in zip(places.tolist(), chosen.tolist(), strict=True)
    ]


def _scan(stage: _Stage, done: int, beyond: int) -> Counter[int]:
    won: Counter[int] = Counter()
    part = stage.scanned[done:beyond]
    for number, (tag, _spans, limits) in enumerate(stage.pools):
        labels = [label for pool, label in part if pool == number]
        won.update(tier for tier in prf.tiers_of(prf.Blocks(stage.key), tag, labels, limits) if tier is not None)
    return won


def _report(campaign: Campaign, stage: _Stage, won: dict[str, int], seed: UUID) -> dict[str, Any]:
    labels = sum(prf.count(spans) for _tag, spans, _limits in stage.pools)
    tiers = list(campaign.tiers.filter(use=PrizeTier.Use.INSTANT).order_by("tier"))
    report: dict[str, Any] = {"rehearsal": True, "round": stage.round, "scans": len(stage.scanned), "labels": labels}
    if stage.scanned:
        units = sum(tier.quantity for tier in tiers)
        report["all"] = {**_expected(units, labels, len(stage.scanned)), "won": sum(won.values())}
        report["bars"] = _bars(report["all"])
        report["tiers"] = [
            {
                "tier": tier.tier,
                "name": tier.name,
                "name_zh": tier.name_zh,
                "won": won.get(str(tier.tier), 0),
                **_expected(tier.quantity, labels, len(stage.scanned)),
            }
            for tier in tiers
        ]
    if campaign.has_draws:
        report["draw"] = _draw(campaign, stage.round, seed)
    return report


def _expected(units: int, labels: int, scans: int) -> dict[str, float]:
    """Return mean and the counts that end the 95 % interval of a hypergeometric one, by the normal approximation."""
    mean = scans * units / labels
    rest = (labels - scans) / (labels - 1) if labels > 1 else 0.0
    deviation = math.sqrt(max(mean * (1 - units / labels) * rest, 0.0))
    low = math.ceil(max(0.0, mean - _SEEN_95 * deviation - 0.5))
    high = math.floor(mean + _SEEN_95 * deviation + 0.5)
    return {"mean": round(mean, 2), "low": low, "high": high, "deviation": round(deviation, 4)}


def _bars(found: dict[str, float]) -> list[dict[str, Any]]:
    """Return the expected distribution as bars three and a half deviations wide on each side, the seen count marked."""
    deviation = max(found["deviation"], 0.5)
    width = 7 * deviation / _BARS
    first = found["mean"] - 3.5 * deviation
    bars = []
    for place in range(_BARS):
        start = first + place * width
        middle = (start + width / 2 - found["mean"]) / deviation
        is_seen = start <= found["won"] < start + width
        bars.append({"from": round(start), "height": round(math.exp(-middle * middle / 2), 4), "seen": is_seen})
    return bars


def _draw(campaign: Campaign, round_no: int, seed: UUID) -> dict[str, Any]:
    """Draw once among synthetic entries, by the rules of the first draw."""
    terms = Terms.read(campaign.terms, beacon=default_beacon())
    use = PrizeTier.Use.INSTANT if terms.reserve else PrizeTier.Use.DRAW
    prizes = content.draw_prizes(list(campaign.tiers.filter(use=use).order_by("tier")))
    first: Draw = campaign.draws.order_by("number")[0]
    key = sha256(b"REHEARSAL draw" + seed.bytes).digest()
    random = np.random.default_rng((seed.int >> 64) % 2**64)
    members = random.integers(0, SCANS * 7 // 10, size=SCANS).tolist()
    weight = max(1, terms.weights["label"])
    entries = [
        draw.Entry(number, draw.who_of(key, UUID(int=member)), weight, "label", draw.ref_of(key, "label", number))
        for number, member in enumerate(members, 1)
    ]
    listed = draw.listed(entries)
    _round, value = past_value(terms.beacon)
    rules = content.draw_rules(first, terms=terms, prizes=prizes, alternates={}, eligible_labels=0)
    drawn = draw.seed_of(rules_hash=sha256(repr(rules).encode()).digest(), root=listed.root, beacon=value)
    picks = draw.select(seed=drawn, entries=listed.entries, prizes=prizes, one_per=terms.one_per)
    winners = Counter(pick.tier for pick in picks if pick.role == "winner")
    return {
        "entries": len(entries),
        "members": len(set(members)),
        "root": listed.root.hex(),
        "round": round_no,
        "picks": len(picks),
        "tiers": [{"tier": prize.tier, "quantity": prize.quantity, "won": winners[prize.tier]} for prize in prizes],
    }
