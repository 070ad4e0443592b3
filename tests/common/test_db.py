from contextlib import nullcontext
from datetime import UTC, date, datetime, timedelta

import pytest
from django.db import DataError, connection, transaction
from psycopg.pq import TransactionStatus

from brands.models import Brand
from common.db import array, ask, ask_commit, column, moments, pipelined, rows_from, texts


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


@pytest.mark.parametrize("amounts", [[7, 7, 7], [7, 8, 7], [None, None, None], [None, 8, None], [7, 7, 8]])
def test_rows_are_read_as_their_columns_were_given(brand: Brand, amounts: list[int | None]) -> None:
    at = datetime(2026, 11, 25, tzinfo=UTC)
    names, moment, colours = ["a", 'b"', "c"], [at, at, at + timedelta(minutes=30)], ["red", "red", "red"]
    rows = ask(
        f"SELECT * FROM {rows_from({'name': 'text'}, amount='bigint', at='timestamptz', by='text')} AS n",
        {
            "name": texts(names),
            "amount": column(amounts),
            "at": column(iter(moment), moments),
            "by": column(colours, texts),
        },
    )

    assert rows() == list(zip(names, amounts, moment, colours, strict=True))


def test_a_column_of_one_value_is_sent_once() -> None:
    assert (column([7] * 500), column([None, None]), column([7, 8, 7])) == ("{7}", "{NULL}", "{7, 8, 7}")


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


class _Unfit(Exception):
    pass


@pytest.mark.parametrize("count", [0, 1])
def test_a_statement_that_divides_by_zero_stops_what_follows_as_what_it_stands_for(brand: Brand, count: int) -> None:
    refused = pytest.raises(_Unfit) if count else nullcontext()

    with refused, transaction.atomic(), pipelined():
        ask("SELECT 1 / (%s::int = 0)::int", [count], unless=_Unfit)
        ask("SELECT set_config('zhenbiao.reason', 'said', false)", [])

    assert (ask("SELECT current_setting('zhenbiao.reason', true)", [])() == [("said",)]) is not bool(count)


def test_a_cursor_within_a_pipeline_comes_behind_what_was_asked_before_it(brand: Brand) -> None:
    with transaction.atomic(), pipelined():
        ask("SELECT set_config('zhenbiao.reason', %s, true)", ["said first"])
        with connection.cursor() as cursor:
            cursor.execute("SELECT current_setting('zhenbiao.reason')")
            assert cursor.fetchone() == ("said first",)


def test_rows_may_be_read_within_a_pipeline(brand: Brand) -> None:
    with pipelined():
        assert ask("SELECT %s::int", [7])() == [(7,)]
        later = ask("SELECT %s::int", [8])

    assert (later(), later.count) == ([(8,)], 1)


def test_what_waits_is_forgotten_when_its_block_fails(brand: Brand) -> None:
    with pytest.raises(_Unfit):
        _ask_then_fail()

    assert ask("SELECT current_setting('zhenbiao.reason', true)", [])() in ([("",)], [(None,)])


def _ask_then_fail() -> None:
    with pipelined():
        ask("SELECT set_config('zhenbiao.reason', 'never said', false)", [])
        raise _Unfit


def test_a_statement_of_a_new_brand_runs_in_its_schema_though_nothing_pointed_there_before(
    brand: Brand, stranger_brand: Brand
) -> None:
    for one in (stranger_brand, brand):
        connection.set_tenant(one)
        with transaction.atomic(), pipelined():
            where = ask("SELECT current_schema()", [])
        assert where() == [(one.schema_name,)] == [(_schema(),)]


def test_a_commit_travels_behind_what_waits(real_commits: Brand) -> None:
    with transaction.atomic(durable=True):
        with pipelined():
            ask("SELECT set_config('zhenbiao.reason', 'kept', false)", [])
            ask_commit()
        assert connection.connection.info.transaction_status == TransactionStatus.IDLE
        transaction.set_rollback(True)  # comes too late

    assert ask("SELECT current_setting('zhenbiao.reason', true)", [])() == [("kept",)]


def test_a_commit_within_another_transaction_is_left_to_that(brand: Brand) -> None:
    with transaction.atomic(), pipelined():
        ask("SELECT set_config('zhenbiao.reason', 'kept', false)", [])
        ask_commit()

    assert connection.connection.info.transaction_status == TransactionStatus.INTRANS


def test_texts_are_read_as_they_were_given(brand: Brand) -> None:
    for given in ([], ["a"], ['say "a"', "back\\slash", "{,}", "", "NULL", "真"], ["a", None]):
        assert [text for (text,) in ask("SELECT * FROM unnest(%s::text[])", [texts(given)])()] == given
