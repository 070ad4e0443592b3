"""From raw scans to witnesses: which shipment each scan belongs to, and which scans count. Pure.

A label found by many people is one witness, and so is a person who found many labels of one shipment.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from analytics.geography import Flags, Floats, Ints

DAY_S = 86_400.0
WEEK_S = 7 * DAY_S
NONE = -1


@dataclass(frozen=True)
class Shipments:
    """S shipments of label ranges, both ends included; times in seconds since 1970, UTC."""

    distributor: Ints
    shipped_at: Floats
    first: Ints
    last: Ints
    labels_per_case: Ints

    def __len__(self) -> int:
        return len(self.first)


@dataclass(frozen=True)
class Transfers:
    """Cases that changed hands between distributors, with the time from which they are the new holder's."""

    shipment: Ints
    case_no: Ints
    distributor: Ints
    at: Floats


@dataclass(frozen=True)
class Scans:
    """N scans. Regions are indices into a list of codes, devices any numbers; `NONE` where nothing is known."""

    code: Ints
    at: Floats
    gps: Ints
    ip: Ints
    phone: Ints
    home: Ints
    device: Ints
    staff: Flags
    gps_accuracy_m: Floats
    at_border: Flags
    """The fix may be of either side of a market's border: it counts half."""

    def __len__(self) -> int:
        return len(self.code)

    def take(self, rows: NDArray[np.int64] | Flags) -> "Scans":
        return Scans(**{name: getattr(self, name)[rows] for name in self.__dataclass_fields__})


@dataclass(frozen=True)
class Attribution:
    """For each scan: its shipment, or `NONE`; whether its label was shipped only later, or never.

    Where there is a shipment: the number of its case, who held that at the scan, and how often it had changed hands.
    """

    shipment: Ints
    before_shipping: Flags
    never_shipped: Flags
    case_no: Ints
    holder: Ints
    hand: Ints


@dataclass(frozen=True)
class Witnesses:
    """The scans that count, sorted by shipment and case, n of them in C cases.

    ``row`` leads back to the scans; ``case`` numbers the cases from 0 in this order. A case that changed hands is two
    cases: what was seen of it before, and after.
    """

    row: Ints
    case: Ints
    case_shipment: Ints
    case_no: Ints
    case_holder: Ints


def _firsts(*keys: NDArray[np.int64] | Floats) -> Ints:
    """Return the rows that come first in each group of equal keys; the last key orders within a group."""
    order = np.lexsort(keys[::-1])
    changed = np.zeros(len(order), bool)
    changed[:1] = True
    for key in keys[:-1]:
        sorted_key = key[order]
        changed[1:] |= sorted_key[1:] != sorted_key[:-1]
    return order[changed]


def attribute(codes: Ints, at: Floats, shipments: Shipments, transfers: Transfers) -> Attribution:
    """Return where each scanned label was shipped: the latest shipment at or before the scan that holds it."""
    count = len(shipments)
    if not count:
        nothing, nowhere = np.zeros(len(codes), bool), np.full(len(codes), NONE)
        return Attribution(nowhere, nothing, ~nothing, nowhere, nowhere, np.zeros(len(codes), np.int64))
    bounds = np.unique(np.concatenate([shipments.first, shipments.last + 1]))
    low = np.searchsorted(bounds, shipments.first)
    spans = np.searchsorted(bounds, shipments.last + 1) - low
    owner = np.repeat(np.arange(count), spans)
    offsets = np.arange(spans.sum()) - np.repeat(np.cumsum(spans) - spans, spans)
    segment = low[owner] + offsets
    order = np.lexsort((np.arange(count), shipments.shipped_at))
    rank = np.empty(count, np.int64)
    rank[order] = np.arange(1, count + 1)
    keys = segment * (count + 1) + rank[owner]
    by_key = np.argsort(keys)
    keys, owner, segment = keys[by_key], owner[by_key], segment[by_key]

    scan_segment = np.searchsorted(bounds, codes, "right") - 1
    scan_rank = np.searchsorted(shipments.shipped_at[order], at, "right")
    place = np.searchsorted(keys, scan_segment * (count + 1) + scan_rank, "right") - 1
    held = (place >= 0) & (segment[place] == scan_segment)
    known = np.isin(scan_segment, segment)
    shipment = np.where(held, owner[place], NONE)
    case_no = np.where(held, (codes - shipments.first[shipment]) // shipments.labels_per_case[shipment], NONE)
    holder = np.where(held, shipments.distributor[shipment], NONE)
    return Attribution(shipment, known & ~held, ~known, case_no, *_pass_on(transfers, shipment, case_no, holder, at))


def _pass_on(transfers: Transfers, shipment: Ints, case_no: Ints, holder: Ints, at: Floats) -> tuple[Ints, Ints]:
    """Return who held each scan's case after these transfers, and how often it had changed hands."""
    holder, hand = holder.copy(), np.zeros(len(holder), np.int64)
    if not len(transfers.at):
        return holder, hand
    width = int(max(case_no.max(initial=0), transfers.case_no.max())) + 1
    key = np.where(shipment == NONE, NONE, shipment * width + case_no)
    order = np.argsort(key, kind="stable")
    wanted = transfers.shipment * width + transfers.case_no
    low, high = np.searchsorted(key[order], wanted), np.searchsorted(key[order], wanted, "right")
    for number in np.argsort(transfers.at, kind="stable"):
        rows = order[low[number] : high[number]]
        rows = rows[at[rows] >= transfers.at[number]]
        holder[rows] = transfers.distributor[number]
        hand[rows] += 1
    return holder, hand


def witnesses(scans: Scans, attribution: Attribution, out: Flags) -> Witnesses:
    """Return the scans that count: the first of each label since shipping, then the first of each device in a shipment.

    ``out``: scans that never count, such as those of staff and of confirmed clones.
    """
    rows = np.flatnonzero((attribution.shipment != NONE) & ~out)
    # Equal times are broken by what was seen, never by the order of the rows.
    rows = rows[np.lexsort((scans.phone[rows], scans.ip[rows], scans.gps[rows], scans.code[rows]))]
    shipment = attribution.shipment[rows]
    rows = rows[_firsts(scans.code[rows], shipment, scans.at[rows])]
    shipment = attribution.shipment[rows]
    device = scans.device[rows]
    alone = device == NONE
    device = np.where(alone, -2 - np.arange(len(rows)), device)
    rows = rows[_firsts(shipment, device, scans.at[rows])]

    shipment, case_no = attribution.shipment[rows], attribution.case_no[rows]
    holder, hand = attribution.holder[rows], attribution.hand[rows]
    order = np.lexsort((scans.code[rows], hand, case_no, shipment))
    rows, shipment, case_no, holder, hand = (part[order] for part in (rows, shipment, case_no, holder, hand))
    new = np.ones(len(rows), bool)
    new[1:] = (shipment[1:] != shipment[:-1]) | (case_no[1:] != case_no[:-1]) | (hand[1:] != hand[:-1])
    return Witnesses(rows, np.cumsum(new) - 1, shipment[new], case_no[new], holder[new])
