"""What is judged, laid out as arrays: markets, shipments, cases and the scans that count. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from analytics.evidence import Answers, IpHabits, learn_ip, read_answers
from analytics.geography import NOBODY, Flags, Floats, Geography, Ints, rows_to_one
from analytics.goods import NONE, WEEK_S, Scans, Witnesses

ETA = 0.8
"""Tempering of a case's likelihood ratio: witnesses of one case are not quite independent."""
BROKEN_UP = 0.3
"""Share of cases whose units are sold in several shops."""


@dataclass(frozen=True)
class Markets:
    """Where distributors sell: M rows, the last two being all cells that nobody owns, and the whole nation.

    ``of[e, d]``: the row of distributor d in epoch e, or `NONE`; column D is the unowned market.
    """

    cells: Flags
    of: Ints
    population: Floats
    spill: Floats
    """(M, J): where goods of the market trickle over its border; rows sum to 1."""

    @property
    def nation(self) -> int:
        return len(self.cells) - 1

    @cached_property
    def exist(self) -> Flags:
        """(E, M): which markets there are in each epoch; the nation is none."""
        found = np.zeros((len(self.of), len(self.cells)), bool)
        epoch, distributor = np.nonzero(self.of != NONE)
        found[epoch, self.of[epoch, distributor]] = True
        return found


def find_markets(geography: Geography, distributors: int) -> Markets:
    """Return the distinct markets of all epochs."""
    rows: dict[tuple[int, bytes], int] = {}
    cells: list[Flags] = []
    of = np.full((len(geography.owners), distributors + 1), NONE, np.int64)
    for epoch, owners in enumerate(geography.owners):
        for distributor in [*range(distributors), NOBODY]:
            mine = owners == distributor
            if mine.any():
                key = (distributor, mine.tobytes())
                if key not in rows:
                    rows[key] = len(cells)
                    cells.append(mine)
                of[epoch, distributor] = rows[key]  # NOBODY is −1: the last column
    cells.append(np.ones(len(geography.codes), bool))
    table = np.array(cells)
    spill = np.zeros(table.shape)
    for row, mine in enumerate(table[:-1]):
        border_km = geography.distances[:, mine].min(axis=1)
        spill[row] = np.where(mine, 0, geography.population * np.exp(-border_km / 80))
    spill[-1] = geography.population
    empty = spill.sum(axis=1) == 0
    spill[empty] = geography.population
    return Markets(table, of, table @ geography.population, rows_to_one(spill))


@dataclass(frozen=True)
class Known:
    """Kernels that are known instead of assumed and learned: a simulator's own, for its oracle."""

    gps: Floats
    """P(answer | k), rows as in `evidence.gps_table`; likewise the next two."""
    ip: Floats
    phone: Floats
    trip: Floats
    """(J, J)"""
    broken_up: float


@dataclass(frozen=True)
class Problem:
    """All that is judged: the witnesses of S shipments of D distributors, C cases, n scans."""

    geography: Geography
    codes: tuple[str, ...]
    markets: Markets
    distributor: Ints
    """(S,)"""
    sells_online: Flags
    """(D,)"""
    case_epoch: Ints
    """(C,): the epoch in which each case was shipped."""
    witnesses: Witnesses
    scans: Scans
    """The n witnesses."""
    answers: Answers
    ip: IpHabits
    week: Ints
    known: Known | None = None
    tempering: float = ETA

    @property
    def broken_up(self) -> float:
        return self.known.broken_up if self.known else BROKEN_UP

    @property
    def eta(self) -> float:
        return 1.0 if self.known else self.tempering

    @property
    def distributors(self) -> int:
        return len(self.sells_online)

    @property
    def home(self) -> Ints:
        """(C,): the market row in which each case is honestly sold; the nation if its holder has no territory."""
        rows = self.markets.of[self.case_epoch, self.witnesses.case_holder]
        return np.where(rows == NONE, self.markets.nation, rows)


def case_epochs(witnesses: Witnesses, epoch: Ints, scan_epoch: Ints | None) -> Ints:
    """Return the epoch of each case: that of its shipment, or of the product of its first witness's label."""
    if scan_epoch is None:
        return epoch[witnesses.case_shipment]
    first = np.searchsorted(witnesses.case, np.arange(len(witnesses.case_shipment)))
    return scan_epoch[witnesses.row[first]]


def pose(
    geography: Geography,
    codes: Sequence[str],
    *,
    distributor: Ints,
    epoch: Ints,
    sells_online: Flags,
    scans: Scans,
    witnesses: Witnesses,
    scan_epoch: Ints | None = None,
    eta: float = ETA,
) -> Problem:
    """Return the problem that these scans pose. IP habits are counted from all scans that are not of staff.

    ``scan_epoch``: (N,) the epoch of each scanned label's own product, where a shipment may hold several.
    """
    public = scans.take(~scans.staff)
    every = read_answers(public, geography, codes)
    fixed = every.gps_cell != NONE
    seen = scans.take(witnesses.row)
    start = seen.at.min() if len(seen) else 0.0
    return Problem(
        geography=geography,
        codes=tuple(codes),
        markets=find_markets(geography, len(sells_online)),
        distributor=distributor,
        sells_online=sells_online,
        case_epoch=case_epochs(witnesses, epoch, scan_epoch),
        witnesses=witnesses,
        scans=seen,
        answers=read_answers(seen, geography, codes),
        ip=learn_ip(geography, every.gps_cell[fixed], public.ip[fixed], codes),
        week=((seen.at - start) // WEEK_S).astype(np.int64),
        tempering=eta,
    )
