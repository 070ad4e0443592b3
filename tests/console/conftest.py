from collections.abc import Callable

import pytest
from django.test import Client

from brands.models import Brand
from staff.models import User


@pytest.fixture
def browse(brand: Brand) -> Callable[..., Client]:
    """Return a client of the brand's host, signed in with a role."""

    def with_role(role: str = "owner") -> Client:
        user, _ = User.objects.get_or_create(username=f"the-{role}", defaults={"role": role})
        client = Client(HTTP_HOST="brand.localhost")
        client.force_login(user)
        return client

    return with_role
