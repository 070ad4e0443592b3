"""What the gateway's tests share."""

from collections.abc import Iterator

import pytest

import config.urls  # noqa: F401 - loading it takes long on a busy machine, and a transaction may be idle for 10 s only
from brands.phone_numbers import forget_numbers
from sms_gateway import spending
from sms_gateway.carriers.twilio import Twilio
from tests.sms_gateway import world
from tests.sms_gateway.world import Teller


@pytest.fixture(autouse=True)
def _fresh_gateway(settings: pytest.FixtureRequest) -> Iterator[None]:
    settings.SMS_HANDLER, settings.SMS_ROUTER = "tests.sms_gateway.world.echo", "tests.sms_gateway.world.slots"
    settings.VOICE_HANDLER = "tests.sms_gateway.world.counting"
    world.forget()
    forget_numbers()
    spending.forget_rules()
    yield
    world.forget()
    forget_numbers()
    spending.forget_rules()


@pytest.fixture
def teller(monkeypatch: pytest.MonkeyPatch) -> Teller:
    """Twilio's part in sending, played by the test."""
    teller = Teller()
    monkeypatch.setattr(Twilio, "send", teller)
    return teller


@pytest.fixture
def true_budgets(settings: pytest.FixtureRequest) -> None:
    """Money as in production: no budget is scaled."""
    settings.FAILURE_BUDGET_SCALE = 1
    spending.forget_rules()
