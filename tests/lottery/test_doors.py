"""A campaign's doors: terms name those that there are, and the public rules say which."""

from typing import Any

import pytest
from django.test import Client

from brands.models import Brand
from lottery.errors import BadCampaign
from tests.lottery import world


@pytest.mark.parametrize(
    "terms",
    [
        {"doors": ["fax"]},
        {"doors": "web"},
        {"doors": 3},
        {"doors": ["sms"], "enter": {"free": 1}},
        {"doors": ["sms"], "enter": {"points_price": 5}},
    ],
)
def test_doors_that_cannot_be_are_refused(brand: Brand, terms: dict[str, Any]) -> None:
    with pytest.raises(BadCampaign):
        world.draws(world.tier(1, 1, use="draw"), terms=terms)


def test_the_public_rules_name_the_doors(brand: Brand) -> None:
    client = Client(HTTP_HOST="brand.localhost", headers={"accept-language": "en"})
    some, every = (
        world.published(world.draws(world.tier(1, 1, use="draw"), terms=terms)) for terms in ({"doors": ["sms"]}, {})
    )

    told, silent = (client.get(f"/rules/{one.public_id}").content.decode() for one in (some, every))

    assert "<li>text message</li>" in told
    assert "<li>the web page</li>" not in told
    assert "Where codes take part" in told
    assert "Where codes take part" not in silent
