"""The first owner of a brand is made by command, once; there is nobody yet who could invite them."""

from io import StringIO

import pytest
from django.core.management import CommandError, call_command
from django.test import Client

from brands.models import Brand
from staff.models import User
from tests.environment import BRAND


def test_the_first_owner_signs_in_with_the_password_that_was_shown(brand: Brand) -> None:
    said = StringIO()

    call_command("create_owner", BRAND, "ada", stdout=said)

    [owner] = User.objects.filter(role="owner")
    password = said.getvalue().strip().rpartition(" ")[2]
    client = Client(headers={"host": "brand.localhost"})
    answer = client.post("/console/sign-in", {"login": "ada", "password": password})
    assert (answer.status_code, client.session.get("_auth_user_id")) == (302, str(owner.pk))
    with pytest.raises(CommandError, match="owner"):
        call_command("create_owner", BRAND, "bob")
    assert User.objects.filter(role="owner").count() == 1


def test_a_name_that_is_taken_and_a_brand_that_is_not_there_are_told(brand: Brand) -> None:
    User.objects.create_user("ada", role="auditor")

    with pytest.raises(CommandError, match="user name"):
        call_command("create_owner", BRAND, "Ada")
    with pytest.raises(CommandError, match="no brand"):
        call_command("create_owner", "nobody", "ada")
