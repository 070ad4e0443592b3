from uuid import uuid4

import pytest
from cryptography.exceptions import InvalidTag
from django.db import DatabaseError, connection, transaction

from brands.models import Brand
from staff import vault
from staff.models import Audit, User


def test_a_sealed_phone_is_read_back(brand: Brand) -> None:
    row = uuid4()

    blob = vault.seal("+8613800138000", field="members.Member.phone", row=row)

    assert vault.unseal(blob, field="members.Member.phone", row=row) == "+8613800138000"
    assert b"13800138000" not in blob


def test_a_cipher_text_cannot_be_moved_to_another_row(brand: Brand) -> None:
    blob = vault.seal("+8613800138000", field="members.Member.phone", row=uuid4())

    with pytest.raises(InvalidTag):
        vault.unseal(blob, field="members.Member.phone", row=uuid4())


def test_a_change_of_staff_is_audited_and_the_trail_cannot_be_changed(brand: Brand) -> None:
    user = User.objects.create(username="ann", role="auditor")

    assert Audit.objects.filter(table_name="staff_user", row_id=str(user.pk), act="insert").exists()
    with pytest.raises(DatabaseError), transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("UPDATE staff_audit SET act = 'x'")


def test_real_commits_use_a_database_of_their_own(real_commits: Brand) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_database(), current_schema()")
        assert cursor.fetchone() == (connection.settings_dict["NAME"], real_commits.schema_name)
    assert connection.settings_dict["NAME"].startswith("throwaway")
