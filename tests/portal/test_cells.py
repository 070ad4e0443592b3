"""No cell under five devices, and none to be had by subtraction."""

from hypothesis import given, strategies as st

from portal.cells import LEAST, Cell, suppress


def cell(group: str, key: str, count: int, *devices: int) -> Cell:
    return Cell(group, key, count, frozenset(devices))


def test_a_small_cell_is_hidden_and_what_would_give_it_away() -> None:
    (week,) = suppress([cell("w", "a", 9, *range(9)), cell("w", "b", 7, *range(7)), cell("w", "c", 2, 1, 2)])

    assert [one.key for one in week.cells] == ["a"]
    assert (week.total, week.rest) == (18, 9)


def test_small_cells_that_cover_each_other_leave_the_others_shown() -> None:
    (week,) = suppress([cell("w", "a", 9, *range(9)), cell("w", "b", 3, 1, 2, 3), cell("w", "c", 4, 4, 5, 6)])

    assert [one.key for one in week.cells] == ["a"]
    assert week.rest == 7


def test_one_small_cell_alone_hides_the_sum() -> None:
    (week,) = suppress([cell("w", "a", 2, 1, 2)])

    assert (week.cells, week.total, week.hidden) == ((), None, True)


def test_nothing_is_hidden_where_nothing_is_small() -> None:
    (week,) = suppress([cell("w", "a", 6, *range(6)), cell("w", "b", 5, *range(5))])

    assert (len(week.cells), week.total, week.rest, week.hidden) == (2, 11, 0, False)


CELLS = st.lists(st.tuples(st.integers(1, 40), st.frozensets(st.integers(0, 30), max_size=12)), min_size=1, max_size=8)


@given(CELLS)
def test_whatever_is_shown_comes_from_five_devices(given_cells: list[tuple[int, frozenset[int]]]) -> None:
    cells = [Cell("w", key, count, devices) for key, (count, devices) in enumerate(given_cells)]

    (week,) = suppress(cells)

    assert all(len(one.devices) >= LEAST for one in week.cells)
    hidden = [one for one in cells if one not in week.cells]
    if week.total is not None and hidden:
        assert len(hidden) >= 2
        assert len(frozenset().union(*(one.devices for one in hidden))) >= LEAST
        assert week.rest == sum(one.count for one in hidden)
    if not hidden:
        assert week.total == sum(one.count for one in cells)
