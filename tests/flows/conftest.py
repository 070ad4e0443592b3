import pytest

from brands.models import Brand
from tests.flows.two_brands import Two, make_two


@pytest.fixture
def two(brand: Brand, stranger_brand: Brand) -> Two:
    """A brand with something of everything, and a stranger brand."""
    return make_two(brand, stranger_brand)
