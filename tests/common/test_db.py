from django.db import connection, transaction

from brands.models import Brand


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
