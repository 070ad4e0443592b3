"""The verbs of analytics: fit what the last months tell, judge one shipment again, keep what people found out.

A fit is long and holds no lock while it computes: it reads in one transaction and writes in another. Rescoring uses the
newest fit's parameters; a shipment of a distributor unknown to it waits for the night.
"""

import hashlib
import time
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from pathlib import Path

import numpy as np
from django.db import connection, transaction

from analytics import diversion, judging
from analytics.diversion import Cases, Parameters, Verdict as Posterior
from analytics.geography import Flags, Floats, Ints
from analytics.goods import NONE, Attribution
from analytics.judging import Scored
from analytics.models import (
    CaseFinding,
    CodeFinding,
    Finding,
    FitRun,
    FitState,
    RouteFinding,
    ScanFinding,
    ShipmentScore,
    Tempering,
    Verdict,
)
from analytics.problem import ETA, Problem
from analytics.queries import Land, Record, moment_of, read_record
from analytics.rescoring import Rescored, State, doubts, from_bytes, rescore as rescore_one, state_of, to_bytes
from analytics.worth import Worth, usual_margin, worth_of
from common.db import inside_transaction, schema_name
from common.errors import NotFound

MONTHS = timedelta(days=365)
WATCH_FROM = 0.1
"""The probability from which a shipment is written about although it is not on the list."""
MOST_EXPLAINED = 200
"""Alerts of a run that are judged once more without each source."""
ROUTE_FROM = 0.05
ENOUGH_VERDICTS = 50
ETAS = tuple(round(0.5 + 0.05 * step, 2) for step in range(11))
ROWS_AT_ONCE = 2_000
MIN_LABELS, MIN_DEVICES, MIN_CASES = 3, 3, 2
_PURE = ("geography", "goods", "homes", "evidence", "problem", "diversion", "clones", "judging")


# --- the night's fit ---------------------------------------------------------------------------------------------------


def fit(*, at: datetime, over: timedelta = MONTHS) -> FitRun | None:
    """Fit all that was scanned in the time before ``at`` and write what was found; None where there is no land to judge."""
    began = time.perf_counter()
    eta = current_eta()
    try:
        record = read_record(since=at - over, until=at)
    except ValueError:
        return None
    scored = judging.score(record.facts, eta=eta)
    with transaction.atomic(durable=True):
        with connection.cursor() as cursor:
            cursor.execute("SET LOCAL statement_timeout = 0")
        run = _write_run(record, scored, at=at, over=over, seconds=time.perf_counter() - began)
        _write_findings(run, record, scored, at=at)
        _write_codes(run, scored, at=at)
        _temper(record, scored, at=at)
    return run


def current_eta() -> float:
    """Return η as it was last set."""
    newest = Tempering.objects.order_by("-set_at", "-pk").first()
    return newest.eta if newest else ETA


@lru_cache(maxsize=1)
def code_version() -> str:
    """Return what names the formulas that judged: a digest of the pure modules."""
    folder = Path(__file__).parent
    return hashlib.sha256(b"".join((folder / f"{name}.py").read_bytes() for name in _PURE)).hexdigest()[:16]


def data_hash(record: Record) -> bytes:
    """Return the SHA-256 of all that was judged, in its order."""
    facts, digest = record.facts, hashlib.sha256()
    for part in (facts.scans, facts.attribution):
        for name in part.__dataclass_fields__:
            digest.update(np.ascontiguousarray(getattr(part, name)).tobytes())
    for array in (facts.distributor, facts.epoch, facts.sells_online, record.shipment_ids, record.scan_ids):
        digest.update(np.ascontiguousarray(array).tobytes())
    if facts.scan_epoch is not None:
        digest.update(np.ascontiguousarray(facts.scan_epoch).tobytes())
    digest.update(repr((facts.codes, record.land)).encode())
    return digest.digest()


