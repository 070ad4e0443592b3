"""From scans and papers to a judgement, wherever they were read from: files, or a brand's database. Pure."""

from dataclasses import dataclass

import numpy as np

from analytics import clones, diversion, goods
from analytics.geography import Flags, Floats, Geography, Ints
from analytics.goods import NONE, Attribution, Scans
from analytics.problem import ETA, Problem, pose as problem_of


@dataclass(frozen=True)
class Facts:
    """All that is known: S shipments of D distributors, N scans, and which shipment each scan belongs to.

    ``copied``: scans that are left out because their label is known to have been copied.
    """

    geography: Geography
    codes: tuple[str, ...]
    """The region codes that the scans' indices name."""
    distributor: Ints
    """(S,)"""
    epoch: Ints
    """(S,)"""
    sells_online: Flags
    """(D,)"""
    scans: Scans
    attribution: Attribution
    copied: Flags | None = None
    scan_epoch: Ints | None = None
    """(N,): the epoch of each scan's shipment for the product of its label, where products differ in their lines."""


@dataclass(frozen=True)
class Scored:
    """Facts, judged."""

    problem: Problem
    fit: diversion.Fit
    suspicion: clones.Suspicion
    counts: dict[str, int]


def places_of(geography: Geography, codes: tuple[str, ...], scans: Scans) -> tuple[Ints, Floats, Floats]:
    """Return the city cell of each scan with its position: the fix, else the address; `NONE` and NaN without."""
    single = [geography.members[code][0] if len(geography.members[code]) == 1 else NONE for code in codes]
    cell_of = np.array([*single, NONE], np.int64)
    cell = np.where(cell_of[scans.gps] != NONE, cell_of[scans.gps], cell_of[scans.ip])
    known = cell != NONE
    return cell, np.where(known, geography.lat[cell], np.nan), np.where(known, geography.lon[cell], np.nan)


def suspect_codes(facts: Facts) -> clones.Suspicion:
    """Return how probably each code was copied."""
    public = ~facts.scans.staff
    scans = facts.scans.take(public)
    city, lat, lon = places_of(facts.geography, facts.codes, scans)
    return clones.suspect(
        clones.Sightings(
            code=scans.code,
            at=scans.at,
            device=scans.device,
            city=city,
            lat=lat,
            lon=lon,
            before_shipping=facts.attribution.before_shipping[public],
            never_shipped=facts.attribution.never_shipped[public],
        )
    )


def pose(facts: Facts, *, eta: float = ETA) -> tuple[Problem, clones.Suspicion, dict[str, int]]:
    """Return the diversion problem, the suspected copies, and what was left out, by reason."""
    scans, attribution = facts.scans, facts.attribution
    suspicion = suspect_codes(facts)
    copied = np.isin(scans.code, suspicion.code[suspicion.score > 0])
    if facts.copied is not None:
        copied |= facts.copied
    witnesses = goods.witnesses(scans, attribution, scans.staff | copied)
    problem = problem_of(
        facts.geography,
        facts.codes,
        distributor=facts.distributor,
        epoch=facts.epoch,
        sells_online=facts.sells_online,
        scans=scans,
        witnesses=witnesses,
        scan_epoch=facts.scan_epoch,
        eta=eta,
    )
    public = ~scans.staff
    counts = {
        "scans": len(scans),
        "witnesses": len(witnesses.row),
        "by staff": int(scans.staff.sum()),
        "never shipped": int((attribution.never_shipped & public).sum()),
        "before shipping": int((attribution.before_shipping & public).sum()),
        "of copied codes": int((copied & public & (attribution.shipment != NONE)).sum()),
    }
    counts["label or device seen before"] = counts["scans"] - sum(
        counts[name] for name in ("witnesses", "by staff", "never shipped", "before shipping", "of copied codes")
    )
    return problem, suspicion, counts


def score(facts: Facts, *, eta: float = ETA) -> Scored:
    """Judge the facts."""
    problem, suspicion, counts = pose(facts, eta=eta)
    return Scored(problem, diversion.fit(problem), suspicion, counts)
