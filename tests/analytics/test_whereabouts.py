"""Where goods were seen and how much is known, against the scans themselves; what honest travel would show, by its sums."""

from collections import Counter
from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from django.db import connection

from analytics import travel, whereabouts
from analytics.calibration import BANDS, by_band, by_month, learning, standing_verdicts
from analytics.models import RouteFinding, Verdict
from analytics.routes import found_routes
from analytics.services import from_state
from analytics.travel import SOURCES
from analytics.whereabouts import Rate, Seen, expected_away
from brands.models import Brand
from tests.conftest import NOW
from tests.console.trade import Trade, give_verdicts, make_trade

AT = datetime(2026, 11, 25, 12, tzinfo=UTC)
SINCE, UNTIL = date(2026, 9, 7), date(2026, 11, 30)


@pytest.fixture
def trade(brand: Brand) -> Trade:
    return make_trade(AT)


def ask(sql: str, *values: Any) -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(sql, values)
        return cursor.fetchall()


BEST = """
SELECT date_trunc('week', s.at AT TIME ZONE 'UTC')::date, r.distributor_id,
       (SELECT p.region || ' ' || p.source FROM redemption_scanplace p WHERE p.scan_id = s.id
         ORDER BY CASE p.source WHEN 'gps' THEN 0 WHEN 'ip' THEN 1 ELSE 2 END LIMIT 1), s.id
  FROM redemption_scan s JOIN redemption_scanroute r ON r.scan_id = s.id
 WHERE s.at >= %s AND s.at < %s
"""


def test_what_was_seen_is_what_the_scans_say(trade: Trade) -> None:
    west, south, east = (partner.pk for partner in trade.partners)
    owner = {
        "GD": south,
        "44": south,
        "SC": west,
        "51": west,
        "CQ": west,
        "50": west,
        "ZJ": east,
        "33": east,
        "SH": east,
        "31": east,
    }

    told = whereabouts.seen(since=SINCE, until=UNTIL)

    raw = Counter(
        (week, who, *best.split(" "), owner.get(best[3:5]) == who)
        for week, who, best, _id in ask(BEST, SINCE, UNTIL)
        if best
    )
    assert {(one.week, one.distributor_id, one.region, one.source, one.own): one.scans for one in told} == raw
    assert sum(raw.values()) > 350
    assert [one for one in told if one.distributor_id == west] == whereabouts.seen(
        since=SINCE, until=UNTIL, distributor_id=west
    )


def test_coverage_counts_what_told_no_place_too(trade: Trade) -> None:
    raw: dict[int, Counter[str]] = {partner.pk: Counter() for partner in trade.partners}
    weeks: Counter[date] = Counter()
    for week, who, best, _id in ask(BEST, SINCE, UNTIL):
        raw[who][best.split(" ")[1] if best else "none"] += 1
        weeks[week] += 1

    told = whereabouts.coverage_by_distributor(since=SINCE, until=UNTIL)

    assert {who: (*one[1:], one.nowhere) for who, one in told.items()} == {
        who: (*(counts[source] for source in SOURCES), counts["none"]) for who, counts in raw.items()
    }
    assert all(counts["none"] for counts in raw.values())
    by_week = whereabouts.coverage_by_week(since=SINCE, until=UNTIL)
    assert {week: one.scans for week, one in by_week.items()} == weeks
    assert whereabouts.rates(since=SINCE - timedelta(days=9), until=UNTIL)[trade.partners[1].pk] == Rate(
        6 * 240, 6 * 26
    )


