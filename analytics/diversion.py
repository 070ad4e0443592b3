"""Which shipments were diverted, and where to: a likelihood over what scans say of where goods were sold. Pure.

Arrays in, arrays out; deterministic. docs/algorithms/diversion.md derives every formula; the letters are its letters:
a the distributor, m and b markets, j the cell where a unit was sold, k the cell where it was scanned, c a case, s a
shipment. Logarithms are natural.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from analytics.evidence import gps_table, home_table, ip_table, phone_table
from analytics.geography import Flags, Floats, Ints, rows_to_one
from analytics.goods import NONE
from analytics.problem import Problem

FLOOR = 1e-300
CLIP = 60.0
ONE_OFF = 0.005
"""Share of shipments that an honest distributor diverts."""
GRID = (np.arange(20) + 0.5) / 20
GRID_WEIGHT = (1 - GRID) ** 0.7 / ((1 - GRID) ** 0.7).sum()
"""θ, the share of a diverted shipment's cases that went astray, and its prior Beta(1, 1.7)."""
SHARE_WEIGHT = 10.0
"""How many diverted shipments the prior of θ is worth."""
ROUNDS = 4
BLOCK_SCANS = 20_000
ALERT_FALSE_SHARE = 0.10
PRIOR_ONE, PRIOR_MIXED, PRIOR_TRICKLE, PRIOR_SCATTER = 0.6, 0.2, 0.1, 0.1
MOST_TOLD = 9.0
"""Decades: nothing that is told of a scan claims more."""
MIN_SHARE_ASTRAY = 0.15
"""Below this share of cases, a trickle or a scatter is what honest trade looks like too."""


@dataclass(frozen=True)
class Parameters:
    """What the fit learns. Shares are between 0 and 1."""

    tau: Floats
    """(D,): how often a buyer is met outside the cell where the unit was sold."""
    week: Floats
    """(weeks,): the season's factor on it."""
    near: float
    """Share of short trips among trips."""
    moved: float
    online: Floats
    """(D,): share of honest cases sold over the nation (e)."""
    border: float
    """Share of honest cases sold just outside (q)."""
    away: float
    """Share of honest cases sold whole in any one city (u)."""
    diverters: float
    """Share of distributors that divert (π)."""
    rate: float
    """Share of a diverter's shipments that it diverts (r)."""
    cells: Floats
    """(M, J): where each market's goods are sold (π_m)."""
    habit: Floats
    """(D, D + 1): where each distributor's diverted goods go (q_a)."""
    prior: Floats
    """(D, D + 1): the same before any scan (q⁰_a)."""
    share: Floats
    """(20,): how much of a diverted shipment goes astray: weights on `GRID`."""


def first_guess(problem: Problem) -> Parameters:
    """Return the parameters with which the first round begins."""
    geography, markets, count = problem.geography, problem.markets, problem.distributors
    latest = np.array([next((row for row in rows[::-1] if row != NONE), NONE) for rows in markets.of.T])
    people = np.where(latest == NONE, 0, markets.population[latest])
    there = latest != NONE
    weights = np.zeros((count, count + 1))
    for one in range(count):
        others = there.copy()
        others[one] = False
        if others.any():
            by_people = np.where(others, people, 0)
            weights[one] = 0.5 * by_people / by_people.sum() + 0.5 * others / others.sum()
    return Parameters(
        tau=np.full(count, 0.1),
        week=np.ones(int(problem.week.max(initial=0)) + 1),
        near=0.4,
        moved=0.2,
        online=np.where(problem.sells_online, 0.5, 0.03),
        border=0.02,
        away=0.01,
        diverters=0.15,
        rate=0.5,
        cells=rows_to_one(markets.cells * geography.population),
        habit=weights,
        prior=weights,
        share=GRID_WEIGHT,
    )


@dataclass(frozen=True)
class Cases:
    """What the scans say of each case and scan, before anything is known of the distributor."""

    ratio: Floats
    """(C, V): log LR_c(b), b = every distributor, the unowned market, a trickle over the border, a scatter."""
    online: Floats
    """(C,): share of the honest likelihood that is sale over the nation (ρ_e); likewise the next two."""
    border: Floats
    away: Floats
    travelled: Floats
    """(n,): share of a scan's likelihood in its own market that needs a trip."""
    near: Floats
    """(n,): share of that trip's likelihood that is a short one."""
    score: Floats
    """(n,): log10 of the best other market's likelihood over the own market's: shown to people."""


