from collections.abc import Callable

import pytest
from django.test import Client

from brands.models import Brand
from staff.models import User

PASSWORD = "correct horse battery"


@pytest.fixture
def owner(brand: Brand) -> User:
    return User.objects.create_user("ada", password=PASSWORD, role="owner")


@pytest.fixture
def browse(brand: Brand) -> Callable[..., Client]:
    """Return a client of the brand's host, signed in as the user given."""

    def as_user(user: User | None = None) -> Client:
        client = Client(HTTP_HOST="brand.localhost")
        if user is not None:
            client.force_login(user)
        return client

    return as_user
