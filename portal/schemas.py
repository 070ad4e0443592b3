"""Shapes of what a partner's page or program sends and gets."""

from datetime import datetime
from typing import Literal

from ninja import Schema
from pydantic import AwareDatetime, Field

from channel.items import Item
from portal.acts import NewDocument


class LineIn(Schema):
    """One line: an SSCC, a Digital Link, a GS1 element string, a serial, or two serials joined by ``..``."""

    text: str = Field(min_length=1, max_length=300)
    condition: Literal["", "full", "short", "over", "damaged"] = Field("", description="for receipts")


class DocumentIn(Schema):
    """A document: shipped out, received or given back."""

    act: Literal["ship", "receive", "return"]
    to: str = Field("", max_length=12, pattern=r"^[A-Za-z0-9]*$", description="a partner's number; empty: the brand")
    shipment: str = Field("", max_length=26, pattern=r"^[a-z0-9_]*$", description="of a receipt: the shipment")
    happened_at: AwareDatetime | None = Field(None, description="when it was done; default now")
    lines: list[LineIn] = Field(default_factory=list, max_length=5_000)

    def read(self) -> NewDocument:
        """Return the document that is meant."""
        return NewDocument(
            act=self.act,
            lines=tuple(Item(line.text, line.condition) for line in self.lines),
            to=self.to,
            shipment=self.shipment,
            happened_at=self.happened_at,
        )


class LineOut(Schema):
    """What became of a line. ``said`` is for people; ``labels``: how many labels it meant."""

    item: str
    outcome: Literal["ACCEPTED", "DUPLICATE", "REJECTED"]
    reason: str
    said: str
    kind: str
    labels: int
    product: str
    condition: str


class DocumentOut(Schema):
    """A document and the counts of its lines."""

    id: str
    kind: str
    number: str
    status: Literal["ACCEPTED", "PARTIALLY_ACCEPTED", "REJECTED"]
    accepted: int
    duplicate: int
    rejected: int
    labels: int
    happened_at: datetime
    lines: list[LineOut]
