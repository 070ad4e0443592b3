"""Property tests of the pure parts: IW1, LD1, rules, fairness."""

import itertools
from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from unittest import mock

import numpy as np
import pytest
from hypothesis import given, strategies as st

from lottery import fairness, prf
from lottery.draw import Entry, Prize, listed, order_of, select
from lottery.rules import claim_deadline, series, share

KEY, TAG = bytes(range(32)), b"12345678"
SPANS = st.lists(
    st.tuples(st.integers(1, 3000), st.integers(1, 300)).map(lambda pair: (pair[0], pair[0] + pair[1])), max_size=5
)


def labels_in(spans):
    return {label for first, beyond in spans for label in range(first, beyond)}


# --- IW1 ---------------------------------------------------------------------------------------------------------------


@given(SPANS, SPANS)
def test_subtract_is_the_difference_of_sets(spans, out):
    left = prf.subtract(spans, out)

    assert labels_in(left) == labels_in(spans) - labels_in(out)
    assert prf.count(left) == len(labels_in(left))
    assert all(a[1] < b[0] for a, b in itertools.pairwise(left))


@given(SPANS, SPANS, st.lists(st.integers(0, 400), min_size=1, max_size=5))
def test_tier_counts_are_exact(spans, out, quantities):
    eligible = prf.subtract(spans, out)
    if sum(quantities) > prf.count(eligible):
        with pytest.raises(ValueError, match="fewer labels"):
            prf.thresholds(KEY, TAG, eligible, quantities)
        return

    limits = prf.thresholds(KEY, TAG, eligible, quantities)

    assert prf.tier_counts(KEY, TAG, eligible, limits) == quantities
    labels = sorted(labels_in(eligible))
    won = Counter(prf.tiers_of(prf.Blocks(KEY), TAG, labels, limits))
    assert [won[tier] for tier in range(1, len(quantities) + 1)] == quantities
    assert prf.thresholds_from(prf.thresholds_json(limits)) == limits


def test_every_label_may_win():
    limits = prf.thresholds(KEY, TAG, [(1, 501)], [200, 0, 300])
    assert prf.tier_counts(KEY, TAG, [(1, 501)], limits) == [200, 0, 300]


def test_ties_break_by_the_label_number():
    """Only four different numbers: nearly all labels tie."""

    def coarse(key, tag, first, beyond):
        labels = np.arange(first, beyond, dtype=np.uint64)
        blocks = np.zeros(2 * len(labels), dtype=">u8")
        blocks[::2] = (labels * np.uint64(7919)) % np.uint64(4)
        return blocks

    with mock.patch.object(prf, "_stream", coarse):
        for quantities in ([1, 0, 2], [333, 1], [10, 490], [500]):
            limits = prf.thresholds(KEY, TAG, [(1, 501)], quantities)
            assert prf.tier_counts(KEY, TAG, [(1, 501)], limits) == quantities
            drawn = {label: label * 7919 % 4 for label in range(1, 501)}
            won = Counter(prf.tier_of(drawn[label], label, limits) for label in range(1, 501))
            assert [won[tier] for tier in range(1, len(quantities) + 1)] == quantities


@given(st.integers(1, 2**62), st.integers(1, 40))
def test_scalar_and_vector_agree(first, n):
    many = prf.numbers(KEY, TAG, first, first + n).tolist()
    assert many == [prf.number(KEY, TAG, label) for label in range(first, first + n)]


def test_spans_longer_than_a_chunk_are_one_stream():
    n = prf.CHUNK + 3
    assert len(prf.numbers(KEY, TAG, 1, 1 + n)) == n
    limits = prf.thresholds(KEY, TAG, [(1, 1 + n)], [5, 50])
    assert prf.tier_counts(KEY, TAG, [(1, 1 + n)], limits) == [5, 50]


# --- LD1 ---------------------------------------------------------------------------------------------------------------

ENTRIES = st.lists(
    st.builds(
        lambda no, who, kin, weight: (no, f"{who:032x}", f"{kin:032x}" if kin else "", weight),
        st.integers(1, 10**6), st.integers(1, 9), st.integers(0, 3), st.integers(1, 50),
    ),
    max_size=25, unique_by=lambda row: row[0],
)  # fmt: skip


def made(rows):
    return [
        Entry(entry=no, who=who, weight=weight, src="free", ref=f"{no:032x}", kin=kin) for no, who, kin, weight in rows
    ]


@given(ENTRIES, st.randoms(use_true_random=False))
def test_the_order_in_which_entries_came_is_of_no_account(rows, rng):
    entries = made(rows)
    shuffled = list(entries)
    rng.shuffle(shuffled)

    assert listed(entries) == listed(shuffled)


@given(ENTRIES.filter(bool), st.data())
def test_any_change_of_an_entry_changes_the_root(rows, data):
    entries = made(rows)
    place = data.draw(st.integers(0, len(entries) - 1))
    name = data.draw(st.sampled_from(["entry", "who", "weight", "src", "ref", "kin"]))
    old = getattr(entries[place], name)
    changed = list(entries)
    changed[place] = replace(entries[place], **{name: old + 1 if isinstance(old, int) else f"{old}0"})

    assert listed(changed).root != listed(entries).root
    assert listed(entries[:place] + entries[place + 1 :]).root != listed(entries).root