def test_expected_scans_add_up_and_lie_outside_the_own_market(trade: Trade) -> None:
    state = from_state(trade.run)
    south = trade.partners[1].pk
    week = date(2026, 11, 2)
    one_week = [Seen(week, south, "CN-440100", "gps", True, 1_000)]

    told = expected_away(trade.run, one_week)

    assert told is not None
    scanned = travel.scanned_in(state, state.partners.index(south), [week])[:, 0]
    home = [state.geography.codes.index(code) for code in ("CN-440100", "CN-440300")]
    assert scanned.sum() == pytest.approx(1)
    base = travel.base_of(state, state.geography.codes)
    share = travel.spread(base, "gps", scanned[:, None])[:, 0]
    assert sum(one.scans for one in told) == pytest.approx(1_000 * (1 - share[home].sum()))
    assert {one.region for one in told}.isdisjoint({"CN-440100", "CN-440300"})
    assert {(one.week, one.source) for one in told} == {(week, "gps")}
    # A fix is right in 985 of 1000; without errors what is left is τ's share, times what lies beyond the own market.
    assert 0 < sum(one.scans for one in told) < 1_000 * (float(state.parameters.tau.max()) * 1.5 + 0.015)


def test_a_source_that_errs_more_is_expected_to_stray_more(trade: Trade) -> None:
    south, week = trade.partners[1].pk, date(2026, 11, 2)

    def away(region: str, source: str) -> float:
        told = expected_away(trade.run, [Seen(week, south, region, source, True, 100)])
        return sum(one.scans for one in told or [])

    assert away("CN-440100", "gps") < away("CN-440100", "ip")
    assert away("CN-GD", "phone") > 0
    assert all(
        len(one.region) == 5 for one in expected_away(trade.run, [Seen(week, south, "CN-GD", "phone", True, 9)]) or []
    )
    assert away("CN", "ip") == 0
    assert expected_away(None, []) is None


def test_main_places_are_in_the_own_market(trade: Trade) -> None:
    west, south, east = (partner.pk for partner in trade.partners)
    told = whereabouts.main_places()
    assert told[south] in {"CN-440100", "CN-440300"}
    assert told[west][3:5] in {"51", "50"}
    assert told[east][3:5] in {"33", "31"}


def test_routes_have_the_trend_of_the_fits(trade: Trade) -> None:
    west, south, _east = (partner.pk for partner in trade.partners)

    first = found_routes()[0]

    assert (first.distributor_id, first.dest_id) == (west, south)
    rows = RouteFinding.objects.filter(distributor_id=west, dest_id=south).order_by("run__ended_at")
    assert [one for one in first.trend if one] == list(rows.values_list("expected_cases", flat=True))
    assert first.cases == first.trend[-1] > 10
    assert len(first.trend) == 3


def test_verdicts_are_counted_in_their_band_once(brand: Brand) -> None:
    give_verdicts(
        NOW, [(0.95, "confirmed", 2)] * 9 + [(0.95, "rejected", 40), (0.3, "explained", 40), (1.0, "confirmed", 1)]
    )
    Verdict.objects.create(
        shipment_id=900_000,
        probability=0.97,
        decision="rejected",
        decided_at=NOW - timedelta(days=1),
        decided_by="ines",
    )

    bands = by_band(standing_verdicts())

    assert [(one.verdicts, one.confirmed) for one in bands] == [(1, 0), (0, 0), (0, 0), (9, 8), (2, 1)]
    assert bands[3].told == pytest.approx(0.95)
    low, high = bands[3].interval
    assert (low, high) == pytest.approx((0.565, 0.980), abs=0.001)  # Wilson, 8 of 9
    assert [one.word for one in bands] == ["few", "few", "few", "as_told", "few"]
    assert [sum(one.verdicts for one in parts) for _month, parts in by_month(standing_verdicts())] == [10, 2]
    assert (learning().verdicts, learning().missing) == (12, 38)
    assert BANDS[0][0] == 0
    assert BANDS[-1][1] == 1


@pytest.mark.parametrize(("confirmed", "word"), [(2, "fewer"), (19, "as_told"), (20, "as_told")])
def test_a_band_says_whether_it_was_told_rightly(brand: Brand, confirmed: int, word: str) -> None:
    give_verdicts(NOW, [(0.92, "confirmed" if number < confirmed else "rejected", 3) for number in range(20)])

    assert by_band(standing_verdicts())[3].word == word


def test_weeks_begin_on_monday() -> None:
    assert [whereabouts.monday_of(date(2026, 11, day)).day for day in (22, 23, 29)] == [16, 23, 23]
