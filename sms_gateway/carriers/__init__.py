"""The carriers by name. A new one is a file here and a name in `SMS_CARRIERS`."""

from django.conf import settings

from sms_gateway.carriers.aliyun import Aliyun
from sms_gateway.carriers.base import Carrier
from sms_gateway.carriers.kannel import Kannel
from sms_gateway.carriers.simulator import Simulator
from sms_gateway.carriers.twilio import Twilio

KINDS: tuple[type[Carrier], ...] = (Twilio, Kannel, Aliyun, Simulator)
CARRIERS = {kind.name: kind for kind in KINDS}


def carrier_named(name: str) -> type[Carrier] | None:
    """Return a carrier that this installation admits, or None."""
    return CARRIERS.get(name) if name in settings.SMS_CARRIERS else None
