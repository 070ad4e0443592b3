"""The shapes of goods in the JSON API: docs/guide/goods.md tells them to people, /api/v1/openapi.json to programs."""

from datetime import UTC, datetime
from typing import Annotated, Literal

from ninja import Schema
from pydantic import AfterValidator, AwareDatetime, BaseModel, ConfigDict, Field

EARLIEST = 2000
_PLAIN = r"^[^\x00-\x1f\x7f]+$"


def _in_range(moment: datetime) -> datetime:
    if not EARLIEST <= moment.year < 9999:
        raise ValueError("there were no such goods then")
    return moment.astimezone(UTC)


Number = Annotated[str, Field(min_length=1, max_length=80, pattern=_PLAIN, examples=["SO-2026-0815"])]
PartnerNumber = Annotated[str, Field(min_length=5, max_length=12, pattern="^[A-Z][0-9]{4,11}$", examples=["D1008"])]
Text = Annotated[
    str,
    Field(
        min_length=1,
        max_length=300,
        pattern=_PLAIN,
        description="an SSCC, a Digital Link, GS1 element strings, a serial, or two serials joined by '..'",
    ),
]
Short = Annotated[str, Field(max_length=60, pattern=r"^[^\x00-\x1f\x7f]*$")]
Sscc = Annotated[str, Field(pattern="^[0-9]{18}$")]
Moment = Annotated[AwareDatetime, AfterValidator(_in_range)]


class _In(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class LineIn(_In):
    """One line: what it names and, for a delivery, how it arrived."""

    item: Text
    condition: Literal["", "full", "short", "over", "damaged"] = ""


class _DocumentIn(_In):
    number: Number | None = Field(
        None, description="the document's own number; without one the Idempotency-Key names it"
    )
    happened_at: Moment | None = Field(None, description="RFC 3339 with a zone; now, if it is left out")
    site: Short = ""
    reason: Annotated[str, Field(max_length=300, pattern=r"^[^\x00]*$")] = ""
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=5000)]


class ShipmentIn(_DocumentIn):
    """Goods sent by the brand, or by ``from_partner``, to a partner."""

    from_partner: PartnerNumber | None = None
    to_partner: PartnerNumber
    market: Annotated[str, Field(max_length=20, pattern="^[A-Z0-9-]*$")] = Field("", description="a region's code")


class DeliveryIn(_DocumentIn):
    """Goods that arrived at a partner. Without lines: all of ``shipment``, in full."""

    at_partner: PartnerNumber
    shipment: Annotated[str, Field(pattern="^doc_[a-z2-7]{20}$")] | None = None
    lines: Annotated[list[LineIn], Field(max_length=5000)] = []


class ReturnIn(_DocumentIn):
    """Goods given back by a partner to the brand, or to the partner above."""

    from_partner: PartnerNumber
    to_partner: PartnerNumber | None = None


class TransferIn(_DocumentIn):
    """Goods that a partner is to hand to another one: both agree in the portal before anything moves."""

    from_partner: PartnerNumber
    to_partner: PartnerNumber


class FillingIn(_In):
    """What goes into which unit; a unit that does not exist is made."""

    sscc: Sscc
    kind: Literal["inner", "case", "pallet"] = "case"
    item: Text
    lot: Annotated[str, Field(max_length=20, pattern=r"^[^\x00-\x1f\x7f]*$")] = ""


class PackingIn(_In):
    """Units that were filled, as a line camera or a scanner tells it."""

    number: Number | None = None
    happened_at: Moment | None = None
    site: Short = ""
    lines: Annotated[list[FillingIn], Field(min_length=1, max_length=5000)]


class CancellationIn(_In):
    """Why a document is cancelled, and which of its lines; all, if none is named."""

    reason: Annotated[str, Field(min_length=1, max_length=300, pattern=r"^[^\x00]+$")]
    lines: Annotated[list[Text], Field(max_length=5000)] = []


class LineOut(Schema):
    """What became of a line: ACCEPTED, DUPLICATE, or REJECTED for a ``reason``."""

    line: int
    item: str
    condition: str
    outcome: Literal["ACCEPTED", "DUPLICATE", "REJECTED"]
    reason: str | None
    labels: int


class CountsOut(Schema):
    """Lines by outcome."""

    accepted: int
    duplicate: int
    rejected: int


class DocumentOut(Schema):
    """A document, and what became of its lines."""

    id: str
    kind: str
    number: str
    status: Literal["ACCEPTED", "PARTIALLY_ACCEPTED", "REJECTED"]
    state: str
    from_partner: str | None
    to_partner: str | None
    happened_at: datetime
    recorded_at: datetime
    counts: CountsOut
    labels: int
    payload_hash: str
    lines: list[LineOut] | None = Field(None, description="absent in lists")


class DocumentsOut(Schema):
    """A page of documents, newest first."""

    data: list[DocumentOut]
    next_cursor: str | None
    has_more: bool


class UnitOut(Schema):
    """A pack, case or pallet: what is in it now, what it is in, and who holds it."""

    id: str
    sscc: str
    kind: str
    lot: str
    labels: int
    parent: str | None
    children: list[str]
    holder: str | None = Field(None, description="a partner's number; null: the brand")
    state: str