def _write_run(record: Record, scored: Scored, *, at: datetime, over: timedelta, seconds: float) -> FitRun:
    verdict, found = scored.fit.verdict, scored.fit.parameters
    alerted = verdict.shipment[diversion.alert_list(verdict.shipment)]
    run = FitRun.objects.create(
        began_at=at,
        ended_at=at + timedelta(seconds=seconds),
        scans_from=at - over,
        scans_until=at,
        eta=scored.problem.eta,
        parameters={
            **{
                name: round(getattr(found, name), 6)
                for name in ("near", "moved", "border", "away", "diverters", "rate")
            },
            "tau": [round(float(one), 5) for one in found.tau],
            "ip": [round(float(one), 5) for one in scored.problem.ip.classes],
        },
        counts={
            **scored.counts,
            "shipments": len(record.shipment_ids),
            "distributors": len(record.land.partners),
            "cells": len(record.facts.geography.codes),
            "alerts": len(alerted),
        },
        data_hash=data_hash(record),
        code_version=code_version(),
        seconds=round(seconds, 3),
        alert_from=float(alerted.min(initial=1.0)),
    )
    state = state_of(
        scored.problem, found, regions=record.land.regions, territories=record.land.territories,
        partners=record.land.partners,
    )  # fmt: skip
    FitState.objects.all().delete()
    FitState.objects.create(run=run, blob=to_bytes(state))
    ShipmentScore.objects.all().delete()
    seen = np.bincount(
        scored.problem.witnesses.case_shipment[scored.problem.witnesses.case], minlength=len(record.shipment_ids)
    )
    dest = [None if number == NONE else record.land.partners[number] for number in verdict.destination.tolist()]
    ShipmentScore.objects.bulk_create(
        (
            ShipmentScore(
                shipment_id=shipment_id,
                run=run,
                distributor_id=record.land.partners[record.facts.distributor[place]],
                dest_id=dest[place],
                probability=float(verdict.shipment[place]),
                scans=int(seen[place]),
                log_factors=verdict.log_factor[place].tobytes(),
                scored_at=at,
            )
            for place, shipment_id in enumerate(record.shipment_ids.tolist())
        ),
        batch_size=ROWS_AT_ONCE,
    )
    return run


def _write_findings(run: FitRun, record: Record, scored: Scored, *, at: datetime) -> None:
    problem, verdict = scored.problem, scored.fit.verdict
    alerted = diversion.alert_list(verdict.shipment)
    wanted = np.flatnonzero(alerted | (verdict.shipment >= WATCH_FROM))
    wanted = wanted[np.argsort(-verdict.shipment[wanted], kind="stable")]
    state = from_state(run)
    explained = set(wanted[alerted[wanted]][:MOST_EXPLAINED].tolist())
    worth, usual = worth_of(record.shipment_ids[wanted].tolist()), usual_margin()
    for place in wanted.tolist():
        one = _narrow(record, scored, place)
        told = _doubts_of(state, record, scored, place) if place in explained else {}
        _write_finding(
            run,
            one,
            at=at,
            alert=bool(alerted[place]),
            probability=float(verdict.shipment[place]),
            guilty=float(verdict.distributor[problem.distributor[place]]),
            dest=int(verdict.destination[place]),
            partners=record.land.partners,
            told=told,
            worth=worth.get(one.shipment_id, Worth()),
            usual=usual,
        )
    _write_routes(run, record, scored)


class _One:
    """What the scans of one shipment say, cut out of what was judged with it."""

    def __init__(
        self, problem: Problem, cases: Cases, verdict: Posterior, *, place: int, record: Record, scan_ids: Ints,
        parameters: Parameters, out: Flags,
    ) -> None:  # fmt: skip
        witnesses = problem.witnesses
        self.case_rows = np.flatnonzero(witnesses.case_shipment == place)
        self.rows = np.flatnonzero(np.isin(witnesses.case, self.case_rows))
        self.shipment_id = int(record.shipment_ids[place])
        self.shipped_labels = int(record.shipped_labels[place])
        self.distributor = int(problem.distributor[place])
        self.scans = problem.scans.take(self.rows)
        self.scan_ids = scan_ids[self.rows]
        self.case_of = witnesses.case[self.rows]
        self.case_no, self.holder = witnesses.case_no, witnesses.case_holder
        self.case_probability = verdict.case
        self.score = cases.score[self.rows]
        self.travelled = cases.travelled[self.rows]
        self.expected_away = float(diversion.trips(problem, parameters)[self.rows].sum())
        mine = out & (record.facts.attribution.shipment == place)
        self.copied_labels = len(set(record.facts.scans.code[mine].tolist()))
        self.shares = {name: getattr(cases, name)[self.case_rows] for name in ("online", "border", "away")}


def _narrow(record: Record, scored: Scored, place: int) -> _One:
    ids = record.scan_ids[scored.problem.witnesses.row]
    return _One(
        scored.problem, scored.fit.cases, scored.fit.verdict, place=place, record=record, scan_ids=ids,
        parameters=scored.fit.parameters, out=_left_out(record.facts, scored),
    )  # fmt: skip


