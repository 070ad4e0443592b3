"""What a scan's GPS fix, IP address and phone number say of the cell where it happened. Pure.

Each source gives a table: one row for each answer it gave, one column for each cell k, P(answer | k). A scan's evidence
vector is the product of its rows; a source that is silent says nothing (1). An answer that names a province, or a city
that is split, is summed over the cells below it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analytics.geography import Floats, Geography, Ints, rows_to_one
from analytics.goods import NONE, Scans

GPS_RIGHT = 0.985
GPS_RIGHT_IF_POOR = 0.9
POOR_M, COARSE_M = 3_000.0, 20_000.0
IP_PRIOR = np.array([6, 1, 1, 0.5, 0.5, 0.5])
"""Dirichlet prior of the six ways in which an IP place is right or wrong (design: classes c1 … c6)."""
SAME_PLACE_NUMBER = 0.9
BORDER_WEIGHT = 0.5
"""Of the logarithm of what a fix tells near a market's border, where no polygons say on which side it lies."""


@dataclass(frozen=True)
class Answers:
    """The distinct answers of the three sources, and for each scan which ones it has (row 0 of a table: silent)."""

    gps: Ints
    ip: Ints
    phone: Ints
    gps_cell: Ints
    """The one cell that the fix names, `NONE` if it names none or several."""
    gps_codes: tuple[tuple[int, int, bool], ...]
    """(index of the region code, class of accuracy: 0 good, 1 poor, 2 province only; whether a border is near)."""