@given(
    ENTRIES,
    st.sampled_from(["entry", "who", "kin"]),
    st.integers(0, 4),
    st.integers(0, 3),
    st.binary(min_size=32, max_size=32),
)
def test_nobody_is_picked_twice_and_nothing_is_left_that_could_be(rows, one_per, quantity, alternates, seed):
    entries = made(rows)
    prizes = [Prize(1, quantity, alternates), Prize(2, quantity, 0)]

    picks = select(seed=seed, entries=entries, prizes=prizes, one_per=one_per)

    keys = [entries[pick.index].key(one_per) for pick in picks]
    assert len(set(keys)) == len(keys)
    assert len(picks) == min(len(order_of(prizes)), len({entry.key(one_per) for entry in entries}))
    assert [(pick.tier, pick.unit, pick.role) for pick in picks] == order_of(prizes)[: len(picks)]


def test_frequencies_fit_the_weights():
    entries = made([(n, f"{n:032x}", "", weight) for n, weight in enumerate((1, 2, 3, 4, 10), 1)])
    won = Counter(
        select(seed=n.to_bytes(32, "big"), entries=entries, prizes=[Prize(1, 1, 0)], one_per="entry")[0].index
        for n in range(10_000)
    )
    expected = np.array([1, 2, 3, 4, 10]) / 20 * 10_000
    statistic = float((((np.array([won[i] for i in range(5)]) - expected) ** 2) / expected).sum())

    assert fairness.upper_gamma(2, statistic / 2) > 1e-6


# --- rules -------------------------------------------------------------------------------------------------------------


@given(st.integers(0, 1000), st.lists(st.integers(0, 10**6), min_size=1, max_size=8))
def test_pools_share_by_largest_remainder(quantity, sizes):
    parts = share(quantity, sizes)

    assert sum(parts) == (quantity if sum(sizes) else 0)
    if sum(sizes):
        assert all(abs(part - quantity * size / sum(sizes)) < 1 for part, size in zip(parts, sizes, strict=True))


def test_a_claim_lasts_to_the_end_of_its_last_day():
    won = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)  # 04:00 on the 23rd in Shanghai
    assert claim_deadline(won, 30, "Asia/Shanghai") == datetime(2026, 12, 23, 16, 0, tzinfo=UTC)


def test_a_series_keeps_its_hour_when_the_clock_changes():
    first = datetime(2026, 10, 18, 18, 0, tzinfo=UTC)  # 20:00 in Berlin, in summer
    assert [at.hour for at in series(first, every_days=7, times=3, zone="Europe/Berlin")] == [18, 19, 19]


# --- fairness ------------------------------------------------------------------------------------------------------------


def test_chi_square_tails_are_those_of_the_tables():
    """Abramowitz & Stegun, table 26.8: upper 5 % and 0.1 % points."""
    for freedom, point, p in ((1, 3.84146, 0.05), (10, 18.3070, 0.05), (30, 43.7729, 0.05), (5, 20.515, 0.001)):
        assert fairness.upper_gamma(freedom / 2, point / 2) == pytest.approx(p, rel=1e-3)


def test_uneven_wins_stand_out_and_even_ones_do_not():
    assert fairness.spread([50, 52, 48], [1000, 1000, 1000]).p > 0.5
    assert fairness.spread([90, 30, 30], [1000, 1000, 1000]).p < 1e-6


def test_few_wins_are_judged_by_simulation():
    few = fairness.spread([3, 0, 0], [10, 10, 10])

    assert few.by_simulation
    assert few.p == pytest.approx(3 * 120 / 4060, abs=0.02)  # all three in one cell: 3 · C(10, 3) ÷ C(30, 3)
    assert few == fairness.spread([3, 0, 0], [10, 10, 10])


def test_benjamini_and_hochbergs_own_example():
    """Benjamini & Hochberg (1995), section 4.1: four of fifteen at 5 %."""
    values = [
        0.0001,
        0.0004,
        0.0019,
        0.0095,
        0.0201,
        0.0278,
        0.0298,
        0.0344,
        0.0459,
        0.3240,
        0.4262,
        0.5719,
        0.6528,
        0.7590,
        1.0,
    ]
    assert sum(fairness.discoveries(values)) == 4
    assert fairness.discoveries([]) == []


def test_winners_who_come_first_stand_out():
    rng = np.random.default_rng(1)
    losers = rng.exponential(10, 2000)
    assert fairness.order_test(rng.exponential(2, 60).tolist(), losers.tolist()) < 1e-6
    assert fairness.order_test(rng.exponential(10, 60).tolist(), losers.tolist()) > 1e-3
    assert fairness.order_test([1.0] * 5, [1.0] * 5) == 1.0