def _left_out(facts: judging.Facts, scored: Scored) -> Flags:
    """Return the scans whose label was copied."""
    suspicion = scored.suspicion
    out = np.isin(facts.scans.code, suspicion.code[suspicion.score > 0])
    return out if facts.copied is None else out | facts.copied


def level_of(*, labels: int, devices: int, cases: int, sources: Iterable[bool]) -> str:
    """Return how much may be said: accusable needs labels, devices, cases, and one scan with a fix or an address."""
    enough = labels >= MIN_LABELS and devices >= MIN_DEVICES and cases >= MIN_CASES and any(sources)
    return Finding.Level.ACCUSABLE if enough else Finding.Level.WATCH


def _write_finding(
    run: FitRun, one: _One, *, at: datetime, alert: bool, probability: float, guilty: float, dest: int,
    partners: Sequence[int], told: dict[str, float], worth: Worth, usual: float,
) -> Finding:  # fmt: skip
    speaks = one.score > 0  # only what was seen elsewhere accuses
    scans = one.scans.take(speaks)
    devices = len(set(scans.device.tolist()) - {NONE}) + int((scans.device == NONE).sum())
    expected = float(one.case_probability[one.case_rows].sum())
    cases = len(one.case_rows)
    units = expected / cases * one.shipped_labels if cases else 0.0
    times = one.scans.at
    finding = Finding.objects.create(
        run=run,
        shipment_id=one.shipment_id,
        distributor_id=partners[one.distributor],
        dest_id=None if dest == NONE else partners[dest],
        probability=probability,
        distributor_probability=guilty,
        alert=alert,
        level=level_of(
            labels=len(set(scans.code.tolist())),
            devices=devices,
            cases=len(set(one.case_of[speaks].tolist())),
            sources=((scans.gps != NONE) | (scans.ip != NONE)).tolist(),
        ),
        expected_cases=expected,
        expected_units=units,
        labels=len(set(one.scans.code.tolist())),
        devices=len(set(one.scans.device.tolist()) - {NONE}) + int((one.scans.device == NONE).sum()),
        cases=cases,
        scans=len(one.rows),
        shipped_labels=one.shipped_labels,
        first_scan_at=moment_of(times.min()) if len(times) else None,
        last_scan_at=moment_of(times.max()) if len(times) else None,
        travelled=float(one.travelled.mean()) if len(times) else 0.0,
        **{name: float(share.mean()) if cases else 0.0 for name, share in one.shares.items()},
        without=told,
        scans_away=int(speaks.sum()),
        expected_away=one.expected_away,
        copied_labels=one.copied_labels,
        products=list(worth.products),
        margin=worth.margin,
        currency=worth.currency,
        priority=worth.priority(probability, units, usual),
        found_at=at,
    )
    CaseFinding.objects.bulk_create(
        CaseFinding(
            finding=finding,
            unit_id=int(one.case_no[row]) if one.case_no[row] >= 0 else None,
            label_no=None if one.case_no[row] >= 0 else int(-2 - one.case_no[row]),
            holder_id=partners[one.holder[row]],
            probability=float(one.case_probability[row]),
            scans=int((one.case_of == row).sum()),
        )
        for row in one.case_rows.tolist()
    )
    ScanFinding.objects.bulk_create(
        ScanFinding(finding=finding, scan_id=int(scan_id), score=float(score))
        for scan_id, score in zip(one.scan_ids.tolist(), one.score.tolist(), strict=True)
    )
    return finding


def _write_routes(run: FitRun, record: Record, scored: Scored) -> None:
    problem, verdict, partners = scored.problem, scored.fit.verdict, record.land.partners
    count = problem.distributors
    weight = verdict.by_destination
    cases = np.bincount(problem.witnesses.case_shipment, verdict.case, len(weight))
    share = np.divide(cases, verdict.shipment, out=np.zeros(len(cases)), where=verdict.shipment > 0)
    shipments, units = np.zeros((count, weight.shape[1])), np.zeros((count, weight.shape[1]))
    np.add.at(shipments, problem.distributor, weight)
    np.add.at(units, problem.distributor, weight * share[:, None])
    rows = []
    for one in range(count):
        known = [(partners[b], shipments[one, b], units[one, b]) for b in range(count)]
        nowhere = (None, shipments[one, count:].sum(), units[one, count:].sum())
        rows += [
            RouteFinding(
                run=run,
                distributor_id=partners[one],
                dest_id=dest,
                expected_shipments=float(expected),
                expected_cases=float(expected_cases),
            )
            for dest, expected, expected_cases in [*known, nowhere]
            if expected >= ROUTE_FROM
        ]
    RouteFinding.objects.bulk_create(rows, batch_size=ROWS_AT_ONCE)


