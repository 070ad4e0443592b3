"""Codes that live twice: how probable is it that a label was copied, judged from how its scans follow each other. Pure.

Two naive-Bayes components, learned by EM over all codes: what follow-up scans of honest labels look like, and those of
copied ones (docs/algorithms/diversion.md, "Clones").
"""

from dataclasses import dataclass

import numpy as np

from analytics.geography import Flags, Floats, Ints, distance_km
from analytics.goods import NONE

KINDS = (
    "known device, same or near place",
    "known device, far",
    "known device, impossible",
    "new device, same city",
    "new device, near",
    "new device, far",
    "new device, impossible",
    "new device, no place",
)
NEAR_KM, IMPOSSIBLE_KM_H = 150.0, 900.0
HONEST_COUNTS = np.array([72, 5, 1, 12, 2, 4, 0.5, 3])
COPIED_COUNTS = np.array([2, 1, 1, 45, 10, 25, 10, 5])
HONEST_FLAGS, COPIED_FLAGS = np.array([0.004, 0.001]), np.array([0.02, 0.2])
"""Seen before it was shipped; never shipped."""
NEVER_SHIPPED_SCORE = 50.0
ROUNDS = 15
PRIOR_WEIGHT = 200.0
"""How many codes the first guess of a rate is worth."""


@dataclass(frozen=True)
class Sightings:
    """N scans that are not of staff. ``lat`` and ``lon`` are degrees, NaN where the city is unknown."""

    code: Ints
    at: Floats
    device: Ints
    city: Ints
    lat: Floats
    lon: Floats
    before_shipping: Flags
    never_shipped: Flags


@dataclass(frozen=True)
class Suspicion:
    """Each code once, ascending, with z: the log odds that it was copied."""

    code: Ints
    score: Floats
    follow_ups: Ints


def follow_up_kinds(seen: Sightings) -> tuple[Ints, Ints, Ints]:
    """Return (order, kind, code index): scans by code and time, and what kind of follow-up each is (−1: the first)."""
    order = np.lexsort((seen.device, seen.at, seen.code))
    code, device = seen.code[order], seen.device[order]
    _, index = np.unique(code, return_inverse=True)
    first = np.ones(len(order), bool)
    first[1:] = code[1:] != code[:-1]
    by_device = np.lexsort((np.arange(len(order)), device, code))
    again = np.zeros(len(order), bool)
    again[by_device[1:]] = (code[by_device[1:]] == code[by_device[:-1]]) & (
        device[by_device[1:]] == device[by_device[:-1]]
    )
    again &= device != NONE

    placed = ~np.isnan(seen.lat[order])
    last = np.where(placed, np.arange(len(order)), -1)
    before = np.concatenate([[-1], np.maximum.accumulate(last)[:-1]]) if len(order) else last
    comparable = placed & (before >= 0)
    comparable &= code[np.maximum(before, 0)] == code
    there = order[np.maximum(before, 0)]
    apart = distance_km(seen.lat[order], seen.lon[order], seen.lat[there], seen.lon[there])
    apart = np.where(comparable, apart, 0.0)
    hours = np.maximum((seen.at[order] - seen.at[there]) / 3600, 1e-6)
    far = comparable & (apart > NEAR_KM)
    impossible = far & (apart / hours > IMPOSSIBLE_KM_H)
    same = comparable & (seen.city[order] == seen.city[there])
    known = np.select([impossible, far], [2, 1], 0)
    new = np.select([~comparable, impossible, far, same], [7, 6, 5, 3], 4)
    kind = np.where(again, known, new)
    kind[first] = NONE
    return order, kind, index


def suspect(seen: Sightings) -> Suspicion:
    """Return z for every code that was seen. Never-shipped codes stand `NEVER_SHIPPED_SCORE` above what else is said."""
    codes = np.unique(seen.code)
    count = len(codes)
    if not count:
        return Suspicion(codes, np.zeros(0), np.zeros(0, np.int64))
    order, kind, index = follow_up_kinds(seen)
    following = kind != NONE
    table = np.zeros((count, len(KINDS)))
    np.add.at(table, (index[following], kind[following]), 1)
    n = table.sum(axis=1)
    flags = np.zeros((count, 2))
    np.maximum.at(flags[:, 0], index, seen.before_shipping[order])
    np.maximum.at(flags[:, 1], index, seen.never_shipped[order])

    share, go_on = 0.002, np.array([0.3, 0.9])
    kinds = np.stack([HONEST_COUNTS / HONEST_COUNTS.sum(), COPIED_COUNTS / COPIED_COUNTS.sum()])
    flag = np.stack([HONEST_FLAGS, COPIED_FLAGS])
    score = np.zeros(count)
    for _ in range(ROUNDS):
        score = np.log(share / (1 - share)) + table @ np.log(kinds[1] / kinds[0])
        score += flags @ np.log(flag[1] / flag[0]) + (1 - flags) @ np.log((1 - flag[1]) / (1 - flag[0]))
        score += n * np.log(go_on[1] / go_on[0]) + np.log((1 - go_on[1]) / (1 - go_on[0]))
        copied = 1 / (1 + np.exp(-np.clip(score, -500, 500)))
        weights = np.stack([1 - copied, copied])
        share = float(np.clip(copied.mean(), 1e-4, 0.02))
        kinds = np.stack([HONEST_COUNTS, COPIED_COUNTS]) + weights @ table
        kinds /= kinds.sum(axis=1, keepdims=True)
        told = weights.sum(axis=1)
        start = np.stack([HONEST_FLAGS, COPIED_FLAGS])
        flag = (weights @ flags + PRIOR_WEIGHT * start) / (told[:, None] + PRIOR_WEIGHT)
        further = weights @ n
        go_on = (further + PRIOR_WEIGHT * np.array([0.3, 0.9]) / (1 - np.array([0.3, 0.9]))) / (
            further + told + PRIOR_WEIGHT / (1 - np.array([0.3, 0.9]))
        )
    return Suspicion(codes, score + NEVER_SHIPPED_SCORE * flags[:, 1], n.astype(np.int64))