def read_answers(scans: Scans, geography: Geography, codes: Sequence[str]) -> Answers:
    """Return the answers of ``scans``; ``codes`` are the region codes that the scans' indices name."""
    accuracy = np.nan_to_num(scans.gps_accuracy_m, nan=0.0)
    grade = (accuracy > POOR_M).astype(np.int64) + (accuracy > COARSE_M)
    pairs = np.where(scans.gps == NONE, NONE, scans.gps * 6 + grade * 2 + scans.at_border)
    distinct, row = np.unique(np.append(pairs, NONE), return_inverse=True)
    named = [geography.members[code] for code in codes]
    single = np.array([cells[0] if len(cells) == 1 else NONE for cells in named] + [NONE], np.int64)
    cell = single[scans.gps]
    return Answers(
        gps=row[:-1],
        ip=scans.ip + 1,
        phone=scans.phone + 1,
        gps_cell=np.where(grade == 2, NONE, cell),
        gps_codes=tuple((pair // 6, pair % 6 // 2, pair % 2 == 1) for pair in distinct[1:].tolist()),
    )


def _with_silence(table: Floats) -> Floats:
    return np.concatenate([np.ones((1, table.shape[1])), table])


def gps_table(geography: Geography, answers: Answers, codes: Sequence[str]) -> Floats:
    """Return P(fix | k), (1 + answers, J)."""
    if not answers.gps_codes:
        return np.ones((1, len(geography.codes)))
    rows = geography.membership([codes[code] for code, *_ in answers.gps_codes])
    grade = np.array([grade for _, grade, _ in answers.gps_codes])
    weight = np.array([BORDER_WEIGHT if border else 1.0 for *_, border in answers.gps_codes])[:, None]
    provinces = geography.province[np.argmax(rows, axis=1)]
    rows = np.where((grade == 2)[:, None], geography.province[None, :] == provinces[:, None], rows)
    right = np.where(grade == 1, GPS_RIGHT_IF_POOR, GPS_RIGHT)[:, None]
    return _with_silence((right * rows + (1 - right) * (rows @ geography.near.T)) ** weight)


@dataclass(frozen=True)
class IpHabits:
    """How often an IP place is wrong, and where it then points: learned from scans that also have a fix."""

    classes: Floats
    capital: Ints
    """(provinces,): the cell to which the province's addresses are drawn."""
    hub: Floats
    """(J,): where addresses of other provinces surface: gateways."""


def learn_ip(geography: Geography, fixes: Ints, answers: Ints, codes: Sequence[str]) -> IpHabits:
    """Return the habits counted from pairs of a fix's cell and an IP answer (index into ``codes``, or `NONE`)."""
    cells, provinces = len(geography.codes), int(geography.province.max()) + 1
    members = [geography.members[code] for code in codes]
    single = np.array([found[0] if len(found) == 1 else NONE for found in members] + [NONE], np.int64)
    within = np.array(
        [
            geography.province[found[0]] if len(set(geography.province[found].tolist())) == 1 else NONE
            for found in members
        ]
        + [NONE],
        np.int64,
    )
    cell, province = single[answers], within[answers]
    home = geography.province[fixes]
    drawn = 0.02 * geography.share
    strays = (cell != NONE) & (cell != fixes) & (province == home)
    drawn = drawn + np.bincount(cell[strays], minlength=cells)
    capital = np.array(
        [np.argmax(np.where(geography.province == number, drawn, -1.0)) for number in range(provinces)], np.int64
    )
    kinds = np.select(
        [
            answers == NONE,
            cell == fixes,
            (cell == NONE) & (province == home),
            (province == home) & (cell == capital[home]),
            province == home,
        ],
        [5, 0, 1, 2, 3],
        4,
    )
    counts = IP_PRIOR + np.bincount(kinds, minlength=6)
    wrong = np.bincount(cell[(kinds == 4) & (cell != NONE)], minlength=cells).astype(np.float64)
    hub = wrong + 0.02 * geography.population / geography.population.mean()
    return IpHabits(counts / counts.sum(), capital, hub / hub.sum())


def ip_table(geography: Geography, habits: IpHabits, codes: Sequence[str]) -> Floats:
    """Return P(IP place | k), (1 + codes, J)."""
    if not codes:
        return np.ones((1, len(geography.codes)))
    right, vague, drawn, astray, far, _ = habits.classes
    province = geography.province
    same = province[:, None] == province[None, :]
    cells = len(geography.codes)
    sizes = np.bincount(province)[province]
    to_capital = np.zeros((cells, cells))
    to_capital[habits.capital[province], np.arange(cells)] = 1
    others = np.where(same & ~np.eye(cells, dtype=bool), 1 / np.maximum(sizes - 1, 1)[None, :], 0)
    elsewhere = np.where(same, 0, habits.hub[:, None])
    # (answer cell, k)
    exact = right * np.eye(cells) + drawn * to_capital + astray * others + far * elsewhere
    rows = geography.membership(codes)
    several = rows.sum(axis=1) > 1
    table = rows @ exact
    in_province = np.array([np.isin(province, province[row > 0]) for row in rows], np.float64)
    table[several] += vague * in_province[several]
    return _with_silence(table)


def phone_table(geography: Geography, moved: float, codes: Sequence[str]) -> Floats:
    """Return P(region of the number | k), (1 + codes, J); ``moved``: share of numbers issued in another province."""
    if not codes:
        return np.ones((1, len(geography.codes)))
    province = geography.province
    same = np.where(province[:, None] == province[None, :], geography.share[None, :], 0)
    issued = (1 - moved) * (SAME_PLACE_NUMBER * np.eye(len(province)) + (1 - SAME_PLACE_NUMBER) * rows_to_one(same))
    issued = issued + moved * geography.migration
    return _with_silence(geography.membership(codes) @ issued.T)


def home_table(geography: Geography, codes: Sequence[str]) -> Floats:
    """Return where a member whose usual region is known is met when away from the shop: (1 + codes, J), row 0 unused."""
    if not codes:
        return np.zeros((1, len(geography.codes)))
    inside = rows_to_one(geography.membership(codes) * geography.share)
    around = 0.8 * np.eye(len(geography.codes)) + 0.15 * geography.near + 0.05 * geography.grav
    return np.concatenate([np.zeros((1, len(geography.codes))), inside @ around])