def _write_codes(run: FitRun, scored: Scored, *, at: datetime) -> None:
    suspicion = scored.suspicion
    CodeFinding.objects.bulk_create(
        (
            CodeFinding(
                run=run,
                label_no=int(suspicion.code[place]),
                kind=CodeFinding.Kind.COPIED,
                score=float(suspicion.score[place]),
                follow_ups=int(suspicion.follow_ups[place]),
                found_at=at,
            )
            for place in np.flatnonzero(suspicion.score > 0).tolist()
        ),
        batch_size=ROWS_AT_ONCE,
    )


# --- one shipment again ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=4)
def _state(_schema: str, _run_id: int) -> State:
    """Return the state of a run; each process reads it once."""
    return from_bytes(bytes(FitState.objects.get(pk=_run_id).blob))


def from_state(run: FitRun) -> State:
    """Return what a run learned."""
    return _state(schema_name(), run.pk)


def newest_run() -> FitRun | None:
    """Return the run whose state is kept."""
    kept = FitState.objects.select_related("run").order_by("-run_id").first()
    return kept.run if kept else None


def _copied(run: FitRun, codes: Ints) -> Flags:
    found = CodeFinding.objects.filter(run=run, label_no__in=np.unique(codes).tolist(), score__gt=0)
    return np.isin(codes, np.array(list(found.values_list("label_no", flat=True)), np.int64))


def _others(shipment_id: int, distributor_id: int) -> tuple[Floats, int]:
    """Return log BF of the distributor's shipments and the row of this one, which is added if it is new."""
    rows = ShipmentScore.objects.filter(distributor_id=distributor_id).order_by("shipment_id")
    known = list(rows.values_list("shipment_id", "log_factors"))
    factors = [np.frombuffer(bytes(blob), np.float64) for _id, blob in known]
    ids = [row[0] for row in known]
    if shipment_id not in ids:
        ids.append(shipment_id)
        factors.append(np.zeros(len(factors[0]) if factors else 0))
    return np.array(factors), ids.index(shipment_id)


def _doubts_of(state: State, record: Record, scored: Scored, place: int) -> dict[str, float]:
    facts, problem = record.facts, scored.problem
    mine = np.flatnonzero(facts.attribution.shipment == place)
    one = _facts_of(record, mine, place)
    out = _left_out(one, scored)
    same = np.flatnonzero(problem.distributor == problem.distributor[place])
    others = scored.fit.verdict.log_factor[same]
    number = int(np.searchsorted(same, place))
    found = rescore_one(state, one, out, others=others, number=number)
    return doubts(state, one, out, others=others, number=number, found=found)


def _facts_of(record: Record, rows: Ints, place: int) -> judging.Facts:
    facts, attribution = record.facts, record.facts.attribution
    return judging.Facts(
        geography=facts.geography,
        codes=facts.codes,
        distributor=facts.distributor[place : place + 1],
        epoch=facts.epoch[place : place + 1],
        sells_online=facts.sells_online,
        scans=facts.scans.take(rows),
        attribution=Attribution(
            shipment=np.zeros(len(rows), np.int64),
            before_shipping=attribution.before_shipping[rows],
            never_shipped=attribution.never_shipped[rows],
            case_no=attribution.case_no[rows],
            holder=attribution.holder[rows],
            hand=attribution.hand[rows],
        ),
        copied=None if facts.copied is None else facts.copied[rows],
        scan_epoch=None if facts.scan_epoch is None else facts.scan_epoch[rows],
    )


def rescore(shipment_id: int, *, at: datetime) -> ShipmentScore | None:
    """Judge one shipment again with the newest fit; None if nothing is fitted yet, or the shipment is not of its world.

    The score that stands is replaced; a finding is written where the shipment comes onto the list, or may be accused.
    """
    run = newest_run()
    if run is None:
        return None
    state = from_state(run)
    land = Land(state.regions, state.territories, state.partners, state.sells_online, state.geography.assortments)
    record = read_record(since=run.scans_from, until=at, shipment_id=shipment_id, land=land, geography=state.geography)
    if not len(record.shipment_ids):
        return None
    distributor_id = state.partners[record.facts.distributor[0]]
    out = _copied(run, record.facts.scans.code)
    if record.facts.copied is not None:
        out |= record.facts.copied
    others, number = _others(shipment_id, distributor_id)
    if not others.shape[1]:
        others = np.zeros((1, len(state.partners) + 3))
    found = rescore_one(state, record.facts, out, others=others, number=number)
    with transaction.atomic():
        score, is_news = _keep(run, record, found, at=at)
        if is_news:
            told = doubts(state, record.facts, out, others=others, number=number, found=found)
            _write_news(run, record, found, at=at, state=state, out=out, told=told)
    return score


