"""Judging one shipment again with what a fit has learned, and keeping that. Pure.

Under the same scans this is the fit's own E step: what depends on other shipments, of the same distributor, is carried
in their Bayes factors.
"""

import io
import json
from collections.abc import Sequence
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

import numpy as np

from analytics import diversion, goods
from analytics.diversion import Cases, Parameters, Verdict
from analytics.evidence import IpHabits, read_answers
from analytics.geography import Flags, Floats, Geography, Region, Territory, build
from analytics.goods import NONE, WEEK_S, Scans
from analytics.judging import Facts
from analytics.problem import Markets, Problem, case_epochs, find_markets


@dataclass(frozen=True)
class State:
    """What a fit leaves. ``start``: the beginning of its first week; ``partners``: the distributors by their numbers."""

    parameters: Parameters
    ip: IpHabits
    start: float
    eta: float
    geography: Geography
    markets: Markets
    regions: tuple[Region, ...]
    territories: tuple[Territory, ...]
    partners: tuple[int, ...]
    sells_online: tuple[bool, ...]


@dataclass(frozen=True)
class Rescored:
    """One shipment, judged again."""

    problem: Problem
    cases: Cases
    verdict: Verdict
    distributor: float
    """P(D_a)"""

    @property
    def probability(self) -> float:
        return float(self.verdict.shipment[0])


def state_of(
    problem: Problem,
    parameters: Parameters,
    *,
    regions: Sequence[Region],
    territories: Sequence[Territory],
    partners: Sequence[int],
) -> State:
    """Return what is kept of a fit."""
    return State(
        parameters=parameters,
        ip=problem.ip,
        start=float(problem.scans.at.min()) if len(problem.scans) else 0.0,
        eta=problem.eta,
        geography=problem.geography,
        markets=problem.markets,
        regions=tuple(regions),
        territories=tuple(territories),
        partners=tuple(partners),
        sells_online=tuple(bool(one) for one in problem.sells_online),
    )


