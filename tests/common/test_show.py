from datetime import UTC, date, datetime

import pytest
from django.utils import timezone, translation
from hypothesis import given, strategies as st

from common import charts
from common.templatetags import show


@pytest.mark.parametrize(
    ("filtered", "text"),
    [
        (show.num(1234567), "1,234,567"), (show.num(-5), "−5"), (show.num(0), "0"), (show.num(None), "–"),
        (show.signed(120), "+120"), (show.signed(-1430), "−1,430"), (show.signed(0), "–"),
        (show.percent(5642, 6214), "90.8 %"), (show.percent(1, 0), "–"), (show.tenths(-6), "▼ 0.6 %"),
        (show.chance(0.937), "0.94"), (show.chance(0.9999), "> 0.99"), (show.chance(0.0), "< 0.01"), (show.chance(None), "–"),
        (show.groups("482109375567"), "4821 0937 5567"), (show.groups(None), ""),
        (show.place_of_zone("America/New_York"), "New York"), (show.day(None), "–"), (show.moment(None), "–"),
    ],
)  # fmt: skip
def test_figures_look_alike_everywhere(filtered: str, text: str) -> None:
    assert filtered == text


def test_times_are_of_the_brands_zone_and_language() -> None:
    at = datetime(2025, 11, 21, 18, 42, 8, tzinfo=UTC)
    with timezone.override("Asia/Shanghai"):
        assert show.moment_s(at) == "22 Nov 2025, 02:42:08"
        assert show.brief(at) == "22 Nov 2025, 02:42"
        with translation.override("zh-hans"):
            assert show.moment(at) == "2025年11月22日 02:42"
            assert show.weekday(date(2026, 11, 22)) == "11月22日 星期日"


@given(st.integers(0, 10**12))
def test_an_axis_ends_at_or_above_its_highest_value(value: int) -> None:
    top = charts.nice_top(value)

    assert value <= top <= max(4, value * 2.6)
    assert top % 4 == 0


@given(st.lists(st.integers(0, 10**9), max_size=24), st.lists(st.integers(0, 10**9), min_size=24, max_size=24))
def test_a_line_stays_in_its_frame(now: list[int], before: list[int]) -> None:
    chart = charts.line_chart(now, before, [f"{hour:02}" for hour in range(24)])

    for path in (chart.now, chart.before):
        for point in filter(None, path.lstrip("M").split("L")):
            x, y = map(float, point.split())
            assert 40 <= x <= 598
            assert 14 <= y <= 184


@given(st.floats(0, 1e12), st.floats(0, 1e12))
def test_a_bar_is_never_longer_than_whole(part: float, whole: float) -> None:
    assert 0 <= charts.share(part, whole) <= 120


def test_a_sparkline_needs_two_values() -> None:
    assert charts.spark([1]) is None
    assert charts.spark([3, 3]) is not None
