"""How good the detector is, measured on worlds where the truth is known: ``python -m analytics.quality``. Pure.

Prints for each world: average precision (AP) of shipments, precision at budget (as many as were diverted), recall at
90 % precision, AP of cases, right destinations among detected, the realised false share of the 10 % list, AP of copied
codes; beside it the oracle's, and the rule "count of scans outside the territory".
"""

import argparse
import sys
import time
from collections.abc import Sequence
from dataclasses import astuple, dataclass, fields

import numpy as np

from analytics import diversion, files, judging, simulator
from analytics.geography import Floats, Ints
from analytics.goods import NONE
from analytics.problem import Problem


def average_precision(score: Floats, truth: Ints) -> float:
    """Return the mean precision at each true one, best score first; NaN if there is none."""
    hits = truth[np.argsort(-score, kind="stable")] > 0
    if not hits.any():
        return float("nan")
    return float((np.cumsum(hits) / np.arange(1, len(hits) + 1))[hits].mean())


def precision_at_budget(score: Floats, truth: Ints) -> float:
    budget = int(truth.sum())
    return float(truth[np.argsort(-score, kind="stable")[:budget]].mean()) if budget else float("nan")


def recall_at_precision(score: Floats, truth: Ints, precision: float = 0.9) -> float:
    """Return the share of true ones in the longest prefix that is ``precision`` right."""
    if not truth.sum():
        return float("nan")
    hits = np.cumsum(truth[np.argsort(-score, kind="stable")])
    right = np.flatnonzero(hits / np.arange(1, len(hits) + 1) >= precision)
    return float(hits[right[-1]] / truth.sum()) if len(right) else 0.0


def count_rule(problem: Problem) -> Floats:
    """Return (S,): how many witnesses were seen outside the territory, by fix, else by address."""
    cell, _, _ = judging.places_of(problem.geography, problem.codes, problem.scans)
    outside = (cell != NONE) & ~problem.markets.cells[problem.home[problem.witnesses.case], cell]
    shipment = problem.witnesses.case_shipment[problem.witnesses.case]
    return np.bincount(shipment, outside, len(problem.distributor)).astype(np.float64)


@dataclass(frozen=True)
class Quality:
    """The figures of one world; ``…_oracle`` those of the oracle."""

    diverted: float
    ap: float
    ap_oracle: float
    ap_count_rule: float
    budget: float
    budget_oracle: float
    recall: float
    recall_oracle: float
    cases: float
    cases_oracle: float
    routes: float
    alerts: float
    false_share: float
    clones: float
    seconds: float


def _case_truth(problem: Problem, truth: simulator.Truth) -> Ints:
    witnesses = problem.witnesses
    pairs = zip(witnesses.case_shipment.tolist(), witnesses.case_no.tolist(), strict=True)
    return np.array([truth.case.get(pair, False) for pair in pairs], np.int64)


def measure(setting: simulator.Setting, seed: int) -> Quality:
    """Return how well the detector does in one world."""
    world, truth = simulator.simulate(setting, seed)
    started = time.perf_counter()
    scored = files.score(world)
    seconds = time.perf_counter() - started
    problem, known = simulator.oracle(world, truth)
    found, best, true = scored.fit.verdict, known.verdict, truth.shipment
    alerts = diversion.alert_list(found.shipment)
    detected = alerts & (truth.destination != NONE)
    right = found.destination == truth.destination
    copied = np.isin(scored.suspicion.code, truth.copied).astype(np.int64)
    return Quality(
        diverted=float(true.sum()),
        ap=average_precision(found.shipment, true),
        ap_oracle=average_precision(best.shipment, true),
        ap_count_rule=average_precision(count_rule(scored.problem), true),
        budget=precision_at_budget(found.shipment, true),
        budget_oracle=precision_at_budget(best.shipment, true),
        recall=recall_at_precision(found.shipment, true),
        recall_oracle=recall_at_precision(best.shipment, true),
        cases=average_precision(found.case, _case_truth(scored.problem, truth)),
        cases_oracle=average_precision(best.case, _case_truth(problem, truth)),
        routes=float(right[detected].mean()) if detected.any() else float("nan"),
        alerts=float(alerts.sum()),
        false_share=float(1 - true[alerts].mean()) if alerts.any() else 0.0,
        clones=average_precision(scored.suspicion.score, copied),
        seconds=seconds,
    )


def summary(found: Sequence[Quality]) -> list[tuple[str, float, str, bool]]:
    """Return (measure, value, demand, reached), means over the worlds."""
    mean = {field.name: float(np.nanmean([getattr(one, field.name) for one in found])) for field in fields(Quality)}
    worst = max((one.false_share for one in found if one.alerts >= 20), default=0.0)
    rows = [
        ("shipments: AP ÷ oracle", mean["ap"] / mean["ap_oracle"], 0.92),
        ("shipments: AP ÷ count rule", mean["ap"] / mean["ap_count_rule"], 3.0),
        ("precision at budget ÷ oracle", mean["budget"] / mean["budget_oracle"], 0.92),
        ("recall at 90 % precision ÷ oracle", mean["recall"] / mean["recall_oracle"], 0.85),
        ("cases: AP ÷ oracle", mean["cases"] / mean["cases_oracle"], 0.95),
        ("routes right among detected", mean["routes"], 0.95),
        ("clones: AP", mean["clones"], 0.80),
    ]
    told = [(name, value, f"≥ {demand:g}", value >= demand) for name, value, demand in rows]
    told.append(("false share of the 10 % list, mean", mean["false_share"], "≤ 0.15", mean["false_share"] <= 0.15))
    told.append(("false share, worst of ≥ 20 alerts", worst, "≤ 0.25", worst <= 0.25))
    return told


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the report; return 1 if a demand is not reached."""
    parser = argparse.ArgumentParser(prog="python -m analytics.quality", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2)
    options = parser.parse_args(arguments)
    names = [field.name for field in fields(Quality)]
    out = sys.stdout.write
    out(f"{'world':<12}" + "".join(f"{name:>14}" for name in names) + "\n")
    found = []
    for setting in simulator.SETTINGS:
        for seed in range(options.seeds):
            quality = measure(setting, seed)
            found.append(quality)
            out(
                f"{setting.name + ' ' + str(seed):<12}" + "".join(f"{value:14.3f}" for value in astuple(quality)) + "\n"
            )
            sys.stdout.flush()
    quiet = measure(simulator.NOBODY_DIVERTS, 0)
    rows = summary(found)
    alerted = quiet.alerts / simulator.NOBODY_DIVERTS.shipments
    rows.append(("nobody diverts: shipments alerted", alerted, "≤ 0.01", alerted <= 0.01))
    out(
        "\n"
        + "".join(f"{name:<40}{value:9.3f}  {demand:<8}{'ok' if ok else 'SHORT'}\n" for name, value, demand, ok in rows)
    )
    return 0 if all(ok for *_, ok in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