@dataclass(frozen=True)
class Verdict:
    """The posterior. V destinations as in `Cases.ratio`."""

    shipment: Floats
    """(S,): P(s)."""
    by_destination: Floats
    """(S, V): P(s, b)."""
    destination: Ints
    """(S,): the likeliest distributor, or `NONE` where no scan speaks or nobody owns the place."""
    case: Floats
    """(C,): P(c)."""
    distributor: Floats
    """(D,): P(D_a)."""
    share: Floats
    """(20,): how many diverted shipments lost each share of `GRID`, by expectation."""
    log_factor: Floats
    """(S, V): log BF_s(b)."""


@dataclass(frozen=True)
class Fit:
    parameters: Parameters
    cases: Cases
    verdict: Verdict


@dataclass(frozen=True)
class _Kernels:
    """Evidence of each distinct combination of answers, and what trips make of it: four (U, J) tables."""

    row: Ints
    here: NDArray[np.float32]
    near: NDArray[np.float32]
    grav: NDArray[np.float32]
    moved: NDArray[np.float32]
    home: Floats
    """Where members of each region are met when away: `evidence.home_table`."""


def _evidence(problem: Problem, parameters: Parameters) -> _Kernels:
    geography, answers, codes = problem.geography, problem.answers, problem.codes
    combinations = np.stack([answers.gps, answers.ip, answers.phone], axis=1)
    distinct, row = np.unique(combinations, axis=0, return_inverse=True)
    if known := problem.known:
        tables = known.gps, known.ip, known.phone
        ways = (known.trip,) * 3
    else:
        tables = (
            gps_table(geography, answers, codes),
            ip_table(geography, problem.ip, codes),
            phone_table(geography, parameters.moved, codes),
        )
        ways = geography.near, geography.grav, geography.migration
    here = tables[0][distinct[:, 0]] * tables[1][distinct[:, 1]] * tables[2][distinct[:, 2]]
    # K scaled to a maximum of 1: only ratios within a scan count.
    here = (here / np.maximum(here.max(axis=1, keepdims=True), FLOOR)).astype(np.float32)
    near, grav, moved = (here @ kernel.T.astype(np.float32) for kernel in ways)
    return _Kernels(row.reshape(-1), here, near, grav, moved, home_table(geography, codes))


def _blocks(problem: Problem) -> Iterator[tuple[slice, slice]]:
    """Yield (scans, cases) in blocks of whole cases."""
    case = problem.witnesses.case
    cases = len(problem.witnesses.case_shipment)
    starts = np.searchsorted(case, np.arange(cases + 1))
    first = 0
    while first < cases:
        end = int(np.searchsorted(starts, starts[first] + BLOCK_SCANS, "right")) - 1
        end = min(max(end, first + 1), cases)
        yield slice(int(starts[first]), int(starts[end])), slice(first, end)
        first = end


def _log(values: Floats) -> Floats:
    return np.asarray(np.log(np.maximum(values, FLOOR)), np.float64)


def weigh_cases(problem: Problem, parameters: Parameters) -> Cases:
    """Return the likelihood ratios of all cases under ``parameters`` (the first half of the E step)."""
    kernels = _evidence(problem, parameters)
    parts = [_weigh(problem, parameters, kernels, *block) for block in _blocks(problem)]
    if not parts:
        nothing = np.zeros(0)
        return Cases(np.zeros((0, problem.distributors + 3)), *(nothing,) * 6)
    return Cases(*(np.concatenate([getattr(part, name) for part in parts]) for name in Cases.__dataclass_fields__))


def trips(problem: Problem, parameters: Parameters, scans: slice = slice(None)) -> Floats:
    """Return τ of each scan, (n,): how probably its buyer is met outside the cell where the unit was sold."""
    holder = problem.witnesses.case_holder[problem.witnesses.case[scans]]
    tau = parameters.tau[holder] * parameters.week[problem.week[scans]]
    return np.asarray(np.clip(tau, 0.005, 0.6), np.float64)


