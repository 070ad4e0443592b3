"""Scenario files: read, refused, and run through the real webhooks."""

from datetime import timedelta
from pathlib import Path

import pytest
from django.db import connection
from django.test import Client

from brands.models import Brand
from brands.phone_numbers import forget_numbers, number_called
from common.clock import now
from redemption.models import Redemption
from sms_gateway import scenario
from sms_gateway.scenario import BadScenario
from sms_gateway.telephone import Refused, Telephone, over_client
from tests.makers import make_active_batch, make_campaign, secrets_of
from tests.sms_gateway.world import OURS, make_twilio

TOUR = Path(scenario.__file__).parent / "scenarios" / "tour.toml"


@pytest.fixture
def codes(brand: Brand) -> list[str]:
    at = now() - timedelta(days=2)
    make_twilio(Brand.objects.get(pk=brand.pk), at, carrier="simulator", takes_calls=True)
    forget_numbers()
    connection.set_tenant(brand)
    make_campaign(at=at)
    return secrets_of(make_active_batch(5, at=at))


def telephone(phone: str) -> Telephone:
    line = number_called("simulator", OURS)
    assert line is not None
    return Telephone(phone, line, over_client(Client()))


def test_the_tour_goes_as_its_file_says(codes: list[str]) -> None:
    left = iter(codes)

    outcomes = list(scenario.run(scenario.parse(TOUR.read_text()), telephone, lambda: next(left)))

    assert [outcome.faults for outcome in outcomes] == [()] * 8
    assert outcomes[1].heard.splitlines()[0] == outcomes[1].heard.splitlines()[1]
    assert Redemption.objects.count() == 2


def test_what_is_missing_or_unwanted_is_a_fault(codes: list[str]) -> None:
    step = '[[steps]]\nphone = "+8613800138000"\ntext = "{code1}"\nexpect = ["nonsense", "正品"]\nrefuse = ["积分"]\n'

    [outcome] = scenario.run(scenario.parse(step), telephone, lambda: codes[0])

    assert outcome.faults == ("not heard: nonsense", "heard: 积分")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("x =", "not TOML"),
        ("name = 'empty'", "no [[steps]]"),
        ("[[steps]]\nphone = '+86'", "a text or a call"),
        ("[[steps]]\nphone = '+86'\ntext = 'a'\ncall = []", "a text or a call"),
        ("[[steps]]\ntext = 'a'", "a phone"),
        ("[[steps]]\nphone = '+86'\ntext = 'a'\nwait = 1", "wait"),
        ("[[steps]]\nphone = '+86'\ncall = [1]", "list of texts"),
    ],
)
def test_a_file_that_is_no_scenario_says_where(text: str, said: str) -> None:
    with pytest.raises(BadScenario, match=said.replace("[", r"\[")):
        scenario.parse(text)


def test_a_forged_signature_is_refused_and_nothing_is_kept(codes: list[str]) -> None:
    phone = telephone("+8613800138000")
    assert phone.text(codes[0])
    phone.post = lambda path, fields, headers: over_client(Client())(path, fields, {"X-Twilio-Signature": "forged"})

    with pytest.raises(Refused) as refused:
        phone.text(codes[1])

    assert refused.value.status == 403
    assert Redemption.objects.count() == 1