def rescore(state: State, facts: Facts, out: Flags, *, others: Floats, number: int) -> Rescored:
    """Judge the one shipment of ``facts`` again.

    ``out``: scans that do not count. ``others``: (n, V) log BF of the distributor's shipments; row ``number`` is this one.
    """
    witnesses = goods.witnesses(facts.scans, facts.attribution, facts.scans.staff | out)
    seen = facts.scans.take(witnesses.row)
    weeks = len(state.parameters.week)
    problem = Problem(
        geography=state.geography,
        codes=facts.codes,
        markets=state.markets,
        distributor=facts.distributor,
        sells_online=np.array(state.sells_online, bool),
        case_epoch=case_epochs(witnesses, facts.epoch, facts.scan_epoch),
        witnesses=witnesses,
        scans=seen,
        answers=read_answers(seen, state.geography, facts.codes),
        ip=state.ip,
        week=np.clip(((seen.at - state.start) // WEEK_S).astype(np.int64), 0, weeks - 1),
        tempering=state.eta,
    )
    cases = diversion.weigh_cases(problem, state.parameters)
    verdict, guilty = diversion.judge_again(problem, state.parameters, cases, number, others)
    return Rescored(problem, cases, verdict, guilty)


OFTEN = 3.0
"""How many times as common an innocent explanation is taken to be, when it is asked whether an alert stands."""
MOST_COMMON = 0.3


def often(parameters: Parameters) -> dict[str, Parameters]:
    """Return the parameters with one innocent explanation at a time `OFTEN` times as common as it was learned."""
    return {
        "travelled": replace(parameters, tau=np.minimum(OFTEN * parameters.tau, 0.6)),
        "online": replace(
            parameters,
            online=np.where(
                parameters.online < MOST_COMMON, np.minimum(OFTEN * parameters.online, MOST_COMMON), parameters.online
            ),
        ),
        "border": replace(parameters, border=min(OFTEN * parameters.border, MOST_COMMON)),
        "away": replace(parameters, away=min(OFTEN * parameters.away, MOST_COMMON)),
    }


def doubts(state: State, facts: Facts, out: Flags, *, others: Floats, number: int, found: Rescored) -> dict[str, float]:
    """Return P(s) as it would be by each reason to doubt it: `without` one piece of evidence, or with `often` another cause.

    The distributor's other shipments count as they did.
    """
    told = without(state, facts, out, others=others, number=number, found=found)
    for name, parameters in often(state.parameters).items():
        cases = diversion.weigh_cases(found.problem, parameters)
        verdict, _guilty = diversion.judge_again(found.problem, parameters, cases, number, others)
        told[name] = round(float(verdict.shipment[0]), 6)
    return told


def without(
    state: State, facts: Facts, out: Flags, *, others: Floats, number: int, found: Rescored
) -> dict[str, float]:
    """Return P(s) without one source at a time, and without the device that speaks loudest against the distributor."""
    silent = np.full(len(facts.scans), NONE)
    variants: dict[str, tuple[Scans, Flags]] = {
        name: (replace(facts.scans, **{name: silent}), out) for name in ("gps", "ip", "phone")
    }
    devices = found.problem.scans.device
    if (devices != NONE).any():
        named, place = np.unique(devices, return_inverse=True)
        weight = np.bincount(place, np.where(devices == NONE, 0, found.cases.score), len(named))
        variants["device"] = facts.scans, out | (facts.scans.device == named[int(weight.argmax())])
    return {
        name: round(rescore(state, replace(facts, scans=scans), left, others=others, number=number).probability, 6)
        for name, (scans, left) in variants.items()
    }


# --- as bytes ----------------------------------------------------------------------------------------------------------


def to_bytes(state: State) -> bytes:
    """Return the state as a compressed archive of arrays; nothing in it is executed when it is read."""
    arrays = {f"p_{one.name}": np.asarray(getattr(state.parameters, one.name)) for one in fields(Parameters)}
    arrays |= {f"i_{one.name}": np.asarray(getattr(state.ip, one.name)) for one in fields(IpHabits)}
    rest = {
        "start": state.start,
        "eta": state.eta,
        "partners": state.partners,
        "sells_online": state.sells_online,
        "regions": [(r.code, r.parent, r.level, r.lat, r.lon, r.population) for r in state.regions],
        "territories": [
            (
                t.distributor,
                t.region,
                t.valid_from and t.valid_from.isoformat(),
                t.valid_to and t.valid_to.isoformat(),
                t.line,
            )
            for t in state.territories
        ],
        "assortments": state.geography.assortments,
    }
    arrays["rest"] = np.frombuffer(json.dumps(rest).encode(), np.uint8)
    target = io.BytesIO()
    np.savez_compressed(target, allow_pickle=False, **arrays)
    return target.getvalue()


def from_bytes(blob: bytes) -> State:
    """Return what `to_bytes` put together."""
    with np.load(io.BytesIO(blob), allow_pickle=False) as source:
        arrays = {name: source[name] for name in source.files}
    rest = json.loads(arrays["rest"].tobytes())
    regions = tuple(Region(*row) for row in rest["regions"])
    territories = tuple(
        Territory(distributor, region, _day(first), _day(last), *line)
        for distributor, region, first, last, *line in rest["territories"]
    )
    geography = build(regions, territories, tuple(tuple(lines) for lines in rest.get("assortments", [[]])))
    learned = {one.name: arrays[f"p_{one.name}"] for one in fields(Parameters)}
    values: dict[str, Any] = {name: float(value) if value.ndim == 0 else value for name, value in learned.items()}
    return State(
        parameters=Parameters(**values),
        ip=IpHabits(**{one.name: arrays[f"i_{one.name}"] for one in fields(IpHabits)}),
        start=rest["start"],
        eta=rest["eta"],
        geography=geography,
        markets=find_markets(geography, len(rest["partners"])),
        regions=regions,
        territories=territories,
        partners=tuple(rest["partners"]),
        sells_online=tuple(rest["sells_online"]),
    )


def _day(text: str | None) -> date | None:
    return date.fromisoformat(text) if text else None