def _weigh(problem: Problem, parameters: Parameters, kernels: _Kernels, scans: slice, cases: slice) -> Cases:
    markets, witnesses = problem.markets, problem.witnesses
    home_of_case = problem.home[cases]
    holder = witnesses.case_holder[cases]
    case = witnesses.case[scans] - cases.start
    starts = np.searchsorted(case, np.arange(cases.stop - cases.start))
    row, home = kernels.row[scans], home_of_case[case]

    season = parameters.week[problem.week[scans]]
    tau = trips(problem, parameters, scans)[:, None]
    holiday = np.clip((season - 1.3) / 1.2, 0, 0.8)[:, None]
    here = kernels.here[row].astype(np.float64)
    short = parameters.near * kernels.near[row]
    long = (1 - parameters.near) * kernels.grav[row]
    trip = (1 - holiday) * (short + long) + holiday * kernels.moved[row]
    member = problem.scans.home[scans]
    known = member != NONE
    if known.any():
        trip[known] = (kernels.home[member[known] + 1] * here[known]).sum(axis=1, keepdims=True)
    sold = (1 - tau) * here + tau * trip  # L_ij

    in_market = sold @ parameters.cells.T  # L_i(m), (n, M)
    own_cells = parameters.cells[home]
    own = np.maximum(np.take_along_axis(in_market, home[:, None], 1)[:, 0], FLOOR)
    spill = markets.spill[home]
    over_border = np.einsum("ij,ij->i", sold, spill)
    travelled = tau[:, 0] * np.einsum("ij,ij->i", trip, own_cells) / own
    short_part = np.einsum("ij,ij->i", short, own_cells)
    near = short_part / np.maximum(short_part + np.einsum("ij,ij->i", long, own_cells), FLOOR)

    log_cell = np.add.reduceat(_log(sold), starts, axis=0)
    peak = log_cell.max(axis=1, keepdims=True)
    together = np.exp(log_cell - peak)  # Π_i L_ij, scaled, (C, J)
    apart = np.add.reduceat(_log(in_market), starts, axis=0)  # Σ_i log L_i(m), (C, M)

    def either(one_place: Floats, many_places: Floats) -> Floats:
        """Return the log likelihood of a case that is sold whole in one place or broken up among many."""
        one, many = np.log(1 - problem.broken_up) + one_place, np.log(problem.broken_up) + many_places
        return np.asarray(np.logaddexp(one, many), np.float64)

    whole = _log(together @ parameters.cells.T) + peak
    log_market = either(whole, apart)
    just_outside = _log(np.einsum("ij,ij->i", together, markets.spill[home_of_case])) + peak[:, 0]
    trickle = either(just_outside, np.add.reduceat(_log(over_border), starts))
    scatter, one_city = apart[:, markets.nation], whole[:, markets.nation]

    online = parameters.online[holder]
    honest = np.stack(
        [
            np.log(1 - online - parameters.border - parameters.away)
            + np.take_along_axis(log_market, home_of_case[:, None], 1)[:, 0],
            np.log(online) + scatter,
            np.log(parameters.border) + just_outside,
            np.log(parameters.away) + one_city,
        ]
    )
    log_honest = np.logaddexp.reduce(honest, axis=0)
    shares = np.exp(honest - log_honest)

    epoch = problem.case_epoch[cases]
    market_of = markets.of[epoch]  # (C, D + 1)
    ratio = np.take_along_axis(log_market, np.maximum(market_of, 0), 1) - log_honest[:, None]
    ratio[market_of == NONE] = 0
    ratio[np.arange(len(holder)), holder] = 0
    shipper = problem.distributor[witnesses.case_shipment[cases]]
    ratio[np.arange(len(holder)), shipper] = 0
    ratio = np.concatenate([ratio, (trickle - log_honest)[:, None], (scatter - log_honest)[:, None]], axis=1)

    others = np.where(markets.exist[epoch][case], in_market, 0)
    others[np.arange(len(home)), home] = 0
    score = np.clip(np.log10(np.maximum(others.max(axis=1), FLOOR) / own), -MOST_TOLD, MOST_TOLD)
    return Cases(np.clip(problem.eta * ratio, -CLIP, CLIP), shares[1], shares[2], shares[3], travelled, near, score)