@inside_transaction
def _keep(run: FitRun, record: Record, found: Rescored, *, at: datetime) -> tuple[ShipmentScore, bool]:
    """Replace the score that stands; return it, and whether a finding is to be written."""
    shipment_id, partners = int(record.shipment_ids[0]), record.land.partners
    dest = int(found.verdict.destination[0])
    distributor_id = partners[record.facts.distributor[0]]
    score, _created = ShipmentScore.objects.update_or_create(
        shipment_id=shipment_id,
        defaults={
            "run": run,
            "distributor_id": distributor_id,
            "dest_id": None if dest == NONE else partners[dest],
            "probability": found.probability,
            "scans": len(found.problem.scans),
            "log_factors": found.verdict.log_factor[0].tobytes(),
            "scored_at": at,
        },
    )
    alert = found.probability >= run.alert_from
    last = Finding.objects.filter(shipment_id=shipment_id).order_by("-found_at", "-pk").first()
    return score, alert and (last is None or not last.alert or last.run_id != run.pk)


@inside_transaction
def _write_news(
    run: FitRun, record: Record, found: Rescored, *, at: datetime, state: State, out: Flags, told: dict[str, float]
) -> None:
    one = _One(
        found.problem, found.cases, found.verdict, place=0, record=record, parameters=state.parameters, out=out,
        scan_ids=record.scan_ids[found.problem.witnesses.row],
    )  # fmt: skip
    _write_finding(
        run, one, at=at, alert=True, probability=found.probability, guilty=found.distributor,
        dest=int(found.verdict.destination[0]), partners=record.land.partners, told=told,
        worth=worth_of([one.shipment_id]).get(one.shipment_id, Worth()), usual=usual_margin(),
    )  # fmt: skip


# --- what people found out ---------------------------------------------------------------------------------------------


def decide(shipment_id: int, *, decision: str, at: datetime, by: str) -> Verdict:
    """Keep what an investigation came to. Raises `NotFound` for a shipment that was never scored."""
    score = ShipmentScore.objects.filter(pk=shipment_id).first()
    finding = Finding.objects.filter(shipment_id=shipment_id).order_by("-found_at", "-pk").first()
    if score is None and finding is None:
        raise NotFound
    return Verdict.objects.create(
        shipment_id=shipment_id,
        finding=finding,
        probability=finding.probability if finding else score.probability if score else 0.0,
        decision=Verdict.Decision(decision),
        decided_at=at,
        decided_by=by[:150],
    )


@inside_transaction
def _temper(record: Record, scored: Scored, *, at: datetime) -> None:
    """Set η anew where enough verdicts tell how far the evidence can be trusted: the likeliest of `ETAS`."""
    latest: dict[int, bool] = {}
    for shipment_id, decision in Verdict.objects.order_by("decided_at", "pk").values_list("shipment_id", "decision"):
        latest[shipment_id] = decision == Verdict.Decision.CONFIRMED
    place = {int(shipment_id): row for row, shipment_id in enumerate(record.shipment_ids)}
    judged = [(place[shipment_id], truth) for shipment_id, truth in latest.items() if shipment_id in place]
    if len(judged) < ENOUGH_VERDICTS:
        return
    rows, truth = np.array([row for row, _ in judged]), np.array([told for _, told in judged])
    best = fit_eta(scored, rows, truth)
    if best != scored.problem.eta:
        Tempering.objects.create(eta=best, verdicts=len(judged), set_at=at)


def fit_eta(scored: Scored, rows: Ints, truth: Flags) -> float:
    """Return the η under which the verdicts on the shipments ``rows`` are likeliest; the present one where nothing differs."""
    problem, fitted = scored.problem, scored.fit
    best, likeliest = problem.eta, -np.inf
    for eta in sorted(ETAS, key=lambda one: abs(one - problem.eta)):
        probability = diversion.retemper(problem, fitted, eta)[rows]
        chance = np.clip(np.where(truth, probability, 1 - probability), 1e-6, 1)
        if (likelihood := float(np.log(chance).sum())) > likeliest + 1e-9:
            best, likeliest = eta, likelihood
    return best
