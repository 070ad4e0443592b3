"""Where a member is at home: by days of earlier redemptions, never by the scan that is judged."""

import pytest

from analytics.homes import usual_regions

DAY = 86_400.0


def seen(*days: tuple[float, str], person: int = 1) -> list[tuple[int, float, str]]:
    return [(person, day * DAY, region) for day, region in days]


@pytest.mark.parametrize(
    ("history", "home"),
    [
        ([(1, "A"), (2, "A"), (3, "A")], "A"),
        ([(1, "A"), (2, "A")], ""),
        ([(1, "A"), (1.2, "A"), (1.4, "A"), (2, "A")], ""),  # two days, however often
        ([(1, "A"), (2, "A"), (3, "A"), (4, "B")], "A"),
        ([(1, "A"), (2, "A"), (3, "A"), (4, "B"), (5, "B"), (6, "B")], "B"),  # moved: as many days, and later
        ([(1, "A"), (2, "A"), (9.1, "A")], ""),  # the third is the day of the scan itself
        ([(1, "A"), (2, "A"), (12, "A")], ""),  # and this one later
    ],
)
def test_three_earlier_days_make_a_home(history: list[tuple[float, str]], home: str) -> None:
    assert usual_regions([(1, 9.5 * DAY)], seen(*history)) == [home]


def test_each_scan_is_judged_by_what_was_before_it() -> None:
    history = seen((1, "A"), (2, "A"), (3, "A"), (5, "B"), (6, "B"), (7, "B"), (8, "B"))

    found = usual_regions([(1, 8.9 * DAY), (None, 9 * DAY), (2, 9 * DAY), (1, 2 * DAY), (1, 4 * DAY)], history)

    assert found == ["B", "", "", "", "A"]