def _factors(problem: Problem, share: Floats, ratio: Floats) -> tuple[Floats, Floats]:
    """Return log Π_c [1 − θ + θ·LR_c(b)] on the grid of θ, (20, S, V), and log BF_s(b), (S, V)."""
    shipment = problem.witnesses.case_shipment
    count, width = len(problem.distributor), ratio.shape[1]
    products = np.zeros((len(GRID), count, width))
    if len(shipment):
        present, starts = np.unique(shipment, return_index=True)
        bounds = np.append(starts, len(shipment))
        for low in range(0, len(present), 500):  # in blocks of shipments, to keep the grid of cases small
            high = min(low + 500, len(present))
            cases = slice(bounds[low], bounds[high])
            likelihood = np.expm1(ratio[cases])
            terms = np.log1p(GRID[:, None, None] * likelihood[None])
            products[:, present[low:high]] = np.add.reduceat(terms, starts[low:high] - bounds[low], axis=1)
    weighted = products + _log(share)[:, None, None]
    factor = np.logaddexp.reduce(weighted, axis=0)
    enough = GRID >= MIN_SHARE_ASTRAY  # a trickle or scatter is a share well above what is honest
    tail = _log(share[enough] / share[enough].sum())[:, None, None]
    factor[:, -2:] = np.logaddexp.reduce(products[enough][:, :, -2:] + tail, axis=0)
    return products, factor


def judge(problem: Problem, parameters: Parameters, cases: Cases) -> Verdict:
    """Return the posterior of shipments, cases and distributors (the second half of the E step)."""
    products, factor = _factors(problem, parameters.share, cases.ratio)
    count, width = factor.shape
    distributors = problem.distributors
    by_destination = np.zeros((count, width))
    guilty = np.zeros(distributors)
    order = np.argsort(problem.distributor, kind="stable")
    bounds = np.searchsorted(problem.distributor[order], np.arange(distributors + 1))
    for one in range(distributors):
        mine = order[bounds[one] : bounds[one + 1]]
        by_destination[mine], guilty[one] = judge_distributor(parameters, one, factor[mine])

    shipment = np.clip(by_destination.sum(axis=1), 0, 1)
    return Verdict(
        shipment=shipment,
        by_destination=by_destination,
        destination=_destinations(problem, by_destination, factor),
        case=_case_posterior(problem, parameters.share, cases.ratio, products, by_destination),
        share=_shares(products, parameters.share, by_destination.argmax(axis=1)) @ shipment,
        distributor=guilty,
        log_factor=factor,
    )


def judge_distributor(parameters: Parameters, one: int, factor: Floats) -> tuple[Floats, float]:
    """Return P(s, b) of all n shipments of distributor ``one``, (n, V), and P(D_a); ``factor``: log BF_s(b), (n, V)."""
    if not len(factor):
        return factor, parameters.diverters
    rate = parameters.rate
    log_not, log_rate = np.log(1 - rate), np.log(rate)
    log_prior, log_habit = _log(parameters.prior[one]), _log(parameters.habit[one])
    alone = np.logaddexp(log_not, log_rate + factor)  # (n, V): the shipment's likelihood if b is the one destination
    mixed_b = log_habit + factor[:, :-2]
    mixed = np.logaddexp(log_not, log_rate + np.logaddexp.reduce(mixed_b, axis=1))
    once_b = np.log(ONE_OFF) + log_prior + factor[:, :-2]
    once = np.logaddexp(np.log(1 - ONE_OFF), np.logaddexp.reduce(once_b, axis=1))
    log_weight = np.concatenate(
        [
            np.log(parameters.diverters * PRIOR_ONE) + log_prior + alone[:, :-2].sum(axis=0),
            np.log(parameters.diverters * np.array([PRIOR_TRICKLE, PRIOR_SCATTER])) + alone[:, -2:].sum(axis=0),
            [np.log(parameters.diverters * PRIOR_MIXED) + mixed.sum()],
            [np.log(1 - parameters.diverters) + once.sum()],
        ]
    )
    weight = np.exp(log_weight - np.logaddexp.reduce(log_weight))
    found = weight[:-2] * np.exp(log_rate + factor - alone)
    found[:, :-2] += weight[-2] * np.exp(log_rate + mixed_b - mixed[:, None])
    found[:, :-2] += weight[-1] * np.exp(once_b - once[:, None])
    return found, float(1 - weight[-1])


def retemper(problem: Problem, fitted: "Fit", eta: float) -> Floats:
    """Return P(s) as it would be with another tempering and all else as it was learned."""
    ratio = np.clip(fitted.cases.ratio * (eta / problem.eta), -CLIP, CLIP)
    return judge(problem, fitted.parameters, replace(fitted.cases, ratio=ratio)).shipment


