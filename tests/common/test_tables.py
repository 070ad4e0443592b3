from datetime import UTC, date, datetime, timedelta

import pytest
from django.test import RequestFactory

from brands.models import Brand
from common.models import Job
from common.tables import CSV_ROWS, csv_response, keyset_page
from tests.conftest import NOW

LIMIT = 3


@pytest.fixture
def jobs(brand: Brand) -> list[int]:
    """Eight jobs, three of them of one moment; their ids newest first."""
    ats = [NOW, NOW, NOW, *(NOW - timedelta(seconds=n) for n in range(1, 6))]
    rows = [Job.objects.create(kind="x", created_at=at) for at in ats]
    return [row.pk for row in sorted(rows, key=lambda row: (row.created_at, row.pk), reverse=True)]


def page(query: str = ""):
    return keyset_page(Job.objects.all(), RequestFactory().get(f"/x{query}"), limit=LIMIT)


def test_pages_forwards_show_every_row_once(jobs: list[int]) -> None:
    seen, query = [], ""
    for _ in range(10):
        found = page(query)
        seen += [row.pk for row in found.rows]
        if not found.next_query:
            break
        query = found.next_query

    assert seen == jobs


def test_backwards_leads_to_the_page_before(jobs: list[int]) -> None:
    first = page()
    second = page(first.next_query)
    third = page(second.next_query)

    back = page(third.previous_query)

    assert [row.pk for row in back.rows] == [row.pk for row in second.rows]
    assert (first.previous_query, third.next_query) == ("", "")
    assert page(back.previous_query).rows == first.rows


def test_a_new_row_moves_no_page(jobs: list[int]) -> None:
    first = page()
    Job.objects.create(kind="x", created_at=NOW + timedelta(days=1))

    assert [row.pk for row in page(first.next_query).rows] == jobs[LIMIT : 2 * LIMIT]


@pytest.mark.parametrize(
    "cursor", ["x", "!!!", "W10", "WyIxIl0", "WyJub3QgYSBkYXRlIiwiMSJd", "W251bGwsMV0", "W3sifSwxXQ", "A" * 500,
               "WyIyMDI2LTExLTIyVDAyOjQyOjAwKzAwOjAwIiwiOTk5OTk5OTk5OTk5OTk5OTk5OTk5OSJd", "\x00"],
)  # fmt: skip
def test_a_cursor_that_cannot_be_read_starts_at_the_first_page(jobs: list[int], cursor: str) -> None:
    from urllib.parse import quote

    assert [row.pk for row in page(f"?after={quote(cursor)}").rows] == jobs[:LIMIT]


def test_filters_stay_and_cursors_do_not_pile_up(jobs: list[int]) -> None:
    second = page("?state=waiting&format=html&after=" + page().next_query.partition("after=")[2])

    assert second.first_query == "?state=waiting"
    assert second.next_query.count("after=") == 1


def test_cells_cannot_be_formulas_and_times_are_local() -> None:
    rows = [
        {"a": "=1+1", "b": datetime(2026, 1, 1, tzinfo=UTC), "c": None},
        {"a": "@x", "b": date(2026, 1, 2), "c": -5},
    ]
    columns = [(name, lambda row, name=name: row[name]) for name in "abc"]

    lines = csv_response(rows, columns, "x").content.decode().splitlines()

    assert lines[0] == "\ufeffa,b,c"
    assert lines[1].startswith("'=1+1,2026-01-01 00:00:00+00:00,")
    assert lines[2] == "'@x,2026-01-02,-5"


def test_a_file_ends_somewhere() -> None:
    response = csv_response(range(CSV_ROWS + 5), [("n", lambda n: n)], "x")

    assert response.row_count == CSV_ROWS
