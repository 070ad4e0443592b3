"""The demo's telephone numbers, all with the simulator: one for each brand, one that both share."""

import secrets
from datetime import datetime

from django.conf import settings
from django_tenants.utils import get_tenant_model

from brands.models import CarrierAccount
from brands.phone_numbers import Number, keep_account, keep_number, number_called
from sms_gateway.carriers.simulator import Simulator

ACCOUNT = "simulator"
NUMBERS = {"demo": "+862160001688", "second": "+862160005566"}
SHARED = "+862160000000"


def seed_numbers(*, at: datetime) -> None:
    """Make the account and the numbers that are missing; a token that was made stays."""
    account = CarrierAccount.objects.filter(name=ACCOUNT).first() or keep_account(
        ACCOUNT, carrier=Simulator.name, secrets={"tokens": [secrets.token_hex(16)]}, at=at
    )
    for schema, e164 in NUMBERS.items():
        brand = get_tenant_model().objects.get(schema_name=schema)
        keep_number(e164, account=account, brand=brand, at=at, languages=["zh-hans", "en"], takes_calls=True)
    keep_number(SHARED, account=account, brand=None, at=at, languages=["zh-hans", "en"], preference=90)


def number_of(schema: str) -> Number | None:
    """Return a demo brand's number, once it is made."""
    return number_called(Simulator.name, NUMBERS[schema])


def webhooks() -> dict[str, str]:
    """Return the addresses for which the simulator signs."""
    return {
        name: f"{settings.PUBLIC_BASE_URL}/webhooks/simulator/{path}"
        for name, path in (("sms", "sms"), ("status", "status"), ("voice", "voice"), ("voice_step", "voice/step"))
    }
