from collections.abc import Callable

import pytest
from django.test import Client

from brands.models import Brand
from channel.models import Partner
from staff.models import User
from tests.makers import make_partner
from tests.portal.makers import make_person


@pytest.fixture
def distributor(brand: Brand) -> Partner:
    return make_partner("distributor", number="D1001", name="North Tea Trading")


@pytest.fixture
def rival(brand: Brand) -> Partner:
    return make_partner("distributor", number="D1002", name="South Tea Trading")


@pytest.fixture
def ning(distributor: Partner) -> User:
    """The distributor's person."""
    return make_person(distributor, "ning")


@pytest.fixture
def browse(brand: Brand) -> Callable[..., Client]:
    """Return a browser, signed in as somebody."""

    def make(user: User | None = None) -> Client:
        client = Client(HTTP_HOST="brand.localhost")
        if user is not None:
            client.force_login(user)
        return client

    return make
