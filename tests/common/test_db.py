from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DataError, connection, transaction

from brands.models import Brand
from common.db import array, ask, moments, pipelined


def _schema() -> str:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_schema()")
        return str(cursor.fetchone()[0])


def test_a_savepoint_rolled_back_leaves_the_brand_as_it_was_set(brand: Brand, stranger_brand: Brand) -> None:
    with transaction.atomic():
        assert _schema() == brand.schema_name
        connection.set_tenant(stranger_brand)
        assert _schema() == stranger_brand.schema_name
        transaction.set_rollback(True)

    assert _schema() == stranger_brand.schema_name


@pytest.mark.parametrize(
    "values", [[], [1], [7, 7, 7], [None, None], [1, None, 1], [1, 2, 3], [True, False], [date.max, None]]
)
def test_an_array_is_read_as_it_was_given(brand: Brand, values: list[object]) -> None:
    kind = "date" if date.max in values else "bool" if True in values and False in values else "bigint"

    assert [value for (value,) in ask(f"SELECT * FROM unnest(%s::{kind}[])", [array(values)])()] == values
    assert array(iter(values)) == array(values)


def test_moments_are_read_as_they_were_given(brand: Brand) -> None:
    at = datetime(2026, 11, 25, 12, 0, 0, 5, tzinfo=UTC)
    given = [at, at, at + timedelta(microseconds=1), at]

    assert [moment for (moment,) in ask("SELECT * FROM unnest(%s::timestamptz[])", [moments(given)])()] == given


def test_statements_of_a_pipeline_run_in_turn_and_are_read_after_it(brand: Brand) -> None:
    with transaction.atomic(), pipelined():
        ask("SELECT set_config('zhenbiao.reason', %s, true)", ["said first"])
        heard = ask("SELECT current_setting('zhenbiao.reason')", [])

    assert heard() == [("said first",)]


def test_a_statement_that_fails_stops_those_behind_it(brand: Brand) -> None:
    with pytest.raises(DataError):
        _divide_then_say()

    assert ask("SELECT current_setting('zhenbiao.reason', true)", [])() in ([("",)], [(None,)])


def _divide_then_say() -> None:
    with transaction.atomic(), pipelined():
        ask("SELECT 1 / %s::int", [0])
        ask("SELECT set_config('zhenbiao.reason', %s, false)", ["never said"])