def judge_again(
    problem: Problem, parameters: Parameters, cases: Cases, number: int, others: Floats
) -> tuple[Verdict, float]:
    """Return the verdict of ``problem``'s one shipment with scans, and P(D_a), among ``others`` of its distributor.

    ``others``: log BF of the distributor's shipments, (n, V), as they were judged before; row ``number`` is this one's.
    """
    products, factor = _factors(problem, parameters.share, cases.ratio)
    among = others.copy()
    among[number] = factor[0]
    found, guilty = judge_distributor(parameters, int(problem.distributor[0]), among)
    by_destination = found[number][None, :]
    return (
        Verdict(
            shipment=np.clip(by_destination.sum(axis=1), 0, 1),
            by_destination=by_destination,
            destination=_destinations(problem, by_destination, factor),
            case=_case_posterior(problem, parameters.share, cases.ratio, products, by_destination),
            share=np.zeros(len(GRID)),
            distributor=np.array([guilty]),
            log_factor=factor,
        ),
        guilty,
    )


def _destinations(problem: Problem, by_destination: Floats, factor: Floats) -> Ints:
    """Return the likeliest distributor; goods that trickled or scattered are sent where most of them surfaced."""
    real = by_destination[:, :-2].copy()
    guess = by_destination[:, -2:].sum(axis=1, keepdims=True)
    pull = np.exp(factor[:, :-2] - factor[:, :-2].max(axis=1, keepdims=True)) * (by_destination[:, :-2] > 0)
    real += guess * rows_to_one(pull)
    best = real[:, :-1].argmax(axis=1)
    seen = np.zeros(len(real), bool)
    seen[problem.witnesses.case_shipment] = True
    return np.where(seen & (real[np.arange(len(real)), best] > 0), best, NONE)


def _shares(products: Floats, share: Floats, column: Ints) -> Floats:
    """Return (20, S): the posterior of θ, if each shipment went to the destination in ``column``."""
    grid = products[:, np.arange(len(column)), column] + _log(share)[:, None]
    return np.asarray(np.exp(grid - np.logaddexp.reduce(grid, axis=0)))


def _case_posterior(problem: Problem, share: Floats, ratio: Floats, products: Floats, by_destination: Floats) -> Floats:
    """Return P(c): over the three likeliest destinations of its shipment, the chance that this case went there."""
    shipment = problem.witnesses.case_shipment
    found = np.zeros(len(shipment))
    likeliest = np.argsort(-by_destination, axis=1, kind="stable")
    for rank in range(min(3, ratio.shape[1])):
        column = likeliest[:, rank]
        grid = _shares(products, share, column)
        likelihood = np.exp(ratio[np.arange(len(shipment)), column[shipment]])
        astray = GRID[:, None] * likelihood / (1 - GRID[:, None] + GRID[:, None] * likelihood)
        found += by_destination[shipment, column[shipment]] * (grid[:, shipment] * astray).sum(axis=0)
    return np.asarray(np.clip(found, 0, 1))


