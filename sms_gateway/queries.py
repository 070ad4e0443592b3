"""Reading messages back."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sms_gateway.models import BODY_FIELD, TO_FIELD, CountryRate, OutboundMessage
from staff import vault


@dataclass(frozen=True, slots=True)
class Message:
    """A message in clear."""

    to: str
    body: str
    purpose: str
    state: str
    created_at: datetime

    @property
    def purpose_label(self) -> str:
        """The purpose in the reader's language."""
        return str(OutboundMessage.Purpose(self.purpose).label)

    @property
    def state_label(self) -> str:
        """The state in the reader's language."""
        return str(OutboundMessage.State(self.state).label)


def newest_messages(limit: int) -> list[Message]:
    """Return the newest messages that are not forgotten, newest first."""
    return _read(OutboundMessage.objects.filter(to_index__isnull=False).order_by("-created_at", "-id")[:limit])


def messages_to(phone: str) -> list[Message]:
    """Return every message to a number (E.164), oldest first."""
    return _read(OutboundMessage.objects.filter(to_index=vault.blind_index(phone)).order_by("id"))


def _read(rows: Iterable[OutboundMessage]) -> list[Message]:
    return [
        Message(
            to=vault.unseal(bytes(row.to_cipher or b""), field=TO_FIELD, row=row.uuid),
            body=vault.unseal(bytes(row.body_cipher or b""), field=BODY_FIELD, row=row.uuid),
            purpose=row.purpose,
            state=row.state,
            created_at=row.created_at,
        )
        for row in rows
    ]


def part_prices() -> list[tuple[str, int]]:
    """Return what one part costs in each country that is written to: (country, millionths of the currency), dearest last."""
    return list(CountryRate.objects.order_by("part_price", "region").values_list("region", "part_price"))
