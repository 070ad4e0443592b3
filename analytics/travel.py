"""Where honest goods are scanned outside the market that they were sold in: the base rate beside what was seen. Pure.

The fit's own kernels, run forwards: a unit is sold in a cell of its market (π_m), its buyer is met elsewhere with
probability τ·w (docs/algorithms/diversion.md, "Travel"), and then a source tells a place, which may be wrong. Sales over
the nation and over a border are not in it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np

from analytics.evidence import Answers, gps_table, ip_table, phone_table
from analytics.geography import Floats
from analytics.goods import NONE, WEEK_S
from analytics.rescoring import State

SOURCES = ("gps", "ip", "phone")
WEEK = timedelta(days=7)
MOST_CELLS = 1_500
"""Above so many cells the square tables are for the night, not for a page."""


@dataclass(frozen=True)
class Base:
    """What is the same in all weeks: the places that sources tell, and P(told | cell) of each source."""

    codes: tuple[str, ...]
    told: dict[str, Floats]
    """(codes, J) of each source; a column sums to 1, or less where no code covers the cell."""


def base_of(state: State, codes: Sequence[str]) -> Base:
    """Return the tables for region codes, of which those that the fit does not know are left out.

    Codes of one source must be of one level: a cell and its province are told by different scans.
    """
    geography = state.geography
    known = tuple(code for code in codes if code in geography.members)
    tables = (
        gps_table(geography, _good_fixes(len(known)), known),
        ip_table(geography, state.ip, known),
        phone_table(geography, state.parameters.moved, known),
    )
    return Base(known, {source: table[1:] for source, table in zip(SOURCES, tables, strict=True)})


def _good_fixes(count: int) -> Answers:
    nothing = np.zeros(0, np.int64)
    return Answers(nothing, nothing, nothing, nothing, tuple((code, 0, False) for code in range(count)))


def scanned_in(state: State, distributor: int, mondays: Sequence[date]) -> Floats:
    """Return (J, weeks): where scans of a distributor's honest goods are made; 0 while it has no market."""
    geography, learned, weeks = state.geography, state.parameters, len(mondays)
    markets = np.array([state.markets.of[geography.epoch_of(day), distributor] for day in mondays], np.int64)
    middle = np.array([_middle(day) for day in mondays])
    number = np.clip((middle - state.start) // WEEK_S, 0, len(learned.week) - 1).astype(np.int64)
    season = learned.week[number]
    tau = np.clip(learned.tau[distributor] * season, 0.005, 0.6)
    holiday = np.clip((season - 1.3) / 1.2, 0, 0.8)
    found = np.zeros((len(geography.codes), weeks))
    for market in sorted(set(markets.tolist()) - {NONE}):
        sold = learned.cells[market]
        trip = sold @ (learned.near * geography.near + (1 - learned.near) * geography.grav)
        away = np.outer(trip, 1 - holiday) + np.outer(sold @ geography.migration, holiday)
        found += np.where(markets == market, np.outer(sold, 1 - tau) + away * tau, 0)
    return found


def _middle(monday: date) -> float:
    return (datetime(monday.year, monday.month, monday.day, tzinfo=UTC) + WEEK / 2).timestamp()


def spread(base: Base, source: str, scanned: Floats) -> Floats:
    """Return (codes, weeks): the share of a source's scans that name each region, given where scans are made."""
    told = base.told[source] @ scanned
    sums = told.sum(axis=0, keepdims=True)
    return np.asarray(np.divide(told, sums, out=np.zeros_like(told), where=sums > 0), np.float64)


def main_cells(state: State) -> dict[int, str]:
    """Return the code of the cell in which most of each partner's goods are sold, as its last market stands."""
    latest = state.markets.of[len(state.geography.epochs) - 1]  # of what is in no line of its own
    found = {}
    for number, partner in enumerate(state.partners):
        if latest[number] != NONE:
            found[partner] = state.geography.codes[int(np.argmax(state.parameters.cells[latest[number]]))]
    return found
