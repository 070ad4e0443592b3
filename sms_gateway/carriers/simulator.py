"""The carrier of the demo: Twilio's dialect, with its own token and its own small stand-in of Twilio's REST API.

What we send goes over HTTP to `sms_gateway.simulated` on this installation, which answers as Twilio's API does and then
reports the delivery to our webhook, signed. Refused in production unless `SMS_CARRIERS` names it.
"""

from typing import ClassVar

from django.conf import settings
from twilio.rest import Client

from sms_gateway.carriers.twilio import Twilio, _Http

ACCOUNT_SID = "AC" + "0" * 26 + "510000"


class Simulator(Twilio):
    """See `sms_gateway.carriers.base.Carrier`."""

    name: ClassVar[str] = "simulator"

    def _client(self) -> Client:
        api_base = self.account.secrets.get("api_base") or f"http://127.0.0.1:{settings.PORT}/webhooks/simulator/api"
        return Client(ACCOUNT_SID, self._tokens()[0], http_client=_Http(api_base))
