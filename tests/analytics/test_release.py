"""What may leave the brand as evidence: counts of five devices or more, and fields on a list."""

from datetime import date, timedelta

import pytest
from hypothesis import given, strategies as st

from analytics.release import (
    FIELDS,
    LEAST,
    Case,
    NotReleasable,
    Paper,
    Picture,
    Seen,
    Sighting,
    checked,
    rows_of,
    seen,
    working_days_left,
)

DAY = date(2026, 11, 2)
BEFORE = date(2026, 12, 1)


def sighting(day: int, device: int, *, label_no: int | None = None, region: str = "CN-440300") -> Sighting:
    label_no = device if label_no is None else label_no
    return Sighting(DAY + timedelta(days=day), region, "Shenzhen", "深圳市", label_no, device)


def test_a_day_of_five_devices_is_told_as_a_day() -> None:
    rows, untold = seen([sighting(0, n) for n in range(5)], before=BEFORE)

    assert rows == [Seen("CN-440300", "Shenzhen", "深圳市", DAY, DAY, 5)]
    assert untold == 0


def test_days_are_put_together_until_five_devices_stand_behind_them() -> None:
    rows, untold = seen([sighting(n, n) for n in range(7)], before=BEFORE)

    assert [(row.first_on, row.last_on, row.packs) for row in rows] == [(DAY, DAY + timedelta(days=4), 5)]
    assert untold == 2


def test_many_packs_of_four_devices_are_not_told() -> None:
    rows, untold = seen([sighting(0, n % 4, label_no=n) for n in range(40)], before=BEFORE)

    assert (rows, untold) == ([], 40)


def test_cities_are_not_put_together_and_today_does_not_count() -> None:
    spread = [sighting(0, n, region=f"CN-44030{n % 2}") for n in range(8)]
    today = [sighting(0, n) for n in range(5)]

    assert seen(spread, before=BEFORE) == ([], 8)
    assert seen(today, before=DAY) == ([], 0)
    assert len(seen(today, before=DAY + timedelta(days=1))[0]) == 1


SIGHTINGS = st.lists(
    st.builds(
        sighting,
        st.integers(0, 20),
        st.integers(0, 12),
        label_no=st.integers(1, 30),
        region=st.sampled_from(["CN-440300", "CN-440700"]),
    ),
    max_size=80,
)


@given(SIGHTINGS, st.integers(0, 20), st.integers(0, 20))
def test_each_row_has_five_devices_and_days_gone_by_never_change(
    given_sightings: list[Sighting], one: int, other: int
) -> None:
    early, later = DAY + timedelta(days=min(one, other)), DAY + timedelta(days=max(one, other))

    rows, untold = seen(given_sightings, before=later)

    of_row = {
        row: [s for s in given_sightings if s.region == row.region and row.first_on <= s.on <= row.last_on]
        for row in rows
    }
    assert all(len({s.device for s in inside}) >= LEAST for inside in of_row.values())
    assert all(len({s.label_no for s in inside}) == row.packs for row, inside in of_row.items())
    counted = [s for inside in of_row.values() for s in inside]
    assert len(counted) == len(set(map(id, counted)))  # rows do not overlap
    assert set(seen(given_sightings, before=early)[0]) <= set(rows)
    assert seen(given_sightings[::-1], before=later) == (rows, untold)


ROWS = rows_of(
    seen=[Seen("CN-440300", "Shenzhen", "深圳市", DAY, DAY, 9)],
    cases=[Case("395210001900000010", "Oolong", "乌龙茶", 24)],
    papers=[Paper("doc_1", "shipment", "SO-1", DAY, 48, "to_you")],
    pictures=[Picture("pho_1", "ab" * 32, DAY)],
)


def test_each_kind_passes_with_the_fields_of_the_list_and_no_others() -> None:
    assert checked(ROWS) == ROWS
    assert {row["kind"] for row in ROWS} == set(FIELDS)
    names = {name for fields in FIELDS.values() for name in fields}
    assert names == {
        "first_on", "last_on", "city", "city_zh", "packs", "sscc", "product", "product_zh", "id", "paper", "number",
        "on", "way", "sha256",
    }  # fmt: skip


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row["kind"])
@pytest.mark.parametrize(
    "extra",
    [{"score": 0.9}, {"lat": 22.5}, {"device": 7}, {"partner": "D1002"}, {"at": "2026-11-02T10:31:00Z"}, {"shop": "x"}],
    ids=lambda extra: next(iter(extra)),
)
def test_no_row_takes_a_field_more(row: dict[str, object], extra: dict[str, object]) -> None:
    with pytest.raises(NotReleasable):
        checked([row | extra])


@pytest.mark.parametrize(
    "broken",
    [
        ROWS[0] | {"first_on": "2026-11-02T10:31"}, ROWS[0] | {"packs": 9.5}, ROWS[0] | {"packs": True},
        ROWS[0] | {"city": "x" * 81}, ROWS[1] | {"sscc": "39521000190000001"}, ROWS[2] | {"way": "to South Tea"},
        ROWS[3] | {"sha256": "no"}, {"kind": "check", "shop": "x"}, {"kind": "seen"}, ["seen"], "seen",
        {name: value for name, value in ROWS[3].items() if name != "on"},
    ],
    ids=range(12),
)  # fmt: skip
def test_what_has_not_the_form_is_refused(broken: object) -> None:
    with pytest.raises(NotReleasable):
        checked([broken])


def test_working_days_are_counted_from_tomorrow_and_below_zero_once_over() -> None:
    friday = date(2026, 11, 20)

    assert working_days_left(friday, date(2026, 12, 4)) == 10
    assert working_days_left(friday, date(2026, 11, 23)) == 1
    assert working_days_left(friday, date(2026, 11, 22)) == 0
    assert working_days_left(date(2026, 11, 24), friday) == -2
