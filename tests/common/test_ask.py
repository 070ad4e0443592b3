"""Statements that the server prepares: one for each brand, with the values where they belong."""

from typing import Any

import pytest
from django.db import connection

from brands.models import Brand
from common.db import ask, schema_name

pytestmark = pytest.mark.django_db


def prepared(mark: str) -> set[str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT statement FROM pg_prepared_statements")
        return {statement for (statement,) in cursor.fetchall() if mark in statement and "pg_prepared" not in statement}


@pytest.mark.parametrize(
    ("statement", "values"),
    [
        ("SELECT %s::int - %s::int, '100%%'", [7, 2]),
        ("SELECT %(more)s::int - %(less)s::int, '100%%' WHERE %(more)s::int > %(less)s::int", {"less": 2, "more": 7}),
    ],
)
def test_values_stand_where_the_statement_names_them(brand: Brand, statement: str, values: Any) -> None:
    assert ask(statement, values)() == [(5, "100%")]


def test_each_brand_has_a_plan_of_its_own(brand: Brand, stranger_brand: Brand) -> None:
    for one in (brand, stranger_brand, brand, stranger_brand, brand, stranger_brand):
        connection.set_tenant(one)
        assert ask("SELECT current_schema(), %s::int AS planned_apart", [1])() == [(schema_name(), 1)]

    assert {text.split(" ")[1] for text in prepared("planned_apart")} == {brand.schema_name, stranger_brand.schema_name}