def learn(problem: Problem, parameters: Parameters, cases: Cases, verdict: Verdict) -> Parameters:
    """Return better parameters (the M step). Honest weights only: what is suspected teaches nothing of honest trade."""
    witnesses = problem.witnesses
    case = witnesses.case
    innocent = 1 - verdict.case
    honest = (innocent * (1 - cases.online - cases.border - cases.away))[case]
    holder = witnesses.case_holder[case]
    weeks, count = len(parameters.week), problem.distributors
    away = honest * cases.travelled
    season = parameters.week[problem.week]

    pooled = (away / season).sum() / max(honest.sum(), 1.0)
    tau = np.bincount(holder, away / season, count) + 80 * pooled
    tau = np.clip(tau / (np.bincount(holder, honest, count) + 80), 0.01, 0.5)
    week = (np.bincount(problem.week, away, weeks) + 20) / (np.bincount(problem.week, honest * tau[holder], weeks) + 20)
    fixed = problem.answers.gps_cell != NONE
    total = away[fixed].sum()
    near = float((away * cases.near)[fixed].sum() / total) if total > 0 else parameters.near

    shifted = problem.sells_online
    online = np.bincount(witnesses.case_holder, innocent * cases.online, count)
    held = np.bincount(witnesses.case_holder, minlength=count).astype(np.float64)
    plain = float(np.clip(online[~shifted].sum() / max(held[~shifted].sum(), 1.0), 0.003, 0.15))
    own_online = np.clip((online + 0.5 * 20) / (held + 20), 0.05, 0.9)
    cases_seen = max(len(innocent), 1)
    by_verdict = _route_weights(problem, verdict)
    guilty_shipments = float(verdict.distributor[problem.distributor].sum())
    return replace(
        parameters,
        tau=tau,
        week=np.clip(week, 0.3, 5),
        near=float(np.clip(near, 0.05, 0.9)),
        moved=_share_moved(problem, honest),
        online=np.where(shifted, own_online, plain),
        border=float(np.clip((innocent * cases.border).sum() / cases_seen, 0.003, 0.15)),
        away=float(np.clip((innocent * cases.away).sum() / cases_seen, 0.002, 0.03)),
        diverters=float(np.clip((verdict.distributor.sum() + 1) / (count + 6), 0.03, 0.5)),
        rate=float(np.clip(verdict.shipment.sum() / max(guilty_shipments, 1e-9), 0.15, 0.8)),
        cells=_market_cells(problem, parameters, honest * (1 - cases.travelled)),
        habit=rows_to_one(by_verdict + 0.5 * parameters.prior),
        share=(verdict.share + SHARE_WEIGHT * GRID_WEIGHT) / (verdict.share.sum() + SHARE_WEIGHT),
    )


def _route_weights(problem: Problem, verdict: Verdict) -> Floats:
    routes = np.zeros((problem.distributors, problem.distributors + 1))
    np.add.at(routes, problem.distributor, verdict.by_destination[:, :-2])
    return routes


def _share_moved(problem: Problem, honest: Floats) -> float:
    """Return how many numbers were issued in another province, from scans that have both a fix and a number."""
    province = problem.geography.province
    within = np.array([province[problem.geography.members[code][0]] for code in problem.codes] + [NONE], np.int64)
    number = within[problem.scans.phone]
    both = (problem.scans.phone != NONE) & (problem.answers.gps_cell != NONE)
    other = both & (number != province[problem.answers.gps_cell])
    return float(np.clip((honest[other].sum() + 0.2 * 20) / (honest[both].sum() + 20), 0.02, 0.6))


def _market_cells(problem: Problem, parameters: Parameters, weight: Floats) -> Floats:
    """Return π_m: where honest goods of each market were sold, with 30 scans' worth of population share."""
    markets = problem.markets
    kernels = _evidence(problem, parameters)
    home = problem.home[problem.witnesses.case]
    sold = np.zeros(markets.cells.shape)
    for low in range(0, len(home), BLOCK_SCANS):
        part = slice(low, low + BLOCK_SCANS)
        order = np.argsort(home[part], kind="stable")
        rows = np.arange(len(home))[part][order]
        here = rows_to_one(parameters.cells[home[rows]] * kernels.here[kernels.row[rows]]) * weight[rows, None]
        present, starts = np.unique(home[rows], return_index=True)
        sold[present] += np.add.reduceat(here, starts, axis=0)
    prior = rows_to_one(markets.cells * problem.geography.population)
    found = rows_to_one(sold * markets.cells + 30 * prior)
    found[markets.nation] = prior[markets.nation]
    return found


def fit(problem: Problem, rounds: int = ROUNDS) -> Fit:
    """Learn the parameters in ``rounds`` of EM and judge once more."""
    parameters = first_guess(problem)
    for _ in range(rounds):
        cases = weigh_cases(problem, parameters)
        parameters = learn(problem, parameters, cases, judge(problem, parameters, cases))
    cases = weigh_cases(problem, parameters)
    return Fit(parameters, cases, judge(problem, parameters, cases))


def alert_list(probability: Floats, false_share: float = ALERT_FALSE_SHARE) -> Flags:
    """Return which shipments stand on the list whose expected false share is at most ``false_share`` (Bayesian FDR)."""
    order = np.argsort(-probability, kind="stable")
    mean_false = np.cumsum(1 - probability[order]) / np.arange(1, len(order) + 1)
    length = int(np.flatnonzero(mean_false <= false_share).max(initial=-1)) + 1
    alerted = np.zeros(len(probability), bool)
    alerted[order[:length]] = True
    return alerted
