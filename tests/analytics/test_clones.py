"""Copied codes: how follow-up scans are told apart, and what they say."""

import numpy as np

from analytics import clones
from analytics.goods import NONE

HANGZHOU, SHAOXING, CHENGDU = (0, 30.27, 120.15), (1, 30.0, 120.58), (2, 30.66, 104.06)
NOWHERE = (NONE, np.nan, np.nan)
HOUR = 3600.0
Row = tuple[int, float, int, tuple[int, float, float]]


def sightings(*rows: Row, never: tuple[int, ...] = ()) -> clones.Sightings:
    code = np.array([row[0] for row in rows])
    return clones.Sightings(
        code=code,
        at=np.array([row[1] for row in rows]),
        device=np.array([row[2] for row in rows]),
        city=np.array([row[3][0] for row in rows]),
        lat=np.array([row[3][1] for row in rows]),
        lon=np.array([row[3][2] for row in rows]),
        before_shipping=np.zeros(len(rows), bool),
        never_shipped=np.isin(code, never),
    )


def test_each_kind_of_follow_up() -> None:
    seen = sightings(
        (7, 0, 1, HANGZHOU),
        (7, 1 * HOUR, 1, HANGZHOU),
        (7, 2 * HOUR, 1, CHENGDU),
        (7, 90 * HOUR, 1, HANGZHOU),
        (7, 91 * HOUR, 2, HANGZHOU),
        (7, 93 * HOUR, 3, SHAOXING),
        (7, 193 * HOUR, 4, CHENGDU),
        (7, 193.5 * HOUR, NONE, HANGZHOU),
        (7, 194 * HOUR, 5, NOWHERE),
    )

    _, kind, _ = clones.follow_up_kinds(seen)

    assert kind.tolist() == [NONE, 0, 2, 1, 3, 4, 5, 6, 7]


def test_many_strangers_far_apart_are_suspect_and_one_family_is_not() -> None:
    family = [(code, code * HOUR, code, HANGZHOU) for code in range(100, 400)]
    family += [(code, (code + 2) * HOUR, code, HANGZHOU) for code in range(100, 200)]
    copied = [(7, day * 30 * HOUR, 1000 + day, CHENGDU if day % 2 else HANGZHOU) for day in range(8)]

    found = clones.suspect(sightings(*family, *copied, (9, 5 * HOUR, 2000, HANGZHOU), never=(9,)))

    score = dict(zip(found.code.tolist(), found.score.tolist(), strict=True))
    assert score[7] > 3
    assert score[9] > 40
    assert max(value for code, value in score.items() if code >= 100) < -3


def test_nothing_seen_is_nothing_suspected() -> None:
    assert len(clones.suspect(sightings()).code) == 0
