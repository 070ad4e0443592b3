"""The shapes of the JSON API: docs/guide/api.md tells them to people, /api/v1/openapi.json to programs."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from ninja import Schema
from pydantic import BaseModel, ConfigDict, Field

from common.problem_schema import Problem
from redemption.rules import Door, Outcome

__all__ = ["Problem"]

MOST_ATTEMPTS = 500
Text = Annotated[str, Field(min_length=1, max_length=200)]
Name = Annotated[str, Field(min_length=1, max_length=40)]
RequestId = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[\x21-\x7e]+$")]

_PHONE: Any = {"required": ["phone"], "properties": {"phone": {"type": "string"}, "asker": {"type": "null"}}}
_ASKER: Any = {"required": ["asker"], "properties": {"asker": {"type": "string"}, "phone": {"type": "null"}}}
_NOBODY: Any = {"properties": {"phone": {"type": "null"}, "asker": {"type": "null"}}}


class _In(BaseModel):
    """What is read by pydantic alone: `Schema` looks at each value through a getter of Django's objects."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class PlaceIn(_In):
    """Where the person stands, as their device tells with their consent."""

    lat: float = Field(ge=-90, le=90, allow_inf_nan=False, description="degrees north")
    lon: float = Field(ge=-180, le=180, allow_inf_nan=False, description="degrees east")
    accuracy_m: float | None = Field(None, ge=0, le=1e7, allow_inf_nan=False, description="radius in metres")
    datum: Literal["wgs84", "gcj02"] = Field("wgs84", description="gcj02: as Chinese maps and SDKs give it")
    mock: bool = Field(False, description="the device says that the position is not its own: it is not kept")
    consent: Annotated[str, Field(max_length=12)] = Field("", description="version of what the person agreed to")


class _Asked(_In):
    phone: Annotated[str, Field(min_length=3, max_length=40)] | None = Field(
        None, description="the person's number; national numbers are read as Chinese", examples=["+8613800138000"]
    )
    asker: Text | None = Field(None, description="your own reference for the person, always the same for one person")
    gtin: Name | None = Field(None, description="the product number of the label, if it was scanned")
    place: PlaceIn | None = None


class CheckIn(_Asked):
    """A label to check: by its open serial or by its hidden code."""

    serial: Text | None = Field(None, description="as in the QR code", examples=["5JQ2D4Y8562N"])
    code: Text | None = Field(None, description="as under the scratch layer; a check does not use it up")

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        json_schema_extra={
            "allOf": [
                {
                    "oneOf": [
                        {
                            "required": ["serial"],
                            "properties": {"serial": {"type": "string"}, "code": {"type": "null"}},
                        },
                        {"required": ["code"], "properties": {"code": {"type": "string"}, "serial": {"type": "null"}}},
                    ]
                },
                {"oneOf": [_PHONE, _ASKER, _NOBODY]},
            ]
        },
    )


class RedeemIn(_Asked):
    """A hidden code to redeem, and who earns: exactly one of ``phone`` and ``asker``."""

    code: Text = Field(description="as under the scratch layer; any script's digits, blanks and hyphens are understood")
    serial: Text | None = Field(
        None, description="the label's open serial, if it was scanned: both must be one label's"
    )
    retailer: Name | None = Field(None, description="number of the shop that sold it", examples=["R1001"])
    promoter: Name | None = Field(None, description="number of the person who recommended it", examples=["P1001"])

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, json_schema_extra={"oneOf": [_PHONE, _ASKER]})


class BulkItem(RedeemIn):
    """One attempt of a bulk request: as in a single one, and its request id."""

    request_id: RequestId = Field(description="as the Idempotency-Key of a single request")

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True, json_schema_extra={"oneOf": [_PHONE, _ASKER]})


class BulkIn(_In):
    """Up to 500 attempts. One that is not valid gets its problem in its place; the others are redeemed."""

    attempts: list[dict[str, Any]] = Field(
        min_length=1,
        max_length=MOST_ATTEMPTS,
        json_schema_extra={
            "items": {
                "type": "object",
                "required": ["request_id"],
                "properties": {"request_id": {"type": "string", "minLength": 1, "maxLength": 200}},
                "description": "an object as RedeemIn with a request_id",
            }
        },
    )


# --- answers -----------------------------------------------------------------------------------------------------------


class ProductOut(Schema):
    id: str
    gtin: str
    name: str
    name_zh: str


class EarlierOut(Schema):
    """The visits before this one; the place is a city, never finer."""

    count: int
    first_at: datetime
    first_place: str | None
    first_door: Door
    by: Literal["you", "other", "unknown"]


class RedeemedOut(Schema):
    """The redemption that came before."""

    at: datetime
    place: str | None
    door: Door
    by: Literal["you", "other", "unknown"]


class PrizeOut(Schema):
    """A prize: tier 1 is the dearest. ``points`` of a prize of points, else null."""

    tier: int
    kind: Literal["points", "coupon", "voucher", "cash", "goods"]
    name: str
    name_zh: str
    points: int | None


class PlayOut(Schema):
    """What the label won in an instant game, decided when its code was redeemed; told to its redeemer only."""

    outcome: Literal["won", "no_prize", "points_only"]
    campaign: str
    prize: PrizeOut | None
    points: int = Field(description="points won, in the balance already; 0 for any other prize")
    claim: str | None = Field(description="the winner's claim")


class EntryReceipt(Schema):
    """As `verify_draw.py --receipt` reads it: content in canonical JSON, signed by the brand's key."""

    content: dict[str, Any]
    signature: str
    key: str


class EntryOut(Schema):
    """An entry of a draw that the redemption made, and its signed receipt."""

    entry: int
    draw: str
    weight: int
    close_at: datetime
    receipt: EntryReceipt


class ReceiptOut(Schema):
    """What was found, and its receipt."""

    outcome: Outcome
    detail: (
        Literal["malformed", "typo", "serial_typed", "mismatch", "test_label", "stolen", "retired", "wrong_gtin"] | None
    )
    receipt: str | None = Field(description="12 digits; null only with TOO_MANY_TRIES")
    product: ProductOut | None
    points: int = Field(description="what the consumer got by this redemption")
    balance: int = Field(description="what the consumer has")
    points_offered: int = Field(description="what the unused code of a genuine label would earn")
    earlier: EarlierOut | None
    redeemed: RedeemedOut | None
    want: int | None = Field(description="symbols that such a code has")
    got: int | None = Field(description="symbols that were sent")
    tries_left: int | None
    ended_on: date | None
    retry_after_s: int | None
    play: PlayOut | None
    entries: list[EntryOut]
    at: datetime
    message: str = Field(description="what to tell the person, in the language of Accept-Language")


class BulkOut(Schema):
    """One result for each attempt, in order: a receipt or a problem, with the status that a single call would get."""

    results: list[dict[str, Any]]
